//! status, by the witness of kubectl.

use serde_json::Value;

use crate::cluster::{Cluster, EXAMPLE};

#[test]
fn status_of_a_deployment() {
    let cluster = Cluster::new();
    // NSM is healthy with nothing deployed.
    cluster.nsmctl(&["status", "-o", "short"]).exits(0);
    cluster.nsmctl(&["deploy"]).exits(0);
    let ran = cluster.nsmctl(&["status", "-o", "json"]);
    let document = ran.exits(0).json();
    let status = &document["status"];
    let connections = status["connections"]["value"].as_array().unwrap();
    let [one] = connections.as_slice() else { panic!("{connections:?}") };
    let address =
        cluster.kubectl(&["exec", "-n", EXAMPLE, "alpine", "-c", "alpine", "--", "ip", "addr", "show", one["interface"]["value"].as_str().unwrap()]);
    assert!(address.contains(one["addresses"][0]["client"].as_str().unwrap()), "{address}");
    let pod = one["endpoint"]["value"]["name"].as_str().unwrap();
    let far = cluster.kubectl(&["exec", "-n", EXAMPLE, pod, "--", "ip", "addr", "show", one["endpoint_interface"]["value"].as_str().unwrap()]);
    assert!(far.contains(one["addresses"][0]["endpoint"].as_str().unwrap()), "{far}");
    // What NSM tells nobody is not made up.
    assert!(one["heals"]["unknown"].is_string(), "{one}");
    let pods = cluster.get(&["pod", "-n", EXAMPLE, "alpine"]);
    let ended = pods.pointer("/status/initContainerStatuses/0/state/terminated/finishedAt").and_then(Value::as_str).unwrap();
    assert_eq!(one["since"]["value"], ended);
    let forwarders = one["path"]["value"]["forwarders"]["value"].as_array().unwrap();
    assert!(forwarders.iter().all(|name| cluster.has(&["pod", "-n", "nsm-system", name.as_str().unwrap()])), "{forwarders:?}");
    let endpoint = status["endpoints"]["value"].as_array().unwrap().iter().find(|endpoint| endpoint["pod"]["value"]["name"] == pod);
    let registered = cluster.get(&["networkserviceendpoints.networkservicemesh.io", "-n", "nsm-system", pod]);
    let expires = registered.pointer("/spec/expiration_time/seconds").and_then(Value::as_i64).unwrap();
    let left = endpoint.unwrap()["expires_in_s"]["value"].as_i64().unwrap();
    assert!(left > 0 && left <= 120 && expires > 0, "{left}");
    for component in status["components"].as_array().unwrap() {
        assert_eq!(component["verdict"], "pass", "{component}");
    }
    let tree = cluster.nsmctl(&["status", "--topology"]);
    assert!(tree.exits(0).stdout.contains("kernel2kernel ──▶ nse-kernel-"), "{tree:?}");
    // It is fast enough to be asked again and again.
    let document = cluster.nsmctl(&["status", "-A", "-o", "json"]).exits(0).json();
    assert!(document["duration_ms"].as_u64().unwrap() < 10_000, "{}", document["duration_ms"]);

    // The endpoint is scaled down: its connection is not there.
    cluster.kubectl(&["delete", "pod", "-n", EXAMPLE, "alpine", "--wait=true"]);
    let ran = cluster.nsmctl(&["status", "-o", "json"]);
    assert_eq!(ran.exits(1).json()["status"]["connections"]["value"][0]["reason"], "the client has no pod");
    cluster.nsmctl(&["cleanup"]).exits(0);
}

#[test]
fn metrics_of_a_deployment() {
    let cluster = Cluster::new();
    cluster.nsmctl(&["deploy"]).exits(0);
    let ran = cluster.nsmctl(&["metrics", "-o", "json"]);
    let document = ran.exits(0).json();
    let sources = document["metrics"]["sources"]["value"].as_array().unwrap();
    let nsmgr = sources.iter().find(|source| source["role"] == "nsmgr").unwrap();
    assert!(nsmgr["exposes"]["unknown"].as_str().unwrap().contains("nsmgr serves none"), "{nsmgr}");
    assert!(sources.iter().any(|source| source["role"] == "forwarder"), "{sources:?}");
    let packets = |ran: &crate::program::Ran, side: &str| {
        let document = ran.json();
        document["metrics"]["connections"][0][side]["counters"]["value"]["rx_packets"].as_u64().unwrap_or_else(|| panic!("{ran:?}"))
    };
    // Four pings each way, and as many answers.
    cluster.nsmctl(&["verify"]).exits(0);
    let after = cluster.nsmctl(&["metrics", "-o", "json"]);
    for side in ["client", "endpoint"] {
        assert!(packets(after.exits(0), side) >= packets(&ran, side) + 8, "{side}: {after:?}");
    }
    let read = "cat /sys/class/net/nsm-1/statistics/rx_packets";
    let witness: u64 = cluster.kubectl(&["exec", "-n", EXAMPLE, "alpine", "-c", "alpine", "--", "sh", "-c", read]).trim().parse().unwrap();
    assert!(witness >= packets(&after, "client") && witness <= packets(&after, "client") + 20, "{witness}");
    let text = cluster.nsmctl(&["metrics", "-o", "prometheus"]);
    assert!(text.exits(0).stdout.contains("nsmctl_interface_receive_packets_total{namespace=\"ns-kernel2kernel\",pod=\"alpine\""), "{text:?}");
    cluster.nsmctl(&["cleanup"]).exits(0);
}
