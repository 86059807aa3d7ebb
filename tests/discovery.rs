//! `verify` of what somebody else has deployed, against a cluster that answers as a test wants it to.

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use serde_json::{Value, json};
use wiremock::ResponseTemplate;

use crate::{
    program::{Place, Ran},
    scripted::{Cluster, ok, status},
};

/// A client that is ready, injected and annotated; made by a Deployment of the name that is given.
fn client(namespace: &str, name: &str, made_by: Option<&str>) -> Value {
    let mut metadata = json!({
        "name": name, "namespace": namespace, "labels": {"app": name, "pod-template-hash": "5d"},
        "annotations": {"networkservicemesh.io": "kernel://s/nsm-1"}
    });
    if let Some(deployment) = made_by {
        metadata["ownerReferences"] =
            json!([{"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": format!("{deployment}-5d"), "uid": "u", "controller": true}]);
    }
    let container = |name: &str| json!({"name": name, "image": "i", "imageID": "", "ready": true, "restartCount": 0, "state": {"running": {}}});
    let spec = json!({"nodeName": "n", "containers": [{"name": "own"}, {"name": "cmd-nsc"}]});
    let conditions = json!([{"type": "Ready", "status": "True"}]);
    let status = json!({"phase": "Running", "conditions": conditions, "containerStatuses": [container("own"), container("cmd-nsc")]});
    json!({"metadata": metadata, "spec": spec, "status": status})
}

fn deployment(namespace: &str, name: &str) -> Value {
    let template = json!({"metadata": {"annotations": {"networkservicemesh.io": "kernel://s/nsm-1"}}, "spec": {"containers": [{"name": "own"}]}});
    let spec = json!({"replicas": 1, "selector": {"matchLabels": {"app": name}}, "template": template});
    json!({"metadata": {"name": name, "namespace": namespace}, "spec": spec})
}

fn page(items: &[Value], next: &str) -> ResponseTemplate {
    ok(json!({"kind": "List", "apiVersion": "v1", "metadata": {"resourceVersion": "1", "continue": next}, "items": items}))
}

fn forbidden(path: &str) -> ResponseTemplate {
    status(403, "Forbidden", &format!("{path} is forbidden: User \"jane\" cannot list it"))
}

/// Whose interfaces were judged: one a connection that was found.
#[track_caller]
fn clients(ran: &Ran) -> Vec<String> {
    let document = ran.json();
    let findings = document["findings"].as_array().unwrap_or_else(|| panic!("{ran:?}"));
    let interfaces = findings.iter().filter(|finding| finding["check"] == "interface");
    interfaces.map(|finding| finding["subject"].as_str().unwrap().to_owned()).collect()
}

/// The value of a parameter of a query.
fn parameter<'a>(query: &'a str, name: &str) -> &'a str {
    query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('=')).unwrap_or_default()
}

#[test]
fn every_page_of_a_list_is_read() {
    let place = Place::new();
    let cluster = Cluster::with_queries(|method, path, query| {
        let (limit, next) = (parameter(query, "limit"), parameter(query, "continue"));
        assert!(method != "GET" || !path.ends_with("pods") || !limit.is_empty(), "a list without an end: {path}?{query}");
        match (method, path, next) {
            ("GET", "/api/v1/pods", "") => Some(page(&[client("a", "p", None)], "two")),
            ("GET", "/api/v1/pods", "two") => Some(page(&[client("a", "q-5d-x", Some("q"))], "three")),
            ("GET", "/api/v1/pods", "three") => Some(page(&[client("b", "r-5d-x", Some("r"))], "")),
            ("GET", "/apis/apps/v1/deployments", "") => Some(page(&[deployment("a", "q")], "two")),
            ("GET", "/apis/apps/v1/deployments", "two") => Some(page(&[deployment("b", "r")], "")),
            _ => None,
        }
    });
    place.kubeconfig(&cluster.url());
    let ran = place.run(&["verify", "-A", "-o", "json"]);
    assert_eq!(clients(&ran), ["a/q-5d-x nsm-1", "b/r-5d-x nsm-1", "a/p nsm-1"]);
    cluster.is_untouched();
}

#[test]
fn a_list_that_has_grown_too_old_between_two_pages_is_asked_for_at_once() {
    for gone in ["/api/v1/pods", "/apis/apps/v1/deployments"] {
        let place = Place::new();
        let cluster = Cluster::with_queries(move |method, path, query| {
            let (limit, next) = (parameter(query, "limit"), parameter(query, "continue"));
            let (first, rest) = match path {
                "/api/v1/pods" => (client("a", "p", None), client("a", "q-5d-x", Some("q"))),
                "/apis/apps/v1/deployments" => (deployment("a", "other"), deployment("a", "q")),
                _ => return None,
            };
            Some(match (method, next) {
                ("GET", "") if path == gone && limit.is_empty() => page(&[first, rest], ""),
                ("GET", "") => page(&[first], "two"),
                ("GET", _) if path == gone => status(410, "Expired", "The provided continue parameter is too old"),
                _ => page(&[rest], ""),
            })
        });
        place.kubeconfig(&cluster.url());
        let ran = place.run(&["verify", "-A", "-o", "json"]);
        // Each once, also what was on the page that counts no more.
        let found = clients(&ran);
        assert_eq!(found.iter().filter(|subject| *subject == "p nsm-1").count(), 1, "{gone}: {found:?}");
        assert_eq!(found.iter().filter(|subject| *subject == "q-5d-x nsm-1").count(), 1, "{gone}: {found:?}");
    }
}

#[test]
fn who_may_not_list_the_pods_of_all_namespaces_is_told_to_name_one() {
    let place = Place::new();
    let cluster = Cluster::new(|method, path| (method == "GET" && path == "/api/v1/pods").then(|| forbidden("pods")));
    place.kubeconfig(&cluster.url());
    let ran = place.run(&["verify", "-A"]);
    ran.exits(3).prints_nothing().says(&["NSM's clients cannot be looked for: pods is forbidden", "name one with --namespace"]);
    assert_eq!(place.run(&["verify", "-A", "-o", "json"]).exits(3).json()["outcome"], "cannot-tell");
}

#[test]
fn a_server_that_wants_to_be_left_in_peace_is_asked_again_later() {
    let place = Place::new();
    let asked = AtomicUsize::new(0);
    let cluster = Cluster::new(move |method, path| {
        (method == "GET" && path == "/api/v1/pods").then(|| match asked.fetch_add(1, Relaxed) {
            // With the seconds in the answer's own words, and as flow control says it.
            0 => {
                let body = json!({"kind": "Status", "status": "Failure", "code": 429, "message": "busy", "details": {"retryAfterSeconds": 1}});
                ResponseTemplate::new(429).set_body_json(body).insert_header("Retry-After", "1")
            }
            1 => ResponseTemplate::new(429).set_body_string("Too many requests, please try again later.").insert_header("Retry-After", "1"),
            _ => page(&[client("a", "p", None)], ""),
        })
    });
    place.kubeconfig(&cluster.url());
    let ran = place.run(&["verify", "-A", "-o", "json"]);
    assert_eq!(clients(&ran), ["p nsm-1"]);
    // And once for what carries a label of nsmctl's.
    assert_eq!(cluster.seen().iter().filter(|request| *request == "GET /api/v1/pods").count(), 3 + 1);
}

#[test]
fn the_permission_to_list_the_pods_of_a_namespace_is_enough_to_find_its_clients() {
    let place = Place::new();
    let cluster = Cluster::new(|method, path| match (method, path) {
        ("GET", "/api/v1/namespaces/web/pods") => Some(page(&[client("web", "p", None), client("web", "q-5d-x", Some("q"))], "")),
        ("GET", "/version") => None,
        ("GET", _) => Some(forbidden(path)),
        _ => None,
    });
    place.kubeconfig(&cluster.url());
    let ran = place.run(&["verify", "-n", "web", "-o", "json"]);
    // The Deployment cannot be seen, so its pod stands for itself.
    assert_eq!(clients(ran.exits(3)), ["p nsm-1", "q-5d-x nsm-1"]);
    let document = ran.json();
    let of = |check: &str| document["findings"].as_array().unwrap().iter().find(|finding| finding["check"] == check).unwrap()["verdict"].clone();
    assert_eq!(
        (of("pods-ready"), of("sidecar-injected"), of("interface"), of("network-service")),
        ("pass".into(), "pass".into(), "unknown".into(), "unknown".into())
    );
}

#[test]
fn an_endpoint_in_a_namespace_that_may_not_be_seen_hides_nobody() {
    let place = Place::new();
    let spec = json!({"network_service_names": ["s"], "path_ids": ["spiffe://d/ns/secret/pod/nse-1"]});
    let registered = json!({"apiVersion": "networkservicemesh.io/v1", "kind": "NetworkServiceEndpoint", "metadata": {"name": "nse-1", "namespace": "nsm-system"}, "spec": spec});
    let cluster = Cluster::new(move |method, path| match (method, path) {
        ("GET", "/api/v1/namespaces/web/pods") => Some(page(&[client("web", "p", None)], "")),
        ("GET", "/apis/networkservicemesh.io/v1/networkserviceendpoints") => Some(page(std::slice::from_ref(&registered), "")),
        ("GET", _) if path.contains("/namespaces/secret") => Some(forbidden(path)),
        _ => None,
    });
    place.kubeconfig(&cluster.url());
    let ran = place.run(&["verify", "-n", "web", "-o", "json"]);
    assert_eq!(clients(&ran), ["p nsm-1"]);
    assert!(cluster.seen().contains(&"GET /api/v1/namespaces/secret/pods".to_owned()), "{:?}", cluster.seen());
}

#[test]
fn nobody_to_verify_is_no_pass() {
    let place = Place::new();
    let cluster = Cluster::new(|_, _| None);
    place.kubeconfig(&cluster.url());
    for (arguments, place_name) in [(&["verify", "-A"][..], "any namespace"), (&["verify", "-n", "web"], "namespace web")] {
        let ran = place.run(arguments);
        let message = format!("there is no client of NSM's in {place_name}");
        ran.exits(3).prints_nothing().says(&[&message, "next: a client is a pod", "-A looks in all namespaces"]);
    }
}

#[test]
fn a_client_that_is_not_there_is_answered_with_those_that_are() {
    let place = Place::new();
    let cluster = Cluster::with_queries(|method, path, query| match (method, path) {
        ("GET", "/api/v1/pods" | "/api/v1/namespaces/web/pods") if parameter(query, "labelSelector").is_empty() => {
            let clients: Vec<Value> = (10..25).map(|n| client("web", &format!("p-{n}"), None)).collect();
            Some(page(&clients, ""))
        }
        _ => None,
    });
    place.kubeconfig(&cluster.url());
    let there = "next: there is web/p-10, web/p-11, ";
    let named = place.run(&["verify", "-n", "web", "--client", "nobody"]);
    named.exits(3).prints_nothing().says(&["no client of NSM's of the name nobody in namespace web", there, " and 5 more"]);
    let selected = place.run(&["verify", "-A", "--selector", "app=nobody"]);
    selected.exits(3).prints_nothing().says(&["no client of NSM's with app=nobody in any namespace", there]);
    assert_eq!(clients(&place.run(&["verify", "-A", "--client", "p-17", "-o", "json"])), ["p-17 nsm-1"]);
}

#[test]
fn a_selector_that_is_none_is_refused_in_the_servers_words() {
    let place = Place::new();
    let cluster = Cluster::with_queries(|method, path, query| {
        let is_selected = method == "GET" && path == "/api/v1/pods" && !parameter(query, "labelSelector").is_empty();
        let listed = method == "GET" && path == "/api/v1/pods";
        if is_selected {
            return Some(status(400, "BadRequest", "unable to parse requirement: found '=', expected: in, notin"));
        }
        listed.then(|| page(&[client("web", "p", None)], ""))
    });
    place.kubeconfig(&cluster.url());
    let ran = place.run(&["verify", "-A", "--selector", "app in =x"]);
    ran.exits(2).prints_nothing().says(&["--selector app in =x: unable to parse requirement", "say it as kubectl does"]);
}

#[test]
fn an_annotation_that_nsm_cannot_read_fails() {
    let place = Place::new();
    let cluster = Cluster::new(|method, path| {
        let mut broken = client("web", "broken", None);
        broken["metadata"]["annotations"]["networkservicemesh.io"] = json!("kernel://s/nsm-1, kernel://t/nsm-2");
        (method == "GET" && path == "/api/v1/pods").then(|| page(&[broken, client("web", "well", None)], ""))
    });
    place.kubeconfig(&cluster.url());
    for (arguments, subject) in [(&["verify", "-A", "-o", "json"][..], "broken"), (&["verify", "-A", "--client", "broken", "-o", "json"], "broken")] {
        let document = place.run(arguments).exits(1).json();
        let findings = document["findings"].as_array().unwrap();
        let request = findings.iter().find(|finding| finding["check"] == "request").unwrap_or_else(|| panic!("{document}"));
        assert_eq!((request["subject"].as_str(), request["verdict"].as_str()), (Some(subject), Some("fail")));
        assert!(request["observed"].as_str().unwrap().contains("white space"), "{request}");
        assert_eq!(findings.iter().any(|finding| finding["check"] == "interface"), arguments.len() == 4, "{document}");
    }
}
