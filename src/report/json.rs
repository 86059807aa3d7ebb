use std::{collections::BTreeMap, time::Duration};

#[cfg(test)]
use schemars::JsonSchema;
use serde::Serialize;

use super::{Explained, ListedCheck, Report, TargetInfo};
use crate::model::{Applied, ConnectionPhases, Diagnosed, Difference, Finding, Metrics, ObjectRef, Outcome, Status};

/// The version of the JSON document's schema. It grows with every change that could break a reader; new fields do not.
pub const SCHEMA_VERSION: u32 = 1;

/// What a command of nsmctl has found out. New fields may be added; `schema_version` grows when one changes or goes.
#[derive(Serialize)]
#[cfg_attr(test, derive(JsonSchema))]
#[cfg_attr(test, schemars(title = "nsmctl report"))]
struct Document<'a> {
    /// The version of this schema.
    #[cfg_attr(test, schemars(extend("const" = SCHEMA_VERSION)))]
    schema_version: u32,
    /// nsmctl's version.
    nsmctl: &'static str,
    /// The command, as it is typed.
    command: &'static str,
    /// What it all amounts to.
    outcome: Outcome,
    /// The process's exit code, which says the same.
    exit_code: u8,
    /// How long the command has taken, in milliseconds.
    duration_ms: u64,
    /// Where it was done, once that was decided.
    #[serde(skip_serializing_if = "Option::is_none")]
    target: Option<&'a TargetInfo>,
    /// The deployment's namespace.
    #[serde(skip_serializing_if = "Option::is_none")]
    namespace: Option<&'a str>,
    /// The options that the deployment was made with, where they are what it was held against.
    #[serde(skip_serializing_if = "Option::is_none")]
    options: Option<&'a str>,
    /// Whether the cluster is fit.
    #[serde(skip_serializing_if = "Option::is_none")]
    preflight: Option<&'a [Finding]>,
    /// What applying would do, where only that was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    differences: Option<&'a [Difference]>,
    /// What was applied.
    #[serde(skip_serializing_if = "Option::is_none")]
    applied: Option<Vec<AppliedObject<'a>>>,
    /// The phases in which the connections of the deployment came to be, on this machine.
    #[serde(skip_serializing_if = "Option::is_none")]
    phases: Option<&'a [ConnectionPhases]>,
    /// The checks that there are, where only that was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    checks: Option<&'a [ListedCheck]>,
    /// What was explained.
    #[serde(skip_serializing_if = "Option::is_none")]
    explained: Option<&'a [Explained]>,
    /// What there is now: NSM's parts, services, endpoints and connections.
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<&'a Status>,
    /// What is counted, by whom, and of each connection.
    #[serde(skip_serializing_if = "Option::is_none")]
    metrics: Option<&'a Metrics>,
    /// What was judged.
    #[serde(skip_serializing_if = "Option::is_none")]
    findings: Option<&'a [Finding]>,
    /// The steps of the way that a connection takes.
    #[serde(skip_serializing_if = "Option::is_none")]
    path: Option<&'a [Finding]>,
    /// Why it is broken, likeliest first: roots only, each with what follows from it.
    #[serde(skip_serializing_if = "Option::is_none")]
    causes: Option<&'a [Diagnosed]>,
    /// What could not be collected, each with the reason.
    #[serde(skip_serializing_if = "Option::is_none")]
    unseen: Option<&'a [Finding]>,
    /// What was removed.
    #[serde(skip_serializing_if = "Option::is_none")]
    removed: Option<RemovedObjects<'a>>,
    /// How the time divides, in milliseconds.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    timings_ms: BTreeMap<&'static str, u64>,
    /// What ended the command early.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<Error<'a>>,
}

/// An object that was applied.
#[derive(Serialize)]
#[cfg_attr(test, derive(JsonSchema))]
struct AppliedObject<'a> {
    #[serde(flatten)]
    object: &'a ObjectRef,
    /// What applying did to it.
    result: Applied,
}

/// What cleanup did, and what it found when it looked again.
#[derive(Serialize)]
#[cfg_attr(test, derive(JsonSchema))]
struct RemovedObjects<'a> {
    /// What would be deleted, where only that was asked for.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    would: &'a [ObjectRef],
    /// What was deleted and is gone.
    gone: &'a [ObjectRef],
    /// What is still there.
    left: Vec<LeftObject<'a>>,
    /// What could not be looked at, and why.
    unseen: &'a [String],
    /// What was looked at to prove that nothing is left, for people.
    proof: &'a [String],
}

/// An object that is still there.
#[derive(Serialize)]
#[cfg_attr(test, derive(JsonSchema))]
struct LeftObject<'a> {
    #[serde(flatten)]
    object: &'a ObjectRef,
    /// Why.
    reason: &'a str,
}

/// What ended a command early.
#[derive(Serialize)]
#[cfg_attr(test, derive(JsonSchema))]
struct Error<'a> {
    /// What happened, with its causes.
    message: String,
    /// The next step.
    #[serde(skip_serializing_if = "Option::is_none")]
    hint: Option<&'a str>,
}

/// The JSON Schema (draft 2020-12) of the document. A test makes it from the types that are written.
#[must_use]
pub fn schema() -> &'static str {
    include_str!("schema.json")
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
        options: report.options.as_deref(),
        preflight: report.preflight.as_deref(),
        differences: report.differences.as_deref(),
        applied: applied.map(|applied| applied.iter().map(|(object, result)| AppliedObject { object, result: *result }).collect()),
        phases: report.phases.as_deref(),
        checks: report.checks.as_deref(),
        explained: report.explained.as_deref(),
        status: report.status.as_ref(),
        metrics: report.metrics.as_ref(),
        findings: report.findings.as_deref(),
        path: report.path.as_deref(),
        causes: report.path.as_ref().map(|_| report.causes.as_slice()),
        unseen: report.path.as_ref().map(|_| report.unseen.as_slice()),
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
    pretty(&document)
}

/// The same in one line.
pub(super) fn line(report: &Report) -> String {
    let document: serde_json::Value = serde_json::from_str(&render(report)).unwrap_or_default();
    format!("{document}\n")
}

fn pretty(document: &impl Serialize) -> String {
    // Every key is a string and every number finite, so this cannot fail; should it ever, that is what is said.
    let mut text = serde_json::to_string_pretty(document).unwrap_or_else(|error| format!("{{\"error\": {{\"message\": \"{error}\"}}}}"));
    text.push('\n');
    text
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::{
        model::{Change, Failure, Removed},
        report::{changes::WatchLine, golden_tests},
    };

    #[test]
    fn the_schema_is_that_of_what_is_written() {
        let mut generator = schemars::generate::SchemaSettings::draft2020_12().for_serialize().into_generator();
        // No part of the document: what is written instead of it under `--watch`.
        generator.subschema_for::<WatchLine<'static>>();
        let made = pretty(&generator.into_root_schema_for::<Document<'static>>());
        // As with snapshots: it is written, and somebody looks at the difference.
        if std::env::var_os("INSTA_UPDATE").is_some_and(|update| update == "always") {
            std::fs::write(concat!(env!("CARGO_MANIFEST_DIR"), "/src/report/schema.json"), &made).unwrap();
        }
        let differs = schema().lines().zip(made.lines()).find(|(written, made)| written != made);
        assert_eq!(differs, None, "INSTA_UPDATE=always cargo test writes src/report/schema.json");
        assert_eq!(schema().len(), made.len());
    }

    #[test]
    fn every_part_of_a_report_is_as_the_schema_says() {
        let pod = || ObjectRef::namespaced("Pod", "ns", "alpine");
        let unchecked = Some("no namespace yet".to_owned());
        let difference =
            Difference { object: pod(), change: Change::Create, before: None, after: Some(json!({"a": 1})), yaml: Default::default(), unchecked };
        let left = vec![(ObjectRef::cluster("Namespace", "ns"), "it holds a ConfigMap".to_owned())];
        let mut report = golden_tests::failing();
        report.target = Some(TargetInfo::Cluster { server: "https://a".to_owned(), context: None, version: None });
        report.differences = Some(vec![difference]);
        report.applied = Some(vec![(pod(), Applied::Used), (ObjectRef::cluster("Namespace", "ns"), Applied::Recreated)]);
        report.checks = Some(vec![ListedCheck { id: "a", title: "b", subject: "connection", hint: "c" }]);
        let phases = crate::report::phases::tests::phases();
        report.phases = Some(vec![ConnectionPhases { client: crate::model::Namespaced::new("ns", "alpine"), interface: "nsm-1".into(), phases }]);
        report.removed = Some(Removed { would: vec![pod()], gone: vec![pod()], left, unseen: vec!["roles".to_owned()], proof: Vec::new() });
        report.path = report.findings.clone();
        let finding = report.findings.as_ref().unwrap()[0].clone();
        let consequences = vec![crate::model::Consequence::from(finding.clone())];
        report.causes = vec![Diagnosed { finding, component: "client".into(), consequences }];
        report.unseen = report.findings.clone().unwrap();

        let document: Value = serde_json::from_str(&render(&report)).unwrap();
        let validator = jsonschema::draft202012::new(&serde_json::from_str(schema()).unwrap()).unwrap();
        let errors: Vec<String> = validator.iter_errors(&document).map(|error| format!("{}: {error}", error.instance_path())).collect();
        assert!(errors.is_empty(), "{errors:#?}");
        // Nothing is written that the schema does not know.
        let known: Value = serde_json::from_str(schema()).unwrap();
        let unknown: Vec<&String> = document.as_object().unwrap().keys().filter(|key| known["properties"].get(key.as_str()).is_none()).collect();
        assert!(unknown.is_empty(), "{unknown:?}");
        for (part, wrong) in
            [("outcome", json!("fine")), ("schema_version", json!(2)), ("findings", json!([{"check": "a"}])), ("exit_code", json!(-1))]
        {
            let mut document = document.clone();
            document[part] = wrong;
            assert!(!validator.is_valid(&document), "{part}");
        }
    }

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
