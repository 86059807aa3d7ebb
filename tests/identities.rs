//! Who gives identities on this machine and for how long, as a person decides it.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    process::Stdio,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use nsmctl::prometheus::read;

use crate::{
    engine::received,
    machine::{Machine, bare, example, plan},
    program::{Place, Ran},
};

/// The values of a metric, one for everybody who has an SVID.
fn values(place: &Place, name: &str) -> Vec<f64> {
    let text = place.run(&["metrics", "-o", "prometheus"]).exits(0).stdout.clone();
    let families = read(&text).unwrap_or_else(|error| panic!("{error}: {text}"));
    families.iter().flat_map(|family| &family.samples).filter(|sample| sample.name == name).map(|sample| sample.value).collect()
}

/// How long the SVIDs are valid still, in seconds.
fn left(place: &Place) -> Vec<f64> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs_f64();
    values(place, "nsm_svid_expiration_timestamp_seconds").into_iter().map(|end| end - now).collect()
}

#[test]
fn identities_of_four_seconds_are_renewed_again_and_again_while_no_ping_is_lost() {
    let place = Place::new();
    place.run(&["deploy", "--svid-ttl", "4s"]).exits(0);
    assert!(values(&place, "nsm_svid_rotations_total").len() == 3 && left(&place).iter().all(|left| *left <= 4.0), "manager, client, endpoint");
    let ran = place.run(&["verify", "--count", "80", "--interval", "100ms", "--max-loss", "0%"]);
    ran.exits(0);
    let rotations = values(&place, "nsm_svid_rotations_total");
    assert!(rotations.iter().all(|rotations| *rotations >= 3.0), "in 8 s, and nobody asks for them: {rotations:?}");
    assert!(left(&place).iter().all(|left| *left > 1.0 && *left <= 4.0), "{:?}", left(&place));
    assert_eq!(values(&place, "nsm_heals_total"), [0.0]);
}

#[test]
fn an_engine_that_runs_renews_all_and_one_that_is_restarted_remembers() {
    let place = Place::new();
    let ran = place.run(&["deploy"]);
    assert!(!ran.exits(0).stderr.contains("SVID"), "{ran:?}");
    assert!(left(&place).iter().all(|left| *left > 3500.0));
    place.run(&["deploy", "--svid-ttl", "30m"]).exits(0).says(&["every X.509 SVID of this machine is valid for 1800s from now on, not for 3600s"]);
    let is_half_an_hour = || left(&place).iter().all(|left| (1700.0..=1800.0).contains(left));
    assert!(is_half_an_hour(), "{:?}", left(&place));
    assert_eq!(values(&place, "nsm_svid_rotations_total"), [1.0; 3]);
    // The same again, and a deploy that does not say, change nothing.
    for arguments in [&["deploy", "--svid-ttl", "30m"][..], &["deploy"]] {
        assert!(!place.run(arguments).exits(0).stderr.contains("SVID"));
    }
    place.run(&["engine", "restart"]).exits(0);
    assert!(is_half_an_hour(), "{:?}", left(&place));
}

#[test]
fn lives_that_cannot_be_are_refused_before_anything_is_done() {
    let place = Place::new();
    for (life, why) in [
        ("1s", "--svid-ttl 1s: an X.509 SVID is valid for 2s to 24h"),
        ("25h", "--svid-ttl 25h: an X.509 SVID is valid for 2s to 24h"),
        ("0s", "zero leaves no time for anything"),
        ("-5s", "it cannot be negative"),
        ("soon", "this is no duration"),
    ] {
        place.run(&["deploy", &format!("--svid-ttl={life}")]).exits(2).prints_nothing().says(&[why]);
    }
    let ran = place.run(&["deploy", "--target", "cluster", "--svid-ttl", "10m"]);
    ran.exits(2).says(&["--svid-ttl 10m: --target names a cluster, and SPIRE there says how long SVIDs are valid", "default_x509_svid_ttl"]);
    let started = place.command(&["deploy"]).env("NSMCTL_SVID_TTL", "1s").stdin(Stdio::null()).output().unwrap();
    Ran::new(started).exits(2).says(&["cannot start the engine", "an X.509 SVID is valid for 2s to 24h"]);
    place.is_clean();
}

fn deploy_with(place: &Place, agent: &str, more: &[&str]) -> Ran {
    let mut command = place.command(&[&["deploy"], more].concat());
    Ran::new(command.env("SPIFFE_ENDPOINT_SOCKET", agent).stdin(Stdio::null()).output().unwrap())
}

#[test]
fn an_agent_that_cannot_be_used_is_named_before_anything_is_done() {
    let place = Place::new();
    for (agent, code, words) in [
        ("tcp://127.0.0.1:8081", 2, ["SPIFFE_ENDPOINT_SOCKET=tcp://127.0.0.1:8081: over TCP", "unset SPIFFE_ENDPOINT_SOCKET"]),
        ("/tmp/api.sock", 2, ["SPIFFE_ENDPOINT_SOCKET=/tmp/api.sock: this is no URL of a unix socket", "unix:///"]),
        ("unix:///nowhere/api.sock", 1, ["SPIFFE_ENDPOINT_SOCKET names unix:///nowhere/api.sock, where nobody answers", "a SPIRE agent runs"]),
    ] {
        deploy_with(&place, agent, &[]).exits(code).says(&["cannot start the engine"]).says(&words);
        place.is_clean();
    }
    deploy_with(&place, "unix:///a", &["--svid-ttl", "5m"]).exits(2).says(&["identities come from the SPIRE agent at unix:///a instead"]);
    // One that is empty counts as not set.
    deploy_with(&place, "", &[]).exits(0);
    let ran = deploy_with(&place, "unix:///late/api.sock", &[]);
    ran.exits(0).says(&["SPIFFE_ENDPOINT_SOCKET names unix:///late/api.sock, and the engine that was running already gives identities itself"]);
}

/// Another engine stands for the agent: it knows what runs in one of its pods, and nobody else. The engine under test runs there.
#[tokio::test]
async fn the_engines_own_parts_meet_by_identities_of_an_agent() {
    let giver = Machine::new();
    giver.apply(&plan("giver", vec![], vec![bare("outer")])).await;
    let socket = format!("unix://{}", giver.dir().join("spire/agent.sock").display());

    let stranger = Place::new();
    let ran = deploy_with(&stranger, &socket, &[]);
    ran.exits(1).says(&[
        "gives the engine no identity: no identity issued",
        "spire-server entry create",
        "-selector unix:uid:",
        "-selector unix:path:",
    ]);
    stranger.is_clean();

    let mut machine = Machine::new();
    machine.local = machine.local.clone().with_program(inside(&giver, &machine, &socket).await);
    machine.apply(&example()).await;
    let id = |endpoints: Vec<nsmctl::model::RegisteredEndpoint>| endpoints.into_iter().next().and_then(|endpoint| endpoint.spiffe_id).unwrap();
    let seen = async || (machine.index("alpine", "nsm-1").await, machine.addresses("alpine").await, id(machine.inventory().await.endpoints.unwrap()));
    let before = seen().await;
    assert!(before.2.ends_with(".nsm.local/ns/ns-test/pod/outer") && before.1 == ["nsm-1 172.16.1.101/32"], "{before:?}");
    assert_eq!(received(&machine.probe("alpine", &["172.16.1.100"]).await.pings), [(3, 3)]);

    // The agent gives others, a manager follows, and what is connected stays so.
    let short = giver.local.clone().with_svid_ttl(Some(Duration::from_secs(4)));
    short.apply(&giver.ctx, &plan("giver", vec![], vec![bare("outer")])).await.unwrap();
    let manager = machine.status().await.manager;
    kill(Pid::from_raw(i32::try_from(manager).unwrap()), Signal::SIGKILL).unwrap();
    tokio::time::sleep(Duration::from_secs(6)).await;
    assert_ne!(machine.status().await.manager, manager);
    assert_eq!(seen().await, before);
    assert_eq!(received(&machine.probe("alpine", &["172.16.1.100"]).await.pings), [(3, 3)]);

    // How long they are valid is not ours to say.
    let failure = machine.local.clone().with_svid_ttl(Some(Duration::from_secs(60))).apply(&machine.ctx, &example()).await.unwrap_err();
    assert!(failure.message().starts_with(&format!("--svid-ttl: identities come from the SPIRE agent at {socket}")), "{failure:?}");
}

/// nsmctl as it is started in the pod of another engine, with that as its agent.
async fn inside(giver: &Machine, machine: &Machine, socket: &str) -> std::path::PathBuf {
    let status = giver.status().await;
    let (_, net) = &status.namespaces[0];
    let user = if nix::unistd::geteuid().is_root() { String::new() } else { format!("--user=/proc/{}/ns/user --preserve-credentials", status.pid) };
    let program = env!("CARGO_BIN_EXE_nsmctl");
    let script = machine.dir().with_file_name("inside");
    fs::write(&script, format!("#!/bin/sh\nSPIFFE_ENDPOINT_SOCKET={socket} exec nsenter {user} --net={net} {program} \"$@\"\n")).unwrap();
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
    script
}
