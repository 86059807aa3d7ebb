//! What a command came to, in the words of people and of programs. The only place that prints.
//!
//! ```text
//!   Event ───► Progress ───────────────────► stderr          while it works: a line an object
//!   Report ──► text, json or junit (pure) ──► stdout, files   once, at the end
//!         └──► annotations (pure) ──────────► stderr          for GitHub's log
//!   LogLine ─► LogView (pure) ─────────────► stdout          as they come
//!   Failure ─► Progress::error ─────────────► stderr
//! ```
//!
//! # Decisions
//!
//! - **A report is one value with many forms.** Table, lines, JSON and JUnit are pure functions of `Report`; its JSON Schema is made from the
//!   types that are written, so that it cannot drift, and files are written beside their place and then put there. Whether they can be is
//!   seen before anything is done. What `--select` and `--skip` leave out is taken out of the findings, not out of the checks, and leaves a
//!   finding that says so.

mod annotations;
mod changes;
mod diagnosis;
mod diff;
mod document;
mod explain;
mod file;
mod graph;
mod json;
mod junit;
mod logs;
mod metrics;
mod phases;
mod progress;
mod screen;
mod short;
mod status;
mod table;
mod text;
mod topology;
mod wrap;

use std::{
    ffi::OsStr,
    io::{self, IsTerminal, Write},
    path::Path,
};

pub use annotations::annotations;
pub use changes::Change;
pub use document::{Explained, ListedCheck, Report, Shown, TargetInfo};
pub use file::{FileError, check_writable, save_private};
pub use json::{SCHEMA_VERSION, schema};
pub use logs::{LogView, write_lines};
pub use metrics::{documents, print_text};
pub use phases::summary;
pub use progress::Progress;
pub use status::{is_redrawn, redraw, told};
pub use text::Look;

/// The form of a report.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Format {
    /// A table for people.
    #[default]
    Table,
    /// A line for each finding that is not as promised.
    Short,
    /// One JSON document.
    Json,
    /// JUnit's XML.
    Junit,
    /// A graph in graphviz's language.
    Dot,
    /// A graph in Mermaid's language.
    Mermaid,
    /// Prometheus' text.
    Prometheus,
}

/// Prints a report on standard output, all of it or, where nobody reads it to the end, as much as is wanted.
///
/// # Errors
/// Standard output cannot be written to, for another reason than that its reader has gone.
pub fn print(report: &Report, format: Format) -> io::Result<()> {
    match &report.text {
        Some(text) => write_out(text),
        None => write_out(&render(report, format)),
    }
}

/// Writes a report into a file, whole or not at all.
///
/// # Errors
/// The file cannot be written.
pub fn save(report: &Report, format: Format, path: &Path) -> Result<(), FileError> {
    file::write(path, &render(report, format))
}

fn render(report: &Report, format: Format) -> String {
    match format {
        Format::Table | Format::Short => screen::harmless_but_for_styles(&text::render(report, format, Look::of_stdout())),
        Format::Json => json::render(report),
        Format::Junit => junit::render(report),
        Format::Prometheus => report.metrics.as_ref().map(metrics::prometheus).unwrap_or_default(),
        Format::Dot => report.status.as_ref().map(graph::dot).unwrap_or_default(),
        Format::Mermaid => report.status.as_ref().map(graph::mermaid).unwrap_or_default(),
    }
}

/// Prints what has changed just now, a line a change.
///
/// # Errors
/// As [`print()`], and that the reader has gone: whoever watches for nobody is done.
pub fn print_changes(changes: &[Change], format: Format) -> io::Result<()> {
    let text = screen::harmless_but_for_styles(&changes::render(changes, format, Look::of_stdout(), &jiff::Zoned::now()));
    let mut output = anstream::stdout().lock();
    output.write_all(text.as_bytes()).and_then(|()| output.flush())
}

/// Prints a text on standard output: help, the version.
///
/// # Errors
/// As [`print()`].
pub fn write_out(text: &str) -> io::Result<()> {
    // Takes the colours out where they are not wanted: no terminal, NO_COLOR, TERM=dumb.
    let mut output = anstream::stdout().lock();
    match output.write_all(text.as_bytes()).and_then(|()| output.flush()) {
        // `| head` has read enough. What was found stays found, so the exit code stays as well.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        result => result,
    }
}

/// Prints a line on standard error: for what happens before there is a report.
pub fn complain(text: &str) {
    // Whoever closed it does not want to hear.
    let _ = writeln!(anstream::stderr().lock(), "{}", screen::harmless_but_for_styles(text));
}

/// Whether nobody sits before it: the variable that every CI system sets, and whose `false` some tools set to say the opposite.
fn is_ci(value: Option<&OsStr>) -> bool {
    value.is_some_and(|value| !value.is_empty() && value != "false")
}

/// Whether a stream is a terminal on which lines may be drawn over and coloured.
fn is_lively(stream: &impl IsTerminal) -> bool {
    let set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    stream.is_terminal() && !set("NO_COLOR") && std::env::var_os("TERM").is_none_or(|term| term != "dumb")
}

#[cfg(test)]
mod golden_tests;
#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_terminal_is_not_given_orders_by_a_pod() {
        let mut report = Report::new("verify");
        let said = "\u{1b}]0;owned\u{7}";
        let evidence = vec![format!("$ ping\n{said}")];
        let finding = crate::model::Finding::new("ping-endpoint", "ping", "a pod", crate::model::Verdict::Fail, "a reply", said);
        report.findings = Some(vec![crate::model::Finding { evidence, ..finding }]);
        for format in [Format::Table, Format::Short] {
            let text = render(&report, format);
            assert!(text.contains("owned") && !text.contains('\u{7}') && !text.contains("\u{1b}]"), "{text:?}");
        }
    }

    #[test]
    fn ci_is_any_value_but_none_and_false() {
        let values = [None, Some(""), Some("false"), Some("true"), Some("1")].map(|value| is_ci(value.map(OsStr::new)));
        assert_eq!(values, [false, false, false, true, true]);
    }
}
