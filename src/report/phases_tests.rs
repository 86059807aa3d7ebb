use super::*;
use crate::model::{DataPath, Namespaced, PathToken, PhaseEvent, Tls};

const PLAIN: Look = Look { width: Some(80), colour: false, unicode: true };

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + seconds).unwrap()
}

fn id(pod: &str) -> String {
    format!("spiffe://0123456789abcdef0123456789abcdef.nsm.local/ns/ns-kernel2kernel/pod/{pod}")
}

fn phase(name: PhaseName, subject: &str, took_us: u64, steps: &[(PhaseEvent, i64, &str)]) -> Phase {
    let steps = steps.iter().map(|(event, at_us, what)| PhaseStep { event: *event, what: (*what).to_owned(), at_us: *at_us }).collect();
    Phase { phase: name, subject: subject.into(), began_at: at(-60), took_us, steps, security: None }
}

/// The phases of the example.
pub(in crate::report) fn phases() -> Vec<Phase> {
    use PhaseEvent as Event;
    let token = |segment: &str, pod: &str, ends| PathToken { segment: segment.into(), spiffe_id: id(pod), expires_at: at(ends) };
    let tls = Tls { version: "TLSv1.3".into(), suite: "TLS13_AES_256_GCM_SHA384".into() };
    let security = Security {
        client: id("alpine"),
        manager: id("nsmgr"),
        endpoint: id("nse-kernel-65794b6c65-vmxkl"),
        client_tls: tls.clone(),
        endpoint_tls: tls,
        path: vec![token("alpine", "alpine", 590), token("nsmgr", "nsmgr", 598), token("nse", "nse-kernel-65794b6c65-vmxkl", 598)],
        data_path: DataPath { carrier: "veth pair".into(), encrypted: false },
    };
    let verified = format!("nsmgr verified alpine as {}: mutual TLSv1.3 (TLS13_AES_256_GCM_SHA384)", id("alpine"));
    let given = format!("SVID given out: {}", id("nse-kernel-65794b6c65-vmxkl"));
    vec![
        phase(
            PhaseName::Registration,
            "nse-kernel-65794b6c65-vmxkl",
            12_345,
            &[(Event::Started, 0, "sandbox begun"), (Event::SvidIssued, 410, &given), (Event::Registered, 12_345, "registered as nse for s")],
        ),
        phase(PhaseName::ClientRequest, "alpine nsm-1", 2_090, &[(Event::RequestReceived, 1_500, "request for kernel2kernel received")]),
        phase(PhaseName::Connection, "alpine nsm-1", 1_234_567, &[(Event::EndpointReached, -20, "mutual TLS of nsmgr with the endpoint")]),
        Phase {
            security: Some(security),
            ..phase(
                PhaseName::SecureTunnel,
                "alpine nsm-1",
                90,
                &[(Event::ClientVerified, -9_000, &verified), (Event::TokensChecked, 90, "tokens checked: alpine → nsmgr → nse")],
            )
        },
    ]
}

#[test]
fn phases_are_told_within_the_width() {
    let text = |look: Look| phases().iter().map(|phase| text(phase, at(0), look)).collect::<String>();
    insta::assert_snapshot!(text(PLAIN));
    for width in [60, 80, 100] {
        let text = text(Look { width: Some(width), ..PLAIN });
        let wide: Vec<&str> = text.lines().filter(|line| textwrap::core::display_width(line) > width).collect();
        assert!(wide.is_empty(), "{width}: {wide:#?}");
    }
}

#[test]
fn what_protects_nothing_any_more_is_told() {
    let security = phases().remove(3).security.unwrap();
    assert_eq!(protection(&security, at(600))[1], "the first of the tokens has run out 10 s ago");
    let encrypted = Security { data_path: DataPath { carrier: "WireGuard".into(), encrypted: true }, ..security };
    assert_eq!(protection(&encrypted, at(0))[2], "data path: WireGuard, encrypted");
}

#[test]
fn many_connections_are_summed_up_in_a_line() {
    let of = |client: &str| ConnectionPhases { client: Namespaced::new("ns", client), interface: "nsm-1".into(), phases: phases() };
    let (first, mut second) = (of("a"), of("b"));
    second.phases[1].took_us = 700;
    assert_eq!(summary(&[]), None);
    assert_eq!(
        summary(&[&first]).unwrap(),
        "phases of the connection: registration 12.3 ms, client request 2.09 ms, connection 1.2 s, secure tunnel 0.09 ms"
    );
    let both = summary(&[&first, &second]).unwrap();
    assert!(both.starts_with("phases of 2 connections: ") && both.contains("client request 0.70 ms to 2.09 ms"), "{both}");
}

#[test]
fn times_are_as_people_read_them() {
    let told = [0, 9, 410, 9_999, 12_345, 999_999, 1_000_000, 61_000_000].map(milliseconds);
    assert_eq!(told, ["0.00 ms", "0.00 ms", "0.41 ms", "9.99 ms", "12.3 ms", "999.9 ms", "1.0 s", "1 min 1 s"]);
}
