use std::{fmt, sync::Arc};

use serde::{Deserialize, Serialize};

use super::{Applied, ObjectRef, Phase};

/// What happens while a command works: the only thing that passes from the work to what is printed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Event {
    /// Something that a person should read, once.
    Notice(Notice),
    /// An object has reached a state.
    Object(ObjectRef, ObjectState),
    /// A phase of a connection has ended.
    Phase(Box<Phase>),
    /// The command does something that takes a while; an empty text ends it.
    Doing(String),
}

/// A line for the person at the terminal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Notice {
    /// For information: which target, which context.
    Info(String),
    /// Something is not as it should be, and the command goes on.
    Warning(String),
}

/// Where an object is on its way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ObjectState {
    /// The target took it.
    Applied(Applied),
    /// It is there but not ready, and this is what it waits for.
    Waiting(String),
    /// It is ready.
    Ready,
    /// It is being deleted, and this is what it waits for.
    Deleting(String),
    /// It is gone.
    Gone,
}

/// Where events go. Cheap to clone; the reporters stand behind it.
#[derive(Clone)]
pub struct Sink(Arc<dyn Fn(Event) + Send + Sync>);

impl Sink {
    /// Passes every event to `handle`, which must not block.
    pub fn new(handle: impl Fn(Event) + Send + Sync + 'static) -> Self {
        Self(Arc::new(handle))
    }

    /// Drops every event.
    #[must_use]
    pub fn none() -> Self {
        Self::new(|_| {})
    }

    /// Passes on warnings only: where standard error is another's.
    #[must_use]
    pub fn warnings(&self) -> Self {
        let all = self.clone();
        Self::new(move |event| {
            if matches!(event, Event::Notice(Notice::Warning(_))) {
                all.emit(event);
            }
        })
    }

    /// Passes the event on.
    pub fn emit(&self, event: Event) {
        (self.0)(event);
    }

    /// An object has reached a state.
    pub fn object(&self, object: &ObjectRef, state: ObjectState) {
        self.emit(Event::Object(object.clone(), state));
    }

    /// A line for information.
    pub fn info(&self, text: impl Into<String>) {
        self.emit(Event::Notice(Notice::Info(text.into())));
    }

    /// A line of warning.
    pub fn warn(&self, text: impl Into<String>) {
        self.emit(Event::Notice(Notice::Warning(text.into())));
    }

    /// The command does something that takes a while.
    pub fn doing(&self, text: impl Into<String>) {
        self.emit(Event::Doing(text.into()));
    }
}

impl fmt::Debug for Sink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sink")
    }
}
