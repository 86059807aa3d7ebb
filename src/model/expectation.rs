use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use super::{InterfaceName, Namespaced, NetworkServiceSpec, NsUrl, Payload, PrefixGroups, Workload};

/// The two addresses of a point-to-point connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct AddressPair {
    /// The client's address.
    pub client: IpAddr,
    /// The endpoint's address.
    pub endpoint: IpAddr,
}

/// One connection that the manifests promise.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Expectation {
    /// The workload that requests it.
    pub client: Namespaced,
    /// The request, as the annotation has it.
    pub url: NsUrl,
    /// What travels over it. `None` where no NetworkService of that name is known.
    pub payload: Option<Payload>,
    /// The workload that offers the service, where it is exactly one.
    pub endpoint: Option<Namespaced>,
    /// The workloads that offer the service.
    pub candidates: Vec<Namespaced>,
    /// What the addresses are taken from; empty where no endpoint is known.
    pub prefixes: PrefixGroups,
    /// The addresses themselves, where they are certain: the endpoint serves exactly this one connection.
    pub addresses: Option<Vec<AddressPair>>,
}

impl Expectation {
    /// The interface that the client was promised.
    #[must_use]
    pub fn interface(&self) -> Option<&InterfaceName> {
        self.url.interface.as_ref()
    }
}

/// Everything that a deployment promises.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Expectations {
    /// The workloads whose pods must run.
    pub workloads: Vec<Workload>,
    /// The network services that must exist.
    pub services: Vec<NetworkServiceSpec>,
    /// The connections that must work.
    pub connections: Vec<Expectation>,
    /// The workloads of which it cannot be told what they promise, and why.
    #[serde(default)]
    pub unreadable: Vec<(Namespaced, String)>,
}

impl Expectations {
    /// The workload of that name.
    #[must_use]
    pub fn workload(&self, id: &Namespaced) -> Option<&Workload> {
        self.workloads.iter().find(|workload| workload.id == *id)
    }

    /// The same, and the clients that others promise and that are missing here, with their connections.
    #[must_use]
    pub fn with_missing(mut self, others: &Self) -> Self {
        let missing: Vec<&Workload> = others.workloads.iter().filter(|other| other.is_client() && self.workload(&other.id).is_none()).collect();
        let connections = others.connections.iter().filter(|connection| missing.iter().any(|workload| workload.id == connection.client));
        self.connections.extend(connections.cloned());
        self.workloads.extend(missing.into_iter().cloned());
        self
    }
}
