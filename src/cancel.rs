//! Why a command should stop, known to everything that waits.

use std::future::Future;

use tokio::sync::watch;

#[cfg(unix)]
use crate::model::IntoFailure;
use crate::model::{Outcome, Result};

/// Says that the command should stop. Cheap to clone; every clone sees the same reason.
#[derive(Debug, Clone)]
pub struct Cancel(watch::Sender<Option<Outcome>>);

impl Default for Cancel {
    fn default() -> Self {
        Self(watch::Sender::new(None))
    }
}

impl Cancel {
    /// Asks everything to stop. A graver reason replaces a lighter one.
    pub fn cancel(&self, reason: Outcome) {
        self.0.send_modify(|current| *current = (*current).max(Some(reason)));
    }

    /// Why to stop, if so.
    #[must_use]
    pub fn reason(&self) -> Option<Outcome> {
        *self.0.borrow()
    }

    /// Waits until somebody asks to stop.
    pub fn cancelled(&self) -> impl Future<Output = Outcome> + use<> {
        let mut receiver = self.0.subscribe();
        async move {
            loop {
                if let Some(reason) = *receiver.borrow_and_update() {
                    return reason;
                }
                if receiver.changed().await.is_err() {
                    // The sender is gone, so nobody can ask any more.
                    std::future::pending::<()>().await;
                }
            }
        }
    }
}

/// Ctrl-C and SIGTERM, as they come.
#[derive(Debug)]
pub struct Signals {
    #[cfg(unix)]
    interrupt: tokio::signal::unix::Signal,
    #[cfg(unix)]
    terminate: tokio::signal::unix::Signal,
}

impl Signals {
    /// Listens from now on.
    ///
    /// # Errors
    /// Signals cannot be handled.
    #[cfg(unix)]
    pub fn listen() -> Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        let handle = |kind| signal(kind).or_fail(Outcome::Defect, "cannot handle signals");
        Ok(Self { interrupt: handle(SignalKind::interrupt())?, terminate: handle(SignalKind::terminate())? })
    }

    /// Waits for the next one.
    #[cfg(unix)]
    pub async fn next(&mut self) -> Outcome {
        tokio::select! {
            _ = self.interrupt.recv() => Outcome::Interrupted,
            _ = self.terminate.recv() => Outcome::Terminated,
        }
    }

    /// Listens from now on.
    ///
    /// # Errors
    /// Never.
    #[cfg(not(unix))]
    pub fn listen() -> Result<Self> {
        Ok(Self {})
    }

    /// Waits for the next Ctrl-C; there is nothing else here.
    #[cfg(not(unix))]
    pub async fn next(&mut self) -> Outcome {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
        Outcome::Interrupted
    }
}

/// Ctrl-C and SIGTERM wait as long as this lives: what comes before somebody listens would end the process without a word.
/// Programs that are started meanwhile do not inherit it, as std sees to.
#[derive(Debug)]
#[must_use = "signals wait as long as this lives"]
pub struct Held {
    #[cfg(unix)]
    before: Option<nix::sys::signal::SigSet>,
}

impl Held {
    /// Lets the signals wait from now on.
    #[cfg(unix)]
    pub fn signals() -> Self {
        use nix::sys::signal::{SigSet, SigmaskHow, Signal};
        let both: SigSet = [Signal::SIGINT, Signal::SIGTERM].into_iter().collect();
        // Where that cannot be, they come as they come.
        Self { before: both.thread_swap_mask(SigmaskHow::SIG_BLOCK).ok() }
    }

    /// There is nothing to hold here.
    #[cfg(not(unix))]
    pub fn signals() -> Self {
        Self {}
    }
}

#[cfg(unix)]
impl Drop for Held {
    fn drop(&mut self) {
        if let Some(before) = self.before {
            // What has come meanwhile comes now.
            let _ = before.thread_set_mask();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(unix)]
    #[test]
    fn a_signal_that_is_held_comes_later() {
        use nix::sys::signal::{SigSet, Signal, raise};
        let held = Held::signals();
        // To this thread alone (raise(3)): unless it waits, it ends the tests.
        raise(Signal::SIGTERM).unwrap();
        let terminate: SigSet = [Signal::SIGTERM].into_iter().collect();
        assert_eq!(terminate.wait().unwrap(), Signal::SIGTERM);
        drop(held);
        assert!(!SigSet::thread_get_mask().unwrap().contains(Signal::SIGTERM));
    }

    #[tokio::test]
    async fn the_graver_reason_stays() {
        let cancel = Cancel::default();
        let waiting = cancel.cancelled();
        assert_eq!(cancel.reason(), None);
        cancel.cancel(Outcome::Terminated);
        cancel.cancel(Outcome::Interrupted);
        assert_eq!(waiting.await, Outcome::Terminated);
    }
}
