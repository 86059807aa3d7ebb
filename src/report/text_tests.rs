use std::borrow::Cow;

use super::*;
use crate::model::{Consequence, Diagnosed, Failure, ObjectRef};

const PLAIN: Look = Look { width: Some(80), colour: false, unicode: true };

fn finding(verdict: Verdict, title: &'static str, observed: &str) -> Finding {
    Finding {
        check: Cow::Borrowed("id"),
        title: Cow::Borrowed(title),
        subject: "alpine nsm-1".to_owned(),
        verdict,
        expected: "nsm-1 UP, LOWER_UP".to_owned(),
        observed: observed.to_owned(),
        documented: None,
        evidence: Vec::new(),
        hint: None,
        blocked: false,
    }
}

fn verified() -> Vec<Finding> {
    let interface = Finding {
        documented: Some("<POINTOPOINT,MULTICAST,NOARP,UP,LOWER_UP> mtu 1500 qdisc noqueue state UNKNOWN".to_owned()),
        ..finding(Verdict::Pass, "interface up", "<BROADCAST,LOWER_UP,MULTICAST,M-DOWN,UP> mtu 16000 qdisc noqueue state UNKNOWN")
    };
    let ping = Finding {
        evidence: vec!["$ ping -c 4 172.16.1.100\n4 packets transmitted, 0 packets received".to_owned()],
        hint: Some("nsmctl troubleshoot follows the path from the client to the endpoint".to_owned()),
        ..finding(Verdict::Fail, "ping client → endpoint", "0/4 received, 100 % loss")
    };
    vec![interface, ping, finding(Verdict::Skip, "address", "not checked: there is no interface")]
}

/// The text without what depends on the clock.
fn rendered(findings: &[Finding], look: Look) -> String {
    findings_text(findings, Duration::from_millis(1234), look)
}

#[test]
fn a_table_fits_eighty_columns() {
    insta::assert_snapshot!(rendered(&verified(), PLAIN));
}

#[test]
fn no_line_is_wider_than_the_terminal() {
    let mut findings = verified();
    findings[0].expected = "a ClusterSPIFFEID selects it".into();
    findings[1].title = "NetworkService".into();
    for width in [24, 45, 60, 80, 100] {
        let text = rendered(&findings, Look { width: Some(width), ..PLAIN });
        let table: Vec<&str> = text.split("\n\n").next().unwrap().lines().collect();
        for line in &table {
            assert!(line.chars().count() <= width, "{width}: {line:?}");
        }
        // Where they do not fit beside each other, below each other; words are never cut.
        for word in ["ClusterSPIFFEID", "NetworkService", "MULTICAST,", "100 %"] {
            assert!(width < 45 || table.iter().any(|line| line.contains(word)), "{width}: {word}: {text}");
        }
    }
}

#[test]
fn what_is_explained_fits_but_for_what_is_copied() {
    let explained = super::super::Explained {
        id: "address-pool-empty",
        title: "the endpoint has no addresses left for one more client",
        component: "endpoint",
        documented: None,
        seen: "`IPPool is empty`, said to the client or by the endpoint",
        unseen: "an endpoint without a prefix; two services with overlapping prefixes",
        explanation: "each connection takes two addresses, so a /31 serves exactly one client",
        fix: "kubectl -n NAMESPACE set env WORKLOAD NSM_CIDR_PREFIX=WIDER   # change the manifest too, or it will not last".into(),
        follows: vec!["endpoint-without-prefix", "prefixes-overlap"],
        leads_to: vec!["request-timeout"],
        link: "https://github.com/networkservicemesh/cmd-nse-icmp-responder",
    };
    let text = explain::text(&[explained], Look { width: Some(50), ..PLAIN });
    let wide: Vec<&str> = text.lines().filter(|line| line.chars().count() > 50).collect();
    assert_eq!(wide.len(), 2, "{wide:#?}");
    assert!(wide[0].starts_with("    kubectl -n ") && wide[1].starts_with("more: https://"), "{wide:#?}");
}

#[test]
fn without_unicode_everything_is_ascii() {
    let mut report = Report::new("verify");
    report.findings = Some(verified());
    let text = render(&report, Format::Table, Look { unicode: false, ..PLAIN });
    assert!(text.is_ascii(), "{text}");
}

#[test]
fn colours_are_for_terminals() {
    assert!(!rendered(&verified(), PLAIN).contains('\u{1b}'));
    let text = rendered(&verified(), Look { colour: true, ..PLAIN });
    assert!(text.contains("\u{1b}[31m") || text.contains("\u{1b}[1m\u{1b}[31m"), "{text:?}");
}

#[test]
fn what_is_left_is_named_with_its_reason() {
    let mut report = Report::new("cleanup");
    report.removed = Some(Removed {
        would: Vec::new(),
        gone: vec![ObjectRef::namespaced("Pod", "ns", "alpine")],
        left: vec![(ObjectRef::cluster("Namespace", "ns"), "it holds what others made: ConfigMap mine".to_owned())],
        unseen: vec!["roles: forbidden".to_owned()],
        proof: vec!["1 object is left".to_owned()],
    });
    report.failure = Some(Failure::failed("x"));
    let text = render(&report, Format::Table, PLAIN);
    for words in ["Pod ns/alpine", "gone", "Namespace ns", "ConfigMap mine", "could not be looked at: roles: forbidden", "1 removed, 1 left"] {
        assert!(text.contains(words), "{words}: {text}");
    }
}

#[test]
fn the_first_broken_link_stands_above_its_causes() {
    let path = [finding(Verdict::Pass, "target reachable", "this machine"), finding(Verdict::Fail, "request served", "Init:0/1")];
    let cause = Finding { hint: Some("kubectl apply".to_owned()), ..finding(Verdict::Fail, "no endpoint", "nobody offers it") };
    let follows =
        Consequence { check: "request".into(), title: "request served".into(), subject: "alpine nsm-1".into(), observed: "Init:0/1".into() };
    let finding = Finding { evidence: (1..=6).map(|line| format!("line {line}")).collect(), ..cause };
    let cause = Diagnosed { finding, component: "endpoint".into(), consequences: vec![follows] };
    let mut report = Report::new("troubleshoot");
    (report.path, report.causes) = (Some(path.to_vec()), vec![cause]);
    report.unseen = vec![finding_of_nothing_seen()];
    insta::assert_snapshot!(render(&report, Format::Table, PLAIN));
    report.shown.evidence = true;
    assert!(render(&report, Format::Table, PLAIN).contains("line 1\n"), "all of it");
}

#[test]
fn durations_are_as_people_read_them() {
    let texts = [7, 1234, 59_999, 61_000].map(|ms| seconds(Duration::from_millis(ms)));
    assert_eq!(texts, ["7 ms", "1.2 s", "60.0 s", "1 min 1 s"]);
}

fn finding_of_nothing_seen() -> Finding {
    Finding { hint: Some("ask for it".to_owned()), ..finding(Verdict::Unknown, "could not be seen", "events are forbidden") }
}
