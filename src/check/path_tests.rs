use super::{
    Thresholds, evaluate,
    fixture::{CLIENT, ENDPOINT, expectations, forbidden, healthy, link, links, packet, ping, pod_mut, printed, probes_mut, resolver},
};
use crate::model::{ExecEnd, Finding, Mechanism, Observation, Payload, Probe, RegisteredEndpoint, Resolver, Unavailable, UnavailableKind, Verdict};

fn judged(check: &str, thresholds: Thresholds, change: impl FnOnce(&mut Observation)) -> Vec<Finding> {
    let mut observation = healthy().observation;
    change(&mut observation);
    evaluate(&expectations(), &observation, thresholds).into_iter().filter(|finding| finding.check == check).collect()
}

fn says(check: &str, change: impl FnOnce(&mut Observation)) -> Vec<String> {
    judged(check, Thresholds::default(), change).iter().map(|f| format!("{}: {}: {}", f.subject, f.verdict, f.observed)).collect()
}

/// The client's pings: the usual one, and packets of these lengths.
fn packets(lengths: &'static [(u32, bool)]) -> impl FnOnce(&mut Observation) {
    move |o| {
        let packets = lengths.iter().map(|(length, passes)| packet("172.16.1.100", *length, *passes));
        probes_mut(o, CLIENT).pings = [ping("172.16.1.100", 4)].into_iter().chain(packets).collect();
    }
}

#[test]
fn packets_that_the_interface_admits_arrive_or_what_does_is_said() {
    let lost = packets(&[(16000, false), (9000, false), (1500, false), (1450, true), (1446, true)]);
    assert_eq!(says("path-mtu", lost), ["alpine nsm-1: fail: they are lost; 1450 bytes pass"]);
    assert_eq!(says("path-mtu", packets(&[(16000, false), (1280, false)])), ["alpine nsm-1: fail: they are lost"]);
    assert_eq!(says("path-mtu", packets(&[(1446, true)])), ["alpine nsm-1: pass: 1446 bytes pass"], "the number itself is not judged");
    assert_eq!(says("path-mtu", packets(&[])), ["alpine nsm-1: skip: not checked: pod alpine was not asked"]);
    let deploys = Thresholds { lost_packets: Verdict::Warn, ..Thresholds::default() };
    assert_eq!(judged("path-mtu", deploys, packets(&[(16000, false)]))[0].verdict, Verdict::Warn);
    let silent = says("path-mtu", |o| probes_mut(o, CLIENT).pings = vec![ping("172.16.1.100", 0), packet("172.16.1.100", 16000, false)]);
    assert_eq!(silent, ["alpine nsm-1: skip: not checked: no ping is answered at all"]);
}

#[test]
fn a_packet_that_does_not_even_leave_is_lost_and_a_look_that_broke_off_is_unknown() {
    let with = |end: ExecEnd, said: &'static str| {
        says("path-mtu", move |o| {
            let mut longest = packet("172.16.1.100", 16000, false);
            longest.result = super::fixture::ended("ping", end, "", said);
            probes_mut(o, CLIENT).pings = vec![ping("172.16.1.100", 4), longest, packet("172.16.1.100", 1500, true)];
        })
    };
    let refused = with(ExecEnd::Exited(1), "ping: local error: message too long, mtu=1500\n");
    assert_eq!(refused, ["alpine nsm-1: fail: they are lost; 1500 bytes pass"]);
    assert_eq!(with(ExecEnd::LostStatus, ""), ["alpine nsm-1: unknown: the exit status of ping was lost on the way"]);
}

#[test]
fn thresholds_say_how_much_is_good_enough() {
    let lossy = |o: &mut Observation| probes_mut(o, CLIENT).pings = vec![ping("172.16.1.100", 3)];
    let at_most = |max_loss_percent| Thresholds { max_loss_percent, ..Thresholds::default() };
    let verdict = |thresholds| judged("ping-endpoint", thresholds, lossy)[0].verdict;
    assert_eq!((verdict(at_most(25.0)), verdict(at_most(24.0))), (Verdict::Pass, Verdict::Fail));
    let within = |ms| Thresholds { max_loss_percent: 100.0, max_round_trip_ms: Some(ms), ..Thresholds::default() };
    assert_eq!((verdict(within(0.5)), verdict(within(0.4))), (Verdict::Pass, Verdict::Fail), "the mean is 0.430 ms");
    let silent = judged("ping-endpoint", at_most(100.0), |o| probes_mut(o, CLIENT).pings = vec![ping("172.16.1.100", 0)]);
    assert_eq!(silent[0].verdict, Verdict::Fail, "where nothing comes back there is no connection");
}

#[test]
fn names_resolve_where_nsm_stands_between() {
    let with = |own, before| says("dns", move |o| probes_mut(o, CLIENT).resolver = Some(resolver(own, before)));
    assert_eq!(with(true, false), ["alpine: pass: NSM's resolver at 127.0.0.1 answers"]);
    assert_eq!(with(false, true), ["alpine: fail: NSM's resolver at 127.0.0.1 does not, and the cluster's own (10.96.0.10) does"]);
    assert_eq!(with(false, false), ["alpine: skip: not checked: the cluster's own resolver (10.96.0.10) does not answer either"]);
    let plain = says("dns", |o| {
        let mut plain = resolver(true, true);
        plain.configuration = Probe::Value("nameserver 10.96.0.10\n".into());
        probes_mut(o, CLIENT).resolver = Some(plain);
    });
    assert_eq!(plain, ["alpine: skip: not checked: NSM has put no resolver into the pod"]);
    let unseen = |unavailable: Unavailable| says("dns", move |o| probes_mut(o, CLIENT).resolver = Some(Resolver::unavailable(&unavailable)));
    assert_eq!(unseen(forbidden("create pods/exec")), ["alpine: unknown: create pods/exec is forbidden"]);
    let no_shell = Unavailable { kind: UnavailableKind::NotAsked, reason: "the image has no shell".into() };
    assert_eq!(unseen(no_shell), ["alpine: skip: not checked: the image has no shell"]);
    let starting = says("dns", |o| o.probes.retain(|probes| probes.pod.name != CLIENT));
    assert_eq!(starting, ["alpine: skip: not checked: pod alpine is Running"]);
    let failed = judged("dns", Thresholds::default(), |o| probes_mut(o, CLIENT).resolver = Some(resolver(false, true)));
    assert!(failed[0].evidence.iter().any(|line| line.contains("SERVFAIL")) && failed[0].hint.is_some(), "{failed:?}");
}

#[test]
fn what_is_known_of_the_encryption_is_said() {
    let across = |forwarder: &'static str, payload: Payload| {
        let mut promised = expectations();
        promised.connections[0].payload = Some(payload);
        let mut observation = healthy().observation;
        pod_mut(&mut observation, CLIENT).node = Some("other".into());
        let forwarder = RegisteredEndpoint {
            id: crate::model::Namespaced::new("nsm-system", forwarder),
            services: vec!["forwarder".into()],
            spiffe_id: None,
            registered_by: None,
            expires_at: None,
            forwards_on: Some("other".into()),
        };
        observation.inventory.endpoints.as_mut().unwrap().push(forwarder);
        let findings = evaluate(&promised, &observation, Thresholds::default());
        let found = findings.into_iter().find(|finding| finding.check == "encryption").unwrap();
        format!("{}: {}", found.verdict, found.observed)
    };
    assert_eq!(across("forwarder-ovs-2f7nc", Payload::Ip), "warn: not encrypted: VXLAN from other to worker");
    assert_eq!(across("forwarder-vpp-abcde", Payload::Ethernet), "warn: not encrypted: VXLAN from other to worker");
    assert_eq!(across("forwarder-vpp-abcde", Payload::Ip), "pass: encrypted: WireGuard or IPsec from other to worker");
    assert_eq!(across("forwarder-x", Payload::Ip), "skip: not known: what forwarder-x uses from other to worker");
}

#[test]
fn an_address_is_used_once_in_a_pod() {
    let mut promised = expectations();
    let mut second = promised.connections[0].clone();
    second.url.interface = Some("nsm-2".parse().unwrap());
    promised.connections.push(second);
    let mut observation = healthy().observation;
    let both = link("nsm-1", &["172.16.1.101/32"]) + &link("nsm-2", &["172.16.1.101/32"]);
    probes_mut(&mut observation, CLIENT).links = printed("ip addr", &links(&both));
    let findings = evaluate(&promised, &observation, Thresholds::default());
    let found: Vec<String> =
        findings.iter().filter(|f| f.check == "address-overlap").map(|f| format!("{}: {}: {}", f.subject, f.verdict, f.observed)).collect();
    let twice = |pod: &str, address: &str| format!("{pod}: fail: {address}: alpine nsm-1, alpine nsm-2");
    assert_eq!(found, [twice(CLIENT, "172.16.1.100"), twice(CLIENT, "172.16.1.101"), twice(ENDPOINT, "172.16.1.101")]);
}

#[test]
fn of_a_mechanism_without_interface_it_is_said_what_can_be_told() {
    let with = |mechanism: Mechanism, traces: Option<&[&str]>, accepted: bool| -> Vec<String> {
        let mut promised = expectations();
        promised.connections[0].url.mechanism = mechanism;
        let mut observation = healthy().observation;
        pod_mut(&mut observation, CLIENT).init_containers[0].ready = accepted;
        probes_mut(&mut observation, CLIENT).traces = traces.map(|lines| Probe::Value(lines.iter().map(|line| (*line).to_owned()).collect()));
        let findings = evaluate(&promised, &observation, Thresholds::default());
        findings.iter().filter(|f| f.check == "mechanism").map(|f| format!("{}: {}", f.verdict, f.observed)).collect()
    };
    let traces: &[&str] = &["memif @memif.sock", "vfio /dev/vfio/12", "wireguard wg0"];
    let ended = "pass: cmd-nsc-init has ended".to_owned();
    assert_eq!(with(Mechanism::Memif, Some(traces), true), [ended.clone(), "pass: @memif.sock".to_owned()]);
    assert_eq!(with(Mechanism::Vfio, Some(traces), true), [ended.clone(), "pass: /dev/vfio/12".to_owned()]);
    assert_eq!(with(Mechanism::Wireguard, Some(traces), true), [ended.clone(), "pass: wg0".to_owned()]);
    assert_eq!(with(Mechanism::Memif, Some(&[]), true), [ended.clone(), "skip: not checked: container alpine shows none".to_owned()]);
    assert_eq!(with(Mechanism::Memif, None, false), ["fail: cmd-nsc-init: it still asks", "skip: not checked: pod alpine was not asked"]);
    let other = with(Mechanism::Other("af-xdp".into()), None, true);
    assert_eq!(other, [ended, "skip: not checked: it is not known what af-xdp leaves in a pod".to_owned()]);
    assert_eq!(with(Mechanism::Kernel, None, true), Vec::<String>::new());
}
