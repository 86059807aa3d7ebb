//! The programs of the sandboxes as the supervisor has them: a launcher each, and the ends of their logs.

use std::{
    collections::{BTreeMap, VecDeque},
    fs::File,
    io::{self, Read, Seek, SeekFrom, Write},
    os::{
        fd::{AsRawFd, OwnedFd},
        unix::process::ExitStatusExt,
    },
    process::{ExitStatus, Stdio},
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use rustix::fs::{MemfdFlags, memfd_create};
use serde::{Deserialize, Serialize};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, BufReader},
    net::unix::pipe,
    process::{Child, Command},
    sync::mpsc,
};

use super::{End, Launch, Notice, number, tie::OWN_PROGRAM};

/// How many lines of a program's log are kept for the next manager: as many as it keeps itself.
const KEPT: usize = 200;
/// The longest line that is passed on whole, in bytes: more than a person reads, and less than a packet holds.
const LONGEST_LINE: u64 = 8192;

/// What a launcher is told: what to start, and where the supervisor is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::engine) struct Sandboxed {
    /// The program.
    pub(in crate::engine) launch: Launch,
    /// The file of the network namespace.
    pub(in crate::engine) net: String,
    /// The process that has started the launcher.
    pub(in crate::engine) parent: u32,
    /// Whether it gets a PID namespace, with which everything ends that the program has started.
    pub(in crate::engine) own_processes: bool,
}

/// Something that happened to a program.
#[derive(Debug)]
pub(super) enum Happened {
    Line {
        key: String,
        at_ms: i64,
        text: String,
    },
    /// By its launcher: another may have been started by the same key meanwhile.
    Ended {
        key: String,
        launcher: Option<Pid>,
        end: End,
    },
}

#[derive(Debug, Default)]
struct Program {
    /// The launcher, while it lives.
    launcher: Option<Pid>,
    lines: VecDeque<(i64, String)>,
    end: Option<End>,
    /// What was started last, and the network namespace for it.
    started: Option<(Launch, OwnedFd)>,
}

#[derive(Debug)]
pub(super) struct Programs {
    all: BTreeMap<String, Program>,
    /// Whether programs get PID namespaces here; where one did not, none does.
    own_processes: bool,
    tell: mpsc::Sender<Happened>,
}

impl Programs {
    pub(super) fn new(tell: mpsc::Sender<Happened>) -> Self {
        Self { all: BTreeMap::new(), own_processes: true, tell }
    }

    /// Starts a program in a sandbox.
    ///
    /// # Errors
    /// No process can be started.
    pub(super) fn start(&mut self, launch: &Launch, net: &OwnedFd) -> io::Result<()> {
        // The launcher opens it by this number, which must last.
        let net = net.try_clone()?;
        let order = Sandboxed {
            launch: launch.clone(),
            net: format!("/proc/{}/fd/{}", number(), net.as_raw_fd()),
            parent: number(),
            own_processes: self.own_processes,
        };
        let mut told = File::from(memfd_create("sandbox", MemfdFlags::CLOEXEC)?);
        told.write_all(&serde_json::to_vec(&order)?)?;
        told.rewind()?;
        let (output, write) = io::pipe()?;
        let mut command = Command::new(OWN_PROGRAM);
        command.arg0("nsmctl").args(["engine", "sandbox"]).current_dir("/");
        // Not killed with its handle: the end of this process ends it too, by a signal at which it removes the control groups.
        command.stdin(told.try_clone()?).stdout(write.try_clone()?).stderr(Stdio::from(write));
        let child = command.spawn()?;
        // What holds the other end of the pipe is then only the program.
        drop(command);
        let output = pipe::Receiver::from_owned_fd(output.into())?;
        // There is to be one by a key.
        self.stop(&launch.key, true);
        let program = self.all.entry(launch.key.clone()).or_default();
        program.launcher = pid_of(&child);
        program.end = None;
        program.started = Some((launch.clone(), net));
        tokio::spawn(follow(launch.key.clone(), child, output, told, self.tell.clone()));
        Ok(())
    }

    /// Ends a program; one that has ended is no error.
    pub(super) fn stop(&self, key: &str, now: bool) {
        if let Some(launcher) = self.all.get(key).and_then(|program| program.launcher) {
            let _ = kill(launcher, if now { Signal::SIGTERM } else { Signal::SIGINT });
        }
    }

    /// Ends all of them at once.
    pub(super) fn stop_all(&self) {
        self.all.keys().for_each(|key| self.stop(key, true));
    }

    /// Removes what is kept of a program that has ended.
    pub(super) fn forget(&mut self, key: &str) {
        self.all.remove(key);
    }

    /// Takes note of what happened; the result is what the manager is told.
    pub(super) fn note(&mut self, happened: Happened) -> Option<Notice> {
        match happened {
            Happened::Line { key, at_ms, text } => {
                let program = self.all.get_mut(&key)?;
                if program.lines.len() == KEPT {
                    program.lines.pop_front();
                }
                program.lines.push_back((at_ms, text.clone()));
                Some(Notice::Line { key, at_ms, text })
            }
            Happened::Ended { key, launcher, end } => {
                let program = self.all.get_mut(&key).filter(|program| program.launcher == launcher)?;
                program.launcher = None;
                let started = program.started.take();
                if let (End::NoProc, Some((launch, net))) = (&end, started) {
                    self.own_processes = false;
                    return self.start(&launch, &net).err().map(|error| Notice::Ended { key, end: End::NotStarted(error.to_string()) });
                }
                program.end = Some(end.clone());
                Some(Notice::Ended { key, end })
            }
        }
    }

    /// Everything that a new manager has to know.
    pub(super) fn all(&self) -> impl Iterator<Item = Notice> + '_ {
        self.all.iter().flat_map(|(key, program)| {
            let line = |(at_ms, text): &(i64, String)| Notice::Line { key: key.clone(), at_ms: *at_ms, text: text.clone() };
            let running = program.launcher.map(|_| Notice::Running { key: key.clone() });
            let ended = program.end.clone().map(|end| Notice::Ended { key: key.clone(), end });
            program.lines.iter().map(line).chain(running).chain(ended)
        })
    }
}

/// Passes on what a program logs, and then how it ended.
async fn follow(key: String, mut child: Child, output: pipe::Receiver, told: File, tell: mpsc::Sender<Happened>) {
    let (mut reader, launcher) = (BufReader::new(output), pid_of(&child));
    let mut status = None;
    let mut line = Vec::new();
    loop {
        let mut limited = (&mut reader).take(LONGEST_LINE);
        tokio::select! {
            read = limited.read_until(b'\n', &mut line) => {
                if read.unwrap_or(0) == 0 {
                    break;
                }
                let text = String::from_utf8_lossy(&line).trim_end_matches(['\n', '\r']).to_owned();
                line.clear();
                let at_ms = jiff::Timestamp::now().as_millisecond();
                let _ = tell.send(Happened::Line { key: key.clone(), at_ms, text }).await;
            }
            // What it left running elsewhere may hold the pipe open; its end is what counts.
            ended = child.wait(), if status.is_none() => status = Some(ended),
        }
        if status.is_some() && is_drained(&reader) {
            break;
        }
    }
    let status = match status {
        Some(status) => status,
        None => child.wait().await,
    };
    let end = status.map_or_else(|error| End::NotStarted(error.to_string()), |status| end(told, status));
    let _ = tell.send(Happened::Ended { key, launcher, end }).await;
}

fn pid_of(child: &Child) -> Option<Pid> {
    child.id().and_then(|id| i32::try_from(id).ok()).map(Pid::from_raw)
}

/// Whether nothing more is there to be read at once.
fn is_drained(reader: &BufReader<pipe::Receiver>) -> bool {
    reader.buffer().is_empty() && rustix::io::ioctl_fionread(reader.get_ref()).is_ok_and(|bytes| bytes == 0)
}

/// How the program ended: as the launcher has written it, or as the launcher itself did where it could not.
fn end(mut told: File, status: ExitStatus) -> End {
    let mut text = String::new();
    let read = told.seek(SeekFrom::Start(0)).and_then(|_| told.read_to_string(&mut text));
    if let Some(end) = read.ok().and_then(|_| serde_json::from_str(&text).ok()) {
        return end;
    }
    match (status.signal(), status.code()) {
        (Some(signal), _) => End::Killed(signal),
        (None, code) => End::NotStarted(format!("its sandbox could not be made (exit code {}); its log says why", code.unwrap_or_default())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_a_program_is_not_that_of_the_one_after_it() {
        let mut programs = Programs::new(mpsc::channel(1).0);
        let [first, second] = [1, 2].map(|pid| Some(Pid::from_raw(pid)));
        programs.all.insert("ns/a/c".into(), Program { launcher: second, ..Program::default() });
        let mut ends = |launcher| programs.note(Happened::Ended { key: "ns/a/c".into(), launcher, end: End::Killed(9) });
        assert_eq!(ends(first), None);
        assert_eq!(ends(second), Some(Notice::Ended { key: "ns/a/c".into(), end: End::Killed(9) }));
    }
}
