//! What the workloads of a cluster promise, whoever deployed them.

use std::collections::{BTreeSet, HashMap};

use serde_json::Value;

use super::{
    Document, ManifestError,
    promises::promises,
    workload::{Origin, workload},
};
use crate::model::{ANNOTATION, Discovery, EndpointSpec, Expectations, Namespaced, NetworkServiceSpec, Scope, Workload};

/// What the clients of a scope were promised. Workloads that take no part in a connection are left out; of those whose
/// annotation cannot be read it is said why.
#[must_use]
pub fn deployed(discovery: &Discovery, scope: &Scope) -> Expectations {
    let inherited: HashMap<&str, &str> = discovery.objects.iter().filter_map(namespace_annotation).collect();
    let (mut workloads, mut unreadable) = (discovery.workloads.clone(), Vec::new());
    for object in discovery.objects.iter().filter(|object| object["kind"] != "Namespace") {
        let text = |pointer: &str| object.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
        let (namespace, place) = (text("/metadata/namespace"), format!("{} {}", text("/kind"), text("/metadata/name")));
        let read = Document::new(object.clone(), &place);
        match read.and_then(|document| workload(&document, namespace, inherited.get(namespace).copied(), Origin::Live)) {
            Ok(found) => workloads.extend(found),
            Err(error) => unreadable.push((Namespaced::new(namespace, text("/metadata/name")), reason(error))),
        }
    }
    mark_endpoints(&mut workloads, discovery);
    let (mut clients, others): (Vec<Workload>, Vec<Workload>) =
        workloads.into_iter().partition(|workload| workload.is_client() && scope.holds(&workload.id.namespace));
    let wanted: BTreeSet<String> = clients.iter().flat_map(|client| client.requests.iter().map(|url| url.service.clone())).collect();
    let offers = |workload: &Workload| workload.endpoint.iter().flat_map(|endpoint| &endpoint.services).any(|service| wanted.contains(service));
    clients.extend(others.into_iter().filter(offers).map(|workload| Workload { requests: Vec::new(), ..workload }));
    let services = discovery.inventory.services.iter().flatten();
    let services = services.filter_map(|service| Some(NetworkServiceSpec { id: service.id.clone(), payload: service.payload? }));
    let services = services.filter(|service| wanted.contains(&service.id.name)).collect();
    unreadable.retain(|(id, _)| scope.holds(&id.namespace));
    Expectations { unreadable, ..promises(clients, services) }
}

fn reason(error: ManifestError) -> String {
    match error {
        ManifestError::Document { reason, .. } => reason,
        ManifestError::Annotation { reason, .. } => reason.to_string(),
        ManifestError::Prefix { reason, .. } => reason.to_string(),
        other => other.to_string(),
    }
}

fn namespace_annotation(object: &Value) -> Option<(&str, &str)> {
    let annotation = object["metadata"]["annotations"].get(ANNOTATION).and_then(Value::as_str)?;
    (object["kind"] == "Namespace").then_some((object["metadata"]["name"].as_str()?, annotation))
}

/// Whoever has registered is an endpoint, also where its environment does not say so.
fn mark_endpoints(workloads: &mut [Workload], discovery: &Discovery) {
    let registered = discovery.inventory.endpoints.iter().flatten().filter(|endpoint| endpoint.forwards_on.is_none());
    let mut by_pod: HashMap<Namespaced, Vec<String>> = HashMap::new();
    for endpoint in registered {
        if let Some(pod) = endpoint.pod() {
            by_pod.entry(pod).or_default().extend(endpoint.services.clone());
        }
    }
    for pod in discovery.inventory.pods.iter().flatten() {
        let Some(services) = by_pod.get(&pod.id) else { continue };
        let Some(owner) = workloads.iter_mut().find(|workload| workload.owns(pod)) else { continue };
        let endpoint = owner.endpoint.get_or_insert_with(EndpointSpec::default);
        for service in services {
            if !endpoint.services.contains(service) {
                endpoint.services.push(service.clone());
            }
        }
    }
}
