//! What watches do that break off, and expire, as they do on every cluster some day.

use serde_json::json;

use crate::{
    program::Place,
    scripted::{Cluster, events, ok, silence},
};

/// The example's two pods, ready or not, and its Deployment, rolled out.
fn example(ready: bool) -> (serde_json::Value, serde_json::Value) {
    let labels = json!({"app.kubernetes.io/managed-by": "nsmctl", "app.kubernetes.io/instance": "ns-kernel2kernel", "app": "nse-kernel"});
    let pod = |name: &str| {
        let metadata = json!({"name": name, "namespace": "ns-kernel2kernel", "uid": name, "resourceVersion": "5", "labels": labels});
        let conditions = json!([{"type": "Ready", "status": if ready { "True" } else { "False" }}]);
        let spec = json!({"nodeName": "n", "containers": [{"name": "alpine"}]});
        json!({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec, "status": {"phase": "Running", "conditions": conditions}})
    };
    let status = json!({"observedGeneration": 1, "updatedReplicas": 1, "replicas": 1, "readyReplicas": 1});
    let metadata =
        json!({"name": "nse-kernel", "namespace": "ns-kernel2kernel", "uid": "d", "resourceVersion": "5", "generation": 1, "labels": labels});
    let deployment = json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata, "spec": {"replicas": 1}, "status": status});
    (json!([pod("alpine"), pod("nse-kernel-1")]), deployment)
}

fn list(items: &serde_json::Value) -> serde_json::Value {
    json!({"kind": "List", "apiVersion": "v1", "metadata": {"resourceVersion": "5"}, "items": items})
}

/// Deploys while watches on the pods answer so, one after the other, and lists of them so; says that all became ready.
#[track_caller]
fn rides_out(watches: Vec<wiremock::ResponseTemplate>, lists: Vec<serde_json::Value>) {
    let place = Place::new();
    let (watched, listed) = (std::sync::atomic::AtomicUsize::new(0), std::sync::atomic::AtomicUsize::new(0));
    let next = |counter: &std::sync::atomic::AtomicUsize| counter.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    let cluster = Cluster::new(move |method, path| match (method, path) {
        ("WATCH", "/api/v1/namespaces/ns-kernel2kernel/pods") => Some(watches.get(next(&watched)).cloned().unwrap_or_else(silence)),
        ("WATCH", _) => Some(silence()),
        // The first two lists are those of the apply: what is there, and what is superfluous.
        ("GET", "/api/v1/namespaces/ns-kernel2kernel/pods") => Some(ok(list(lists.get(next(&listed)).or(lists.last()).unwrap()))),
        ("GET", "/apis/apps/v1/namespaces/ns-kernel2kernel/deployments") => Some(ok(list(&json!([example(true).1])))),
        _ => None,
    });
    place.kubeconfig(&cluster.url());
    let ran = place.run(&["deploy", "--timeout", "20s", "--skip-preflight"]);
    ran.says(&["Pod ns-kernel2kernel/alpine: ready after", "Deployment ns-kernel2kernel/nse-kernel: ready after"]);
}

#[test]
fn a_watch_that_breaks_off_is_begun_again() {
    let ready = example(true).0;
    let modified: Vec<(&str, serde_json::Value)> = ready.as_array().unwrap().iter().map(|pod| ("MODIFIED", pod.clone())).collect();
    rides_out(vec![events(&[]), events(&modified)], vec![json!([]), example(false).0]);
}

#[test]
fn a_watch_that_has_expired_is_begun_anew_from_a_list() {
    let expired =
        json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": "Expired", "code": 410, "message": "too old resource version"});
    rides_out(vec![events(&[("ERROR", expired)])], vec![json!([]), example(false).0, example(true).0]);
}
