//! The process between the supervisor and a program: it makes the sandbox, starts the program in it, and says how it ended.
//!
//! ```text
//!   supervisor ─► launcher        network namespace, own mounts, limits; ends the program when it is told to, or the supervisor ends
//!                   └─► program   the first process of a PID namespace: with it ends whatever it has started
//! ```

use std::{
    fs::{self, File},
    io::{self, Read, Seek, Write},
    os::{
        fd::AsFd,
        unix::process::{CommandExt, ExitStatusExt},
    },
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use nix::{
    sched::{CloneFlags, unshare},
    sys::{
        prctl::set_child_subreaper,
        signal::{SigSet, Signal, kill},
        signalfd::{SfdFlags, SignalFd},
        wait::waitpid,
    },
    unistd::Pid,
};
use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    fs::{MemfdFlags, memfd_create},
};
use serde::{Deserialize, Serialize};

use super::{
    super::{
        enter::not_executed,
        supervisor::{End, OWN_PROGRAM, Sandboxed, log, number, tie},
    },
    cgroup::Cgroup,
    mounts,
};
use crate::{
    model::{Failure, IntoFailure, Outcome, Result},
    net,
};

/// How long a program may take to end when it is asked to. Kubernetes gives 30 s by default; NSM's programs take a fraction of
/// one, and here a person waits.
const GRACE: Duration = Duration::from_secs(2);
/// What the first process of the sandbox leaves in its order where it cannot have a /proc of its own.
const NO_PROC: &[u8] = b"no /proc";

/// What the first process of a sandbox is told.
#[derive(Debug, Serialize, Deserialize)]
struct Inside {
    /// The launcher's process.
    parent: u32,
    /// It is the first process of a PID namespace, for which /proc is to be.
    own_processes: bool,
    /// The files by which it joins its control groups.
    join: Vec<std::path::PathBuf>,
    path: std::path::PathBuf,
    arguments: Vec<String>,
    environment: Vec<(String, String)>,
    directory: String,
}

/// Makes a sandbox and runs a program in it, as the standard input says, and writes there how it ended.
///
/// Must be called while the process has a single thread.
///
/// # Errors
/// The sandbox cannot be made.
pub fn sandbox() -> Result<()> {
    let mut told = order().or_fail(Outcome::Defect, "cannot read what is to be started")?;
    let mut text = String::new();
    told.read_to_string(&mut text).or_fail(Outcome::Defect, "cannot read what is to be started")?;
    let Sandboxed { launch, net, parent, own_processes } =
        serde_json::from_str(&text).or_fail(Outcome::Defect, "cannot read what is to be started")?;
    let signals = signals().or_fail(Outcome::Failed, "cannot wait for signals")?;
    // Not SIGKILL: what is left of the limits has to be removed.
    tie(parent, Signal::SIGTERM).or_fail(Outcome::Failed, "cannot tie the sandbox to the engine")?;
    net::join(Path::new(&net), None).or_fail(Outcome::Failed, "cannot make the sandbox")?;
    unshare(CloneFlags::CLONE_NEWNS).or_fail(Outcome::Failed, "cannot make a mount namespace")?;
    mounts::arrange(&launch.shown, &launch.hidden).map_err(|error| Failure::failed(format!("cannot make the sandbox: {error}")))?;
    let cgroup = Cgroup::make(&format!("nsmctl-{}", number()), launch.limits);
    cgroup.complaints().iter().for_each(|complaint| log(complaint));
    let inside = Inside {
        parent: number(),
        own_processes: own_processes && unshare(CloneFlags::CLONE_NEWPID).is_ok(),
        join: cgroup.join().to_vec(),
        path: launch.path,
        arguments: launch.arguments,
        environment: launch.environment,
        directory: launch.directory,
    };
    if !inside.own_processes {
        // What the program has started becomes the launcher's when the program ends, and is ended then.
        set_child_subreaper(true).or_fail(Outcome::Failed, "cannot take on what the program starts")?;
    }
    let end = run(&inside, &signals).or_fail(Outcome::Failed, "cannot start the sandbox's first process")?;
    let end = if matches!(end, End::Killed(9)) && cgroup.ran_out_of_memory() { End::OutOfMemory } else { end };
    cgroup.remove();
    let bytes = serde_json::to_vec(&end).or_fail(Outcome::Defect, "cannot write how it ended")?;
    let written = told.rewind().and_then(|()| told.set_len(0)).and_then(|()| told.write_all(&bytes));
    written.or_fail(Outcome::Failed, "cannot write how it ended")
}

/// The file that is this process's standard input.
fn order() -> io::Result<File> {
    Ok(File::from(io::stdin().as_fd().try_clone_to_owned()?))
}

/// The signals that the launcher acts on, as a file to wait on.
fn signals() -> io::Result<SignalFd> {
    let mut set = SigSet::empty();
    [Signal::SIGTERM, Signal::SIGINT, Signal::SIGCHLD].into_iter().for_each(|signal| set.add(signal));
    set.thread_block()?;
    Ok(SignalFd::with_flags(&set, SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK)?)
}

/// Runs the program to its end.
fn run(inside: &Inside, signals: &SignalFd) -> io::Result<End> {
    let mut told = File::from(memfd_create("inside", MemfdFlags::CLOEXEC)?);
    told.write_all(&serde_json::to_vec(inside)?)?;
    told.rewind()?;
    let mut command = Command::new(OWN_PROGRAM);
    command.arg0("nsmctl").args(["engine", "inside"]).stdin(Stdio::from(told.try_clone()?));
    let mut child = command.spawn()?;
    let status = wait(&mut child, signals, inside.own_processes)?;
    if !inside.own_processes {
        end_orphans()?;
    }
    let mut left = Vec::new();
    told.rewind()?;
    told.read_to_end(&mut left)?;
    if left == NO_PROC {
        return Ok(End::NoProc);
    }
    Ok(match (status.code(), status.signal()) {
        (Some(code), _) => End::Exited(code),
        (None, signal) => End::Killed(signal.unwrap_or_default()),
    })
}

/// Ends what a program has left running that had no PID namespace.
fn end_orphans() -> io::Result<()> {
    let children = format!("/proc/self/task/{}/children", number());
    loop {
        let left = fs::read_to_string(&children)?;
        let left: Vec<Pid> = left.split_whitespace().filter_map(|pid| pid.parse().ok()).map(Pid::from_raw).collect();
        if left.is_empty() {
            return Ok(());
        }
        for pid in left {
            // What has ended meanwhile is no error.
            let _ = kill(pid, Signal::SIGKILL);
            let _ = waitpid(pid, None);
        }
    }
}

/// Waits for the program's end, and brings it about where that is asked for.
fn wait(child: &mut Child, signals: &SignalFd, own_processes: bool) -> io::Result<std::process::ExitStatus> {
    let mut deadline: Option<Instant> = None;
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(status);
        }
        let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
        if left == Some(Duration::ZERO) {
            child.kill()?;
            deadline = None;
        }
        let timeout = left.map(|left| Timespec { tv_sec: i64::try_from(left.as_secs()).unwrap_or(1), tv_nsec: left.subsec_nanos().into() });
        match poll(&mut [PollFd::new(signals, PollFlags::IN)], timeout.as_ref()) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        while let Some(signal) = signals.read_signal()? {
            match Signal::try_from(i32::try_from(signal.ssi_signo).unwrap_or_default()) {
                Ok(Signal::SIGTERM) => child.kill()?,
                // As a container is ended. The first process of a PID namespace gets no signal that it does not handle (kill(2)), so
                // that there is nothing to wait for.
                Ok(Signal::SIGINT) if handles_termination(child.id(), own_processes) => {
                    deadline = deadline.or(Some(Instant::now() + GRACE));
                    let pid = i32::try_from(child.id()).map_err(io::Error::other)?;
                    kill(Pid::from_raw(pid), Signal::SIGTERM)?;
                }
                Ok(Signal::SIGINT) => child.kill()?,
                _ => {}
            }
        }
    }
}

/// Whether a process has a handler of its own for SIGTERM.
fn handles_termination(pid: u32, own_processes: bool) -> bool {
    // In our mount namespace /proc is the sandbox's by now, in which it is the first.
    let path = if own_processes { "/proc/1/status".to_owned() } else { format!("/proc/{pid}/status") };
    let status = fs::read_to_string(path).unwrap_or_default();
    let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:")).and_then(|set| u64::from_str_radix(set.trim(), 16).ok());
    caught.is_some_and(|set| set & (1 << (Signal::SIGTERM as u32 - 1)) != 0)
}

/// Becomes the program that the standard input says, as the first process of its sandbox. Comes back where it gets no /proc,
/// which the launcher is told.
///
/// Must be called while the process has a single thread.
///
/// # Errors
/// It cannot become the program.
pub fn inside() -> Result<()> {
    let Some(inside) = prepare().or_fail(Outcome::Failed, "cannot make the sandbox")? else { return Ok(()) };
    let program = inside.path.display().to_string();
    let mut command = Command::new(&inside.path);
    command.args(&inside.arguments).env_clear().envs(inside.environment).current_dir(&inside.directory);
    Err(not_executed(&program, &command.stdin(Stdio::null()).exec()))
}

fn prepare() -> io::Result<Option<Inside>> {
    let mut told = order()?;
    let mut text = String::new();
    told.read_to_string(&mut text)?;
    let inside: Inside = serde_json::from_str(&text)?;
    tie(inside.parent, Signal::SIGKILL)?;
    // What the launcher waits for by a file is still blocked, and would stay so in the program.
    SigSet::empty().thread_set_mask()?;
    // Zero stands for the process that writes it.
    inside.join.iter().try_for_each(|file| fs::write(file, "0"))?;
    if inside.own_processes && mounts::own_proc().is_err() {
        told.rewind()?;
        told.set_len(0)?;
        told.write_all(NO_PROC)?;
        return Ok(None);
    }
    Ok(Some(inside))
}
