#[cfg(test)]
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How a command ended. The only source of exit codes.
///
/// The variants are ordered by precedence: of several outcomes the greatest wins, so a run that was
/// interrupted says so even if a check had failed before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(test, derive(JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// Everything passed; warnings and skips included.
    Passed,
    /// The program that was run for the person ended, with this exit code of its own.
    Ended(u8),
    /// It cannot be told: unreachable, forbidden, or nothing was found.
    CannotTell,
    /// The time budget of `--timeout` ran out.
    TimedOut,
    /// Something failed.
    Failed,
    /// The program that was to be run for the person was not, or how it ended is not known: told apart from every code that
    /// programs commonly end with, as docker and podman do.
    NotRun,
    /// The command line was wrong, or names something that cannot be.
    Usage,
    /// A defect of nsmctl itself.
    Defect,
    /// Ctrl-C (SIGINT).
    Interrupted,
    /// SIGTERM.
    Terminated,
}

impl Outcome {
    /// The process's exit code.
    #[must_use]
    pub const fn code(self) -> u8 {
        match self {
            Self::Passed => 0,
            Self::Ended(code) => code,
            Self::Failed => 1,
            Self::Usage => 2,
            Self::CannotTell => 3,
            Self::TimedOut => 4,
            Self::Defect => 70,
            Self::NotRun => 125,
            Self::Interrupted => 130,
            Self::Terminated => 143,
        }
    }

    /// The outcome that counts when both happened.
    ///
    /// ```
    /// use nsmctl::model::Outcome;
    ///
    /// assert_eq!(Outcome::Failed.and(Outcome::CannotTell).code(), 1);
    /// assert_eq!(Outcome::Failed.and(Outcome::Interrupted).code(), 130);
    /// ```
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        self.max(other)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_of_interrupted_defect_failed_timed_out_cannot_tell_wins() {
        let by_precedence = [Outcome::Passed, Outcome::CannotTell, Outcome::TimedOut, Outcome::Failed, Outcome::Defect, Outcome::Interrupted];
        for (low, high) in by_precedence.iter().zip(&by_precedence[1..]) {
            assert_eq!(low.and(*high), *high);
            assert_eq!(high.and(*low), *high);
        }
        assert_eq!(by_precedence.map(Outcome::code), [0, 3, 4, 1, 70, 130]);
        assert_eq!((Outcome::Usage.code(), Outcome::Terminated.code()), (2, 143));
    }

    #[test]
    fn a_programs_own_code_is_passed_on_unless_something_of_ours_happened() {
        assert_eq!(Outcome::Ended(3).code(), 3);
        assert_eq!(Outcome::Passed.and(Outcome::Ended(3)), Outcome::Ended(3));
        for other in [Outcome::NotRun, Outcome::Interrupted, Outcome::Defect] {
            assert_eq!(Outcome::Ended(255).and(other), other);
        }
        assert_eq!(Outcome::NotRun.code(), 125);
    }
}
