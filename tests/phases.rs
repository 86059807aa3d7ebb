//! The four phases of a connection, as the engine measures them and as people are told of them.

use std::time::Duration;

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use nsmctl::model::{Payload, Phase, PhaseEvent, PhaseName};
use serde_json::{Value, json};

use crate::{
    machine::{Machine, client, endpoint, example, phases_add_up, plan, service},
    program::Place,
};

fn event(phase: &Phase, event: PhaseEvent) -> i64 {
    phase.steps.iter().find(|step| step.event == event).unwrap_or_else(|| panic!("no {event:?}: {phase:?}")).at_us
}

#[tokio::test]
async fn the_phases_are_there_in_order_and_outlive_their_manager() {
    let machine = Machine::new();
    machine.apply(&example()).await;
    let before = machine.phases(&example()).await;
    let [connection] = before.as_slice() else { panic!("{before:?}") };
    assert_eq!((connection.client.name.as_str(), connection.interface.as_str()), ("alpine", "nsm-1"));
    phases_add_up(connection);
    let [registration, request, made, tunnel] = connection.phases.as_slice() else { panic!("{connection:?}") };
    // A phase of this one connection begins where the one before it has ended, and identities come before what they are for.
    assert_eq!((request.ended_us(), made.ended_us()), (made.began_at.as_microsecond(), tunnel.began_at.as_microsecond()));
    assert_eq!((event(registration, PhaseEvent::Started), event(request, PhaseEvent::SvidIssued)), (0, 0));
    assert!(event(tunnel, PhaseEvent::ClientVerified) < 0 && event(tunnel, PhaseEvent::EndpointVerified) < 0);
    let whole = tunnel.ended_us() - request.began_at.as_microsecond();
    assert_eq!(u64::try_from(whole).unwrap(), request.took_us + made.took_us + tunnel.took_us);

    let security = tunnel.security.as_ref().unwrap();
    let of = |pod: &str| format!(".nsm.local/ns/ns-test/pod/{pod}");
    assert!(security.client.ends_with(&of("alpine")) && security.endpoint.contains(&of("nse-kernel-")), "{security:?}");
    assert_eq!(security.path.iter().map(|token| &token.spiffe_id).collect::<Vec<_>>(), [&security.client, &security.manager, &security.endpoint]);
    let segments: Vec<&str> = security.path.iter().map(|token| token.segment.split("-").next().unwrap()).collect();
    assert_eq!((segments, security.client_tls.version.as_str()), (vec!["alpine", "nsmgr", "nse"], "TLSv1.3"));
    assert!(security.endpoint_tls.suite.starts_with("TLS13_") && !security.data_path.encrypted);

    let manager = machine.status().await.manager;
    kill(Pid::from_raw(i32::try_from(manager).unwrap()), Signal::SIGKILL).unwrap();
    while machine.status().await.manager == manager {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let after = machine.phases(&example()).await;
    let timed = |phases: &[Phase]| phases.iter().map(|phase| (phase.phase, phase.began_at, phase.took_us)).collect::<Vec<_>>();
    assert_eq!(timed(&after[0].phases), timed(&connection.phases));
}

#[tokio::test]
async fn tokens_are_told_as_they_are_refreshed_and_times_as_they_were() {
    let machine = Machine::new().with_environment("NSMCTL_SVID_TTL", "3s");
    machine.apply(&example()).await;
    let tunnel = async || machine.phases(&example()).await.remove(0).phases.remove(3);
    let first = tunnel().await;
    let later = loop {
        let now = tunnel().await;
        if now.security != first.security {
            break now;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    assert!(first.is_same(&later) && later.steps == first.steps, "{first:?} {later:?}");
    let ends = |phase: &Phase| phase.security.as_ref().unwrap().path.iter().map(|token| token.expires_at).max().unwrap();
    assert!(ends(&later) > ends(&first));
}

#[tokio::test]
async fn a_second_connection_of_a_client_counts_from_its_own_request() {
    let machine = Machine::new();
    let services = ["a", "b"].map(|name| service(name, Payload::Ethernet)).into();
    let urls = "kernel://a/nsm-1,kernel://b/nsm-2";
    let workloads = vec![endpoint("nse-a", "a", "10.0.0.0/31"), endpoint("nse-b", "b", "10.0.1.0/31"), client("alpine", urls)];
    let plan = plan("example", services, workloads);
    machine.apply(&plan).await;
    let all = machine.phases(&plan).await;
    let [first, second] = all.as_slice() else { panic!("{all:?}") };
    [first, second].into_iter().for_each(phases_add_up);
    assert_eq!((first.interface.as_str(), second.interface.as_str()), ("nsm-1", "nsm-2"));
    assert!(event(&first.phases[1], PhaseEvent::RequestReceived) > 0);
    assert_eq!(event(&second.phases[1], PhaseEvent::RequestReceived), 0);
    assert!(event(&second.phases[1], PhaseEvent::ManagerReached) < 0, "it is the same connection to the manager");
}

#[tokio::test]
async fn a_request_that_nobody_serves_has_no_phases() {
    let machine = Machine::new();
    let plan = plan("example", vec![service("kernel2kernel", Payload::Ethernet)], vec![client("alpine", "kernel://kernel2kernel/nsm-1")]);
    machine.apply(&plan).await;
    assert!(machine.phases(&plan).await.is_empty());
}

const TITLES: [&str; 4] =
    ["phase 1, registration of nse-kernel-", "phase 2, client request of ", "phase 3, connection of ", "phase 4, secure tunnel of "];

#[test]
fn deploy_tells_the_phases_as_they_happen_and_status_afterwards() {
    let place = Place::new();
    let ran = place.run(&["deploy", "-v", "--clients", "2", "--cidr", "172.16.1.0/29", "-o", "json"]);
    let at = |words: &str| ran.stderr.find(words).unwrap_or_else(|| panic!("no {words}: {ran:?}"));
    ran.exits(0);
    for client in ["alpine nsm-1:", "alpine-2 nsm-1:"] {
        let ends: Vec<usize> = TITLES[1..].iter().map(|title| at(&format!("{title}{client}"))).collect();
        assert!(ends.is_sorted() && at(TITLES[0]) < ends[0], "{ran:?}");
    }
    // As they happen: before the deploy goes on to what comes next.
    assert!(at(&format!("{}alpine-2 nsm-1:", TITLES[3])) < at("Pod ns-kernel2kernel/alpine: created"), "{ran:?}");
    for (words, count) in [("phase 1, ", 1), ("phase 4, ", 2), ("data path: veth pair, not encrypted", 2), ("tokens checked: alpine", 2)] {
        assert_eq!(ran.stderr.matches(words).count(), count, "{words}: {ran:?}");
    }
    assert_eq!(ran.stderr.matches("phases of 2 connections: registration ").count(), 1, "{ran:?}");
    let phases = |document: &Value| document["phases"].as_array().unwrap().iter().map(|one| one["phases"].clone()).collect::<Vec<_>>();
    let deployed = ran.json();
    let schema = place.run(&["status", "--schema"]);
    let validator = jsonschema::draft202012::new(&serde_json::from_str(&schema.exits(0).stdout).unwrap()).unwrap();
    assert!(validator.is_valid(&deployed), "{deployed}");
    assert_eq!((phases(&deployed).len(), &deployed["phases"][1]["client"]["name"]), (2, &json!("alpine-2")));

    // What was there before does not happen again, and is in the report all the same.
    let again = place.run(&["deploy", "-v", "--clients", "2", "--cidr", "172.16.1.0/29", "-o", "json"]);
    assert!(!again.exits(0).stderr.contains("phase"), "{again:?}");
    assert_eq!(phases(&again.json()).len(), 2);

    let status = place.run(&["status", "-o", "json"]).exits(0).json();
    assert!(validator.is_valid(&status), "{status}");
    let told = &status["status"]["connections"]["value"][0]["phases"]["value"];
    assert_eq!(
        told.as_array().unwrap().iter().map(|phase| &phase["phase"]).collect::<Vec<_>>(),
        PhaseName::ALL.map(|name| json!(name)).iter().collect::<Vec<_>>()
    );
    let plain = place.run(&["status"]);
    assert!(!plain.exits(0).stdout.contains("phase "), "{plain:?}");
    let verbose = place.run(&["status", "-v"]);
    assert_eq!(verbose.exits(0).stdout.matches("phase 4, secure tunnel of ").count(), 2, "{verbose:?}");
    place.run(&["cleanup"]).exits(0);
}

#[test]
fn without_being_asked_deploy_tells_the_phases_in_a_line() {
    let place = Place::new();
    let ran = place.run(&["deploy"]);
    ran.exits(0).says(&["phases of the connection: registration ", ", secure tunnel "]);
    assert!(!ran.stderr.contains("phase 1"), "{ran:?}");
    place.run(&["cleanup"]).exits(0);
}
