//! Pods that are not there, not scheduled or not started.
#![allow(clippy::redundant_closure_for_method_calls, reason = "the method itself is of a less general type than the field")]

use serde_json::json;

use crate::{
    cluster::EXAMPLE,
    drill::{Drill, Expected::Cause},
    example::{ENDPOINT, NO_IMAGE, Spoilt, container, variable},
};

const WAITING: &str = "status.containerStatuses[*].state.waiting.reason";
const ENDED: &str = "status.containerStatuses[*].lastState.terminated.reason";
const UNSCHEDULED: &str = "status.conditions[?(@.type=='PodScheduled')].reason";

pub(crate) const DRILLS: &[Drill] = &[
    // The client keeps its link for minutes, and may even be answered.
    Drill::new("endpoint-scaled-down", Cause("endpoint-scaled-down"), |scene| scene.endpoint_goes()).fails("endpoint-registered"),
    Drill::new("endpoint-scaled-down-new-client", Cause("endpoint-scaled-down"), |scene| {
        scene.client_goes();
        scene.endpoint_goes();
        // It waits for a node that has an endpoint.
        scene.client_comes(|_| ());
        scene.pods_show(UNSCHEDULED, "Unschedulable");
    }),
    Drill::new("endpoint-deleted", Cause("endpoint-gone"), |scene| {
        scene.endpoint_goes();
        scene.cluster.kubectl(&[&["delete"], ENDPOINT].concat());
    }),
    Drill::new("client-deleted", Cause("workload-missing"), |scene| scene.client_goes()).fails("pods-ready"),
    Drill::new("all-deleted", Cause("not-deployed"), |scene| {
        scene.client_goes();
        scene.endpoint_goes();
        scene.cluster.kubectl(&[&["delete"], ENDPOINT].concat());
    }),
    Drill::new("client-image", Cause("image-pull"), |scene| {
        scene.client_goes();
        scene.client_comes(|pod| pod["spec"]["containers"][0]["image"] = json!(NO_IMAGE));
        scene.pods_show(WAITING, "ImagePull");
    }),
    Drill::new("client-affinity", Cause("unschedulable-affinity"), |scene| {
        scene.client_goes();
        scene.client_comes(|pod| {
            let term = &mut pod["spec"]["affinity"]["podAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"][0];
            term["labelSelector"]["matchExpressions"][0]["values"] = json!(["somebody-else"]);
        });
        scene.pods_show(UNSCHEDULED, "Unschedulable");
    }),
    Drill::new("client-node-selector", Cause("unschedulable"), |scene| {
        scene.client_goes();
        scene.client_comes(|pod| pod["spec"]["nodeSelector"] = json!({"nobody": "has-this"}));
        scene.pods_show(UNSCHEDULED, "Unschedulable");
    }),
    Drill::new("client-too-large", Cause("unschedulable"), |scene| {
        scene.client_goes();
        scene.client_comes(|pod| pod["spec"]["containers"][0]["resources"] = json!({"requests": {"cpu": "1000"}}));
        scene.pods_show(UNSCHEDULED, "Unschedulable");
    }),
    Drill::new("nodes-cordoned", Cause("unschedulable"), |scene| {
        let nodes = scene.cluster.kubectl(&["get", "nodes", "-o", "name"]);
        for node in nodes.lines().map(str::to_owned) {
            let again = node.clone();
            scene.back(format!("{node} takes pods"), move |cluster| {
                cluster.kubectl(&["uncordon", &again]);
            });
            scene.cluster.kubectl(&["cordon", &node]);
        }
        scene.client_anew();
        scene.pods_show(UNSCHEDULED, "Unschedulable");
    }),
    Drill::new("client-crash-loop", Cause("crash-loop"), |scene| {
        scene.client_goes();
        scene.client_comes(|pod| pod["spec"]["containers"][0]["command"] = json!(["/bin/false"]));
        scene.pods_show(ENDED, "Error");
    }),
    Drill::new("client-out-of-memory", Cause("out-of-memory"), |scene| {
        scene.client_goes();
        scene.client_comes(|pod| {
            pod["spec"]["containers"][0]["command"] = json!(["tail", "/dev/zero"]);
            pod["spec"]["containers"][0]["resources"] = json!({"limits": {"memory": "16Mi"}});
        });
        scene.pods_show(ENDED, "OOMKilled");
    }),
    Drill::new("quota", Cause("pod-refused"), |scene| {
        scene.spoil(Spoilt::All);
        let metadata = json!({"name": "drill", "namespace": EXAMPLE});
        scene.add(&json!({"apiVersion": "v1", "kind": "ResourceQuota", "metadata": metadata, "spec": {"hard": {"pods": "1"}}}));
        scene.cluster.kubectl(&["delete", "pods", "-n", EXAMPLE, "-l", "app=nse-kernel", "--grace-period=1"]);
        scene.event_says("exceeded quota");
    }),
    Drill::new("endpoint-image", Cause("image-pull"), |scene| {
        scene.deploys_endpoint(&container(&json!({"image": NO_IMAGE})));
        scene.pods_show(WAITING, "ImagePull");
    })
    .deployed_with_it(),
    Drill::new("endpoint-crash-loop", Cause("crash-loop"), |scene| {
        scene.deploys_endpoint(&variable("NSM_CIDR_PREFIX", "not-a-prefix"));
        scene.pods_show(ENDED, "Error");
    })
    .deployed_with_it(),
    Drill::new("endpoint-out-of-memory", Cause("out-of-memory"), |scene| {
        // A program that takes all there is, in place of the endpoint's, which is content with very little.
        let little = json!({"memory": "16Mi"});
        let greedy = json!({"image": "alpine:3.15.0", "command": ["tail", "/dev/zero"], "resources": {"limits": little, "requests": little}});
        scene.deploys_endpoint(&container(&greedy));
        scene.pods_show(ENDED, "OOMKilled");
    })
    .deployed_with_it(),
    Drill::new("endpoint-without-its-secret", Cause("container-not-started"), |scene| {
        let from = json!({"secretKeyRef": {"name": "nobody", "key": "nothing"}});
        scene.deploys_endpoint(&container(&json!({"env": [{"name": "PASSWORD", "valueFrom": from}]})));
        scene.pods_show(WAITING, "CreateContainerConfigError");
    })
    .deployed_with_it(),
    Drill::new("endpoint-without-its-volume", Cause("container-not-started"), |scene| {
        let volume = json!({"name": "spire-agent-socket", "hostPath": {"path": "/run/nobody/sockets", "type": "Directory"}});
        scene.deploys_endpoint(&json!({"spec": {"template": {"spec": {"volumes": [volume]}}}}));
        scene.event_says("is not a directory");
    })
    .deployed_with_it(),
];
