use std::{collections::BTreeMap, time::Duration};

use serde::Serialize;

use super::{Report, TargetInfo};
use crate::model::{Applied, Difference, Finding, ObjectRef, Outcome};

/// The version of the JSON document's schema. It grows with every change that could break a reader; new fields do not.
pub const SCHEMA_VERSION: u32 = 1;

#[derive(Serialize)]
struct Document<'a> {
    schema_version: u32,
    nsmctl: &'static str,
    command: &'static str,
    outcome: Outcome,
    exit_code: u8,
    duration_ms: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    target: Option<&'a TargetInfo>,
    #[serde(skip_serializing_if = "Option::is_none")]
    namespace: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    preflight: Option<&'a [Finding]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    differences: Option<&'a [Difference]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    applied: Option<Vec<AppliedObject<'a>>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    findings: Option<&'a [Finding]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    path: Option<&'a [Finding]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    causes: Option<&'a [Finding]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    removed: Option<RemovedObjects<'a>>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    timings_ms: BTreeMap<&'static str, u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<Error<'a>>,
}

#[derive(Serialize)]
struct AppliedObject<'a> {
    #[serde(flatten)]
    object: &'a ObjectRef,
    result: Applied,
}

#[derive(Serialize)]
struct RemovedObjects<'a> {
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    would: &'a [ObjectRef],
    gone: &'a [ObjectRef],
    left: Vec<LeftObject<'a>>,
    unseen: &'a [String],
    proof: &'a [String],
}

#[derive(Serialize)]
struct LeftObject<'a> {
    #[serde(flatten)]
    object: &'a ObjectRef,
    reason: &'a str,
}

#[derive(Serialize)]
struct Error<'a> {
    message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    hint: Option<&'a str>,
}

fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// One document, indented, with a line feed at its end.
pub(super) fn render(report: &Report) -> String {
    let applied = report.applied.as_ref();
    let document = Document {
        schema_version: SCHEMA_VERSION,
        nsmctl: env!("CARGO_PKG_VERSION"),
        command: report.command,
        outcome: report.outcome(),
        exit_code: report.outcome().code(),
        duration_ms: milliseconds(report.elapsed()),
        target: report.target.as_ref(),
        namespace: report.namespace.as_deref(),
        preflight: report.preflight.as_deref(),
        differences: report.differences.as_deref(),
        applied: applied.map(|applied| applied.iter().map(|(object, result)| AppliedObject { object, result: *result }).collect()),
        findings: report.findings.as_deref(),
        path: report.path.as_deref(),
        causes: report.path.as_ref().map(|_| report.causes.as_slice()),
        removed: report.removed.as_ref().map(|removed| RemovedObjects {
            would: &removed.would,
            gone: &removed.gone,
            left: removed.left.iter().map(|(object, reason)| LeftObject { object, reason }).collect(),
            unseen: &removed.unseen,
            proof: &removed.proof,
        }),
        timings_ms: report.timings.iter().map(|(phase, time)| (*phase, milliseconds(*time))).collect(),
        error: report.failure.as_ref().map(|failure| Error { message: failure.message(), hint: failure.hint.as_deref() }),
    };
    // Every key is a string and every number finite, so this cannot fail; should it ever, that is what is said.
    let mut text = serde_json::to_string_pretty(&document).unwrap_or_else(|error| format!("{{\"error\": {{\"message\": \"{error}\"}}}}"));
    text.push('\n');
    text
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::model::Failure;

    #[test]
    fn it_is_one_document_with_a_schema_version() {
        let mut report = Report::new("deploy");
        report.target = Some(TargetInfo::Local { directory: "/run/nsmctl".to_owned() });
        report.applied = Some(vec![(ObjectRef::namespaced("Pod", "ns", "alpine"), Applied::Created)]);
        report.failure = Some(Failure::msg(Outcome::TimedOut, "the time is up").hint("give it longer"));
        let text = render(&report);
        assert!(text.ends_with("}\n"));
        let mut value: Value = serde_json::from_str(&text).unwrap();
        assert!(value["duration_ms"].take().is_u64());
        let expected = json!({
            "schema_version": 1, "nsmctl": env!("CARGO_PKG_VERSION"), "command": "deploy", "outcome": "timed-out", "exit_code": 4, "duration_ms": null,
            "target": {"kind": "local", "directory": "/run/nsmctl"},
            "applied": [{"kind": "Pod", "namespace": "ns", "name": "alpine", "result": "created"}],
            "error": {"message": "the time is up", "hint": "give it longer"}
        });
        assert_eq!(value, expected);
    }
}
