//! Causes in what carries the connections: NSM, SPIRE, or the engine.

use crate::{
    diagnose::{
        Case, Found,
        case::{describe, is_about},
    },
    model::{ComponentState, EventRecord, NSM_NAMESPACE, log::reads},
};

const INSTALL_SPIRE: &str =
    "kubectl apply -k 'https://github.com/networkservicemesh/deployments-k8s/examples/spire/single_cluster?ref=main'   # before NSM itself";
const INSTALL_NSM: &str =
    "kubectl apply -k 'https://github.com/networkservicemesh/deployments-k8s/examples/basic?ref=main'   # brings back what is missing";
/// What the webhook's Deployment is called where it is not there to tell.
const WEBHOOK: &str = "admission-webhook-k8s";
/// How the API server says that a webhook is out of reach, each behind `failed calling webhook`.
const OUT_OF_REACH: [&str; 5] = ["connection refused", "deadline exceeded", "no endpoints", "timeout", "not found"];

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

pub(in crate::diagnose) fn spire_not_ready(case: &Case<'_>) -> Vec<Found> {
    let components = ["spire-agent", "spire-server"].into_iter().flat_map(|role| case.faulty(role));
    let quotes: Vec<String> = all_errors(case, &[&["error getting x509"], &["retrieving svid"]]);
    components.map(|component| found(case, component, INSTALL_SPIRE).because(quotes.clone())).collect()
}

pub(in crate::diagnose) fn manager_not_ready(case: &Case<'_>) -> Vec<Found> {
    if case.has_found(&["nsm-not-installed"]) {
        return Vec::new();
    }
    let quotes = all_errors(case, &[&["connection refused"], &["no such file or directory"]]);
    let managers = ["nsmgr", "manager"].into_iter().flat_map(|role| case.faulty(role));
    managers.map(|component| found(case, component, INSTALL_NSM).because(quotes.clone())).collect()
}

pub(in crate::diagnose) fn webhook_down(case: &Case<'_>) -> Vec<Found> {
    if case.has_found(&["nsm-not-installed"]) {
        return Vec::new();
    }
    let refused = refusals(case, &OUT_OF_REACH.map(|reason| ["failed calling webhook", reason]));
    let faulty = case.faulty("webhook");
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
    if refused.is_empty() {
        return Vec::new();
    }
    vec![Found::new("NSM's webhook", "its certificate is not trusted").because(refused).with("webhook", webhook_name(case))]
}

pub(in crate::diagnose) fn component_not_ready(case: &Case<'_>) -> Vec<Found> {
    const TOLD_APART: [&str; 6] = ["engine", "nsmgr", "manager", "webhook", "spire-agent", "spire-server"];
    if case.has_found(&["nsm-not-installed"]) {
        return Vec::new();
    }
    let components = case.snapshot.system.components.iter().filter(|c| c.ready.is_ok() && !c.is_ready());
    components.filter(|c| !TOLD_APART.contains(&c.role.as_str())).map(|component| found(case, component, INSTALL_NSM)).collect()
}

pub(in crate::diagnose) fn svid_missing(case: &Case<'_>) -> Vec<Found> {
    if case.has_found(&["spire-not-ready", "nsm-not-installed"]) {
        return Vec::new();
    }
    let judge = |(_, pod): (_, &crate::model::PodState)| {
        let containers = pod.init_containers.iter().chain(&pod.containers);
        let last = containers.filter_map(|container| case.quote_errors(&pod.id, &container.name).pop());
        let quotes: Vec<String> =
            last.filter(|text| is_any(text, &[&["no identity issued"], &["error getting x509"], &["retrieving svid"]])).collect();
        if quotes.is_empty() {
            return None;
        }
        let found = Found::new(&pod.id.name, "it gets no SVID").because(quotes).with("pod", &pod.id.name);
        // The webhook gives clients the label; an endpoint's manifest has to bring it.
        let is_labelled = pod.labels.get("spiffe.io/spiffe-id").is_some_and(|value| value == "true");
        Some(if is_labelled {
            found
                .with("namespace", &pod.id.namespace)
                .fixed_by("kubectl -n spire rollout restart daemonset   # the pod has its label: the agent must fetch its entries anew")
        } else {
            found
        })
    };
    case.unready().into_iter().filter_map(judge).collect()
}

fn is_any(text: &str, alternatives: &[&[&str]]) -> bool {
    alternatives.iter().any(|parts| reads(text, parts))
}

/// A component with what happened to its pods. One that is absent has to be installed, not restarted.
fn found(case: &Case<'_>, component: &ComponentState, install: &'static str) -> Found {
    let found = Found::new(component.object.as_ref().map_or_else(|| component.role.clone(), ToString::to_string), describe(component));
    let found = found.because(events_of(case, Some(component)));
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
