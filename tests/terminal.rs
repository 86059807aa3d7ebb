//! What a terminal is shown, by `script` of util-linux, which gives a program a terminal of its own.

use std::{
    io::{Read, Write},
    process::{Command, Stdio},
};

use crate::{
    program::Place,
    scripted::{Cluster, silence},
};

/// What nsmctl writes to a terminal of 80 columns, both streams together.
fn on_a_terminal(place: &Place, arguments: &str, environment: &[(&str, &str)]) -> String {
    let program = env!("CARGO_BIN_EXE_nsmctl");
    let mut script = Command::new("script");
    script.args(["-qec", &format!("stty cols 80 rows 24; {program} {arguments}"), "/dev/null"]).env_clear();
    script.env("HOME", place.path("")).env("NSMCTL_RUNTIME_DIR", place.runtime()).env("PATH", std::env::var_os("PATH").unwrap());
    let output = script.envs(environment.iter().copied()).output().expect("script of util-linux, which is this test's terminal");
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).expect("UTF-8")
}

/// The text without the sequences that colour it or move the cursor (ECMA-48).
fn plain(text: &str) -> String {
    let mut plain = String::new();
    let mut rest = text.chars();
    while let Some(c) = rest.next() {
        if c == '\u{1b}' {
            // CSI: up to its final byte.
            for c in rest.by_ref().skip(1) {
                if ('@'..='~').contains(&c) {
                    break;
                }
            }
        } else {
            plain.push(c);
        }
    }
    plain
}

#[test]
fn a_terminal_is_shown_colours_and_progress_within_its_width() {
    let place = Place::new();
    let text = on_a_terminal(&place, "deploy", &[("TERM", "xterm")]);
    assert!(text.contains("\u{1b}[32mpass\u{1b}[0m"), "{text:?}");
    let plain = plain(&text);
    let table = plain.split("CHECK").nth(1).expect("a table");
    for line in table.lines() {
        assert!(line.trim_end().chars().count() <= 80, "{line:?}");
    }
    // Each object keeps one line.
    let last = plain.rfind("✓ Namespace ns-kernel2kernel created").expect("a line for the namespace");
    assert!(plain[last..].contains("✓ Pod ns-kernel2kernel/alpine ready after"), "{plain}");
}

#[test]
fn no_colour_and_no_bars_where_they_are_not_wanted() {
    for variable in [("NO_COLOR", "1"), ("TERM", "dumb")] {
        let place = Place::new();
        let environment = if variable.0 == "TERM" { vec![variable] } else { vec![("TERM", "xterm"), variable] };
        let text = on_a_terminal(&place, "deploy", &environment);
        assert!(!text.contains('\u{1b}'), "{variable:?}: {text:?}");
        assert!(text.contains("Pod ns-kernel2kernel/alpine: ready after") && text.contains("16 passed, 0 failed"), "{text}");
    }
}

#[test]
fn a_locale_without_unicode_is_shown_ascii() {
    let place = Place::new();
    let text = on_a_terminal(&place, "deploy", &[("TERM", "xterm"), ("LC_ALL", "C")]);
    let beyond: String = text.chars().filter(|c| !c.is_ascii()).collect();
    assert_eq!(beyond, "", "{text}");
    let rows: Vec<&str> = text.lines().filter(|line| line.starts_with("address ") || line.starts_with("ping client ->")).collect();
    let columns: Vec<Option<usize>> = rows.iter().map(|row| row.find("nse-").or_else(|| row.find("alpine"))).collect();
    assert!(columns.len() > 1 && columns.windows(2).all(|pair| pair[0] == pair[1]), "the columns stand below each other: {rows:#?}");
}

#[test]
fn a_ci_system_with_a_terminal_gets_plain_lines() {
    let place = Place::new();
    let text = on_a_terminal(&place, "deploy", &[("TERM", "xterm"), ("CI", "true")]);
    assert!(text.contains("Pod ns-kernel2kernel/alpine: ready after") && !text.contains("\u{1b}[1A") && !text.contains("\u{1b}[2K"), "{text:?}");
}

#[test]
fn ctrl_c_moves_no_line_that_is_drawn_over() {
    let place = Place::new();
    // Nothing becomes ready, so that lines are drawn over until somebody has seen enough.
    let cluster = Cluster::new(|method, _| (method == "WATCH").then(silence));
    place.kubeconfig(&cluster.url());
    let mut script = Command::new("script");
    let line = format!("stty cols 80 rows 24; {} deploy --skip-preflight", env!("CARGO_BIN_EXE_nsmctl"));
    script.args(["-qec", &line, "/dev/null"]).env_clear().env("TERM", "xterm").env("PATH", std::env::var_os("PATH").unwrap());
    script.env("HOME", place.path("")).env("NSMCTL_RUNTIME_DIR", place.runtime()).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = script.spawn().expect("script of util-linux, which is this test's terminal");
    let (mut keys, mut screen) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
    let mut seen = Vec::new();
    let mut buffer = [0; 4096];
    let mut pressed = false;
    loop {
        let read = screen.read(&mut buffer).unwrap_or_default();
        if read == 0 {
            break;
        }
        seen.extend_from_slice(&buffer[..read]);
        if !pressed && String::from_utf8_lossy(&seen).contains("nse-kernel") {
            keys.write_all(b"\x03").unwrap();
            pressed = true;
        }
    }
    assert_eq!(child.wait().unwrap().code(), Some(130));
    let text = String::from_utf8_lossy(&seen);
    // What the terminal writes itself would be behind the end of the last line, which is on the next one.
    assert!(pressed && text.contains("stopping") && !text.contains("^C"), "{text:?}");
}
