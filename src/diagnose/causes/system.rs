//! Causes in what carries the connections: NSM, SPIRE, or the engine.

use std::collections::BTreeSet;

use super::identity::is_any;
use crate::{
    diagnose::{
        Case, Found,
        case::{describe, is_about},
        step::obstacles,
    },
    model::{ComponentState, EventRecord, NSM_NAMESPACE, NodeState, PodState, log::reads},
};

const INSTALL_SPIRE: &str =
    "kubectl apply -k 'https://github.com/networkservicemesh/deployments-k8s/examples/spire/single_cluster?ref=main'   # before NSM itself";
const INSTALL_NSM: &str =
    "kubectl apply -k 'https://github.com/networkservicemesh/deployments-k8s/examples/basic?ref=main'   # brings back what is missing";
/// What the webhook's Deployment is called where it is not there to tell.
const WEBHOOK: &str = "admission-webhook-k8s";
/// How the API server says that a webhook is out of reach, each behind `failed calling webhook`.
const OUT_OF_REACH: [&str; 7] =
    ["connection refused", "deadline exceeded", "no endpoints", "i/o timeout", "client.timeout", "no route to host", "not found"];

/// No engine could run here: a trial was refused.
pub(in crate::diagnose) fn namespaces_forbidden(case: &Case<'_>) -> Vec<Found> {
    let said = case.snapshot.system.events.iter().flatten().filter(|event| event.reason == "NamespacesForbidden");
    said.map(|event| Found::new("this machine", event.message.lines().next().unwrap_or_default()).because([event.message.clone()])).collect()
}

pub(in crate::diagnose) fn engine_not_running(case: &Case<'_>) -> Vec<Found> {
    case.faulty("engine").into_iter().map(|component| Found::new("the engine", describe(component))).collect()
}

pub(in crate::diagnose) fn nsm_not_installed(case: &Case<'_>) -> Vec<Found> {
    let of = |roles: &[&str]| -> Vec<&ComponentState> {
        case.snapshot.system.components.iter().filter(|component| roles.contains(&component.role.as_str())).collect()
    };
    let is_absent = |component: &&ComponentState| component.object.is_none() && matches!(component.ready, Ok((_, 0)));
    let absent = |roles: &[&str]| {
        let parts = of(roles);
        !parts.is_empty() && parts.iter().all(is_absent)
    };
    if case.is_local() || !(absent(&["crd"]) || absent(&["nsmgr", "forwarder", "registry", "webhook"])) {
        return Vec::new();
    }
    let missing = of(&["crd", "nsmgr", "forwarder", "registry", "webhook", "webhook-configuration"]);
    let mut missing: Vec<String> = missing.into_iter().filter(|component| is_absent(component)).map(describe).collect();
    missing.dedup();
    vec![Found::new("Network Service Mesh", missing.join(", "))]
}

/// A node on which something of ours is, and of which its kubelet does not say that it is ready.
pub(in crate::diagnose) fn node_not_ready(case: &Case<'_>) -> Vec<Found> {
    let own = case.nodes();
    let nodes = case.snapshot.system.nodes.as_deref().unwrap_or_default().iter().filter(|node| !node.ready && own.contains(&node.name));
    let found = |node: &NodeState| {
        let said = case.warnings(|event| event.object.kind == "Node" && event.object.name == node.name);
        let found = Found::new(format!("node {}", node.name), "its kubelet does not say that it is ready").because(said);
        found.with("node", &node.name).on(BTreeSet::from([node.name.clone()]))
    };
    nodes.map(found).collect()
}

/// A container of NSM's or SPIRE's that its memory limit has ended, and that has not come back.
pub(in crate::diagnose) fn component_out_of_memory(case: &Case<'_>) -> Vec<Found> {
    let mentions = |text: &Option<String>| text.as_deref().is_some_and(|text| text.contains("OOMKilled"));
    let killed = |pod: &&PodState| pod.containers.iter().any(|c| !c.ready && (mentions(&c.reason) || mentions(&c.message)));
    let pods = case.snapshot.system.pods.as_deref().unwrap_or_default().iter().filter(killed);
    let found = |pod: &PodState| {
        let (kind, name) = pod.controller.clone()?;
        let found = Found::new(pod.id.to_string(), "it was killed for its memory, and is not ready").because(obstacles(pod));
        let found = found.with("namespace", &pod.id.namespace).with("object", format!("{}/{name}", kind.to_lowercase()));
        // What runs once serves all nodes.
        Some(if kind == "DaemonSet" { found.on(pod.node.iter().cloned().collect()) } else { found })
    };
    pods.filter_map(found).collect()
}

pub(in crate::diagnose) fn spire_not_ready(case: &Case<'_>) -> Vec<Found> {
    let quotes: Vec<String> = all_errors(case, &[&["error getting x509"], &["retrieving svid"]]);
    parts(case, &["spire-agent", "spire-server"], INSTALL_SPIRE, &quotes)
}

pub(in crate::diagnose) fn manager_not_ready(case: &Case<'_>) -> Vec<Found> {
    let quotes = all_errors(case, &[&["connection refused"], &["no such file or directory"]]);
    parts(case, &["nsmgr", "manager"], INSTALL_NSM, &quotes)
}

pub(in crate::diagnose) fn forwarder_not_ready(case: &Case<'_>) -> Vec<Found> {
    parts(case, &["forwarder"], INSTALL_NSM, &[])
}

pub(in crate::diagnose) fn registry_not_ready(case: &Case<'_>) -> Vec<Found> {
    parts(case, &["registry"], INSTALL_NSM, &[])
}

/// What is missing of the parts with these roles: as a whole, or on a node where it is needed.
fn parts(case: &Case<'_>, roles: &[&str], install: &'static str, quotes: &[String]) -> Vec<Found> {
    if case.has_found(&["nsm-not-installed"]) && !roles.contains(&"spire-agent") {
        return Vec::new();
    }
    let mut all = Vec::new();
    for role in roles {
        let faulty = case.faulty(role);
        let without = case.nodes_without(role);
        if let Some(part) = case.component(role).filter(|_| faulty.is_empty() && !without.is_empty()) {
            // Its own counts are right: it is not meant to be where it is needed.
            let nodes = without.iter().cloned().collect::<Vec<_>>().join(", ");
            let object = part.object.as_ref();
            let name = object.map_or_else(|| part.role.clone(), ToString::to_string);
            let found = Found::new(&name, format!("{name} has no ready pod on node {nodes}, where a client or an endpoint is"));
            let found = found.because(quotes.iter().cloned()).on(without.clone());
            let fix = "kubectl -n {namespace} get {object} -o yaml   # its nodeSelector, affinity and tolerations must let it onto node {node}";
            all.push(
                found
                    .fixed_by(fix)
                    .with("node", nodes)
                    .with("namespace", object.and_then(|object| object.namespace.clone()).unwrap_or_else(|| NSM_NAMESPACE.to_owned()))
                    .with("object", object.map_or_else(String::new, |object| format!("{}/{}", object.kind.to_lowercase(), object.name))),
            );
        }
        for part in faulty {
            let mut found = found(case, part, install).because(quotes.iter().cloned());
            if part.object.as_ref().is_some_and(|object| object.kind == "DaemonSet") {
                let nodes = case.snapshot.system.nodes.as_deref().unwrap_or_default().iter().map(|node| node.name.clone());
                let served: BTreeSet<&str> =
                    case.pods_of_part(role).into_iter().filter(|pod| pod.ready && !pod.deleting).filter_map(|pod| pod.node.as_deref()).collect();
                let lacking: BTreeSet<String> = nodes.chain(case.nodes()).filter(|node| !served.contains(node.as_str())).collect();
                // Where the pods may not be seen, any node may be one that lacks it.
                if case.snapshot.system.pods.is_ok() && !served.is_empty() && !lacking.is_empty() {
                    found.observed = format!("{}; none on node {}", found.observed, lacking.iter().cloned().collect::<Vec<_>>().join(", "));
                    found = found.on(lacking);
                }
            }
            all.push(found);
        }
    }
    all
}

/// The webhook's configuration is there, and the webhook itself is not.
pub(in crate::diagnose) fn webhook_orphaned(case: &Case<'_>) -> Vec<Found> {
    let absent = case.faulty("webhook").into_iter().any(|part| part.object.is_none());
    let Some(object) = case.component("webhook-configuration").and_then(|part| part.object.as_ref()).filter(|_| absent) else { return Vec::new() };
    let called = case.snapshot.system.webhook.iter().flatten().map(|webhook| format!("{} calls {}", webhook.name, webhook.calls));
    let refused = refusals(case, &OUT_OF_REACH.map(|reason| ["failed calling webhook", reason]));
    let found = Found::new("NSM's webhook", format!("{object} is there, and the webhook's Deployment is not")).because(called.chain(refused));
    vec![found.with("configuration", &object.name)]
}

/// The webhook runs, and the API server does not know of it.
pub(in crate::diagnose) fn webhook_configuration_missing(case: &Case<'_>) -> Vec<Found> {
    let missing = case.faulty("webhook-configuration");
    if missing.is_empty() || case.has_found(&["nsm-not-installed"]) {
        return Vec::new();
    }
    let found = Found::new("NSM's webhook", "there is no MutatingWebhookConfiguration of NSM's: pods are created without NSM's client");
    vec![found.with("webhook", webhook_name(case))]
}

pub(in crate::diagnose) fn webhook_down(case: &Case<'_>) -> Vec<Found> {
    if case.has_found(&["nsm-not-installed"]) {
        return Vec::new();
    }
    let refused = refusals(case, &OUT_OF_REACH.map(|reason| ["failed calling webhook", reason]));
    let faulty = case.faulty("webhook");
    if case.has_found(&["webhook-orphaned"]) {
        return Vec::new();
    }
    let observed = match (faulty.first(), refused.is_empty()) {
        (Some(component), _) => describe(component),
        (None, false) => "a pod cannot be created: its call is not answered".to_owned(),
        (None, true) => return Vec::new(),
    };
    let component = faulty.first().copied();
    let found = Found::new("NSM's webhook", observed).because(refused).because(events_of(case, component));
    // Its pods tell nothing that the missing Deployment could: it has to be installed again.
    let found = if component.is_some_and(|component| component.object.is_none()) { found.fixed_by(INSTALL_NSM) } else { found };
    vec![found.with("webhook", webhook_name(case))]
}

pub(in crate::diagnose) fn webhook_untrusted(case: &Case<'_>) -> Vec<Found> {
    let refused = refusals(case, &[["failed calling webhook", "x509"]]);
    let bare = case.snapshot.system.webhook.iter().flatten().any(|webhook| !webhook.has_authority);
    let observed = match (refused.is_empty(), bare) {
        (false, _) => "its certificate is not trusted",
        (true, true) => "its configuration has no caBundle: the API server can trust no certificate",
        (true, false) => return Vec::new(),
    };
    vec![Found::new("NSM's webhook", observed).because(refused).with("webhook", webhook_name(case))]
}

pub(in crate::diagnose) fn component_not_ready(case: &Case<'_>) -> Vec<Found> {
    const TOLD_APART: [&str; 9] =
        ["engine", "nsmgr", "manager", "forwarder", "registry", "webhook", "webhook-configuration", "spire-agent", "spire-server"];
    if case.has_found(&["nsm-not-installed"]) {
        return Vec::new();
    }
    let components = case.snapshot.system.components.iter().filter(|c| c.ready.is_ok() && !c.is_ready());
    components.filter(|c| !TOLD_APART.contains(&c.role.as_str())).map(|component| found(case, component, INSTALL_NSM)).collect()
}

/// A component with what happened to its pods. One that is absent has to be installed, not restarted.
fn found(case: &Case<'_>, component: &ComponentState, install: &'static str) -> Found {
    let found = Found::new(component.object.as_ref().map_or_else(|| component.role.clone(), ToString::to_string), describe(component));
    let found = found.because(events_of(case, Some(component)));
    let broken = case.pods_of_part(&component.role).into_iter().filter(|pod| !pod.ready);
    let found = found.because(broken.flat_map(obstacles));
    match &component.object {
        Some(object) if ["Deployment", "DaemonSet", "StatefulSet"].contains(&object.kind.as_str()) => found
            .with("namespace", object.namespace.clone().unwrap_or_else(|| NSM_NAMESPACE.to_owned()))
            .with("object", format!("{}/{}", object.kind.to_lowercase(), object.name)),
        _ => found.fixed_by(install),
    }
}

fn events_of(case: &Case<'_>, component: Option<&ComponentState>) -> Vec<String> {
    let Some(object) = component.and_then(|component| component.object.as_ref()) else { return Vec::new() };
    case.warnings(|event| event.object.namespace == object.namespace && event.object.name.starts_with(&object.name))
}

/// Warnings about pods that are missing now and were refused in words like these.
fn refusals(case: &Case<'_>, alternatives: &[[&str; 2]]) -> Vec<String> {
    let short = case.expectations.workloads.iter().filter(|workload| {
        let pods = case.pods_of(workload).len();
        case.observation().inventory.pods.is_ok() && workload.replicas.map_or(pods == 0, |wanted| u32::try_from(pods).is_ok_and(|pods| pods < wanted))
    });
    // Other products have webhooks too.
    let is_ours = |message: &str| reads(message, &[NSM_NAMESPACE]) || reads(message, &["networkservicemesh"]);
    // The call itself is in the message, and with it how long it may take: `?timeout=10s`.
    let refused = |event: &EventRecord| is_ours(&event.message) && alternatives.iter().any(|parts| reads(&event.message, parts));
    short.flat_map(|workload| case.warnings(|event| is_about(event, workload) && refused(event))).collect()
}

fn webhook_name(case: &Case<'_>) -> String {
    let webhook = case.snapshot.system.components.iter().find(|component| component.role == "webhook");
    webhook.and_then(|component| component.object.as_ref()).map_or_else(|| WEBHOOK.to_owned(), |object| object.name.clone())
}

/// The last error of each log, of those that read like any of the alternatives.
fn all_errors(case: &Case<'_>, alternatives: &[&[&str]]) -> Vec<String> {
    let logs = case.snapshot.system.logs.iter();
    logs.filter_map(|log| case.quote_errors(&log.pod, &log.container).pop()).filter(|text| is_any(text, alternatives)).collect()
}
