use std::collections::BTreeSet;

use super::{
    CATALOGUE, Look, Thresholds, evaluate,
    fixture::{
        CLIENT, ENDPOINT, client, ended, expectations, expectations_of, forbidden, healthy, id, link, links, ping, pod, pod_mut, printed, probes,
        probes_mut, remove_pod,
    },
    probe_requests,
};
use crate::model::{ExecEnd, Expectations, Finding, Mechanism, Observation, Outcome, PingStats, Pinged, PodProbes, Probe, UnavailableKind, Verdict};

const BOTH: &str = "
apiVersion: apps/v1
kind: Deployment
metadata: {name: nse-kernel}
spec:
  selector: {matchLabels: {app: nse-kernel}}
  template:
    metadata: {labels: {app: nse-kernel}}
    spec:
      containers:
      - name: nse
        image: x
        env:
        - {name: NSM_SERVICE_NAMES, value: kernel2kernel}
        - {name: NSM_CIDR_PREFIX, value: \"172.16.1.0/24,2001:db8::/64\"}
";

fn clients(names: &[&str], annotation: &str) -> String {
    let client = |name: &&str| {
        format!(
            "---\napiVersion: v1\nkind: Pod\nmetadata: {{name: {name}, annotations: {{networkservicemesh.io: \"{annotation}\"}}}}\nspec: {{containers: [{{name: {name}, image: x}}]}}\n"
        )
    };
    BOTH.to_owned() + &names.iter().map(client).collect::<String>()
}

fn observed(change: impl FnOnce(&mut Observation)) -> Observation {
    let mut observation = healthy().observation;
    change(&mut observation);
    observation
}

/// Each finding of a check as `subject: verdict: observed`.
fn of(check: &str, expectations: &Expectations, observation: &Observation) -> Vec<String> {
    let findings = evaluate(expectations, observation, Thresholds::default()).into_iter().filter(|finding| finding.check == check);
    findings.map(|f| format!("{}: {}: {}", f.subject, f.verdict, f.observed)).collect()
}

/// What a check says about the example after a change.
fn says(check: &str, change: impl FnOnce(&mut Observation)) -> Vec<String> {
    of(check, &expectations(), &observed(change))
}

/// What is found out inside the pods of a connection.
fn inside(expectations: &Expectations, observation: &Observation) -> Vec<Finding> {
    let checks = ["interface", "address", "peer-route", "ping-endpoint", "ping-client", "path-mtu"];
    evaluate(expectations, observation, Thresholds::default()).into_iter().filter(|finding| checks.contains(&&*finding.check)).collect()
}

fn verdicts(findings: &[Finding]) -> BTreeSet<Verdict> {
    findings.iter().map(|finding| finding.verdict).collect()
}

#[test]
fn the_example_passes_every_check() {
    let findings = evaluate(&expectations(), &healthy().observation, Thresholds::default());
    let lines: Vec<String> =
        findings.iter().map(|f| format!("{} | {} | {} | {} | {}", f.check, f.subject, f.verdict, f.expected, f.observed)).collect();
    assert_eq!(
        lines,
        [
            "pods-ready | nse-kernel | pass | 1 ready | 1 ready",
            "pods-ready | alpine | pass | 1 ready | 1 ready",
            "sidecar-injected | alpine nsm-1 | pass | a cmd-nsc container | cmd-nsc",
            "identity | alpine | pass | a ClusterSPIFFEID selects it | nsm-workloads does",
            "identity | nse-kernel-7d8b9c5f6-x2k4p | pass | a ClusterSPIFFEID selects it | nsm-workloads: \
             spiffe://k8s.nsm/ns/ns-kernel2kernel/pod/nse-kernel-7d8b9c5f6-x2k4p",
            "network-service | kernel2kernel | pass | one, payload ETHERNET | payload ETHERNET, in ns-kernel2kernel",
            "endpoint-registered | nse-kernel-7d8b9c5f6-x2k4p | pass | registered for kernel2kernel | nse-kernel-7d8b9c5f6-x2k4p, for another 40 s",
            "interface | alpine nsm-1 | pass | nsm-1 UP, LOWER_UP | <BROADCAST,LOWER_UP,M-DOWN,MULTICAST,UP> mtu 16000 qdisc noqueue",
            "address | alpine nsm-1 | pass | 172.16.1.101 | 172.16.1.101/32",
            "address | nse-kernel-7d8b9c5f6-x2k4p | pass | 172.16.1.100 | 172.16.1.100/32 on kernel2ker-CKBv",
            "address-overlap | connections | pass | no address twice in a pod | 2 addresses in 2 pods",
            "peer-route | alpine nsm-1 | pass | 172.16.1.100 dev nsm-1 | 172.16.1.100 dev nsm-1",
            "ping-endpoint | alpine nsm-1 | pass | 172.16.1.100 0 % loss | 4/4 received, 0 % loss, 0.256/0.430/0.671 ms",
            "ping-client | nse-kernel-7d8b9c5f6-x2k4p | pass | 172.16.1.101 0 % loss | 4/4 received, 0 % loss, 0.256/0.430/0.671 ms",
            "path-mtu | alpine nsm-1 | pass | 16000 bytes to 172.16.1.100, as the interface admits | 16000 bytes pass",
            "dns | alpine | pass | names resolve | NSM's resolver at 127.0.0.1 answers",
            "encryption | alpine nsm-1 | pass | known | not encrypted; it does not leave worker",
        ]
    );
    assert_eq!(Finding::outcome(&findings), Outcome::Passed);
    assert!(findings.iter().all(|finding| finding.evidence.is_empty() && finding.hint.is_none()));
    let documented: Vec<&str> = findings.iter().filter_map(|finding| finding.documented.as_deref()).collect();
    assert_eq!(documented.len(), 2, "flags and length differ from the document, and that is no fault: {documented:?}");
}

#[test]
fn pods_are_ready_or_say_what_they_are() {
    let not_ready = says("pods-ready", |o| {
        let pod = pod_mut(o, CLIENT);
        (pod.ready, pod.init_containers[0].ready) = (false, false);
    });
    assert_eq!(not_ready, ["nse-kernel: pass: 1 ready", "alpine: fail: 0 ready; alpine Init:0/1"]);
    assert_eq!(says("pods-ready", |o| remove_pod(o, CLIENT))[1], "alpine: fail: no pod");
    let unseen = says("pods-ready", |o| o.inventory.pods = Err(forbidden("list pods")));
    assert_eq!(unseen, ["nse-kernel: unknown: list pods is forbidden", "alpine: unknown: list pods is forbidden"]);
}

#[test]
fn a_pod_that_is_being_deleted_does_not_count() {
    let gone = observed(|o| pod_mut(o, ENDPOINT).deleting = true);
    assert_eq!(of("pods-ready", &expectations(), &gone)[0], "nse-kernel: fail: no pod");
    let ping = of("ping-client", &expectations(), &gone);
    assert_eq!(ping, ["alpine nsm-1: skip: not checked: endpoint nse-kernel has no pod"], "it still answers, and that proves nothing");
    assert!(probe_requests(&expectations(), gone.pods(), &Look::default()).iter().all(|request| request.pod.name == CLIENT));
}

#[test]
fn fewer_pods_than_promised_are_too_few_and_none_may_be_promised() {
    let scaled = |replicas| {
        let mut expectations = expectations();
        expectations.workloads[0].replicas = replicas;
        of("pods-ready", &expectations, &healthy().observation)[0].clone()
    };
    assert_eq!(scaled(Some(2)), "nse-kernel: fail: 1 ready");
    assert_eq!(scaled(Some(0)), "nse-kernel: pass: 1 ready");
    assert_eq!(scaled(None), "nse-kernel: pass: 1 ready");
    let mut daemon = expectations();
    daemon.workloads[0].replicas = None;
    assert_eq!(of("pods-ready", &daemon, &observed(|o| remove_pod(o, ENDPOINT)))[0], "nse-kernel: fail: no pod");
}

#[test]
fn injection_is_seen_in_either_kind_of_container() {
    let without = says("sidecar-injected", |o| {
        let pod = pod_mut(o, CLIENT);
        pod.init_containers.clear();
        pod.containers.truncate(1);
    });
    assert_eq!(without, ["alpine nsm-1: fail: no container of NSM's"]);
    assert!(says("sidecar-injected", |o| pod_mut(o, CLIENT).init_containers.clear())[0].contains(": pass: "));
}

#[test]
fn without_a_client_there_is_nothing_to_look_into() {
    let absent = inside(&expectations(), &observed(|o| remove_pod(o, CLIENT)));
    assert_eq!(verdicts(&absent), [Verdict::Skip].into());
    assert!(absent.iter().all(|finding| finding.observed == "not checked: the client has no pod"), "{absent:?}");
    let hidden = inside(&expectations(), &observed(|o| o.inventory.pods = Err(forbidden("list pods"))));
    assert_eq!(verdicts(&hidden), [Verdict::Unknown].into(), "what cannot be seen may well be there");
}

#[test]
fn a_client_that_was_not_asked_is_passed_over() {
    let waiting = observed(|o| {
        o.probes.retain(|probes| probes.pod.name != CLIENT);
        let pod = pod_mut(o, CLIENT);
        (pod.ready, pod.init_containers[0].ready) = (false, false);
    });
    assert_eq!(of("interface", &expectations(), &waiting), ["alpine nsm-1: skip: pod ns-kernel2kernel/alpine was not asked: it is Init:0/1"]);
    assert_eq!(of("address", &expectations(), &waiting)[0], "alpine nsm-1: skip: pod ns-kernel2kernel/alpine was not asked: it is Init:0/1");
    assert_eq!(of("peer-route", &expectations(), &waiting), ["alpine nsm-1: skip: pod ns-kernel2kernel/alpine was not asked: it is Init:0/1"]);
    assert_eq!(of("ping-endpoint", &expectations(), &waiting), ["alpine nsm-1: skip: not checked: pod alpine is Init:0/1"]);
}

#[test]
fn an_interface_is_there_and_up_at_both_ends() {
    let client_link = |text: String| move |o: &mut Observation| probes_mut(o, CLIENT).links = printed("ip addr", &text);
    assert_eq!(says("interface", client_link(links(""))), ["alpine nsm-1: fail: absent; there are lo, eth0"]);
    let up = link("nsm-1", &["172.16.1.101/32"]);
    let down = says("interface", client_link(links(&up.replace("UP,LOWER_UP,", ""))));
    assert_eq!(down, ["alpine nsm-1: fail: <BROADCAST,M-DOWN,MULTICAST> mtu 16000 qdisc noqueue"]);
    let alone = says("interface", client_link(links(&up.replace("UP,LOWER_UP", "NO-CARRIER,UP"))));
    assert!(alone[0].contains(": fail: <BROADCAST,M-DOWN,MULTICAST,NO-CARRIER,UP>"), "{alone:?}");
    // What is below the link is up, and the link itself not yet.
    let late = says("interface", client_link(links(&up.replace("UP,LOWER_UP", "NO-CARRIER,UP,LOWER_UP"))));
    assert!(late[0].contains(": fail: <"), "{late:?}");
    let findings = evaluate(&expectations(), &observed(client_link(links(""))), Thresholds::default());
    let absent = findings.iter().find(|finding| finding.check == "interface").unwrap();
    assert_eq!(absent.evidence[0], "$ ip addr");
    assert!(absent.hint.as_deref().unwrap().contains("nsmctl troubleshoot"));
}

#[test]
fn what_the_document_shows_is_no_measure() {
    let documented = "10: nsm-1: <POINTOPOINT,MULTICAST,NOARP,UP,LOWER_UP> mtu 1500 qdisc noqueue state UNKNOWN qlen 500\n    inet 172.16.1.101/31 scope global nsm-1\n";
    let observation = observed(|o| probes_mut(o, CLIENT).links = printed("ip addr", &links(documented)));
    let findings = evaluate(&expectations(), &observation, Thresholds::default());
    let verdict = |check: &str| findings.iter().find(|finding| finding.check == check).map(|f| f.verdict);
    assert_eq!((verdict("interface"), verdict("address")), (Some(Verdict::Pass), Some(Verdict::Pass)));
    assert!(findings.iter().filter(|finding| finding.check == "address").all(|finding| finding.documented.is_none()));
}

#[test]
fn what_cannot_be_looked_at_is_unknown_and_never_a_pass() {
    let ends = [ExecEnd::LostStatus, ExecEnd::Timeout, ExecEnd::Transport("the connection broke".into()), ExecEnd::Exited(127), ExecEnd::Exited(1)];
    for end in ends {
        let observation = observed(|o| {
            for probes in &mut o.probes {
                probes.links = ended("ip addr", end.clone(), &links(""), "");
                probes.routes = ended("ip route", end.clone(), "", "");
                probes.routes_v6 = ended("ip -6 route", end.clone(), "", "");
                // A ping's own status says nothing that its words do not.
                probes.pings.iter_mut().for_each(|ping| ping.result = ended("ping", end.clone(), "", ""));
            }
        });
        let findings = inside(&expectations(), &observation);
        assert_eq!(verdicts(&findings), [Verdict::Unknown].into(), "{end:?}: {findings:?}");
    }
    let refused = observed(|o| {
        for probes in &mut o.probes {
            probes.links = Probe::Unavailable(forbidden("create pods/exec"));
            probes.routes = Probe::Unavailable(forbidden("create pods/exec"));
            probes.pings.iter_mut().for_each(|ping| ping.result = Probe::Unavailable(forbidden("create pods/exec")));
        }
    });
    let findings = inside(&expectations(), &refused);
    assert!(findings.iter().all(|f| f.verdict == Verdict::Unknown && f.observed == "create pods/exec is forbidden"), "{findings:?}");
    assert_eq!(Finding::outcome(&findings), Outcome::CannotTell);
}

#[test]
fn a_link_local_address_counts_where_it_is_promised_and_only_there() {
    for (prefix, own, seen) in [("fe80::10/127", "fe80::11", "fe80::11/128"), ("169.254.0.0/31", "169.254.0.1", "169.254.0.1/32")] {
        let mut promised = expectations();
        promised.connections[0].prefixes = prefix.parse().unwrap();
        promised.connections[0].addresses = promised.connections[0].prefixes.first_pairs();
        let judge = |promised: &Expectations, addresses: &[&str]| {
            let observation = observed(|o| probes_mut(o, CLIENT).links = printed("ip addr", &links(&link("nsm-1", addresses))));
            of("address", promised, &observation).remove(0)
        };
        assert_eq!(judge(&promised, &[seen, "fe80::f865:6aff:feff:bb67/64"]), format!("alpine nsm-1: pass: {seen}"), "{own}");
        assert_eq!(judge(&promised, &["fe80::f865:6aff:feff:bb67/64"]), "alpine nsm-1: fail: none");
        // Not certain, and still out of the prefix.
        promised.connections[0].addresses = None;
        assert!(judge(&promised, &[seen]).ends_with(&format!("pass: {seen}")), "{own}");
        assert_eq!(judge(&expectations(), &[seen]) == "alpine nsm-1: fail: none", seen.starts_with("fe80"), "{own}");
    }
}

#[test]
fn addresses_are_exactly_those_that_are_certain() {
    let other = says("address", |o| probes_mut(o, CLIENT).links = printed("ip addr", &links(&link("nsm-1", &["172.16.1.103/32"]))));
    assert_eq!(other[0], "alpine nsm-1: fail: 172.16.1.103/32");
    let none = says("address", |o| probes_mut(o, CLIENT).links = printed("ip addr", &links(&link("nsm-1", &["fe80::1/64"]))));
    assert_eq!(none[0], "alpine nsm-1: fail: none");
    let absent = says("address", |o| probes_mut(o, CLIENT).links = printed("ip addr", &links("")));
    assert_eq!(absent[0], "alpine nsm-1: skip: not checked: there is no interface");
    let far = says("address", |o| probes_mut(o, ENDPOINT).links = printed("ip addr", &links("")));
    assert_eq!(far[1], "nse-kernel-7d8b9c5f6-x2k4p: fail: on none of its interfaces");
    let unseen = says("address", |o| probes_mut(o, ENDPOINT).links = Probe::Unavailable(forbidden("create pods/exec")));
    assert_eq!(unseen[1], "nse-kernel-7d8b9c5f6-x2k4p: unknown: create pods/exec is forbidden");
}

#[test]
fn the_peer_is_reached_through_the_interface() {
    let route = |text: &'static str| says("peer-route", move |o| probes_mut(o, CLIENT).routes = printed("ip route", text));
    assert_eq!(route("default via 10.244.1.1 dev eth0 \n"), ["alpine nsm-1: fail: it goes 0.0.0.0/0 via 10.244.1.1 dev eth0"]);
    assert_eq!(route("172.16.1.100 dev eth0 \n172.16.1.0/24 dev nsm-1 \n"), ["alpine nsm-1: fail: it goes 172.16.1.100 dev eth0"]);
    assert_eq!(route("default via 10.244.1.1 dev eth0 \n172.16.1.0/24 dev nsm-1 \n"), ["alpine nsm-1: pass: 172.16.1.0/24 dev nsm-1"]);
    assert_eq!(route(""), ["alpine nsm-1: fail: no route"]);
    let absent = says("peer-route", |o| probes_mut(o, CLIENT).links = printed("ip addr", &links("")));
    assert_eq!(absent, ["alpine nsm-1: skip: not checked: there is no interface"]);
}

#[test]
fn every_ping_is_answered_both_ways() {
    let near = |pinged: Pinged| says("ping-endpoint", move |o| probes_mut(o, CLIENT).pings = vec![pinged]);
    assert_eq!(near(ping("172.16.1.100", 3)), ["alpine nsm-1: fail: 3/4 received, 25 % loss, 0.256/0.430/0.671 ms"]);
    let twice = says("ping-endpoint", |o| probes_mut(o, CLIENT).pings = vec![ping("172.16.1.100", 3), ping("172.16.1.100", 4)]);
    assert_eq!(twice, ["alpine nsm-1: pass: 4/4 received, 0 % loss, 0.256/0.430/0.671 ms, 3/4 at first"]);
    assert_eq!(near(ping("172.16.1.100", 0)), ["alpine nsm-1: fail: 0/4 received, 100 % loss"]);
    assert_eq!(near(ping("172.16.1.7", 4)), ["alpine nsm-1: skip: not checked: pod alpine was not asked to ping it"]);
    let complains = |complaint: &str| {
        let result = ended("ping", ExecEnd::Exited(1), "PING 172.16.1.100 (172.16.1.100): 56 data bytes\n", complaint);
        near(Pinged { destination: "172.16.1.100".parse().unwrap(), packet_bytes: None, result })
    };
    for unsent in [
        "ping: sendto: Network unreachable\n",
        "ping: sendto: Invalid argument\n",
        "ping: connect: Permission denied\n",
        "ping: sendmsg: Operation not permitted\n",
    ] {
        let no_way = complains(unsent);
        assert!(no_way[0].starts_with("alpine nsm-1: fail: "), "what does not even leave is a fault of the path: {no_way:?}");
    }
    let no_socket = complains("ping: permission denied (are you root?)\n");
    assert!(no_socket[0].starts_with("alpine nsm-1: unknown: "), "who may not ping knows nothing of the path: {no_socket:?}");
    let nothing_sent = Pinged { result: Probe::Value(PingStats { transmitted: 0, received: 0, round_trip_ms: None }), ..ping("172.16.1.100", 4) };
    assert_eq!(near(nothing_sent), ["alpine nsm-1: fail: 0/0 received, 100 % loss"]);
    let far = says("ping-client", |o| probes_mut(o, ENDPOINT).pings = vec![ping("172.16.1.101", 0)]);
    assert_eq!(far, ["nse-kernel-7d8b9c5f6-x2k4p: fail: 0/4 received, 100 % loss"]);
    let lost =
        near(Pinged { result: ended("ping", ExecEnd::LostStatus, "4 packets transmitted, 4 packets received", ""), ..ping("172.16.1.100", 4) });
    assert_eq!(lost, ["alpine nsm-1: unknown: the exit status of ping was lost on the way"]);
}

#[test]
fn an_endpoint_of_somebody_else_is_not_looked_into() {
    let text = "apiVersion: v1\nkind: Pod\nmetadata: {name: alpine, annotations: {networkservicemesh.io: kernel://kernel2kernel}}\nspec: {containers: [{name: alpine, image: x}]}\n";
    let observation = observed(|o| {
        let generated = link("kernel2ker-aB3d", &["172.16.1.101/32"]);
        *probes_mut(o, CLIENT) = probes(CLIENT, "alpine", &generated, "172.16.1.100 dev kernel2ker-aB3d \n", "", &[ping("172.16.1.100", 4)]);
    });
    let findings = inside(&expectations_of(text), &observation);
    let lines: Vec<String> = findings.iter().map(|f| format!("{}: {}", f.check, f.verdict)).collect();
    let expected = ["interface: pass", "address: pass", "peer-route: pass", "ping-endpoint: pass", "ping-client: skip", "path-mtu: pass"];
    assert_eq!(lines, expected);
    assert_eq!(findings[4].observed, "not checked: the endpoint is not part of these manifests");
}

#[test]
fn another_mechanism_makes_no_interface() {
    let mut expectations = expectations();
    expectations.connections[0].url.mechanism = Mechanism::Memif;
    assert_eq!(of("sidecar-injected", &expectations, &healthy().observation), ["alpine nsm-1: pass: cmd-nsc"], "it is injected all the same");
    let findings = inside(&expectations, &healthy().observation);
    assert!(
        findings.len() == 6 && findings.iter().all(|f| f.verdict == Verdict::Skip && f.observed == "not checked: memif makes no kernel interface")
    );
}

/// Two clients of one dual-stack endpoint: who has which addresses is seen, not known.
fn two_clients() -> Observation {
    observed(|o| {
        let near = |name: &str, n: u8| {
            let nsm = link("nsm-1", &[&format!("172.16.1.{n}/32"), &format!("2001:db8::{n}/128")]);
            let (four, six) = (format!("172.16.1.{}", n - 1), format!("2001:db8::{}", n - 1));
            probes(name, name, &nsm, &format!("{four} dev nsm-1 \n"), &format!("{six} dev nsm-1  metric 1024 \n"), &[ping(&four, 4), ping(&six, 4)])
        };
        let both = link("kernel2ker-aaaa", &["172.16.1.0/32", "2001:db8::/128"]) + &link("kernel2ker-bbbb", &["172.16.1.2/32", "2001:db8::2/128"]);
        let pings = ["172.16.1.1", "2001:db8::1", "172.16.1.3", "2001:db8::3"].map(|address| ping(address, 4));
        o.inventory.pods = Ok(vec![pod(ENDPOINT, "nse-kernel", &["nse"]), client("one"), client("two")]);
        o.probes = vec![near("one", 1), near("two", 3), probes(ENDPOINT, "nse", &both, "", "", &pings)];
    })
}

#[test]
fn addresses_that_are_not_certain_are_read_off_each_client_in_both_families() {
    let expectations = expectations_of(&clients(&["one", "two"], "kernel://kernel2kernel/nsm-1"));
    assert!(expectations.connections.iter().all(|connection| connection.addresses.is_none()));
    let findings = inside(&expectations, &two_clients());
    assert_eq!(verdicts(&findings), [Verdict::Pass].into(), "{findings:#?}");
    let pinged: Vec<&str> = findings.iter().filter(|f| f.check == "ping-endpoint").map(|f| f.expected.as_str()).collect();
    assert_eq!(pinged, ["172.16.1.0 0 % loss", "2001:db8:: 0 % loss", "172.16.1.2 0 % loss", "2001:db8::2 0 % loss"]);
}

#[test]
fn each_client_and_each_family_is_judged_by_itself() {
    let expectations = expectations_of(&clients(&["one", "two"], "kernel://kernel2kernel/nsm-1"));
    let mut half = two_clients();
    probes_mut(&mut half, "two").links = printed("ip addr", &links(&link("nsm-1", &["172.16.1.3/32"])));
    let address = of("address", &expectations, &half);
    assert!(address.contains(&"two nsm-1: fail: 172.16.1.3/32".to_owned()), "one address out of each group is promised: {address:?}");
    assert!(address.contains(&"one nsm-1: pass: 172.16.1.1/32, 2001:db8::1/128".to_owned()), "{address:?}");

    let mut outside = two_clients();
    probes_mut(&mut outside, "two").links = printed("ip addr", &links(&link("nsm-1", &["10.9.9.9/32", "2001:db8::3/128"])));
    let address = of("address", &expectations, &outside);
    assert!(address.contains(&"two nsm-1: fail: 10.9.9.9/32, 2001:db8::3/128".to_owned()), "{address:?}");
}

#[test]
fn a_client_whose_way_to_its_peer_is_gone_fails_also_where_the_peer_is_not_certain() {
    let expectations = expectations_of(&clients(&["one", "two"], "kernel://kernel2kernel/nsm-1"));
    let route = |change: fn(&mut PodProbes)| {
        let mut observation = two_clients();
        change(probes_mut(&mut observation, "two"));
        of("peer-route", &expectations, &observation).split_off(2)
    };
    let six = "two nsm-1: pass: 2001:db8::2 dev nsm-1".to_owned();
    let gone = "two nsm-1: fail: no route".to_owned();
    assert_eq!(route(|probes| probes.routes = printed("ip route", "default via 10.244.1.1 dev eth0 \n")), [six.clone(), gone.clone()]);
    let neither = route(|probes| {
        probes.routes = printed("ip route", "");
        let left = "2001:db8::3 dev nsm-1 proto kernel  metric 256 \nfe80::/64 dev nsm-1  metric 256 \nff00::/8 dev nsm-1  metric 256 \n";
        probes.routes_v6 = printed("ip -6 route", left);
    });
    assert_eq!(neither, [gone.clone(), gone]);
    let lost = route(|probes| probes.routes = ended("ip route", ExecEnd::LostStatus, "", ""));
    assert_eq!(lost, [six.clone(), "two nsm-1: unknown: the exit status of ip route was lost on the way".to_owned()]);
    // There is a way, and nothing that says to whom.
    assert_eq!(route(|probes| probes.routes = printed("ip route", "172.16.1.0/24 dev nsm-1 \n")), std::slice::from_ref(&six));
    assert_eq!(route(|probes| probes.routes = printed("ip route", "default dev nsm-1 \n")), [six]);
    let four = "two nsm-1: pass: 172.16.1.2 dev nsm-1".to_owned();
    assert_eq!(route(|probes| probes.routes_v6 = printed("ip -6 route", "default dev nsm-1  metric 1024 \n")), [four]);
}

#[test]
fn the_routes_of_one_family_tell_nothing_about_the_other() {
    let expectations = expectations_of(&clients(&[CLIENT], "kernel://kernel2kernel/nsm-1"));
    let pairs = expectations.connections[0].addresses.clone().unwrap();
    assert_eq!(pairs.iter().map(|pair| pair.client.to_string()).collect::<Vec<_>>(), ["172.16.1.1", "2001:db8::1"]);
    let mut observation = two_clients();
    pod_mut(&mut observation, "one").id = id(CLIENT);
    probes_mut(&mut observation, "one").pod = id(CLIENT);
    assert_eq!(verdicts(&inside(&expectations, &observation)), [Verdict::Pass].into());

    probes_mut(&mut observation, CLIENT).routes_v6 = ended("ip -6 route", ExecEnd::LostStatus, "", "");
    let route = of("peer-route", &expectations, &observation);
    assert_eq!(route, ["alpine nsm-1: pass: 172.16.1.0 dev nsm-1", "alpine nsm-1: unknown: the exit status of ip -6 route was lost on the way"]);
    probes_mut(&mut observation, CLIENT).routes_v6 = ended("ip -6 route", ExecEnd::Exited(2), "", "RTNETLINK answers: Operation not supported");
    assert_eq!(of("peer-route", &expectations, &observation)[1], "alpine nsm-1: fail: no route", "a kernel without IPv6 has no such route");
    let unavailable = crate::model::Unavailable { kind: UnavailableKind::Timeout, reason: "it took too long".into() };
    probes_mut(&mut observation, CLIENT).routes = Probe::Unavailable(unavailable);
    assert_eq!(of("peer-route", &expectations, &observation)[0], "alpine nsm-1: unknown: it took too long");
}

#[test]
fn every_check_can_be_met() {
    let mut promised = expectations();
    let mut memif = promised.connections[0].clone();
    memif.url.mechanism = Mechanism::Memif;
    promised.connections.push(memif);
    promised.unreadable.push((id("broken"), "it ends with a comma".into()));
    let findings = evaluate(&promised, &healthy().observation, Thresholds::default());
    for check in &CATALOGUE {
        assert!(findings.iter().any(|finding| finding.check == check.id && finding.title == check.title), "{}", check.id);
    }
    assert!(findings.iter().all(|finding| CATALOGUE.iter().any(|check| check.id == finding.check)));
}
