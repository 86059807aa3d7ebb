use std::{borrow::Cow, collections::BTreeSet};

use crate::model::{Finding, Verdict, Workload};

use super::case::Case;

/// A cause: data, one a place.
#[derive(Debug, Clone, Copy)]
pub struct Cause {
    /// Its stable id.
    pub id: &'static str,
    /// What it says, in a few words.
    pub title: &'static str,
    /// The part that it lies in.
    pub component: &'static str,
    /// The problem in the source document's table of common issues that it is a true cause of.
    pub document_row: Option<&'static str>,
    /// What must be seen for it to be told.
    pub seen: &'static str,
    /// What must not be seen: what looks like it and is something else.
    pub unseen: &'static str,
    /// The causes that it may follow from, in groups. Where one of them is found for the same thing, this one is folded under it.
    pub follows: &'static [&'static [&'static str]],
    /// Whether it is there, and about what: one find for each thing that it is about.
    pub find: fn(&Case<'_>) -> Vec<Found>,
    /// The fix: a command that can be pasted, and behind `#` what it does. Words in braces are [`Found::values`].
    pub fix: &'static str,
    /// How the cause works, for a person who has not met it.
    pub explain: &'static str,
    /// Where more is said about it.
    pub link: &'static str,
}

/// A cause that was found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Found {
    /// About what.
    pub subject: String,
    /// What was seen.
    pub observed: String,
    /// What says so: events, lines of logs, what programs printed.
    pub evidence: Vec<String>,
    /// A fix that fits better than the cause's.
    pub fix: Option<&'static str>,
    /// What stands for the words in braces.
    pub values: Vec<(&'static str, String)>,
    /// The nodes that it is limited to; `None` where its subject tells what it reaches.
    pub nodes: Option<BTreeSet<String>>,
}

impl Found {
    /// A cause about something, with what was seen.
    pub(super) fn new(subject: impl Into<String>, observed: impl Into<String>) -> Self {
        Self { subject: subject.into(), observed: observed.into(), ..Self::default() }
    }

    /// Adds what says so.
    pub(super) fn because(mut self, evidence: impl IntoIterator<Item = String>) -> Self {
        for line in evidence {
            if !self.evidence.contains(&line) {
                self.evidence.push(line);
            }
        }
        self
    }

    /// Says what a word in braces stands for.
    pub(super) fn with(mut self, word: &'static str, value: impl Into<String>) -> Self {
        self.values.push((word, value.into()));
        self
    }

    /// Reaches only what is on these nodes.
    pub(super) fn on(mut self, nodes: BTreeSet<String>) -> Self {
        self.nodes = Some(nodes);
        self
    }

    /// Has a fix that fits better.
    pub(super) fn fixed_by(mut self, fix: &'static str) -> Self {
        self.fix = Some(fix);
        self
    }

    /// Knows the workload by the words `namespace`, `workload` (as in `deployment/NAME`) and `renew`.
    pub(super) fn about(self, case: &Case<'_>, workload: &Workload) -> Self {
        let object = format!("{}/{}", workload.kind.to_string().to_lowercase(), workload.id.name);
        self.with("namespace", &workload.id.namespace).with("workload", object).with("renew", case.renew(workload))
    }
}

impl Cause {
    pub(super) fn finding(&self, case: &Case<'_>, found: Found) -> Finding {
        let fix = match found.fix.unwrap_or(self.fix) {
            // No cluster to ask; an apply mends what is broken and makes the requests again.
            fix if case.is_local() && fix.starts_with("kubectl") => "{deploy}   # makes what is broken anew",
            fix => fix,
        };
        let mut hint = fix.replace("{deploy}", case.deploy());
        for (word, value) in &found.values {
            hint = hint.replace(&format!("{{{word}}}"), value);
        }
        Finding {
            check: Cow::Borrowed(self.id),
            title: Cow::Borrowed(self.title),
            subject: found.subject,
            verdict: Verdict::Fail,
            expected: String::new(),
            observed: found.observed,
            documented: self.document_row.map(str::to_owned),
            evidence: found.evidence,
            hint: Some(hint),
            blocked: false,
        }
    }
}
