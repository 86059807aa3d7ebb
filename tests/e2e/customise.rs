//! Deployments that differ from their manifests, by flags alone.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::{
    cluster::{Cluster, EXAMPLE},
    program::Ran,
};

fn observed(ran: &Ran, check: &str) -> Vec<String> {
    let document = ran.json();
    let findings = document["findings"].as_array().unwrap_or_else(|| panic!("{document}")).clone();
    findings.iter().filter(|finding| finding["check"] == check).map(|finding| finding["observed"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn three_clients_that_truly_work() {
    let cluster = Cluster::new();
    let ran = cluster.nsmctl(&["deploy", "--clients", "3"]);
    ran.exits(2).prints_nothing().says(&["172.16.1.100/31 holds 1", "--cidr 172.16.1.96/29"]);
    assert!(!cluster.has(&["namespace", EXAMPLE]));
    let ran = cluster.nsmctl(&["deploy", "--clients", "3", "--cidr", "172.16.1.96/29", "-o", "json"]);
    ran.exits(0);
    let addresses: BTreeSet<String> = observed(&ran, "address").into_iter().collect();
    assert_eq!(observed(&ran, "ping-endpoint").len(), 3, "{ran:?}");
    assert_eq!(addresses.len(), 6, "{addresses:?}");
    // Fewer: what is no more is removed, the rest goes on.
    let pods = || cluster.kubectl(&["get", "pods", "-n", EXAMPLE, "-o", "custom-columns=:metadata.name,:metadata.uid"]);
    let (before, fewer) = (pods(), ["deploy", "--clients", "2", "--cidr", "172.16.1.96/29"]);
    cluster.nsmctl(&fewer).exits(0).says(&["Pod ns-kernel2kernel/alpine-3 is removed"]);
    let rest: Vec<&str> = before.lines().filter(|line| !line.starts_with("alpine-3 ")).collect();
    assert_eq!(pods().lines().collect::<Vec<_>>(), rest);
    cluster.nsmctl(&["verify", "--clients", "2", "--cidr", "172.16.1.96/29"]).exits(0);
    // What was asked of deploy need not be asked again, and a fix keeps it.
    let ran = cluster.nsmctl(&["verify", "-o", "json"]);
    ran.exits(0).says(&["was made with --cidr=172.16.1.96/29 --clients=2"]);
    assert_eq!(observed(&ran, "ping-endpoint").len(), 2, "{ran:?}");
}

#[test]
fn another_prefix_and_another_payload() {
    let cluster = Cluster::new();
    let ran = cluster.nsmctl(&["deploy", "--cidr", "10.0.0.100/31", "--payload", "ip", "-o", "json"]);
    ran.exits(0);
    assert_eq!(observed(&ran, "address")[0], "10.0.0.101/32");
    assert_eq!(cluster.get(&["-n", EXAMPLE, "networkservice/kernel2kernel"])["spec"]["payload"], "IP");
}

#[test]
fn two_clients_and_their_endpoint_on_two_nodes() {
    let cluster = Cluster::new();
    for attempt in 0..2 {
        let ran = cluster.nsmctl(&["deploy", "--clients", "2", "--cidr", "172.16.1.96/29", "--cross-node"]);
        ran.exits(0);
        let node = |name: &str| {
            let pods = cluster.get(&["pods", "-n", EXAMPLE, "-l", &format!("app={name}")]);
            let nodes = pods["items"].as_array().unwrap().iter().map(|pod| pod["spec"]["nodeName"].as_str().unwrap().to_owned());
            nodes.collect::<BTreeSet<String>>()
        };
        assert!(node("alpine").is_disjoint(&node("nse-kernel")), "{attempt}: {:?} {:?}", node("alpine"), node("nse-kernel"));
        cluster.nsmctl(&["cleanup"]).exits(0);
    }
}

#[test]
fn what_was_made_from_other_manifests_is_held_against_its_objects_and_is_not_replaced() {
    let cluster = Cluster::new();
    let example = cluster.nsmctl(&["manifests"]).exits(0).stdout.replace("nse-kernel", "my-nse").replace("name: alpine\n", "name: my-client\n");
    let manifests = tempfile::NamedTempFile::with_suffix(".yaml").unwrap();
    std::fs::write(manifests.path(), example).unwrap();
    let manifests = manifests.path().to_str().unwrap();
    cluster.nsmctl(&["deploy", "-f", manifests]).exits(0);
    cluster.nsmctl(&["verify", "-n", EXAMPLE]).exits(0).says(&["was made from other manifests (", "my-client"]);
    cluster.nsmctl(&["exec", "-n", EXAMPLE, "my-client", "--", "true"]).exits(0);
    cluster.nsmctl(&["deploy", "-n", EXAMPLE]).exits(1).says(&["and this is the example; nothing was changed"]);
    cluster.nsmctl(&["verify", "-f", manifests]).exits(0);
    cluster.nsmctl(&["cleanup", "-f", manifests]).exits(0);
}

#[test]
fn two_deployments_side_by_side_in_one_namespace() {
    let cluster = Cluster::new();
    cluster.nsmctl(&["deploy"]).exits(0);
    cluster.nsmctl(&["deploy", "--name-prefix", "blue-", "-n", EXAMPLE]).exits(0);
    cluster.nsmctl(&["verify"]).exits(0);
    cluster.nsmctl(&["cleanup", "--name-prefix", "blue-", "-n", EXAMPLE]).exits(0);
    assert!(!cluster.has(&["-n", EXAMPLE, "pod/blue-alpine"]));
    cluster.nsmctl(&["verify"]).exits(0);
    cluster.nsmctl(&["cleanup"]).exits(0);
    assert_eq!(cluster.traces(), Vec::<String>::new());
}

#[test]
fn an_image_of_ones_own_and_a_registry_of_ones_own() {
    let cluster = Cluster::new();
    let ran = cluster.nsmctl(&["deploy", "--image-registry", "mirror.invalid/nsm", "--timeout", "90s"]);
    ran.exits(1).says(&["ImagePullBackOff of mirror.invalid/nsm/"]);
    let images = cluster.nsmctl(&["manifests", "images", "--image-registry", "mirror.invalid/nsm", "--image", "alpine=alpine:3.15.0"]);
    assert_eq!(images.exits(0).stdout, "alpine:3.15.0\nmirror.invalid/nsm/networkservicemesh/ci/cmd-nse-icmp-responder:a00fa0f\n");
}

#[test]
fn the_printed_role_is_enough_for_all_four_commands() {
    let name = format!("nsmctl-{EXAMPLE}");
    let cluster = Cluster::new().with_namespace("nsmctl-theirs");
    let cluster = cluster.with_objects(&["clusterrole,clusterrolebinding", &name]).with_objects(&["-n", "nsm-system", "role,rolebinding", &name]);
    let cluster = cluster.with_objects(&["-n", "spire", "role,rolebinding", &name]);
    for namespace in ["nsmctl-theirs", EXAMPLE] {
        cluster.kubectl(&["create", "namespace", namespace]);
    }
    cluster.kubectl(&["create", "serviceaccount", "-n", "nsmctl-theirs", "deployer"]);
    let roles = cluster.nsmctl(&["manifests", "rbac"]);
    cluster.apply(&roles.exits(0).stdout);
    let account = "--serviceaccount=nsmctl-theirs:deployer";
    cluster.kubectl(&["create", "clusterrolebinding", &name, &format!("--clusterrole={name}"), account]);
    for namespace in [EXAMPLE, "nsm-system", "spire"] {
        cluster.kubectl(&["create", "rolebinding", "-n", namespace, &name, &format!("--role={name}"), account]);
    }
    let token = cluster.kubectl(&["create", "token", "-n", "nsmctl-theirs", "deployer"]);
    let mut kubeconfig: Value = serde_json::from_str(&cluster.kubectl(&["config", "view", "--raw", "--minify", "--flatten", "-o", "json"])).unwrap();
    kubeconfig["users"][0]["user"] = serde_json::json!({"token": token.trim()});
    let file = cluster.place.write("deployer.json", &kubeconfig.to_string());
    let file = file.to_str().unwrap();
    let codes: Vec<(&str, Ran)> =
        ["deploy", "verify", "troubleshoot", "cleanup"].map(|command| (command, cluster.nsmctl(&[command, "--kubeconfig", file]))).into();
    for (command, ran) in &codes {
        assert_eq!(ran.code, Some(0), "{command}: {ran:?}");
        assert!(!ran.stderr.contains("warning"), "{command}: {ran:?}");
    }
}
