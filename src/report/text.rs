use std::{fmt::Write, io, time::Duration};

use anstyle::{AnsiColor, Style};

use super::{Report, is_lively, table::table};
use crate::model::{Finding, Removed, Verdict};

/// How a text may look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Look {
    /// The width in columns; `None` where there is no end of the line.
    pub width: Option<usize>,
    /// Whether it is coloured.
    pub colour: bool,
    /// Whether the reader can show more than ASCII.
    pub unicode: bool,
}

/// Narrower than this nothing can be read any more, and the terminal may break the lines itself.
const NARROWEST: usize = 40;

impl Look {
    /// What standard output can show.
    #[must_use]
    pub fn of_stdout() -> Self {
        let width = terminal_size::terminal_size_of(io::stdout()).map(|(terminal_size::Width(width), _)| usize::from(width).max(NARROWEST));
        Self { width, colour: is_lively(&io::stdout()), unicode: is_utf8() }
    }

    fn paint(self, text: &str, style: Style) -> String {
        if self.colour { format!("{style}{text}{style:#}") } else { text.to_owned() }
    }
}

/// Whether the locale says UTF-8, by the variable that counts (locale(7)). Where none is set at all nothing is known, and
/// terminals of today show it.
pub(super) fn is_utf8() -> bool {
    let set = |name| std::env::var(name).ok().filter(|value: &String| !value.is_empty());
    let locale = set("LC_ALL").or_else(|| set("LC_CTYPE")).or_else(|| set("LANG"));
    locale.is_none_or(|locale| {
        let locale = locale.to_ascii_lowercase();
        locale.contains("utf-8") || locale.contains("utf8")
    })
}

pub(super) const BOLD: Style = Style::new().bold();
pub(super) const DIM: Style = Style::new().dimmed();
pub(super) const RED: Style = AnsiColor::Red.on_default().bold();
pub(super) const YELLOW: Style = AnsiColor::Yellow.on_default();
pub(super) const GREEN: Style = AnsiColor::Green.on_default();

fn style_of(verdict: Verdict) -> Style {
    match verdict {
        Verdict::Pass => GREEN,
        Verdict::Skip => DIM,
        Verdict::Warn | Verdict::Unknown => YELLOW,
        Verdict::Fail => RED,
    }
}

fn mark(verdict: Verdict, look: Look) -> &'static str {
    match (verdict, look.unicode) {
        (Verdict::Pass, true) => "✓",
        (Verdict::Pass, false) => "+",
        (Verdict::Fail, true) => "✗",
        (Verdict::Fail, false) => "x",
        (Verdict::Skip, true) => "·",
        (Verdict::Skip, false) => "-",
        (Verdict::Warn | Verdict::Unknown, _) => "?",
    }
}

/// A report for people.
pub(super) fn render(report: &Report, look: Look) -> String {
    let mut text = String::new();
    if let Some(findings) = &report.findings {
        text.push_str(&findings_text(findings, report.elapsed(), look));
    }
    if let Some(path) = &report.path {
        text.push_str(&path_text(path, &report.causes, look));
    }
    if let Some(removed) = &report.removed {
        text.push_str(&removed_text(removed, report.elapsed(), look));
    }
    if look.unicode { text } else { ascii(&text) }
}

/// The texts of checks have a few characters beyond ASCII in them.
fn ascii(text: &str) -> String {
    text.replace('→', "->").replace('↔', "<->").replace('…', "...")
}

fn findings_text(findings: &[Finding], elapsed: Duration, look: Look) -> String {
    let row = |finding: &Finding| {
        let verdict = look.paint(&finding.verdict.to_string(), style_of(finding.verdict));
        vec![finding.title.to_string(), finding.subject.clone(), finding.expected.clone(), finding.observed.clone(), verdict]
    };
    let mut text = table(&["CHECK", "SUBJECT", "EXPECTED", "SEEN", "RESULT"], findings.iter().map(row), look);
    text.push_str("\n\n");
    let documented: Vec<_> = findings.iter().filter_map(|finding| Some((finding, finding.documented.as_ref()?))).collect();
    if !documented.is_empty() {
        text.push_str(&look.paint("The example's document prints other values, which depend on the forwarder and are not judged:", DIM));
        text.push('\n');
        for (finding, value) in documented {
            let line = format!("{} of {}: {value}", finding.title, finding.subject);
            text.push_str(&look.paint(&indent(&line, 2, look), DIM));
        }
        text.push('\n');
    }
    for finding in findings.iter().filter(|finding| matches!(finding.verdict, Verdict::Fail | Verdict::Unknown | Verdict::Warn)) {
        text.push_str(&detail(finding, look));
    }
    text.push_str(&summary(findings, elapsed, look));
    text
}

/// A finding that needs a person's eye: what it says, what it rests on, what to do.
fn detail(finding: &Finding, look: Look) -> String {
    let style = style_of(finding.verdict);
    let mut text = look.paint(&format!("{} {}", mark(finding.verdict, look), finding.title), style);
    let _ = writeln!(text, " ({}): {}", finding.subject, finding.observed);
    text.push_str(&evidence(&finding.evidence, look));
    if let Some(hint) = &finding.hint {
        text.push_str(&indent(&format!("next: {hint}"), 2, look));
    }
    text.push('\n');
    text
}

fn evidence(lines: &[String], look: Look) -> String {
    let bar = if look.unicode { "│" } else { "|" };
    lines.iter().flat_map(|line| line.lines()).map(|line| format!("  {}\n", look.paint(&format!("{bar} {line}"), DIM))).collect()
}

fn summary(findings: &[Finding], elapsed: Duration, look: Look) -> String {
    let counted = [
        (Verdict::Pass, "passed"),
        (Verdict::Fail, "failed"),
        (Verdict::Unknown, "unknown"),
        (Verdict::Warn, "warnings"),
        (Verdict::Skip, "skipped"),
    ];
    let count = |verdict| findings.iter().filter(|finding| finding.verdict == verdict).count();
    let parts = counted.iter().map(|(verdict, word)| (*verdict, *word, count(*verdict)));
    let parts = parts.filter(|(verdict, _, count)| *count > 0 || matches!(verdict, Verdict::Pass | Verdict::Fail));
    let parts: Vec<String> = parts
        .map(|(verdict, word, count)| {
            let text = format!("{count} {word}");
            if count > 0 { look.paint(&text, style_of(verdict)) } else { text }
        })
        .collect();
    format!("{} in {}\n", parts.join(", "), seconds(elapsed))
}

/// A duration as people read it.
pub(super) fn seconds(duration: Duration) -> String {
    match duration.as_secs() {
        0 => format!("{} ms", duration.as_millis()),
        1..60 => format!("{:.1} s", duration.as_secs_f64()),
        more => format!("{} min {} s", more / 60, more % 60),
    }
}

fn path_text(path: &[Finding], causes: &[Finding], look: Look) -> String {
    let row = |finding: &Finding| {
        let verdict = look.paint(&format!("{} {}", mark(finding.verdict, look), finding.verdict), style_of(finding.verdict));
        vec![verdict, finding.title.to_string(), finding.subject.clone(), finding.observed.clone()]
    };
    let mut text = table(&["RESULT", "STEP", "SUBJECT", "SEEN"], path.iter().map(row), look);
    text.push_str("\n\n");
    let broken = path.iter().find(|finding| finding.verdict == Verdict::Fail);
    let broken = broken.or_else(|| path.iter().find(|finding| finding.verdict == Verdict::Unknown));
    let Some(broken) = broken else {
        let _ = writeln!(text, "{} every step of the path works", look.paint(mark(Verdict::Pass, look), GREEN));
        return text;
    };
    let word = if broken.verdict == Verdict::Fail { "first broken link" } else { "first link that cannot be seen" };
    let _ = writeln!(text, "{}: {} ({}): {}\n", look.paint(word, BOLD), broken.title, broken.subject, broken.observed);
    for (index, cause) in causes.iter().enumerate() {
        let word = if index == 0 { "cause" } else { "also" };
        let _ = writeln!(text, "{}: {} {}", look.paint(word, BOLD), cause.title, look.paint(&format!("[{}]", cause.check), DIM));
        if !cause.observed.is_empty() {
            text.push_str(&indent(&format!("{}: {}", cause.subject, cause.observed), 2, look));
        }
        text.push_str(&evidence(&cause.evidence, look));
        if let Some(fix) = &cause.hint {
            text.push_str(&indent(&format!("fix: {fix}"), 2, look));
        }
        text.push('\n');
    }
    text
}

fn removed_text(removed: &Removed, elapsed: Duration, look: Look) -> String {
    let mut rows: Vec<Vec<String>> = Vec::new();
    for object in &removed.gone {
        rows.push(vec![object.to_string(), look.paint("gone", GREEN), String::new()]);
    }
    for (object, reason) in &removed.left {
        rows.push(vec![object.to_string(), look.paint("left", RED), reason.clone()]);
    }
    let mut text = String::new();
    if rows.is_empty() {
        text.push_str("there was nothing to remove\n");
    } else if removed.left.is_empty() {
        text.push_str(&table(&["OBJECT", "RESULT"], rows.into_iter().map(|mut row| row.drain(..2).collect()), look));
        text.push('\n');
    } else {
        text.push_str(&table(&["OBJECT", "RESULT", "REASON"], rows, look));
        text.push('\n');
    }
    text.push('\n');
    for line in &removed.proof {
        text.push_str(&indent(&format!("{} {line}", mark(Verdict::Pass, look)), 0, look));
    }
    for line in &removed.unseen {
        let line = format!("{} could not be looked at: {line}", mark(Verdict::Unknown, look));
        text.push_str(&look.paint(&indent(&line, 0, look), YELLOW));
    }
    let (gone, left) = (removed.gone.len(), removed.left.len());
    let _ = writeln!(text, "{gone} removed, {left} left in {}", seconds(elapsed));
    text
}

/// A paragraph, wrapped between words at the width.
fn indent(text: &str, by: usize, look: Look) -> String {
    let space = " ".repeat(by);
    let Some(width) = look.width else { return format!("{space}{text}\n") };
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        let start = lines.len() > 1;
        let Some(line) = lines.last_mut() else { break };
        let prefix = if start { by + 2 } else { by };
        if !line.is_empty() && prefix + line.chars().count() + 1 + word.chars().count() > width {
            lines.push(word.to_owned());
        } else {
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
    }
    let mut lines = lines.into_iter();
    let first = lines.next().unwrap_or_default();
    let rest: String = lines.map(|line| format!("{space}  {line}\n")).collect();
    format!("{space}{first}\n{rest}")
}

#[cfg(test)]
#[path = "text_tests.rs"]
mod tests;
