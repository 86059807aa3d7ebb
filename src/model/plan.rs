use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Expectations, ObjectRef};

/// What a deployment consists of: its objects, in the order in which they must exist, and what they promise.
///
/// Both come from the same documents, so an expectation cannot drift from what is applied.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// The deployment's identity: the value of the label `app.kubernetes.io/instance` on everything it makes.
    pub instance: String,
    /// What it is part of: the value of `app.kubernetes.io/part-of`.
    pub part_of: String,
    /// The namespace that everything goes into which names none.
    pub namespace: String,
    /// The objects, in order.
    pub objects: Vec<PlannedObject>,
    /// What they promise.
    pub expectations: Expectations,
}

/// One object of a plan.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PlannedObject {
    /// What it is.
    pub reference: ObjectRef,
    /// Its API group and version, as in `apps/v1`.
    pub api_version: String,
    /// Its resource, as in `deployments`.
    pub plural: String,
    /// Where it was read: file and line.
    pub source: String,
    /// The object itself, with the deployment's labels.
    pub body: Value,
}

/// What is to be asked inside one pod.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProbeRequest {
    /// The pod.
    pub pod: super::Namespaced,
    /// The container to ask in.
    pub container: String,
    /// Whether the interfaces and routes are asked for; else only the pings are sent.
    pub network: bool,
    /// Where to send pings.
    pub pings: Vec<std::net::IpAddr>,
    /// How to ping.
    pub ping: PingOptions,
}

/// How to ping.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct PingOptions {
    /// How many echo requests.
    pub count: u32,
    /// The time between two of them, in milliseconds.
    pub interval_ms: u64,
    /// How long to wait for the reply to the last one, in milliseconds.
    pub wait_ms: u64,
}

impl Default for PingOptions {
    /// Four requests, as the source document sends; 100 ms apart, because a link that loses packets shows it at any pace
    /// and a person waits; 1 s for the last reply, an age on a link of this kind.
    fn default() -> Self {
        Self { count: 4, interval_ms: 100, wait_ms: 1000 }
    }
}
