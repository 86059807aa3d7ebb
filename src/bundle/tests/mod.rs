mod hostile;

use std::{collections::BTreeMap, io::Read};

use flate2::read::GzDecoder;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::{write::write_within, *};
use crate::{
    check::fixture::{self, forbidden, healthy},
    diagnose::diagnose,
    model::{
        Asks, ExecEnd, LogTail, Namespaced, PingOptions, PingStats, Pinged, PodProbes, Probe, ProbeRequest, RawObjects, Snapshot, Unavailable,
        UnavailableKind,
    },
};

fn origin() -> Origin {
    let target = Place::Cluster { server: "https://10.0.0.1:6443".into(), context: Some("here".into()), version: Some("v1.34.1".into()) };
    Origin { nsmctl: "0.1.0".into(), written: "2027-01-15T08:00:00Z".into(), target, namespace: Some("ns".into()), cut_short: None }
}

fn written(snapshot: &Snapshot) -> Written {
    write(snapshot, &[], &origin()).unwrap()
}

fn again(snapshot: &Snapshot) -> Snapshot {
    read(written(snapshot).bytes.as_slice()).unwrap().snapshot
}

/// The files of a bundle, as tar has them.
fn files(bytes: &[u8]) -> BTreeMap<String, String> {
    let mut archive = tar::Archive::new(GzDecoder::new(bytes));
    let entries = archive.entries().unwrap().map(|entry| {
        let mut entry = entry.unwrap();
        let mut text = String::new();
        entry.read_to_string(&mut text).unwrap();
        (entry.path().unwrap().display().to_string(), text)
    });
    entries.collect()
}

#[test]
fn a_snapshot_comes_back_as_it_was() {
    let snapshot = healthy();
    let bundle = read(written(&snapshot).bytes.as_slice()).unwrap();
    assert_eq!(bundle.snapshot, snapshot);
    assert_eq!((bundle.origin, bundle.notices), (origin(), Vec::new()));
    assert_eq!(diagnose(&bundle.snapshot), diagnose(&snapshot));
}

#[test]
fn the_files_are_where_people_look_for_them() {
    let files = files(&written(&healthy()).bytes);
    let names: Vec<&str> = files.keys().map(|name| name.strip_prefix("nsmctl-bundle/").unwrap()).collect();
    let expected = [
        "deployed.yaml",
        "endpoints.yaml",
        "expectations.yaml",
        "identities.yaml",
        "index.json",
        "logs/ns-kernel2kernel/alpine/cmd-nsc-init.log",
        "logs/ns-kernel2kernel/alpine/cmd-nsc.log",
        "logs/ns-kernel2kernel/nse-kernel-7d8b9c5f6-x2k4p/nse.log",
        "logs/nsm-system/forwarder-ovs-2f7nc/forwarder-ovs.log",
        "logs/nsm-system/nsmgr-8w5kq/nsmgr.log",
        "network-services.yaml",
        "pods/ns-kernel2kernel.yaml",
        "probes/ns-kernel2kernel/alpine.yaml",
        "probes/ns-kernel2kernel/nse-kernel-7d8b9c5f6-x2k4p.yaml",
        "system/components.yaml",
        "system/events.yaml",
        "system/nodes.yaml",
        "system/pods.yaml",
        "system/webhook.yaml",
    ];
    assert_eq!(names, expected);
    assert_eq!(files["nsmctl-bundle/logs/ns-kernel2kernel/alpine/cmd-nsc.log"].lines().count(), 1);
    let probes = &files["nsmctl-bundle/probes/ns-kernel2kernel/alpine.yaml"];
    assert!(
        probes.contains("\n      2: eth0@if7: <BROADCAST,MULTICAST,UP,LOWER_UP,M-DOWN> mtu 1500 qdisc noqueue \n"),
        "words stay readable: {probes}"
    );
    let index: Value = serde_json::from_str(&files["nsmctl-bundle/index.json"]).unwrap();
    assert_eq!((&index["schema_version"], &index["target"]["server"]), (&json!(1), &json!("https://10.0.0.1:6443")));
    for part in index["parts"].as_array().unwrap() {
        let path = format!("nsmctl-bundle/{}", part["path"].as_str().unwrap());
        assert_eq!(part["bytes"].as_u64().unwrap(), files[&path].len() as u64, "{path}");
    }
}

#[test]
fn what_was_not_seen_comes_back_as_not_seen() {
    let mut snapshot = healthy();
    let why = |kind, what: &str| Unavailable { kind, reason: format!("{what} is forbidden") };
    snapshot.deployed = Err(why(UnavailableKind::Timeout, "a"));
    let inventory = &mut snapshot.observation.inventory;
    inventory.pods = Err(why(UnavailableKind::Forbidden, "b"));
    inventory.services = Err(why(UnavailableKind::NotFound, "c"));
    inventory.endpoints = Err(why(UnavailableKind::Transport, "d"));
    inventory.identities = Err(why(UnavailableKind::NoProgram, "e"));
    let system = &mut snapshot.system;
    system.pods = Err(why(UnavailableKind::NotAsked, "f"));
    (system.nodes, system.webhook, system.events) = (Err(forbidden("g")), Err(forbidden("h")), Err(forbidden("i")));
    system.components[0].ready = Err(forbidden("j"));
    system.logs[1].lines = Err(forbidden("k"));
    let probes = &mut snapshot.observation.probes;
    let request = ProbeRequest {
        pod: Namespaced::new("a", "b"),
        container: "c".into(),
        asks: Asks { network: true, path_mtu: true, resolver: true, traces: true, counters: true },
        pings: vec!["10.0.0.1".parse().unwrap()],
        ping: PingOptions::default(),
        debug_image: None,
    };
    probes[0] = PodProbes::unavailable(&request, &forbidden("l"));
    probes[1].traces = Some(Probe::Unavailable(forbidden("m")));
    assert_eq!(again(&snapshot), snapshot);
}

#[test]
fn nothing_comes_back_as_nothing() {
    let mut snapshot = healthy();
    snapshot.planned = !snapshot.planned;
    snapshot.deployed = Ok(Vec::new());
    let inventory = &mut snapshot.observation.inventory;
    (inventory.pods, inventory.services) = (Ok(Vec::new()), Ok(Vec::new()));
    (inventory.endpoints, inventory.identities) = (Ok(Vec::new()), Ok(Vec::new()));
    let system = &mut snapshot.system;
    (system.components, system.pods, system.nodes) = (Vec::new(), Ok(Vec::new()), Ok(Vec::new()));
    (system.webhook, system.events) = (Ok(None), Ok(Vec::new()));
    system.logs[0].lines = Ok(Vec::new());
    system.logs[1].lines = Ok(vec![String::new()]);
    snapshot.observation.probes.clear();
    assert_eq!(again(&snapshot), snapshot);
}

#[test]
fn names_are_those_inside_the_files_and_not_of_them() {
    let mut snapshot = healthy();
    let long = "x".repeat(253);
    snapshot.system.logs = ["../../up", "/root", "a/b", "", "A", "a", &long, &format!("{long}y"), "a.2", "a"]
        .map(|name| LogTail { pod: Namespaced::new(name, name), container: name.into(), lines: Ok(vec![name.into()]) })
        .into();
    let mut probes = snapshot.observation.probes[0].clone();
    probes.pod = Namespaced::new("..", "..");
    snapshot.observation.probes.extend([probes.clone(), probes]);
    // Two namespaces in turns, which have a file for each turn.
    let pods = snapshot.observation.inventory.pods.as_mut().unwrap();
    let other = fixture::pod("a", "a", &[]);
    pods.push(crate::model::PodState { id: Namespaced::new("other", "a"), ..other.clone() });
    pods.push(other);
    assert_eq!(again(&snapshot), snapshot);
}

#[test]
fn a_name_that_a_shell_would_run_is_refused() {
    for name in ["x; rm -rf ~", "$(id)", "`id`", "a b", "a|b", "a\nb", "-f", "a'b", "\u{1b}[2J", "a&b", "é"] {
        let mut snapshots = [healthy(), healthy(), healthy(), healthy(), healthy()];
        snapshots[0].observation.inventory.pods.as_mut().unwrap()[0].id.name = name.into();
        snapshots[1].expectations.connections[0].url.service = name.into();
        snapshots[2].system.nodes.as_mut().unwrap()[0].name = name.into();
        snapshots[3].system.logs[0].container = name.into();
        snapshots[4].system.components[3].object.as_mut().unwrap().name = name.into();
        for (number, snapshot) in snapshots.iter().enumerate() {
            let read = read(written(snapshot).bytes.as_slice());
            // What is written of a request is a URL, which has its own idea of what is a name.
            let is_refused = matches!(&read, Err(BundleError::Name(_) | BundleError::Syntax { .. }));
            assert!(is_refused, "{name:?} in {number}: {read:?}");
        }
    }
}

#[test]
fn a_long_list_is_in_several_files() {
    let mut snapshot = healthy();
    let event = snapshot.system.events.as_ref().unwrap()[0].clone();
    let event = crate::model::EventRecord { message: "word ".repeat(20_000), ..event };
    snapshot.system.events = Ok(vec![event; 90]);
    let bytes = written(&snapshot).bytes;
    assert!(files(&bytes).contains_key("nsmctl-bundle/system/events.2.yaml"));
    assert_eq!(read(bytes.as_slice()).unwrap().snapshot, snapshot);
}

#[test]
fn a_file_that_somebody_has_taken_out_was_not_seen() {
    let bytes = written(&healthy()).bytes;
    let kept = files(&bytes).into_iter().filter(|(name, _)| !name.ends_with("cmd-nsc.log") && !name.ends_with("events.yaml"));
    // Packed again by another program, in another order, with directories and with names in longer headers.
    let mut archive = tar::Builder::new(flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast()));
    archive.append_dir("./nsmctl-bundle", ".").unwrap();
    for (name, text) in kept.chain([("nsmctl-bundle/notes.txt".to_owned(), "mine".to_owned()), ("._x".to_owned(), "mac".to_owned())]) {
        let mut header = tar::Header::new_gnu();
        header.set_size(text.len() as u64);
        header.set_mode(0o644);
        archive.append_pax_extensions([("mtime", b"1.5".as_slice()), ("path", format!("./{name}").as_bytes())]).unwrap();
        archive.append_data(&mut header, "x", text.as_bytes()).unwrap();
    }
    let bundle = read(archive.into_inner().unwrap().finish().unwrap().as_slice()).unwrap();
    let log = bundle.snapshot.system.logs.iter().find(|log| log.container == "cmd-nsc").unwrap();
    assert_eq!(log.lines.as_ref().unwrap_err().kind, UnavailableKind::NotFound);
    assert!(bundle.snapshot.system.events.is_err() && bundle.snapshot.system.nodes.is_ok());
    assert!(bundle.notices.iter().any(|notice| notice == "1 files in it are unknown to this nsmctl, and were passed over"), "{:?}", bundle.notices);
    assert_eq!(bundle.notices.len(), 3, "{:?}", bundle.notices);
}

#[test]
fn objects_are_for_people_and_a_secret_is_for_nobody() {
    let pod = json!({"kind": "Pod", "metadata": {"name": "a"}, "spec": {"containers": [{"env": [{"name": "A", "value": "hidden"}]}]}});
    let secret = json!({"kind": "Secret", "metadata": {"name": "hidden"}, "data": {"a": "hidden"}});
    let objects = [
        RawObjects { plural: "pods".into(), namespace: Some("ns".into()), objects: Ok(vec![pod, secret]), left_out: 3 },
        RawObjects { plural: "nodes".into(), namespace: None, objects: Err(forbidden("nodes")), left_out: 0 },
        RawObjects { plural: "daemonsets".into(), namespace: Some("ns".into()), objects: Ok(Vec::new()), left_out: 0 },
    ];
    let written = write(&healthy(), &objects, &origin()).unwrap();
    let notices = ["of the pods in ns, 4 more are left out", "nodes could not be listed (list nodes): nodes is forbidden"];
    assert_eq!((written.notices.as_slice(), written.redacted), (notices.map(str::to_owned).as_slice(), 1));
    let files = files(&written.bytes);
    assert!(files["nsmctl-bundle/objects/ns/pods.yaml"].contains("value: REDACTED"), "{files:?}");
    assert!(!files.values().any(|text| text.contains("hidden")) && !files.contains_key("nsmctl-bundle/objects/ns/daemonsets.yaml"));
    assert_eq!(read(written.bytes.as_slice()).unwrap().snapshot, healthy());
}

#[test]
fn too_many_logs_are_left_out_and_the_rest_can_be_read() {
    let mut snapshot = healthy();
    let log = snapshot.system.logs[0].clone();
    let log = LogTail { lines: Ok(vec!["x".repeat(1000); 10]), ..log };
    snapshot.system.logs = vec![log; 12];
    let written = write_within(&snapshot, &[], &origin(), 96_000).unwrap();
    assert_eq!(written.notices.len(), 3, "{:?}", written.notices);
    let logs = read(written.bytes.as_slice()).unwrap().snapshot.system.logs;
    assert_eq!((logs.len(), logs.iter().filter(|log| log.lines.is_ok()).count()), (12, 9));
}

/// Places in a value where a text is.
fn texts(value: &Value, at: &str, found: &mut Vec<String>) {
    match value {
        Value::String(_) => found.push(at.to_owned()),
        Value::Array(items) => items.iter().enumerate().for_each(|(index, item)| texts(item, &format!("{at}/{index}"), found)),
        Value::Object(fields) => {
            for (key, item) in fields {
                texts(item, &format!("{at}/{}", key.replace('~', "~0").replace('/', "~1")), found);
            }
        }
        _ => {}
    }
}

/// What must not come out, and the text that it stands in.
fn secrets() -> impl Strategy<Value = (String, String)> {
    let word = "[a-z]{3,6}[A-Z]{2,4}[0-9]{2,5}[a-zA-Z0-9]{6,12}";
    let around = |secret: String, before: &str, behind: &str| (secret.clone(), format!("{before}{secret}{behind}"));
    prop_oneof![
        (word, word, word).prop_map(move |(a, b, c)| {
            let (part, token) = (b.clone(), format!("eyJ{a}.{b}.{c}"));
            (part, format!("the token {token} is late"))
        }),
        word.prop_map(move |secret| around(secret, "Authorization: Basic ", "")),
        word.prop_map(move |secret| around(secret, "header \"authorization\": \"Bearer ", "\"")),
        word.prop_map(move |secret| around(secret, "dial https://me:", "@example.com:443/path")),
        word.prop_map(move |secret| around(secret, "--db-password=", " --verbose")),
        word.prop_map(move |secret| around(secret, "app --join-token ", "")),
        word.prop_map(move |secret| around(secret, "{\"clientSecret\":\"", "\"}")),
        word.prop_map(move |secret| around(secret, "password: ", "")),
        word.prop_map(move |secret| around(secret, "-----BEGIN EC PRIVATE KEY-----\n", "\n-----END EC PRIVATE KEY-----")),
        "[A-Z0-9]{16}".prop_map(move |secret| around(format!("AKIA{secret}"), "key id ", ".")),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn no_planted_secret_comes_out((secret, text) in secrets(), place in any::<proptest::sample::Index>(), before in "[ a-z\n]{0,12}", name in any::<bool>()) {
        let mut value = serde_json::to_value(healthy()).unwrap();
        let mut found = Vec::new();
        texts(&value, "", &mut found);
        let at = place.get(&found);
        // A line of a log has no line feed, and is one line of the file.
        let planted = if at.contains("/logs/") { text.replace('\n', " ") } else if name { text.clone() } else { format!("{before} {text}") };
        *value.pointer_mut(at).unwrap() = Value::from(planted);
        // A number or an address takes no secret in.
        let Ok(snapshot) = serde_json::from_value::<Snapshot>(value) else { return Ok(()) };
        let written = written(&snapshot);
        for (name, text) in files(&written.bytes) {
            prop_assert!(!text.contains(&secret) && !name.contains(&secret), "{secret} of {at} in {name}:\n{text}");
        }
        prop_assert!(written.redacted > 0, "{}", at);
        match read(written.bytes.as_slice()) {
            Ok(bundle) => prop_assert_eq!(again(&bundle.snapshot), bundle.snapshot),
            // No name is made of such texts.
            Err(error) => prop_assert!(matches!(error, BundleError::Name(_)), "{}", error),
        }
    }

    #[test]
    fn any_words_come_back(words in "[^\u{0}]{0,80}", lines in proptest::collection::vec("[^\n]{0,40}", 0..6), ms in 0.0f64..1e6, code in any::<i32>()) {
        // What looks like a secret does not come back, and none is made here.
        prop_assume!(Redaction::none(&words) && lines.iter().all(|line| Redaction::none(line)));
        let mut snapshot = healthy();
        snapshot.system.logs[0].lines = Ok(lines);
        snapshot.system.events.as_mut().unwrap()[0].message.clone_from(&words);
        let probes = &mut snapshot.observation.probes[0];
        probes.links = fixture::ended("ip addr", ExecEnd::Exited(code), &words, &words);
        probes.routes = fixture::ended("ip route", ExecEnd::Transport(words.clone()), "", "");
        let stats = PingStats { transmitted: 4, received: 3, round_trip_ms: Some((ms, ms / 3.0, ms * 7.0)) };
        probes.pings.push(Pinged { destination: "2001:db8::1".parse().unwrap(), packet_bytes: None, result: Probe::Value(stats) });
        probes.traces = Some(Probe::Value(vec![words]));
        prop_assert_eq!(again(&snapshot), snapshot);
    }
}

/// Whether nothing would be taken out of a text.
struct Redaction;

impl Redaction {
    fn none(text: &str) -> bool {
        text::clean(text, &mut |_| {}) == text
    }
}
