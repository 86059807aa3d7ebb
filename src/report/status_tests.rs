use super::*;
use crate::model::{Addresses, Namespaced, ObjectRef, PathStatus, Payload, Ready};

const PLAIN: Look = Look { width: Some(80), colour: false, unicode: true };

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + seconds).unwrap()
}

fn component(role: &str, name: &str, verdict: Verdict, ready: (u32, u32), instances: Vec<InstanceStatus>) -> ComponentStatus {
    let object = Some(ObjectRef::namespaced("DaemonSet", "nsm-system", name));
    let ready = Known::Value(Ready { desired: ready.0, ready: ready.1 });
    ComponentStatus { role: role.into(), object, verdict, ready, instances: Known::Value(instances) }
}

fn instance(name: &str, node: &str, ready: bool) -> InstanceStatus {
    InstanceStatus {
        pod: Namespaced::new("nsm-system", name),
        node: Known::Value(node.into()),
        ready,
        state: if ready { "Running" } else { "CrashLoopBackOff" }.into(),
        image: Known::Value("ghcr.io/networkservicemesh/cmd-nsmgr:v1.16.0".into()),
        restarts: u32::from(!ready),
        since: Known::Value(at(-11_000)),
        registered: None,
    }
}

fn endpoint(name: &str, left: i64) -> EndpointStatus {
    EndpointStatus {
        name: name.into(),
        services: vec!["kernel2kernel".into()],
        pod: Known::Value(Namespaced::new("ns-kernel2kernel", name)),
        node: Known::Value("worker2".into()),
        expires_at: Known::Value(at(left)),
        expires_in_s: Known::Value(left),
        verdict: if left > 0 { Verdict::Pass } else { Verdict::Warn },
    }
}

pub(in crate::report) fn connection(client: &str, far: Option<&str>) -> ConnectionStatus {
    let pod = |name: &str| Namespaced::new("ns-kernel2kernel", name);
    let known = |value: Option<&str>| Known::of(value.map(str::to_owned), "there is no connection");
    let forwarders = Known::Value(vec!["forwarder-vpp-abcde".to_owned(), "forwarder-vpp-fghij".to_owned()]);
    let path = PathStatus { client_node: "worker".into(), endpoint_node: "worker2".into(), same_node: false, forwarders };
    ConnectionStatus {
        client: pod(client),
        node: Known::Value("worker".into()),
        service: "kernel2kernel".into(),
        mechanism: "kernel".into(),
        payload: Known::Value(Payload::Ethernet),
        interface: known(far.map(|_| "nsm-1")),
        endpoint: Known::of(far.map(pod), "there is no connection"),
        endpoint_interface: known(far.map(|_| "kernel2ker-CKBv")),
        addresses: far.map(|_| Addresses { client: [172, 16, 1, 101].into(), endpoint: [172, 16, 1, 100].into() }).into_iter().collect(),
        path: Known::of(far.map(|_| path), "there is no connection"),
        since: Known::of(far.map(|_| at(-240)), "the request has not been served yet"),
        heals: Known::unknown("NSM counts it nowhere"),
        phases: Known::of(far.map(|_| crate::report::phases::tests::phases()), "there is no connection"),
        verdict: if far.is_some() { Verdict::Pass } else { Verdict::Fail },
        reason: far.is_none().then(|| "the client's pod is Init:0/1".to_owned()),
    }
}

/// Two nodes; one client is connected, one waits, one manager crashes, one registration has run out.
pub(in crate::report) fn broken() -> Status {
    let nsmgr = vec![instance("nsmgr-a", "worker", true), instance("nsmgr-b", "worker2", false)];
    let finding = Finding::new("pods-ready", "pods ready", "alpine-2", Verdict::Fail, "ready", "Init:0/1").advised("nsmctl troubleshoot says why");
    let service = ServiceStatus {
        name: "kernel2kernel".into(),
        namespace: Some("ns-kernel2kernel".into()),
        payload: Known::Value(Payload::Ethernet),
        endpoints: Known::Value(1),
        requests: 2,
        also_in: vec!["other".into()],
        verdict: Verdict::Warn,
    };
    let hidden = ComponentStatus {
        ready: Known::unknown("daemonsets.apps is forbidden"),
        object: None,
        ..component("spire-agent", "spire-agent", Verdict::Unknown, (1, 1), Vec::new())
    };
    Status {
        taken_at: at(0),
        components: vec![
            component("crd", "networkservices.networkservicemesh.io", Verdict::Pass, (1, 1), Vec::new()),
            component("nsmgr", "nsmgr", Verdict::Fail, (3, 1), nsmgr),
            hidden,
        ],
        services: Known::Value(vec![service]),
        endpoints: Known::Value(vec![endpoint("nse-kernel-65794b6c65-vmxkl", 43), endpoint("nse-kernel-65794b6c65-old", -9)]),
        connections: Known::Value(vec![connection("alpine", Some("nse-kernel-65794b6c65-vmxkl")), connection("alpine-2", None)]),
        metrics: None,
        findings: vec![finding],
    }
}

fn report(topology: bool) -> Report {
    let mut report = Report::new("status");
    report.status = Some(broken());
    report.shown.topology = topology;
    report
}

#[test]
fn tables_fit_the_width() {
    insta::assert_snapshot!(text::render(&report(false), Format::Table, PLAIN));
    for width in [60, 80, 100] {
        for topology in [false, true] {
            let text = text::render(&report(topology), Format::Table, Look { width: Some(width), ..PLAIN });
            let wide: Vec<&str> = text.lines().filter(|line| textwrap::core::display_width(line) > width).collect();
            assert!(wide.is_empty(), "{width}: {wide:#?}");
        }
    }
}

#[test]
fn phases_are_told_where_they_are_wanted() {
    let mut wanted = report(false);
    let before = text::render(&wanted, Format::Table, PLAIN);
    assert!(!before.contains("phase"), "{before}");
    wanted.shown.phases = true;
    let text = text::render(&wanted, Format::Table, PLAIN);
    for title in ["phase 1, registration of nse-kernel-", "phase 2, client request of alpine nsm-1: 2.09 ms", "phase 4, secure tunnel of alpine"] {
        assert_eq!(text.matches(title).count(), 1, "{title}: {text}");
    }
    assert!(text.contains("? phases: there is no connection\n") && text.contains("not encrypted"), "{text}");
    assert!(text.lines().all(|line| textwrap::core::display_width(line) <= 80), "{text}");
}

#[test]
fn the_topology_is_a_tree() {
    insta::assert_snapshot!(text::render(&report(true), Format::Table, PLAIN));
}

#[test]
fn without_unicode_all_of_it_is_ascii() {
    for topology in [false, true] {
        let text = text::render(&report(topology), Format::Table, Look { unicode: false, ..PLAIN });
        assert!(text.is_ascii(), "{text}");
    }
    let text = text::render(&report(true), Format::Table, Look { unicode: false, ..PLAIN });
    assert!(text.contains("`- nsm-1 -- kernel2kernel --> nse-kernel-65794b6c65-vmxkl") && text.contains("-x- ?"), "{text}");
}

#[test]
fn a_line_for_what_is_not_well() {
    assert_eq!(
        text::render(&report(false), Format::Short, PLAIN),
        "fail component nsmgr: 1/3 ready\n\
         fail component nsmgr nsmgr-b: CrashLoopBackOff on worker2, restarted once\n\
         unknown component spire-agent: daemonsets.apps is forbidden\n\
         fail connection ns-kernel2kernel/alpine-2 kernel2kernel: the client's pod is Init:0/1\n\
         fail pods-ready alpine-2: Init:0/1\n\
         1 of 3 components, 1 service, 2 endpoints, 1 of 2 connections\n"
    );
}

#[test]
fn what_changes_with_every_second_is_no_change() {
    let (before, mut later) = (broken(), broken());
    later.taken_at = at(5);
    let Known::Value(endpoints) = &mut later.endpoints else { panic!("known") };
    endpoints[0].expires_in_s = Known::Value(38);
    assert_eq!(told(&before), told(&later));
    let Known::Value(connections) = &mut later.connections else { panic!("known") };
    connections[0].heals = Known::Value(1);
    assert_ne!(told(&before), told(&later));
}

#[test]
fn versions_and_ages_are_as_people_read_them() {
    let versions = ["a/b/cmd-nsmgr:v1.16.0", "localhost:5000/x", "x@sha256:0123456789abcdef", "x:1@sha256:0123", "x"].map(version);
    assert_eq!(versions, ["v1.16.0", "?", "0123456789ab", "1", "?"]);
    let ages = [0, 59, 60, 3599, 7322, 90_061, -5].map(|seconds| age(at(-seconds), at(0)));
    assert_eq!(ages, ["0 s", "59 s", "1 min", "59 min", "2 h 2 min", "1 d 1 h", "0 s"]);
}

#[test]
fn a_screen_is_cut_to_its_height() {
    assert_eq!(screen("top", "a\nb\n", 24), "\x1b[Htop\x1b[K\r\na\x1b[K\r\nb\x1b[K\r\n\x1b[J");
    assert_eq!(screen("top", "a\nb\nc\nd\n", 4), "\x1b[Htop\x1b[K\r\na\x1b[K\r\n(3 lines more)\x1b[K\r\n\x1b[J");
}

#[test]
fn a_small_screen_has_what_matters() {
    let mut all = broken();
    let well = component("manager", "nsmgr", Verdict::Pass, (1, 1), vec![instance("nsmgr-1", "worker", true)]);
    all.components =
        vec![well.clone(), well, component("registry", "registry-k8s", Verdict::Fail, (1, 0), vec![instance("registry-1", "worker", false)])];
    all.connections = Known::Value(vec![connection("alpine", Some("nse-1")), connection("broken", None)]);
    let text = screenful(&all, PLAIN);
    let line_of = |word: &str| text.lines().position(|line| line.contains(word)).unwrap_or_else(|| panic!("no {word} in {text}"));
    assert!(line_of("broken ") < line_of("alpine") && line_of("alpine") < line_of("ENDPOINT"), "{text}");
    assert!(line_of("ENDPOINT") < line_of("NETWORK SERVICE") && line_of("NETWORK SERVICE") < line_of("registry-k8s"), "{text}");
    assert!(!text.contains("nsmgr"), "what is well is in the headline: {text}");
    let healthy = Status { components: all.components[..2].to_vec(), connections: Known::Value(vec![connection("alpine", Some("nse-1"))]), ..all };
    assert!(screenful(&healthy, PLAIN).lines().count() < 23, "{}", screenful(&healthy, PLAIN));
}
