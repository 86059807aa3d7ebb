//! What a workload waits for, read from its pods and from itself. Pure.

use std::collections::BTreeMap;

use kube::api::DynamicObject;
use serde_json::Value;

use crate::model::{ContainerState, Expectation, Namespaced, PodState, Workload, WorkloadKind};

/// How far a workload is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Progress {
    /// As many pods are ready as there should be, all of the newest make.
    Ready,
    /// It was not seen yet: the watch has just begun, or it is being made.
    Unseen,
    /// It waits for this.
    Waiting(String),
    /// It will not become ready by itself; where it may be passing, it counts only after a while.
    Hopeless {
        /// Why.
        reason: String,
        /// The next step.
        hint: &'static str,
        /// Whether it is often over in a moment.
        passing: bool,
    },
}

/// What the scheduler says of a pod that is to be where another one is (kubernetes: interpodaffinity, ErrReasonAffinityRulesNotMatch).
const WANTS_COMPANY: &str = "didn't match pod affinity rules";

impl Progress {
    /// What it says, for people.
    pub(super) fn text(&self) -> &str {
        match self {
            Self::Ready => "ready",
            Self::Unseen => "it does not exist yet",
            Self::Waiting(text) | Self::Hopeless { reason: text, .. } => text,
        }
    }
}

/// How often a container must have been restarted before a crash loop is believed: an endpoint that comes up before its
/// SPIRE agent ends and is started again, once or twice.
const CRASHES: u32 = 3;

/// What the init containers of pods last complained about.
pub(super) type Complaints = BTreeMap<Namespaced, String>;

/// How far a workload is, by itself and by its pods.
pub(super) fn progress(workload: &Workload, object: Option<&DynamicObject>, pods: &[PodState], complaints: &Complaints) -> Progress {
    let own: Vec<&PodState> = pods.iter().filter(|pod| !pod.deleting && workload.owns(pod)).collect();
    if let Some(hopeless) = own.iter().find_map(|pod| hopeless(pod)) {
        return hopeless;
    }
    if let Some(hopeless) = object.and_then(refused) {
        return hopeless;
    }
    let unready = own.iter().find(|pod| !pod.ready);
    if workload.kind == WorkloadKind::Pod {
        return match (own.first(), unready) {
            (Some(_), None) => Progress::Ready,
            (_, Some(pod)) => Progress::Waiting(waits_for(pod, complaints)),
            (None, None) => Progress::Unseen,
        };
    }
    let waiting = unready.map(|pod| format!("pod {}: {}", pod.id.name, waits_for(pod, complaints)));
    match object.map(|object| rolled_out(workload.kind, object)) {
        Some(true) if waiting.is_none() => Progress::Ready,
        Some(_) => Progress::Waiting(waiting.unwrap_or_else(|| "its pods are being made".to_owned())),
        None => Progress::Unseen,
    }
}

/// Lets those wait that cannot be scheduled for want of what they are connected to, where that has no node for a reason of
/// its own: the reason is what is to be known.
pub(super) fn defer(states: &mut [Progress], workloads: &[&Workload], connections: &[Expectation], pods: &[PodState]) {
    let is_cause = |index: usize| {
        let scheduled = pods.iter().any(|pod| !pod.deleting && pod.node.is_some() && workloads[index].owns(pod));
        !scheduled && matches!(&states[index], Progress::Hopeless { reason, .. } if !reason.contains(WANTS_COMPANY))
    };
    let causes: Vec<&Namespaced> = (0..states.len()).filter(|index| is_cause(*index)).map(|index| &workloads[index].id).collect();
    for (state, workload) in states.iter_mut().zip(workloads) {
        let mut own = connections.iter().filter(|connection| connection.client == workload.id).flat_map(|connection| connection.candidates.iter());
        if let Progress::Hopeless { reason, .. } = state
            && reason.contains(WANTS_COMPANY)
            && own.any(|endpoint| causes.contains(&endpoint))
        {
            *state = Progress::Waiting(std::mem::take(reason));
        }
    }
}

fn hopeless(pod: &PodState) -> Option<Progress> {
    let name = &pod.id.name;
    if let Some(message) = &pod.unschedulable {
        let hint = "the scheduler's words name the constraint: node labels, affinity, taints, or resources";
        return Some(Progress::Hopeless { reason: format!("pod {name} is unschedulable: {message}"), hint, passing: true });
    }
    let mut containers = pod.init_containers.iter().chain(&pod.containers);
    containers.find_map(|container| {
        let told = |what: String, hint: &'static str, passing: bool| {
            let message = container.message.as_ref().map(|message| format!(": {message}")).unwrap_or_default();
            Some(Progress::Hopeless { reason: format!("pod {name}: {what}{message}"), hint, passing })
        };
        let ContainerState { name, image, restarts, .. } = container;
        match container.reason.as_deref()? {
            reason @ ("ImagePullBackOff" | "ErrImageNeverPull" | "InvalidImageName") => {
                told(format!("{reason} of {image}"), "check the image's name, and that the nodes can reach its registry", false)
            }
            "CrashLoopBackOff" if *restarts >= CRASHES => {
                told(format!("container {name} crashes, {restarts} restarts"), "`kubectl logs --previous` shows its last words", false)
            }
            reason @ ("CreateContainerConfigError" | "CreateContainerError" | "RunContainerError") => {
                told(format!("container {name}: {reason}"), "`kubectl describe pod` shows the events", true)
            }
            _ => None,
        }
    })
}

/// A controller that is not allowed to make pods says so in a condition (apps/v1: ReplicaFailure).
fn refused(object: &DynamicObject) -> Option<Progress> {
    let conditions = object.data.pointer("/status/conditions")?.as_array()?;
    let is = |condition: &&Value, kind: &str, status: &str| condition["type"] == kind && condition["status"] == status;
    let message = |condition: &Value| condition["message"].as_str().unwrap_or_default().to_owned();
    if let Some(condition) = conditions.iter().find(|condition| is(condition, "ReplicaFailure", "True")) {
        let hint = "quota, a webhook or a policy refuses the pods; `nsmctl troubleshoot` says which";
        let message = message(condition);
        return Some(Progress::Hopeless { reason: format!("no pod may be made: {message}"), hint, passing: !is_decided(&message) });
    }
    let late = conditions.iter().find(|condition| is(condition, "Progressing", "False"))?;
    Some(Progress::Hopeless { reason: message(late), hint: "`nsmctl troubleshoot` names the cause", passing: false })
}

/// Whether pods are refused for good: quota, limits, a policy. What is still being made, or does not answer, may be there in a
/// moment (kubernetes: admission of service accounts, quota and webhooks).
fn is_decided(message: &str) -> bool {
    let refuses = ["is forbidden: ", "denied the request"];
    let passes = ["error looking up service account", "status unknown for quota"];
    refuses.iter().any(|words| message.contains(words)) && !passes.iter().any(|words| message.contains(words))
}

/// Whether the controller has seen the newest version and all its pods are of it and ready.
fn rolled_out(kind: WorkloadKind, object: &DynamicObject) -> bool {
    let number = |pointer: &str| object.data.pointer(pointer).and_then(Value::as_i64).unwrap_or(0);
    let seen = number("/status/observedGeneration") >= object.metadata.generation.unwrap_or(0);
    let wanted = object.data.pointer("/spec/replicas").and_then(Value::as_i64).unwrap_or(1);
    seen && match kind {
        WorkloadKind::DaemonSet => {
            let desired = number("/status/desiredNumberScheduled");
            number("/status/updatedNumberScheduled") >= desired && number("/status/numberReady") >= desired
        }
        WorkloadKind::StatefulSet => {
            let revision = |pointer: &str| object.data.pointer(pointer).and_then(Value::as_str);
            let same = revision("/status/currentRevision") == revision("/status/updateRevision");
            number("/status/readyReplicas") >= wanted && (same || number("/status/updatedReplicas") >= wanted)
        }
        WorkloadKind::Deployment | WorkloadKind::Pod => {
            let updated = number("/status/updatedReplicas");
            updated >= wanted && number("/status/replicas") <= updated && number("/status/readyReplicas") >= wanted
        }
    }
}

/// What a pod that is not ready waits for.
fn waits_for(pod: &PodState, complaints: &Complaints) -> String {
    if pod.node.is_none() {
        return "is being scheduled".to_owned();
    }
    match (busy(pod), complaints.get(&pod.id)) {
        (Some(container), Some(complaint)) => format!("{}, {}: {complaint}", pod.status(), container.name),
        (Some(container), None) if container.name.starts_with("cmd-nsc-init") => {
            format!("{}, {} asks for the connection", pod.status(), container.name)
        }
        (Some(container), None) => format!("{}, {} runs", pod.status(), container.name),
        (None, _) => pod.status(),
    }
}

/// The init container that a pod waits for.
pub(super) fn busy(pod: &PodState) -> Option<&ContainerState> {
    pod.init_containers.iter().find(|container| !container.ready && container.running)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::manifest::{Customisation, embedded, plan, read};

    /// Without complaints.
    fn progress(workload: &Workload, object: Option<&DynamicObject>, pods: &[PodState]) -> Progress {
        super::progress(workload, object, pods, &Complaints::new())
    }

    fn workload(kind: WorkloadKind) -> Workload {
        let documents = read(&embedded()).unwrap();
        let workloads = plan(&documents, &Customisation::default(), "default").unwrap().expectations.workloads;
        workloads.into_iter().find(|workload| workload.kind == kind).unwrap()
    }

    fn pod(workload: &Workload) -> PodState {
        let container = |name: &str| ContainerState {
            name: name.to_owned(),
            image: "alpine:3.15.0".to_owned(),
            ready: true,
            running: true,
            restarts: 0,
            reason: None,
            message: None,
            since: None,
        };
        PodState {
            id: workload.id.clone(),
            labels: workload.pod_labels.clone(),
            annotation: None,
            controller: None,
            node: Some("node1".to_owned()),
            phase: "Running".to_owned(),
            ready: true,
            deleting: false,
            unschedulable: None,
            init_containers: Vec::new(),
            containers: vec![container("alpine")],
        }
    }

    fn deployment(status: &Value) -> DynamicObject {
        serde_json::from_value(json!({"metadata": {"name": "x", "generation": 2}, "spec": {}, "status": status})).unwrap()
    }

    #[test]
    fn a_pod_is_ready_when_it_says_so_and_is_there_to_stay() {
        let alpine = workload(WorkloadKind::Pod);
        assert_eq!(progress(&alpine, None, &[pod(&alpine)]), Progress::Ready);
        assert_eq!(progress(&alpine, None, &[PodState { deleting: true, ..pod(&alpine) }]).text(), "it does not exist yet");
        assert_eq!(progress(&alpine, None, &[PodState { ready: false, ..pod(&alpine) }]).text(), "Running");
    }

    #[test]
    fn a_deployment_is_ready_when_all_its_pods_are_of_the_newest_make() {
        let nse = workload(WorkloadKind::Deployment);
        let done = json!({"observedGeneration": 2, "updatedReplicas": 1, "replicas": 1, "readyReplicas": 1});
        assert_eq!(progress(&nse, Some(&deployment(&done)), &[pod(&nse)]), Progress::Ready);
        for (field, value) in [("observedGeneration", 1), ("updatedReplicas", 0), ("replicas", 2), ("readyReplicas", 0)] {
            let mut status = done.clone();
            status[field] = json!(value);
            assert!(matches!(progress(&nse, Some(&deployment(&status)), &[pod(&nse)]), Progress::Waiting(_)), "{field}");
        }
        assert_eq!(progress(&nse, None, &[]), Progress::Unseen);
    }

    #[test]
    fn what_cannot_end_well_is_told_with_its_reason() {
        let alpine = workload(WorkloadKind::Pod);
        let with = |reason: &str, restarts: u32| {
            let mut pod = PodState { ready: false, ..pod(&alpine) };
            pod.containers[0] =
                ContainerState { reason: Some(reason.to_owned()), restarts, message: Some("words".to_owned()), ..pod.containers[0].clone() };
            progress(&alpine, None, &[pod])
        };
        let Progress::Hopeless { reason, passing: false, .. } = with("ImagePullBackOff", 0) else { panic!("no end") };
        assert_eq!(reason, "pod alpine: ImagePullBackOff of alpine:3.15.0: words");
        assert!(matches!(with("CrashLoopBackOff", CRASHES), Progress::Hopeless { passing: false, .. }));
        assert!(matches!(with("CrashLoopBackOff", 1), Progress::Waiting(_)));
        assert!(matches!(with("ContainerCreating", 0), Progress::Waiting(_)));

        let unschedulable = PodState { ready: false, unschedulable: Some("0/2 nodes".to_owned()), ..pod(&alpine) };
        let Progress::Hopeless { reason, passing: true, .. } = progress(&alpine, None, &[unschedulable]) else { panic!("no end") };
        assert_eq!(reason, "pod alpine is unschedulable: 0/2 nodes");
    }

    #[test]
    fn a_controller_that_may_make_no_pods_is_told() {
        let nse = workload(WorkloadKind::Deployment);
        let status = json!({"conditions": [{"type": "ReplicaFailure", "status": "True", "message": "failed calling webhook"}]});
        let Progress::Hopeless { reason, .. } = progress(&nse, Some(&deployment(&status)), &[]) else { panic!("no end") };
        assert_eq!(reason, "no pod may be made: failed calling webhook");
    }

    #[test]
    fn a_refusal_for_want_of_what_is_being_made_may_pass() {
        assert!(is_decided("pods \"a\" is forbidden: exceeded quota: tight, requested: pods=1, used: pods=1, limited: pods=1"));
        assert!(is_decided("admission webhook \"policy\" denied the request: no"));
        for passing in [
            "pods \"a\" is forbidden: error looking up service account ns/default: serviceaccount \"default\" not found",
            "pods \"a\" is forbidden: status unknown for quota: tight, resources: pods",
            "Internal error occurred: failed calling webhook \"a\": connection refused",
        ] {
            assert!(!is_decided(passing), "{passing}");
        }
    }

    #[test]
    fn the_reason_of_an_endpoint_without_a_node_comes_before_its_clients() {
        let expectations = plan(&read(&embedded()).unwrap(), &Customisation::default(), "default").unwrap().expectations;
        let workloads: Vec<&Workload> = expectations.workloads.iter().collect();
        let alone = |workload: &Workload| {
            let words = "0/2 nodes are available: 2 node(s) didn't match pod affinity rules.";
            PodState { ready: false, node: None, unschedulable: Some(words.to_owned()), ..pod(workload) }
        };
        let pods = [alone(&workload(WorkloadKind::Pod))];
        let judged = |message: &str| {
            let status = json!({"conditions": [{"type": "ReplicaFailure", "status": "True", "message": message}]});
            let object = (!message.is_empty()).then(|| deployment(&status));
            let mut states: Vec<Progress> =
                workloads.iter().map(|workload| progress(workload, object.as_ref().filter(|_| workload.kind != WorkloadKind::Pod), &pods)).collect();
            defer(&mut states, &workloads, &expectations.connections, &pods);
            let ends = states.into_iter().zip(&workloads).filter_map(|(state, workload)| match state {
                Progress::Hopeless { passing, .. } => Some((workload.kind, passing)),
                _ => None,
            });
            ends.collect::<Vec<_>>()
        };
        assert_eq!(judged("pods \"nse-kernel-1\" is forbidden: exceeded quota: tight"), [(WorkloadKind::Deployment, false)]);
        assert_eq!(judged("failed calling webhook"), [(WorkloadKind::Deployment, true)]);
        assert_eq!(judged(""), [(WorkloadKind::Pod, true)], "no other reason is known");
    }

    #[test]
    fn a_client_that_waits_for_its_request_says_what_nsm_last_said() {
        let alpine = workload(WorkloadKind::Pod);
        let mut waiting = PodState { ready: false, ..pod(&alpine) };
        waiting.init_containers = vec![ContainerState { name: "cmd-nsc-init".to_owned(), ready: false, ..waiting.containers[0].clone() }];
        let text = |complaints: &Complaints| super::progress(&alpine, None, &[waiting.clone()], complaints).text().to_owned();
        assert_eq!(text(&Complaints::new()), "Init:0/1, cmd-nsc-init asks for the connection");
        let complaints = Complaints::from([(alpine.id.clone(), "IPPool is empty".to_owned())]);
        assert_eq!(text(&complaints), "Init:0/1, cmd-nsc-init: IPPool is empty");
    }
}
