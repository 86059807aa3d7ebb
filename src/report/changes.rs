use std::fmt::Write;

use anstyle::Style;
use jiff::{Timestamp, Zoned};

use super::{
    Format,
    text::{Look, style_of},
};
use crate::model::Finding;

/// A finding that is of another verdict than before, is new (`before` is none), or is there no more (`now` is none).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// The finding as it was.
    pub before: Option<Finding>,
    /// The finding as it is.
    pub now: Option<Finding>,
}

impl Change {
    fn finding(&self) -> Option<&Finding> {
        self.now.as_ref().or(self.before.as_ref())
    }

    fn json(&self, at: Timestamp) -> Option<String> {
        let verdict = |finding: &Option<Finding>| finding.as_ref().map(|finding| finding.verdict);
        let finding = self.finding()?;
        let mut value = serde_json::to_value(finding).ok()?;
        value["time"] = at.to_string().into();
        value["before"] = serde_json::to_value(verdict(&self.before)).ok()?;
        value["verdict"] = serde_json::to_value(verdict(&self.now)).ok()?;
        Some(value.to_string())
    }

    fn text(&self, at: &Zoned, look: Look) -> Option<String> {
        let finding = self.finding()?;
        let (word, style) = match &self.now {
            Some(now) => (now.verdict.to_string(), style_of(now.verdict)),
            None => ("gone".to_owned(), Style::new()),
        };
        let was = self.before.as_ref().filter(|_| self.now.is_some()).map(|before| format!(" (was {})", before.verdict)).unwrap_or_default();
        let said = if self.now.is_some() { format!(": {}", finding.observed) } else { String::new() };
        let mut line = String::new();
        // Writing to a string does not fail.
        let _ = write!(
            line,
            "{}  {}  {} {}{said}{was}",
            at.strftime("%H:%M:%S"),
            look.paint(&format!("{word:<7}"), style),
            finding.check,
            finding.subject
        );
        Some(line)
    }
}

/// The changes of one moment, a line each.
pub(super) fn render(changes: &[Change], format: Format, look: Look, at: &Zoned) -> String {
    let line = |change: &Change| match format {
        Format::Json => change.json(at.timestamp()),
        Format::Table | Format::Short | Format::Junit | Format::Dot | Format::Mermaid | Format::Prometheus => change.text(at, look),
    };
    changes.iter().filter_map(line).map(|line| line + "\n").collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Verdict;

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
    fn a_program_reads_one_document_a_line() {
        let at: Zoned = "2026-11-23T17:05:09[UTC]".parse().unwrap();
        let text = render(&changes(), Format::Json, Look { width: None, colour: true, unicode: true }, &at);
        let lines: Vec<serde_json::Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let verdicts: Vec<String> = lines.iter().map(|line| format!("{}→{}", line["before"], line["verdict"])).collect();
        assert_eq!(verdicts, ["\"pass\"→\"fail\"", "null→\"pass\"", "\"pass\"→null"]);
        assert_eq!((&lines[0]["check"], &lines[0]["time"]), (&"ping-endpoint".into(), &"2026-11-23T17:05:09Z".into()));
    }
}
