mod broken;

use std::collections::BTreeSet;

use self::broken::{
    BROKEN, Broken, PROMISED, Promised, REFUSED, UNAFFINE, absent, client_links, component, endpoint_removed, event, failing, local, log, pending,
    silent, stuck, undeployed, uninjected, unready, waiting,
};
use super::{Diagnosis, STEPS, causes, diagnose, graph, unreachable};
use crate::{
    check::fixture::{
        CLIENT, ENDPOINT, NOW, client, ended, expectations, expectations_of, forbidden, healthy, id, link, links, ping, pod_mut, printed, probes_mut,
        remove_pod,
    },
    manifest::embedded,
    model::{ExecEnd, Expectation, NodeState, Outcome, PingStats, Probe, Snapshot, Unavailable, UnavailableKind, Verdict, Workload},
};

fn after(change: impl FnOnce(&mut Snapshot)) -> Diagnosis {
    let mut snapshot = healthy();
    change(&mut snapshot);
    diagnose(&snapshot)
}

/// Every broken case with what is said of it.
fn cases() -> impl Iterator<Item = (&'static Broken, Diagnosis)> {
    BROKEN.iter().map(|broken| (broken, after(broken.change))).chain(promised(|_| {}))
}

/// The cases whose manifests are what is wrong, `first` being done to the snapshot before it is broken.
fn promised(first: fn(&mut Snapshot)) -> impl Iterator<Item = (&'static Broken, Diagnosis)> {
    PROMISED.iter().map(move |Promised { change, broken }| {
        let (mut expectations, mut snapshot) = (expectations(), healthy());
        change(&mut expectations);
        first(&mut snapshot);
        (broken.change)(&mut snapshot);
        let snapshot = Snapshot { expectations, ..snapshot };
        (broken, diagnose(&snapshot))
    })
}

fn ids(diagnosis: &Diagnosis) -> Vec<&str> {
    diagnosis.causes.iter().map(|cause| &*cause.check).collect()
}

#[test]
fn the_healthy_example_passes_every_step_and_has_no_causes() {
    for is_local in [false, true] {
        let diagnosis = after(if is_local { local } else { |_: &mut Snapshot| {} });
        let steps: Vec<(&str, Verdict)> = diagnosis.path.iter().map(|finding| (&*finding.check, finding.verdict)).collect();
        let expected = ["target", "nsm", "pods", "pods", "injection", "identity", "identity", "request", "interface", "ping", "dns"];
        // The engine gives no identities.
        let expected: Vec<_> = expected.into_iter().filter(|step| *step != "identity" || !is_local).map(|step| (step, Verdict::Pass)).collect();
        assert_eq!(steps, expected, "{:#?}", diagnosis.path);
        assert_eq!((diagnosis.first_broken(), &diagnosis.causes, diagnosis.outcome()), (None, &Vec::new(), Outcome::Passed));
    }
}

#[test]
fn every_cause_is_told_apart_with_its_step_evidence_and_fix() {
    let mut wrong = Vec::new();
    for (Broken { what, cause, step, says, fix, .. }, diagnosis) in cases() {
        let broken = diagnosis.first_broken().map(|finding| finding.check.clone());
        let first = diagnosis.causes.first();
        let told = first.map(|first| format!("{}\n{}", first.observed, first.evidence.join("\n"))).unwrap_or_default();
        let hint = first.and_then(|first| first.hint.clone()).unwrap_or_default();
        let right = (first.map(|first| &*first.check), broken.as_deref()) == (Some(*cause), Some(*step)) && told.contains(says) && hint.contains(fix);
        if !right {
            wrong.push(format!(
                "{what}: expected {cause} at {step} with {says:?} and {fix:?}\n  broken at {broken:?}, causes {:?}\n  {told}\n  {hint}",
                ids(&diagnosis)
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

#[test]
fn every_cause_of_the_catalogue_is_tried() {
    let first: BTreeSet<&str> = cases().map(|(broken, _)| broken.cause).collect();
    let catalogue: BTreeSet<&str> = causes().map(|cause| cause.id).collect();
    assert_eq!(first, catalogue);
    assert_eq!(catalogue.len(), causes().count(), "ids are not used twice");
}

#[test]
fn links_lead_somewhere() {
    let readme = include_str!("../../../README.md");
    for cause in causes() {
        let is_heading = |heading: &str| readme.lines().any(|line| line.strip_prefix("## ") == Some(heading));
        let leads = cause.link.starts_with("https://") || cause.link.strip_prefix("README.md, ").is_some_and(is_heading);
        assert!(leads, "{}: {}", cause.id, cause.link);
    }
}

#[test]
fn every_broken_case_fails_has_a_cause_and_whole_fixes() {
    for (Broken { what, .. }, diagnosis) in cases() {
        assert_eq!(diagnosis.outcome(), Outcome::Failed, "{what}");
        assert!(!diagnosis.causes.is_empty(), "{what}");
        let order: Vec<usize> = diagnosis.path.iter().map(|f| STEPS.iter().position(|step| step.id == f.check).unwrap()).collect();
        assert!(order.is_sorted(), "{what}: {order:?}");
        for cause in &diagnosis.causes {
            let hint = cause.hint.as_deref().unwrap();
            assert!(!has_open_word(hint) && !hint.contains("-n  ") && !hint.contains("pod  "), "{what}: {hint}");
            assert!(cause.verdict == Verdict::Fail && !cause.observed.is_empty(), "{what}: {cause:?}");
        }
    }
}

/// Whether a word in braces was not replaced; JSON has quotes in its braces.
fn has_open_word(hint: &str) -> bool {
    hint.split('{').skip(1).any(|rest| rest.starts_with(|c: char| c.is_ascii_lowercase()))
}

#[test]
fn on_this_machine_no_fix_needs_a_cluster() {
    let changes: [fn(&mut Snapshot); 8] = [
        |s| failing(s, "IPPool is empty"),
        |s| failing(s, "network service endpoint candidates not found"),
        |s| failing(s, "cannot make a link"),
        |s| client_links(s, ""),
        |s| client_links(s, &link("nsm-1", &["172.16.1.101/32"]).replace("UP,LOWER_UP,", "")),
        |s| s.observation.inventory.endpoints = Ok(Vec::new()),
        silent,
        undeployed,
    ];
    for (number, change) in changes.into_iter().enumerate() {
        let diagnosis = after(|s| {
            local(s);
            change(s);
        });
        assert!(!diagnosis.causes.is_empty(), "{number}");
        for cause in &diagnosis.causes {
            let hint = cause.hint.as_deref().unwrap();
            assert!(hint.contains("nsmctl") && hint.contains("--target local") && !hint.contains("kubectl"), "{number}: {} {hint}", cause.check);
        }
    }
}

#[test]
fn on_this_machine_an_apply_is_no_fix_for_what_it_leaves_alone() {
    let diagnosis = after(|s| {
        local(s);
        silent(s);
        let client = probes_mut(&mut s.observation, CLIENT);
        client.pings[0].result = Probe::Value(PingStats { transmitted: 4, received: 0, round_trip_ms: None });
        client_links(s, &link("nsm-1", &["172.16.1.101/32"]).replace("MULTICAST,", "MULTICAST,NOARP,"));
    });
    let [cause] = &diagnosis.causes[..] else { panic!("{:?}", ids(&diagnosis)) };
    assert_eq!(cause.check, "data-path");
    assert!(cause.hint.as_deref().unwrap().starts_with("nsmctl cleanup --target local && nsmctl deploy --target local "), "{cause:?}");
    for line in [
        "ping by alpine nsm-1: 0/4 received, 100 % loss, expected 172.16.1.100 0 % loss",
        "alpine: nsm-1: <BROADCAST,LOWER_UP,M-DOWN,MULTICAST,NOARP,UP> mtu 16000 qdisc noqueue",
        "nse-kernel-7d8b9c5f6-x2k4p: kernel2ker-CKBv: <BROADCAST,LOWER_UP,M-DOWN,MULTICAST,UP> mtu 16000 qdisc noqueue",
    ] {
        assert!(cause.evidence.iter().any(|told| told == line), "{line}: {:#?}", cause.evidence);
    }
}

#[test]
fn what_the_manifests_have_wrong_is_told_alone() {
    for (broken, diagnosis) in promised(|_| {}).chain(promised(local)) {
        assert_eq!(ids(&diagnosis), [broken.cause], "{}: {:#?}", broken.what, diagnosis.causes);
    }
    for (broken, diagnosis) in promised(local) {
        let hint = diagnosis.causes[0].hint.as_deref().unwrap();
        assert!(hint.starts_with("nsmctl deploy --target local   # after ") && !hint.contains(['{', '}']), "{}: {hint}", broken.what);
    }
}

#[test]
fn an_endpoint_with_another_prefix_has_not_lost_its_end() {
    let diagnosis = after(|s| {
        client_links(s, &link("nsm-1", &["10.9.0.1/32"]));
        probes_mut(&mut s.observation, ENDPOINT).links = printed("ip addr", &links(&link("kernel2ker-CKBv", &["10.9.0.0/32"])));
        silent(s);
    });
    assert_eq!(ids(&diagnosis)[0], "address-wrong");
}

#[test]
fn the_engines_own_words_are_enough() {
    let diagnosis = after(|s| {
        local(s);
        waiting(s);
        let init = &mut pod_mut(&mut s.observation, CLIENT).init_containers[0];
        (init.reason, init.message) = (Some("RequestFailed".into()), Some("IPPool is empty".into()));
        s.system.logs.clear();
    });
    assert_eq!((ids(&diagnosis), diagnosis.first_broken().map(|f| &*f.check)), (vec!["address-pool-empty"], Some("request")));
    assert_eq!(diagnosis.causes[0].evidence, ["alpine/cmd-nsc-init: IPPool is empty"]);
}

#[test]
fn a_service_under_another_name_is_told_with_both_names() {
    let manifests = ["netsvc.yaml", "nse-base.yaml", "client.yaml"].map(|name| embedded().into_iter().find(|s| s.name == name).unwrap().text);
    let expectations = expectations_of(&manifests.join("\n").replace("value: \"kernel2kernel\"", "value: \"another\""));
    let mut snapshot = healthy();
    failing(&mut snapshot, "network service endpoint candidates not found");
    snapshot.observation.inventory.endpoints.as_mut().unwrap()[0].services = vec!["another".into()];
    let diagnosis = diagnose(&Snapshot { expectations, ..snapshot });
    assert_eq!(ids(&diagnosis), ["endpoint-offers-another"]);
    let cause = &diagnosis.causes[0];
    assert_eq!(cause.observed, "nobody is registered for kernel2kernel; Deployment ns-kernel2kernel/nse-kernel offers another");
    assert!(cause.hint.as_deref().unwrap().contains("NSM_SERVICE_NAMES of Deployment ns-kernel2kernel/nse-kernel"), "{cause:?}");
}

#[test]
fn each_row_of_the_document_is_explained() {
    let rows: BTreeSet<&str> = causes().filter_map(|cause| cause.document_row).collect();
    assert_eq!(rows, ["Connection refused", "No nsm-1 interface", "Ping timeout", "Pod pending"].into());
}

#[test]
fn no_interface_is_told_apart() {
    let service = after(|s| failing(s, "network service endpoint kernel2kernel is not found"));
    assert_eq!(ids(&service), ["endpoint-stale"], "an endpoint that is not found is no missing NetworkService");
    let registered = after(|s| failing(s, "network service endpoint candidates not found"));
    assert_eq!(ids(&registered), ["no-matching-endpoint"], "somebody is registered");
    let overcome = after(|s| {
        failing(s, "IPPool is empty");
        log(s, CLIENT, "cmd-nsc-init", "network service endpoint candidates not found");
        s.observation.inventory.endpoints = Ok(Vec::new());
    });
    assert_eq!(ids(&overcome), ["endpoint-not-registered"], "only the last error counts");
    let other = after(|s| {
        failing(s, "a new one");
        log(s, "nsmgr-8w5kq", "nsmgr", "request of somebody-else failed: IPPool is empty");
    });
    assert_eq!(ids(&other), ["request-failed"], "what the manager says about others does not count");
}

#[test]
fn ping_timeout_is_told_apart() {
    let terminating = after(|s| {
        silent(s);
        pod_mut(&mut s.observation, ENDPOINT).deleting = true;
    });
    assert_eq!(ids(&terminating)[0], "endpoint-gone");
    assert!(terminating.causes[0].observed.contains("is Terminating, while alpine keeps nsm-1"), "{}", terminating.causes[0].observed);
    assert_eq!(ids(&after(silent)), ["data-path"], "both ends are as they should be");
    let half = after(|s| probes_mut(&mut s.observation, ENDPOINT).pings = vec![ping("172.16.1.101", 2)]);
    assert_eq!(ids(&half), ["data-path"]);
    let clock = after(|s| s.observation.inventory.endpoints.as_mut().unwrap()[0].expires_at = Some(NOW - 90));
    let request = clock.path.iter().find(|finding| finding.check == "request").unwrap();
    assert_eq!((request.verdict, clock.outcome()), (Verdict::Warn, Outcome::Passed), "packets that flow weigh more than a clock");
}

#[test]
fn pod_pending_is_told_apart() {
    let present = after(|s| pending(s, UNAFFINE));
    assert_eq!(ids(&present)[0], "unschedulable-affinity");
    assert!(present.causes[0].hint.as_deref().unwrap().contains("kubectl -n ns-kernel2kernel get pods -o wide --show-labels"), "the endpoint runs");
    assert_eq!(ids(&after(|s| pending(s, "0/2 nodes are available: 2 node(s) didn't match pod anti-affinity rules.")))[0], "unschedulable");
    let overcome = after(|s| {
        event(s, "Pod", CLIENT, "FailedScheduling", UNAFFINE);
        silent(s);
    });
    assert_eq!(ids(&overcome), ["data-path"], "an event stays for an hour");
    let broken = after(|s| {
        pending(s, UNAFFINE);
        stuck(s, ENDPOINT, "ImagePullBackOff", "manifest unknown", 0);
    });
    assert!(ids(&broken).contains(&"image-pull") && !ids(&broken).contains(&"request-failed"), "{:?}", ids(&broken));
}

#[test]
fn connection_refused_is_told_apart() {
    let overcome = after(|s| event(s, "ReplicaSet", "nse-kernel-7d8b9c5f6", "FailedCreate", REFUSED));
    assert_eq!(overcome.causes, [], "the pods are there");
    let forbidden = after(|s| {
        endpoint_removed(s);
        event(s, "ReplicaSet", "nse-kernel-7d8b9c5f6", "FailedCreate", "is forbidden: violates PodSecurity \"restricted\"");
    });
    assert_eq!(ids(&forbidden)[0], "pod-refused");
    let other = after(|s| {
        endpoint_removed(s);
        event(s, "ReplicaSet", "nse-kernel-7d8b9c5f6", "FailedCreate", "failed calling webhook \"vault.example.com\": connect: connection refused");
    });
    assert_eq!(ids(&other)[0], "pod-refused", "another product's webhook");
    let manager = after(|s| {
        unready(s, "nsmgr");
        failing(s, "connect: connection refused");
    });
    assert_eq!(ids(&manager)[0], "manager-not-ready");
    assert!(!ids(&manager).contains(&"connection-refused"), "it only follows");
}

#[test]
fn a_root_comes_before_what_follows() {
    let diagnosis = after(|s| {
        unready(s, "spire-agent");
        unready(s, "nsmgr");
        failing(s, "network service endpoint candidates not found");
        stuck(s, ENDPOINT, "CrashLoopBackOff", "back-off", 4);
        s.observation.inventory.endpoints = Ok(Vec::new());
    });
    assert_eq!(ids(&diagnosis), ["spire-not-ready"]);
    let below: Vec<&str> = diagnosis.causes[0].consequences.iter().map(|consequence| &*consequence.check).collect();
    assert_eq!(below[..3], ["manager-not-ready", "crash-loop", "endpoint-gone"], "{below:?}");
    assert!(below.contains(&"request") && !below.contains(&"nsm"), "the later steps: {below:?}");
    assert_eq!(diagnosis.first_broken().map(|finding| &*finding.check), Some("nsm"));
}

#[test]
fn what_may_not_be_seen_is_unknown_and_no_cause() {
    let diagnosis = after(|s| {
        component(s, "spire-agent").ready = Err(forbidden("list daemonsets in spire"));
        s.observation.inventory.endpoints = Err(forbidden("list networkserviceendpoints"));
    });
    assert_eq!((diagnosis.outcome(), &diagnosis.causes), (Outcome::CannotTell, &Vec::new()));
    let unknown: Vec<(&str, &str)> =
        diagnosis.path.iter().filter(|f| f.verdict == Verdict::Unknown).map(|f| (&*f.check, f.observed.as_str())).collect();
    assert_eq!(unknown, [("nsm", "spire-agent: list daemonsets in spire is forbidden"), ("request", "list networkserviceendpoints is forbidden")]);
    assert_eq!(diagnosis.first_broken().map(|finding| &*finding.check), Some("nsm"));

    let blind = after(|s| s.observation.inventory.pods = Err(forbidden("list pods")));
    let steps: Vec<Verdict> = blind.path.iter().map(|finding| finding.verdict).collect();
    assert_eq!(steps[..2], [Verdict::Pass, Verdict::Pass]);
    assert!(steps[2..].iter().all(|verdict| *verdict == Verdict::Unknown), "{steps:?}");

    let no_exec = after(|s| {
        for probes in &mut s.observation.probes {
            probes.links = Probe::Unavailable(forbidden("create pods/exec"));
            probes.routes = Probe::Unavailable(forbidden("create pods/exec"));
            probes.pings.iter_mut().for_each(|ping| ping.result = Probe::Unavailable(forbidden("create pods/exec")));
        }
    });
    assert_eq!(no_exec.first_broken().map(|f| (&*f.check, f.verdict)), Some(("interface", Verdict::Unknown)));
    assert_eq!((no_exec.outcome(), no_exec.causes), (Outcome::CannotTell, Vec::new()));
}

#[test]
fn what_could_not_be_fetched_does_not_hide_a_cause() {
    let diagnosis = after(|s| {
        s.system.events = Err(forbidden("list events"));
        for log in &mut s.system.logs {
            log.lines = Err(forbidden("get pods/log"));
        }
        waiting(s);
    });
    assert_eq!(ids(&diagnosis), ["request-failed"]);
    assert_eq!(diagnosis.causes[0].observed, "cmd-nsc-init is still at it, and logs no error");
}

#[test]
fn later_steps_are_judged_where_there_is_something_to_see() {
    let diagnosis = after(|s| {
        unready(s, "registry");
        uninjected(s);
    });
    let steps: Vec<(&str, Verdict)> = diagnosis.path.iter().map(|finding| (&*finding.check, finding.verdict)).collect();
    let (fail, pass, skip) = (Verdict::Fail, Verdict::Pass, Verdict::Skip);
    let expected = [
        ("target", pass),
        ("nsm", fail),
        ("pods", pass),
        ("pods", pass),
        ("injection", fail),
        ("identity", pass),
        ("identity", pass),
        ("request", skip),
        ("interface", fail),
        ("ping", fail),
        ("dns", pass),
    ];
    assert_eq!(steps, expected);
    let gone = after(|s| remove_pod(&mut s.observation, CLIENT));
    let after_the_pods = gone.path[4..].iter().filter(|finding| finding.subject != ENDPOINT);
    assert!(
        after_the_pods.clone().count() == 4
            && after_the_pods.into_iter().all(|f| f.verdict == Verdict::Skip && f.observed == "not checked: the client has no pod"),
        "{:#?}",
        gone.path
    );
}

#[test]
fn a_pod_that_waits_for_its_request_is_not_where_it_is_broken() {
    let diagnosis = after(|s| failing(s, "IPPool is empty"));
    let pods = &diagnosis.path[3];
    assert_eq!((&*pods.check, pods.verdict), ("pods", Verdict::Skip));
    assert_eq!(pods.observed, "not checked: it waits for its request (0 ready; alpine Init:0/1)");
    let interface = diagnosis.path.iter().find(|finding| finding.check == "interface").unwrap();
    assert_eq!(interface.verdict, Verdict::Skip);
}

#[test]
fn each_client_is_told_by_itself() {
    let mut snapshot = healthy();
    snapshot.observation.inventory.pods.as_mut().unwrap().push(client("second"));
    snapshot.observation.inventory.identities.as_mut().unwrap()[0].pods.insert(id("second"));
    let mut expectations = expectations();
    let mut second = expectations.workloads[1].clone();
    second.id = id("second");
    expectations.workloads.push(second);
    let mut connection = expectations.connections[0].clone();
    (connection.client, connection.addresses) = (id("second"), None);
    expectations.connections.push(connection);
    let pod = pod_mut(&mut snapshot.observation, "second");
    (pod.ready, pod.init_containers[0].ready, pod.init_containers[0].running) = (false, false, true);
    pod.init_containers[0].message = Some("IPPool is empty".into());
    let diagnosis = diagnose(&Snapshot { expectations, ..snapshot });
    let request: Vec<(&str, Verdict)> = diagnosis.path.iter().filter(|f| f.check == "request").map(|f| (f.subject.as_str(), f.verdict)).collect();
    assert_eq!(request, [("alpine nsm-1", Verdict::Pass), ("second nsm-1", Verdict::Fail)]);
    assert_eq!(ids(&diagnosis), ["address-pool-empty"]);
    assert_eq!(diagnosis.causes[0].subject, "second nsm-1");
}

#[test]
fn a_lost_look_is_not_a_lost_ping() {
    let diagnosis = after(|s| {
        let lost = ended("ping", ExecEnd::LostStatus, "", "");
        probes_mut(&mut s.observation, CLIENT).pings[0].result = lost;
        probes_mut(&mut s.observation, ENDPOINT).routes_v6 =
            Probe::Unavailable(Unavailable { kind: UnavailableKind::Timeout, reason: String::new() });
    });
    assert_eq!((diagnosis.outcome(), diagnosis.causes.len()), (Outcome::CannotTell, 0));
    assert_eq!(diagnosis.first_broken().map(|finding| &*finding.check), Some("ping"));
}

#[test]
fn a_target_out_of_reach_ends_the_path() {
    let diagnosis = unreachable("context kind-nsm", "connection refused", Some("start the cluster"));
    assert_eq!(diagnosis.outcome(), Outcome::CannotTell);
    let first = diagnosis.first_broken().unwrap();
    assert_eq!((&*first.check, first.observed.as_str(), first.hint.as_deref()), ("target", "connection refused", Some("start the cluster")));
    assert_eq!(diagnosis.path.len(), STEPS.len());
    assert!(diagnosis.path[1..].iter().all(|finding| finding.verdict == Verdict::Skip));
    assert_eq!(diagnosis.causes, []);
}

#[test]
fn what_one_fix_mends_is_told_once() {
    let mut snapshot = healthy();
    let mut expectations = expectations();
    for name in ["b", "c", "d", "e", "f"] {
        let mut pod = client(name);
        (pod.ready, pod.init_containers[0].ready, pod.init_containers[0].running) = (false, false, true);
        pod.init_containers[0].message = Some("IPPool is empty".into());
        snapshot.observation.inventory.pods.as_mut().unwrap().push(pod);
        snapshot.observation.inventory.identities.as_mut().unwrap()[0].pods.insert(id(name));
        let workload = Workload { id: id(name), ..expectations.workloads[1].clone() };
        let connection = Expectation { client: id(name), addresses: None, ..expectations.connections[0].clone() };
        expectations.workloads.push(workload);
        expectations.connections.push(connection);
    }
    let diagnosis = diagnose(&Snapshot { expectations, ..snapshot });
    assert_eq!(ids(&diagnosis), ["address-pool-empty"]);
    assert_eq!(diagnosis.causes[0].subject, "b nsm-1, c nsm-1, d nsm-1 and 2 more");
    assert_eq!(diagnosis.causes[0].observed, "every address is taken; 172.16.1.100/31 serves 1");

    let bare = after(|s| {
        undeployed(s);
        absent(s, &["crd", "spire-agent", "spire-server"]);
    });
    assert_eq!(ids(&bare), ["nsm-not-installed", "spire-not-ready"]);
    assert_eq!(bare.causes[0].observed, "crd is missing");
}

#[test]
fn the_graph_has_no_circle_and_names_only_what_there_is() {
    let ids: BTreeSet<&str> = causes().map(|cause| cause.id).collect();
    for cause in causes() {
        for id in cause.follows.concat() {
            assert!(ids.contains(id), "{} follows {id}, which is none", cause.id);
        }
        assert!(!graph::roots_of(cause).contains(cause.id), "{} follows from itself", cause.id);
        assert!(!cause.seen.is_empty() && !cause.explain.is_empty() && !cause.link.is_empty(), "{}", cause.id);
    }
}

#[test]
fn a_root_reaches_its_own_only() {
    // Two clients: the pool is empty for the one, and the other's link is down. Neither follows from the other.
    let mut snapshot = healthy();
    let mut second = client("second");
    (second.ready, second.init_containers[0].ready, second.init_containers[0].running) = (false, false, true);
    second.init_containers[0].message = Some("IPPool is empty".into());
    snapshot.observation.inventory.pods.as_mut().unwrap().push(second);
    snapshot.observation.inventory.identities.as_mut().unwrap()[0].pods.insert(id("second"));
    let workload = Workload { id: id("second"), ..snapshot.expectations.workloads[1].clone() };
    let connection = Expectation { client: id("second"), addresses: None, ..snapshot.expectations.connections[0].clone() };
    snapshot.expectations.workloads.push(workload);
    snapshot.expectations.connections.push(connection);
    client_links(&mut snapshot, &link("nsm-1", &["172.16.1.101/32"]).replace("UP,LOWER_UP,", ""));
    silent(&mut snapshot);
    assert_eq!(ids(&diagnose(&snapshot)), ["address-pool-empty", "interface-down"]);
    // A manager that is away on another node has nothing to do with either.
    let mut pod = snapshot.system.pods.as_ref().unwrap()[0].clone();
    (pod.id.name, pod.node, pod.ready) = ("nsmgr-9".into(), Some("other".into()), false);
    snapshot.system.pods.as_mut().unwrap().push(pod);
    snapshot.system.nodes.as_mut().unwrap().push(NodeState { name: "other".into(), ready: true, schedulable: true });
    component(&mut snapshot, "nsmgr").ready = Ok((2, 1));
    let diagnosis = diagnose(&snapshot);
    assert_eq!(ids(&diagnosis), ["manager-not-ready", "address-pool-empty", "interface-down"]);
    assert!(diagnosis.causes[0].observed.contains("none on node other"), "{:?}", diagnosis.causes[0]);
}

#[test]
fn an_endpoint_on_its_way_out_still_answers_and_is_scaled_down_all_the_same() {
    let diagnosis = after(|s| {
        s.expectations.workloads.iter_mut().find(|workload| workload.endpoint.is_some()).unwrap().replicas = Some(0);
        (s.planned, s.deployed) = (false, Ok(s.expectations.workloads.clone()));
        pod_mut(&mut s.observation, ENDPOINT).deleting = true;
    });
    assert_eq!((ids(&diagnosis), diagnosis.outcome()), (vec!["endpoint-scaled-down"], Outcome::Failed));
}

#[test]
fn what_could_not_be_collected_is_said_with_its_permission() {
    let diagnosis = after(|s| {
        s.system.events = Err(forbidden("list events"));
        s.system.nodes = Err(forbidden("list nodes"));
        s.deployed = Err(forbidden("list nodes"));
        s.observation.inventory.identities = Err(Unavailable { kind: UnavailableKind::NotFound, reason: "no such resource".into() });
    });
    let unseen: Vec<(&str, &str)> = diagnosis.unseen.iter().map(|finding| (finding.subject.as_str(), finding.observed.as_str())).collect();
    assert_eq!(unseen, [("what is deployed, nodes", "list nodes is forbidden"), ("events", "list events is forbidden")]);
    assert!(diagnosis.unseen.iter().all(|finding| finding.verdict == Verdict::Unknown && finding.hint.is_some()));
    assert_eq!((diagnosis.outcome(), diagnosis.causes), (Outcome::CannotTell, Vec::new()), "what was not seen is not well");
}
