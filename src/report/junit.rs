//! JUnit's XML, as GitLab, Jenkins and the reporters for GitHub read it.
//!
//! ```text
//!   Report ─► testsuites ─┬─► testsuite "nsmctl deploy: preflight" ─► a testcase a finding
//!                         └─► testsuite "nsmctl deploy" ────────────► a testcase a finding, one more for what ended it early
//! ```

use std::{
    collections::{HashMap, HashSet},
    iter::once,
    time::Duration,
};

use jiff::Timestamp;
use quick_junit::{NonSuccessKind, TestCase, TestCaseStatus, TestSuite, XmlString};

use super::{Report, short, wrap::one_line};
use crate::model::{Failure, Finding, Verdict};

/// A finding is a judgement of what was seen before, and takes no time of its own; reporters want a number all the same.
const NO_TIME: Duration = Duration::ZERO;

/// One document.
pub(super) fn render(report: &Report) -> String {
    document(report, report.began, report.elapsed())
}

fn document(report: &Report, began: Timestamp, elapsed: Duration) -> String {
    let name = format!("nsmctl {}", report.command);
    let mut junit = quick_junit::Report::new(&name);
    junit.time = Some(elapsed);
    let mut add = |name: &str, cases: Vec<TestCase>, time: Duration| {
        let mut suite = TestSuite::new(name);
        // Both libraries write and read RFC 3339.
        (suite.time, suite.timestamp) = (Some(time), began.to_string().parse().ok());
        suite.add_test_cases(cases);
        if !report.causes.is_empty() {
            suite.set_system_out(clean(&short::causes(&report.causes)));
        }
        junit.add_test_suite(suite);
    };
    if let Some(findings) = &report.preflight {
        let time = report.timings.iter().find(|(phase, _)| *phase == "preflight").map_or(NO_TIME, |(_, time)| *time);
        add(&format!("{name}: preflight"), cases(findings), time);
    }
    let mut main: Vec<TestCase> = [&report.findings, &report.path].into_iter().flatten().flat_map(|findings| cases(findings)).collect();
    main.extend(cases(&report.unseen));
    main.extend(report.failure.as_ref().map(|failure| early_end(&name, failure)));
    if main.is_empty() {
        // A suite without a case is green to its readers, and nothing found is not a pass.
        main.push(early_end(&name, &Failure::cannot_tell("nothing was found that could be judged")));
    }
    add(&name, main, elapsed);
    // It is written to memory, so this cannot fail; should it ever, an empty document is one that no reader takes for a pass.
    let document = junit.to_string().unwrap_or_default();
    // Of what was skipped each suite tells the number. Where the root does too, Jenkins' xUnit plugin refuses the document: its
    // schema (junit-10.xsd) has no such attribute.
    document.replacen(&format!(" skipped=\"{}\"", junit.skipped), "", 1)
}

fn cases(findings: &[Finding]) -> Vec<TestCase> {
    findings.iter().zip(names(findings)).map(|(finding, name)| case(finding, &name)).collect()
}

/// A name for each finding: title and subject; where several of a check have the same, what was expected too, and a number
/// where that is the same as well. Reporters fold cases of one name into one.
fn names(findings: &[Finding]) -> Vec<String> {
    let mut alike: HashMap<(&str, &str, &str), usize> = HashMap::new();
    for finding in findings {
        *alike.entry((&finding.check, &finding.title, &finding.subject)).or_default() += 1;
    }
    let mut taken: HashSet<(&str, String)> = HashSet::new();
    let mut names = Vec::new();
    for Finding { check, title, subject, expected, .. } in findings {
        let mut name = format!("{title}: {subject}");
        if !expected.is_empty() && alike.get(&(&**check, &**title, &**subject)).is_some_and(|count| *count > 1) {
            name = format!("{name}, {expected}");
        }
        let distinct = once(name.clone()).chain((2..).map(|number| format!("{name} #{number}"))).find(|name| taken.insert((check, name.clone())));
        names.push(distinct.unwrap_or(name));
    }
    names
}

fn case(finding: &Finding, name: &str) -> TestCase {
    let details = |mut status: TestCaseStatus| {
        // Why something was not checked says all by itself.
        let message = if finding.verdict == Verdict::Skip { finding.observed.clone() } else { finding.contrast() };
        status.set_message(clean(&one_line(&message))).set_type(finding.verdict.to_string());
        let hint = finding.hint.iter().map(|hint| format!("next: {hint}"));
        let lines: Vec<String> = finding.evidence.iter().cloned().chain(hint).collect();
        if !lines.is_empty() {
            status.set_description(clean(&lines.join("\n")));
        }
        status
    };
    let status = match finding.verdict {
        Verdict::Pass | Verdict::Warn => TestCaseStatus::success(),
        Verdict::Skip => details(TestCaseStatus::skipped()),
        // It cannot be told whether it is as promised, so it is no failure of what is judged.
        Verdict::Unknown => details(TestCaseStatus::non_success(NonSuccessKind::Error)),
        Verdict::Fail => details(TestCaseStatus::non_success(NonSuccessKind::Failure)),
    };
    let mut case = TestCase::new(clean(&one_line(name)), status);
    case.set_classname(clean(&finding.check)).set_time(NO_TIME);
    if finding.verdict == Verdict::Warn {
        let hint = finding.hint.iter().map(|hint| format!("\nnext: {hint}")).collect::<String>();
        case.set_system_out(clean(&format!("warning: {}{hint}", finding.contrast())));
    }
    case
}

/// What ended the command before its end: a case of its own, so that nobody takes the others for all there is.
fn early_end(name: &str, failure: &Failure) -> TestCase {
    let mut status = TestCaseStatus::non_success(NonSuccessKind::Error);
    status.set_message(clean(&one_line(&failure.message()))).set_type("error");
    if let Some(hint) = &failure.hint {
        status.set_description(clean(&format!("next: {hint}")));
    }
    let mut case = TestCase::new(format!("{name} comes to its end"), status);
    case.set_classname("nsmctl").set_time(NO_TIME);
    case
}

/// A text with only what XML 1.0 may have in it. The library takes out escape sequences and most control characters; tabs
/// too, which would join words, and it leaves the two noncharacters.
fn clean(text: &str) -> XmlString {
    XmlString::new(text.replace('\t', "    ").replace(['\u{fffe}', '\u{ffff}'], ""))
}

#[cfg(test)]
#[path = "junit_tests.rs"]
mod tests;
