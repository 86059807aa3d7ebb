use std::collections::HashMap;

use crate::model::{Namespaced, PodState, RegisteredEndpoint};

/// NSM's registrations, found without looking at each for every connection.
#[derive(Debug, Default)]
pub(super) struct Registry<'a> {
    by_service: HashMap<&'a str, Vec<&'a RegisteredEndpoint>>,
    by_pod: HashMap<Namespaced, Vec<&'a RegisteredEndpoint>>,
    /// Those of which only the name tells whose they are.
    nameless: Vec<&'a RegisteredEndpoint>,
    forwarders: HashMap<&'a str, Vec<&'a str>>,
}

impl<'a> Registry<'a> {
    pub(super) fn new(endpoints: &'a [RegisteredEndpoint]) -> Self {
        let mut registry = Self::default();
        for endpoint in endpoints {
            for service in &endpoint.services {
                registry.by_service.entry(service).or_default().push(endpoint);
            }
            match endpoint.pod() {
                Some(pod) => registry.by_pod.entry(pod).or_default().push(endpoint),
                None => registry.nameless.push(endpoint),
            }
            if let Some(node) = &endpoint.forwards_on {
                registry.forwarders.entry(node).or_default().push(&endpoint.id.name);
            }
        }
        registry
    }

    /// Who offers a service.
    pub(super) fn of_service(&self, service: &str) -> &[&'a RegisteredEndpoint] {
        self.by_service.get(service).map_or(&[], Vec::as_slice)
    }

    /// What a pod has registered for a service.
    pub(super) fn of_pod(&self, pod: &PodState, service: &str) -> Vec<&'a RegisteredEndpoint> {
        let own = self.by_pod.get(&pod.id).into_iter().flatten();
        let named = self.nameless.iter().filter(|endpoint| endpoint.is_of(&pod.id));
        own.chain(named).copied().filter(|endpoint| endpoint.services.iter().any(|offered| offered == service)).collect()
    }

    /// The SPIFFE ID that a pod has registered with.
    pub(super) fn spiffe_id(&self, pod: &Namespaced) -> Option<&'a str> {
        self.by_pod.get(pod)?.first()?.spiffe_id.as_deref()
    }

    /// The forwarders that serve a node.
    pub(super) fn forwarders(&self, node: &str) -> &[&'a str] {
        self.forwarders.get(node).map_or(&[], Vec::as_slice)
    }
}
