use super::{
    Thresholds, evaluate,
    fixture::{CLIENT, ENDPOINT, NOW, expectations, forbidden, healthy, id, pod_mut, probes_mut},
};
use crate::model::{Namespaced, NetworkServiceState, Observation, Payload, Probe, RegisteredEndpoint, Unavailable, UnavailableKind};

fn says(check: &str, change: impl FnOnce(&mut Observation)) -> Vec<String> {
    let mut observation = healthy().observation;
    change(&mut observation);
    let findings = evaluate(&expectations(), &observation, Thresholds::default()).into_iter().filter(|finding| finding.check == check);
    findings.map(|f| format!("{}: {}: {}", f.subject, f.verdict, f.observed)).collect()
}

fn registered(o: &mut Observation) -> &mut Vec<RegisteredEndpoint> {
    o.inventory.endpoints.as_mut().unwrap()
}

#[test]
fn an_endpoint_is_registered_and_its_registration_has_not_run_out() {
    let pod = |words: &str| [format!("{ENDPOINT}: {words}")];
    let out = says("endpoint-registered", |o| registered(o)[0].expires_at = Some(NOW - 7));
    assert_eq!(out, pod(&format!("fail: {ENDPOINT} has run out 7 s ago")));
    assert_eq!(says("endpoint-registered", |o| registered(o).clear()), pod("fail: no endpoint is"));
    let another = says("endpoint-registered", |o| {
        registered(o)[0].id.name = "stale".into();
        registered(o)[0].spiffe_id = Some("spiffe://k8s.nsm/ns/x/pod/stale".into());
    });
    assert_eq!(another, pod("fail: it is not; stale is"));
    let by_name = says("endpoint-registered", |o| {
        registered(o)[0].spiffe_id = None;
        registered(o)[0].expires_at = None;
    });
    assert_eq!(by_name, pod(&format!("pass: {ENDPOINT}")));
    let gone = says("endpoint-registered", |o| pod_mut(o, ENDPOINT).deleting = true);
    assert_eq!(gone, ["kernel2kernel: fail: nobody: nse-kernel has no pod"], "its registration outlives it");
    let hidden = says("endpoint-registered", |o| o.inventory.endpoints = Err(forbidden("list networkserviceendpoints")));
    assert_eq!(hidden, pod("unknown: list networkserviceendpoints is forbidden"));
}

#[test]
fn a_service_is_there_once_and_carries_what_was_promised() {
    let service = |namespace: &str, payload| NetworkServiceState { id: Namespaced::new(namespace, "kernel2kernel"), payload, matches: Vec::new() };
    let with = |services: Vec<NetworkServiceState>| says("network-service", move |o| o.inventory.services = Ok(services));
    let own = || service("ns-kernel2kernel", Some(Payload::Ethernet));
    assert_eq!(with(vec![]), ["kernel2kernel: fail: none in ns-kernel2kernel"]);
    assert_eq!(with(vec![service("default", Some(Payload::Ethernet))]), ["kernel2kernel: fail: none in ns-kernel2kernel; there is one in default"]);
    let two = with(vec![service("default", Some(Payload::Ip)), own()]);
    assert_eq!(two, ["kernel2kernel: warn: payload ETHERNET, in ns-kernel2kernel; also in default"]);
    let other = with(vec![service("ns-kernel2kernel", Some(Payload::Ip))]);
    assert_eq!(other, ["kernel2kernel: fail: payload IP, in ns-kernel2kernel"]);
    let unknown = with(vec![service("ns-kernel2kernel", None)]);
    assert_eq!(unknown, ["kernel2kernel: fail: a payload that NSM does not know, in ns-kernel2kernel"]);
    assert_eq!(says("network-service", |o| o.inventory.services = Err(forbidden("it"))), ["kernel2kernel: unknown: it is forbidden"]);
}

#[test]
fn every_pod_has_an_identity_or_shows_that_it_had_one() {
    let client = |change: Box<dyn FnOnce(&mut Observation)>| says("identity", change).remove(0);
    let rules = |o: &mut Observation| o.inventory.identities.as_mut().unwrap()[0].pods.retain(|pod| *pod != id(CLIENT));
    assert_eq!(client(Box::new(rules)), "alpine: fail: none does; the pod lacks the label spiffe.io/spiffe-id: \"true\"");
    let labelled = move |o: &mut Observation| {
        rules(o);
        pod_mut(o, CLIENT).labels.insert("spiffe.io/spiffe-id".into(), "true".into());
    };
    assert_eq!(client(Box::new(labelled)), "alpine: fail: none does; the pod has the label spiffe.io/spiffe-id: \"true\"");
    // Without the right to see ClusterSPIFFEIDs: what they were needed for is there.
    let hidden = says("identity", |o| o.inventory.identities = Err(forbidden("list clusterspiffeids")));
    assert_eq!(hidden[0], "alpine: pass: NSM has accepted its request, which takes an SVID");
    assert_eq!(hidden[1], format!("{ENDPOINT}: pass: registered as spiffe://k8s.nsm/ns/ns-kernel2kernel/pod/{ENDPOINT}"));
    let nothing = |kind| {
        says("identity", move |o| {
            o.inventory.identities = Err(Unavailable { kind, reason: "it is so".into() });
            probes_mut(o, CLIENT).links = Probe::Unavailable(forbidden("create pods/exec"));
        })
        .remove(0)
    };
    assert_eq!(nothing(UnavailableKind::Forbidden), "alpine: unknown: it is so");
    assert_eq!(nothing(UnavailableKind::NotAsked), "alpine: skip: it is so");
    let given_otherwise = "alpine: skip: not checked: the cluster has no ClusterSPIFFEIDs, so identities are given in another way";
    assert_eq!(nothing(UnavailableKind::NotFound), given_otherwise);
}
