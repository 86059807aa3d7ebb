use std::{borrow::Cow, fmt};

#[cfg(test)]
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Outcome;

/// What a check or a diagnosis says about one thing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(test, derive(JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// As promised.
    Pass,
    /// Not checked, for a stated reason.
    Skip,
    /// Not as documented, but nothing is broken by it.
    Warn,
    /// It could not be seen: forbidden, out of reach, unreadable. Never the same as a pass.
    Unknown,
    /// Not as promised.
    Fail,
}

impl Verdict {
    /// What the verdict means for the exit code.
    #[must_use]
    pub fn outcome(self) -> Outcome {
        match self {
            Self::Pass | Self::Skip | Self::Warn => Outcome::Passed,
            Self::Unknown => Outcome::CannotTell,
            Self::Fail => Outcome::Failed,
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Pass => "pass",
            Self::Skip => "skip",
            Self::Warn => "warn",
            Self::Unknown => "unknown",
            Self::Fail => "fail",
        })
    }
}

/// One judgement, with what it rests on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(JsonSchema))]
pub struct Finding {
    /// The stable id of the check or the cause.
    pub check: Cow<'static, str>,
    /// What it says, in a few words.
    pub title: Cow<'static, str>,
    /// What was judged: a pod, a connection, a component.
    pub subject: String,
    /// The judgement.
    pub verdict: Verdict,
    /// What was expected.
    pub expected: String,
    /// What was seen.
    pub observed: String,
    /// What the source document's example prints instead, where it differs: information, never a verdict.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub documented: Option<String>,
    /// What the judgement rests on: the program's own words, an event, a line of a log.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub evidence: Vec<String>,
    /// The next step.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub hint: Option<String>,
    /// Skipped because something else is wrong that another check reports. Where that check is left out, this does not count as a pass.
    #[serde(skip)]
    pub blocked: bool,
}

impl Finding {
    /// A finding with nothing to rest on yet.
    pub fn new(
        check: &'static str,
        title: &'static str,
        subject: impl Into<String>,
        verdict: Verdict,
        expected: impl Into<String>,
        observed: impl Into<String>,
    ) -> Self {
        Self {
            check: Cow::Borrowed(check),
            title: Cow::Borrowed(title),
            subject: subject.into(),
            verdict,
            expected: expected.into(),
            observed: observed.into(),
            documented: None,
            evidence: Vec::new(),
            hint: None,
            blocked: false,
        }
    }

    /// Says what to do, where it is not as promised.
    #[must_use]
    pub fn advised(self, hint: &str) -> Self {
        let hint = matches!(self.verdict, Verdict::Fail | Verdict::Warn).then(|| hint.to_owned());
        Self { hint, ..self }
    }

    /// What was expected and what was seen, in one line.
    #[must_use]
    pub fn contrast(&self) -> String {
        if self.expected.is_empty() { self.observed.clone() } else { format!("expected {}, observed {}", self.expected, self.observed) }
    }

    /// What all the findings together amount to.
    #[must_use]
    pub fn outcome(findings: &[Self]) -> Outcome {
        findings.iter().map(|finding| finding.verdict.outcome()).max().unwrap_or(Outcome::CannotTell)
    }
}

/// A cause, with what follows from it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(JsonSchema))]
pub struct Diagnosed {
    /// What it is, about what, what says so, and the fix.
    #[serde(flatten)]
    pub finding: Finding,
    /// The part that it lies in: `Kubernetes`, `SPIRE`, `nsmgr`, `forwarder`, `registry`, `webhook`, `client`, `endpoint`,
    /// `data path`, `engine`.
    pub component: Cow<'static, str>,
    /// What would not be without it: other causes, and steps of the path that fail.
    pub consequences: Vec<Consequence>,
}

/// Something that only follows from a cause.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(JsonSchema))]
pub struct Consequence {
    /// The id of the cause or of the step.
    pub check: Cow<'static, str>,
    /// What it says, in a few words.
    pub title: Cow<'static, str>,
    /// About what.
    pub subject: String,
    /// What was seen.
    pub observed: String,
}

impl From<Finding> for Consequence {
    fn from(Finding { check, title, subject, observed, .. }: Finding) -> Self {
        Self { check, title, subject, observed }
    }
}

/// A cause is a finding before all.
impl std::ops::Deref for Diagnosed {
    type Target = Finding;

    fn deref(&self) -> &Finding {
        &self.finding
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_found_is_not_a_pass() {
        assert_eq!(Finding::outcome(&[]), Outcome::CannotTell);
    }

    #[test]
    fn a_failure_outweighs_what_could_not_be_seen() {
        assert_eq!(Verdict::Fail.outcome().and(Verdict::Unknown.outcome()), Outcome::Failed);
        assert_eq!(Verdict::Unknown.outcome().and(Verdict::Pass.outcome()), Outcome::CannotTell);
        assert_eq!(Verdict::Skip.outcome().and(Verdict::Warn.outcome()), Outcome::Passed);
    }
}
