use tidegate_grants::{Limit, LimitKind, Limits};
use tidegate_transport::Meter;
use wasmtime::{ResourceLimiter, Result};

/// What an element of a table takes.
const ELEMENT: u64 = size_of::<usize>() as u64;

/// The memories and tables of a guest, against what they may be together.
pub(crate) struct Memory {
    limit: Option<u64>,
    /// How large a pool lets one memory be.
    slot: Option<u64>,
    used: u64,
    /// Whether it asked for more than a slot.
    beyond_slot: bool,
    /// Remembers what the guest was told last.
    meter: Meter,
}

impl Memory {
    pub(crate) fn new(limits: &Limits, slot: Option<usize>, meter: Meter) -> Memory {
        let limit = match limits.get(LimitKind::Memory) {
            Some(Limit::Memory(bytes)) => Some(bytes),
            _ => None,
        };
        let slot = slot.map(|bytes| bytes as u64);
        Memory { limit, slot, used: 0, beyond_slot: false, meter }
    }

    /// Whether anything is limited.
    pub(crate) fn is_bounded(&self) -> bool {
        self.limit.is_some() || self.slot.is_some()
    }

    /// How large a pool lets one memory be, where the guest was refused more. That bound is the engine's, and no limit of this guest.
    pub(crate) fn beyond_slot(&self) -> Option<u64> {
        self.slot.filter(|_| self.beyond_slot)
    }

    /// Counts so much more, unless it is too much. What was allowed once counts for good, even where the machine had none to give.
    fn grow(&mut self, more: u64) -> bool {
        let used = self.used.saturating_add(more);
        match self.limit {
            Some(limit) if used > limit => {
                // What is granted later may be for its last words: it is no more than was left.
                self.meter.note(Some(Limit::Memory(limit)));
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
        // The module's own maximum is no limit of ours.
        if maximum.is_some_and(|maximum| desired > maximum as u64) {
            return Ok(true);
        }
        let more = desired.saturating_sub(current);
        let within_limit = self.limit.is_none_or(|limit| self.used.saturating_add(more) <= limit);
        // What is too much for both is told as the guest's own limit.
        if within_limit && self.slot.is_some_and(|slot| desired > slot) {
            self.beyond_slot = true;
            return Ok(false);
        }
        Ok(self.grow(more))
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
    use std::sync::Arc;

    use tidegate_transport::{Silent, Told};

    use super::*;

    const PAGE: usize = 64 << 10;

    /// Of so many pages.
    fn memory(limit: Option<u64>, slot: Option<usize>) -> Memory {
        let limits = limit.map_or(Limits::none(), |pages| Limits::none().memory(pages * PAGE as u64));
        Memory::new(&limits, slot.map(|pages| pages * PAGE), Meter::new(&limits, Arc::new(Silent)))
    }

    /// Whether a memory may grow from so many pages to so many.
    fn may(memory: &mut Memory, from: usize, to: usize) -> bool {
        memory.memory_growing(from * PAGE, to * PAGE, None).unwrap()
    }

    /// The limit that the guest was told of, in pages.
    fn told(memory: &Memory) -> Option<u64> {
        match memory.meter.told()? {
            Told::Limited(Limit::Memory(bytes)) => Some(bytes / PAGE as u64),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn all_memories_and_tables_count_together() {
        let mut memory = memory(Some(4), None);
        assert!(may(&mut memory, 0, 2));
        assert!(memory.table_growing(0, PAGE / 8, None).unwrap());
        assert!(may(&mut memory, 0, 1));
        assert_eq!(told(&memory), None);
        assert!(!memory.table_growing(PAGE / 8, PAGE / 8 + 1, None).unwrap());
        assert!(!may(&mut memory, 1, 2));
        assert!(memory.table_growing(PAGE / 8, PAGE / 8, None).unwrap(), "what is left");
        assert_eq!(told(&memory), Some(4));
    }

    #[test]
    fn a_modules_own_maximum_is_no_limit_and_a_pools_is_none_of_the_guests() {
        let mut unlimited = memory(None, Some(4));
        assert!(unlimited.is_bounded() && may(&mut unlimited, 0, 4));
        assert_eq!(unlimited.beyond_slot(), None);
        assert!(!may(&mut unlimited, 4, 5));
        assert_eq!((unlimited.beyond_slot(), told(&unlimited)), (Some(4 * PAGE as u64), None));

        let mut limited = memory(Some(100), Some(4));
        assert!(limited.memory_growing(0, 3 * PAGE, Some(2 * PAGE)).unwrap(), "wasmtime refuses it");
        assert!(!may(&mut limited, 0, 5));
        assert_eq!((limited.beyond_slot(), told(&limited)), (Some(4 * PAGE as u64), None));
        assert!(!may(&mut limited, 0, 101), "too much for both");
        assert_eq!(told(&limited), Some(100));
    }
}
