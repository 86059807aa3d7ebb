use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{addresses::name_of, refuse};
use crate::{
    manifest::{Document, ManifestError, layout::Layout, visit::pod},
    model::Workload,
};

/// The label of a node by which terms of affinity mean one machine.
const HOSTNAME: &str = "kubernetes.io/hostname";
/// What must hold when a pod is scheduled.
const REQUIRED: &str = "requiredDuringSchedulingIgnoredDuringExecution";

/// Keeps each client off the nodes of its endpoints. What ties a client to other pods stays.
pub(super) fn part(documents: &mut [Document], layout: &Layout) -> Result<(), ManifestError> {
    let workloads = layout.workloads(documents)?;
    let clients: Vec<_> = workloads.iter().filter(|(_, workload)| workload.is_client()).collect();
    if clients.is_empty() {
        return Err(refuse("--cross-node", "there is no client in the manifests that could be kept off a node", "leave it out"));
    }
    for (index, client) in clients {
        let serves = |workload: &Workload| {
            let offered = workload.endpoint.iter().flat_map(|endpoint| &endpoint.services);
            workload.id != client.id && offered.into_iter().any(|service| client.requests.iter().any(|url| url.service == *service))
        };
        let endpoints: Vec<&Workload> = workloads.iter().map(|(_, workload)| workload).filter(|workload| serves(workload)).collect();
        // An endpoint that the namespace's annotation makes a client of its own service.
        if endpoints.is_empty() && client.endpoint.is_some() {
            continue;
        }
        if endpoints.is_empty() {
            let reason = format!("nothing in the manifests offers what {} requests, so it is not known what to keep it away from", name_of(client));
            return Err(refuse("--cross-node", reason, "add the endpoint to the manifests, or leave --cross-node out"));
        }
        let terms = endpoints.iter().map(|endpoint| away_from(endpoint, client)).collect::<Result<Vec<_>, _>>()?;
        let document = &mut documents[*index];
        let kind = document.kind.clone();
        *document = document.changed(|value| {
            let Some(spec) = pod(&kind, value).and_then(|pod| pod.get_mut("spec")) else { return };
            release(spec, &endpoints);
            keep_away(spec, &terms);
        })?;
    }
    Ok(())
}

fn away_from(endpoint: &Workload, client: &Workload) -> Result<Value, ManifestError> {
    let labels = if endpoint.selector.is_empty() { &endpoint.pod_labels } else { &endpoint.selector };
    if labels.is_empty() {
        let reason = format!("{} has no labels by which a client could be kept away from it", name_of(endpoint));
        return Err(refuse("--cross-node", reason, "give it a label in the manifests"));
    }
    let mut term = json!({"topologyKey": HOSTNAME, "labelSelector": {"matchLabels": labels}});
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

fn keep_away(spec: &mut Value, wanted: &[Value]) {
    let terms = &mut spec["affinity"]["podAntiAffinity"][REQUIRED];
    let mut all = terms.as_array().cloned().unwrap_or_default();
    all.extend(wanted.iter().filter(|term| !terms.as_array().is_some_and(|terms| terms.contains(term))).cloned());
    *terms = Value::Array(all);
}

/// Whether a label selector takes in a pod with these labels, as Kubernetes has it: none selects nothing, an empty one all.
fn selects(selector: &Value, labels: &BTreeMap<String, String>) -> bool {
    let worn = |key: &str| labels.get(key).map(String::as_str);
    let matched = |(key, value): (&String, &Value)| worn(key) == value.as_str();
    let meets = |expression: &Value| {
        let label = worn(expression["key"].as_str().unwrap_or_default());
        let named = || expression["values"].as_array().is_some_and(|values| values.iter().any(|value| value.as_str() == label));
        match expression["operator"].as_str() {
            Some("In") => label.is_some() && named(),
            Some("NotIn") => label.is_none() || !named(),
            Some("Exists") => label.is_some(),
            Some("DoesNotExist") => label.is_none(),
            _ => false,
        }
    };
    selector.is_object()
        && selector["matchLabels"].as_object().into_iter().flatten().all(matched)
        && selector["matchExpressions"].as_array().into_iter().flatten().all(meets)
}
