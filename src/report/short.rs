//! A line for each finding that is not as promised, for grep: `fail ping-endpoint alpine nsm-1: 0/4 received`.

use std::fmt::Write;

use super::{text::counts, wrap::one_line};
use crate::model::{Diagnosed, Finding, Verdict};

/// What is not as promised, and how many are what.
pub(super) fn judged(findings: &[Finding]) -> String {
    let mut text: String = findings.iter().filter(|finding| finding.verdict != Verdict::Pass).map(|f| line(f.verdict, f, &f.observed)).collect();
    // All of them, zeros too: whoever looks for one finds it at its place.
    let parts = counts(findings).map(|(_, word, count)| format!("{count} {word}"));
    let _ = writeln!(text, "{}", parts.join(", "));
    text
}

/// The steps of a path and what could not be seen of it, with the causes before the count.
pub(super) fn walked(path: &[Finding], causes: &[Diagnosed], unseen: &[Finding]) -> String {
    self::causes(causes) + &judged(&[path, unseen].concat())
}

/// The causes, likeliest first; what follows from one is not told here.
pub(super) fn causes(causes: &[Diagnosed]) -> String {
    causes.iter().map(|cause| line("cause", cause, &cause.title)).collect()
}

fn line(word: impl std::fmt::Display, finding: &Finding, seen: &str) -> String {
    let seen = if seen.is_empty() { String::new() } else { format!(": {seen}") };
    format!("{}\n", one_line(&format!("{word} {} {}{seen}", finding.check, finding.subject)))
}
