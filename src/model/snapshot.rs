use serde::{Deserialize, Serialize};

use super::{Namespaced, ObjectRef, Observation, Unavailable};

/// Everything that `troubleshoot` judges by: an [`Observation`] and the system around it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Snapshot {
    /// What `verify` would look at.
    pub observation: Observation,
    /// The system around it.
    pub system: System,
}

/// What carries the connections: Network Service Mesh and SPIRE, or the engine on this machine.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct System {
    /// The parts of Network Service Mesh and SPIRE, or those of the engine on this machine.
    pub components: Vec<ComponentState>,
    /// What happened to the deployment's objects, oldest first.
    pub events: Result<Vec<EventRecord>, Unavailable>,
    /// The ends of the logs of the containers concerned.
    pub logs: Vec<LogTail>,
}

/// A part of Network Service Mesh.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ComponentState {
    /// What it does: `nsmgr`, `forwarder`, `registry`, `webhook`, `crd`, `spire-agent`, `spire-server`, `engine`.
    pub role: String,
    /// The object it is.
    pub object: Option<ObjectRef>,
    /// How many there should be and how many are ready.
    pub ready: Result<(u32, u32), Unavailable>,
}

impl ComponentState {
    /// Whether as many are ready as there should be, and at least one.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        matches!(self.ready, Ok((desired, ready)) if ready >= desired && desired > 0)
    }
}

/// Something that happened to an object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventRecord {
    /// The object.
    pub object: ObjectRef,
    /// `Normal` or `Warning`.
    pub kind: String,
    /// The reason in one word.
    pub reason: String,
    /// What happened.
    pub message: String,
    /// How often.
    pub count: u32,
}

/// The end of a container's log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogTail {
    /// The pod.
    pub pod: Namespaced,
    /// The container.
    pub container: String,
    /// The lines, oldest first, or why there are none.
    pub lines: Result<Vec<String>, Unavailable>,
}
