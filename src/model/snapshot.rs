use serde::{Deserialize, Serialize};

use super::{Expectations, Namespaced, NodeState, ObjectRef, Observation, PodState, Unavailable, WebhookState, Workload};

/// Everything that `troubleshoot` judges by: what was promised, an [`Observation`] and the system around it. It needs no
/// target any more, so that it can be judged anywhere.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Snapshot {
    /// Whether it was promised by manifests that `nsmctl deploy` applies, and not by what somebody else has deployed.
    pub planned: bool,
    /// What was promised.
    pub expectations: Expectations,
    /// The same workloads as they are deployed now; whatever else is in their namespaces may be among them.
    pub deployed: Result<Vec<Workload>, Unavailable>,
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
    /// The pods of Network Service Mesh and SPIRE.
    pub pods: Result<Vec<PodState>, Unavailable>,
    /// The nodes.
    pub nodes: Result<Vec<NodeState>, Unavailable>,
    /// The configuration of NSM's webhook, where there is one.
    pub webhook: Result<Option<WebhookState>, Unavailable>,
    /// What happened to the deployment's objects and to those of Network Service Mesh and SPIRE, oldest first.
    pub events: Result<Vec<EventRecord>, Unavailable>,
    /// The ends of the logs of the containers concerned.
    pub logs: Vec<LogTail>,
}

impl System {
    /// The pods that an object of a component has made, as far as they can be seen.
    #[must_use]
    pub fn pods_of(&self, object: &ObjectRef) -> Vec<&PodState> {
        let made = |pod: &PodState| match &pod.controller {
            Some((kind, name)) => object.kind == *kind && object.name == *name,
            None => pod.id.name.strip_prefix(&object.name).is_some_and(|rest| rest.starts_with('-')),
        };
        let is_its = |pod: &&PodState| object.namespace.as_ref() == Some(&pod.id.namespace) && made(pod);
        self.pods.iter().flatten().filter(is_its).collect()
    }

    /// A system that has these parts and of which nothing else is to be seen.
    #[must_use]
    pub fn of(components: Vec<ComponentState>) -> Self {
        Self { components, pods: Ok(Vec::new()), nodes: Ok(Vec::new()), webhook: Ok(None), events: Ok(Vec::new()), logs: Vec::new() }
    }
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
    /// When last, in seconds since 1970.
    #[serde(default)]
    pub last_seen: Option<i64>,
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
