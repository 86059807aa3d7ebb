//! `status` on this machine, by the witness of `ip`, and against a cluster that answers as a test wants it to.
#![cfg(target_os = "linux")]

use std::{
    io::{BufRead, BufReader},
    process::Stdio,
};

use serde_json::{Value, json};
use wiremock::ResponseTemplate;

use crate::{
    program::{Place, Ran, eventually},
    scripted::{Cluster, ok, status},
};

fn connections(ran: &Ran) -> Vec<Value> {
    let document = ran.json();
    document.pointer("/status/connections/value").and_then(Value::as_array).cloned().unwrap_or_else(|| panic!("{ran:?}"))
}

#[test]
fn everything_is_told_as_ip_sees_it() {
    let place = Place::new();
    place.run(&["status"]).exits(3).prints_nothing().says(&["no engine runs on this machine", "nsmctl deploy"]);
    let customised = ["--clients", "2", "--cidr", "172.16.1.0/29"];
    let exec = |pod: &str, command: &[&str]| place.run(&[&["exec", pod], &customised[..], &["--"], command].concat());
    place.run(&[&["deploy"], &customised[..]].concat()).exits(0);

    // Without the flags of the deploy: what is there says itself what it promises.
    let ran = place.run(&["status", "-o", "json"]);
    let [first, second] = &connections(ran.exits(0))[..] else { panic!("{ran:?}") };
    assert_eq!((&first["client"]["name"], &second["client"]["name"]), (&json!("alpine"), &json!("alpine-2")));
    let addresses = exec("alpine-2", &["ip", "-o", "addr", "show", "nsm-1"]);
    let own = second["addresses"][0]["client"].as_str().unwrap();
    assert!(addresses.exits(0).stdout.contains(&format!("inet {own}/32")), "{addresses:?}");
    let far = second["endpoint_interface"]["value"].as_str().unwrap();
    let links = exec("nse-kernel", &["ip", "-o", "addr", "show", far]);
    assert!(links.exits(0).stdout.contains(second["addresses"][0]["endpoint"].as_str().unwrap()), "{links:?}");
    assert_eq!((&second["heals"]["value"], &second["mechanism"], &second["payload"]["value"]), (&json!(0), &json!("kernel"), &json!("ETHERNET")));
    assert_eq!(second["path"]["value"]["same_node"], true);
    let document = ran.json();
    let endpoint = &document["status"]["endpoints"]["value"][0];
    let left = endpoint["expires_in_s"]["value"].as_i64().unwrap();
    // Whole seconds, of which the last has just begun.
    assert!((1..=61).contains(&left), "{endpoint}");
    assert_eq!(document["status"]["services"]["value"][0]["requests"], 2);

    let ran = place.run(&["status", "-o", "short"]);
    assert_eq!(ran.exits(0).stdout, "4 of 4 components, 1 service, 1 endpoint, 2 of 2 connections\n");
    let ran = place.run(&["status", "--client", "alpine-2", "-o", "json"]);
    assert_eq!(connections(ran.exits(0)).len(), 1);
    // Who is looked for and is not there is not well.
    place.run(&["status", "--client", "alpin"]).exits(3).says(&["no client of NSM's of the name alpin", "did you mean alpine?"]);
    place.run(&["status", "-n", "ns-kernel2kernal"]).exits(3).says(&["no namespace ns-kernel2kernal", "did you mean ns-kernel2kernel?"]);
    place.run(&["metrics", "--client", "alpin"]).exits(3).says(&["did you mean alpine?"]);
    let ran = place.run(&["cleanup", "-o", "short"]);
    assert!(ran.exits(0).stdout.starts_with("7 removed, 0 left in ") && ran.stdout.lines().count() == 1, "{ran:?}");
}

/// Flags are remembered with what they deployed, and those of other manifests say nothing of the example's.
#[test]
fn what_was_deployed_of_other_manifests_can_be_looked_at_without_them() {
    let place = Place::new();
    place.run(&["manifests", "--out", "mine", "--cidr", "172.16.1.0/24"]).exits(0);
    place.run(&["deploy", "-f", "mine", "--clients", "3"]).exits(0);
    for command in [&["verify", "-A"][..], &["troubleshoot", "-A"]] {
        place.run(command).exits(0).says(&["made with --clients=3, of other manifests than the example's", "--manifests"]);
    }
    place.run(&["verify", "-f", "mine"]).exits(0);
    place.run(&["cleanup"]).exits(0);
}

#[test]
fn a_watch_that_has_seen_nothing_is_out_of_time() {
    let place = Place::new();
    place.run(&["deploy"]).exits(0);
    // Its pings alone take longer.
    let late = ["--timeout", "1s"];
    place.run(&[&["verify", "--watch", "--interval", "1s"], &late[..]].concat()).exits(4).prints_nothing().says(&["the time is up", "--timeout"]);
    place.run(&["status", "--watch", "--timeout", "1ms"]).exits(4).prints_nothing();
    // The verdict of a look that was done stays, whatever becomes of the next.
    place.run(&[&["verify", "--watch=10ms", "--count", "1"], &late[..]].concat()).exits(0);
    place.run(&["cleanup"]).exits(0);
}

#[test]
fn what_breaks_is_told_and_what_heals_is_counted() {
    let place = Place::new();
    place.run(&["deploy"]).exits(0);
    place.run(&["exec", "alpine", "--", "ip", "link", "set", "nsm-1", "down"]).exits(0);
    let ran = place.run(&["status"]);
    assert!(ran.exits(1).stdout.starts_with("✗ Network Service Mesh: broken"), "{ran:?}");
    let ran = place.run(&["status", "-o", "json"]);
    let broken = &connections(ran.exits(1))[0];
    assert_eq!(broken["verdict"], "fail");
    assert!(broken["reason"].as_str().unwrap().starts_with("interface up: "), "{broken}");
    let since = broken["since"]["value"].clone();

    place.run(&["deploy"]).exits(0);
    let healed = &connections(place.run(&["status", "-o", "json"]).exits(0))[0];
    assert_eq!((&healed["heals"]["value"], &healed["since"]["value"]), (&json!(1), &since), "it is the same connection");
    // Another payload is another connection.
    place.run(&["deploy", "--payload", "ip"]).exits(0);
    let anew = &connections(place.run(&["status", "-o", "json"]).exits(0))[0];
    assert_eq!((&anew["heals"]["value"], &anew["payload"]["value"]), (&json!(0), &json!("IP")));
    place.run(&["cleanup"]).exits(0);
}

#[test]
fn the_topology_is_drawn_in_each_form() {
    let place = Place::new();
    place.run(&["deploy"]).exits(0);
    let ran = place.run(&["status", "--topology"]);
    assert!(ran.exits(0).stdout.contains("└─ nsm-1 ── kernel2kernel ──▶ nse-kernel-"), "{ran:?}");
    let ran = place.run(&["status", "--topology", "-o", "dot"]);
    assert!(ran.exits(0).stdout.starts_with("digraph nsm {\n") && ran.stdout.contains("\"ns-kernel2kernel/alpine\" -> "), "{ran:?}");
    let ran = place.run(&["status", "--topology", "-o", "mermaid"]);
    assert!(ran.exits(0).stdout.starts_with("flowchart LR\n"), "{ran:?}");
    for (arguments, words) in [
        (&["status", "-o", "dot"][..], "add --topology: `nsmctl status --topology -o dot`"),
        (&["status", "--topology", "--watch", "-o", "dot"], "a graph is one document"),
        (&["verify", "-o", "mermaid"], "tip: 'nsmctl status --topology -o mermaid' draws a graph"),
        (&["status", "-o", "junit"], "[possible values: table, short, json, dot, mermaid]"),
        (&["status", "-A", "-n", "x"], "cannot be used with"),
    ] {
        place.run(arguments).exits(2).prints_nothing().says(&[words]);
    }
    place.run(&["cleanup"]).exits(0);
}

#[test]
fn the_report_is_as_its_schema_says() {
    let place = Place::new();
    let schema = place.run(&["status", "--schema"]);
    let validator = jsonschema::draft202012::new(&serde_json::from_str(&schema.exits(0).stdout).unwrap()).unwrap();
    place.run(&["deploy"]).exits(0);
    let document = place.run(&["status", "-o", "json"]).exits(0).json();
    let errors: Vec<String> = validator.iter_errors(&document).map(|error| format!("{}: {error}", error.instance_path())).collect();
    assert!(errors.is_empty(), "{errors:#?}");
    for (pointer, wrong) in [("/status/connections/value/0/heals", json!(1)), ("/status/endpoints", json!([])), ("/status/taken_at", json!(0))] {
        let mut document = document.clone();
        *document.pointer_mut(pointer).unwrap() = wrong;
        assert!(!validator.is_valid(&document), "{pointer}");
    }
    place.run(&["cleanup"]).exits(0);
}

#[test]
fn a_pipe_is_told_each_change_in_a_line() {
    let place = Place::new();
    place.run(&["deploy"]).exits(0);
    let mut child = place.command(&["status", "--watch=50ms", "-o", "json"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut until = |what: &str, verdict: &str, words: &str| -> Value {
        loop {
            let line: Value = serde_json::from_str(&lines.next().expect("another line").unwrap()).unwrap();
            if line["check"] == what && line["verdict"] == verdict && line["observed"].as_str().unwrap().contains(words) {
                return line;
            }
        }
    };
    assert_eq!(until("connection", "pass", "172.16.1.101")["before"], Value::Null);
    place.run(&["exec", "alpine", "--", "ip", "link", "set", "nsm-1", "down"]).exits(0);
    let broken = until("connection", "fail", "interface up");
    assert_eq!((&broken["before"], &broken["subject"]), (&json!("pass"), &json!("ns-kernel2kernel/alpine kernel2kernel")));
    place.run(&["deploy"]).exits(0);
    until("connection", "pass", "healed once");
    place.run(&["cleanup"]).exits(0);
    until("target", "unknown", "no engine runs");
    let pid = i32::try_from(child.id()).unwrap();
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), nix::sys::signal::Signal::SIGINT).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(130));
    // That is how a watch ends.
    let said = std::io::read_to_string(child.stderr.take().unwrap()).unwrap();
    assert!(said.contains("stopping") && !said.contains("error"), "{said}");
}

#[test]
fn a_terminal_is_drawn_anew() {
    let place = Place::new();
    place.run(&["deploy"]).exits(0);
    let program = env!("CARGO_BIN_EXE_nsmctl");
    let mut script = std::process::Command::new("script");
    script.args(["-qec", &format!("stty cols 80 rows 12; {program} status --watch=100ms --timeout 1s"), "/dev/null"]).env_clear();
    script.env("HOME", place.path("")).env("NSMCTL_RUNTIME_DIR", place.runtime()).env("PATH", std::env::var_os("PATH").unwrap());
    let output = script.env("TERM", "xterm").env("NO_COLOR", "1").output().expect("script of util-linux, which is this test's terminal");
    let text = String::from_utf8(output.stdout).unwrap();
    let screens: Vec<&str> = text.split("\u{1b}[H").skip(1).collect();
    assert!(output.status.success() && screens.len() >= 2, "{text:?}");
    for screen in screens {
        assert!(screen.contains("this machine, namespace ns-kernel2kernel, every 100ms") && screen.contains("lines more)"), "{screen:?}");
        assert!(screen.matches("\r\n").count() < 12 && screen.ends_with("\u{1b}[J"), "{screen:?}");
        assert!(!screen.contains("\u{1b}[3"), "no colour: {screen:?}");
    }
    place.run(&["cleanup"]).exits(0);
}

fn list(items: &[Value]) -> ResponseTemplate {
    ok(json!({"kind": "List", "apiVersion": "v1", "metadata": {"resourceVersion": "1"}, "items": items}))
}

/// What the healthy cluster's forwarder has registered.
fn forwarder() -> Value {
    let spec = json!({
        "network_service_names": ["forwarder"], "network_service_labels": {"forwarder": {"labels": {"nodeName": "n"}}},
        "path_ids": ["spiffe://k8s.nsm/ns/nsm-system/pod/forwarder-1"]
    });
    json!({"metadata": {"name": "forwarder-1", "namespace": "nsm-system"}, "spec": spec})
}

/// A client that is ready and injected; its container cannot be looked into.
fn client() -> Value {
    let annotations = json!({"networkservicemesh.io": "kernel://s/nsm-1"});
    let metadata = json!({"name": "web", "namespace": "shop", "labels": {"app": "web"}, "annotations": annotations});
    let spec = json!({"nodeName": "n", "initContainers": [{"name": "cmd-nsc-init"}], "containers": [{"name": "own"}, {"name": "cmd-nsc"}]});
    let state = |name: &str, state: Value| json!({"name": name, "image": "i", "imageID": "", "ready": true, "restartCount": 0, "state": state});
    let ended = json!({"terminated": {"exitCode": 0, "finishedAt": "2026-01-02T03:04:05Z"}});
    let running = ["own", "cmd-nsc"].map(|name| state(name, json!({"running": {"startedAt": "2026-01-02T03:04:06Z"}})));
    let conditions = json!([{"type": "Ready", "status": "True"}]);
    let init = [state("cmd-nsc-init", ended)];
    let status = json!({"phase": "Running", "conditions": conditions, "initContainerStatuses": init, "containerStatuses": running});
    json!({"metadata": metadata, "spec": spec, "status": status})
}

/// The scripted cluster with its forwarder registered, where `more` may answer before.
fn cluster(more: impl Fn(&str, &str) -> Option<ResponseTemplate> + Send + Sync + 'static) -> Cluster {
    Cluster::new(move |method, path| {
        more(method, path).or_else(|| match (method, path) {
            ("GET", "/apis/networkservicemesh.io/v1/networkserviceendpoints") => Some(list(&[forwarder()])),
            _ => None,
        })
    })
}

#[test]
fn a_cluster_that_is_well_and_empty_is_healthy() {
    let place = Place::new();
    let cluster = cluster(|_, _| None);
    place.kubeconfig(&cluster.url());
    let ran = place.run(&["status"]);
    assert!(ran.exits(0).stdout.contains("✓ Network Service Mesh: healthy (9 of 9 components"), "{ran:?}");
    for words in ["nsmgr", "spire-server", "no NetworkServices", "no endpoints", "no connections"] {
        assert!(ran.stdout.contains(words), "{words}: {ran:?}");
    }
    cluster.is_untouched();
}

#[test]
fn a_cluster_without_nsm_is_broken() {
    let place = Place::new();
    let cluster = Cluster::new(|method, path| {
        let gone = method == "GET" && (path.starts_with("/apis/apps/v1") || path.contains("customresourcedefinitions"));
        gone.then(|| if path.contains("customresourcedefinitions") { status(404, "NotFound", "not found") } else { list(&[]) })
    });
    place.kubeconfig(&cluster.url());
    let ran = place.run(&["status"]);
    assert!(ran.exits(1).stdout.contains("0/1, not there"), "{ran:?}");
}

#[test]
fn what_may_not_be_seen_is_unknown_with_its_permission() {
    let place = Place::new();
    let forbidden = |what: &str| status(403, "Forbidden", &format!("{what} is forbidden: User \"jane\" cannot list resource \"{what}\""));
    let cluster = cluster(move |method, path| match (method, path) {
        ("GET", "/api/v1/pods" | "/api/v1/namespaces/shop/pods") => Some(list(&[client()])),
        ("GET", "/apis/apps/v1/namespaces/nsm-system/daemonsets") => Some(forbidden("daemonsets")),
        ("GET", "/apis/networkservicemesh.io/v1/networkservices") => Some(forbidden("networkservices")),
        ("GET", "/apis/networkservicemesh.io/v1/networkserviceendpoints") => {
            let spec = json!({"network_service_names": ["s"], "path_ids": ["spiffe://k8s.nsm/ns/elsewhere/pod/nse"]});
            Some(list(&[json!({"metadata": {"name": "nse", "namespace": "nsm-system"}, "spec": spec}), forwarder()]))
        }
        _ if path.ends_with("/exec") => {
            Some(status(403, "Forbidden", "pods \"web\" is forbidden: User \"jane\" cannot create resource \"pods/exec\""))
        }
        _ => None,
    });
    place.kubeconfig(&cluster.url());
    let ran = place.run(&["status", "-n", "shop", "-o", "json"]);
    let document = ran.json();
    let is_failed = |value: &&Value| value["verdict"] == "fail";
    let all = ["components", "findings", "connections/value"].map(|part| document.pointer(&format!("/status/{part}")).unwrap().as_array().unwrap());
    let failed: Vec<&Value> = all.into_iter().flatten().filter(is_failed).collect();
    assert!(failed.is_empty(), "{failed:#?}");
    ran.exits(3);
    let services = document["status"]["services"]["unknown"].as_str().unwrap();
    assert!(services.contains("User \"jane\" cannot list resource \"networkservices\""), "{services}");
    let one = &connections(&ran)[0];
    assert_eq!(one["verdict"], "unknown");
    assert!(one["interface"]["unknown"].as_str().unwrap().contains("pods/exec"), "{one}");
    assert!(one["heals"]["unknown"].as_str().unwrap().contains("NSM counts it nowhere"), "{one}");
    assert!(one["phases"]["unknown"].as_str().unwrap().contains("NSM publishes no times"), "{one}");
    let told = place.run(&["status", "-v", "-n", "shop"]);
    assert!(told.exits(3).stdout.contains("? phases: NSM publishes no times"), "{told:?}");
    assert_eq!(one["since"]["value"], "2026-01-02T03:04:05Z");
    let parts = document["status"]["components"].as_array().unwrap();
    let nsmgr = parts.iter().find(|part| part["role"] == "nsmgr").unwrap();
    assert!(nsmgr["ready"]["unknown"].as_str().unwrap().contains("daemonsets is forbidden"), "{nsmgr}");
    cluster.is_untouched();
}

#[test]
fn a_deployment_whose_client_is_gone_is_not_there_in_full() {
    let place = Place::new();
    let service = json!({"metadata": {"name": "kernel2kernel", "namespace": "ns-kernel2kernel"}, "spec": {"payload": "ETHERNET"}});
    let cluster = cluster(move |method, path| {
        (method == "GET" && path == "/apis/networkservicemesh.io/v1/networkservices").then(|| list(std::slice::from_ref(&service)))
    });
    place.kubeconfig(&cluster.url());
    let ran = place.run(&["status", "-o", "json"]);
    assert_eq!(connections(ran.exits(1))[0]["reason"], "the client has no pod");
    eventually("every part was asked for", || cluster.seen().iter().any(|request| request.ends_with("/nodes")));
}
