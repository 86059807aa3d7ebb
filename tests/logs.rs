//! `nsmctl logs`: who logged what and when, on this machine and on a scripted cluster.

use std::sync::atomic::{AtomicUsize, Ordering};

use nix::sys::signal::Signal;
use serde_json::{Value, json};
use wiremock::ResponseTemplate;

use crate::{
    exec::{client, pods},
    program::{Place, eventually},
    scripted::{Cluster, ok, status},
};

const PODS: &str = "/api/v1/namespaces/ns-kernel2kernel/pods";
const NSM_PODS: &str = "/api/v1/namespaces/nsm-system/pods";

/// A log of lines with the second and the text of each.
fn log(lines: &[(&str, &str)]) -> ResponseTemplate {
    let text: String = lines.iter().map(|(second, text)| format!("2026-01-01T00:00:{second}Z {text}\n")).collect();
    ResponseTemplate::new(200).set_body_raw(text, "text/plain")
}

fn running(name: &str, namespace: &str, labels: &Value, node: &str, container: &str) -> Value {
    let status = json!({"name": container, "image": "i", "imageID": "", "ready": true, "restartCount": 0, "state": {"running": {}}});
    json!({
        "metadata": {"name": name, "namespace": namespace, "uid": "u", "labels": labels},
        "spec": {"nodeName": node, "containers": [{"name": container}]},
        "status": {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}], "containerStatuses": [status]}
    })
}

fn all_pods() -> Value {
    let labels = json!({"app": "nse-kernel", "spiffe.io/spiffe-id": "true"});
    pods(&json!([client(), running("nse-kernel-x", "ns-kernel2kernel", &labels, "m", "nse")]))
}

fn nsm_pods() -> Value {
    let pod = |name: &str, node: &str, container: &str| running(name, "nsm-system", &json!({}), node, container);
    pods(&json!([
        pod("forwarder-1", "n", "forwarder"),
        pod("nsmgr-1", "n", "nsmgr"),
        pod("nsmgr-2", "m", "nsmgr"),
        pod("nsmgr-3", "elsewhere", "nsmgr"),
        pod("registry-1", "n", "registry"),
    ]))
}

/// A cluster with every log of the example, in the order in which its containers are asked for.
fn logging(method: &str, path: &str) -> Option<ResponseTemplate> {
    match (method, path) {
        ("GET", PODS) => Some(ok(all_pods())),
        ("GET", NSM_PODS) => Some(ok(nsm_pods())),
        ("GET", path) => Some(match path.split("/pods/").nth(1)? {
            "alpine/log/alpine" => log(&[]),
            "alpine/log/cmd-nsc-init" => log(&[("01", "requests"), ("05", "connected")]),
            "alpine/log/cmd-nsc" => log(&[("06", "monitors")]),
            "nse-kernel-x/log/nse" => log(&[("04.5", "accepts")]),
            "nsmgr-1/log/nsmgr" => log(&[("02", "selects"), ("04.75", "answers")]),
            "nsmgr-2/log/nsmgr" => log(&[("04", "passes on")]),
            "forwarder-1/log/forwarder" => log(&[("03", "links")]),
            _ => return None,
        }),
        _ => None,
    }
}

#[test]
fn that_nobody_has_logged_anything_is_said() {
    let cluster = Cluster::new(|method, path| match (method, path) {
        ("GET", path) if path.contains("/log/") => Some(log(&[])),
        _ => logging(method, path),
    });
    let place = Place::new();
    place.kubeconfig(&cluster.url());
    place.run(&["logs", "--since", "10m"]).exits(0).prints_nothing().says(&["nobody on the way has logged anything in the last 600s"]);
}

#[test]
fn the_logs_of_all_who_take_part_are_one_in_the_order_of_time() {
    let place = Place::new();
    let cluster = Cluster::new(logging);
    place.kubeconfig(&cluster.url());
    let ran = place.run(&["logs"]);
    let expected = [
        "client alpine/cmd-nsc-init  requests",
        "nsmgr n                     selects",
        "forwarder n                 links",
        "nsmgr m                     passes on",
        "endpoint nse-kernel-x/nse   accepts",
        "nsmgr n                     answers",
        "client alpine/cmd-nsc-init  connected",
        "client alpine/cmd-nsc       monitors",
    ];
    assert_eq!(ran.exits(0).stdout.lines().collect::<Vec<_>>(), expected);
    assert!(!cluster.seen().iter().any(|request| request.contains("nsmgr-3/") || request.contains("registry-1/")), "{:?}", cluster.seen());
    cluster.is_untouched();

    assert!(place.run(&["logs", "--no-prefix"]).exits(0).stdout.starts_with("requests\nselects\n"));
    let ran = place.run(&["logs", "-o", "json", "nse-kernel"]);
    let objects: Vec<Value> = ran.exits(0).stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(objects.len(), 8);
    let expected = json!({
        "time": "2026-01-01T00:00:04Z", "role": "nsmgr", "pod": "nsmgr-2", "container": "nsmgr", "node": "m", "line": "passes on"
    });
    assert_eq!(objects[3], expected);
}

#[test]
fn a_log_that_cannot_be_read_is_named_and_the_others_go_on() {
    let place = Place::new();
    let words = "pods \"nsmgr-1\" is forbidden: User \"jane\" cannot get resource \"pods/log\" in API group \"\" in the namespace \"nsm-system\"";
    let waits = "container \"alpine\" in pod \"alpine\" is waiting to start: PodInitializing";
    let cluster = Cluster::new(move |method, path| match path {
        path if path.ends_with("/pods/nsmgr-1/log/nsmgr") => Some(status(403, "Forbidden", words)),
        path if path.ends_with("/pods/alpine/log/alpine") => Some(status(400, "BadRequest", waits)),
        _ => logging(method, path),
    });
    place.kubeconfig(&cluster.url());
    let ran = place.run(&["logs"]);
    ran.exits(0).says(&[
        "warning: no log of container nsmgr of pod nsm-system/nsmgr-1: pods \"nsmgr-1\" is forbidden",
        "cannot get resource \"pods/log\"",
        "no log of container alpine of pod ns-kernel2kernel/alpine: container \"alpine\" in pod \"alpine\" is waiting to start",
    ]);
    assert_eq!(ran.stdout.lines().count(), 6, "{ran:?}");
}

#[test]
fn logs_of_which_none_may_be_read_are_no_success() {
    let place = Place::new();
    let cluster = Cluster::new(|method, path| match path {
        path if path.contains("/log/") || path == NSM_PODS => Some(status(403, "Forbidden", "User \"jane\" cannot get resource")),
        _ => logging(method, path),
    });
    place.kubeconfig(&cluster.url());
    let file = place.write("mine.yaml", "");
    place.run(&["logs", "-f", file.to_str().unwrap()]).exits(3).says(&["-f is --follow here; name manifests with --manifests"]);
    place.run(&["logs"]).exits(3).prints_nothing().says(&["the managers and forwarders cannot be found: User \"jane\"", "no log could be read"]);
    let ran = place.run(&["logs", "alpin", "-o", "json"]);
    ran.exits(3).prints_nothing().says(&["the deployment has no workload or pod alpin", "did you mean alpine?"]);
}

#[test]
fn a_followed_log_is_taken_up_again_without_a_line_twice() {
    let place = Place::new();
    let (reads, looks) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let cluster = Cluster::new(move |method, path| match path {
        // Once more and once again with more in it, as after a restart of the container; the last line has the time of the one before.
        path if path.ends_with("/pods/alpine/log/cmd-nsc") => Some(match reads.fetch_add(1, Ordering::SeqCst) {
            0 => log(&[("01", "one"), ("02.5", "two")]),
            1 => log(&[("02.5", "two"), ("03", "three")]),
            _ => log(&[("02.5", "two"), ("03", "three"), ("03", "four")]),
        }),
        path if path.contains("/log/") => Some(log(&[])),
        // The pods are there for a while.
        PODS if looks.fetch_add(1, Ordering::SeqCst) > 20 => Some(ok(pods(&json!([])))),
        NSM_PODS => Some(ok(pods(&json!([])))),
        _ => logging(method, path),
    });
    place.kubeconfig(&cluster.url());
    let ran = place.run(&["logs", "--follow", "--no-prefix"]);
    ran.exits(0).says(&["pod ns-kernel2kernel/alpine was deleted", "nothing is left to be followed"]);
    assert_eq!(ran.stdout, "one\ntwo\nthree\nfour\n");
    assert_eq!(ran.stderr.matches("pod ns-kernel2kernel/alpine was deleted").count(), 1, "{ran:?}");
}

#[test]
fn following_ends_with_an_interrupt() {
    let place = Place::new();
    let cluster = Cluster::new(logging);
    place.kubeconfig(&cluster.url());
    let running = place.start(&["logs", "-f"]);
    eventually("the second look", || cluster.seen().iter().filter(|request| request.ends_with("/log/cmd-nsc")).count() > 1);
    running.signal(Signal::SIGINT);
    let ran = running.end();
    assert_eq!(ran.exits(130).stdout.lines().count(), 8, "{ran:?}");
}

#[test]
fn this_machine_says_what_its_engine_did() {
    let place = Place::new();
    place.run(&["logs"]).exits(3).prints_nothing().says(&["nothing of the deployment ns-kernel2kernel is there", "`nsmctl deploy` makes it"]);
    place.run(&["deploy"]).exits(0);
    let ran = place.run(&["logs"]);
    let lines: Vec<&str> = ran.exits(0).stdout.lines().collect();
    assert_eq!(lines.len(), 2, "{ran:?}");
    assert!(lines[0].starts_with("endpoint nse-kernel-") && lines[0].contains("registered endpoint"), "{ran:?}");
    assert!(lines[1].starts_with("client alpine/cmd-nsc-init") && lines[1].contains("connected to"), "{ran:?}");
    let ran = place.run(&["logs", "-o", "json", "--tail", "1"]);
    for line in ran.exits(0).stdout.lines() {
        let object: Value = serde_json::from_str(line).unwrap();
        assert!(object["time"].as_str().is_some_and(|time| time.ends_with('Z')), "{object}");
    }
    place.run(&["logs", "--tail", "0"]).exits(0).prints_nothing();
}

#[test]
fn this_machine_is_followed_until_its_engine_ends() {
    let place = Place::new();
    place.run(&["deploy"]).exits(0);
    let running = place.start(&["logs", "--follow", "--tail", "0", "--no-prefix"]);
    // Another range of addresses makes the endpoint anew, which says so.
    std::thread::sleep(std::time::Duration::from_millis(500));
    place.run(&["deploy", "--cidr", "10.0.0.0/31"]).exits(0);
    std::thread::sleep(std::time::Duration::from_millis(600));
    place.run(&["cleanup"]).exits(0);
    let ran = running.end();
    ran.exits(0).says(&["the engine of this machine has ended", "nothing is left to be followed"]);
    assert!(ran.stdout.contains("addresses from 10.0.0.0/31") && !ran.stdout.contains("172.16.1.100/31"), "{ran:?}");
    place.is_clean();
}
