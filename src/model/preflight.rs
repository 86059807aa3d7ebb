use serde::{Deserialize, Serialize};

use super::{ComponentState, Namespaced, NetworkServiceState, Permission, Unavailable};

/// What a cluster is like before anything is changed on it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Facts {
    /// The server's version, as in `v1.34.1`.
    pub version: String,
    /// What was asked for, and whether it is allowed.
    pub permissions: Vec<(Permission, Result<bool, Unavailable>)>,
    /// NSM and SPIRE.
    pub components: Vec<ComponentState>,
    /// The nodes.
    pub nodes: Result<Vec<NodeState>, Unavailable>,
    /// The pods of NSM and SPIRE that must be on every node: role and node, ready ones only.
    pub on_nodes: Result<Vec<(String, String)>, Unavailable>,
    /// The nodes whose forwarder is registered.
    pub forwarders: Result<Vec<String>, Unavailable>,
    /// What NSM's webhook configuration points at.
    pub webhook: Result<Option<WebhookState>, Unavailable>,
    /// The ClusterSPIFFEIDs, and the workloads of the plan whose pods each gives an identity to.
    pub identities: Result<Vec<(String, Vec<Namespaced>)>, Unavailable>,
    /// The namespaces of the plan, and whose they are.
    pub namespaces: Vec<(String, Result<Holder, Unavailable>)>,
    /// The network services of all namespaces.
    pub services: Result<Vec<NetworkServiceState>, Unavailable>,
}

/// A node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeState {
    /// Its name.
    pub name: String,
    /// Whether its kubelet says that it is ready.
    pub ready: bool,
    /// Whether it is ready and takes pods without a toleration.
    pub schedulable: bool,
}

/// A webhook configuration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WebhookState {
    /// The configuration's name.
    pub name: String,
    /// The Service or URL that it calls.
    pub calls: String,
    /// How many addresses stand behind the Service; `None` where it is called by URL.
    pub addresses: Option<usize>,
    /// Whether it says by which authority the webhook is known.
    pub has_authority: bool,
}

/// Whose a namespace is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Holder {
    /// It is not there.
    Nobody,
    /// This deployment made it.
    Ours,
    /// Another deployment of nsmctl's made it.
    Another(String),
    /// It was there before.
    Others,
    /// It is being deleted.
    Leaving,
}
