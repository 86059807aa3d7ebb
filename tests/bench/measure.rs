//! What a program costs, and the middle of several times.

use std::{
    env,
    ffi::OsString,
    path::PathBuf,
    process::{Command, Output, Stdio},
    time::{Duration, Instant},
};

use nix::sys::{
    resource::{UsageWho, getrusage},
    time::TimeValLike,
};

/// What one run cost.
#[derive(Clone, Copy)]
pub(crate) struct Cost {
    pub(crate) wall: Duration,
    pub(crate) cpu: Duration,
}

/// A real cluster, and a place to run programs against it.
pub(crate) struct Bench {
    kubeconfig: PathBuf,
    path: OsString,
    pub(crate) home: tempfile::TempDir,
}

/// The value of an environment variable that must be there.
pub(crate) fn named(name: &str, what: &str) -> PathBuf {
    PathBuf::from(env::var_os(name).unwrap_or_else(|| panic!("{name} must name {what}")))
}

/// The number that an environment variable says.
pub(crate) fn number(name: &str) -> Option<usize> {
    env::var(name).ok().and_then(|text| text.parse().ok())
}

impl Bench {
    pub(crate) fn new() -> Self {
        let path = env::var_os("PATH").unwrap_or_default();
        let bin = env::var_os("NSMCTL_E2E_BIN").map(PathBuf::from);
        let path = env::join_paths(bin.into_iter().chain(env::split_paths(&path))).expect("a PATH");
        Self { kubeconfig: named("NSMCTL_E2E_KUBECONFIG", "a kubeconfig"), path, home: tempfile::tempdir().expect("a directory") }
    }

    /// Runs a program to its end, which must be a good one.
    pub(crate) fn run(&self, command: Command) -> Cost {
        self.output(command).0
    }

    pub(crate) fn output(&self, mut command: Command) -> (Cost, Vec<u8>) {
        let (cost, output) = self.attempt(&mut command);
        let told = || [&*output.stdout, &*output.stderr].map(|text| String::from_utf8_lossy(text).into_owned()).concat();
        assert!(output.status.success(), "{command:?}: {}", told());
        (cost, output.stdout)
    }

    /// Runs a program to its end, whatever that is.
    pub(crate) fn attempt(&self, command: &mut Command) -> (Cost, Output) {
        attempt(command.env("KUBECONFIG", &self.kubeconfig).env("PATH", &self.path).env("NSMCTL_RUNTIME_DIR", self.home.path().join("run")))
    }
}

/// Runs a program to its end, whatever that is, and tells what it cost.
pub(crate) fn attempt(command: &mut Command) -> (Cost, Output) {
    let used = || {
        let usage = getrusage(UsageWho::RUSAGE_CHILDREN).expect("usage");
        let micros = (usage.user_time().num_microseconds() + usage.system_time().num_microseconds()).unsigned_abs();
        Duration::from_micros(micros)
    };
    let (cpu, begun) = (used(), Instant::now());
    let output = command.stdin(Stdio::null()).output().expect("the program");
    (Cost { wall: begun.elapsed(), cpu: used() - cpu }, output)
}

/// Whether a goal is met, in a word.
pub(crate) fn met(met: bool) -> &'static str {
    if met { "met" } else { "MISSED" }
}

/// The median, the least and the most.
pub(crate) fn median(mut values: Vec<f64>) -> (f64, f64, f64) {
    values.sort_by(f64::total_cmp);
    (values[values.len() / 2], values[0], values[values.len() - 1])
}
