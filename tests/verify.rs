//! `verify` on this machine: which connections are meant, how much is good enough, and what changes.
#![cfg(target_os = "linux")]

use serde_json::Value;

use crate::program::{Place, Ran, eventually};

fn says(ran: &Ran, check: &str) -> Vec<String> {
    let document = ran.json();
    let findings = document["findings"].as_array().unwrap_or_else(|| panic!("{document}"));
    let of_check = findings.iter().filter(|finding| finding["check"] == check);
    of_check.map(|finding| format!("{}: {}", finding["subject"].as_str().unwrap(), finding["verdict"].as_str().unwrap())).collect()
}

#[test]
fn the_connections_that_are_meant_are_those_that_are_verified() {
    let place = Place::new();
    let customised = ["--clients", "2", "--cidr", "172.16.1.0/30"];
    place.run(&[&["deploy"], &customised[..]].concat()).exits(0);
    let verify = |arguments: &[&str]| place.run(&[&["verify", "-o", "json"], arguments].concat());
    let both = ["alpine nsm-1: pass", "alpine-2 nsm-1: pass"];
    assert_eq!(says(verify(&customised).exits(0), "ping-endpoint"), both);
    // Whoever deployed it: its workloads say what they promise.
    assert_eq!(says(verify(&["--all-namespaces"]).exits(0), "interface").len(), 2);
    let ran = verify(&[&customised[..], &["--selector", "app=alpine"]].concat());
    assert_eq!(says(ran.exits(0), "ping-endpoint"), both);
    let ran = verify(&[&customised[..], &["--client", "alpine-2"]].concat());
    assert_eq!(says(ran.exits(0), "ping-endpoint"), ["alpine-2 nsm-1: pass"]);
    verify(&["--client", "nobody"]).exits(3).says(&["there is no client of NSM's of the name nobody", "there is ns-kernel2kernel/alpine"]);
    verify(&["--selector", "app=nobody"]).exits(3).says(&["there is no client of NSM's with app=nobody"]);
    verify(&["--selector", "nonsense"]).exits(2).says(&["--selector nonsense", "app=alpine"]);
    verify(&["-n", "elsewhere"]).exits(3).says(&["there is no client of NSM's in namespace elsewhere"]);
    place.run(&["verify", "-A", "-n", "demo"]).exits(2);
    place.run(&["cleanup"]).exits(0);
}

#[test]
fn how_much_is_good_enough_is_said_by_flags() {
    let place = Place::new();
    place.run(&["deploy"]).exits(0);
    let ran = place.run(&["verify", "--count", "2", "--interval", "10ms", "-o", "json"]);
    let document = ran.exits(0).json();
    let ping = document["findings"].as_array().unwrap().iter().find(|finding| finding["check"] == "ping-endpoint").unwrap().clone();
    assert!(ping["observed"].as_str().unwrap().starts_with("2/2 received"), "{ping}");
    let ran = place.run(&["verify", "--max-rtt", "1ns", "-o", "json"]);
    assert_eq!(says(ran.exits(1), "ping-endpoint"), ["alpine nsm-1: fail"]);
    for wrong in ["--count=0", "--interval=0s", "--interval=2h", "--max-loss=101", "--max-rtt=soon", "--watch=0s"] {
        place.run(&["verify", wrong]).exits(2);
    }
    place.run(&["cleanup"]).exits(0);
}

/// From some ping on the peer's address leads nowhere, so that what was sent before is answered and the rest is lost.
#[test]
fn how_many_pings_may_be_lost_is_said_by_a_flag() {
    let sent = |place: &Place| {
        let ran = place.run(&["exec", "alpine", "--", "ip", "-s", "-j", "link", "show", "nsm-1"]);
        let links: Value = serde_json::from_str(&ran.exits(0).stdout).unwrap();
        links[0]["stats64"]["tx"]["packets"].as_u64().unwrap()
    };
    for (flag, code) in [("--max-loss=99", 0), ("--max-loss=0.5", 1)] {
        let place = Place::new();
        place.run(&["deploy"]).exits(0);
        let before = sent(&place);
        let running = place.start(&["verify", "--count", "150", "--interval", "40ms", "--select", "ping-endpoint", flag, "-o", "json"]);
        eventually("pings are sent", || sent(&place) >= before + 10);
        let nowhere = ["ip", "neigh", "replace", "172.16.1.100", "lladdr", "02:00:00:00:00:01", "dev", "nsm-1", "nud", "permanent"];
        place.run(&[&["exec", "alpine", "--"], &nowhere[..]].concat()).exits(0);
        let ran = running.end();
        ran.exits(code);
        let document = ran.json();
        let ping = document["findings"].as_array().unwrap().iter().find(|finding| finding["check"] == "ping-endpoint").unwrap().clone();
        assert!(!ping["observed"].as_str().unwrap().contains(" 0 % loss"), "some are lost: {ping}");
        place.run(&["cleanup"]).exits(0);
    }
}

#[test]
fn what_changes_is_told_a_line_each() {
    let place = Place::new();
    place.run(&["deploy"]).exits(0);
    let lines =
        |ran: &Ran| -> Vec<Value> { ran.stdout.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("{line}"))).collect() };
    // Nothing changes: each finding once, and the time budget is the end of it, not a failure.
    let ran = place.run(&["verify", "--watch=100ms", "--timeout", "2s", "-o", "json"]);
    let first = lines(ran.exits(0));
    assert!(first.len() == 17 && first.iter().all(|line| line["before"].is_null() && line["time"].is_string()), "{ran:?}");

    let watching = place.start(&["verify", "--watch=100ms", "--count", "1", "--timeout", "30s", "-o", "json"]);
    std::thread::sleep(std::time::Duration::from_secs(3));
    place.run(&["exec", "alpine", "--", "ip", "link", "set", "nsm-1", "down"]).exits(0);
    std::thread::sleep(std::time::Duration::from_secs(3));
    watching.signal(nix::sys::signal::Signal::SIGINT);
    let ran = watching.end();
    let changes: Vec<Value> = lines(ran.exits(130)).into_iter().filter(|line| !line["before"].is_null()).collect();
    let broken = changes.iter().find(|line| line["check"] == "interface").unwrap_or_else(|| panic!("{ran:?}"));
    assert_eq!((&broken["before"], &broken["verdict"]), (&"pass".into(), &"fail".into()));
    // A table first, then lines.
    let ran = place.run(&["verify", "--watch=100ms", "--timeout", "2s", "--count", "1"]);
    assert!(ran.exits(1).stdout.starts_with("CHECK "), "what was seen last is broken: {ran:?}");
    place.run(&["cleanup"]).exits(0);
}
