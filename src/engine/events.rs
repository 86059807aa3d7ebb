//! What happened to objects, for `troubleshoot`.

use std::{collections::VecDeque, fmt::Display};

use super::mesh::now;
use crate::model::{EventRecord, ObjectRef};

/// How many are kept: Kubernetes keeps an hour's; the engine keeps what a person would scroll through.
const KEPT: usize = 200;

/// The events of the engine, oldest first; one that happens again is counted.
#[derive(Debug, Default)]
pub(super) struct Events(VecDeque<EventRecord>);

impl Events {
    /// Something went as it should.
    pub(super) fn normal(&mut self, object: ObjectRef, reason: &str, message: impl Display) {
        self.record(object, "Normal", reason, message.to_string());
    }

    /// Something did not.
    pub(super) fn warning(&mut self, object: ObjectRef, reason: &str, message: impl Display) {
        self.record(object, "Warning", reason, message.to_string());
    }

    fn record(&mut self, object: ObjectRef, kind: &str, reason: &str, message: String) {
        let same = |event: &EventRecord| event.object == object && event.reason == reason && event.message == message;
        let count = self.0.iter().position(same).and_then(|index| self.0.remove(index)).map_or(1, |event| event.count.saturating_add(1));
        if self.0.len() == KEPT {
            self.0.pop_front();
        }
        self.0.push_back(EventRecord { object, kind: kind.to_owned(), reason: reason.to_owned(), message, count, last_seen: Some(now()) });
    }

    /// Goes on from events that were kept before.
    pub(super) fn restore(events: Vec<EventRecord>) -> Self {
        Self(events.into())
    }

    /// All that are kept.
    pub(super) fn list(&self) -> Vec<EventRecord> {
        self.0.iter().cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_happens_again_is_counted_and_becomes_the_newest() {
        let mut events = Events::default();
        let pod = |name: &str| ObjectRef::namespaced("Pod", "ns", name);
        events.warning(pod("a"), "Failed", "IPPool is empty");
        events.normal(pod("b"), "Connected", "to c");
        events.warning(pod("a"), "Failed", "IPPool is empty");
        let seen: Vec<_> = events.list().into_iter().map(|event| (event.object.name, event.count)).collect();
        assert_eq!(seen, [("b".to_owned(), 1), ("a".to_owned(), 2)]);
    }
}
