use tidegate_grants::{Limit, LimitKind, Limits};
use wasmtime::{ResourceLimiter, Result};

/// What an element of a table takes.
const ELEMENT: u64 = size_of::<usize>() as u64;

/// The memories and tables of a guest, against what they may be together.
pub(crate) struct Memory {
    limit: Option<u64>,
    /// How large a pool lets one memory be.
    slot: Option<u64>,
    used: u64,
    reached: Option<Limit>,
}

impl Memory {
    pub(crate) fn new(limits: &Limits, slot: Option<usize>) -> Memory {
        let limit = match limits.get(LimitKind::Memory) {
            Some(Limit::Memory(bytes)) => Some(bytes),
            _ => None,
        };
        Memory { limit, slot: slot.map(|bytes| bytes as u64), used: 0, reached: None }
    }

    /// Whether anything is limited.
    pub(crate) fn is_bounded(&self) -> bool {
        self.limit.is_some() || self.slot.is_some()
    }

    /// The limit for the sake of which the guest was refused memory.
    pub(crate) fn reached(&self) -> Option<Limit> {
        self.reached
    }

    /// Counts so much more, unless it is too much. What was allowed once counts for good, even where the machine had none to give.
    fn grow(&mut self, more: u64) -> bool {
        let used = self.used.saturating_add(more);
        match self.limit {
            Some(limit) if used > limit => {
                self.reached = Some(Limit::Memory(limit));
                false
            }
            _ => {
                self.used = used;
                true
            }
        }
    }
}

impl ResourceLimiter for Memory {
    /// What is refused here is −1 to the guest, as `memory.grow` has it: one that can do with less goes on.
    fn memory_growing(&mut self, current: usize, desired: usize, maximum: Option<usize>) -> Result<bool> {
        let (current, desired) = (current as u64, desired as u64);
        if let Some(slot) = self.slot.filter(|slot| desired > *slot) {
            self.reached = Some(Limit::Memory(self.limit.map_or(slot, |limit| limit.min(slot))));
            return Ok(false);
        }
        // The module's own maximum is no limit of ours.
        if maximum.is_some_and(|maximum| desired > maximum as u64) {
            return Ok(true);
        }
        Ok(self.grow(desired.saturating_sub(current)))
    }

    fn table_growing(&mut self, current: usize, desired: usize, maximum: Option<usize>) -> Result<bool> {
        if maximum.is_some_and(|maximum| desired > maximum) {
            return Ok(true);
        }
        Ok(self.grow((desired as u64).saturating_sub(current as u64).saturating_mul(ELEMENT)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: usize = 64 << 10;

    #[test]
    fn all_memories_and_tables_count_together() {
        let mut memory = Memory::new(&Limits::none().memory(4 * PAGE as u64), None);
        assert!(memory.memory_growing(0, 2 * PAGE, None).unwrap());
        assert!(memory.table_growing(0, PAGE / 8, None).unwrap());
        assert!(memory.memory_growing(0, PAGE, None).unwrap());
        assert_eq!(memory.reached(), None);
        assert!(!memory.table_growing(PAGE / 8, PAGE / 8 + 1, None).unwrap());
        assert!(!memory.memory_growing(PAGE, 2 * PAGE, None).unwrap());
        assert!(memory.memory_growing(PAGE, PAGE, None).unwrap());
        assert_eq!(memory.reached(), Some(Limit::Memory(4 * PAGE as u64)));
    }

    #[test]
    fn a_modules_own_maximum_is_no_limit_and_a_pools_is() {
        let mut memory = Memory::new(&Limits::none().memory(u64::MAX), Some(4 * PAGE));
        assert!(memory.memory_growing(0, 3 * PAGE, Some(2 * PAGE)).unwrap(), "wasmtime refuses it");
        assert_eq!(memory.reached(), None);
        assert!(!memory.memory_growing(0, 5 * PAGE, Some(4 * PAGE)).unwrap());
        assert_eq!(memory.reached(), Some(Limit::Memory(4 * PAGE as u64)));
    }
}
