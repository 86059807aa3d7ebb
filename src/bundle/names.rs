//! Names that stand in fixes, which people paste into a shell: an API server lets none pass that would do harm there, and a
//! bundle can have been written by anybody.

use super::error::BundleError;
use crate::model::{Expectation, Inventory, Namespaced, NsUrl, ObjectRef, Observation, PodState, Snapshot, System, Workload};

/// Sees that every name is one that Kubernetes could have.
pub(super) fn check(snapshot: &Snapshot) -> Result<(), BundleError> {
    let mut names = Names::default();
    names.promised(snapshot);
    names.observed(&snapshot.observation);
    names.system(&snapshot.system);
    match names.0.into_iter().find(|name| !is_name(name)) {
        Some(name) => Err(BundleError::Name(name.chars().take(80).collect())),
        None => Ok(()),
    }
}

/// All names of a snapshot.
#[derive(Default)]
struct Names(Vec<String>);

impl Names {
    fn id(&mut self, id: &Namespaced) {
        self.0.extend([id.namespace.clone(), id.name.clone()]);
    }

    fn url(&mut self, url: &NsUrl) {
        self.0.push(url.service.clone());
        self.0.extend(url.domain.clone());
        self.0.extend(url.interface.as_ref().map(ToString::to_string));
    }

    fn object(&mut self, object: &ObjectRef) {
        self.0.extend([object.kind.clone(), object.name.clone()]);
        self.0.extend(object.namespace.clone());
    }

    /// What was promised, and what is deployed.
    fn promised(&mut self, Snapshot { expectations, deployed, .. }: &Snapshot) {
        for Workload { id, container, requests, endpoint, .. } in expectations.workloads.iter().chain(deployed.iter().flatten()) {
            self.id(id);
            self.0.push(container.clone());
            requests.iter().for_each(|url| self.url(url));
            self.0.extend(endpoint.iter().flat_map(|endpoint| endpoint.services.iter().cloned()));
        }
        expectations.services.iter().for_each(|service| self.id(&service.id));
        expectations.unreadable.iter().for_each(|(id, _)| self.id(id));
        for Expectation { client, url, endpoint, candidates, .. } in &expectations.connections {
            self.id(client);
            self.url(url);
            endpoint.iter().chain(candidates.iter()).for_each(|id| self.id(id));
        }
    }

    fn pod(&mut self, PodState { id, controller, node, init_containers, containers, .. }: &PodState) {
        self.id(id);
        self.0.extend(controller.iter().flat_map(|(kind, name)| [kind.clone(), name.clone()]));
        self.0.extend(node.clone());
        for container in init_containers.iter().chain(containers) {
            self.0.extend([container.name.clone(), container.image.clone()]);
        }
    }

    fn observed(&mut self, Observation { inventory, probes, .. }: &Observation) {
        let Inventory { pods, services, endpoints, identities } = inventory;
        pods.iter().flatten().for_each(|pod| self.pod(pod));
        services.iter().flatten().for_each(|service| self.id(&service.id));
        for endpoint in endpoints.iter().flatten() {
            self.id(&endpoint.id);
            self.0.extend(endpoint.services.iter().chain(&endpoint.forwards_on).cloned());
        }
        for rule in identities.iter().flatten() {
            self.0.push(rule.name.clone());
            rule.pods.iter().for_each(|id| self.id(id));
        }
        for probes in probes {
            self.id(&probes.pod);
            self.0.push(probes.container.clone());
        }
    }

    fn system(&mut self, System { components, pods, nodes, webhook, events, logs }: &System) {
        for component in components {
            self.0.push(component.role.clone());
            component.object.iter().for_each(|object| self.object(object));
        }
        pods.iter().flatten().for_each(|pod| self.pod(pod));
        self.0.extend(nodes.iter().flatten().map(|node| node.name.clone()));
        self.0.extend(webhook.iter().flatten().map(|webhook| webhook.name.clone()));
        events.iter().flatten().for_each(|event| self.object(&event.object));
        for log in logs {
            self.id(&log.pod);
            self.0.push(log.container.clone());
        }
    }
}

/// Names, images and interfaces: nothing that a shell would do anything about.
fn is_name(name: &str) -> bool {
    !name.starts_with('-') && name.chars().all(|c| c.is_ascii_alphanumeric() || "-._:/@+".contains(c))
}
