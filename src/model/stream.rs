//! Logs of several containers as one.
//!
//! ```text
//!   container ──► stamped lines ──► Mark (what is new) ──┐
//!   container ──► stamped lines ──► Mark ────────────────┴──► merge, or Window while they come ──► lines in time order
//! ```

use std::time::{Duration, Instant};

use jiff::Timestamp;

use super::{Namespaced, Unavailable};

/// A container whose log is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogSource {
    /// What it does on the way of a connection: `client`, `endpoint`, `nsmgr`, `forwarder`, `engine`.
    pub role: &'static str,
    /// The pod.
    pub pod: Namespaced,
    /// The container.
    pub container: String,
    /// The node that the pod runs on.
    pub node: Option<String>,
}

impl LogSource {
    /// What its lines begin with. A pod of NSM's own is told by its node, which is what it is there for.
    #[must_use]
    pub fn tag(&self) -> String {
        let Self { role, pod, container, node } = self;
        match (*role, node) {
            ("client" | "endpoint", _) => format!("{role} {}/{container}", pod.name),
            (_, Some(node)) => format!("{role} {node}"),
            (_, None) => format!("{role} {}", pod.name),
        }
    }
}

impl std::fmt::Display for LogSource {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.role {
            "engine" => f.write_str("the engine of this machine"),
            _ => write!(f, "container {} of pod {}", self.container, self.pod),
        }
    }
}

/// How much of the logs is read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LogRange {
    /// At most so many lines of each log; `None` for all.
    pub tail: Option<u32>,
    /// Only what was logged within this time before now.
    pub since: Option<Duration>,
}

/// A line of a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogLine {
    /// When it was logged; `None` where it does not say.
    pub time: Option<Timestamp>,
    /// Which of the sources logged it, by its place in their list.
    pub source: usize,
    /// What it says, without the time of the server.
    pub text: String,
}

/// What happens while logs are followed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum News {
    /// A line was logged.
    Line(LogLine),
    /// A log cannot be read now; it is tried again unless the reason is one that stays.
    Trouble(usize, Unavailable),
    /// There is no more to come from a source, for this reason.
    Ended(usize, String),
}

/// Splits the stamp off a line of a log that was asked for with stamps (RFC 3339, then a space).
#[must_use]
pub fn stamped(line: &str) -> (Option<Timestamp>, &str) {
    let line = line.trim_end_matches(['\n', '\r']);
    match line.split_once(' ') {
        Some((stamp, text)) => stamp.parse().map_or((None, line), |time| (Some(time), text)),
        // An empty line has no space behind its stamp.
        None => line.parse().map_or((None, line), |time| (Some(time), "")),
    }
}

/// The lines of a log that was asked for with stamps. A line without one is of the time of the line before it.
#[must_use]
pub fn read_stamped(source: usize, text: &str) -> Vec<LogLine> {
    let mut last = None;
    let line = |line: &str| {
        let (time, text) = stamped(line);
        last = time.or(last);
        LogLine { time: last, source, text: text.to_owned() }
    };
    text.lines().map(line).collect()
}

/// Lines of several logs in the order of their times; those of one time, and those of none, stay as they are.
#[must_use]
pub fn merge(logs: Vec<Vec<LogLine>>) -> Vec<LogLine> {
    let mut lines: Vec<LogLine> = logs.into_iter().flatten().collect();
    lines.sort_by_key(|line| line.time);
    lines
}

/// Up to where a log was read, so that of what is read again from there only the new is taken.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Mark {
    last: Option<Timestamp>,
    /// How many lines had that time.
    count: usize,
    /// How many of them are still to come again; `None` where nothing is read again.
    again: Option<usize>,
}

impl Mark {
    /// Behind these lines.
    #[must_use]
    pub fn behind(lines: &[LogLine]) -> Self {
        let mut mark = Self::default();
        for line in lines {
            mark.takes(line.time);
        }
        mark
    }

    /// From when on to read again. Servers take whole seconds.
    #[must_use]
    pub fn since(&self) -> Option<Timestamp> {
        self.last.and_then(|last| Timestamp::from_second(last.as_second()).ok())
    }

    /// The log is read again.
    pub fn read_again(&mut self) {
        self.again = self.last.map(|_| self.count);
    }

    /// Whether the next line is a new one.
    pub fn takes(&mut self, time: Option<Timestamp>) -> bool {
        let Some(time) = time else { return self.again.is_none() };
        if let (Some(left), Some(last)) = (self.again, self.last) {
            if time < last {
                return false;
            }
            if time == last && left > 0 {
                self.again = Some(left - 1);
                return false;
            }
            self.again = None;
        }
        // Two streams of one container may overtake each other by a little: such a line is new all the same.
        if self.last.is_none_or(|last| last < time) {
            (self.last, self.count) = (Some(time), 0);
        }
        self.count += usize::from(self.last == Some(time));
        true
    }
}

/// Holds lines back for a moment, so that one that comes a little later and was logged earlier goes before them.
#[derive(Debug)]
pub struct Window {
    wait: Duration,
    lines: Vec<(Instant, LogLine)>,
}

impl Window {
    /// A window of that length.
    #[must_use]
    pub fn new(wait: Duration) -> Self {
        Self { wait, lines: Vec::new() }
    }

    /// A line has come.
    pub fn push(&mut self, now: Instant, line: LogLine) {
        self.lines.push((now, line));
    }

    /// When the next line has waited long enough.
    #[must_use]
    pub fn due(&self) -> Option<Instant> {
        self.lines.first().map(|(come, _)| *come + self.wait)
    }

    /// The lines that have waited long enough, and those that were logged before them.
    pub fn take(&mut self, now: Instant) -> Vec<LogLine> {
        let due = self.lines.iter().filter(|(come, _)| *come + self.wait <= now);
        let Some(until) = due.map(|(_, line)| line.time).max() else { return Vec::new() };
        let (taken, kept) = std::mem::take(&mut self.lines).into_iter().partition(|(_, line)| line.time <= until);
        self.lines = kept;
        let taken: Vec<(Instant, LogLine)> = taken;
        merge(vec![taken.into_iter().map(|(_, line)| line).collect()])
    }

    /// All that is left.
    #[must_use]
    pub fn rest(self) -> Vec<LogLine> {
        merge(vec![self.lines.into_iter().map(|(_, line)| line).collect()])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn time(text: &str) -> Option<Timestamp> {
        Some(format!("2026-01-01T00:00:{text}Z").parse().unwrap())
    }

    fn line(source: usize, at: &str, text: &str) -> LogLine {
        LogLine { time: time(at), source, text: text.to_owned() }
    }

    fn texts(lines: &[LogLine]) -> Vec<&str> {
        lines.iter().map(|line| line.text.as_str()).collect()
    }

    #[test]
    fn stamps_are_split_off() {
        assert_eq!(stamped("2026-01-01T00:00:01.5Z a b\r\n"), (time("01.5"), "a b"));
        assert_eq!(stamped("2026-01-01T00:00:01Z"), (time("01"), ""));
        assert_eq!(stamped("2026-01-01T02:00:01.000000001+02:00  x"), (time("01.000000001"), " x"));
        assert_eq!(stamped("no stamp"), (None, "no stamp"));
    }

    #[test]
    fn a_line_without_a_stamp_stays_behind_its_neighbour() {
        let lines = read_stamped(1, "2026-01-01T00:00:02Z panic\n  at x\n2026-01-01T00:00:03Z b\n");
        assert_eq!(lines, [line(1, "02", "panic"), line(1, "02", "  at x"), line(1, "03", "b")]);
    }

    #[test]
    fn logs_are_merged_by_time() {
        let merged =
            merge(vec![vec![line(0, "01", "a"), line(0, "03", "d")], vec![line(1, "02", "b"), line(1, "03", "e")], vec![line(2, "02", "c")]]);
        assert_eq!(texts(&merged), ["a", "b", "c", "d", "e"]);
    }

    #[test]
    fn what_is_read_again_is_not_taken_again() {
        let seen = [line(0, "01", "a"), line(0, "02.5", "b"), line(0, "02.5", "c")];
        let mut mark = Mark::behind(&seen);
        assert_eq!(mark.since(), time("02"));
        mark.read_again();
        let again = ["02.1", "02.5", "02.5", "02.5", "02.4", "03"].map(|at| mark.takes(time(at)));
        assert_eq!(again, [false, false, false, true, true, true], "a third line of that time is new, and so is all behind it");
        mark.read_again();
        assert_eq!([mark.takes(time("03")), mark.takes(None), mark.takes(time("04")), mark.takes(None)], [false, false, true, true]);
    }

    #[test]
    fn a_log_without_lines_is_read_from_its_beginning() {
        let mut mark = Mark::behind(&[]);
        mark.read_again();
        assert_eq!((mark.since(), mark.takes(time("01"))), (None, true));
    }

    #[test]
    fn a_line_that_comes_late_goes_before_those_that_wait() {
        let begin = Instant::now();
        let at = |ms| begin + Duration::from_millis(ms);
        let mut window = Window::new(Duration::from_millis(200));
        window.push(at(0), line(0, "02", "second"));
        window.push(at(150), line(1, "01", "first"));
        window.push(at(160), line(1, "03", "third"));
        assert_eq!(window.due(), Some(at(200)));
        assert!(window.take(at(199)).is_empty());
        assert_eq!(texts(&window.take(at(200))), ["first", "second"]);
        assert_eq!(window.due(), Some(at(360)));
        assert_eq!(texts(&window.rest()), ["third"]);
    }

    #[test]
    fn tags_say_what_a_container_is_for() {
        let source = |role, node: Option<&str>| LogSource {
            role,
            pod: Namespaced::new("ns", "alpine"),
            container: "cmd-nsc".to_owned(),
            node: node.map(str::to_owned),
        };
        assert_eq!(source("client", Some("n")).tag(), "client alpine/cmd-nsc");
        assert_eq!(source("nsmgr", Some("n")).tag(), "nsmgr n");
        assert_eq!(source("engine", None).tag(), "engine alpine");
    }
}
