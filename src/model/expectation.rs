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
    /// The workload of that name.
    #[must_use]
    pub fn workload(&self, id: &Namespaced) -> Option<&Workload> {
        self.workloads.iter().find(|workload| workload.id == *id)
    }

    /// The same with what others say of the same workloads in the place of what stands here.
    #[must_use]
    pub fn replaced_by(mut self, others: &Self) -> Self {
        let is_other = |id: &Namespaced| others.workload(id).is_some();
        self.workloads.retain(|workload| !is_other(&workload.id));
        self.connections.retain(|connection| !is_other(&connection.client));
        self.services.retain(|service| !others.services.iter().any(|other| other.id == service.id));
        self.unreadable.retain(|(id, _)| !is_other(id));
        self.workloads.extend(others.workloads.iter().cloned());
        self.services.extend(others.services.iter().cloned());
        self.connections.extend(others.connections.iter().cloned());
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::fixture::expectations_of;

    fn client(name: &str, service: &str) -> String {
        format!(
            "---\napiVersion: v1\nkind: Pod\nmetadata: {{name: {name}, annotations: {{networkservicemesh.io: \"kernel://{service}/nsm-1\"}}}}\nspec: {{containers: [{{name: c, image: x}}]}}\n"
        )
    }

    #[test]
    fn what_others_say_of_the_same_workloads_counts() {
        let service = |payload: &str| {
            format!("---\napiVersion: networkservicemesh.io/v1\nkind: NetworkService\nmetadata: {{name: s}}\nspec: {{payload: {payload}}}\n")
        };
        let found = expectations_of(&(client("a", "old") + &client("b", "s") + &service("IP")));
        let found = Expectations { unreadable: vec![(found.workloads[0].id.clone(), "it is no URL".into())], ..found };
        let plan = expectations_of(&(client("a", "s") + &client("c", "s") + &service("ETHERNET")));
        let all = found.replaced_by(&plan);
        let names: Vec<&str> = all.workloads.iter().map(|workload| workload.id.name.as_str()).collect();
        assert_eq!(names, ["b", "a", "c"]);
        let requests: Vec<String> = all.connections.iter().map(|c| format!("{} {}", c.client.name, c.url.service)).collect();
        assert_eq!(requests, ["b s", "a s", "c s"]);
        assert_eq!(all.services.iter().map(|service| service.payload).collect::<Vec<_>>(), [Payload::Ethernet]);
        assert!(all.unreadable.is_empty());
    }
}
