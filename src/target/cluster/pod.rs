use std::collections::BTreeMap;

use k8s_openapi::{
    api::core::v1::{ContainerStateTerminated, ContainerStateWaiting, PodCondition},
    apimachinery::pkg::apis::meta::v1::ObjectMeta,
};

use super::partial::{Container, ContainerStatus, Pod};
use crate::model::{ANNOTATION, ContainerState, Namespaced, PodState};

/// The state of a pod, as the server tells it.
pub(super) fn pod_state(pod: &Pod) -> PodState {
    let ObjectMeta { name, namespace, labels, annotations, deletion_timestamp, owner_references, .. } = pod.metadata.clone();
    let controller = owner_references.into_iter().flatten().find(|owner| owner.controller == Some(true));
    let controller = controller.map(|owner| top_controller(owner.kind, owner.name, labels.as_ref()));
    let status = pod.status.clone().unwrap_or_default();
    let spec = pod.spec.as_ref();
    let conditions = status.conditions.unwrap_or_default();
    let condition = |kind: &str| conditions.iter().find(|condition| condition.type_ == kind);
    let unscheduled = |condition: &&PodCondition| condition.status == "False" && condition.reason.as_deref() == Some("Unschedulable");
    let containers = |specified: Vec<(String, String)>, statuses: Vec<ContainerStatus>, init: bool| {
        let state = |(name, image): (String, String)| {
            let status = statuses.iter().find(|status| status.name == name);
            status.map_or_else(|| not_started(name, image), |status| container_state(status, init))
        };
        specified.into_iter().map(state).collect()
    };
    let named = |containers: Option<&Vec<Container>>| -> Vec<(String, String)> {
        containers.into_iter().flatten().map(|c| (c.name.clone(), c.image.clone().unwrap_or_default())).collect()
    };
    PodState {
        id: Namespaced::new(namespace.unwrap_or_default(), name.unwrap_or_default()),
        labels: labels.unwrap_or_default(),
        annotation: annotations.and_then(|annotations| annotations.get(ANNOTATION).cloned()),
        controller,
        node: spec.and_then(|spec| spec.node_name.clone()),
        phase: status.phase.unwrap_or_else(|| "Unknown".to_owned()),
        ready: condition("Ready").is_some_and(|condition| condition.status == "True"),
        deleting: deletion_timestamp.is_some(),
        unschedulable: condition("PodScheduled").filter(unscheduled).map(|condition| condition.message.clone().unwrap_or_default()),
        init_containers: containers(named(spec.and_then(|s| s.init_containers.as_ref())), status.init_container_statuses.unwrap_or_default(), true),
        containers: containers(named(spec.and_then(|s| s.containers.as_ref())), status.container_statuses.unwrap_or_default(), false),
    }
}

/// What stands above a pod's own controller: a Deployment names its ReplicaSets after itself and the hash of their template.
fn top_controller(kind: String, name: String, labels: Option<&BTreeMap<String, String>>) -> (String, String) {
    let hash = labels.and_then(|labels| labels.get("pod-template-hash")).filter(|_| kind == "ReplicaSet");
    match hash.and_then(|hash| name.strip_suffix(hash.as_str())?.strip_suffix('-')) {
        Some(deployment) => ("Deployment".to_owned(), deployment.to_owned()),
        None => (kind, name),
    }
}

/// A container of which the kubelet has said nothing yet.
fn not_started(name: String, image: String) -> ContainerState {
    ContainerState { name, image, ready: false, running: false, restarts: 0, reason: None, message: None, since: None }
}

fn container_state(status: &ContainerStatus, init: bool) -> ContainerState {
    let state = status.state.clone().unwrap_or_default();
    let ended = state.terminated.as_ref();
    let done = ended.is_some_and(|ended| ended.exit_code == 0);
    let running = state.running.as_ref().and_then(|running| running.started_at.as_ref());
    let since = running.or(ended.and_then(|ended| ended.finished_at.as_ref())).map(|time| time.0.as_second());
    // What ended well is no reason for anything.
    let (reason, message) = match (&state.waiting, ended) {
        (Some(ContainerStateWaiting { reason, message }), _) => (reason.clone(), message.clone()),
        (None, Some(ended)) if !done => (Some(why(ended)), ended.message.clone()),
        _ => (None, None),
    };
    // While it waits to be started again, how it ended the last time is what matters.
    let last = status.last_state.as_ref().and_then(|last| last.terminated.as_ref());
    let message = match (message, last) {
        (message, Some(last)) if reason.as_deref() == Some("CrashLoopBackOff") => {
            Some(format!("{}; the last time it ended with {} (exit code {})", message.unwrap_or_default(), why(last), last.exit_code))
        }
        (message, _) => message,
    };
    ContainerState {
        name: status.name.clone(),
        image: status.image.clone(),
        ready: if init { done } else { status.ready },
        running: state.running.is_some(),
        restarts: u32::try_from(status.restart_count).unwrap_or(0),
        reason,
        message,
        since,
    }
}

fn why(ended: &ContainerStateTerminated) -> String {
    ended.reason.clone().unwrap_or_else(|| format!("exit code {}", ended.exit_code))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn state(status: &serde_json::Value) -> PodState {
        let pod = json!({
            "metadata": {"name": "alpine", "namespace": "ns", "annotations": {"networkservicemesh.io": "kernel://a/nsm-1"}},
            "spec": {"containers": [{"name": "alpine", "image": "alpine:3.15.0"}, {"name": "cmd-nsc"}], "initContainers": [{"name": "cmd-nsc-init"}]},
            "status": status,
        });
        pod_state(&serde_json::from_value(pod).unwrap())
    }

    #[test]
    fn a_pod_that_waits_for_its_request_says_so() {
        let pod = state(&json!({
            "phase": "Pending",
            "initContainerStatuses": [{"name": "cmd-nsc-init", "ready": false, "restartCount": 0, "image": "i", "imageID": "", "state": {"running": {}}}],
            "containerStatuses": [
                {"name": "alpine", "ready": false, "restartCount": 0, "image": "i", "imageID": "", "state": {"waiting": {"reason": "PodInitializing"}}}
            ]
        }));
        assert_eq!((pod.status(), pod.ready, pod.is_injected()), ("Init:0/1".to_owned(), false, true));
        assert_eq!(pod.containers.iter().map(|c| c.name.as_str()).collect::<Vec<_>>(), ["alpine", "cmd-nsc"]);
        assert_eq!(pod.annotation.as_deref(), Some("kernel://a/nsm-1"));
    }

    #[test]
    fn a_pod_knows_the_deployment_above_its_replica_set() {
        let controller = |kind: &str, name: &str, hash: &str| {
            let owner = json!({"apiVersion": "apps/v1", "kind": kind, "name": name, "uid": "u", "controller": true});
            let pod = json!({"metadata": {"name": "p", "labels": {"pod-template-hash": hash}, "ownerReferences": [owner]}});
            pod_state(&serde_json::from_value(pod).unwrap()).controller.unwrap()
        };
        assert_eq!(controller("ReplicaSet", "nse-kernel-6d5", "6d5"), ("Deployment".to_owned(), "nse-kernel".to_owned()));
        assert_eq!(controller("ReplicaSet", "by-hand", "6d5"), ("ReplicaSet".to_owned(), "by-hand".to_owned()));
        assert_eq!(controller("DaemonSet", "nse-6d5", "6d5"), ("DaemonSet".to_owned(), "nse-6d5".to_owned()));
    }

    #[test]
    fn an_unschedulable_pod_tells_why() {
        let condition = json!({"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/2 nodes are available"});
        let pod = state(&json!({"phase": "Pending", "conditions": [condition]}));
        assert_eq!(pod.unschedulable.as_deref(), Some("0/2 nodes are available"));
        let pod =
            state(&json!({"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}, {"type": "PodScheduled", "status": "True"}]}));
        assert!(pod.ready && pod.unschedulable.is_none());
    }

    #[test]
    fn a_crash_loop_tells_how_it_ended_the_last_time() {
        let pod = state(&json!({"phase": "Running", "containerStatuses": [{
            "name": "alpine", "ready": false, "restartCount": 4, "image": "i", "imageID": "",
            "state": {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 40s"}},
            "lastState": {"terminated": {"exitCode": 137, "reason": "OOMKilled"}}
        }]}));
        assert_eq!((pod.containers[0].restarts, pod.containers[0].reason.as_deref()), (4, Some("CrashLoopBackOff")));
        assert_eq!(pod.containers[0].message.as_deref(), Some("back-off 40s; the last time it ended with OOMKilled (exit code 137)"));
    }

    #[test]
    fn an_init_container_that_is_done_is_ready_and_needs_no_reason() {
        let pod = state(&json!({"phase": "Running", "initContainerStatuses": [{
            "name": "cmd-nsc-init", "ready": true, "restartCount": 0, "image": "i", "imageID": "",
            "state": {"terminated": {"exitCode": 0, "reason": "Completed"}}
        }]}));
        assert_eq!((pod.init_containers[0].ready, pod.init_containers[0].reason.as_deref(), pod.status()), (true, None, "Running".to_owned()));
    }
}
