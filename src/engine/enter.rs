//! A program of this machine in the network namespace of a pod, as `nsenter` would start it.

use std::{ffi::OsString, fmt::Display, io, os::unix::process::CommandExt, path::Path, process::Command};

use nix::{
    sys::{prctl::set_pdeathsig, signal::Signal},
    unistd::setsid,
};
use rustix::process::ioctl_tiocsctty;

use crate::{
    model::{Failure, Outcome},
    net,
};

/// What a shell says where there is no such program (POSIX, 2.8.2).
const NOT_FOUND: u8 = 127;
/// What a shell says where there is one and it cannot be executed.
const NOT_EXECUTABLE: u8 = 126;

/// Becomes the program, in the namespaces of these files. Comes back only where that fails.
///
/// Must be called while the process has a single thread: Linux moves no other into a user namespace. A process of its own
/// is what makes this safe: nothing is done between a fork and an exec.
#[must_use]
pub fn enter(net: &Path, user: Option<&Path>, terminal: bool, command: &[OsString]) -> Failure {
    if let Err(failure) = prepare(net, user, terminal) {
        return failure;
    }
    let Some((program, arguments)) = command.split_first() else { return not_run("there is no program to be run") };
    let error = Command::new(program).args(arguments).exec();
    not_executed(&program.display().to_string(), &error)
}

/// What a shell says of a program that could not be executed.
pub(super) fn not_executed(program: &str, error: &io::Error) -> Failure {
    let code = if error.kind() == io::ErrorKind::NotFound { NOT_FOUND } else { NOT_EXECUTABLE };
    Failure::msg(Outcome::Ended(code), format!("cannot run {program}: {error}"))
}

fn prepare(net: &Path, user: Option<&Path>, terminal: bool) -> Result<(), Failure> {
    net::join(net, user).map_err(|error| not_run(&error))?;
    if terminal {
        // A session of its own takes the terminal as its own, and gets its signals.
        setsid().map_err(|error| not_run(format!("cannot make a session: {error}")))?;
        ioctl_tiocsctty(io::stdin()).map_err(|error| not_run(format!("cannot take the terminal: {error}")))?;
    }
    // Behind everything that changes what the process may do, which takes it back (prctl(2)).
    set_pdeathsig(Signal::SIGKILL).map_err(|error| not_run(format!("cannot tie the program to nsmctl: {error}")))
}

fn not_run(message: impl Display) -> Failure {
    Failure::msg(Outcome::NotRun, message)
}
