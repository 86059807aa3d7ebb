//! The phases of connections, for people: what happened in each, after how long, and what is protected.

use std::{fmt::Write, ops::RangeInclusive};

use jiff::Timestamp;

use super::{
    Look,
    status::age,
    text::{BOLD, DIM},
    wrap::{cell, paragraph},
};
use crate::model::{ConnectionPhases, ConnectionStatus, Known, Phase, PhaseName, PhaseStep, Security};

/// The columns of a step's time.
const TIME: usize = 11;

/// A phase with its steps, each with the time since the phase began.
pub(super) fn text(phase: &Phase, now: Timestamp, look: Look) -> String {
    let Phase { phase: name, subject, took_us, steps, security, .. } = phase;
    let title = format!("phase {}, {} of {subject}: {}", name.number(), name.title(), milliseconds(*took_us));
    let mut text = look.paint(paragraph(&title, 0, look.width).trim_end(), BOLD) + "\n";
    for PhaseStep { what, at_us, .. } in steps {
        let at = u64::try_from(*at_us).map_or_else(|_| "earlier".to_owned(), milliseconds);
        text.push_str(&step(&at, what, look));
    }
    for line in security.iter().flat_map(|security| protection(security, now)) {
        text.push_str(&step("", &line, look));
    }
    text
}

fn step(at: &str, what: &str, look: Look) -> String {
    let room = look.width.map_or(usize::MAX, |width| width.saturating_sub(TIME + 2).max(1));
    let mut text = String::new();
    for (number, line) in cell(what, room).lines().enumerate() {
        let at = if number == 0 { at } else { "" };
        let _ = writeln!(text, "{}  {line}", look.paint(&format!("{at:>TIME$}"), DIM));
    }
    text
}

/// What the manager has proved, until when the tokens hold, and what is not protected.
fn protection(security: &Security, now: Timestamp) -> [String; 3] {
    let tokens = match security.expires_at() {
        Some(end) if end > now => format!("the first of the tokens runs out in {}, and is refreshed before", age(now, end)),
        Some(end) => format!("the first of the tokens has run out {} ago", age(end, now)),
        None => "there are no tokens".to_owned(),
    };
    let manager = format!("both verified nsmgr as {}", security.manager);
    let carrier = &security.data_path.carrier;
    let packets = match security.data_path.encrypted {
        true => format!("data path: {carrier}, encrypted"),
        false => format!("data path: {carrier}, not encrypted; packets do not leave this machine"),
    };
    [manager, tokens, packets]
}

/// The phases of every connection of a status, a connection after the other.
pub(super) fn all(connections: &[ConnectionStatus], now: Timestamp, look: Look) -> String {
    let mut text = String::new();
    let mut reasons = Vec::new();
    for connection in connections {
        match &connection.phases {
            Known::Value(phases) => phases.iter().for_each(|phase| text.push_str(&self::text(phase, now, look))),
            // A reason that holds for all is told once.
            Known::Unknown(why) if reasons.contains(&why) => {}
            Known::Unknown(why) => reasons.push(why),
        }
    }
    for why in reasons {
        text.push_str(&look.paint(&paragraph(&format!("? phases: {why}"), 0, look.width), DIM));
    }
    text
}

/// How long each phase took, in one line: `phases of 3 connections: registration 2.10 ms, client request 0.52 ms to 1.30 ms, …`. Nothing
/// where there are none.
#[must_use]
pub fn summary(connections: &[&ConnectionPhases]) -> Option<String> {
    let of = match connections.len() {
        0 => return None,
        1 => "the connection".to_owned(),
        many => format!("{many} connections"),
    };
    let took = |name: PhaseName| {
        let all = || connections.iter().flat_map(|connection| &connection.phases).filter(|phase| phase.phase == name).map(|phase| phase.took_us);
        Some(format!("{} {}", name.title(), range(all().min()?..=all().max()?)))
    };
    let parts: Vec<String> = PhaseName::ALL.into_iter().filter_map(took).collect();
    Some(format!("phases of {of}: {}", parts.join(", ")))
}

fn range(times: RangeInclusive<u64>) -> String {
    let [least, most] = [*times.start(), *times.end()].map(milliseconds);
    if least == most { least } else { format!("{least} to {most}") }
}

/// A time of microseconds as people read it: `0.41 ms`, `12.3 ms`, `1.2 s`.
fn milliseconds(microseconds: u64) -> String {
    let (whole, rest) = (microseconds / 1000, microseconds % 1000);
    match whole {
        0..10 => format!("{whole}.{:02} ms", rest / 10),
        10..1000 => format!("{whole}.{} ms", rest / 100),
        1000..60_000 => format!("{}.{} s", whole / 1000, whole % 1000 / 100),
        _ => format!("{} min {} s", whole / 60_000, whole / 1000 % 60),
    }
}

#[cfg(test)]
#[path = "phases_tests.rs"]
pub(super) mod tests;
