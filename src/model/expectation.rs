use std::{net::IpAddr, sync::Arc};

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
    /// The workloads that offer the service: one list for all its connections, since hundreds may offer it to thousands.
    pub candidates: Arc<[Namespaced]>,
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
    /// Whether nobody asks for a connection, not even in words that cannot be read.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.connections.is_empty() && self.unreadable.is_empty()
    }

    /// The workload of that name.
    #[must_use]
    pub fn workload(&self, id: &Namespaced) -> Option<&Workload> {
        self.workloads.iter().find(|workload| workload.id == *id)
    }

    /// The same, and whatever of the others is not among them: workloads with their connections, and services.
    #[must_use]
    pub fn with_others(mut self, others: Self) -> Self {
        let known: Vec<Namespaced> = self.workloads.iter().map(|workload| workload.id.clone()).collect();
        let is_other = |id: &Namespaced| !known.contains(id);
        self.connections.extend(others.connections.into_iter().filter(|connection| is_other(&connection.client)));
        self.workloads.extend(others.workloads.into_iter().filter(|workload| is_other(&workload.id)));
        self.unreadable.extend(others.unreadable.into_iter().filter(|(id, _)| is_other(id)));
        let new = others.services.into_iter().filter(|service| self.services.iter().all(|own| own.id != service.id)).collect::<Vec<_>>();
        self.services.extend(new);
        self
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

#[cfg(test)]
mod tests {
    use crate::check::fixture::expectations_of;

    fn client(name: &str, service: &str) -> String {
        format!(
            "---\napiVersion: v1\nkind: Pod\nmetadata: {{name: {name}, annotations: {{networkservicemesh.io: \"kernel://{service}/nsm-1\"}}}}\nspec: {{containers: [{{name: c, image: x}}]}}\n"
        )
    }

    #[test]
    fn clients_that_are_missing_are_missed() {
        let found = expectations_of(&(client("a", "old") + &client("b", "s")));
        let plan = expectations_of(&(client("a", "s") + &client("c", "s")));
        let all = found.with_missing(&plan);
        let requests: Vec<String> = all.connections.iter().map(|c| format!("{} {}", c.client.name, c.url.service)).collect();
        assert_eq!(requests, ["a old", "b s", "c s"], "what is there says itself what it promises");
        assert_eq!(all.workloads.iter().map(|workload| workload.id.name.as_str()).collect::<Vec<_>>(), ["a", "b", "c"]);
    }
}
