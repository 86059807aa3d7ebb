//! A bundle of the broken example: small, without secrets, and it tells the same elsewhere.

use std::{collections::BTreeMap, fs, io::Read};

use flate2::read::GzDecoder;
use serde_json::Value;

use crate::{
    cluster::{Cluster, EXAMPLE, manifests},
    program::{Place, Ran},
};

/// Of each cause and step what it is, about what, and what was seen.
fn found(ran: &Ran) -> Vec<[Value; 4]> {
    let document = ran.json();
    let lists = ["causes", "path", "unseen"].map(|list| document[list].as_array().unwrap_or_else(|| panic!("{ran:?}")).clone());
    lists.concat().iter().map(|finding| ["check", "subject", "verdict", "observed"].map(|field| finding[field].clone())).collect()
}

#[test]
fn a_bundle_of_the_broken_example() {
    let cluster = Cluster::new();
    let wrong = manifests(|text| {
        let text = text.replace("value: \"kernel2kernel\"", "value: \"another\"");
        text.replace("        env:\n", "        env:\n            - name: DB_PASSWORD\n              value: hunter-22\n")
    });
    let file = cluster.place.write("changed.yaml", &wrong);
    let file = file.to_str().unwrap();
    cluster.nsmctl(&["deploy", "-f", file, "--timeout", "12s"]).exits(4);
    cluster.kubectl(&["create", "secret", "generic", "mine", "-n", EXAMPLE, "--from-literal=key=hunter-33"]);
    cluster.kubectl(&["create", "configmap", "ours", "-n", "nsm-system", "--from-literal=key=hunter-44"]);
    let there = cluster.nsmctl(&["troubleshoot", "-f", file, "--bundle", "b.tgz", "-o", "json"]);
    cluster.kubectl(&["delete", "configmap", "ours", "-n", "nsm-system"]);
    there.exits(1).says(&["wrote b.tgz ("]);

    let path = cluster.place.path("b.tgz");
    let size = fs::metadata(&path).unwrap().len();
    assert!(size < 1 << 20, "{size}");
    let mut archive = tar::Archive::new(GzDecoder::new(fs::File::open(&path).unwrap()));
    let mut files = BTreeMap::new();
    for entry in archive.entries().unwrap() {
        let mut entry = entry.unwrap();
        let mut text = String::new();
        entry.read_to_string(&mut text).unwrap();
        files.insert(entry.path().unwrap().display().to_string(), text);
    }
    eprintln!("{size} bytes, {} files, {} bytes unpacked; {}", files.len(), files.values().map(String::len).sum::<usize>(), there.stderr.trim());
    for (name, text) in &files {
        for secret in ["hunter-", "eyJ", "PRIVATE KEY", "last-applied-configuration: ", "managedFields", "kind: Secret"] {
            assert!(!text.contains(secret), "{secret} in {name}");
        }
    }
    for name in [
        "objects/ns-kernel2kernel/pods.yaml",
        "objects/nodes.yaml",
        "objects/nsm-system/configmaps.yaml",
        "objects/mutatingwebhookconfigurations.yaml",
    ] {
        assert!(files.contains_key(&format!("nsmctl-bundle/{name}")), "{name}: {:?}", files.keys());
    }
    assert!(files["nsmctl-bundle/objects/nsm-system/configmaps.yaml"].contains("name: ours"));

    let elsewhere = Place::new();
    fs::copy(&path, elsewhere.path("b.tgz")).unwrap();
    let here = elsewhere.run(&["troubleshoot", "--from", "b.tgz", "-o", "json"]);
    assert_eq!(found(here.exits(1)), found(&there));
    assert!(!here.json()["causes"].as_array().unwrap().is_empty(), "{here:?}");
}
