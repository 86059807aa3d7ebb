//! `troubleshoot` against a cluster that answers as a test wants it to: what hangs, what is forbidden, what is not there.

use serde_json::{Value, json};
use wiremock::ResponseTemplate;

use crate::{
    program::{Place, Ran},
    scripted::{Cluster, ok, silence, status},
};

fn list(items: &[Value]) -> ResponseTemplate {
    ok(json!({"kind": "List", "apiVersion": "v1", "metadata": {"resourceVersion": "1"}, "items": items}))
}

/// A client of somebody else's that waits in its init container.
fn waiting() -> Value {
    let annotations = json!({"networkservicemesh.io": "kernel://s/nsm-1"});
    let metadata = json!({"name": "web", "namespace": "shop", "labels": {"app": "web"}, "annotations": annotations});
    let spec = json!({"nodeName": "n", "initContainers": [{"name": "cmd-nsc-init"}], "containers": [{"name": "own"}, {"name": "cmd-nsc"}]});
    let state = |name: &str, state: Value| json!({"name": name, "image": "i", "imageID": "", "ready": false, "restartCount": 0, "state": state});
    let init = state("cmd-nsc-init", json!({"running": {}}));
    let own = ["own", "cmd-nsc"].map(|name| state(name, json!({"waiting": {"reason": "PodInitializing"}})));
    json!({"metadata": metadata, "spec": spec, "status": {"phase": "Pending", "initContainerStatuses": [init], "containerStatuses": own}})
}

/// A cluster with that client, where `more` may answer before.
fn cluster(more: impl Fn(&str, &str) -> Option<ResponseTemplate> + Send + Sync + 'static) -> Cluster {
    Cluster::new(move |method, path| {
        more(method, path).or_else(|| match (method, path) {
            ("GET", "/api/v1/pods" | "/api/v1/namespaces/shop/pods") => Some(list(&[waiting()])),
            ("GET", "/apis/networkservicemesh.io/v1/networkservices") => {
                Some(list(&[json!({"metadata": {"name": "s", "namespace": "shop"}, "spec": {"payload": "ETHERNET"}})]))
            }
            ("GET", "/apis/networkservicemesh.io/v1/networkserviceendpoints") => {
                Some(list(&[json!({"metadata": {"name": "nse", "namespace": "nsm-system"}, "spec": {"network_service_names": ["s"]}})]))
            }
            _ => None,
        })
    })
}

fn ids(ran: &Ran) -> Vec<String> {
    let document = ran.json();
    let causes = document["causes"].as_array().unwrap_or_else(|| panic!("{ran:?}"));
    causes.iter().map(|cause| cause["check"].as_str().unwrap().to_owned()).collect()
}

/// What could not be seen, and why.
fn unseen(ran: &Ran) -> String {
    let document = ran.json();
    let unseen = document["unseen"].as_array().unwrap_or_else(|| panic!("{ran:?}"));
    assert!(unseen.iter().all(|finding| finding["verdict"] == "unknown"), "{unseen:?}");
    unseen.iter().map(|finding| format!("{}: {}\n", finding["subject"].as_str().unwrap(), finding["observed"].as_str().unwrap())).collect()
}

fn refused(message: &str) -> String {
    format!("Nov 23 12:00:00.123 [ERRO] [id:web-0] [type:networkService] try attempt has failed: {message}: all candidates have failed\n")
}

#[test]
fn where_nothing_was_deployed_whatever_there_is_is_looked_at() {
    let place = Place::new();
    let cluster =
        cluster(|_, path| path.ends_with("/log/cmd-nsc-init").then(|| ResponseTemplate::new(200).set_body_string(refused("IPPool is empty"))));
    place.kubeconfig(&cluster.url());
    for arguments in [&["troubleshoot", "-o", "json"][..], &["troubleshoot", "-A", "-o", "json"], &["troubleshoot", "-n", "shop", "-o", "json"]] {
        let ran = place.run(arguments);
        assert_eq!(ids(ran.exits(1)), ["address-pool-empty"], "{arguments:?}");
        assert!(ran.stdout.contains("web/cmd-nsc-init: try attempt has failed: IPPool is empty"), "{ran:?}");
    }
    assert_eq!(ids(place.run(&["troubleshoot", "-A", "--client", "web", "-o", "json"]).exits(1)), ["address-pool-empty"]);
    cluster.is_untouched();
    // What somebody else has deployed, nsmctl does not bring back.
    let ran = place.run(&["troubleshoot", "-A"]);
    assert!(ran.stdout.contains("kubectl apply -f MANIFESTS") && !ran.stdout.contains("nsmctl deploy"), "{ran:?}");
}

#[test]
fn a_kubelet_that_does_not_answer_costs_its_own_answers_only() {
    let place = Place::new();
    let cluster = cluster(|_, path| (path.contains("/log") || path.contains("/events")).then(silence));
    place.kubeconfig(&cluster.url());
    let ran = place.run(&["troubleshoot", "--timeout", "5s", "-o", "json"]);
    // The rest is told: the pod waits, and nobody says why.
    assert_eq!(ids(ran.exits(1)), ["request-failed"]);
    let unseen = unseen(&ran);
    assert!(unseen.contains("the log of shop/web/cmd-nsc-init: the log did not come within"), "{unseen}");
    assert!(unseen.contains("the kubelet of node n does not answer") && unseen.contains("events: events did not come within"), "{unseen}");
}

#[test]
fn what_may_not_be_seen_is_named_with_its_permission() {
    let place = Place::new();
    let forbidden = |what: &str| status(403, "Forbidden", &format!("{what} is forbidden: User \"jane\" cannot list resource \"{what}\""));
    let cluster = Cluster::new(move |method, path| {
        let last = path.split('/').next_back().unwrap_or_default();
        (method == "GET" && last.ends_with('s') && path != "/version").then(|| forbidden(last))
    });
    place.kubeconfig(&cluster.url());
    let ran = place.run(&["troubleshoot", "-o", "json"]);
    assert_eq!(ids(ran.exits(3)), [""; 0], "nothing is claimed");
    let unseen = unseen(&ran);
    for what in ["what is deployed", "pods", "NetworkServices", "nodes", "events", "nsmgr"] {
        assert!(unseen.contains(what), "{what}: {unseen}");
    }
    assert!(unseen.contains("User \"jane\" cannot list resource \"pods\""), "{unseen}");
}

#[test]
fn no_client_anywhere_is_no_pass() {
    let place = Place::new();
    let cluster = Cluster::new(|_, _| None);
    place.kubeconfig(&cluster.url());
    let ran = place.run(&["troubleshoot"]);
    ran.exits(3).says(&["nothing of the deployment", "no client of NSM's anywhere", "nsmctl deploy"]);
    assert!(ran.stdout.contains("NSM installed and ready"), "{ran:?}");
}

#[test]
fn all_the_evidence_is_shown_where_it_is_asked_for() {
    let place = Place::new();
    let errors: String =
        (0..9).map(|number| refused(&format!("IPPool is empty, kind {}", ["a", "b", "c", "d", "e", "f", "g", "h", "i"][number]))).collect();
    let cluster = cluster(move |_, path| path.ends_with("/log/cmd-nsc-init").then(|| ResponseTemplate::new(200).set_body_string(errors.clone())));
    place.kubeconfig(&cluster.url());
    let (few, all) = (place.run(&["troubleshoot"]), place.run(&["troubleshoot", "--verbose"]));
    assert!(few.exits(1).stdout.starts_with("cause: the endpoint has no addresses left [address-pool-empty, endpoint]\n"), "{few:?}");
    assert!(all.exits(1).stdout.len() >= few.stdout.len() && few.stdout.contains("nsmctl explain address-pool-empty"), "{few:?}");
}
