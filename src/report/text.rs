use std::{io, time::Duration};

use anstyle::{AnsiColor, Style};

use super::{
    Format, ListedCheck, Report, diagnosis,
    diff::{diff, dry_run},
    explain, is_lively, short,
    table::table,
    topology,
    wrap::{ascii, paragraph, quoted},
};
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
const NARROWEST: usize = 20;

impl Look {
    /// What standard output can show.
    #[must_use]
    pub fn of_stdout() -> Self {
        let width = terminal_size::terminal_size_of(io::stdout()).map(|(terminal_size::Width(width), _)| usize::from(width).max(NARROWEST));
        Self { width, colour: is_lively(&io::stdout()), unicode: is_utf8() }
    }

    pub(super) fn paint(self, text: &str, style: Style) -> String {
        if self.colour && style != Style::new() { format!("{style}{text}{style:#}") } else { text.to_owned() }
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

pub(super) fn style_of(verdict: Verdict) -> Style {
    match verdict {
        Verdict::Pass => GREEN,
        Verdict::Skip => DIM,
        Verdict::Warn | Verdict::Unknown => YELLOW,
        Verdict::Fail => RED,
    }
}

pub(super) fn mark(verdict: Verdict, look: Look) -> &'static str {
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
pub(super) fn render(report: &Report, format: Format, look: Look) -> String {
    let judged = |findings: &[Finding]| match format {
        Format::Short => short::judged(findings),
        _ => findings_text(findings, report.elapsed(), look),
    };
    let mut text = String::new();
    if let Some(findings) = report.preflight.as_ref().filter(|findings| findings.iter().any(|finding| finding.verdict == Verdict::Fail)) {
        text.push_str(&judged(findings));
    }
    if let Some(differences) = &report.differences {
        text.push_str(&if report.shown.diff { diff(differences, look) } else { dry_run(differences, look) });
    }
    if let Some(checks) = &report.checks {
        text.push_str(&checks_text(checks, look));
    }
    if let Some(causes) = &report.explained {
        text.push_str(&if report.shown.evidence { explain::text(causes, look) } else { explain::list(causes, look) });
    }
    if let Some(status) = &report.status {
        text.push_str(&match format {
            Format::Short => super::status::short(status),
            _ if report.shown.topology => topology::text(status, look),
            _ => super::status::text(status, report.shown.phases, look),
        });
    }
    if let Some(metrics) = &report.metrics {
        text.push_str(&match format {
            Format::Short => super::metrics::short(metrics),
            _ => super::metrics::text(metrics, look),
        });
    }
    if let Some(findings) = &report.findings {
        text.push_str(&judged(findings));
    }
    if let Some(path) = &report.path {
        text.push_str(&match format {
            Format::Short => short::walked(path, &report.causes, &report.unseen),
            _ => diagnosis::text(report, path, look),
        });
    }
    if let Some(removed) = &report.removed {
        text.push_str(&match format {
            Format::Short => short::removed(removed, report.elapsed()),
            _ => removed_text(removed, report.elapsed(), look),
        });
    }
    if report.shown.timings && !report.timings.is_empty() {
        let parts: Vec<String> = report.timings.iter().map(|(phase, time)| format!("{phase} {}", seconds(*time))).collect();
        text.push_str(&paragraph(&parts.join(", "), 0, look.width));
    }
    readable(text, look)
}

/// In the characters that the terminal has.
pub(super) fn readable(text: String, look: Look) -> String {
    if look.unicode { text } else { ascii(&text) }
}

fn checks_text(checks: &[ListedCheck], look: Look) -> String {
    let row = |check: &ListedCheck| [check.id, check.title, check.subject, check.hint].map(str::to_owned).to_vec();
    let text = table(&["ID", "CHECK", "LOOKS AT", "WHEN IT FAILS"], checks.iter().map(row).collect(), |_, _| Style::new(), look);
    format!("{text}\n")
}

fn findings_text(findings: &[Finding], elapsed: Duration, look: Look) -> String {
    let row = |finding: &Finding| {
        let title = finding.title.to_string();
        vec![title, finding.subject.clone(), finding.expected.clone(), finding.observed.clone(), finding.verdict.to_string()]
    };
    let paint = |row: usize, column: usize| if column == 4 { style_of(findings[row].verdict) } else { Style::new() };
    let mut text = table(&["CHECK", "SUBJECT", "EXPECTED", "SEEN", "RESULT"], findings.iter().map(row).collect(), paint, look);
    text.push_str("\n\n");
    let documented: Vec<_> = findings.iter().filter_map(|finding| Some((finding, finding.documented.as_ref()?))).collect();
    if !documented.is_empty() {
        let note = "The example's document prints other values, which depend on the forwarder and are not judged:";
        text.push_str(&look.paint(&paragraph(note, 0, look.width), DIM));
        for (finding, value) in documented {
            let line = format!("{} of {}: {value}", finding.title, finding.subject);
            text.push_str(&look.paint(&paragraph(&line, 2, look.width), DIM));
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
pub(super) fn detail(finding: &Finding, look: Look) -> String {
    let style = style_of(finding.verdict);
    // Only the mark has the verdict's colour: as in `unknown`.
    let title = format!("{} {}", look.paint(mark(finding.verdict, look), style), look.paint(&finding.title, BOLD));
    let mut text = paragraph(&format!("{title} ({}): {}", finding.subject, finding.observed), 0, look.width);
    text.push_str(&evidence(&finding.evidence, look));
    if let Some(hint) = &finding.hint {
        text.push_str(&paragraph(&format!("next: {hint}"), 2, look.width));
    }
    text.push('\n');
    text
}

/// What is not known, and why. Only the mark is coloured: yellow words cannot be read on a light ground.
pub(super) fn unknown(what: &str, look: Look) -> String {
    paragraph(&format!("{} {what}", look.paint(mark(Verdict::Unknown, look), YELLOW)), 0, look.width)
}

pub(super) fn evidence(lines: &[String], look: Look) -> String {
    let bar = if look.unicode { "│" } else { "|" };
    let width = look.width.map(|width| width.saturating_sub(4));
    let lines = lines.iter().flat_map(|line| line.lines()).flat_map(|line| quoted(line, width));
    lines.map(|line| format!("  {}\n", look.paint(format!("{bar} {line}").trim_end(), DIM))).collect()
}

fn summary(findings: &[Finding], elapsed: Duration, look: Look) -> String {
    let shown = counts(findings).into_iter().filter(|(verdict, _, count)| *count > 0 || matches!(verdict, Verdict::Pass | Verdict::Fail));
    let parts: Vec<String> = shown
        .map(|(verdict, word, count)| {
            let word = if (word, count) == ("warnings", 1) { "warning" } else { word };
            let text = format!("{count} {word}");
            if count > 0 { look.paint(&text, style_of(verdict)) } else { text }
        })
        .collect();
    format!("{} in {}\n", parts.join(", "), seconds(elapsed))
}

/// How many findings there are of each verdict, and the word for them.
pub(super) fn counts(findings: &[Finding]) -> [(Verdict, &'static str, usize); 5] {
    let counted = [
        (Verdict::Pass, "passed"),
        (Verdict::Fail, "failed"),
        (Verdict::Unknown, "unknown"),
        (Verdict::Warn, "warnings"),
        (Verdict::Skip, "skipped"),
    ];
    counted.map(|(verdict, word)| (verdict, word, findings.iter().filter(|finding| finding.verdict == verdict).count()))
}

/// A duration as people read it.
pub(super) fn seconds(duration: Duration) -> String {
    match duration.as_secs() {
        0 => format!("{} ms", duration.as_millis()),
        1..60 => format!("{:.1} s", duration.as_secs_f64()),
        more => format!("{} min {} s", more / 60, more % 60),
    }
}

/// A fix: what it does, and the command on a line of its own that is never broken, so that it can be pasted.
pub(super) fn fix_text(fix: &str, look: Look) -> String {
    match fix.split_once("   # ") {
        Some((command, what)) => format!("{}    {command}\n", paragraph(&format!("fix ({what}):"), 2, look.width)),
        None => format!("  fix:\n    {fix}\n"),
    }
}

/// What a dry run of cleanup says.
fn would_text(removed: &Removed, elapsed: Duration, look: Look) -> String {
    let mut rows: Vec<Vec<String>> =
        removed.would.iter().map(|object| vec![object.to_string(), "would be removed".to_owned(), String::new()]).collect();
    rows.extend(removed.left.iter().map(|(object, reason)| vec![object.to_string(), "would stay".to_owned(), reason.clone()]));
    let columns = if removed.left.is_empty() { 2 } else { 3 };
    rows.iter_mut().for_each(|row| row.truncate(columns));
    let text = table(&["OBJECT", "RESULT", "REASON"][..columns], rows, |_, _| Style::new(), look);
    format!("{text}\n\n{}\n", removed_summary(removed, elapsed))
}

/// How much is gone and how much is left, or would be.
pub(super) fn removed_summary(removed: &Removed, elapsed: Duration) -> String {
    match removed.would.len() {
        0 => format!("{} removed, {} left in {}", removed.gone.len(), removed.left.len(), seconds(elapsed)),
        would => format!("{would} would be removed; nothing was"),
    }
}

fn removed_text(removed: &Removed, elapsed: Duration, look: Look) -> String {
    if !removed.would.is_empty() {
        return would_text(removed, elapsed, look);
    }
    let mut rows: Vec<Vec<String>> = removed.gone.iter().map(|object| vec![object.to_string(), "gone".to_owned()]).collect();
    rows.extend(removed.left.iter().map(|(object, reason)| vec![object.to_string(), "left".to_owned(), reason.clone()]));
    let paint = |row: usize, column: usize| match column {
        1 if row < removed.gone.len() => GREEN,
        1 => RED,
        _ => Style::new(),
    };
    let header: &[&str] = if removed.left.is_empty() { &["OBJECT", "RESULT"] } else { &["OBJECT", "RESULT", "REASON"] };
    let mut text = if rows.is_empty() { "there was nothing to remove".to_owned() } else { table(header, rows, paint, look) };
    text.push('\n');
    text.push('\n');
    for line in &removed.proof {
        text.push_str(&paragraph(&format!("{} {line}", mark(Verdict::Pass, look)), 0, look.width));
    }
    for line in &removed.unseen {
        text.push_str(&unknown(&format!("could not be looked at: {line}"), look));
    }
    text + &removed_summary(removed, elapsed) + "\n"
}

#[cfg(test)]
#[path = "text_tests.rs"]
mod tests;
