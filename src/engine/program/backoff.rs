//! When a program that has ended is started again.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// A program that has run for so long was not a failure that happened at once: its next end counts as the first again.
pub(in crate::engine) const STEADY: Duration = Duration::from_secs(10);
/// How many times in a row it may end sooner and be started again at once.
const AT_ONCE: u32 = 3;
/// The first pause. It doubles with each further failure.
const FIRST: Duration = Duration::from_secs(1);
/// The longest pause.
const LONGEST: Duration = Duration::from_secs(60);

/// How often a program has ended early, in a row.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::engine) struct Backoff {
    failures: u32,
}

impl Backoff {
    /// Takes note of an end after the program has run for a while. The result is the pause before it is started again: none
    /// for the first three quick failures in a row, then 1 s, 2 s, 4 s and so on, 60 s at the most.
    pub(in crate::engine) fn ended(&mut self, ran: Duration) -> Duration {
        self.failures = if ran >= STEADY { 1 } else { self.failures.saturating_add(1) };
        match self.failures.checked_sub(AT_ONCE + 1) {
            None => Duration::ZERO,
            Some(doublings) => FIRST.saturating_mul(2_u32.saturating_pow(doublings)).min(LONGEST),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_begin_after_three_quick_failures_and_are_capped() {
        let mut backoff = Backoff::default();
        let pauses: Vec<u64> = (0..11).map(|_| backoff.ended(Duration::from_millis(1)).as_secs()).collect();
        assert_eq!(pauses, [0, 0, 0, 1, 2, 4, 8, 16, 32, 60, 60]);
        assert_eq!(backoff.ended(STEADY), Duration::ZERO, "one that has run for a while is started at once");
        assert_eq!(backoff.ended(Duration::ZERO), Duration::ZERO);
        let mut long = Backoff { failures: u32::MAX };
        assert_eq!(long.ended(Duration::ZERO), LONGEST);
    }
}
