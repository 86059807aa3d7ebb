use std::fmt::Display;

use super::Outcome;

/// What ends a command early: the outcome that it amounts to, what happened, and what to do about it.
///
/// Lower rooms have error types of their own; they become a `Failure` where it is known what the error
/// means for the command.
#[derive(Debug)]
pub struct Failure {
    /// What the command's outcome is because of it.
    pub outcome: Outcome,
    /// What happened, with its causes.
    pub error: anyhow::Error,
    /// The next step, where one is known.
    pub hint: Option<String>,
}

/// A result whose error knows its exit code.
pub type Result<T, E = Failure> = std::result::Result<T, E>;

impl Failure {
    /// A failure of the given outcome; `error` is a lowercase fragment that fits after "error: ".
    pub fn new(outcome: Outcome, error: impl Into<anyhow::Error>) -> Self {
        Self { outcome, error: error.into(), hint: None }
    }

    /// A failure with a message of its own.
    pub fn msg(outcome: Outcome, message: impl Display) -> Self {
        Self { outcome, error: anyhow::Error::msg(message.to_string()), hint: None }
    }

    /// Something failed: exit code 1.
    pub fn failed(message: impl Display) -> Self {
        Self::msg(Outcome::Failed, message)
    }

    /// It cannot be told: exit code 3.
    pub fn cannot_tell(message: impl Display) -> Self {
        Self::msg(Outcome::CannotTell, message)
    }

    /// The command line asks for what cannot be: exit code 2.
    pub fn usage(message: impl Display) -> Self {
        Self::msg(Outcome::Usage, message)
    }

    /// Says what to do next.
    #[must_use]
    pub fn hint(mut self, hint: impl Display) -> Self {
        self.hint = Some(hint.to_string());
        self
    }

    /// Says what to do next in other words.
    #[must_use]
    pub fn reworded(mut self, change: impl Fn(&str) -> String) -> Self {
        self.hint = self.hint.as_deref().map(change);
        self
    }

    /// Puts what was being done in front of what happened.
    #[must_use]
    pub fn context(mut self, what: impl Display) -> Self {
        self.error = self.error.context(what.to_string());
        self
    }

    /// The whole chain in one line.
    #[must_use]
    pub fn message(&self) -> String {
        format!("{:#}", self.error)
    }
}

/// Turns any error into a [`Failure`] of a stated outcome.
pub trait IntoFailure<T> {
    /// The failure's outcome is `outcome`, and `what` stands before the error.
    ///
    /// # Errors
    /// The error of `self`, as a failure.
    fn or_fail(self, outcome: Outcome, what: impl Display) -> Result<T>;
}

impl<T, E: Into<anyhow::Error>> IntoFailure<T> for std::result::Result<T, E> {
    fn or_fail(self, outcome: Outcome, what: impl Display) -> Result<T> {
        self.map_err(|error| Failure::new(outcome, error).context(what))
    }
}
