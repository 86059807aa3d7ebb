//! Causes in the pods: not created, not scheduled, not started, not there any more.

use crate::{
    diagnose::{Case, Found, case::is_about, step::obstacles},
    model::{ContainerState, PodState, Workload, WorkloadKind, log::reads},
};

const IMAGE_REASONS: [&str; 6] =
    ["ImagePullBackOff", "ErrImagePull", "InvalidImageName", "ErrImageNeverPull", "ImageInspectError", "RegistryUnavailable"];
const START_REASONS: [&str; 6] =
    ["CreateContainerConfigError", "CreateContainerError", "RunContainerError", "ContainerCannotRun", "StartError", "PreStartHookError"];

pub(in crate::diagnose) fn not_deployed(case: &Case<'_>) -> Vec<Found> {
    let workloads = &case.expectations.workloads;
    let is_refused = |workload: &Workload| !case.warnings(|event| is_about(event, workload) && event.reason == "FailedCreate").is_empty();
    // A workload whose pods are refused is deployed, and where NSM is broken it comes first.
    if workloads.is_empty() || case.failed("nsm") || !workloads.iter().all(|workload| case.is_missing(workload) && !is_refused(workload)) {
        return Vec::new();
    }
    let names: Vec<String> = workloads.iter().map(ToString::to_string).collect();
    vec![Found::new(&workloads[0].id.namespace, format!("no pod of {}", names.join(", ")))]
}

/// The webhook will not choose between two annotations.
pub(in crate::diagnose) fn annotation_twice(case: &Case<'_>) -> Vec<Found> {
    let judge = |workload: &Workload| {
        let said = case.warnings(|event| is_about(event, workload) && reads(&event.message, &["annotations can't be provided in several places"]));
        let found = Found::new(workload.to_string(), "it and its pod template have the annotation networkservicemesh.io").because(said.clone());
        (!said.is_empty() && is_short(case, workload)).then(|| found.about(case, workload))
    };
    case.expectations.workloads.iter().filter_map(judge).collect()
}

/// Whether it is known that the workload has fewer pods than it should.
fn is_short(case: &Case<'_>, workload: &Workload) -> bool {
    case.is_missing(workload) || workload.replicas.is_some_and(|wanted| (case.pods_of(workload).len() as u64) < u64::from(wanted))
}

pub(in crate::diagnose) fn pod_refused(case: &Case<'_>) -> Vec<Found> {
    let judge = |workload: &Workload| {
        let webhook = ["webhook-orphaned", "webhook-down", "webhook-untrusted"];
        let said = |message: &str| !case.has_found(&webhook) || !reads(message, &["failed calling webhook"]);
        let events = case.warnings(|event| is_about(event, workload) && event.reason == "FailedCreate" && said(&event.message));
        (is_short(case, workload) && !events.is_empty())
            .then(|| Found::new(workload.to_string(), "a pod of it was refused").because(events).about(case, workload))
    };
    case.expectations.workloads.iter().filter_map(judge).collect()
}

/// What the scheduler says about a pod that is on no node.
fn scheduling(case: &Case<'_>, pod: &PodState) -> Vec<String> {
    if pod.node.is_some() {
        return Vec::new();
    }
    let said = pod.unschedulable.iter().map(|text| format!("{}: {text}", pod.id.name));
    said.chain(case.warnings(|event| {
        event.reason == "FailedScheduling" && event.object.name == pod.id.name && event.object.namespace.as_ref() == Some(&pod.id.namespace)
    }))
    .collect()
}

/// Whether the scheduler means podAffinity. What it says of nodes' labels reads `node affinity/selector`, and keeping
/// away from a pod `anti-affinity`.
fn is_affinity(text: &str) -> bool {
    reads(text, &["didn't match pod affinity"])
}

pub(in crate::diagnose) fn affinity(case: &Case<'_>) -> Vec<Found> {
    let judge = |(workload, pod): (&Workload, &PodState)| {
        let said = scheduling(case, pod);
        if !said.iter().any(|text| is_affinity(text)) {
            return None;
        }
        let connections = case.expectations.connections.iter().filter(|connection| connection.client == workload.id);
        let partners = connections.filter_map(|connection| case.expectations.workload(connection.endpoint.as_ref()?));
        let mut absent: Vec<String> =
            partners.filter(|partner| case.pods_of(partner).iter().all(|p| p.node.is_none())).map(ToString::to_string).collect();
        absent.dedup();
        let found = Found::new(&pod.id.name, format!("no node runs a pod of {}, which it must share a node with", absent.join(", ")));
        let found = if absent.is_empty() {
            let observed = "the pod that it must share a node with runs where this one does not fit, or has other labels";
            Found::new(&pod.id.name, observed).fixed_by("kubectl -n {namespace} get pods -o wide --show-labels   # against the podAffinity of {pod}")
        } else {
            found.with("partner", absent.join(", "))
        };
        Some(found.because(said).about(case, workload).with("pod", &pod.id.name))
    };
    case.unready().into_iter().filter_map(judge).collect()
}

pub(in crate::diagnose) fn unschedulable(case: &Case<'_>) -> Vec<Found> {
    let judge = |(workload, pod): (&Workload, &PodState)| {
        let said = scheduling(case, pod);
        if said.is_empty() || said.iter().any(|text| is_affinity(text)) {
            return None;
        }
        let says = |part: &str| said.iter().any(|text| reads(text, &[part]));
        let (observed, fix) = match () {
            () if says("insufficient") => {
                ("the nodes have too little left", Some("kubectl describe nodes   # Allocated resources: make room, or ask for less in the manifest"))
            }
            () if says("node affinity/selector") => {
                ("no node has the labels that it asks for", Some("kubectl get nodes --show-labels   # label a node, or ask for less in the manifest"))
            }
            () if says("taint") => (
                "the nodes have taints that it does not tolerate",
                Some("kubectl get nodes -o custom-columns=NAME:.metadata.name,TAINTS:.spec.taints"),
            ),
            () => ("no node takes it", None),
        };
        let found = Found::new(&pod.id.name, observed).because(said).about(case, workload).with("pod", &pod.id.name);
        Some(Found { fix, ..found })
    };
    case.unready().into_iter().filter_map(judge).collect()
}

/// The first container of each pod that is not ready for which it holds.
fn containers<'a>(case: &Case<'a>, holds: impl Fn(&ContainerState) -> bool) -> Vec<(&'a Workload, &'a PodState, &'a ContainerState)> {
    let first = |(workload, pod): (&'a Workload, &'a PodState)| {
        let container = pod.init_containers.iter().chain(&pod.containers).find(|container| holds(container))?;
        Some((workload, pod, container))
    };
    case.unready().into_iter().filter_map(first).collect()
}

fn has_reason(container: &ContainerState, reasons: &[&str]) -> bool {
    container.reason.as_deref().is_some_and(|reason| reasons.contains(&reason))
}

fn mentions(container: &ContainerState, word: &str) -> bool {
    [&container.reason, &container.message].into_iter().flatten().any(|text| text.contains(word))
}

fn found(case: &Case<'_>, (workload, pod, container): (&Workload, &PodState, &ContainerState), observed: String, reasons: &[&str]) -> Found {
    let events = case.warnings(|event| event.object.name == pod.id.name && reasons.contains(&event.reason.as_str()));
    let found = Found::new(&pod.id.name, observed).because(obstacles(pod)).because(events).about(case, workload);
    found.with("pod", &pod.id.name).with("container", &container.name).with("image", &container.image)
}

pub(in crate::diagnose) fn image_pull(case: &Case<'_>) -> Vec<Found> {
    let broken = containers(case, |container| has_reason(container, &IMAGE_REASONS));
    let describe = |at: (&Workload, &PodState, &ContainerState)| {
        let observed = format!("container {} waits for image {}", at.2.name, at.2.image);
        found(case, at, observed, &["Failed", "InspectFailed"])
    };
    broken.into_iter().map(describe).collect()
}

pub(in crate::diagnose) fn out_of_memory(case: &Case<'_>) -> Vec<Found> {
    let broken = containers(case, |container| mentions(container, "OOMKilled"));
    let describe = |at: (&Workload, &PodState, &ContainerState)| {
        let observed = format!("container {} was killed for its memory, {} restarts", at.2.name, at.2.restarts);
        let found = found(case, at, observed, &["OOMKilling", "BackOff"]);
        let is_own = at.2.name == at.0.container;
        // The resources of a pod that runs, and of what the webhook puts into it, cannot be set from outside.
        let is_fixed = at.0.kind == WorkloadKind::Pod || !is_own;
        let fix =
            "kubectl -n {namespace} describe pod {pod}   # the limit of {container}: raise it in the manifest (or in NSM's webhook), then {deploy}";
        if is_fixed { found.fixed_by(fix) } else { found }
    };
    broken.into_iter().map(describe).collect()
}

pub(in crate::diagnose) fn crash_loop(case: &Case<'_>) -> Vec<Found> {
    let ends = |container: &ContainerState| {
        let again = has_reason(container, &["CrashLoopBackOff", "Error"]) || (container.restarts > 0 && !container.ready);
        again && !mentions(container, "OOMKilled") && !has_reason(container, &IMAGE_REASONS) && !has_reason(container, &START_REASONS)
    };
    let describe = |at: (&Workload, &PodState, &ContainerState)| {
        let observed = format!("container {} ended, {} restarts", at.2.name, at.2.restarts);
        let last = case.quote_errors(&at.1.id, &at.2.name);
        let found = found(case, at, observed, &["BackOff"]).because(last);
        let fix = "nsmctl logs --target local   # its last words; then mend the program, and {deploy}";
        if case.is_local() { found.fixed_by(fix) } else { found }
    };
    containers(case, ends).into_iter().map(describe).collect()
}

pub(in crate::diagnose) fn container_not_started(case: &Case<'_>) -> Vec<Found> {
    let events = ["FailedMount", "FailedAttachVolume", "FailedCreatePodSandBox", "Failed"];
    let said = |pod: &PodState| case.warnings(|event| event.object.name == pod.id.name && events[..3].contains(&event.reason.as_str()));
    let judge = |(workload, pod): (&Workload, &PodState)| {
        let all: Vec<&ContainerState> = pod.init_containers.iter().chain(&pod.containers).collect();
        let refused = all.iter().find(|container| has_reason(container, &START_REASONS));
        // Events stay for an hour, and a pod whose containers run has overcome them.
        let waits = pod.node.is_some() && all.iter().all(|container| !container.running && container.restarts == 0) && !said(pod).is_empty();
        let container = refused.or_else(|| all.first().filter(|_| waits && !case.is_explained(&pod.id.name)))?;
        let observed = format!("container {} is not started: {}", container.name, pod.status());
        Some(found(case, (workload, pod, container), observed, &events))
    };
    case.unready().into_iter().filter_map(judge).collect()
}

pub(in crate::diagnose) fn endpoint_gone(case: &Case<'_>) -> Vec<Found> {
    let mut all: Vec<Found> = Vec::new();
    for connection in case.connections.iter().filter(|connection| connection.client.is_some()) {
        let Some(workload) = case.endpoint_of(connection) else { continue };
        let pods: Vec<&PodState> = case.observation().pods().iter().filter(|pod| workload.owns(pod)).collect();
        let is_there = pods.iter().any(|pod| pod.ready && !pod.deleting) || workload.replicas == Some(0);
        // A pod that is client and endpoint in one may only be waiting for its own request.
        if is_there || workload.is_client() || all.iter().any(|found| found.subject == workload.to_string()) {
            continue;
        }
        let states: Vec<String> = pods.iter().map(|pod| format!("{} is {}", pod.id.name, pod.status())).collect();
        let state = if states.is_empty() { "it has no pod".to_owned() } else { states.join(", ") };
        let stays =
            connection.link.as_ref().map(|link| format!(", while {} keeps {}", connection.expectation.client.name, link.name)).unwrap_or_default();
        let found = Found::new(workload.to_string(), format!("{state}{stays}"));
        let evidence = pods.iter().flat_map(|pod| obstacles(pod)).chain(case.warnings(|event| is_about(event, workload)));
        all.push(found.because(evidence).because(lost_pings(case, connection)).about(case, workload));
    }
    all
}

fn lost_pings(case: &Case<'_>, connection: &crate::check::Connection<'_>) -> Vec<String> {
    case.checked(connection, &["ping-endpoint"]).into_iter().flat_map(|finding| finding.evidence.clone()).collect()
}

pub(in crate::diagnose) fn workload_missing(case: &Case<'_>) -> Vec<Found> {
    if case.has_found(&["engine-not-running", "not-deployed"]) {
        return Vec::new();
    }
    let judge = |workload: &Workload| {
        let subject = workload.to_string();
        let pods = case.pods_of(workload).len();
        let wanted = workload.replicas.unwrap_or(1);
        let is_short = case.observation().inventory.pods.is_ok() && u32::try_from(pods).is_ok_and(|pods| pods < wanted);
        if !is_short || case.is_explained(&subject) {
            return None;
        }
        // Why no pod is made; what an earlier pod met with says nothing about one that is not there.
        let events = case.warnings(|event| is_about(event, workload) && event.reason == "FailedCreate");
        Some(Found::new(subject, format!("{pods} of {wanted} pods")).because(events).about(case, workload))
    };
    case.expectations.workloads.iter().filter_map(judge).collect()
}
