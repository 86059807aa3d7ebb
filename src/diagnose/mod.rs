//! What is wrong, where on the path it begins, and why: from a snapshot alone. Pure.
//!
//! ```text
//!   Expectations ─┐          ┌─► STEPS  ─► path     the first step that fails is where it is broken
//!                 ├─► Case ──┤                │
//!   Snapshot ─────┘          └─► causes ◄─────┘
//!                                   └─► graph ─► roots, each with what follows from it folded under it
//! ```
//!
//! # Decisions
//!
//! - **Causes are data in a graph.** A cause says what must be seen, what must not, where it lies, and which others it may follow from. Each is looked
//!   for by itself; a cause is folded under another only where the graph allows it *and* both are about the same connection, workload or node
//!   (`diagnose/graph.rs`), so that a manager that is away on one node hides nothing on the next. `explain` prints the same data.
//! - **Diagnosis needs a snapshot and nothing else.** What was promised, what is deployed, what was seen inside the pods and around them are one value:
//!   `troubleshoot --from` enters with one out of a bundle.

mod case;
mod catalogue;
mod cause;
mod graph;
mod step;
mod unseen;

mod causes {
    pub(super) mod identity;
    pub(super) mod interface;
    pub(super) mod pods;
    pub(super) mod request;
    pub(super) mod said;
    pub(super) mod services;
    pub(super) mod system;
}

#[cfg(test)]
mod tests;

use std::borrow::Cow;

use serde::Serialize;

pub use case::Case;
pub use catalogue::{cause, causes, leads_to};
pub use cause::{Cause, Found};
pub use step::{STEPS, Step};

use self::graph::{Reach, Told, fold};
use crate::model::{Consequence, Diagnosed, Finding, Outcome, Snapshot, Verdict};

/// What is wrong, and where on the path it begins.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Diagnosis {
    /// One finding a step, and one a client where the step is about one, in the order of the path; `check` is the step's id.
    pub path: Vec<Finding>,
    /// The roots, likeliest first; empty where nothing is broken. `check` is the cause's id, `documented` the row of the
    /// source document's table that the cause explains, and `hint` the fix, which can be pasted into a shell.
    pub causes: Vec<Diagnosed>,
    /// What could not be collected, each with the reason.
    pub unseen: Vec<Finding>,
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
        let all: Vec<Finding> = self.path.iter().chain(&self.unseen).cloned().collect();
        Finding::outcome(&all)
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
    if case.path.iter().any(|finding| finding.verdict == Verdict::Fail) {
        for cause in causes() {
            for found in (cause.find)(&case) {
                let reach = match &found.nodes {
                    Some(nodes) => Reach::on(&case, nodes),
                    None => Reach::of(&case, &found.subject),
                };
                case.found.push(Told { cause, found, reach });
            }
        }
    }
    let roots = fold(std::mem::take(&mut case.found));
    let causes = merge(roots.into_iter().map(|(root, below)| diagnosed(&case, root, below)));
    Diagnosis { unseen: unseen::unseen(&case), path: case.path, causes }
}

/// A root in words, with the causes and then the later steps that only follow from it.
fn diagnosed(case: &Case<'_>, root: Told, below: Vec<Told>) -> Diagnosed {
    let Told { cause, found, reach } = root;
    let broken = |finding: &&Finding| finding.verdict == Verdict::Fail && Reach::of(case, &finding.subject).meets(&reach);
    let first = case.path.iter().find(broken).map(|finding| finding.check.clone());
    let later = case.path.iter().filter(broken).filter(|finding| Some(&finding.check) != first.as_ref()).cloned();
    let causes = below.into_iter().map(|told| told.cause.finding(case, told.found));
    let consequences = causes.chain(later).map(Consequence::from).collect();
    Diagnosed { finding: cause.finding(case, found), component: Cow::Borrowed(cause.component), consequences }
}

/// How many subjects of one cause are named.
const NAMED: usize = 3;

/// One for all that one fix mends: thirty clients without an address are one empty pool.
fn merge(causes: impl Iterator<Item = Diagnosed>) -> Vec<Diagnosed> {
    let mut merged: Vec<(usize, Diagnosed)> = Vec::new();
    for cause in causes {
        match merged.iter_mut().find(|(_, known)| known.check == cause.check && known.hint == cause.hint) {
            Some((count, known)) => {
                *count += 1;
                let Diagnosed { finding, consequences, .. } = cause;
                let new: Vec<Consequence> = consequences.into_iter().filter(|one| !known.consequences.contains(one)).collect();
                known.consequences.extend(new);
                if *count <= NAMED {
                    let known = &mut known.finding;
                    known.subject = format!("{}, {}", known.subject, finding.subject);
                    if known.observed != finding.observed {
                        known.observed = format!("{}; {}", known.observed, finding.observed);
                    }
                    let evidence: Vec<String> = finding.evidence.into_iter().filter(|line| !known.evidence.contains(line)).collect();
                    known.evidence.extend(evidence);
                }
            }
            None => merged.push((1, cause)),
        }
    }
    let told = |(count, mut cause): (usize, Diagnosed)| {
        if count > NAMED {
            cause.finding.subject = format!("{} and {} more", cause.subject, count - NAMED);
        }
        cause
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
    Diagnosis { path, causes: Vec::new(), unseen: Vec::new() }
}
