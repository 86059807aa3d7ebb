//! What `status` tells: what there is now, each part with why it is not known where it is not.

use std::net::IpAddr;

use jiff::Timestamp;
#[cfg(test)]
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Finding, Namespaced, ObjectRef, Outcome, Payload, Phase, Verdict};

/// A value, or why it is not known. What a target shows nowhere is never made up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Known<T> {
    /// It is known.
    Value(T),
    /// It is not, for this reason.
    Unknown(String),
}

impl<T> Known<T> {
    /// Nothing but the reason.
    pub fn unknown(why: impl Into<String>) -> Self {
        Self::Unknown(why.into())
    }

    /// The value, where there is one.
    pub fn value(&self) -> Option<&T> {
        match self {
            Self::Value(value) => Some(value),
            Self::Unknown(_) => None,
        }
    }

    /// A value that there may be; `why` says why there is none.
    pub fn of(value: Option<T>, why: impl Into<String>) -> Self {
        value.map_or_else(|| Self::unknown(why), Self::Value)
    }
}

/// What carries the connections and who is connected to whom, at one moment.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(test, derive(JsonSchema))]
pub struct Status {
    /// When it was looked, by the target's clock.
    #[cfg_attr(test, schemars(with = "String"))]
    pub taken_at: Timestamp,
    /// The parts of Network Service Mesh and SPIRE, or of the engine on this machine.
    pub components: Vec<ComponentStatus>,
    /// The NetworkServices.
    pub services: Known<Vec<ServiceStatus>>,
    /// The endpoints that have registered; forwarders, which register too, are not among them.
    pub endpoints: Known<Vec<EndpointStatus>>,
    /// The connections: one a client's pod and request.
    pub connections: Known<Vec<ConnectionStatus>>,
    /// Where the engine of this machine exposes its metrics; nothing for a cluster, of which `metrics` tells.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub metrics: Option<Known<String>>,
    /// What is wrong, or cannot be told, and what to do about it.
    pub findings: Vec<Finding>,
}

/// A part of Network Service Mesh, of SPIRE, or of the engine.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(test, derive(JsonSchema))]
pub struct ComponentStatus {
    /// What it does: `nsmgr`, `forwarder`, `registry`, `webhook`, `spire-server`, `spire-agent`, `crd`, `engine`, …
    pub role: String,
    /// The object it is; nothing where there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub object: Option<ObjectRef>,
    /// Whether it does what it is there for.
    pub verdict: Verdict,
    /// How many there should be and how many are ready.
    pub ready: Known<Ready>,
    /// Its pods, one a node where it has to be on every node.
    pub instances: Known<Vec<InstanceStatus>>,
}

/// How many there should be, and how many are ready.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(JsonSchema))]
pub struct Ready {
    /// How many there should be.
    pub desired: u32,
    /// How many are ready.
    pub ready: u32,
}

/// A pod of a component.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(test, derive(JsonSchema))]
pub struct InstanceStatus {
    /// The pod.
    pub pod: Namespaced,
    /// The node that it runs on.
    pub node: Known<String>,
    /// Whether it is ready.
    pub ready: bool,
    /// Its state in one word, as `kubectl get pods` has it.
    pub state: String,
    /// The image of its first container.
    pub image: Known<String>,
    /// How often its containers were restarted, together.
    pub restarts: u32,
    /// Since when its first container runs.
    #[cfg_attr(test, schemars(with = "Known<String>"))]
    pub since: Known<Timestamp>,
    /// Whether it has registered with NSM, which a forwarder must; nothing for what need not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub registered: Option<Known<bool>>,
}

/// A NetworkService.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(test, derive(JsonSchema))]
pub struct ServiceStatus {
    /// Its name.
    pub name: String,
    /// Where it is; nothing where a client asks for it and there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// What travels over it.
    pub payload: Known<Payload>,
    /// How many endpoints offer it whose registration has not run out.
    pub endpoints: Known<usize>,
    /// How many connections were asked for.
    pub requests: usize,
    /// The other namespaces that have one of this name. NSM tells them apart by nothing: which one counts is chance.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub also_in: Vec<String>,
    /// Whether it can be used.
    pub verdict: Verdict,
}

/// An endpoint's registration.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(test, derive(JsonSchema))]
pub struct EndpointStatus {
    /// The name that it has registered under.
    pub name: String,
    /// The services that it offers.
    pub services: Vec<String>,
    /// The pod that has registered.
    pub pod: Known<Namespaced>,
    /// The node that the pod runs on.
    pub node: Known<String>,
    /// When the registration runs out unless it is renewed.
    #[cfg_attr(test, schemars(with = "Known<String>"))]
    pub expires_at: Known<Timestamp>,
    /// In how many seconds that is; negative where it has run out.
    pub expires_in_s: Known<i64>,
    /// Whether it counts still.
    pub verdict: Verdict,
}

/// A connection: what a client's pod has asked for, and what it has got.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(test, derive(JsonSchema))]
pub struct ConnectionStatus {
    /// The client's pod; the workload where it has no pod.
    pub client: Namespaced,
    /// The node that the client's pod runs on.
    pub node: Known<String>,
    /// The service that it asks for.
    pub service: String,
    /// How: `kernel`, `memif`, `vfio`, `wireguard`.
    pub mechanism: String,
    /// What travels over it.
    pub payload: Known<Payload>,
    /// The client's interface.
    pub interface: Known<String>,
    /// The endpoint's pod.
    pub endpoint: Known<Namespaced>,
    /// The endpoint's interface.
    pub endpoint_interface: Known<String>,
    /// The addresses of both sides, a pair for each group of prefixes.
    pub addresses: Vec<Addresses>,
    /// The way between them.
    pub path: Known<PathStatus>,
    /// Since when the client's request has been served. Healing keeps a connection, so that it does not begin anew with it.
    #[cfg_attr(test, schemars(with = "Known<String>"))]
    pub since: Known<Timestamp>,
    /// How often it was healed.
    pub heals: Known<u32>,
    /// The phases in which it came to be when it was made last.
    pub phases: Known<Vec<Phase>>,
    /// Whether it is there.
    pub verdict: Verdict,
    /// What is wrong with it, or stands in the way of telling.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// The addresses of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(JsonSchema))]
pub struct Addresses {
    /// The client's.
    #[cfg_attr(test, schemars(with = "String"))]
    pub client: IpAddr,
    /// The endpoint's.
    #[cfg_attr(test, schemars(with = "String"))]
    pub endpoint: IpAddr,
}

/// The way between the two ends of a connection.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(JsonSchema))]
pub struct PathStatus {
    /// The client's node.
    pub client_node: String,
    /// The endpoint's node.
    pub endpoint_node: String,
    /// Whether they are the same, so that nothing leaves it.
    pub same_node: bool,
    /// The forwarders on the way, the client's first.
    pub forwarders: Known<Vec<String>>,
}

/// What the engine of this machine knows of a connection that it carries.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Carried {
    /// The deployment that the client belongs to.
    pub instance: String,
    /// The client's pod.
    pub client: Namespaced,
    /// The client's interface.
    pub interface: String,
    /// Since when the request has been served, in seconds since 1970.
    pub since: i64,
    /// How often it was made anew because it was broken or its endpoint had gone.
    pub heals: u32,
    /// The phases in which it came to be when it was made last; `None` where they were not seen.
    pub phases: Option<Vec<Phase>>,
}

/// What the engine of this machine knows, without asking the kernel.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct EngineState {
    /// The connections that it carries.
    pub carried: Vec<Carried>,
    /// Where it exposes its metrics; `None` where no port was free.
    pub metrics: Option<String>,
}

impl Status {
    /// What it amounts to: the gravest of components and findings.
    #[must_use]
    pub fn outcome(&self) -> Outcome {
        let components = self.components.iter().map(|component| component.verdict);
        let connections = self.connections.value().into_iter().flatten().map(|connection| connection.verdict);
        let findings = self.findings.iter().map(|finding| finding.verdict);
        let is_hidden = self.services.value().is_none() || self.endpoints.value().is_none() || self.connections.value().is_none();
        let hidden = is_hidden.then_some(Verdict::Unknown);
        components.chain(connections).chain(findings).chain(hidden).map(Verdict::outcome).max().unwrap_or(Outcome::CannotTell)
    }
}
