//! How long to wait before trying again.

use std::time::Duration;

/// Doubling waits between two bounds.
#[derive(Debug, Clone)]
pub(crate) struct Backoff {
    next: Duration,
}

impl Backoff {
    const FIRST: Duration = Duration::from_millis(250);
    const LONGEST: Duration = Duration::from_secs(5);

    /// Starts with the shortest wait.
    pub(crate) const fn new() -> Self {
        Self { next: Self::FIRST }
    }

    /// The wait after one more failure.
    pub(crate) fn failed(&mut self) -> Duration {
        let wait = self.next;
        self.next = (wait * 2).min(Self::LONGEST);
        wait
    }

    /// Something succeeded: the next failure waits shortly again.
    pub(crate) const fn succeeded(&mut self) {
        self.next = Self::FIRST;
    }

    /// Whether the last wait was the first one: log only then, or the log fills while L1 is away.
    pub(crate) fn is_first(&self) -> bool {
        self.next == Self::FIRST
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_a_bound_and_start_over() {
        let mut backoff = Backoff::new();
        assert!(backoff.is_first());
        let waits: Vec<u64> = (0..7).map(|_| backoff.failed().as_millis() as u64).collect();
        assert_eq!(waits, [250, 500, 1000, 2000, 4000, 5000, 5000]);
        backoff.succeeded();
        assert!(backoff.is_first());
    }
}
