use proptest::prelude::*;

use super::*;
use crate::model::Diagnosed;
use crate::report::golden_tests::{failing, passing};

fn rendered(report: &Report) -> String {
    document(report, Timestamp::UNIX_EPOCH, Duration::from_millis(1234))
}

#[test]
fn documents() {
    insta::assert_snapshot!("junit_of_a_pass", rendered(&passing()));
    insta::assert_snapshot!("junit_of_a_failure", rendered(&failing()));
}

#[test]
fn what_a_pod_prints_is_shown_without_what_a_terminal_is_told() {
    let mut report = Report::new("verify");
    let evidence = vec!["\u{1b}[31mred\u{1b}[0m\tand\u{0}\u{ffff} ]]>".to_owned()];
    report.findings = Some(vec![Finding { evidence, ..Finding::new("id", "t", "a", Verdict::Fail, "", "b\nc") }]);
    assert!(rendered(&report).contains(r#"<failure message="b c" type="fail">red    and ]]&gt;</failure>"#), "{}", rendered(&report));
}

#[test]
fn a_path_is_a_suite_with_its_causes() {
    let step = |verdict, observed| Finding::new("request", "request served", "alpine", verdict, "", observed);
    let mut report = Report::new("troubleshoot");
    report.path = Some(vec![step(Verdict::Fail, "Init:0/1")]);
    let finding = Finding::new("endpoint-not-registered", "no endpoint is registered", "alpine nsm-1", Verdict::Fail, "", "x");
    report.causes = vec![Diagnosed { finding, component: "endpoint".into(), consequences: Vec::new() }];
    let text = rendered(&report);
    assert!(text.contains("<system-out>cause endpoint-not-registered alpine nsm-1: no endpoint is registered\n</system-out>"), "{text}");
    assert!(text.contains(r#"tests="1" skipped="0" errors="0" failures="1""#), "{text}");
}

#[test]
fn the_root_has_only_what_jenkins_admits() {
    let text = rendered(&failing());
    let root = text.split_once("<testsuites ").and_then(|(_, rest)| rest.split_once('>')).map(|(root, _)| root).unwrap();
    let names: Vec<&str> = root.split("=\"").filter_map(|part| part.rsplit(['"', ' ']).next()).filter(|name| !name.is_empty()).collect();
    assert_eq!(names, ["name", "tests", "failures", "errors", "time"], "{root}");
}

#[test]
fn nothing_found_is_not_a_pass() {
    let mut report = Report::new("verify");
    report.findings = Some(Vec::new());
    assert!(rendered(&report).contains(r#"tests="1" skipped="0" errors="1" failures="0""#), "{}", rendered(&report));
}

#[test]
fn no_two_cases_of_a_check_have_one_name() {
    let address = |expected| Finding::new("address", "address", "alpine", Verdict::Pass, expected, "");
    let other = Finding::new("interface", "address", "alpine", Verdict::Pass, "", "");
    let findings = [address("::1"), address("::2"), address("::2"), address(""), address(""), other];
    let expected =
        ["address: alpine, ::1", "address: alpine, ::2", "address: alpine, ::2 #2", "address: alpine", "address: alpine #2", "address: alpine"];
    assert_eq!(names(&findings), expected);
}

/// Whether XML 1.0 has the character (its production 2).
fn is_xml(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r' | '\u{20}'..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..)
}

proptest! {
    /// Whatever a pod prints, the document is well-formed and says the same after it was read.
    #[test]
    fn no_text_breaks_the_document(text in any::<String>(), more in "[<>&\"'\\]\u{0}-\u{1f}\u{1b}\u{fffe}\u{ffff}a-z]*") {
        let mut report = Report::new("verify");
        let finding = |verdict, text: &str| Finding { evidence: vec![text.to_owned()], subject: text.to_owned(), ..Finding::new("id", "t", "", verdict, text, text) };
        let verdicts = [Verdict::Pass, Verdict::Skip, Verdict::Warn, Verdict::Unknown, Verdict::Fail];
        report.findings = Some(verdicts.into_iter().flat_map(|verdict| [finding(verdict, &text), finding(verdict, &more)]).collect());
        report.failure = Some(Failure::failed(&more));
        let written = rendered(&report);
        prop_assert!(written.chars().all(is_xml), "{written:?}");
        let read = quick_junit::Report::deserialize_from_str(&written).unwrap();
        prop_assert_eq!((read.tests, read.failures, read.errors, read.test_suites[0].skipped), (11, 2, 3, 2));
    }
}
