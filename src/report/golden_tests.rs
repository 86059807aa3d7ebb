//! What the reports of a run that passed and of one that failed look like in each form.

use std::time::Duration;

use serde_json::{Value, json};

use super::{Format, Look, Report, json, text};
use crate::model::{Failure, Finding, Outcome, Verdict};

fn finding(check: &'static str, title: &'static str, verdict: Verdict, expected: &str, observed: &str) -> Finding {
    Finding::new(check, title, "alpine nsm-1", verdict, expected, observed).advised("nsmctl troubleshoot says more")
}

/// Everything is as promised, one thing aside that is only worth a word.
pub(super) fn passing() -> Report {
    let mut report = Report::new("verify");
    report.namespace = Some("ns-kernel2kernel".to_owned());
    report.findings = Some(vec![
        finding("address", "address", Verdict::Pass, "172.16.1.101", "172.16.1.101/32"),
        finding("address", "address", Verdict::Pass, "2001:db8::1", "2001:db8::1/128"),
        finding("ping-endpoint", "ping client → endpoint", Verdict::Warn, "0 % loss", "3/4 received, 25 % loss"),
    ]);
    report
}

/// One of everything that can be wrong.
pub(super) fn failing() -> Report {
    let mut report = Report::new("deploy");
    report.preflight = Some(vec![Finding::new("version", "version", "the cluster", Verdict::Pass, "v1.30 or later", "v1.34.1")]);
    report.timings = vec![("preflight", Duration::from_millis(20))];
    let evidence = vec!["$ ping -c 4 172.16.1.100\n4 packets transmitted, 0 packets <received> & \"lost\"".to_owned()];
    report.findings = Some(vec![
        finding("interface", "interface up", Verdict::Unknown, "nsm-1 UP", "exec is forbidden"),
        Finding { evidence, ..finding("ping-endpoint", "ping client → endpoint", Verdict::Fail, "0 % loss", "0/4 received,\n100 % loss") },
        finding("ping-client", "ping endpoint → client", Verdict::Skip, "", "not checked: there is no interface"),
        finding("ping-client", "ping endpoint → client", Verdict::Skip, "", "not checked: there is no interface"),
    ]);
    report.failure = Some(Failure::msg(Outcome::TimedOut, "the time is up after 3s").hint("give it longer with --timeout"));
    report
}

/// The last line of a table without its time.
fn timeless(text: &str) -> String {
    text.rsplit_once(" in ").map_or(text, |(before, _)| before).to_owned()
}

const PLAIN: Look = Look { width: Some(100), colour: false, unicode: true };

#[test]
fn tables() {
    let [passing, failing] = [passing(), failing()].map(|report| timeless(&text::render(&report, Format::Table, PLAIN)));
    insta::assert_snapshot!("table_of_a_pass", passing);
    insta::assert_snapshot!("table_of_a_failure", failing);
}

#[test]
fn short_lines() {
    let [passing, failing] = [passing(), failing()].map(|report| text::render(&report, Format::Short, PLAIN));
    insta::assert_snapshot!("short_of_a_pass", passing);
    insta::assert_snapshot!("short_of_a_failure", failing);
}

#[test]
fn json_documents() {
    let [passing, failing] = [passing(), failing()].map(|report| {
        let mut document: Value = serde_json::from_str(&json::render(&report)).unwrap();
        (document["duration_ms"], document["nsmctl"]) = (json!(0), json!("0.0.0"));
        serde_json::to_string_pretty(&document).unwrap()
    });
    insta::assert_snapshot!("json_of_a_pass", passing);
    insta::assert_snapshot!("json_of_a_failure", failing);
}
