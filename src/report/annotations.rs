//! What GitHub shows beside a run: workflow commands, which its runner reads from either stream.

use super::Report;
use crate::model::{Finding, Verdict};

/// A line for each finding that needs a person's eye, and for what ended the command early.
#[must_use]
pub fn annotations(report: &Report) -> Vec<String> {
    let findings = [&report.preflight, &report.findings].into_iter().flatten().flatten();
    let mut lines: Vec<String> = findings.filter_map(annotation).collect();
    if let Some(failure) = &report.failure {
        lines.push(command("error", &format!("nsmctl {}", report.command), &failure.message()));
    }
    lines
}

fn annotation(finding: &Finding) -> Option<String> {
    let level = match finding.verdict {
        Verdict::Pass | Verdict::Skip => return None,
        Verdict::Warn | Verdict::Unknown => "warning",
        Verdict::Fail => "error",
    };
    Some(command(level, &finding.check, &format!("{}: {}", finding.subject, finding.contrast())))
}

fn command(level: &str, title: &str, message: &str) -> String {
    format!("::{level} title={}::{}", data(title).replace(':', "%3A").replace(',', "%2C"), data(message))
}

/// What a command's data must not have in it, as `@actions/core` writes it. The percent sign first: the others bring their own.
fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Failure;

    #[test]
    fn what_needs_an_eye_is_a_command_with_its_text_escaped() {
        let mut report = Report::new("verify");
        let finding = |verdict, expected: &str, observed: &str| Finding::new("a:b,c", "title", "alpine nsm-1", verdict, expected, observed);
        report.findings = Some(vec![
            finding(Verdict::Pass, "", "x"),
            finding(Verdict::Skip, "", "x"),
            finding(Verdict::Fail, "0 % loss", "100 % loss\r\nno answer"),
            finding(Verdict::Warn, "", "x"),
            finding(Verdict::Unknown, "y", "x"),
        ]);
        report.failure = Some(Failure::failed("not ready: a, b"));
        let expected = [
            "::error title=a%3Ab%2Cc::alpine nsm-1: expected 0 %25 loss, observed 100 %25 loss%0D%0Ano answer",
            "::warning title=a%3Ab%2Cc::alpine nsm-1: x",
            "::warning title=a%3Ab%2Cc::alpine nsm-1: expected y, observed x",
            "::error title=nsmctl verify::not ready: a, b",
        ];
        assert_eq!(annotations(&report), expected);
    }
}
