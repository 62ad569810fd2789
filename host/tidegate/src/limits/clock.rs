use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};
use tidegate_grants::{Limit, LimitKind, Limits};
use tokio::time::Instant;

/// A guest's time: that of the clock, and that of a processor.
///
/// Processor time is what the executor's thread spends in the guest's turns, by the thread's own clock: the guest's code, and the host's for
/// it. It is exact where a turn ends, however many short ones there are, and whatever else keeps the processor busy.
pub(crate) struct Clock {
    born: Instant,
    cpu: Option<(Limit, Duration)>,
    wall: Option<(Limit, Instant)>,
    /// Processor time of the turns that are over, in nanoseconds.
    used: AtomicU64,
    /// When the turn began, by its thread's processor clock.
    from: AtomicU64,
    /// When the turn began, in nanoseconds since `born` and one; 0 while the guest waits.
    since: AtomicU64,
}

impl Clock {
    /// Begins now; none where no time is limited.
    pub(crate) fn start(limits: &Limits) -> Option<Clock> {
        let born = Instant::now();
        let cpu = match limits.get(LimitKind::Cpu) {
            Some(limit @ Limit::Cpu(time)) => Some((limit, time)),
            _ => None,
        };
        let wall = match limits.get(LimitKind::Wall) {
            Some(limit @ Limit::Wall(time)) => born.checked_add(time).map(|end| (limit, end)),
            _ => None,
        };
        let (used, from, since) = Default::default();
        (cpu.is_some() || wall.is_some()).then_some(Clock { born, cpu, wall, used, from, since })
    }

    /// When the guest must have ended.
    pub(crate) fn end(&self) -> Option<Instant> {
        self.wall.map(|(_, end)| end)
    }

    /// The guest's turn begins, on this thread.
    pub(crate) fn begin(&self) {
        self.from.store(self.processor(), Ordering::Relaxed);
        // Before the ticker's plan is looked at: one of both sees the other.
        self.since.store(self.now(), Ordering::SeqCst);
    }

    /// What has been reached in this turn, which goes on. On its thread.
    pub(crate) fn lap(&self) -> Option<Limit> {
        let (now, from) = (self.processor(), self.from.load(Ordering::Relaxed));
        self.used.fetch_add(now.saturating_sub(from), Ordering::Relaxed);
        self.from.store(now, Ordering::Relaxed);
        self.since.store(self.now(), Ordering::Relaxed);
        self.spent().or_else(|| self.passed())
    }

    /// The turn is over. What was reached in it.
    pub(crate) fn pause(&self) -> Option<Limit> {
        let reached = self.lap();
        self.since.store(0, Ordering::Relaxed);
        reached
    }

    /// The limit of time on the clock, where that is over.
    pub(crate) fn passed(&self) -> Option<Limit> {
        self.wall.filter(|(_, end)| Instant::now() >= *end).map(|(limit, _)| limit)
    }

    /// Whether it is the guest's turn.
    pub(super) fn is_running(&self) -> bool {
        self.since.load(Ordering::SeqCst) > 0
    }

    /// The soonest that a limit can be reached, if the guest computes from now on. Callable from any thread.
    pub(super) fn soonest(&self) -> Duration {
        let wall = self.wall.map(|(_, end)| end.saturating_duration_since(Instant::now()));
        let cpu = self.cpu.map(|(_, most)| {
            let since = self.since.load(Ordering::Relaxed);
            let turn = if since > 0 { self.now().saturating_sub(since) } else { 0 };
            most.saturating_sub(Duration::from_nanos(self.used.load(Ordering::Relaxed).saturating_add(turn)))
        });
        wall.into_iter().chain(cpu).min().unwrap_or(Duration::MAX)
    }

    fn spent(&self) -> Option<Limit> {
        let used = Duration::from_nanos(self.used.load(Ordering::Relaxed));
        self.cpu.filter(|(_, most)| used >= *most).map(|(limit, _)| limit)
    }

    fn now(&self) -> u64 {
        u64::try_from(self.born.elapsed().as_nanos()).map_or(u64::MAX, |now| now.saturating_add(1))
    }

    /// This thread's processor time; not asked for where it is not limited.
    fn processor(&self) -> u64 {
        if self.cpu.is_none() {
            return 0;
        }
        let time = clock_gettime(ClockId::ThreadCPUTime);
        let (seconds, rest) = (u64::try_from(time.tv_sec), u64::try_from(time.tv_nsec));
        seconds.unwrap_or_default().saturating_mul(1_000_000_000).saturating_add(rest.unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waiting_is_no_processor_time() {
        let limit = Duration::from_millis(50);
        let clock = Clock::start(&Limits::none().cpu(limit)).unwrap();
        assert!(clock.soonest() <= limit && !clock.is_running());
        let (mut turns, begun) = (0, std::time::Instant::now());
        let reached = loop {
            clock.begin();
            assert!(clock.is_running());
            let turn = std::time::Instant::now();
            while turn.elapsed() < Duration::from_millis(5) {
                std::hint::spin_loop();
            }
            turns += 1;
            if let Some(limit) = clock.pause() {
                break limit;
            }
            std::thread::sleep(Duration::from_millis(5));
        };
        assert_eq!(reached, Limit::Cpu(limit));
        assert!(turns >= 10 && begun.elapsed() >= limit * 2, "{turns} turns");
        assert_eq!(clock.soonest(), Duration::ZERO);
    }

    #[test]
    fn nothing_is_measured_where_nothing_is_limited() {
        assert!(Clock::start(&Limits::none().memory(1).bytes(1)).is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn time_on_the_clock_passes_while_the_guest_waits() {
        let clock = Clock::start(&Limits::none().wall(Duration::from_secs(60))).unwrap();
        tokio::time::advance(Duration::from_secs(59)).await;
        assert_eq!((clock.passed(), clock.soonest()), (None, Duration::from_secs(1)));
        tokio::time::advance(Duration::from_secs(1)).await;
        assert_eq!(clock.passed(), Some(Limit::Wall(Duration::from_secs(60))));
    }
}
