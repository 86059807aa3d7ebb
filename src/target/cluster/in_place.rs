//! A pod that was changed in place: until its kubelet has taken the change up, its status tells of what was before.

use std::collections::BTreeMap;

use kube::{Api, api::DynamicObject};
use serde_json::Value;

use super::until::until;

/// What the kubelet has to take up.
#[derive(Debug, PartialEq)]
pub(super) struct Change {
    uid: Option<String>,
    generation: Option<i64>,
    /// The containers with another image, each with its status before the change.
    containers: BTreeMap<String, Value>,
}

/// What was changed in place in a pod that has begun to run; of a pod, only images can be (kubernetes: Pod update and replacement).
pub(super) fn change(before: &DynamicObject, after: &DynamicObject) -> Option<Change> {
    let images = |pod: &DynamicObject| -> BTreeMap<String, Value> {
        let containers = list(pod, "/spec/containers").iter();
        containers.filter_map(|container| Some((container["name"].as_str()?.to_owned(), container["image"].clone()))).collect()
    };
    let was = images(before);
    let changed = images(after).into_iter().filter(|(name, image)| was.get(name).is_some_and(|earlier| earlier != image));
    let containers: BTreeMap<String, Value> = changed.filter_map(|(name, _)| Some((name.clone(), status(before, &name)?.clone()))).collect();
    let change = Change { uid: after.metadata.uid.clone(), generation: after.metadata.generation, containers };
    (!change.containers.is_empty() && before.metadata.uid == after.metadata.uid).then_some(change)
}

/// Whether a pod's status tells of the change: the kubelet may say that it has seen the newest generation before it has ended
/// the container of the one before, so the container's own status must have become another as well.
fn is_taken_up(change: &Change, now: Option<&DynamicObject>) -> bool {
    let Some(now) = now.filter(|now| now.metadata.uid == change.uid) else { return true };
    // Kubernetes before 1.33 tells no generation in the status.
    let observed = now.data.pointer("/status/observedGeneration").and_then(Value::as_i64);
    let is_behind = observed.zip(change.generation).is_some_and(|(observed, generation)| observed < generation);
    !is_behind && change.containers.iter().all(|(name, earlier)| status(now, name) != Some(earlier))
}

/// Waits until the pod's status tells of the change, or the pod is gone. Has no end of its own.
pub(super) async fn wait(api: &Api<DynamicObject>, name: &str, change: &Change) -> kube::Result<()> {
    until(api, name, |now| is_taken_up(change, now)).await
}

fn list<'a>(pod: &'a DynamicObject, pointer: &str) -> &'a [Value] {
    pod.data.pointer(pointer).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

fn status<'a>(pod: &'a DynamicObject, name: &str) -> Option<&'a Value> {
    list(pod, "/status/containerStatuses").iter().find(|status| status["name"] == name)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn pod(generation: i64, image: &str, status: &Value) -> DynamicObject {
        let pod = json!({
            "metadata": {"name": "alpine", "uid": "u", "generation": generation},
            "spec": {"containers": [{"name": "alpine", "image": image}, {"name": "cmd-nsc", "image": "c:1"}]},
            "status": status,
        });
        serde_json::from_value(pod).unwrap()
    }

    fn running(observed: i64, id: &str) -> Value {
        json!({"observedGeneration": observed, "containerStatuses": [
            {"name": "alpine", "ready": true, "containerID": id, "state": {"running": {}}},
            {"name": "cmd-nsc", "ready": true, "containerID": "c", "state": {"running": {}}},
        ]})
    }

    #[test]
    fn a_container_that_still_runs_as_before_has_not_taken_its_change_up() {
        let change = change(&pod(1, "a:1", &running(1, "old")), &pod(2, "a:2", &running(1, "old"))).unwrap();
        let taken_up = |status: &Value| is_taken_up(&change, Some(&pod(2, "a:2", status)));
        assert!(!taken_up(&running(1, "old")), "nothing has happened yet");
        assert!(!taken_up(&running(2, "old")), "seen, and the old container runs on");
        assert!(!taken_up(&running(1, "new")), "started anew for another reason");
        assert!(taken_up(&running(2, "new")));
        let refused = json!({"observedGeneration": 2, "containerStatuses": [
            {"name": "alpine", "ready": false, "containerID": "old", "state": {"waiting": {"reason": "ErrImagePull"}}}]});
        assert!(taken_up(&refused), "what comes of it is judged elsewhere");
    }

    #[test]
    fn a_kubelet_that_tells_no_generation_is_believed_by_its_containers() {
        let change = change(&pod(1, "a:1", &running(1, "old")), &pod(2, "a:2", &running(1, "old"))).unwrap();
        let without = |id: &str| {
            let mut status = running(0, id);
            status.as_object_mut().unwrap().remove("observedGeneration");
            pod(2, "a:2", &status)
        };
        assert!(!is_taken_up(&change, Some(&without("old"))));
        assert!(is_taken_up(&change, Some(&without("new"))));
    }

    #[test]
    fn a_pod_that_is_gone_or_another_is_not_waited_for() {
        let change = change(&pod(1, "a:1", &running(1, "old")), &pod(2, "a:2", &running(1, "old"))).unwrap();
        assert!(is_taken_up(&change, None));
        let mut another = pod(1, "a:2", &running(1, "old"));
        another.metadata.uid = Some("another".to_owned());
        assert!(is_taken_up(&change, Some(&another)));
    }

    #[test]
    fn only_another_image_of_a_container_that_has_a_status_is_waited_for() {
        let before = pod(1, "a:1", &running(1, "old"));
        assert_eq!(change(&before, &pod(1, "a:1", &running(1, "old"))), None, "labels only");
        assert_eq!(change(&pod(1, "a:1", &json!({})), &pod(2, "a:2", &json!({}))), None, "its kubelet has said nothing of it yet");
    }
}
