//! What a person who installs nsmctl has: its version, its names, its man pages.

use std::{
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::Command,
};

use nix::sys::signal::Signal;
use serde_json::Value;

use crate::program::{Place, Ran};

#[test]
fn the_version_tells_what_was_built() {
    let place = Place::new();
    let short = format!("nsmctl {}\n", env!("CARGO_PKG_VERSION"));
    for arguments in [["--version"], ["-V"]] {
        assert_eq!(place.run(&arguments).exits(0).stdout, short);
    }
    let long = place.run(&["--version", "-v"]).exits(0).stdout.clone();
    let lines: Vec<&str> = long.lines().collect();
    assert!(long.starts_with(&short) && lines.len() == 4, "{long}");
    assert!(lines[1].starts_with("commit ") && lines[2].starts_with("target ") && lines[3].starts_with("rustc  1."), "{long}");
    assert_eq!(place.run(&["version"]).exits(0).stdout, long);
    let json: Value = serde_json::from_str(&place.run(&["version", "-o", "json"]).exits(0).stdout).unwrap();
    assert_eq!(lines[1], format!("commit {}", json["commit"].as_str().unwrap()));
    // git itself is the witness, where there is a repository and git.
    let git = Command::new("git").args(["-C", env!("CARGO_MANIFEST_DIR"), "cat-file", "-t", json["commit"].as_str().unwrap()]).output();
    if let Some(git) = git.ok().filter(|git| git.status.success()) {
        assert_eq!(String::from_utf8_lossy(&git.stdout).trim(), "commit");
    }
}

#[test]
fn as_a_plugin_it_speaks_of_kubectl_nsm() {
    let place = Place::new();
    let plugin = place.path("kubectl-nsm");
    symlink(env!("CARGO_BIN_EXE_nsmctl"), &plugin).unwrap();
    let run = |arguments: &[&str]| Ran::new(Command::new(&plugin).args(arguments).env_clear().env("HOME", place.path("")).output().unwrap());
    let help = run(&["--help"]);
    assert!(help.exits(0).stdout.contains("Usage: kubectl nsm") && help.stdout.contains("\n  kubectl nsm deploy"), "{help:?}");
    run(&["verfy"]).exits(2).prints_nothing().says(&["'verify'", "Usage: kubectl nsm"]);
    run(&["verify", "--select", "adress"]).exits(2).says(&["next: did you mean address? kubectl nsm verify --list-checks names them all"]);
    let ran = run(&["explain", "nothing-like-it", "-o", "json"]);
    assert_eq!(ran.exits(2).json()["error"]["hint"], "`kubectl nsm explain --list` has their ids");
}

#[test]
fn every_man_page_is_written_and_well_formed() {
    let place = Place::new();
    let ran = place.run(&["man", "pages"]);
    let files: Vec<&str> = ran.exits(0).stdout.lines().collect();
    assert!(files.contains(&"pages/nsmctl.1") && files.contains(&"pages/nsmctl-manifests-rbac.1"), "{files:?}");
    for file in &files {
        let text = fs::read_to_string(place.path(file)).unwrap();
        assert!(text.contains("\n.SH \"EXIT STATUS\"\n") && text.contains("NSMCTL_RUNTIME_DIR"), "{file}");
        // A line that begins with a dot or an apostrophe is a request; these are those of man(7) that are used.
        let requests = text.lines().filter(|line| line.starts_with(['.', '\''])).map(|line| line.split(' ').next().unwrap_or_default());
        for request in requests {
            assert!(
                [".TH", ".SH", ".SS", ".TP", ".PP", ".RS", ".RE", ".EX", ".EE", ".IP", ".br", ".ie", ".el"].contains(&request),
                "{file}: {request}"
            );
        }
    }
}

#[test]
fn a_directory_that_cannot_be_made() {
    let place = Place::new();
    place.write("file", "");
    for (arguments, option) in [(&["man"][..], "DIR"), (&["manifests", "--out"], "--out")] {
        let refused = |dir: &str, why: &str| {
            let words = [&format!("error: {option} {dir} {why}"), "next: name a directory"];
            place.run(&[arguments, &[dir]].concat()).exits(1).prints_nothing().says(&words);
        };
        refused("file", "is a file");
        refused("file/below", "cannot be made: Not a directory");
        refused("/proc/x", "cannot be made: No such file or directory");
    }
}

/// The files and the folders without files below a directory.
fn leaves(dir: &Path) -> Vec<PathBuf> {
    let entries: Vec<PathBuf> = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()).collect();
    if entries.is_empty() {
        return vec![dir.to_owned()];
    }
    entries.into_iter().flat_map(|path| if path.is_dir() { leaves(&path) } else { vec![path] }).collect()
}

#[test]
fn what_lies_in_the_runtime_directory_is_documented() {
    let place = Place::new();
    place.run(&["deploy"]).exits(0);
    let documented: Vec<&str> = nsmctl::cli::FILES.iter().flat_map(|(names, _)| names.split(", ")).collect();
    let found = leaves(&place.runtime());
    for name in ["engine/engine.sock", "engine/engine.lock", "engine/engine.log", "engine/nsm/nsm.io.sock", "engine/spire/agent.sock"] {
        assert!(found.iter().any(|path| path.starts_with(place.runtime().join(name))), "{name}: {found:?}");
    }
    let missing = found.iter().filter(|path| !documented.iter().any(|name| path.starts_with(place.runtime().join(name))));
    assert_eq!(missing.collect::<Vec<_>>(), Vec::<&PathBuf>::new());
}

#[test]
#[ignore = "needs mandoc"]
fn mandoc_has_nothing_against_the_man_pages() {
    let place = Place::new();
    let ran = place.run(&["man", "pages"]);
    for file in ran.exits(0).stdout.lines() {
        let lint = Command::new("mandoc").args(["-T", "lint", "-W", "warning"]).arg(place.path(file)).output().expect("mandoc");
        let text = String::from_utf8_lossy(&lint.stdout);
        // The date is left out: a page is the same whenever it is made. Lists of values begin with one break too many.
        let found: Vec<&str> = text.lines().filter(|line| !line.contains("missing date") && !line.contains("skipping paragraph macro: br")).collect();
        assert!(found.is_empty(), "{found:#?}");
    }
}

#[test]
fn a_variable_that_is_empty_is_not_set() {
    let place = Place::new();
    for variable in ["NSMCTL_TARGET", "NSMCTL_TIMEOUT", "NSMCTL_OUTPUT"] {
        let output = place.command(&["manifests", "images"]).env(variable, "").output().unwrap();
        assert!(output.status.success(), "{variable}: {output:?}");
        let output = place.command(&["manifests", "images"]).env(variable, "nonsense").output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{variable}: {output:?}");
    }
}

#[test]
fn a_signal_that_comes_at_once_is_reported_too() {
    // However early: some of these come before anything listens, which used to end it without a word.
    for _ in 0..20 {
        let place = Place::new();
        let running = place.start(&["verify", "--target", "local", "--watch", "-o", "json"]);
        // From here on it is nsmctl that runs, and no more what starts it.
        let own = fs::canonicalize(env!("CARGO_BIN_EXE_nsmctl")).unwrap();
        let is_own = || fs::read_link(format!("/proc/{}/exe", running.pid())).is_ok_and(|path| path == own);
        let is_held = || fs::read_to_string(format!("/proc/{}/status", running.pid())).is_ok_and(|text| holds(&text, Signal::SIGINT));
        crate::program::eventually("nsmctl that runs", || is_own() && is_held() || !is_own());
        running.signal(Signal::SIGINT);
        running.end().exits(130).says(&["stopp"]);
    }
}

/// Whether a process blocks or catches a signal (proc_pid_status(5)).
fn holds(status: &str, signal: Signal) -> bool {
    let mask = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name))?;
        u64::from_str_radix(line.trim(), 16).ok()
    };
    let bit = 1_u64 << (signal as i32 - 1);
    [mask("SigBlk:"), mask("SigCgt:")].into_iter().flatten().any(|mask| mask & bit != 0)
}
