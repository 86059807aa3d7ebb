use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{ContainerProgram, Expectations, ObjectRef};

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
    /// What was asked to be different from the manifests, as flags; it is remembered with what is deployed.
    pub options: Option<String>,
    /// The objects, in order.
    pub objects: Vec<PlannedObject>,
    /// What they promise.
    pub expectations: Expectations,
    /// The programs of this machine that stand for images.
    #[serde(default)]
    pub programs: Vec<ContainerProgram>,
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
    /// What is to be asked beside the pings.
    pub asks: Asks,
    /// Where to send pings.
    pub pings: Vec<std::net::IpAddr>,
    /// How to ping.
    pub ping: PingOptions,
    /// The image of a container that is put beside the others where they have no `ip` or `ping`; `None` for none.
    #[serde(default)]
    pub debug_image: Option<String>,
}

/// What is to be asked inside a pod beside pings.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[allow(clippy::struct_excessive_bools, reason = "each is a question of its own")]
pub struct Asks {
    /// Its interfaces and routes. Whoever can sends pings to the peers of its point-to-point links as well, so that one look
    /// is enough where the addresses are not certain.
    pub network: bool,
    /// How long a packet the path to each destination takes.
    pub path_mtu: bool,
    /// How it resolves names.
    pub resolver: bool,
    /// What mechanisms without a kernel interface have left behind.
    pub traces: bool,
    /// What the kernel has counted of each interface.
    #[serde(default)]
    pub counters: bool,
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

/// Packet lengths below an interface's own MTU that are worth trying, in bytes, the longest first: what links and tunnels of
/// today admit (RFC 1191, section 7, and NSM's own: 9000 for vpp; 1446 for VXLAN, 1440 for WireGuard and 1419 for IPsec over
/// 1500), down to what every IPv6 link (RFC 8200) and every IPv4 host (RFC 791) must take.
pub const PACKET_PLATEAUS: [u32; 12] = [16000, 9000, 8950, 4352, 1500, 1492, 1450, 1446, 1440, 1419, 1280, 576];

impl Default for PingOptions {
    /// Four requests, as the source document sends; 100 ms apart, because a link that loses packets shows it at any pace
    /// and a person waits; 1 s for the last reply, an age on a link of this kind.
    fn default() -> Self {
        Self { count: 4, interval_ms: 100, wait_ms: 1000 }
    }
}
