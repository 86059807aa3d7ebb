use std::{
    fmt::Write as _,
    io::{self, IsTerminal, Write as _},
};

use anstyle::{AnsiColor, Style};
use serde::Serialize;

use super::{Format, is_lively, screen::harmless};
use crate::model::{LogLine, LogSource};

/// How the lines of logs are shown.
#[derive(Debug, Clone)]
pub struct LogView {
    /// Whose lines they are.
    pub sources: Vec<LogSource>,
    /// Whether each is a JSON object.
    pub format: Format,
    /// Whether it is said who logged a line.
    pub prefix: bool,
    /// Whether that is coloured.
    pub colour: bool,
    /// Whether a terminal reads it, which takes some characters for orders.
    pub terminal: bool,
}

/// A line for programs.
#[derive(Serialize)]
struct Line<'a> {
    time: Option<String>,
    role: &'a str,
    pod: &'a str,
    container: &'a str,
    node: Option<&'a str>,
    line: &'a str,
}

impl LogView {
    /// What standard output can show.
    #[must_use]
    pub fn of_stdout(sources: Vec<LogSource>, format: Format, prefix: bool) -> Self {
        let stdout = io::stdout();
        Self { sources, format, prefix, colour: is_lively(&stdout), terminal: stdout.is_terminal() }
    }

    /// The lines as text.
    #[must_use]
    pub fn render(&self, lines: &[LogLine]) -> String {
        let tags: Vec<String> = self.sources.iter().map(LogSource::tag).collect();
        let width = tags.iter().map(|tag| tag.chars().count()).max().unwrap_or(0);
        let mut text = String::new();
        for line in lines {
            let Some((source, tag)) = self.sources.get(line.source).zip(tags.get(line.source)) else { continue };
            match self.format {
                Format::Json => text.push_str(&json(source, line)),
                Format::Table | Format::Short | Format::Junit | Format::Dot | Format::Mermaid | Format::Prometheus => {
                    if self.prefix {
                        let style = if self.colour { style(source.role) } else { Style::new() };
                        // Writing to a string does not fail.
                        let _ = write!(text, "{style}{tag:<width$}{style:#}  ");
                    }
                    text.push_str(&if self.terminal { harmless(&line.text) } else { line.text.clone() });
                }
            }
            text.push('\n');
        }
        text
    }
}

fn json(source: &LogSource, line: &LogLine) -> String {
    let line = Line {
        time: line.time.map(|time| time.to_string()),
        role: source.role,
        pod: &source.pod.name,
        container: &source.container,
        node: source.node.as_deref(),
        line: &line.text,
    };
    // What is made of strings only has a form in JSON.
    serde_json::to_string(&line).unwrap_or_default()
}

fn style(role: &str) -> Style {
    let colour = match role {
        "client" => AnsiColor::Cyan,
        "endpoint" => AnsiColor::Green,
        "nsmgr" => AnsiColor::Yellow,
        "forwarder" => AnsiColor::Magenta,
        _ => AnsiColor::Blue,
    };
    colour.on_default()
}

/// Writes lines on standard output; `false` where nobody reads them any more.
///
/// # Errors
/// Standard output cannot be written to.
pub fn write_lines(text: &str) -> io::Result<bool> {
    let mut output = io::stdout().lock();
    match output.write_all(text.as_bytes()).and_then(|()| output.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(false),
        result => result.map(|()| true),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Namespaced;

    fn view() -> LogView {
        let source = |role, pod: &str, container: &str| LogSource {
            role,
            pod: Namespaced::new("ns", pod),
            container: container.to_owned(),
            node: Some("node-1".to_owned()),
        };
        let sources = vec![source("client", "alpine", "cmd-nsc"), source("nsmgr", "nsmgr-x", "nsmgr")];
        LogView { sources, format: Format::Table, prefix: true, colour: false, terminal: false }
    }

    fn line(source: usize, text: &str) -> LogLine {
        LogLine { time: Some("2026-01-01T00:00:01.5Z".parse().unwrap()), source, text: text.to_owned() }
    }

    #[test]
    fn tags_are_aligned() {
        let text = view().render(&[line(0, "one"), line(1, "two")]);
        assert_eq!(text, "client alpine/cmd-nsc  one\nnsmgr node-1           two\n");
        assert_eq!(LogView { prefix: false, ..view() }.render(&[line(0, "one")]), "one\n");
    }

    #[test]
    fn a_terminal_is_not_given_orders_by_a_log() {
        let text = "\u{1b}]0;x\u{7}a\tb\u{9b}2J";
        let shown = LogView { terminal: true, colour: true, ..view() }.render(&[line(1, text)]);
        assert_eq!(shown, "\u{1b}[33mnsmgr node-1         \u{1b}[0m  \\u{1b}]0;x\\u{7}a\tb\\u{9b}2J\n");
        let piped = LogView { prefix: false, ..view() }.render(&[line(1, text)]);
        assert_eq!(piped, format!("{text}\n"), "a program gets what was logged");
    }

    #[test]
    fn a_program_gets_an_object_a_line() {
        let text = LogView { format: Format::Json, ..view() }.render(&[line(1, "a \"b\"")]);
        let expected = r#"{"time":"2026-01-01T00:00:01.5Z","role":"nsmgr","pod":"nsmgr-x","container":"nsmgr","node":"node-1","line":"a \"b\""}"#;
        assert_eq!(text, format!("{expected}\n"));
    }
}
