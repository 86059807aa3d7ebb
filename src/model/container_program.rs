use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::{Namespaced, WorkloadKind};

/// A program of this machine that stands for the image of a container.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContainerProgram {
    /// What the workload is.
    pub kind: WorkloadKind,
    /// The workload.
    pub workload: Namespaced,
    /// The name of the container.
    pub container: String,
    /// The image that it stands for.
    pub image: String,
    /// What the container does in its pod.
    pub role: ContainerRole,
    /// The program.
    pub path: PathBuf,
    /// Its arguments; variables in them are not filled in yet.
    pub arguments: Vec<String>,
    /// Its environment, in the order of the manifest.
    pub environment: Vec<Variable>,
    /// The directory that it is started in, where the manifest names one.
    pub directory: Option<String>,
    /// What it may use.
    pub limits: Limits,
}

/// What a container does in its pod.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ContainerRole {
    /// An init container of the manifest.
    Init,
    /// The init container that NSM's webhook adds to a client.
    ClientInit,
    /// It offers network services.
    Endpoint,
    /// The container that NSM's webhook adds to a client.
    Client,
    /// Something else.
    Other,
}

impl ContainerRole {
    /// Whether it has to end before the containers of the pod start.
    #[must_use]
    pub fn is_init(self) -> bool {
        matches!(self, Self::Init | Self::ClientInit)
    }
}

/// A variable of an environment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Variable {
    /// Its name.
    pub name: String,
    /// What it is set to.
    pub value: VariableValue,
}

/// What a variable is set to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum VariableValue {
    /// A text, in which `$(NAME)` stands for a variable before it.
    Text(String),
    /// A field of the pod, as in `metadata.name` (the downward API).
    Field(String),
}

/// What a container may use.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// Memory, in bytes.
    pub memory_bytes: Option<u64>,
    /// Processor time, in thousandths of a core.
    pub cpu_millis: Option<u64>,
}
