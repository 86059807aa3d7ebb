//! A cluster that says what a test wants it to say: every way in which a real one can refuse.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use serde_json::{Value, json};
use tokio::runtime::Runtime;
use wiremock::{Mock, MockServer, Request, Respond, ResponseTemplate, matchers::any};

/// What a scripted server answers to method, path and query; `None` leaves it to the default.
type Script = dyn Fn(&str, &str, &str) -> Option<ResponseTemplate> + Send + Sync;

/// The script, the requests so far, and what each said about who asks.
struct Scripted(Box<Script>, Arc<Mutex<Vec<String>>>, Arc<Mutex<Vec<String>>>);

impl Respond for Scripted {
    fn respond(&self, request: &Request) -> ResponseTemplate {
        let watches = request.url.query_pairs().any(|(key, value)| key == "watch" && value == "true");
        let (method, path) = (if watches { "WATCH" } else { request.method.as_str() }, request.url.path());
        // Of the logs of a pod each container's is another, which only the query says.
        let container = request.url.query_pairs().find(|(key, _)| key == "container" && path.ends_with("/log"));
        let path = &container.map_or_else(|| path.to_owned(), |(_, name)| format!("{path}/{name}"));
        self.1.lock().expect("a log").push(format!("{method} {path}"));
        let credentials = request.headers.get("authorization").and_then(|value| value.to_str().ok()).unwrap_or_default();
        self.2.lock().expect("a log").push(credentials.to_owned());
        (self.0)(method, path, request.url.query().unwrap_or_default()).unwrap_or_else(|| match (method, path.as_str()) {
            ("GET", "/version") => ok(json!({
                "major": "1", "minor": "34", "gitVersion": "v1.34.1", "gitCommit": "", "gitTreeState": "", "buildDate": "", "goVersion": "",
                "compiler": "", "platform": ""
            })),
            ("GET", "/apis/networkservicemesh.io/v1") => {
                ok(json!({"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": "networkservicemesh.io/v1", "resources": []}))
            }
            ("POST", path) if path.ends_with("/selfsubjectaccessreviews") => {
                ok(json!({"apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview", "spec": {}, "status": {"allowed": true}}))
            }
            ("GET", path) if healthy(path).is_some() => ok(healthy(path).expect("it is")),
            // A watch that sees nothing, and breaks off at once.
            ("WATCH", _) => ResponseTemplate::new(200),
            ("PATCH", _) => created(&serde_json::from_slice(&request.body).expect("a body")),
            ("GET", _)
                if path.split('/').next_back().is_some_and(|last| last.ends_with('s') && !path.contains("namespaces/ns-kernel2kernel/pods/")) =>
            {
                ok(json!({"kind": "List", "apiVersion": "v1", "metadata": {"resourceVersion": "1"}, "items": []}))
            }
            _ => status(404, "NotFound", "not found"),
        })
    }
}

/// A cluster of one node with NSM and SPIRE as they should be, and no trace of the example.
fn healthy(path: &str) -> Option<Value> {
    let list = |items: Value| Some(json!({"kind": "List", "apiVersion": "v1", "metadata": {"resourceVersion": "1"}, "items": items}));
    let part = |kind: &str, name: &str, namespace: &str| {
        let status = json!({"desiredNumberScheduled": 1, "numberReady": 1, "readyReplicas": 1});
        json!({"kind": kind, "metadata": {"name": name, "namespace": namespace}, "spec": {}, "status": status})
    };
    let pod = |name: &str, namespace: &str| {
        let status = json!({"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]});
        json!({"metadata": {"name": name, "namespace": namespace}, "spec": {"nodeName": "n", "containers": []}, "status": status})
    };
    match path {
        "/api/v1/nodes" => list(json!([{"metadata": {"name": "n"}, "status": {"conditions": [{"type": "Ready", "status": "True"}]}}])),
        "/api/v1/namespaces/nsm-system/pods" => list(json!([pod("nsmgr-1", "nsm-system"), pod("forwarder-1", "nsm-system")])),
        "/api/v1/namespaces/spire/pods" => list(json!([pod("spire-agent-1", "spire")])),
        "/apis/apps/v1/namespaces/nsm-system/daemonsets" => {
            list(json!([part("DaemonSet", "nsmgr", "nsm-system"), part("DaemonSet", "forwarder", "nsm-system")]))
        }
        "/apis/apps/v1/namespaces/nsm-system/deployments" => {
            list(json!([part("Deployment", "registry", "nsm-system"), part("Deployment", "admission-webhook", "nsm-system")]))
        }
        "/apis/apps/v1/daemonsets" => list(json!([part("DaemonSet", "spire-agent", "spire")])),
        "/apis/apps/v1/statefulsets" => list(json!([part("StatefulSet", "spire-server", "spire")])),
        "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations" => {
            let config = json!({"url": "https://a/mutate", "caBundle": "QQ=="});
            list(json!([{"metadata": {"name": "nsm"}, "webhooks": [{"clientConfig": config}]}]))
        }
        "/apis/networkservicemesh.io/v1/namespaces/nsm-system/networkserviceendpoints" => {
            let labels = json!({"forwarder": {"labels": {"nodeName": "n"}}});
            list(json!([{"metadata": {"name": "forwarder-1"}, "spec": {"network_service_labels": labels}}]))
        }
        "/apis/spire.spiffe.io/v1alpha1/clusterspiffeids" => list(json!([{"metadata": {"name": "all"}, "spec": {}}])),
        _ if path.contains("/customresourcedefinitions/") => {
            Some(json!({"metadata": {"name": "crd"}, "status": {"conditions": [{"type": "Established", "status": "True"}]}}))
        }
        _ => None,
    }
}

fn created(body: &Value) -> ResponseTemplate {
    let mut object = body.clone();
    object["metadata"]["uid"] = json!("u-1");
    object["metadata"]["resourceVersion"] = json!("2");
    ok(object)
}

pub(crate) fn ok(value: Value) -> ResponseTemplate {
    ResponseTemplate::new(200).set_body_json(value)
}

/// What a watch has seen before it breaks off: type and object of each event.
pub(crate) fn events(events: &[(&str, Value)]) -> ResponseTemplate {
    let lines: String = events.iter().map(|(kind, object)| format!("{}\n", json!({"type": kind, "object": object}))).collect();
    ResponseTemplate::new(200).set_body_raw(lines, "application/json")
}

/// A refusal, as Kubernetes words it.
pub(crate) fn status(code: u16, reason: &str, message: &str) -> ResponseTemplate {
    let body = json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "message": message, "reason": reason, "code": code});
    ResponseTemplate::new(code).set_body_json(body)
}

/// An answer that does not come while the test runs.
pub(crate) fn silence() -> ResponseTemplate {
    ResponseTemplate::new(200).set_delay(Duration::from_secs(600))
}

/// The server; it ends with the test.
pub(crate) struct Cluster {
    server: MockServer,
    seen: Arc<Mutex<Vec<String>>>,
    credentials: Arc<Mutex<Vec<String>>>,
    _runtime: Runtime,
}

impl Cluster {
    pub(crate) fn new(script: impl Fn(&str, &str) -> Option<ResponseTemplate> + Send + Sync + 'static) -> Self {
        Self::with_queries(move |method, path, _| script(method, path))
    }

    /// One whose answers depend on the query as well.
    pub(crate) fn with_queries(script: impl Fn(&str, &str, &str) -> Option<ResponseTemplate> + Send + Sync + 'static) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let (seen, credentials) = (Arc::new(Mutex::new(Vec::new())), Arc::new(Mutex::new(Vec::new())));
        let scripted = Scripted(Box::new(script), seen.clone(), credentials.clone());
        let server = runtime.block_on(async {
            let server = MockServer::start().await;
            Mock::given(any()).respond_with(scripted).mount(&server).await;
            server
        });
        Self { server, seen, credentials, _runtime: runtime }
    }

    pub(crate) fn url(&self) -> String {
        self.server.uri()
    }

    pub(crate) fn address(&self) -> SocketAddr {
        *self.server.address()
    }

    /// The requests so far: `METHOD /path`.
    pub(crate) fn seen(&self) -> Vec<String> {
        self.seen.lock().expect("a log").clone()
    }

    /// What the requests said about who asks: their `Authorization` headers.
    pub(crate) fn credentials(&self) -> Vec<String> {
        self.credentials.lock().expect("a log").clone()
    }

    /// Nothing was changed.
    #[track_caller]
    pub(crate) fn is_untouched(&self) {
        let is_question =
            |request: &String| request.starts_with("GET ") || request.starts_with("WATCH ") || request.ends_with("/selfsubjectaccessreviews");
        let changes: Vec<String> = self.seen().into_iter().filter(|request| !is_question(request)).collect();
        assert!(changes.is_empty(), "{changes:?}");
    }
}
