//! NSM's own programs in the place of the example's images, as a person deploys them on this machine.

use std::{fs, io::BufRead, os::unix::net::UnixStream};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use serde_json::Value;

use crate::{
    program::{Place, Ran, eventually},
    sandboxed::upstream,
};

fn deploy(place: &Place) -> Ran {
    let program = |name: &str| format!("{name}={}", upstream(name).display());
    place.run(&["deploy", "--timeout", "30s", "--program", &program("cmd-nse-icmp-responder"), "--program", &program("cmd-nsc")])
}

/// The process of one of the programs, in this engine.
fn process(place: &Place, name: &str) -> i32 {
    let engine = place.engine().unwrap();
    let path = upstream(name);
    let parent = |pid: i32| -> Option<i32> {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        stat.rsplit_once(") ")?.1.split(' ').nth(1)?.parse().ok()
    };
    let is_ours = |pid: i32| std::iter::successors(Some(pid), |pid| parent(*pid)).any(|pid| u64::try_from(pid) == Ok(u64::from(engine)));
    let all = || fs::read_dir("/proc").unwrap().flatten().filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    let found = || all().find(|pid| fs::read_link(format!("/proc/{pid}/exe")).is_ok_and(|exe| exe == path) && is_ours(*pid));
    eventually(name, || found().is_some());
    found().unwrap()
}

fn end(pid: i32) {
    kill(Pid::from_raw(pid), Signal::SIGKILL).unwrap();
}

fn manager(place: &Place) -> i32 {
    let mut stream = UnixStream::connect(place.runtime().join("engine/engine.sock")).unwrap();
    std::io::Write::write_all(&mut stream, b"\"status\"\n").unwrap();
    let mut line = String::new();
    std::io::BufReader::new(stream).read_line(&mut line).unwrap();
    i32::try_from(serde_json::from_str::<Value>(&line).unwrap()["status"]["manager"].as_i64().unwrap()).unwrap()
}

/// What `ip` says about the client's interface: its index and its addresses.
fn link(place: &Place) -> String {
    place.run(&["exec", "--", "ip", "-4", "-o", "addr", "show", "nsm-1"]).exits(0).stdout.clone()
}

/// Who the endpoint is.
fn identity(place: &Place) -> String {
    let document = place.run(&["verify", "-o", "json"]).exits(0).json();
    let findings = document["findings"].as_array().unwrap();
    let observed = findings.iter().filter_map(|finding| finding["observed"].as_str());
    observed.filter_map(|text| text.split_once("spiffe://")).map(|(_, id)| id.to_owned()).next().unwrap_or_else(|| panic!("{document}"))
}

fn is_connected(place: &Place) {
    eventually("the connection", || place.run(&["verify"]).code == Some(0));
}

#[test]
fn everything_passes() {
    let place = Place::new();
    let ran = deploy(&place);
    assert!(ran.exits(0).stdout.contains("16 passed, 0 failed, 1 skipped"), "{ran:?}");
    // Programs do their part after the deploy has been applied.
    ran.says(&["phases of the connection: registration ", ", secure tunnel "]);
    let log = place.run(&["logs", "--tail", "1000"]).stdout;
    for container in ["/nse ", "/cmd-nsc "] {
        assert!(log.lines().any(|line| line.contains(container) && line.contains("[INFO]")), "{container}: {log}");
    }
    place.run(&["cleanup"]).exits(0);
    place.is_clean();
}

#[test]
fn a_manager_that_is_restarted_or_killed_keeps_connections_registrations_and_identities() {
    let place = Place::new();
    deploy(&place).exits(0);
    let before = (link(&place), identity(&place), process(&place, "cmd-nsc"), process(&place, "cmd-nse-icmp-responder"));
    for is_killed in [false, true] {
        let first = manager(&place);
        if is_killed {
            end(first);
            eventually("another manager", || manager(&place) != first);
        } else {
            place.run(&["engine", "restart"]).exits(0);
        }
        assert_ne!(manager(&place), first);
        let after = (link(&place), identity(&place), process(&place, "cmd-nsc"), process(&place, "cmd-nse-icmp-responder"));
        assert_eq!(after, before);
    }
    // The endpoint's socket was handed on too: somebody new is served by it.
    end(process(&place, "cmd-nsc"));
    is_connected(&place);
    assert_eq!(identity(&place), before.1);
    place.run(&["cleanup"]).exits(0);
    place.is_clean();
}

#[test]
fn a_client_that_is_killed_is_closed_and_asks_again() {
    let place = Place::new();
    deploy(&place).exits(0);
    let (before, first) = (link(&place), process(&place, "cmd-nsc"));
    end(first);
    eventually("another link", || place.run(&["exec", "--", "ip", "-4", "-o", "addr", "show", "nsm-1"]).stdout != before);
    is_connected(&place);
    assert_ne!((link(&place), process(&place, "cmd-nsc")), (before, first));
    assert!(link(&place).contains("172.16.1.101"), "its addresses came free for it");
}

#[test]
fn an_endpoint_that_is_killed_comes_back_and_its_loss_is_measured() {
    let place = Place::new();
    deploy(&place).exits(0);
    let first = process(&place, "cmd-nse-icmp-responder");
    let ran = place.run(&["verify", "--heal", "-o", "json"]);
    let document = ran.exits(0).json();
    let finding = document["findings"].as_array().unwrap().iter().find(|finding| finding["check"] == "heal").unwrap();
    let seen = finding["observed"].as_str().unwrap();
    assert!(seen.starts_with("the program of the endpoint ns-kernel2kernel/nse-kernel-") && seen.contains(" was killed; "), "{seen}");
    assert_eq!(finding["verdict"], "pass", "{finding}");
    assert_ne!(process(&place, "cmd-nse-icmp-responder"), first);
    assert!(link(&place).contains("172.16.1.101"));
    // Once for the endpoint, and not once more for the link that it has taken with it.
    let status = place.run(&["status", "-o", "json"]).exits(0).json();
    assert_eq!(status["status"]["connections"]["value"][0]["heals"]["value"], 1, "{status}");
}

/// One of several clients may ask for the endpoint before it is known to have ended, and others while it is being started again.
#[test]
fn an_endpoint_that_is_killed_comes_back_to_all_of_its_clients() {
    let place = Place::new();
    let program = format!("cmd-nse-icmp-responder={}", upstream("cmd-nse-icmp-responder").display());
    place.run(&["deploy", "--clients", "8", "--cidr", "172.16.1.96/28", "--program", &program]).exits(0);
    for _ in 0..3 {
        let ran = place.run(&["verify", "--heal", "-o", "json"]);
        let document = ran.exits(0).json();
        let finding = document["findings"].as_array().unwrap().iter().find(|finding| finding["check"] == "heal").unwrap();
        let seen = finding["observed"].as_str().unwrap();
        let took = seen.split("healed after ").nth(1).and_then(|rest| rest.split(' ').next()?.parse::<u32>().ok());
        // Nobody has waited for an endpoint that was not started: that ends after 5 s.
        assert!(took.is_none_or(|took| took < 4000), "{seen}");
    }
    place.run(&["cleanup"]).exits(0);
    place.is_clean();
}

#[test]
fn an_endpoint_that_stands_still_is_asked_again() {
    let place = Place::new();
    let program = format!("cmd-nse-icmp-responder={}", upstream("cmd-nse-icmp-responder").display());
    let with = |clients: &str| place.run(&["deploy", "--timeout", "9s", "--clients", clients, "--cidr", "172.16.1.96/29", "--program", &program]);
    with("1").exits(0);
    let endpoint = Pid::from_raw(process(&place, "cmd-nse-icmp-responder"));
    kill(endpoint, Signal::SIGSTOP).unwrap();
    // Nothing tells that the endpoint goes on: it has been registered all the while.
    let ran = with("3");
    // Who waits for it holds nobody up.
    for _ in 0..5 {
        place.run(&["status", "--timeout", "2s"]).exits(1);
    }
    kill(endpoint, Signal::SIGCONT).unwrap();
    ran.exits(4);
    eventually("every connection", || place.run(&["status", "-o", "json"]).stdout.matches("\"nsm-1\"").count() >= 3);
    let ran = place.run(&["verify"]);
    assert!(ran.stdout.contains(" 0 failed"), "{ran:?}\n{}", place.run(&["logs"]).stdout);
    place.run(&["cleanup"]).exits(0);
    place.is_clean();
}
