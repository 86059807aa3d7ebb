use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{addresses::name_of, refuse};
use crate::{
    manifest::{Document, ManifestError, layout::Layout, selector::selects, visit::pod},
    model::{Namespaced, Workload},
};

/// The label of a node by which terms of affinity mean one machine.
const HOSTNAME: &str = "kubernetes.io/hostname";
/// The label of a node by which terms of affinity mean all machines: NSM's run Linux, and the kubelet gives it to each.
const ANYWHERE: &str = "kubernetes.io/os";
/// What must hold when a pod is scheduled.
const REQUIRED: &str = "requiredDuringSchedulingIgnoredDuringExecution";

/// Keeps each client off the nodes of its endpoints, and lets it wait until they have one: several clients could take all
/// nodes otherwise, and leave the endpoint none. What ties a client to other pods stays.
pub(super) fn part(documents: &mut [Document], layout: &Layout) -> Result<(), ManifestError> {
    let workloads = layout.workloads(documents)?;
    let clients: Vec<_> = workloads.iter().filter(|(_, workload)| workload.is_client()).collect();
    if clients.is_empty() {
        return Err(refuse("--cross-node", "there is no client in the manifests that could be kept off a node", "leave it out"));
    }
    for (index, client) in clients {
        let endpoints = endpoints_of(&workloads, client);
        // An endpoint that the namespace's annotation makes a client of its own service.
        if endpoints.is_empty() && client.endpoint.is_some() {
            continue;
        }
        if endpoints.is_empty() {
            let reason = format!("nothing in the manifests offers what {} requests, so it is not known what to keep it away from", name_of(client));
            return Err(refuse("--cross-node", reason, "add the endpoint to the manifests, or leave --cross-node out"));
        }
        let away = endpoints.iter().map(|endpoint| term(HOSTNAME, endpoint, client)).collect::<Result<Vec<_>, _>>()?;
        // Who waits for each other waits for ever.
        let awaited = endpoints.iter().filter(|endpoint| !depends(&workloads, endpoint, client, &mut BTreeSet::new()));
        let after = awaited.map(|endpoint| term(ANYWHERE, endpoint, client)).collect::<Result<Vec<_>, _>>()?;
        let document = &mut documents[*index];
        let kind = document.kind.clone();
        *document = document.changed(|value| {
            let Some(spec) = pod(&kind, value).and_then(|pod| pod.get_mut("spec")) else { return };
            release(spec, &endpoints);
            require(spec, "podAntiAffinity", &away);
            require(spec, "podAffinity", &after);
        })?;
    }
    Ok(())
}

/// What offers what a client requests.
fn endpoints_of<'a>(workloads: &'a [(usize, Workload)], client: &Workload) -> Vec<&'a Workload> {
    let serves = |workload: &&Workload| {
        let offered = workload.endpoint.iter().flat_map(|endpoint| &endpoint.services);
        workload.id != client.id && offered.into_iter().any(|service| client.requests.iter().any(|url| url.service == *service))
    };
    workloads.iter().map(|(_, workload)| workload).filter(serves).collect()
}

/// Whether something is a client of another, of a client of it, and so on.
fn depends<'a>(workloads: &'a [(usize, Workload)], who: &'a Workload, on: &Workload, seen: &mut BTreeSet<&'a Namespaced>) -> bool {
    seen.insert(&who.id) && endpoints_of(workloads, who).into_iter().any(|endpoint| endpoint.id == on.id || depends(workloads, endpoint, on, seen))
}

/// The pods of an endpoint, and the nodes that are one place with theirs.
fn term(topology: &str, endpoint: &Workload, client: &Workload) -> Result<Value, ManifestError> {
    let labels = if endpoint.selector.is_empty() { &endpoint.pod_labels } else { &endpoint.selector };
    if labels.is_empty() {
        let reason = format!("{} has no labels by which a client could be kept away from it", name_of(endpoint));
        return Err(refuse("--cross-node", reason, "give it a label in the manifests"));
    }
    let mut term = json!({"topologyKey": topology, "labelSelector": {"matchLabels": labels}});
    if endpoint.id.namespace != client.id.namespace {
        term["namespaces"] = json!([endpoint.id.namespace]);
    }
    Ok(term)
}

/// Drops the terms that would put a client onto the node of one of these endpoints.
fn release(spec: &mut Value, endpoints: &[&Workload]) {
    let Some(affinity) = spec.pointer_mut("/affinity/podAffinity").and_then(Value::as_object_mut) else { return };
    let binds =
        |term: &Value| term["topologyKey"] == HOSTNAME && endpoints.iter().any(|endpoint| selects(&term["labelSelector"], &endpoint.pod_labels));
    let Some(Value::Array(terms)) = affinity.get_mut(REQUIRED) else { return };
    terms.retain(|term| !binds(term));
    if terms.is_empty() {
        affinity.remove(REQUIRED);
    }
    if let (true, Some(affinity)) = (affinity.is_empty(), spec["affinity"].as_object_mut()) {
        affinity.remove("podAffinity");
    }
}

fn require(spec: &mut Value, side: &str, wanted: &[Value]) {
    if wanted.is_empty() {
        return;
    }
    let terms = &mut spec["affinity"][side][REQUIRED];
    let mut all = terms.as_array().cloned().unwrap_or_default();
    all.extend(wanted.iter().filter(|term| !terms.as_array().is_some_and(|terms| terms.contains(term))).cloned());
    *terms = Value::Array(all);
}
