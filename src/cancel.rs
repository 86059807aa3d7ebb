//! Why a command should stop, known to everything that waits.

use std::future::Future;

use tokio::sync::watch;

use crate::model::Outcome;

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

#[cfg(test)]
mod tests {
    use super::*;

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
