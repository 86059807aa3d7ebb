//! A cluster without NSM: run on such a one with `cargo test --test e2e bare::`.

use crate::cluster::{Cluster, EXAMPLE};

#[test]
fn a_cluster_without_nsm_is_told_so_and_left_as_it_was() {
    let cluster = Cluster::new();
    assert!(!cluster.has(&["crd", "networkservices.networkservicemesh.io"]), "this test is for a cluster without NSM");
    let ran = cluster.nsmctl(&["deploy"]);
    ran.exits(1).says(&["error: Network Service Mesh is not installed on the cluster", "nothing was changed", "next: install NSM"]);
    assert!(!cluster.has(&["namespace", EXAMPLE]));

    let ran = cluster.nsmctl(&["verify", "-o", "json"]);
    assert!(ran.exits(1).json()["findings"].as_array().is_some_and(|findings| !findings.is_empty()), "{ran:?}");

    let ran = cluster.nsmctl(&["troubleshoot", "-o", "json"]);
    let document = ran.exits(1).json();
    let broken = document["path"].as_array().unwrap().iter().find(|finding| finding["verdict"] == "fail").unwrap();
    assert_eq!(broken["check"], "nsm", "{document}");
    assert!(document["causes"][0]["hint"].as_str().unwrap().contains("kubectl apply"), "{document}");

    let ran = cluster.nsmctl(&["cleanup"]);
    assert!(ran.exits(0).stdout.contains("there was nothing to remove"), "{ran:?}");
}
