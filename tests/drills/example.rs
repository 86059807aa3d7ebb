//! The example that the drills break, and how it is made whole again.

use std::time::Duration;

use serde_json::{Value, json};

use crate::{
    cluster::{Cluster, EXAMPLE},
    scene::Scene,
    stop::{check, comes, say, wait},
};

/// The client's pod.
pub(crate) const CLIENT: &str = "alpine";
/// What kubectl finds the endpoint's Deployment by.
pub(crate) const ENDPOINT: &[&str] = &["-n", EXAMPLE, "deployment/nse-kernel"];

/// NSM's client gives up an attempt after 15 seconds, and says why only then.
const COMPLAINT_SECONDS: u64 = 40;

/// NSM mends a connection within two or three seconds, or not at all.
const MENDED: Duration = Duration::from_secs(8);

/// How much of the example a drill has spoilt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Spoilt {
    /// Nothing that NSM does not mend by itself.
    No,
    /// The client's pod.
    Client,
    /// More than that.
    All,
}

/// The documents of the example, as nsmctl would apply them.
pub(crate) fn documents(cluster: &Cluster) -> Vec<Value> {
    documents_with(cluster, &[])
}

fn documents_with(cluster: &Cluster, options: &[&str]) -> Vec<Value> {
    let ran = cluster.nsmctl(&[&["manifests"], options].concat());
    let documents = ran.exits(0).stdout.split("---\n").filter(|text| !text.trim().is_empty());
    documents.map(|text| serde_saphyr::from_str(text).expect("YAML")).collect()
}

/// Documents as one text.
pub(crate) fn text(documents: &[Value]) -> String {
    documents.iter().map(Value::to_string).collect::<Vec<_>>().join("\n---\n")
}

/// The one of a kind.
pub(crate) fn document(cluster: &Cluster, kind: &str) -> Value {
    documents(cluster).into_iter().find(|document| document["kind"] == kind).expect("it is in the example")
}

/// A change of the client's pod.
pub(crate) type Change = fn(&mut Value);

pub(crate) fn annotated(pod: &mut Value, annotation: &str) {
    pod["metadata"]["annotations"]["networkservicemesh.io"] = json!(annotation);
}

impl Scene<'_> {
    /// Deletes the client, whose container need not be waited for.
    pub(crate) fn client_goes(&mut self) {
        self.spoil(Spoilt::Client);
        delete_client(self.cluster);
    }

    /// Creates the client, changed.
    pub(crate) fn client_comes(&mut self, change: Change) {
        self.spoil(Spoilt::Client);
        let mut pod = document(self.cluster, "Pod");
        change(&mut pod);
        self.cluster.apply(&pod.to_string());
    }

    /// Makes the client anew, so that it has to ask for its connection.
    pub(crate) fn client_anew(&mut self) {
        self.client_goes();
        self.client_comes(|_| ());
    }

    /// Deploys the example, where there is none, with other documents than its own.
    pub(crate) fn deploys(&mut self, change: impl FnOnce(&mut Vec<Value>)) {
        self.deploys_with(&[], change);
    }

    /// The same, of what nsmctl would apply with these options.
    pub(crate) fn deploys_with(&mut self, options: &[&str], change: impl FnOnce(&mut Vec<Value>)) {
        check();
        self.spoil(Spoilt::All);
        let mut documents = documents_with(self.cluster, options);
        change(&mut documents);
        // Its namespace is there: what is cleared away leaves it.
        documents.retain(|document| document["kind"] != "Namespace");
        self.cluster.apply(&text(&documents));
    }

    /// Deploys the example with a change of its endpoint, as `kubectl patch` reads it.
    pub(crate) fn deploys_endpoint(&mut self, change: &Value) {
        let cluster = self.cluster;
        self.deploys(|documents| {
            let endpoint = documents.iter_mut().find(|document| document["kind"] == "Deployment").expect("an endpoint");
            let file = cluster.place.write("endpoint.json", &endpoint.to_string());
            let file = file.to_str().expect("UTF-8");
            let patched = cluster.kubectl(&["patch", "--local", "-f", file, "--type=strategic", "-p", &change.to_string(), "-o", "json"]);
            *endpoint = serde_json::from_str(&patched).expect("JSON");
        });
    }

    /// The endpoint's pods are gone, and what they have registered with them; the client keeps its link.
    pub(crate) fn endpoint_goes(&mut self) {
        self.spoil(Spoilt::All);
        let before = self.endpoints();
        self.cluster.kubectl(&["scale", "-n", EXAMPLE, "deployment/nse-kernel", "--replicas=0"]);
        wait("the end of the endpoint's pod", 60, || self.endpoints().is_empty());
        forget(self.cluster, &before);
    }

    /// Waits until the client has been told what is wrong.
    pub(crate) fn client_complains(&self, words: &[&str]) {
        self.complains(CLIENT, "cmd-nsc-init", words);
    }

    /// Waits until a container's log has one of these words.
    pub(crate) fn complains(&self, pod: &str, container: &str, words: &[&str]) {
        let log = || {
            let arguments = ["logs", "-n", EXAMPLE, pod, "-c", container, "--tail=200"];
            if self.cluster.runs(&arguments) { self.cluster.kubectl(&arguments) } else { String::new() }
        };
        let has_any = || {
            let log = log().to_lowercase();
            words.iter().any(|word| log.contains(&word.to_lowercase()))
        };
        if !comes(Duration::from_secs(COMPLAINT_SECONDS), has_any) {
            let log = log();
            let last = log.lines().rfind(|line| line.contains("[ERRO]")).or_else(|| log.lines().last());
            let last: String = last.unwrap_or("none").chars().take(400).collect();
            panic!("{container} of {pod} says none of {words:?} within {COMPLAINT_SECONDS} s; its last words are: {last}");
        }
    }

    /// Waits until the client's pod is ready.
    pub(crate) fn client_is_ready(&self) {
        check();
        self.cluster.kubectl(&["wait", "-n", EXAMPLE, "--for=condition=ready", "pod", CLIENT, "--timeout=40s"]);
    }

    /// Waits until kubectl prints these words of the example's pods.
    pub(crate) fn pods_show(&self, path: &str, word: &str) {
        let shown = |path: &str| self.cluster.kubectl(&["get", "pods", "-n", EXAMPLE, "-o", &format!("jsonpath={{.items[*].{path}}}")]);
        if !comes(Duration::from_secs(COMPLAINT_SECONDS), || shown(path).contains(word)) {
            panic!(
                "no {word} in {path} within {COMPLAINT_SECONDS} s; the containers are {}",
                shown("status.containerStatuses[*]['state','lastState']")
            );
        }
    }

    /// Waits until an event in the example's namespace has these words.
    pub(crate) fn event_says(&self, words: &str) {
        let messages = ["get", "events", "-n", EXAMPLE, "-o", "jsonpath={.items[*].message}"];
        wait(&format!("an event that says {words}"), 40, || self.cluster.kubectl(&messages).contains(words));
    }
}

/// Deletes the client's pod. One that is connected needs a moment to close its connection: else its addresses, the only pair
/// there is, stay taken for half a minute. One that is not would sit out any grace.
fn delete_client(cluster: &Cluster) {
    let running = "jsonpath={.status.containerStatuses[?(@.name=='cmd-nsc')].state.running}";
    let is_connected = !cluster.kubectl(&["get", "pod", "-n", EXAMPLE, CLIENT, "--ignore-not-found", "-o", running]).is_empty();
    let grace = if is_connected { "--grace-period=10" } else { "--grace-period=1" };
    cluster.kubectl(&["delete", "pod", "-n", EXAMPLE, CLIENT, grace, "--timeout=60s", "--ignore-not-found"]);
}

/// One object in another: maps field by field, all else as it is in the second.
fn merged(mut one: Value, other: &Value) -> Value {
    match (&mut one, other) {
        (Value::Object(fields), Value::Object(more)) => {
            for (name, value) in more {
                let known = fields.remove(name).unwrap_or_default();
                fields.insert(name.clone(), merged(known, value));
            }
            one
        }
        _ => other.clone(),
    }
}

/// A change of the endpoint's container.
pub(crate) fn container(change: &Value) -> Value {
    json!({"spec": {"template": {"spec": {"containers": [merged(json!({"name": "nse"}), change)]}}}})
}

/// A change of one of its variables.
pub(crate) fn variable(name: &str, value: &str) -> Value {
    container(&json!({"env": [{"name": name, "value": value}]}))
}

/// What cannot be had, and at once: nobody listens there, and no name is looked up first.
pub(crate) const NO_IMAGE: &str = "localhost:1/nothing:1";

/// Removes what pods that are gone have registered; else it would run out by itself in a minute.
fn forget(cluster: &Cluster, pods: &[String]) {
    let registered = cluster.kubectl(&["get", "networkserviceendpoints", "-n", "nsm-system", "-o", "name"]);
    for name in registered.lines().filter(|name| pods.iter().any(|pod| name.contains(pod.as_str()))) {
        cluster.kubectl(&["delete", "-n", "nsm-system", name, "--ignore-not-found"]);
    }
}

/// The workloads of NSM and SPIRE of which not all is ready, and the webhook where it refuses a pod.
fn unready(cluster: &Cluster) -> Vec<String> {
    let mut unready = Vec::new();
    for namespace in [crate::scene::NSM, crate::scene::SPIRE] {
        let all = cluster.get(&["daemonsets,deployments,statefulsets", "-n", namespace]);
        for object in all["items"].as_array().expect("a list") {
            let number = |at: &str| object.pointer(at).and_then(Value::as_u64).unwrap_or_default();
            let is_daemonset = object["kind"] == "DaemonSet";
            let wanted = number(if is_daemonset { "/status/desiredNumberScheduled" } else { "/spec/replicas" });
            let ready = number(if is_daemonset { "/status/numberReady" } else { "/status/readyReplicas" });
            let updated = number(if is_daemonset { "/status/updatedNumberScheduled" } else { "/status/updatedReplicas" });
            let is_seen = number("/metadata/generation") == number("/status/observedGeneration");
            if !is_seen || ready != wanted || updated != wanted || wanted == 0 {
                unready.push(format!("{} {} ({ready} of {wanted} ready)", object["kind"], object["metadata"]["name"]));
            }
        }
    }
    // Ready is what the pod says; that the API server reaches it is seen by its letting a pod pass.
    if unready.is_empty() && !cluster.runs(&["run", "probe", "-n", "default", "--image=alpine:3.15.0", "--dry-run=server"]) {
        unready.push("the admission webhook".to_owned());
    }
    unready
}

/// Waits until NSM and SPIRE are whole.
fn system_is_whole(cluster: &Cluster) -> Result<(), String> {
    match comes(Duration::from_secs(90), || unready(cluster).is_empty()) {
        true => Ok(()),
        false => Err(format!("not ready after 90 s: {}", unready(cluster).join(", "))),
    }
}

/// Removes the example from its namespace, which stays: its end takes five seconds.
pub(crate) fn clear(cluster: &Cluster) {
    if cluster.has(&["namespace", EXAMPLE]) {
        // Pods go last, by a deletion of their own: those that their owner takes along have 30 seconds, and an endpoint that
        // waits for something sits them out.
        let owners = "deployments,replicasets,networkservices.networkservicemesh.io,resourcequotas";
        cluster.kubectl(&["delete", owners, "--all", "-n", EXAMPLE, "--cascade=orphan", "--timeout=60s"]);
        cluster.kubectl(&["delete", "pods", "--all", "-n", EXAMPLE, "--grace-period=1", "--timeout=60s"]);
    }
    let registered = cluster.kubectl(&["get", "networkserviceendpoints", "-n", "nsm-system", "-o", "name"]);
    for name in registered.lines().filter(|name| name.contains("nse-kernel")) {
        cluster.kubectl(&["delete", "-n", "nsm-system", name, "--ignore-not-found"]);
    }
}

/// Waits until NSM is whole again and the example too, or gone where the drill has spoilt more of it than its client.
///
/// # Errors
///
/// What is not, and why.
pub(crate) fn make_whole(cluster: &Cluster, spoilt: Spoilt) -> Result<(), String> {
    system_is_whole(cluster)?;
    if spoilt == Spoilt::All {
        clear(cluster);
    } else if spoilt == Spoilt::Client {
        delete_client(cluster);
        cluster.apply(&document(cluster, "Pod").to_string());
        // One that does not become ready is made anew below.
        cluster.runs(&["wait", "-n", EXAMPLE, "--for=condition=ready", "pod", CLIENT, "--timeout=20s"]);
    }
    let works = || cluster.nsmctl(&["verify", "--timeout", "10s"]).code == Some(0);
    if spoilt != Spoilt::All && !comes(MENDED, works) {
        clear(cluster);
        deploy(cluster)?;
    }
    // Each drill is about its own fault, and a namespace keeps its warnings for an hour. All at once: `delete events --all`
    // asks for one after the other.
    cluster.kubectl(&["delete", "--raw", &format!("/api/v1/namespaces/{EXAMPLE}/events")]);
    Ok(())
}

/// Deploys the example, where there is none.
///
/// # Errors
///
/// What nsmctl said.
pub(crate) fn deploy(cluster: &Cluster) -> Result<(), String> {
    let deploy = || cluster.nsmctl(&["deploy", "--timeout", "60s"]);
    let mut ran = deploy();
    if ran.code != Some(0) {
        say(&format!("  once more, since nsmctl deploy ended with {:?}: {}", ran.code, ran.stderr));
        clear(cluster);
        ran = deploy();
    }
    if ran.code == Some(0) { Ok(()) } else { Err(format!("nsmctl deploy ended with {:?}: {}", ran.code, ran.stderr)) }
}
