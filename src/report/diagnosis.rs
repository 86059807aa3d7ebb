//! What `troubleshoot` says to a person: the causes first, then what could not be seen, then the way step by step.

use std::fmt::Write;

use anstyle::Style;

use super::{
    Look, Report,
    table::table,
    text::{BOLD, DIM, GREEN, evidence, fix_text, mark, style_of, unknown},
    wrap::paragraph,
};
use crate::model::{Diagnosed, Finding, Verdict};

/// How much of the evidence and of what follows is shown where a person has not asked for all.
const SHOWN: usize = 4;

pub(super) fn text(report: &Report, path: &[Finding], look: Look) -> String {
    let all = report.shown.evidence;
    let mut text: String = report.causes.iter().enumerate().map(|(at, one)| cause(at, one, all, look)).collect();
    for finding in &report.unseen {
        text.push_str(&unknown(&format!("could not be seen: {}: {}", finding.subject, finding.observed), look));
        if let Some(hint) = &finding.hint {
            text.push_str(&paragraph(hint, 2, look.width));
        }
    }
    if !report.unseen.is_empty() {
        text.push('\n');
    }
    text.push_str(&walked(path, look));
    text.push_str("\n\n");
    text.push_str(&last(path, &report.causes, &report.unseen, look));
    text
}

fn cause(at: usize, cause: &Diagnosed, all: bool, look: Look) -> String {
    let word = if at == 0 { "cause" } else { "also" };
    let id = look.paint(&format!("[{}, {}]", cause.check, cause.component), DIM);
    let mut text = paragraph(&format!("{}: {} {id}", look.paint(word, BOLD), cause.title), 0, look.width);
    if !cause.observed.is_empty() {
        text.push_str(&paragraph(&format!("{}: {}", cause.subject, cause.observed), 2, look.width));
    }
    // The last words of a log count most.
    let skipped = if all { 0 } else { cause.evidence.len().saturating_sub(SHOWN) };
    text.push_str(&evidence(&cause.evidence[skipped..], look));
    if skipped > 0 {
        let _ = writeln!(text, "  {}", look.paint(&format!("and {skipped} more lines of evidence: --verbose"), DIM));
    }
    if let Some(fix) = &cause.hint {
        text.push_str(&fix_text(fix, look));
    }
    let shown = if all { cause.consequences.len() } else { cause.consequences.len().min(SHOWN) };
    if shown > 0 {
        let _ = writeln!(text, "  {}", look.paint("follows from it:", DIM));
    }
    let arrow = if look.unicode { "└" } else { "-" };
    for consequence in &cause.consequences[..shown] {
        let line = format!("{arrow} {} ({}): {}", consequence.title, consequence.subject, consequence.observed);
        text.push_str(&look.paint(paragraph(&line, 4, look.width).trim_end(), DIM));
        text.push('\n');
    }
    if shown < cause.consequences.len() {
        let _ = writeln!(text, "    {}", look.paint(&format!("and {} more: --verbose", cause.consequences.len() - shown), DIM));
    }
    text.push('\n');
    text
}

fn walked(path: &[Finding], look: Look) -> String {
    let row = |finding: &Finding| {
        let verdict = format!("{} {}", mark(finding.verdict, look), finding.verdict);
        vec![verdict, finding.title.to_string(), finding.subject.clone(), finding.observed.clone()]
    };
    let paint = |row: usize, column: usize| if column == 0 { style_of(path[row].verdict) } else { Style::new() };
    table(&["RESULT", "STEP", "SUBJECT", "SEEN"], path.iter().map(row).collect(), paint, look)
}

/// What it comes to, on the last lines, where a terminal shows it.
fn last(path: &[Finding], causes: &[Diagnosed], unseen: &[Finding], look: Look) -> String {
    let first = |verdict| path.iter().find(|finding| finding.verdict == verdict);
    let broken = first(Verdict::Fail).or_else(|| first(Verdict::Unknown));
    let mut text = String::new();
    match broken {
        Some(broken) => {
            let word = if broken.verdict == Verdict::Fail { "first broken link" } else { "first link that cannot be seen" };
            let line = format!("{}: {} ({}): {}", look.paint(word, BOLD), broken.title, broken.subject, broken.observed);
            text.push_str(&paragraph(&line, 0, look.width));
        }
        None if unseen.is_empty() => {
            let _ = writeln!(text, "{} every step of the path works", look.paint(mark(Verdict::Pass, look), GREEN));
        }
        None => text.push_str(&paragraph("every step of the path works, as far as it could be seen", 0, look.width)),
    }
    if let Some(cause) = causes.first() {
        let line = format!("{}: {} ({}); nsmctl explain {}", look.paint("cause", BOLD), cause.title, cause.subject, cause.check);
        text.push_str(&paragraph(&line, 0, look.width));
    }
    text
}
