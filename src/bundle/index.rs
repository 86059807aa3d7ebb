use serde::{Deserialize, Serialize};

use super::secrets::Reason;
use crate::model::{Namespaced, Unavailable};

/// The version of the layout. It grows when a reader would misread what is written; new files and fields do not count.
pub const SCHEMA_VERSION: u32 = 1;

/// Where and when a bundle was written, and by whom.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origin {
    /// nsmctl's version.
    pub nsmctl: String,
    /// When, by the clock of the machine that wrote it, as RFC 3339 has it.
    pub written: String,
    /// The target.
    pub target: Place,
    /// The deployment's namespace.
    #[serde(default)]
    pub namespace: Option<String>,
    /// What cut the look short, where something did.
    #[serde(default)]
    pub cut_short: Option<String>,
}

/// The target that was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Place {
    /// A Kubernetes cluster.
    Cluster {
        /// The API server's URL.
        server: String,
        /// The kubeconfig's context.
        #[serde(default)]
        context: Option<String>,
        /// The server's version.
        #[serde(default)]
        version: Option<String>,
    },
    /// The machine that the bundle was written on.
    Local,
}

/// What a file holds. A later nsmctl may know more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Holds {
    Expectations,
    Deployed,
    Pods,
    NetworkServices,
    Endpoints,
    Identities,
    Probes,
    Components,
    SystemPods,
    Nodes,
    Webhook,
    Events,
    Log,
    /// For people.
    Objects,
    #[serde(other)]
    Unknown,
}

/// A part of the snapshot: the file that it is in, or why it is in none.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Part {
    pub(super) holds: Holds,
    /// The file below the top directory; none where there is nothing to write.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) path: Option<String>,
    /// How long the file is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) bytes: Option<usize>,
    /// Of a log, the pod.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) pod: Option<Namespaced>,
    /// Of a log, the container.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) container: Option<String>,
    /// Why it could not be seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) unavailable: Option<Unavailable>,
}

impl Part {
    pub(super) fn of(holds: Holds) -> Self {
        Self { holds, path: None, bytes: None, pod: None, container: None, unavailable: None }
    }
}

/// Something that was taken out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Redaction {
    pub(super) file: String,
    /// The path inside the file, or the number of the line.
    #[serde(rename = "where")]
    pub(super) place: String,
    pub(super) reason: Reason,
    pub(super) count: u32,
}

/// `index.json` as it is written.
#[derive(Debug, Serialize)]
pub(super) struct Index<'a> {
    pub(super) schema_version: u32,
    #[serde(flatten)]
    pub(super) origin: &'a Origin,
    /// When it was looked, by the target's clock, in seconds since 1970.
    pub(super) taken_at: i64,
    /// Whether manifests of nsmctl's promised it.
    pub(super) planned: bool,
    /// The parts, in the order of the snapshot.
    pub(super) parts: &'a [Part],
    /// What is not in the bundle, and why.
    pub(super) notices: &'a [String],
    /// What was taken out, and where.
    pub(super) redacted: &'a [Redaction],
    /// How much more was taken out than is listed.
    pub(super) redacted_beyond: u32,
}
