//! deploy, verify, troubleshoot, cleanup.

use nix::sys::signal::Signal;
use serde_json::json;

use crate::{
    cluster::{Cluster, EXAMPLE},
    program::eventually,
};

#[test]
fn deploy_verify_troubleshoot_cleanup() {
    let cluster = Cluster::new();
    let ran = cluster.nsmctl(&["deploy"]);
    ran.exits(0).says(&["target: cluster https://", "namespace ns-kernel2kernel", "Pod ns-kernel2kernel/alpine: ready after"]);
    for words in
        ["172.16.1.101/32", "172.16.1.100/32 on kernel2ker-", "172.16.1.100 dev nsm-1", "4/4 received, 0 % loss", "16 passed, 0 failed, 1 skipped"]
    {
        assert!(ran.stdout.contains(words), "{words}: {ran:?}");
    }

    // What kubectl finds is what was said.
    let address = cluster.kubectl(&["exec", "-n", EXAMPLE, "alpine", "-c", "alpine", "--", "ip", "addr", "show", "nsm-1"]);
    assert!(address.contains("inet 172.16.1.101/32 scope global nsm-1"), "{address}");
    let ping = cluster.kubectl(&["exec", "-n", EXAMPLE, "alpine", "-c", "alpine", "--", "ping", "-c", "1", "172.16.1.100"]);
    assert!(ping.contains(" 0% packet loss"), "{ping}");
    for object in ["deployment/nse-kernel", "pod/alpine", "networkservice/kernel2kernel"] {
        let labels = cluster.get(&["-n", EXAMPLE, object])["metadata"]["labels"].clone();
        let expected = ["nsmctl", "kernel2kernel", EXAMPLE].map(|value| json!(value));
        let keys = ["managed-by", "part-of", "instance"].map(|key| labels[format!("app.kubernetes.io/{key}")].clone());
        assert_eq!(keys, expected, "{object}");
    }

    let version = || cluster.get(&["-n", EXAMPLE, "networkservice/kernel2kernel"])["metadata"]["resourceVersion"].clone();
    let before = version();
    let ran = cluster.nsmctl(&["deploy", "-o", "json"]);
    for object in ran.exits(0).json()["applied"].as_array().unwrap() {
        assert_eq!(object["result"], "unchanged", "{object}");
    }
    assert_eq!(version(), before);

    let ran = cluster.nsmctl(&["verify", "-o", "json"]);
    let document = ran.exits(0).json();
    let findings = document["findings"].as_array().unwrap();
    let checks: Vec<&str> = findings.iter().map(|finding| finding["check"].as_str().unwrap()).collect();
    let expected = "pods-ready pods-ready sidecar-injected identity identity network-service endpoint-registered interface address address address-overlap \
                    peer-route ping-endpoint ping-client path-mtu dns encryption";
    assert_eq!(checks.join(" "), expected);
    // This cluster has no DNS of its own, so that there is nothing to compare NSM's with.
    assert!(findings.iter().all(|finding| finding["verdict"] == if finding["check"] == "dns" { "skip" } else { "pass" }), "{document}");
    assert_eq!(document["target"]["version"].as_str().map(|version| version.starts_with('v')), Some(true));

    let ran = cluster.nsmctl(&["troubleshoot"]);
    assert!(ran.exits(0).stdout.contains("every step of the path works"), "{ran:?}");

    let ran = cluster.nsmctl(&["cleanup"]);
    ran.exits(0);
    for words in ["NetworkService ns-kernel2kernel/kernel2kernel", "NetworkServiceEndpoint nsm-system/nse-kernel-", "6 removed, 0 left"] {
        assert!(ran.stdout.contains(words), "{words}: {ran:?}");
    }
    assert_eq!(cluster.traces(), Vec::<String>::new());
    assert!(!cluster.has(&["namespace", EXAMPLE]));
    let ran = cluster.nsmctl(&["cleanup"]);
    assert!(ran.exits(0).stdout.contains("there was nothing to remove"), "{ran:?}");
    cluster.nsmctl(&["verify"]).exits(3).prints_nothing().says(&["nothing of the deployment ns-kernel2kernel is there"]);
    cluster.place.is_clean();
}

#[test]
fn two_deployments_live_side_by_side_and_go_one_by_one() {
    let cluster = Cluster::new().with_namespace("nsmctl-second");
    let manifests =
        crate::cluster::manifests(|text| text.replace("kernel2kernel", "second-service").replace("172.16.1.100", "fd00:7::").replace("/31", "/127"));
    let file = cluster.place.write("second.yaml", &manifests);
    let file = file.to_str().unwrap();
    cluster.nsmctl(&["deploy"]).exits(0);
    let ran = cluster.nsmctl(&["deploy", "-f", file, "-n", "nsmctl-second"]);
    assert!(ran.exits(0).stdout.contains("fd00:7::1/128"), "{ran:?}");
    cluster.nsmctl(&["cleanup"]).exits(0);
    cluster.nsmctl(&["verify", "-f", file, "-n", "nsmctl-second"]).exits(0);
    cluster.nsmctl(&["cleanup", "-f", file, "-n", "nsmctl-second"]).exits(0);
    assert_eq!(cluster.traces(), Vec::<String>::new());
}

#[test]
fn an_interrupted_deploy_says_what_it_waited_for_and_is_taken_up_again() {
    let cluster = Cluster::new();
    let running = cluster.start(&["deploy", "-o", "json"]);
    // Once it has a node, everything is applied and the wait has begun.
    let scheduled = || cluster.has(&["-n", EXAMPLE, "pod/alpine"]) && cluster.get(&["-n", EXAMPLE, "pod/alpine"])["spec"]["nodeName"].is_string();
    eventually("a node for the client's pod", scheduled);
    running.signal(Signal::SIGINT);
    let ran = running.end();
    ran.exits(130).says(&["stopping; once more to leave at once", "error: stopped while waiting for"]);
    assert_eq!(ran.json()["applied"].as_array().unwrap().len(), 4);
    cluster.nsmctl(&["deploy"]).exits(0);
}

#[test]
fn an_interrupted_cleanup_says_what_is_left_and_is_taken_up_again() {
    let cluster = Cluster::new();
    cluster.nsmctl(&["deploy"]).exits(0);
    let running = cluster.start(&["cleanup", "-o", "json"]);
    let deleting = || !cluster.get(&["namespace", EXAMPLE])["metadata"]["deletionTimestamp"].is_null();
    eventually("the deletion", || !cluster.has(&["namespace", EXAMPLE]) || deleting());
    running.signal(Signal::SIGINT);
    let ran = running.end();
    ran.exits(130).says(&["stopped before everything was gone", "`nsmctl cleanup` again"]);
    let left = ran.json()["removed"]["left"].clone();
    assert!(left.as_array().unwrap().iter().any(|object| object["kind"] == "Namespace"), "{left}");
    cluster.nsmctl(&["cleanup"]).exits(0);
    assert_eq!(cluster.traces(), Vec::<String>::new());
}

#[test]
fn a_deploy_that_runs_out_of_time_says_what_it_waited_for() {
    let cluster = Cluster::new();
    let ran = cluster.nsmctl(&["deploy", "--timeout", "1s"]);
    ran.exits(4).prints_nothing().says(&["error: the time is up after 1s, while waiting for", "alpine", "--timeout"]);
}

#[test]
fn a_deploy_right_behind_a_cleanup_waits_for_its_end() {
    let cluster = Cluster::new();
    cluster.nsmctl(&["deploy"]).exits(0);
    cluster.kubectl(&["delete", "namespace", EXAMPLE, "--wait=false"]);
    let ran = cluster.nsmctl(&["deploy"]);
    ran.exits(0).says(&["an earlier one is being deleted"]);
}
