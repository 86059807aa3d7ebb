use std::{collections::BTreeMap, fmt};

#[cfg(test)]
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Labels, Match, NsUrl, PodState, PrefixGroups};

/// The name of something that lives in a namespace; printed as `namespace/name`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(test, derive(JsonSchema))]
pub struct Namespaced {
    /// The namespace.
    pub namespace: String,
    /// The name in it.
    pub name: String,
}

impl Namespaced {
    /// `namespace/name`.
    pub fn new(namespace: impl Into<String>, name: impl Into<String>) -> Self {
        Self { namespace: namespace.into(), name: name.into() }
    }
}

impl fmt::Display for Namespaced {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}

/// What makes the pods of a workload.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum WorkloadKind {
    /// The pod itself.
    Pod,
    /// A Deployment, through its ReplicaSet.
    Deployment,
    /// A StatefulSet.
    StatefulSet,
    /// A DaemonSet: one pod a node.
    DaemonSet,
}

impl fmt::Display for WorkloadKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

/// What travels over a network service (upstream: `payload.Ethernet` and `payload.IP`; there is no third).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(test, derive(JsonSchema))]
#[serde(rename_all = "UPPERCASE")]
pub enum Payload {
    /// Ethernet frames: the interface has a link-layer address.
    Ethernet,
    /// IP packets. What upstream takes where a NetworkService names none.
    Ip,
}

impl fmt::Display for Payload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Ethernet => "ETHERNET",
            Self::Ip => "IP",
        })
    }
}

/// A NetworkService, as far as a connection depends on it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NetworkServiceSpec {
    /// Where the NetworkService lives.
    pub id: Namespaced,
    /// What travels over it.
    pub payload: Payload,
    /// Which of its endpoints serve which clients; every one serves everybody where there are none.
    #[serde(default)]
    pub matches: Vec<Match>,
}

/// What makes a workload an endpoint: the environment of its container.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct EndpointSpec {
    /// NSM_SERVICE_NAMES: the network services that it offers.
    pub services: Vec<String>,
    /// NSM_LABELS: what it has for every one of them. `None` where it cannot be told: another endpoint's program, or a value from elsewhere.
    #[serde(default)]
    pub labels: Option<Labels>,
    /// NSM_CIDR_PREFIX: what it gives addresses from.
    pub prefixes: PrefixGroups,
}

/// A Pod, or what makes pods, as a client and as an endpoint of network services. It can be both.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Workload {
    /// What it is.
    pub kind: WorkloadKind,
    /// Where it is.
    pub id: Namespaced,
    /// How many pods it makes; `None` for one a node.
    pub replicas: Option<u32>,
    /// The labels of its pods.
    pub pod_labels: BTreeMap<String, String>,
    /// What its pods are selected by. Empty for a Pod, which is itself.
    pub selector: BTreeMap<String, String>,
    /// The container that is the workload's own: the one that `ip` and `ping` run in.
    pub container: String,
    /// What it requests as a client.
    pub requests: Vec<NsUrl>,
    /// What it offers as an endpoint.
    pub endpoint: Option<EndpointSpec>,
}

impl Workload {
    /// Whether the pod is one of this workload's.
    #[must_use]
    pub fn owns(&self, pod: &PodState) -> bool {
        pod.id.namespace == self.id.namespace
            && match (self.kind, &pod.controller) {
                (WorkloadKind::Pod, _) => pod.id.name == self.id.name,
                // Labels may be alike; what made the pod is not.
                (kind, Some((made_by, name))) => *name == self.id.name && *made_by == kind.to_string(),
                _ => !self.selector.is_empty() && self.selector.iter().all(|(key, value)| pod.labels.get(key) == Some(value)),
            }
    }

    /// Whether it requests a network service.
    #[must_use]
    pub fn is_client(&self) -> bool {
        !self.requests.is_empty()
    }
}

impl fmt::Display for Workload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind, self.id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::fixture::{self, expectations};

    #[test]
    fn what_made_a_pod_counts_more_than_its_labels() {
        let all = expectations();
        let workload = |kind| all.workloads.iter().find(|workload| workload.kind == kind).unwrap();
        let (deployment, client) = (workload(WorkloadKind::Deployment), workload(WorkloadKind::Pod));
        let pod = |app: &str, controller: Option<(&str, &str)>| {
            let controller = controller.map(|(kind, name)| (kind.to_owned(), name.to_owned()));
            PodState { controller, ..fixture::pod("p", app, &["nse"]) }
        };
        assert!(deployment.owns(&pod("nse-kernel", None)), "it is not known what made it");
        assert!(deployment.owns(&pod("something-else", Some(("Deployment", "nse-kernel")))));
        assert!(!deployment.owns(&pod("nse-kernel", Some(("Deployment", "another")))));
        assert!(!deployment.owns(&pod("nse-kernel", Some(("StatefulSet", "nse-kernel")))));
        assert!(!deployment.owns(&PodState { id: Namespaced::new("elsewhere", "p"), ..pod("nse-kernel", None) }));
        assert!(client.owns(&fixture::client(&client.id.name)) && !client.owns(&pod("alpine", None)));
    }
}
