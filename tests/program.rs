//! The program as its users run it: its own directories, no kubeconfig, and all that it prints.

use std::{
    ffi::OsStr,
    fmt, fs,
    io::{Read, Write},
    net::TcpListener,
    os::unix::net::UnixStream,
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    time::{Duration, Instant},
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use serde_json::Value;
use tempfile::TempDir;

/// A place of its own to run nsmctl in: a home without a kubeconfig, and a runtime directory that is ended with the test.
pub(crate) struct Place {
    dir: TempDir,
}

/// What a run left behind.
pub(crate) struct Ran {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// How many of the last lines say why a run did not end as it should: a summary of many failures has room for so many.
const LAST_LINES: usize = 15;

/// Line by line, each with where it was printed.
impl fmt::Debug for Ran {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.lines(f, usize::MAX)
    }
}

/// Only what it printed last.
struct Last<'a>(&'a Ran);

impl fmt::Display for Last<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.lines(f, LAST_LINES)
    }
}

impl Ran {
    fn lines(&self, f: &mut fmt::Formatter<'_>, last: usize) -> fmt::Result {
        let code = self.code.map_or("no exit code: a signal ended it".to_owned(), |code| format!("exit code {code}"));
        writeln!(f, "{code}")?;
        for (name, text) in [("stdout", &self.stdout), ("stderr", &self.stderr)] {
            let left_out = text.lines().count().saturating_sub(last);
            if left_out > 0 {
                writeln!(f, "{name}| ({left_out} lines before)")?;
            }
            text.lines().skip(left_out).try_for_each(|line| writeln!(f, "{name}| {line}"))?;
        }
        Ok(())
    }

    pub(crate) fn new(output: Output) -> Self {
        let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
        Self { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
    }

    /// The exit code is this one.
    #[track_caller]
    pub(crate) fn exits(&self, code: i32) -> &Self {
        assert!(self.code == Some(code), "expected exit code {code}, seen {}", Last(self));
        self
    }

    /// Standard error has all of these in it.
    #[track_caller]
    pub(crate) fn says(&self, words: &[&str]) -> &Self {
        // Lines are wrapped on a terminal only, so the words stand together here.
        for word in words {
            assert!(self.stderr.contains(word), "no {word:?} in {self:?}");
        }
        self
    }

    /// Standard output is empty.
    #[track_caller]
    pub(crate) fn prints_nothing(&self) -> &Self {
        assert_eq!(self.stdout, "", "{self:?}");
        self
    }

    /// Standard output is one whole JSON document.
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        assert!(self.stdout.ends_with("}\n"), "{self:?}");
        let value: Value = serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {self:?}"));
        assert_eq!(value["exit_code"].as_i64(), self.code.map(i64::from), "{self:?}");
        value
    }
}

impl Place {
    pub(crate) fn new() -> Self {
        Self { dir: TempDir::new().expect("a directory") }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// nsmctl's own directory.
    pub(crate) fn runtime(&self) -> PathBuf {
        self.path("run")
    }

    pub(crate) fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path(name);
        fs::write(&path, text).expect("a file");
        path
    }

    pub(crate) fn command<S: AsRef<OsStr>>(&self, arguments: &[S]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_nsmctl"));
        command.args(arguments).current_dir(self.dir.path()).env_clear();
        command.env("HOME", self.dir.path()).env("NSMCTL_RUNTIME_DIR", self.runtime()).env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command
    }

    pub(crate) fn run<S: AsRef<OsStr>>(&self, arguments: &[S]) -> Ran {
        Ran::new(self.command(arguments).stdin(Stdio::null()).output().expect("nsmctl"))
    }

    /// Begins a run that is to be disturbed.
    pub(crate) fn start<S: AsRef<OsStr>>(&self, arguments: &[S]) -> Running {
        self.start_into(arguments, Stdio::piped())
    }

    /// The same, with its output into something else: a pipe that is only read at the end holds what is written into it up.
    pub(crate) fn start_into<S: AsRef<OsStr>>(&self, arguments: &[S], stdout: Stdio) -> Running {
        Running(self.command(arguments).stdin(Stdio::null()).stdout(stdout).stderr(Stdio::piped()).spawn().expect("nsmctl"))
    }

    /// A kubeconfig for a server, in the home directory.
    pub(crate) fn kubeconfig(&self, server: &str) -> PathBuf {
        let text = format!(
            "apiVersion: v1\nkind: Config\ncurrent-context: here\nclusters:\n- name: c\n  cluster: {{server: \"{server}\"}}\n\
             contexts:\n- name: here\n  context: {{cluster: c, user: u}}\nusers:\n- name: u\n  user: {{token: t}}\n"
        );
        fs::create_dir_all(self.path(".kube")).expect("a directory");
        self.write(".kube/config", &text)
    }

    /// A kubeconfig for a server that accepts connections and says nothing for as long as it is held.
    pub(crate) fn silent_server(&self) -> TcpListener {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        self.kubeconfig(&format!("http://{}", listener.local_addr().expect("an address")));
        listener
    }

    /// The engine's process, where one runs.
    pub(crate) fn engine(&self) -> Option<u32> {
        let mut stream = UnixStream::connect(self.runtime().join("engine/engine.sock")).ok()?;
        stream.write_all(b"\"status\"\n").expect("a request");
        stream.shutdown(std::net::Shutdown::Write).ok();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).ok();
        let value: Value = serde_json::from_str(answer.lines().next()?).ok()?;
        value.pointer("/status/pid").and_then(Value::as_u64).and_then(|pid| u32::try_from(pid).ok())
    }

    /// Nothing of nsmctl's is left: no engine, no lock, no directory.
    #[track_caller]
    pub(crate) fn is_clean(&self) {
        assert!(!self.runtime().exists(), "{:?}", files(&self.runtime()));
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Ok(mut stream) = UnixStream::connect(self.runtime().join("engine/engine.sock")) {
            let _ = stream.write_all(b"\"shutdown\"\n").and_then(|()| stream.read_to_end(&mut Vec::new()));
        }
    }
}

pub(crate) fn files(dir: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(dir).into_iter().flatten().flatten().map(|entry| entry.path());
    entries.flat_map(|path| if path.is_dir() { [vec![path.clone()], files(&path)].concat() } else { vec![path] }).collect()
}

/// A run that has not ended yet.
pub(crate) struct Running(Child);

impl Running {
    pub(crate) fn pid(&self) -> u32 {
        self.0.id()
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(i32::try_from(self.0.id()).expect("a pid")), signal).expect("a signal");
    }

    pub(crate) fn close_stdout(&mut self) {
        drop(self.0.stdout.take());
    }

    /// Waits for its end; one that does not end in time is ended, and has failed the test.
    pub(crate) fn end(self) -> Ran {
        self.end_within(Duration::from_secs(30))
    }

    pub(crate) fn end_within(mut self, limit: Duration) -> Ran {
        let begun = Instant::now();
        while self.0.try_wait().expect("a state").is_none() {
            if begun.elapsed() > limit {
                self.0.kill().expect("an end");
                panic!("it did not end by itself: {:?}", self.0.wait_with_output().map(Ran::new));
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        Ran::new(self.0.wait_with_output().expect("its output"))
    }
}

/// Waits until something holds, and says what did not where it does not.
pub(crate) fn eventually(what: &str, holds: impl Fn() -> bool) {
    let begun = Instant::now();
    while !holds() {
        assert!(begun.elapsed() < Duration::from_secs(20), "{what} did not come to hold");
        std::thread::sleep(Duration::from_millis(10));
    }
}
