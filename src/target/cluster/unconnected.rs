//! Clients whose pods would sit out their grace.
//!
//! The container that NSM's webhook puts into a client makes a request of its own when it starts, and until the first one
//! has succeeded it does not end: it catches SIGTERM, and goes on trying (upstream: cmd-nsc, main.go). Once its endpoint goes
//! as well none ever does. What it is given to end counts with the first deletion only, so it must be known before.

use std::{collections::BTreeMap, time::Duration};

use futures::{AsyncBufReadExt, StreamExt, stream};
use kube::{
    Api,
    api::{DynamicObject, LogParams},
};
use serde_json::Value;

use super::{Cluster, partial::Pod};
use crate::model::{ANNOTATION, Namespaced, is_nsm_client};

/// What such a pod is given to end instead of its own grace, in seconds: its other containers have it too.
pub(super) const SHORT_GRACE: u32 = 3;
/// What Kubernetes gives a pod that names no grace, in seconds.
const USUAL_GRACE: u64 = 30;
/// What the client's log says of each of its connections, once.
const CONNECTED: &str = "successfully connected to ";
/// What its log begins with. A kubelet cuts the beginnings of long logs off, and with them what was said there.
const STARTED: &str = "Starting NetworkServiceMesh Client";
/// How much of a log is read, in bytes: a client that connects says so within its first megabyte, also at the level TRACE.
const LOG_BYTES: i64 = 4 * 1024 * 1024;
/// How many logs are read at once.
const AT_ONCE: usize = 8;
/// How long all logs may take together: who waits longer loses more than what is won.
const LOOK: Duration = Duration::from_secs(2);

/// A container of NSM's in a pod.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Client {
    pod: Namespaced,
    container: String,
    /// How many connections it asks for.
    connections: usize,
    /// How long its pod may take to end, in seconds.
    grace: u64,
}

impl Client {
    /// Those of a pod that is to be deleted and might be hurried.
    pub(super) fn of(pod: &DynamicObject) -> Vec<Self> {
        let (Some(namespace), Some(name)) = (&pod.metadata.namespace, &pod.metadata.name) else { return Vec::new() };
        let grace = pod.data.pointer("/spec/terminationGracePeriodSeconds").and_then(Value::as_u64).unwrap_or(USUAL_GRACE);
        if pod.metadata.deletion_timestamp.is_some() || grace <= u64::from(SHORT_GRACE) {
            return Vec::new();
        }
        let annotation = pod.metadata.annotations.as_ref().and_then(|annotations| annotations.get(ANNOTATION));
        let containers = pod.data.pointer("/spec/containers").and_then(Value::as_array);
        let client = |container: &Value| {
            let called = container["name"].as_str().filter(|name| is_nsm_client(name))?;
            // What it was told counts; the annotation may be the namespace's.
            let variables = container["env"].as_array().into_iter().flatten();
            let told = variables.clone().find(|variable| variable["name"] == "NSM_NETWORK_SERVICES").and_then(|variable| variable["value"].as_str());
            let urls = told.or(annotation.map(String::as_str))?;
            let connections = urls.split(',').filter(|url| !url.trim().is_empty()).count();
            Some(Self { pod: Namespaced::new(namespace, name), container: called.to_owned(), connections, grace })
        };
        containers.into_iter().flatten().filter_map(client).collect()
    }
}

/// What a log has said so far.
#[derive(Debug, Default)]
struct Heard {
    lines: usize,
    bytes: usize,
    connected: usize,
    is_whole: bool,
}

impl Heard {
    fn line(&mut self, line: &str) {
        self.lines += 1;
        self.bytes += line.len() + 1;
        self.connected += usize::from(line.contains(CONNECTED));
        self.is_whole |= line.contains(STARTED);
    }

    /// Whether the client lacks a connection, as far as its whole log says.
    fn lacks(&self, connections: usize) -> bool {
        let cut_short = self.bytes as u64 >= LOG_BYTES.unsigned_abs();
        self.connected < connections && !cut_short && (self.is_whole || self.lines == 0)
    }
}

impl Cluster {
    /// The pods of those clients that have no connection of their own yet, each with its own grace in seconds. One whose log
    /// cannot be read is not among them.
    pub(super) async fn unconnected(&self, clients: &[Client]) -> BTreeMap<Namespaced, u64> {
        let logs = stream::iter(clients).map(async |client| (client, self.is_unconnected(client).await)).buffer_unordered(AT_ONCE);
        let heard: Vec<(&Client, bool)> = logs.take_until(Box::pin(tokio::time::sleep(LOOK))).collect().await;
        heard.into_iter().filter(|(_, lacks)| *lacks).map(|(client, _)| (client.pod.clone(), client.grace)).collect()
    }

    async fn is_unconnected(&self, client: &Client) -> bool {
        let api: Api<Pod> = Api::namespaced(self.client.clone(), &client.pod.namespace);
        let params = LogParams { container: Some(client.container.clone()), limit_bytes: Some(LOG_BYTES), ..LogParams::default() };
        // One that has not started ends at once, and has no log: the server refuses.
        let Ok(log) = api.log_stream(&client.pod.name, &params).await else { return false };
        let mut log = std::pin::pin!(log);
        let (mut heard, mut line) = (Heard::default(), Vec::new());
        while heard.connected < client.connections {
            line.clear();
            match log.read_until(b'\n', &mut line).await {
                Ok(0) => break,
                Ok(_) => heard.line(&String::from_utf8_lossy(&line)),
                Err(_) => return false,
            }
        }
        heard.lacks(client.connections)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn pod(spec: &Value) -> DynamicObject {
        let metadata = json!({"name": "a", "namespace": "ns", "annotations": {"networkservicemesh.io": "kernel://s/nsm-1"}});
        serde_json::from_value(json!({"metadata": metadata, "spec": spec})).unwrap()
    }

    #[test]
    fn what_a_client_was_told_counts_before_the_annotation() {
        let env = json!([{"name": "NSM_NETWORK_SERVICES", "value": "kernel://s/nsm-1,kernel://t/nsm-2"}]);
        let two =
            Client::of(&pod(&json!({"terminationGracePeriodSeconds": 20, "containers": [{"name": "alpine"}, {"name": "cmd-nsc", "env": env}]})));
        let expected = Client { pod: Namespaced::new("ns", "a"), container: "cmd-nsc".to_owned(), connections: 2, grace: 20 };
        assert_eq!(two, std::slice::from_ref(&expected));
        let one = Client::of(&pod(&json!({"containers": [{"name": "cmd-nsc"}]})));
        assert_eq!(one, [Client { connections: 1, grace: 30, ..expected }]);
    }

    #[test]
    fn what_ends_soon_or_is_no_client_is_not_hurried() {
        assert_eq!(Client::of(&pod(&json!({"containers": [{"name": "alpine"}]}))), []);
        assert_eq!(Client::of(&pod(&json!({"terminationGracePeriodSeconds": 3, "containers": [{"name": "cmd-nsc"}]}))), []);
        let mut going = pod(&json!({"containers": [{"name": "cmd-nsc"}]}));
        going.metadata.deletion_timestamp = Some(k8s_openapi::apimachinery::pkg::apis::meta::v1::Time("2026-01-01T00:00:00Z".parse().unwrap()));
        assert_eq!(Client::of(&going), [], "only the first deletion can shorten a grace");
    }

    fn lacks(lines: &[&str], connections: usize) -> bool {
        let mut heard = Heard::default();
        lines.iter().for_each(|line| heard.line(line));
        heard.lacks(connections)
    }

    #[test]
    fn a_client_is_unconnected_where_its_whole_log_says_so() {
        let started = "time=\"2026-11-23T16:05:06Z\" level=info msg=\"Starting NetworkServiceMesh Client ...\"";
        let connected = "Nov 23 16:05:07.196 [INFO] [cmd:[/bin/cmd-nsc]] successfully connected to kernel2kernel. Response: id:\"a\"";
        assert!(lacks(&[], 1) && lacks(&[started], 1) && lacks(&[started, connected], 2));
        assert!(!lacks(&[started, connected], 1));
        assert!(!lacks(&["a line from the middle"], 1), "its beginning is not there any more");
        assert!(!lacks(&[started, &"x".repeat(4 * 1024 * 1024)], 1), "its end was not read");
    }
}
