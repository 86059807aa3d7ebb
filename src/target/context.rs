use std::{
    future::Future,
    time::{Duration, Instant},
};

use crate::{
    cancel::Cancel,
    model::{Failure, Outcome, Result, Sink},
};

/// What every step of a command needs to know: when to stop, and whom to tell.
#[derive(Debug, Clone)]
pub struct Ctx {
    /// Asked to stop by a signal.
    pub cancel: Cancel,
    /// The end of the command's one time budget (`--timeout`).
    pub deadline: Instant,
    /// The whole budget, for messages.
    pub budget: Duration,
    /// Where events go.
    pub events: Sink,
}

impl Ctx {
    /// A context whose budget begins now.
    #[must_use]
    pub fn new(cancel: Cancel, budget: Duration, events: Sink) -> Self {
        // A budget beyond what the clock can count is no limit; a century is as good.
        let deadline = Instant::now().checked_add(budget).unwrap_or_else(|| Instant::now() + Duration::from_secs(100 * 365 * 86400));
        Self { cancel, deadline, budget, events }
    }

    /// What is left of the budget.
    #[must_use]
    pub fn remaining(&self) -> Duration {
        self.deadline.saturating_duration_since(Instant::now())
    }

    /// Runs one step until it is done, the command is cancelled or its time is up; `what` says what was being done.
    ///
    /// # Errors
    /// The step's own failure, or that it was stopped.
    pub async fn run<T>(&self, what: &str, step: impl Future<Output = Result<T>>) -> Result<T> {
        tokio::select! {
            biased;
            reason = self.cancel.cancelled() => Err(Failure::msg(reason, format!("stopped while {what}"))),
            result = step => result,
            () = tokio::time::sleep_until(self.deadline.into()) => Err(self.timed_out(what)),
        }
    }

    /// Waits for so long.
    ///
    /// # Errors
    /// It was stopped.
    pub async fn pause(&self, what: &str, time: Duration) -> Result<()> {
        let waited = async {
            tokio::time::sleep(time).await;
            Ok(())
        };
        self.run(what, waited).await
    }

    /// The failure that says that the time is up.
    #[must_use]
    pub fn timed_out(&self, what: &str) -> Failure {
        // What is left of a budget for one look has all the digits of a clock.
        let spent = match self.budget.as_millis() {
            ..100 => self.budget,
            milliseconds => Duration::from_millis(u64::try_from(milliseconds.div_ceil(10) * 10).unwrap_or(u64::MAX)),
        };
        Failure::msg(Outcome::TimedOut, format!("the time is up after {spent:?}, while {what}")).hint("give it longer with --timeout")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_step_ends_with_the_budget_or_the_signal() {
        let ctx = Ctx::new(Cancel::default(), Duration::from_millis(1), Sink::none());
        let failure = ctx.run("waiting", std::future::pending::<Result<()>>()).await.unwrap_err();
        assert_eq!(failure.outcome, Outcome::TimedOut);
        ctx.cancel.cancel(Outcome::Interrupted);
        let failure = ctx.run("waiting", std::future::pending::<Result<()>>()).await.unwrap_err();
        assert_eq!((failure.outcome, failure.message()), (Outcome::Interrupted, "stopped while waiting".to_owned()));
    }
}
