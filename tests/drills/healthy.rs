//! Nothing is broken, or nothing of what was asked about.

use serde_json::json;

use crate::{
    cluster::EXAMPLE,
    drill::{Drill, Expected::Nothing},
    example::NO_IMAGE,
    scene::{BESIDE, Scene},
    stop::wait,
};

pub(crate) const DRILLS: &[Drill] = &[
    Drill::new("healthy", Nothing, |_| ()),
    Drill::new("a-broken-pod-beside", Nothing, |scene| {
        let container = json!({"name": "broken", "image": NO_IMAGE});
        scene.add(
            &json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "broken", "namespace": EXAMPLE}, "spec": {"containers": [container]}}),
        );
        scene.pods_show("status.containerStatuses[*].state.waiting.reason", "ImagePull");
    }),
    Drill::new("a-broken-client-elsewhere", Nothing, |scene| {
        scene.add_namespace();
        let container = json!({"name": "theirs", "image": "alpine:3.15.0", "command": ["sleep", "infinity"]});
        let metadata = json!({"name": "theirs", "namespace": BESIDE, "annotations": {"networkservicemesh.io": "kernel://nobody/nsm-1"}});
        scene.add(&json!({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": {"containers": [container]}}));
        let running = "jsonpath={.status.initContainerStatuses[*].state.running}";
        wait("a client that waits", 30, || !scene.cluster.kubectl(&["get", "pod", "-n", BESIDE, "theirs", "-o", running]).is_empty());
    }),
    // NSM takes any of the two; that is a warning, and the connection works.
    Drill::new("the-same-service-elsewhere", Nothing, |scene| {
        scene.add_namespace();
        let metadata = json!({"name": "kernel2kernel", "namespace": BESIDE});
        scene
            .add(&json!({"apiVersion": "networkservicemesh.io/v1", "kind": "NetworkService", "metadata": metadata, "spec": {"payload": "ETHERNET"}}));
    }),
    // A pod of this name has failed before, and its warnings stay for an hour.
    Drill::new("troubles-that-are-over", Nothing, |scene| {
        scene.client_goes();
        scene.client_comes(|pod| pod["spec"]["containers"][0]["image"] = json!(NO_IMAGE));
        scene.event_says("ImagePullBackOff");
        scene.client_anew();
        works(scene);
    }),
];

fn works(scene: &Scene<'_>) {
    scene.client_is_ready();
    wait("a connection that works", 30, || scene.cluster.nsmctl(&["verify"]).code == Some(0));
}
