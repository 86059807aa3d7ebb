//! Each check of `verify`, by a fault that is made on the cluster.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::{
    cluster::{Cluster, EXAMPLE, manifests},
    program::{Ran, eventually},
};

/// What a check says: each of its findings as `verdict: observed`.
#[track_caller]
fn says(ran: &Ran, check: &str) -> Vec<String> {
    let document = ran.json();
    let findings = document["findings"].as_array().unwrap_or_else(|| panic!("{document}"));
    let of_check = findings.iter().filter(|finding| finding["check"] == check);
    of_check.map(|finding| format!("{}: {}", finding["verdict"].as_str().unwrap(), finding["observed"].as_str().unwrap())).collect()
}

/// Runs a program in the client, as an administrator of its network would: the container has the right to.
#[track_caller]
fn in_client(cluster: &Cluster, command: &[&str]) {
    let pid = &["exec", "-n", EXAMPLE, "alpine", "-c", "alpine", "--"];
    cluster.kubectl(&[pid, command].concat());
}

/// The example, whose client may change its network.
fn privileged() -> String {
    manifests(|text| text.replace("  - name: alpine\n    image", "  - name: alpine\n    securityContext: {privileged: true}\n    image"))
}

#[track_caller]
fn deployed(cluster: &Cluster) -> String {
    let text = privileged();
    assert!(text.contains("privileged"), "{text}");
    let file = cluster.place.write("privileged.yaml", &text);
    let file = file.to_str().unwrap().to_owned();
    cluster.nsmctl(&["deploy", "-f", &file]).exits(0);
    file
}

#[test]
fn a_link_an_address_and_a_route_that_are_taken_away() {
    let cluster = Cluster::new();
    let file = deployed(&cluster);
    let verify = || cluster.nsmctl(&["verify", "-f", &file, "-o", "json"]);
    verify().exits(0);

    in_client(&cluster, &["ip", "route", "del", "172.16.1.100", "dev", "nsm-1"]);
    let ran = verify();
    assert!(says(ran.exits(1), "peer-route")[0].starts_with("fail: it goes 0.0.0.0/0 via"), "{ran:?}");
    // NSM notices that nothing comes back and makes the connection anew.
    eventually("a connection that NSM has mended", || verify().code == Some(0));

    in_client(&cluster, &["ip", "addr", "del", "172.16.1.101/32", "dev", "nsm-1"]);
    let ran = verify();
    assert_eq!(says(ran.exits(1), "address")[0], "fail: none", "{ran:?}");
    eventually("a connection that NSM has mended", || verify().code == Some(0));

    in_client(&cluster, &["ip", "link", "set", "nsm-1", "down"]);
    let ran = verify();
    assert!(says(ran.exits(1), "interface")[0].starts_with("fail: <"), "{ran:?}");
    assert!(says(&ran, "ping-endpoint")[0].starts_with("fail: "), "{ran:?}");
}

#[test]
fn a_registration_that_is_gone_and_a_service_that_is_there_twice() {
    let cluster = Cluster::new().with_namespace("nsmctl-theirs");
    cluster.nsmctl(&["deploy"]).exits(0);
    cluster.kubectl(&["create", "namespace", "nsmctl-theirs"]);
    cluster.apply(
        "apiVersion: networkservicemesh.io/v1\nkind: NetworkService\nmetadata: {name: kernel2kernel, namespace: nsmctl-theirs}\nspec: {payload: IP}\n",
    );
    let ran = cluster.nsmctl(&["verify", "-o", "json"]);
    assert_eq!(says(ran.exits(0), "network-service"), ["warn: payload ETHERNET, in ns-kernel2kernel; also in nsmctl-theirs"]);
    let registered = cluster.kubectl(&["get", "networkserviceendpoints", "-n", "nsm-system", "-o", "name"]);
    let own = registered.lines().find(|name| name.contains("nse-kernel")).expect("a registration");
    cluster.kubectl(&["delete", "-n", "nsm-system", own]);
    let ran = cluster.nsmctl(&["verify", "-o", "json"]);
    assert_eq!(says(ran.exits(1), "endpoint-registered"), ["fail: no endpoint is"], "{ran:?}");

    cluster.kubectl(&["delete", "networkservice", "-n", EXAMPLE, "kernel2kernel"]);
    let ran = cluster.nsmctl(&["verify", "-o", "json"]);
    assert_eq!(says(ran.exits(1), "network-service"), ["fail: none in ns-kernel2kernel; there is one in nsmctl-theirs"]);
}

/// The forwarder of this cluster says 16000 bytes over a path of 1500.
#[test]
fn packets_that_the_interface_admits_and_the_path_does_not() {
    let cluster = Cluster::new();
    let ran = cluster.nsmctl(&["deploy", "--cross-node", "-o", "json"]);
    assert_eq!(says(ran.exits(0), "path-mtu").len(), 1, "{ran:?}");
    assert!(says(&ran, "path-mtu")[0].starts_with("warn: they are lost; 14"), "{ran:?}");
    let pods = cluster.get(&["pods", "-n", EXAMPLE]);
    let nodes: BTreeSet<&str> = pods["items"].as_array().unwrap().iter().map(|pod| pod["spec"]["nodeName"].as_str().unwrap()).collect();
    assert_eq!(nodes.len(), 2, "{nodes:?}");
    let ran = cluster.nsmctl(&["verify", "--cross-node", "-o", "json"]);
    assert!(says(ran.exits(1), "path-mtu")[0].starts_with("fail: they are lost; 14"), "{ran:?}");
    assert!(says(&ran, "encryption")[0].starts_with("warn: not encrypted: VXLAN from node"), "{ran:?}");
    assert!(says(&ran, "ping-endpoint")[0].starts_with("pass: 4/4"), "{ran:?}");
    let ran = cluster.nsmctl(&["verify", "--cross-node", "--skip", "path-mtu", "-o", "json"]);
    assert_eq!(says(ran.exits(0), "path-mtu"), ["skip: skipped: --skip"]);
}

/// What somebody else has deployed, with kubectl: its objects say what it promises.
#[test]
fn what_nsmctl_has_not_deployed_is_verified_as_well() {
    let cluster = Cluster::new().with_namespace("nsmctl-theirs");
    let theirs = manifests(|text| {
        let text = text.replace(EXAMPLE, "nsmctl-theirs").replace("kernel2kernel", "theirs");
        // What is in no namespace would land in the current one.
        if text.contains("kind: Namespace\n") { text } else { text.replacen("\nmetadata:\n", "\nmetadata:\n  namespace: nsmctl-theirs\n", 1) }
    });
    cluster.apply(&theirs);
    cluster.kubectl(&["wait", "-n", "nsmctl-theirs", "--for=condition=ready", "pod", "--all", "--timeout=60s"]);

    let passes = |arguments: &[&str]| {
        let ran = cluster.nsmctl(&[&["verify", "-o", "json"], arguments].concat());
        assert!(says(ran.exits(0), "ping-endpoint")[0].starts_with("pass: 4/4"), "{ran:?}");
        ran
    };
    let ran = passes(&["-n", "nsmctl-theirs"]);
    assert_eq!(says(&ran, "address")[0], "pass: 172.16.1.101/32", "one pair, so that it is certain: {ran:?}");
    passes(&["-n", "nsmctl-theirs", "--client", "alpine"]);
    passes(&["-n", "nsmctl-theirs", "--selector", "app=alpine"]);
    let ran = passes(&["--all-namespaces"]);
    let subjects: Vec<Value> = ran.json()["findings"].as_array().unwrap().iter().map(|finding| finding["subject"].clone()).collect();
    assert!(subjects.contains(&"alpine nsm-1".into()) || subjects.contains(&"nsmctl-theirs/alpine nsm-1".into()), "{subjects:?}");

    let ran = cluster.nsmctl(&["verify", "-n", "nsmctl-theirs", "--client", "nobody"]);
    ran.exits(3).says(&["no client of NSM's of the name nobody in namespace nsmctl-theirs", "nsmctl-theirs/alpine"]);
    let ran = cluster.nsmctl(&["verify", "-n", "nsmctl-theirs", "--selector", "app=nobody"]);
    ran.exits(3).says(&["no client of NSM's with app=nobody"]);
    let ran = cluster.nsmctl(&["verify", "-n", "nsmctl-theirs", "--selector", "a b"]);
    ran.exits(2).says(&["--selector a b"]);

    cluster.kubectl(&["scale", "-n", "nsmctl-theirs", "deployment/nse-kernel", "--replicas=0"]);
    eventually("the endpoint's end", || cluster.kubectl(&["get", "pods", "-n", "nsmctl-theirs", "-l", "app=nse-kernel", "-o", "name"]).is_empty());
    let ran = cluster.nsmctl(&["verify", "-n", "nsmctl-theirs", "-o", "json"]);
    assert_eq!(says(ran.exits(1), "endpoint-registered")[0], "fail: nobody: nse-kernel has no pod", "it may still answer: {ran:?}");
}

#[test]
fn an_annotation_that_nobody_can_read_is_a_failure() {
    let cluster = Cluster::new().with_namespace("nsmctl-theirs");
    cluster.kubectl(&["create", "namespace", "nsmctl-theirs"]);
    let pod = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: broken, namespace: nsmctl-theirs}\nspec:\n  replicas: 0\n  selector: {matchLabels: {app: broken}}\n  \
               template:\n    metadata: {labels: {app: broken}, annotations: {networkservicemesh.io: \"kernel://kernel2kernel/a-name-of-more-than-15\"}}\n    \
               spec: {containers: [{name: c, image: \"alpine:3.15.0\"}]}\n";
    cluster.apply(pod);
    let ran = cluster.nsmctl(&["verify", "-n", "nsmctl-theirs", "-o", "json"]);
    assert!(says(ran.exits(1), "request")[0].contains("a-name-of-more-than-15"), "{ran:?}");
}

/// A client without a shell, `ip` or `ping`: a container that has them is put beside it.
#[test]
fn a_client_without_programs_is_looked_into_from_beside() {
    let cluster = Cluster::new();
    let bare = manifests(|text| {
        let tool = "{name: tool, mountPath: /tool}";
        let hidden = ["/bin", "/sbin", "/usr"].map(|path| format!("{{name: nothing, mountPath: {path}}}")).join(", ");
        text.replace(
            "  containers:\n  - name: alpine\n",
            &format!(
                "  volumes: [{{name: tool, emptyDir: {{}}}}, {{name: nothing, emptyDir: {{}}}}]\n  initContainers:\n  - {{name: copy, image: \"alpine:3.15.0\", \
                 command: [cp, /bin/busybox, /tool/busybox], volumeMounts: [{tool}]}}\n  containers:\n  - name: alpine\n    volumeMounts: [{tool}, {hidden}]\n"
            ),
        )
        .replace("command: [\"/bin/sh\", \"-c\", \"trap : TERM INT; sleep infinity & wait\"]", "command: [/tool/busybox, sleep, \"3600\"]")
    });
    assert!(bare.contains("/tool/busybox, sleep"), "{bare}");
    let file = cluster.place.write("bare.yaml", &bare);
    let file = file.to_str().unwrap();
    cluster.nsmctl(&["deploy", "-f", file]);
    assert!(!cluster.runs(&["exec", "-n", EXAMPLE, "alpine", "-c", "alpine", "--", "sh", "-c", "true"]), "the client has no shell");

    let ran = cluster.nsmctl(&["verify", "-f", file, "--debug-image", "", "-o", "json"]);
    assert!(says(ran.exits(3), "interface")[0].starts_with("unknown: "), "{ran:?}");
    // Who may look into containers and not put one beside them is told which permission that takes.
    let role = "apiVersion: rbac.authorization.k8s.io/v1\nkind: Role\nmetadata: {name: looker, namespace: ns-kernel2kernel}\nrules:\n- {apiGroups: [\"\"], resources: \
                [pods], verbs: [get, list]}\n- {apiGroups: [\"\"], resources: [pods/exec], verbs: [get, create]}\n---\napiVersion: rbac.authorization.k8s.io/v1\nkind: \
                RoleBinding\nmetadata: {name: looker, namespace: ns-kernel2kernel}\nroleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: looker}\nsubjects:\n- \
                {kind: User, apiGroup: rbac.authorization.k8s.io, name: looker}\n";
    cluster.apply(role);
    let mut kubeconfig: Value = serde_json::from_str(&cluster.kubectl(&["config", "view", "--raw", "--minify", "--flatten", "-o", "json"])).unwrap();
    kubeconfig["users"][0]["user"]["as"] = "looker".into();
    let looker = cluster.place.write("looker.json", &kubeconfig.to_string());
    let ran = cluster.nsmctl(&["verify", "-f", file, "--kubeconfig", looker.to_str().unwrap(), "-o", "json"]);
    assert!(says(ran.exits(3), "interface")[0].starts_with("unknown: the image has no ip or ping"), "{ran:?}");
    assert!(says(&ran, "interface")[0].contains("patch pods/ephemeralcontainers"), "{ran:?}");
    let containers = || {
        let pod = cluster.get(&["-n", EXAMPLE, "pod", "alpine"]);
        pod["spec"]["ephemeralContainers"].as_array().map_or(0, Vec::len)
    };
    assert_eq!(containers(), 0);
    let ran = cluster.nsmctl(&["verify", "-f", file, "-o", "json"]);
    assert!(says(ran.exits(0), "ping-endpoint")[0].starts_with("pass: 4/4"), "{ran:?}");
    assert_eq!(says(&ran, "address")[0], "pass: 172.16.1.101/32");
    assert_eq!(containers(), 1);
    cluster.nsmctl(&["verify", "-f", file]).exits(0);
    assert_eq!(containers(), 1, "one that still runs is used again");
    let image = cluster.nsmctl(&["verify", "-f", file, "--client", "alpine", "-o", "json"]);
    assert!(says(image.exits(0), "interface")[0].starts_with("pass: "), "{image:?}");
    // It pings also while the endpoint is lost. Whether that heals is for another test: this cluster's forwarder keeps it alive.
    let ran = cluster.nsmctl(&["verify", "-f", file, "--heal", "--timeout", "25s", "-o", "json"]);
    assert_eq!(says(&ran, "heal").len(), 1, "{ran:?}");
    assert!(!ran.stderr.contains("cut off"), "{ran:?}");
}

#[test]
fn clients_share_a_prefix_and_each_has_its_own_pair() {
    let cluster = Cluster::new();
    let ran = cluster.nsmctl(&["deploy", "--clients", "3", "--cidr", "172.16.1.0/29,2001:db8::/125", "-o", "json"]);
    assert!(says(ran.exits(0), "address-overlap")[0].starts_with("pass: "), "{ran:?}");
    assert_eq!(says(&ran, "ping-endpoint").len(), 6, "three clients, two families: {ran:?}");
    let ran =
        cluster.nsmctl(&["verify", "--clients", "3", "--cidr", "172.16.1.0/29,2001:db8::/125", "--count", "2", "--max-rtt", "1s", "-o", "json"]);
    assert!(says(ran.exits(0), "ping-client").iter().all(|line| line.starts_with("pass: 2/2")), "{ran:?}");
    let ran = cluster.nsmctl(&["verify", "--clients", "3", "--cidr", "172.16.1.0/29,2001:db8::/125", "--max-rtt", "1us", "-o", "json"]);
    assert!(says(ran.exits(1), "ping-endpoint").iter().all(|line| line.starts_with("fail: 4/4")), "{ran:?}");
}

/// The ends of connections towards endpoints, as the forwarders have them: the forwarder's pod and the link.
fn far_ends(cluster: &Cluster) -> Vec<(String, String)> {
    let pods = cluster.kubectl(&["get", "pods", "-n", "nsm-system", "-o", "name"]);
    let forwarders = pods.lines().filter(|name| name.contains("forwarder-ovs")).map(str::to_owned);
    let links = |pod: String| {
        let printed = cluster.kubectl(&["exec", "-n", "nsm-system", &pod, "--", "ip", "-o", "link"]);
        let names = printed.lines().filter_map(|line| line.split(": ").nth(1)?.split('@').next());
        names.filter(|name| name.starts_with("tapdst-")).map(|name| (pod.clone(), name.to_owned())).collect::<Vec<_>>()
    };
    forwarders.flat_map(links).collect()
}

/// This cluster's forwarder keeps a lost endpoint's network alive for minutes, so that NSM does not notice; the test ends it, as a
/// kernel ends that of a pod whose forwarder lets it go.
#[test]
fn the_loss_of_an_endpoint_is_measured() {
    let cluster = Cluster::new();
    let before = far_ends(&cluster);
    cluster.nsmctl(&["deploy"]).exits(0);
    let new: Vec<_> = far_ends(&cluster).into_iter().filter(|end| !before.contains(end)).collect();
    let [(forwarder, link)] = new.as_slice() else { panic!("one connection has one far end: {new:?}") };
    let name = || cluster.kubectl(&["get", "pods", "-n", EXAMPLE, "-l", "app=nse-kernel", "-o", "name"]);
    let endpoint = name();
    let healing = cluster.start(&["verify", "--heal", "--timeout", "100s", "-o", "json"]);
    eventually("another endpoint in its place", || !name().is_empty() && name().lines().all(|pod| pod != endpoint.trim()));
    cluster.kubectl(&["exec", "-n", "nsm-system", forwarder, "--", "ip", "link", "set", link, "down"]);
    let ran = healing.end_within(std::time::Duration::from_secs(110));
    let heal = says(ran.exits(0), "heal");
    assert!(heal.len() == 1 && heal[0].starts_with("pass: ") && heal[0].contains(" pings lost, an outage of "), "{ran:?}");
    assert!(!heal[0].starts_with("pass: 0 pings"), "{ran:?}");
    assert!(says(&ran, "ping-endpoint")[0].starts_with("pass: 4/4"), "it is verified again afterwards: {ran:?}");
}

#[test]
fn a_connection_that_does_not_heal_is_a_failure() {
    let cluster = Cluster::new();
    cluster.nsmctl(&["deploy"]).exits(0);
    let ran = cluster.nsmctl(&["verify", "--heal", "--timeout", "12s", "-o", "json"]);
    assert!(says(ran.exits(1), "heal")[0].starts_with("fail: it does not: "), "{ran:?}");
}
