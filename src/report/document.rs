use std::time::{Duration, Instant};

use jiff::Timestamp;
#[cfg(test)]
use schemars::JsonSchema;
use serde::Serialize;

use super::Format;
use crate::model::{
    Applied, Change, ConnectionPhases, Diagnosed, Difference, Failure, Finding, Metrics, ObjectRef, Outcome, Removed, Status, Verdict,
};

/// The target, as reports name it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(JsonSchema))]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum TargetInfo {
    /// A Kubernetes cluster.
    Cluster {
        /// The API server's URL.
        server: String,
        /// The kubeconfig's context.
        context: Option<String>,
        /// The server's version; nothing where it has not answered.
        version: Option<String>,
    },
    /// This machine.
    Local {
        /// Where the engine's socket is.
        directory: String,
    },
    /// A bundle: what was seen of a target before, perhaps elsewhere.
    Bundle {
        /// The bundle's file.
        file: String,
        /// When it was written, as RFC 3339 has it.
        written: String,
        /// The nsmctl that wrote it.
        nsmctl: String,
        /// The API server's URL; nothing where it was a machine.
        server: Option<String>,
        /// The kubeconfig's context.
        context: Option<String>,
        /// The server's version.
        version: Option<String>,
    },
}

/// A check, as it is listed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(JsonSchema))]
pub struct ListedCheck {
    /// Its stable id.
    pub id: &'static str,
    /// What it says, in a few words.
    pub title: &'static str,
    /// What it looks at: `deployment`, the whole of it, or each `connection`.
    pub subject: &'static str,
    /// What to do when it fails.
    pub hint: &'static str,
}

/// A cause, as it is explained.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(JsonSchema))]
pub struct Explained {
    /// Its stable id.
    pub id: &'static str,
    /// What it says, in a few words.
    pub title: &'static str,
    /// The part that it lies in.
    pub component: &'static str,
    /// The row of the source document's table of common issues that it explains.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub documented: Option<&'static str>,
    /// What must be seen for it to be told.
    pub seen: &'static str,
    /// What looks like it and is something else.
    pub unseen: &'static str,
    /// How it works.
    pub explanation: &'static str,
    /// The fix; what is in capital letters, a diagnosis fills in.
    pub fix: String,
    /// The causes that it may follow from.
    pub follows: Vec<&'static str>,
    /// The causes that may follow from it.
    pub leads_to: Vec<&'static str>,
    /// Where more is said about it.
    pub link: &'static str,
}

/// What a person has asked to see.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Shown {
    /// The differences line by line.
    pub diff: bool,
    /// How the time divides.
    pub timings: bool,
    /// All that says so, and not only as much as a person reads at once.
    pub evidence: bool,
    /// Who is connected to whom, drawn.
    pub topology: bool,
    /// The phases of each connection.
    pub phases: bool,
}

/// Everything that a command has found out, whether it came to its end or not.
#[derive(Debug)]
pub struct Report {
    /// The command.
    pub command: &'static str,
    /// Where it was done, once that was decided.
    pub target: Option<TargetInfo>,
    /// The deployment's namespace.
    pub namespace: Option<String>,
    /// The options that the deployment was made with, where they are what it was held against.
    pub options: Option<String>,
    /// Whether the cluster is fit.
    pub preflight: Option<Vec<Finding>>,
    /// What applying would do, where only that was asked for.
    pub differences: Option<Vec<Difference>>,
    /// How the time divides.
    pub timings: Vec<(&'static str, Duration)>,
    /// What of it a person has asked to see.
    pub shown: Shown,
    /// What was applied.
    pub applied: Option<Vec<(ObjectRef, Applied)>>,
    /// The phases in which the connections of the deployment came to be; `None` where the target does not tell.
    pub phases: Option<Vec<ConnectionPhases>>,
    /// The checks that there are, where only that was asked for.
    pub checks: Option<Vec<ListedCheck>>,
    /// What was explained.
    pub explained: Option<Vec<Explained>>,
    /// What there is now.
    pub status: Option<Status>,
    /// What is counted.
    pub metrics: Option<Metrics>,
    /// What was judged.
    pub findings: Option<Vec<Finding>>,
    /// The steps of the way that a connection takes.
    pub path: Option<Vec<Finding>>,
    /// Why it is broken, likeliest first.
    pub causes: Vec<Diagnosed>,
    /// What could not be collected for it.
    pub unseen: Vec<Finding>,
    /// What was removed.
    pub removed: Option<Removed>,
    /// What the command was asked to print, word for word: a result that is no report.
    pub text: Option<String>,
    /// How the program ended that was run for the person.
    pub ended: Option<u8>,
    /// Whether standard output is not the report's: it is a program's, or what was found goes there as it comes.
    pub streamed: bool,
    /// What ended the command early.
    pub failure: Option<Failure>,
    /// When the command began, by the clock on the wall.
    pub began: Timestamp,
    started: Instant,
}

impl Report {
    /// A report of a command that begins now.
    #[must_use]
    pub fn new(command: &'static str) -> Self {
        Self {
            command,
            target: None,
            namespace: None,
            options: None,
            preflight: None,
            differences: None,
            timings: Vec::new(),
            shown: Shown::default(),
            applied: None,
            phases: None,
            checks: None,
            explained: None,
            status: None,
            metrics: None,
            findings: None,
            path: None,
            causes: Vec::new(),
            unseen: Vec::new(),
            removed: None,
            text: None,
            ended: None,
            streamed: false,
            failure: None,
            began: Timestamp::now(),
            started: Instant::now(),
        }
    }

    /// How long the command has taken.
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }

    /// What it all amounts to: the gravest of what was found and of what ended it early.
    #[must_use]
    pub fn outcome(&self) -> Outcome {
        let failure = self.failure.as_ref().map(|failure| failure.outcome);
        let ended = self.ended.map(Outcome::Ended);
        let findings = self.findings.as_deref().map(Finding::outcome);
        // `--diff` answers with its exit code; a dry run only tells.
        let differs = self.shown.diff && self.differences.iter().flatten().any(|difference| difference.change != Change::None);
        let differs = differs.then_some(Outcome::Failed);
        let status = self.status.as_ref().map(Status::outcome);
        let metrics = self.metrics.as_ref().map(Metrics::outcome);
        let path = self.path.as_deref().map(Finding::outcome);
        let unseen = (!self.unseen.is_empty()).then(|| Finding::outcome(&self.unseen));
        // What is left because there was no more time for it has not failed to go.
        let in_time = self.failure.as_ref().is_none_or(|failure| failure.outcome != Outcome::TimedOut);
        let removed = self.removed.as_ref().filter(|_| in_time).map(Removed::outcome);
        [failure, ended, findings, differs, status, metrics, path, unseen, removed].into_iter().flatten().max().unwrap_or(Outcome::Passed)
    }

    /// Whether there is anything for standard output: a program always gets its one document, a person only what was found.
    #[must_use]
    pub fn is_printed(&self, format: Format) -> bool {
        let unfit = self.preflight.iter().flatten().any(|finding| finding.verdict == Verdict::Fail);
        let found = self.findings.is_some() || self.status.is_some() || self.metrics.is_some() || self.path.is_some() || self.removed.is_some();
        let told = self.text.is_some() || self.differences.is_some() || self.checks.is_some() || self.explained.is_some();
        !self.streamed && (matches!(format, Format::Json | Format::Junit) || found || told || unfit)
    }

    /// Takes in what went wrong after all the rest, which counts for the outcome. Gives it back where something else had ended
    /// the command before, which is then what the report names.
    pub fn fail_late(&mut self, late: Failure) -> Option<Failure> {
        match &mut self.failure {
            Some(failure) => {
                failure.outcome = failure.outcome.and(late.outcome);
                Some(late)
            }
            none => {
                *none = Some(late);
                None
            }
        }
    }

    /// Changes every hint: so that its commands are about the same deployment.
    pub fn reword(&mut self, change: impl Fn(&str) -> String) {
        let lists = [&mut self.preflight, &mut self.findings, &mut self.path];
        let causes = self.causes.iter_mut().map(|cause| &mut cause.finding);
        let status = self.status.iter_mut().flat_map(|status| &mut status.findings);
        let hints = lists.into_iter().flatten().flatten().chain(causes).chain(status).chain(&mut self.unseen).map(|finding| &mut finding.hint);
        for hint in hints.chain(self.failure.as_mut().map(|failure| &mut failure.hint)).flatten() {
            *hint = change(hint);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_gravest_counts() {
        let mut report = Report::new("verify");
        assert_eq!(report.outcome(), Outcome::Passed);
        report.findings = Some(Vec::new());
        assert_eq!(report.outcome(), Outcome::CannotTell, "nothing found is not a pass");
        report.removed = Some(Removed { left: vec![(ObjectRef::cluster("Namespace", "a"), "b".to_owned())], ..Removed::default() });
        assert_eq!(report.outcome(), Outcome::Failed);
        report.findings = None;
        report.failure = Some(Failure::msg(Outcome::TimedOut, "the time is up"));
        assert_eq!(report.outcome(), Outcome::TimedOut, "there was no time to remove the rest");
        report.failure = Some(Failure::msg(Outcome::Interrupted, "stopped"));
        assert_eq!(report.outcome(), Outcome::Interrupted);
    }
}
