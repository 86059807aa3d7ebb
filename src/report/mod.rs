//! What a command came to, in the words of people and of programs. The only place that prints.
//!
//! ```text
//!   Event ───► Progress ──────────► stderr   while it works: a line an object
//!   Report ──► text or json (pure) ► stdout   once, at the end
//!   LogLine ─► LogView (pure) ──────► stdout   as they come
//!   Failure ─► Progress::error ────► stderr
//! ```

mod diff;
mod document;
mod json;
mod logs;
mod progress;
mod table;
mod text;
mod wrap;

use std::io::{self, IsTerminal, Write};

pub use document::{Report, Shown, TargetInfo};
pub use json::SCHEMA_VERSION;
pub use logs::{LogView, write_lines};
pub use progress::Progress;
pub use text::Look;

/// The form of a report.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Format {
    /// A table for people.
    #[default]
    Table,
    /// One JSON document.
    Json,
}

/// Prints a report on standard output, all of it or, where nobody reads it to the end, as much as is wanted.
///
/// # Errors
/// Standard output cannot be written to, for another reason than that its reader has gone.
pub fn print(report: &Report, format: Format) -> io::Result<()> {
    match (&report.text, format) {
        (Some(text), _) => write_out(text),
        (None, Format::Json) => write_out(&json::render(report)),
        (None, Format::Table) => write_out(&text::render(report, Look::of_stdout())),
    }
}

/// Prints a text on standard output: help, the version.
///
/// # Errors
/// As [`print`].
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
    let _ = writeln!(anstream::stderr().lock(), "{text}");
}

/// Whether a stream is a terminal on which lines may be drawn over and coloured.
fn is_lively(stream: &impl IsTerminal) -> bool {
    let set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    stream.is_terminal() && !set("NO_COLOR") && std::env::var_os("TERM").is_none_or(|term| term != "dumb")
}
