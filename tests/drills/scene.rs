//! What a drill may do to the cluster. Every change is made together with its way back.

use std::panic::{AssertUnwindSafe, catch_unwind};

use serde_json::{Value, json};

use crate::{
    cluster::{Cluster, EXAMPLE},
    example::{self, Spoilt},
    stop::{check, wait},
};

/// Where NSM and SPIRE are.
pub(crate) const NSM: &str = "nsm-system";
pub(crate) const SPIRE: &str = "spire";
/// A namespace for what a drill puts beside the example.
pub(crate) const BESIDE: &str = "nsmctl-drills";

/// How a patch is read.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Patch {
    /// Lists are merged by the names of their items.
    Strategic,
    /// A list of operations.
    Json,
}

type Back = Box<dyn FnOnce(&Cluster)>;

/// One drill's view of the cluster.
pub(crate) struct Scene<'a> {
    pub(crate) cluster: &'a Cluster,
    ways_back: Vec<(String, Back)>,
    /// How much of the example is to be made anew afterwards.
    pub(crate) spoilt: Spoilt,
    /// What `nsmctl troubleshoot` is given beside `-o json`.
    pub(crate) arguments: Vec<String>,
}

impl<'a> Scene<'a> {
    pub(crate) fn new(cluster: &'a Cluster) -> Self {
        Self { cluster, ways_back: Vec::new(), spoilt: Spoilt::No, arguments: Vec::new() }
    }

    /// Remembers the way back of a change that is about to be made.
    pub(crate) fn back(&mut self, what: impl Into<String>, way: impl FnOnce(&Cluster) + 'static) {
        check();
        self.ways_back.push((what.into(), Box::new(way)));
    }

    /// Goes all ways back, the last change first; one that fails does not keep the others. Says which failed.
    pub(crate) fn restore(&mut self) -> Vec<String> {
        let mut failed = Vec::new();
        while let Some((what, way)) = self.ways_back.pop() {
            let cluster = AssertUnwindSafe(self.cluster);
            if catch_unwind(AssertUnwindSafe(move || way(*cluster))).is_err() {
                failed.push(what);
            }
        }
        failed
    }

    pub(crate) fn spoil(&mut self, how: Spoilt) {
        self.spoilt = self.spoilt.max(how);
    }

    /// Has troubleshoot hold the cluster against these instead of the example's own manifests.
    pub(crate) fn against(&mut self, documents: &[Value]) {
        let file = self.cluster.place.write("drill.yaml", &example::text(documents));
        self.arguments = vec!["-f".to_owned(), file.to_str().expect("UTF-8").to_owned()];
    }

    /// Changes an object. `at` is what kubectl finds it by.
    pub(crate) fn patch(&mut self, at: &'static [&'static str], how: Patch, patch: &Value) {
        let before = bare(self.cluster.get(at));
        self.back(format!("{at:?} as it was"), move |cluster| put(cluster, "replace", &before));
        let how = match how {
            Patch::Strategic => "--type=strategic",
            Patch::Json => "--type=json",
        };
        self.cluster.kubectl(&[&["patch"], at, &[how, "-p", &patch.to_string()]].concat());
    }

    /// Removes an object, which comes back as it was.
    pub(crate) fn remove(&mut self, at: &'static [&'static str]) {
        let before = bare(self.cluster.get(at));
        self.back(format!("{at:?} again"), move |cluster| {
            if !cluster.has(at) {
                put(cluster, "create", &before);
            }
        });
        self.cluster.kubectl(&[&["delete"], at, &["--wait=true", "--timeout=30s"]].concat());
    }

    /// Adds an object, which goes again.
    pub(crate) fn add(&mut self, object: &Value) {
        let text = object.to_string();
        self.back(format!("without {}", object["metadata"]["name"]), {
            let text = text.clone();
            move |cluster| {
                let file = cluster.place.write("added.json", &text);
                cluster.kubectl(&["delete", "-f", file.to_str().expect("UTF-8"), "--ignore-not-found", "--grace-period=1", "--timeout=60s"]);
            }
        });
        self.cluster.apply(&text);
    }

    /// A namespace beside the example's.
    pub(crate) fn add_namespace(&mut self) {
        self.back("without the namespace beside", |cluster| {
            // Its last traces may go by themselves, and the next drill that needs it waits for them.
            cluster.kubectl(&["delete", "namespace", BESIDE, "--ignore-not-found", "--wait=false"]);
        });
        wait("the end of an earlier namespace", 30, || !self.cluster.has(&["namespace", BESIDE]));
        self.cluster.kubectl(&["create", "namespace", BESIDE]);
    }

    /// Takes all pods of a Deployment away and waits for their end.
    pub(crate) fn scale_down(&mut self, namespace: &'static str, deployment: &'static str) {
        let replicas = self.cluster.get(&["-n", namespace, deployment])["spec"]["replicas"].to_string();
        self.back(format!("{deployment} with {replicas}"), move |cluster| {
            cluster.kubectl(&["scale", "-n", namespace, deployment, &format!("--replicas={replicas}")]);
        });
        let of_it = pods_of(self.cluster, namespace, deployment);
        self.cluster.kubectl(&["scale", "-n", namespace, deployment, "--replicas=0"]);
        wait("the end of its pods", 60, || self.cluster.kubectl(&["get", "pods", "-n", namespace, "-l", &of_it, "-o", "name"]).is_empty());
    }

    /// Takes a DaemonSet's pod away from one node and leaves those of the others alone: with OnDelete a changed template
    /// replaces none of them.
    pub(crate) fn leave_node(&mut self, at: &'static [&'static str], node: &str) {
        let elsewhere = json!([{"matchExpressions": [{"key": "kubernetes.io/hostname", "operator": "NotIn", "values": [node]}]}]);
        let affinity = json!({"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": elsewhere}}});
        let on_delete = json!({"type": "OnDelete", "rollingUpdate": null});
        let (namespace, of_it) = (at[1], pods_of(self.cluster, at[1], at[2]));
        self.patch(at, Patch::Strategic, &json!({"spec": {"updateStrategy": on_delete, "template": {"spec": {"affinity": affinity}}}}));
        let there = format!("--field-selector=spec.nodeName={node}");
        wait("the end of its pod", 60, || self.cluster.kubectl(&["get", "pods", "-n", namespace, "-l", &of_it, &there, "-o", "name"]).is_empty());
    }

    /// Gives a DaemonSet's pod on one node an image that cannot be had.
    pub(crate) fn spoil_image(&mut self, at: &'static [&'static str], container: &str, node: &str) {
        let on_delete = json!({"type": "OnDelete", "rollingUpdate": null});
        let containers = json!([{"name": container, "image": example::NO_IMAGE}]);
        let (namespace, of_it) = (at[1], pods_of(self.cluster, at[1], at[2]));
        self.patch(at, Patch::Strategic, &json!({"spec": {"updateStrategy": on_delete, "template": {"spec": {"containers": containers}}}}));
        let there = format!("--field-selector=spec.nodeName={node}");
        let pods = ["pods", "-n", namespace, "-l", &of_it, &there];
        // The pod that cannot start would stay for ever: with OnDelete it is not replaced either.
        let (owned, there_again) = (of_it.clone(), there.clone());
        self.back("its pod again", move |cluster| {
            cluster.kubectl(&["delete", "pods", "-n", namespace, "-l", &owned, &there_again, "--grace-period=1"]);
        });
        // It goes after the object is replaced, so that the way back of the object must be the last one in the list.
        let last = self.ways_back.len() - 1;
        self.ways_back.swap(last, last - 1);
        self.cluster.kubectl(&[&["delete"], pods.as_slice(), &["--grace-period=1"]].concat());
        let waiting = "jsonpath={.items[*].status.containerStatuses[*].state.waiting.reason}";
        wait("an image that cannot be had", 30, || {
            self.cluster.kubectl(&[&["get"], pods.as_slice(), &["-o", waiting]].concat()).contains("ImagePull")
        });
    }

    /// The pods of the endpoint, by name.
    pub(crate) fn endpoints(&self) -> Vec<String> {
        let named = self.cluster.kubectl(&["get", "pods", "-n", EXAMPLE, "-l", "app=nse-kernel", "-o", "jsonpath={.items[*].metadata.name}"]);
        named.split_whitespace().map(str::to_owned).collect()
    }

    /// The node of the client.
    pub(crate) fn node(&self) -> String {
        self.cluster.kubectl(&["get", "pod", "-n", EXAMPLE, example::CLIENT, "-o", "jsonpath={.spec.nodeName}"])
    }

    /// Runs a command in a pod of the example, with the right to change its network: from a container beside its own, which
    /// shares the network with it.
    pub(crate) fn in_pod(&self, pod: &str, command: &[&str]) {
        check();
        let state = "jsonpath={.status.ephemeralContainerStatuses[?(@.name=='hand')].state}";
        let hand = || self.cluster.kubectl(&["get", "pod", "-n", EXAMPLE, pod, "-o", state]);
        if hand().is_empty() {
            // It goes with the pod, and at once.
            let idle = ["--", "sh", "-c", "trap 'exit 0' TERM; sleep infinity & wait"];
            let beside = ["debug", "-n", EXAMPLE, pod, "--image=alpine:3.15.0", "--profile=netadmin", "-c", "hand", "-q"];
            self.cluster.kubectl(&[beside.as_slice(), &idle].concat());
        }
        wait("a container beside", 30, || hand().contains("running"));
        self.cluster.kubectl(&[&["exec", "-n", EXAMPLE, pod, "-c", "hand", "--"], command].concat());
    }

    /// What a command in that container prints; nothing where the pod is not there any more.
    pub(crate) fn printed(&self, pod: &str, command: &[&str]) -> String {
        let exec = ["exec", "-n", EXAMPLE, pod, "-c", "hand", "--"];
        if self.cluster.runs(&[exec.as_slice(), &["true"]].concat()) {
            self.cluster.kubectl(&[exec.as_slice(), command].concat())
        } else {
            String::new()
        }
    }
}

/// The selector of a workload's pods.
fn pods_of(cluster: &Cluster, namespace: &str, object: &str) -> String {
    let labels = cluster.get(&["-n", namespace, object])["spec"]["selector"]["matchLabels"].clone();
    let labels = labels.as_object().expect("labels").iter().map(|(key, value)| format!("{key}={}", value.as_str().unwrap_or_default()));
    labels.collect::<Vec<_>>().join(",")
}

/// An object without what the server has put into it.
fn bare(mut object: Value) -> Value {
    if let Some(fields) = object.as_object_mut() {
        fields.remove("status");
    }
    if let Some(metadata) = object["metadata"].as_object_mut() {
        for name in ["resourceVersion", "uid", "creationTimestamp", "generation", "managedFields", "ownerReferences", "selfLink"] {
            metadata.remove(name);
        }
    }
    object
}

/// Creates or replaces an object.
fn put(cluster: &Cluster, verb: &str, object: &Value) {
    let file = cluster.place.write("object.json", &object.to_string());
    cluster.kubectl(&[verb, "-f", file.to_str().expect("UTF-8")]);
}
