//! What is wrong, where on the path it begins, and why: from a snapshot alone. Pure.
//!
//! ```text
//!   Expectations ─┐          ┌─► STEPS  ─► path     the first step that fails is where it is broken
//!                 ├─► Case ──┤                │
//!   Snapshot ─────┘          └─► CAUSES ◄─────┘
//!                                   └────► causes   in the catalogue's order: a root before what follows from it
//! ```

mod case;
mod catalogue;
mod cause;
mod step;

mod causes {
    pub(super) mod interface;
    pub(super) mod pods;
    pub(super) mod request;
    pub(super) mod system;
}

#[cfg(test)]
mod tests;

use std::borrow::Cow;

use serde::Serialize;

pub use case::Case;
pub use catalogue::CAUSES;
pub use cause::{Cause, Found};
pub use step::{STEPS, Step};

use crate::model::{Finding, Outcome, Snapshot, Verdict};

/// What is wrong, and where on the path it begins.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Diagnosis {
    /// One finding a step, and one a client where the step is about one, in the order of the path; `check` is the step's id.
    pub path: Vec<Finding>,
    /// The causes, likeliest first; empty where nothing is broken. `check` is the cause's id, `documented` the row of the
    /// source document's table that the cause explains, and `hint` the fix, which can be pasted into a shell.
    pub causes: Vec<Finding>,
}

impl Diagnosis {
    /// Where the path is broken: the first finding that failed or, where none did, the first that could not be seen.
    #[must_use]
    pub fn first_broken(&self) -> Option<&Finding> {
        let first = |verdict| self.path.iter().find(|finding| finding.verdict == verdict);
        first(Verdict::Fail).or_else(|| first(Verdict::Unknown))
    }

    /// What it means for the exit code.
    #[must_use]
    pub fn outcome(&self) -> Outcome {
        Finding::outcome(&self.path)
    }
}

/// Walks the path and, where it is broken, looks for the causes.
#[must_use]
pub fn diagnose(snapshot: &Snapshot) -> Diagnosis {
    let mut case = Case::new(snapshot);
    for step in &STEPS {
        let findings = (step.judge)(step, &case);
        case.path.extend(findings);
    }
    let mut causes = Vec::new();
    if case.path.iter().any(|finding| finding.verdict == Verdict::Fail) {
        for cause in CAUSES {
            let found = (cause.find)(&case);
            case.found.extend(found.iter().map(|found| (cause.id, found.subject.clone())));
            causes.extend(merge(found.into_iter().map(|found| cause.finding(&case, found))));
        }
    }
    Diagnosis { path: case.path, causes }
}

/// How many subjects of one cause are named.
const NAMED: usize = 3;

/// One finding for all that one fix mends: thirty clients without an address are one empty pool.
fn merge(findings: impl Iterator<Item = Finding>) -> Vec<Finding> {
    let mut merged: Vec<(usize, Finding)> = Vec::new();
    for finding in findings {
        match merged.iter_mut().find(|(_, known)| known.hint == finding.hint) {
            Some((count, known)) => {
                *count += 1;
                if *count <= NAMED {
                    known.subject = format!("{}, {}", known.subject, finding.subject);
                    if known.observed != finding.observed {
                        known.observed = format!("{}; {}", known.observed, finding.observed);
                    }
                    let evidence: Vec<String> = finding.evidence.into_iter().filter(|line| !known.evidence.contains(line)).collect();
                    known.evidence.extend(evidence);
                }
            }
            None => merged.push((1, finding)),
        }
    }
    let told = |(count, finding): (usize, Finding)| match count.saturating_sub(NAMED) {
        0 => finding,
        more => Finding { subject: format!("{} and {more} more", finding.subject), ..finding },
    };
    merged.into_iter().map(told).collect()
}

/// The target itself could not be reached: the path ends at its first step, and nothing can be told about the others.
#[must_use]
pub fn unreachable(target: &str, reason: &str, hint: Option<&str>) -> Diagnosis {
    let mut path = vec![Finding { hint: hint.map(str::to_owned), ..STEPS[0].finding(target, Verdict::Unknown, reason) }];
    let skipped = |step: &Step| step.finding(target, Verdict::Skip, "not checked: the target is out of reach");
    path.extend(STEPS[1..].iter().map(skipped));
    path[0].title = Cow::Borrowed("target out of reach");
    Diagnosis { path, causes: Vec::new() }
}
