//! deploy: preflight, dry runs, convergence, and what is there when it does not end well.

use nix::sys::signal::Signal;
use serde_json::Value;

use crate::{
    cluster::{Cluster, EXAMPLE, manifests},
    program::{Ran, eventually},
};

fn results(ran: &Ran) -> Vec<(String, String)> {
    let document = ran.json();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    document["applied"].as_array().unwrap_or_else(|| panic!("{document}")).iter().map(|o| (text(&o["name"]), text(&o["result"]))).collect()
}

/// All of them look at one deployment and change nothing about it.
#[test]
fn a_deployment_and_what_does_not_change_it() {
    let cluster = Cluster::new();
    a_dry_run_of_what_is_not_there_changes_nothing(&cluster);
    preflight_passes_on_a_cluster_that_is_fit(&cluster);
    let pods =
        || cluster.kubectl(&["get", "pods,deployments,networkservices", "-n", EXAMPLE, "-o", "custom-columns=:kind,:metadata.name,:metadata.uid"]);
    let before = pods();
    a_diff_changes_nothing(&cluster);
    what_is_printed_is_what_is_applied(&cluster);
    another_service_is_not_deployed_over_one_that_is_there(&cluster);
    a_dry_run_of_cleanup_lists_and_removes_nothing(&cluster);
    assert_eq!(pods(), before);
    cluster.nsmctl(&["verify"]).exits(0);
}

fn a_dry_run_of_what_is_not_there_changes_nothing(cluster: &Cluster) {
    let ran = cluster.nsmctl(&["deploy", "--dry-run"]);
    assert!(ran.exits(0).stdout.contains("create") && ran.stdout.contains("nothing was changed"), "{ran:?}");
    cluster.nsmctl(&["deploy", "--diff"]).exits(1);
    assert!(!cluster.has(&["namespace", EXAMPLE]));
}

fn preflight_passes_on_a_cluster_that_is_fit(cluster: &Cluster) {
    let ran = cluster.nsmctl(&["deploy", "-o", "json", "--timings"]);
    let document = ran.exits(0).json();
    let preflight = document["preflight"].as_array().unwrap();
    let not_passed: Vec<&Value> = preflight.iter().filter(|finding| finding["verdict"] != "pass").collect();
    assert!(not_passed.is_empty(), "{not_passed:#?}");
    let checks: Vec<&str> = preflight.iter().map(|finding| finding["check"].as_str().unwrap()).collect();
    for check in ["server-version", "permissions", "nsm-api", "nsmgr", "forwarder", "registry", "webhook", "spire", "spiffe-id", "names-free"] {
        assert!(checks.contains(&check), "{check}: {checks:?}");
    }
    for phase in ["preflight", "apply", "schedule", "init", "ready", "verify"] {
        assert!(document["timings_ms"][phase].is_u64(), "{phase}: {}", document["timings_ms"]);
    }
}

fn a_diff_changes_nothing(cluster: &Cluster) {
    let ran = cluster.nsmctl(&["deploy", "--diff"]);
    assert_eq!(ran.exits(0).stdout, "nothing would be changed\n");
    let changed = cluster.place.write("changed.yaml", &manifests(|text| text.replace("172.16.1.100/31", "10.9.8.0/31")));
    let ran = cluster.nsmctl(&["deploy", "-f", changed.to_str().unwrap(), "--diff"]);
    ran.exits(1);
    assert!(ran.stdout.contains("-") && ran.stdout.contains("10.9.8.0/31") && ran.stdout.contains("172.16.1.100/31"), "{ran:?}");
}

fn what_is_printed_is_what_is_applied(cluster: &Cluster) {
    let file = cluster.place.write("printed.yaml", &cluster.nsmctl(&["manifests"]).stdout);
    let ran = cluster.nsmctl(&["deploy", "-f", file.to_str().unwrap(), "-o", "json"]);
    let results = results(ran.exits(0));
    assert!(results.len() == 4 && results.iter().all(|(_, result)| result == "unchanged"), "{results:?}");
}

fn another_service_is_not_deployed_over_one_that_is_there(cluster: &Cluster) {
    let other = manifests(|text| text.replace("kernel2kernel\n", "another\n").replace("kernel://kernel2kernel", "kernel://another"));
    let other = cluster.place.write("other.yaml", &other);
    let ran = cluster.nsmctl(&["deploy", "-f", other.to_str().unwrap(), "-n", EXAMPLE]);
    ran.exits(1).says(&["the deployment ns-kernel2kernel is of kernel2kernel", "nothing was changed"]);
}

fn a_dry_run_of_cleanup_lists_and_removes_nothing(cluster: &Cluster) {
    let ran = cluster.nsmctl(&["cleanup", "--dry-run"]);
    ran.exits(0);
    let removed =
        ["Namespace ns-kernel2kernel", "Pod ns-kernel2kernel/alpine", "NetworkServiceEndpoint nsm-system/nse-kernel-", "6 would be removed"];
    for object in removed {
        assert!(ran.stdout.contains(object), "{object}: {ran:?}");
    }
}

#[test]
fn preflight_finds_what_is_missing_before_anything_is_changed() {
    let cluster = Cluster::new();
    let before = cluster.listing();
    // Without this label no ClusterSPIFFEID selects the endpoint's pods.
    let label = "        \"spiffe.io/spiffe-id\": \"true\"\n";
    let without = manifests(|text| text.replace(label, ""));
    assert!(!without.contains("spiffe.io"), "{without}");
    let file = cluster.place.write("without.yaml", &without);
    let ran = cluster.nsmctl(&["deploy", "-f", file.to_str().unwrap(), "--timeout", "60s", "-o", "json"]);
    ran.exits(1).says(&["is not fit: identities for the pods (none does)", "nothing was changed"]);
    let document = ran.json();
    let findings = document["preflight"].as_array().unwrap_or_else(|| panic!("{document}"));
    let failed = findings.iter().filter(|finding| finding["verdict"] == "fail").map(|finding| (&finding["check"], &finding["subject"]));
    assert_eq!(failed.collect::<Vec<_>>(), [(&"spiffe-id".into(), &"nse-kernel".into())], "{document}");
    cluster.is_as_it_was(&before, "a deploy that was refused");
}

#[test]
fn a_changed_prefix_reaches_the_clients() {
    let cluster = Cluster::new();
    cluster.nsmctl(&["deploy"]).exits(0);
    let changed = cluster.place.write("changed.yaml", &manifests(|text| text.replace("172.16.1.100/31", "10.9.8.0/31")));
    let ran = cluster.nsmctl(&["deploy", "-f", changed.to_str().unwrap(), "-o", "json"]);
    ran.exits(0).says(&["nse-kernel has changed, so its clients are made anew"]);
    let results = results(&ran);
    assert!(results.contains(&("nse-kernel".to_owned(), "configured".to_owned())), "{results:?}");
    assert!(results.contains(&("alpine".to_owned(), "recreated".to_owned())), "{results:?}");
    assert!(ran.stdout.contains("10.9.8.1/32"), "{ran:?}");
    // And back, and once more without any change.
    cluster.nsmctl(&["deploy"]).exits(0);
    let ran = cluster.nsmctl(&["deploy", "-o", "json"]);
    let document = ran.exits(0).json();
    assert!(document["applied"].as_array().unwrap().iter().all(|object| object["result"] == "unchanged"), "{document}");
}

#[test]
fn a_pod_that_cannot_be_changed_is_made_anew_and_what_is_no_more_is_removed() {
    let cluster = Cluster::new();
    let second = include_str!("../../manifests/client.yaml").replace("name: alpine\n  labels", "name: second\n  labels");
    let both = format!("{}\n---\n{second}", manifests(|text| text.replace("172.16.1.100/31", "172.16.1.96/29")));
    let both = cluster.place.write("both.yaml", &both);
    cluster.nsmctl(&["deploy", "-f", both.to_str().unwrap()]).exits(0);
    assert!(cluster.has(&["-n", EXAMPLE, "pod/second"]));
    let one = manifests(|text| text.replace("172.16.1.100/31", "172.16.1.96/29").replace("sleep infinity & wait", "sleep 86400 & wait"));
    let one = cluster.place.write("one.yaml", &one);
    let ran = cluster.nsmctl(&["deploy", "-f", one.to_str().unwrap(), "-o", "json"]);
    ran.exits(0).says(&["Pod ns-kernel2kernel/alpine is made anew: it cannot be changed in place", "Pod ns-kernel2kernel/second is removed"]);
    let results = results(&ran);
    assert!(
        results.contains(&("alpine".to_owned(), "recreated".to_owned())) && results.contains(&("second".to_owned(), "removed".to_owned())),
        "{results:?}"
    );
    assert!(!cluster.has(&["-n", EXAMPLE, "pod/second"]));
}

#[test]
fn what_somebody_has_changed_is_a_conflict_or_a_difference_and_comes_back() {
    let cluster = Cluster::new();
    cluster.nsmctl(&["deploy"]).exits(0);
    let set = ["set", "env", "-n", EXAMPLE, "deployment/nse-kernel", "NSM_LOG_LEVEL=INFO", "--field-manager=somebody-else"];
    cluster.kubectl(&set);
    cluster.nsmctl(&["deploy"]).exits(1).says(&[
        "cannot apply Deployment ns-kernel2kernel/nse-kernel",
        "conflict with \"somebody-else\"",
        "--force-conflicts",
    ]);
    cluster.nsmctl(&["deploy", "--force-conflicts"]).exits(0);
    cluster.nsmctl(&["deploy"]).exits(0);

    cluster.kubectl(&["scale", "-n", EXAMPLE, "deployment/nse-kernel", "--replicas=0"]);
    let ran = cluster.nsmctl(&["deploy", "--diff"]);
    assert!(ran.exits(1).stdout.contains("-  replicas: 0\n+  replicas: 1\n"), "{ran:?}");
    cluster.nsmctl(&["deploy"]).exits(0);
    cluster.nsmctl(&["deploy", "--diff"]).exits(0);
    cluster.nsmctl(&["deploy"]).exits(0);
}

#[test]
fn a_quota_is_named_at_once_and_not_the_client_that_waits() {
    let cluster = Cluster::new();
    cluster.kubectl(&["create", "namespace", EXAMPLE]);
    cluster.apply(&format!("apiVersion: v1\nkind: ResourceQuota\nmetadata: {{name: tight, namespace: {EXAMPLE}}}\nspec: {{hard: {{pods: 1}}}}\n"));
    eventually("the quota", || cluster.get(&["-n", EXAMPLE, "resourcequota/tight"])["status"]["hard"].is_object());
    let begun = std::time::Instant::now();
    // The client's pod is there at once, and takes it all.
    let ran = cluster.nsmctl(&["deploy", "--timeout", "60s"]);
    ran.exits(1).says(&["Deployment ns-kernel2kernel/nse-kernel cannot become ready: no pod may be made", "exceeded quota"]);
    assert!(begun.elapsed() < std::time::Duration::from_secs(10), "{:?}", begun.elapsed());
}

#[test]
fn an_atomic_deploy_that_fails_leaves_nothing() {
    let cluster = Cluster::new();
    let wrong = cluster.place.write("wrong.yaml", &manifests(|text| text.replace("value: \"kernel2kernel\"", "value: \"another\"")));
    let ran = cluster.nsmctl(&["deploy", "-f", wrong.to_str().unwrap(), "--atomic", "--timeout", "8s"]);
    ran.exits(4).says(&["cmd-nsc-init: network service endpoint candidates not found", "removing what was made (--atomic)"]);
    assert_eq!(cluster.traces(), Vec::<String>::new());
    assert!(!cluster.has(&["namespace", EXAMPLE]));
}

#[test]
fn an_interrupted_atomic_deploy_leaves_nothing_and_spares_what_was_there() {
    let cluster = Cluster::new();
    let running = cluster.start(&["deploy", "--atomic"]);
    eventually("the client's pod", || cluster.has(&["-n", EXAMPLE, "pod/alpine"]));
    running.signal(Signal::SIGINT);
    running.end().exits(130).says(&["removing what was made (--atomic)"]);
    assert_eq!(cluster.traces(), Vec::<String>::new());

    cluster.nsmctl(&["deploy"]).exits(0);
    let wrong = cluster.place.write("wrong.yaml", &manifests(|text| text.replace("alpine:3.15.0", "example.invalid/nothing:1")));
    let ran = cluster.nsmctl(&["deploy", "-f", wrong.to_str().unwrap(), "--atomic", "--timeout", "5s"]);
    assert!(ran.code != Some(0), "{ran:?}");
    assert!(cluster.has(&["-n", EXAMPLE, "deployment/nse-kernel"]), "what was there before is not its to remove");
    // What the kubelet last said of the wrong image is not held against the right one.
    cluster.nsmctl(&["deploy"]).exits(0);
}

#[test]
fn a_quota_that_is_used_up_ends_the_wait_with_its_reason() {
    let cluster = Cluster::new().with_namespace("nsmctl-quota");
    cluster.kubectl(&["create", "namespace", "nsmctl-quota"]);
    cluster.kubectl(&["create", "quota", "none", "-n", "nsmctl-quota", "--hard=pods=0"]);
    let used = || cluster.get(&["-n", "nsmctl-quota", "quota/none"])["status"]["hard"]["pods"] == "0";
    eventually("the quota", used);
    let ran = cluster.nsmctl(&["deploy", "-n", "nsmctl-quota", "--timeout", "60s"]);
    ran.exits(1).says(&["exceeded quota", "free some of the quota"]);
}

#[test]
fn a_network_service_of_the_same_name_elsewhere_is_warned_about() {
    let cluster = Cluster::new().with_namespace("nsmctl-theirs");
    cluster.kubectl(&["create", "namespace", "nsmctl-theirs"]);
    cluster.apply("apiVersion: networkservicemesh.io/v1\nkind: NetworkService\nmetadata: {name: kernel2kernel, namespace: nsmctl-theirs}\nspec: {payload: ETHERNET}\n");
    cluster.nsmctl(&["deploy"]).says(&["warning: names are free (NetworkService kernel2kernel): also in nsmctl-theirs"]);
}
