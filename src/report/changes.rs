use anstyle::Style;
use jiff::{Timestamp, Zoned};
#[cfg(test)]
use schemars::JsonSchema;
use serde::Serialize;

use super::{
    Format,
    text::{Look, style_of},
    wrap::hanging,
};
use crate::model::{Finding, Verdict};

/// The column in which the text of a change begins, behind its time and verdict.
const TEXT: usize = 19;

/// A finding that is of another verdict than before, is new (`before` is none), or is there no more (`now` is none).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// The finding as it was.
    pub before: Option<Finding>,
    /// The finding as it is.
    pub now: Option<Finding>,
}

/// A line of `--watch -o json`: a finding that has changed.
#[derive(Serialize)]
#[cfg_attr(test, derive(JsonSchema))]
pub(super) struct WatchLine<'a> {
    /// When that was seen (RFC 3339).
    time: String,
    /// The judgement before; null where it is new.
    before: Option<Verdict>,
    /// The judgement now; null where it is there no more.
    verdict: Option<Verdict>,
    /// The stable id of the check.
    check: &'a str,
    /// What it says, in a few words.
    title: &'a str,
    /// What was judged: a pod, a connection, a component.
    subject: &'a str,
    /// What was expected.
    expected: &'a str,
    /// What was seen.
    observed: &'a str,
    /// What the source document's example prints instead, where it differs: information, never a verdict.
    #[serde(skip_serializing_if = "Option::is_none")]
    documented: Option<&'a str>,
    /// What the judgement rests on: the program's own words, an event, a line of a log.
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    evidence: &'a [String],
    /// The next step.
    #[serde(skip_serializing_if = "Option::is_none")]
    hint: Option<&'a str>,
}

impl Change {
    fn finding(&self) -> Option<&Finding> {
        self.now.as_ref().or(self.before.as_ref())
    }

    fn json(&self, at: Timestamp) -> Option<String> {
        let verdict = |finding: &Option<Finding>| finding.as_ref().map(|finding| finding.verdict);
        let finding = self.finding()?;
        let line = WatchLine {
            time: at.to_string(),
            before: verdict(&self.before),
            verdict: verdict(&self.now),
            check: &finding.check,
            title: &finding.title,
            subject: &finding.subject,
            expected: &finding.expected,
            observed: &finding.observed,
            documented: finding.documented.as_deref(),
            evidence: &finding.evidence,
            hint: finding.hint.as_deref(),
        };
        Some(serde_json::to_string(&line).ok()? + "\n")
    }

    fn text(&self, at: &Zoned, look: Look) -> Option<String> {
        let finding = self.finding()?;
        let (word, style) = match &self.now {
            Some(now) => (now.verdict.to_string(), style_of(now.verdict)),
            None => ("gone".to_owned(), Style::new()),
        };
        let was = self.before.as_ref().filter(|_| self.now.is_some()).map(|before| format!(" (was {})", before.verdict)).unwrap_or_default();
        let said = if self.now.is_some() { format!(": {}", finding.observed) } else { String::new() };
        let begin = format!("{}  {}  ", at.strftime("%H:%M:%S"), look.paint(&format!("{word:<7}"), style));
        Some(hanging(&begin, &format!("{} {}{said}{was}", finding.check, finding.subject), TEXT, look.width))
    }
}

/// The changes of one moment, a line each; a terminal's person reads what is too long on further lines.
pub(super) fn render(changes: &[Change], format: Format, look: Look, at: &Zoned) -> String {
    let line = |change: &Change| match format {
        Format::Json => change.json(at.timestamp()),
        Format::Table | Format::Short | Format::Junit | Format::Dot | Format::Mermaid | Format::Prometheus => change.text(at, look),
    };
    changes.iter().filter_map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finding(verdict: Verdict, observed: &str) -> Finding {
        Finding::new("ping-endpoint", "ping", "alpine nsm-1", verdict, "0 % loss", observed)
    }

    fn changes() -> [Change; 3] {
        let (pass, fail) = (finding(Verdict::Pass, "4/4"), finding(Verdict::Fail, "0/4"));
        [
            Change { before: Some(pass.clone()), now: Some(fail) },
            Change { before: None, now: Some(pass.clone()) },
            Change { before: Some(pass), now: None },
        ]
    }

    #[test]
    fn a_person_reads_what_is_and_what_was() {
        let at: Zoned = "2026-11-23T17:05:09[UTC]".parse().unwrap();
        let look = Look { width: None, colour: false, unicode: true };
        assert_eq!(
            render(&changes(), Format::Table, look, &at),
            "17:05:09  fail     ping-endpoint alpine nsm-1: 0/4 (was pass)\n\
             17:05:09  pass     ping-endpoint alpine nsm-1: 4/4\n\
             17:05:09  gone     ping-endpoint alpine nsm-1\n"
        );
    }

    #[test]
    fn a_narrow_terminal_breaks_between_words() {
        let at: Zoned = "2026-11-23T17:05:09[UTC]".parse().unwrap();
        let change = Change { before: None, now: Some(finding(Verdict::Fail, "0/4 received, 100 % loss")) };
        let look = Look { width: Some(50), colour: true, unicode: true };
        let text = anstream::adapter::strip_str(&render(&[change], Format::Table, look, &at)).to_string();
        assert_eq!(text, "17:05:09  fail     ping-endpoint alpine nsm-1: 0/4\n                   received, 100 % loss\n");
    }

    #[test]
    fn a_program_reads_one_document_a_line() {
        let at: Zoned = "2026-11-23T17:05:09[UTC]".parse().unwrap();
        let text = render(&changes(), Format::Json, Look { width: None, colour: true, unicode: true }, &at);
        let lines: Vec<serde_json::Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let verdicts: Vec<String> = lines.iter().map(|line| format!("{}→{}", line["before"], line["verdict"])).collect();
        assert_eq!(verdicts, ["\"pass\"→\"fail\"", "null→\"pass\"", "\"pass\"→null"]);
        let mut schema: serde_json::Value = serde_json::from_str(super::super::json::schema()).unwrap();
        schema["$ref"] = "#/$defs/WatchLine".into();
        schema.as_object_mut().unwrap().retain(|key, _| ["$schema", "$defs", "$ref"].contains(&key.as_str()));
        let validator = jsonschema::draft202012::new(&schema).unwrap();
        assert!(lines.iter().all(|line| validator.is_valid(line)) && !validator.is_valid(&serde_json::json!({"time": "now"})), "{schema}");
        assert_eq!((&lines[0]["check"], &lines[0]["time"]), (&"ping-endpoint".into(), &"2026-11-23T17:05:09Z".into()));
    }
}
