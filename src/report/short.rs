//! A line for each finding that is not as promised, for grep: `fail ping-endpoint alpine nsm-1: 0/4 received`.

use std::{fmt::Write, time::Duration};

use super::{
    text::{counts, removed_summary},
    wrap::one_line,
};
use crate::model::{Diagnosed, Finding, Removed, Verdict};

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

/// What is left, or would go and stay; what is gone is counted.
pub(super) fn removed(removed: &Removed, elapsed: Duration) -> String {
    let mut text = String::new();
    for (object, reason) in &removed.left {
        let _ = writeln!(text, "{}", one_line(&format!("left {object}: {reason}")));
    }
    for line in &removed.unseen {
        let _ = writeln!(text, "{}", one_line(&format!("unknown {line}")));
    }
    for object in &removed.would {
        let _ = writeln!(text, "{}", one_line(&format!("would remove {object}")));
    }
    text + &removed_summary(removed, elapsed) + "\n"
}

fn line(word: impl std::fmt::Display, finding: &Finding, seen: &str) -> String {
    let seen = if seen.is_empty() { String::new() } else { format!(": {seen}") };
    format!("{}\n", one_line(&format!("{word} {} {}{seen}", finding.check, finding.subject)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::ObjectRef;

    #[test]
    fn what_is_left_is_told_and_what_is_gone_is_counted() {
        let pod = |name: &str| ObjectRef::namespaced("Pod", "ns", name);
        let done = Removed { gone: vec![pod("a"), pod("b")], left: vec![(pod("c"), "it has\nfinalizers".to_owned())], ..Removed::default() };
        let text = removed(&done, Duration::from_millis(17));
        assert_eq!(text, "left Pod ns/c: it has finalizers\n2 removed, 1 left in 17 ms\n");
        let dry = Removed { would: vec![pod("a")], unseen: vec!["the namespaces: forbidden".to_owned()], ..Removed::default() };
        assert_eq!(removed(&dry, Duration::ZERO), "unknown the namespaces: forbidden\nwould remove Pod ns/a\n1 would be removed; nothing was\n");
    }
}
