//! Names that stand in fixes, which people paste into a shell: an API server lets none pass that would do harm there, and a
//! bundle can have been written by anybody.

use super::error::BundleError;
use crate::model::{Expectation, Inventory, Namespaced, NsUrl, PodState, Snapshot, System, Workload};

/// Sees that every name is one that Kubernetes could have.
pub(super) fn check(snapshot: &Snapshot) -> Result<(), BundleError> {
    let Snapshot { expectations, deployed, observation, system, .. } = snapshot;
    let mut all = Vec::new();
    let mut id = |id: &Namespaced| all.extend([id.namespace.clone(), id.name.clone()]);
    let mut words = Vec::new();
    let mut url = |url: &NsUrl| {
        words.push(url.service.clone());
        words.extend(url.domain.clone());
        words.extend(url.interface.as_ref().map(ToString::to_string));
    };
    let mut names = Vec::new();
    for Workload { id: own, container, requests, endpoint, .. } in expectations.workloads.iter().chain(deployed.iter().flatten()) {
        id(own);
        names.push(container.clone());
        requests.iter().for_each(&mut url);
        names.extend(endpoint.iter().flat_map(|endpoint| endpoint.services.iter().cloned()));
    }
    expectations.services.iter().for_each(|service| id(&service.id));
    expectations.unreadable.iter().for_each(|(own, _)| id(own));
    for Expectation { client, url: request, endpoint, candidates, .. } in &expectations.connections {
        id(client);
        url(request);
        endpoint.iter().chain(candidates.iter()).for_each(&mut id);
    }
    let Inventory { pods, services, endpoints, identities } = &observation.inventory;
    let System { components, pods: own, nodes, webhook, events, logs } = system;
    for PodState { id: pod, controller, node, init_containers, containers, .. } in pods.iter().flatten().chain(own.iter().flatten()) {
        id(pod);
        names.extend(controller.iter().flat_map(|(kind, name)| [kind.clone(), name.clone()]));
        names.extend(node.clone());
        for container in init_containers.iter().chain(containers) {
            names.extend([container.name.clone(), container.image.clone()]);
        }
    }
    services.iter().flatten().for_each(|service| id(&service.id));
    for endpoint in endpoints.iter().flatten() {
        id(&endpoint.id);
        names.extend(endpoint.services.iter().chain(&endpoint.forwards_on).cloned());
    }
    for rule in identities.iter().flatten() {
        names.push(rule.name.clone());
        rule.pods.iter().for_each(&mut id);
    }
    for probes in &observation.probes {
        id(&probes.pod);
        names.push(probes.container.clone());
    }
    let objects = components.iter().filter_map(|component| component.object.as_ref());
    for object in objects.chain(events.iter().flatten().map(|event| &event.object)) {
        names.extend([object.kind.clone(), object.name.clone()]);
        names.extend(object.namespace.clone());
    }
    names.extend(components.iter().map(|component| component.role.clone()));
    names.extend(nodes.iter().flatten().map(|node| node.name.clone()));
    names.extend(webhook.iter().flatten().map(|webhook| webhook.name.clone()));
    for log in logs {
        id(&log.pod);
        names.push(log.container.clone());
    }
    match all.iter().chain(&words).chain(&names).find(|name| !is_name(name)) {
        Some(name) => Err(BundleError::Name(name.chars().take(80).collect())),
        None => Ok(()),
    }
}

/// Names, images and interfaces: nothing that a shell would do anything about.
fn is_name(name: &str) -> bool {
    !name.starts_with('-') && name.chars().all(|c| c.is_ascii_alphanumeric() || "-._:/@+".contains(c))
}
