use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::model::{Match, Payload};

/// The custom resource NetworkService, `networkservicemesh.io/v1`.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
pub struct NetworkService {
    /// Name, namespace, labels.
    pub metadata: ObjectMeta,
    /// What it is.
    #[serde(default)]
    pub spec: NetworkServiceFields,
}

/// The fields of a NetworkService (deployments-k8s, `apps/registry-k8s`, the custom resource definition).
#[derive(Debug, Clone, Default, PartialEq, Deserialize, Serialize)]
pub struct NetworkServiceFields {
    /// `ETHERNET` or `IP`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payload: Option<String>,
    /// Which clients are routed to which endpoints.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub matches: Vec<Value>,
}

impl NetworkService {
    /// The payload; IP where none is named, as upstream has it.
    ///
    /// # Errors
    /// The word, where it is one that NSM does not know.
    pub fn payload(&self) -> Result<Payload, &str> {
        match self.spec.payload.as_deref() {
            None | Some("" | "IP") => Ok(Payload::Ip),
            Some("ETHERNET") => Ok(Payload::Ethernet),
            Some(other) => Err(other),
        }
    }

    /// Which of its endpoints serve which clients.
    ///
    /// # Errors
    /// What is wrong with them, and where.
    pub fn matches(&self) -> Result<Vec<Match>, String> {
        Match::read_list(&self.spec.matches)
    }
}
