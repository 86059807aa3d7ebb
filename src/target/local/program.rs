use std::{
    ffi::OsString,
    fs::{self, File},
    io::{self, IsTerminal},
    os::{fd::OwnedFd, unix::process::ExitStatusExt},
    path::PathBuf,
    process::{ExitStatus, Stdio},
    time::Duration,
};

use nix::{
    sys::signal::{Signal, killpg},
    unistd::Pid,
};
use rustix::{
    pty::{OpenptFlags, grantpt, ioctl_tiocgptpeer, openpt, unlockpt},
    termios::{Winsize, tcsetwinsize},
};
use tokio::{
    process::{Child, Command},
    sync::watch,
};

use super::{Local, Status};
use crate::{
    model::{ExecRequest, Failure, IntoFailure, Namespaced, Outcome, Result, TerminalSize},
    target::{
        Ctx, Streams,
        program::{feed, pass},
    },
};

/// What of a terminal's output may still be on its way when its program has ended. What the program has started and left
/// behind may hold the terminal open for ever.
const REST: Duration = Duration::from_millis(200);

/// A program of this machine, in the network namespace of a pod. Dropping it ends the program.
#[derive(Debug)]
pub struct Started {
    child: Child,
    /// Whether it leads a process group, with which it is ended.
    leads: bool,
    terminal: Option<OwnedFd>,
}

impl Local {
    /// Starts a program in the network namespace of a pod. Without a terminal it has nsmctl's own standard streams.
    ///
    /// # Errors
    /// There is no such pod, or the namespace cannot be entered.
    pub async fn start(&self, ctx: &Ctx, request: &ExecRequest) -> Result<Started> {
        let status = self.status(ctx).await?.ok_or_else(|| absent(&request.pod))?;
        let mut command = Command::new(self.own_program()?);
        command.args(["engine", "enter"]).args(namespaces(&status, &request.pod)?);
        let terminal = if request.tty { Some(open_terminal().or_fail(Outcome::NotRun, "cannot make a terminal")?) } else { None };
        // With a terminal in hand it has to be in the group that may read from it.
        let leads = terminal.is_some() || !request.stdin || !io::stdin().is_terminal();
        match &terminal {
            Some((_, end)) => {
                let end = || end.try_clone().map(Stdio::from).or_fail(Outcome::NotRun, "cannot pass on a terminal");
                command.arg("--terminal").stdin(end()?).stdout(end()?).stderr(end()?);
            }
            None => {
                command.stdin(if request.stdin { Stdio::inherit() } else { Stdio::null() });
                if leads {
                    command.process_group(0);
                }
            }
        }
        let child = command.arg("--").args(&request.command).kill_on_drop(true).spawn();
        let child = child.or_fail(Outcome::NotRun, format!("cannot start {}", request.program()))?;
        Ok(Started { child, leads, terminal: terminal.map(|(ours, _)| ours) })
    }
}

fn absent(pod: &Namespaced) -> Failure {
    Failure::cannot_tell(format!("there is no pod {pod} on this machine")).hint("`nsmctl deploy` makes it")
}

/// The files of the pod's namespaces, as arguments.
fn namespaces(status: &Status, pod: &Namespaced) -> Result<Vec<OsString>> {
    let (_, net) = status.namespaces.iter().find(|(known, _)| known == pod).ok_or_else(|| absent(pod))?;
    let mut arguments: Vec<OsString> = vec!["--net".into(), net.into()];
    let user = PathBuf::from(format!("/proc/{}/ns/user", status.pid));
    // An ordinary user's engine is in a user namespace of its own.
    let of_engine = fs::read_link(&user).or_fail(Outcome::NotRun, format!("cannot read {}", user.display()))?;
    if fs::read_link("/proc/self/ns/user").ok() != Some(of_engine) {
        arguments.extend(["--user".into(), user.into()]);
    }
    Ok(arguments)
}

/// A pseudoterminal: our end of it, and the program's.
fn open_terminal() -> io::Result<(OwnedFd, OwnedFd)> {
    let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
    let ours = openpt(flags)?;
    grantpt(&ours)?;
    unlockpt(&ours)?;
    let end = ioctl_tiocgptpeer(&ours, flags)?;
    Ok((ours, end))
}

impl Started {
    /// Waits for the program's end.
    ///
    /// # Errors
    /// It cannot be waited for.
    pub(in crate::target) async fn join(mut self, streams: Streams) -> Result<u8> {
        let status = match self.terminal.take() {
            None => self.child.wait().await,
            Some(terminal) => match self.join_terminal(terminal, streams).await? {
                Ok(status) => Ok(status),
                Err(code) => return Ok(code),
            },
        };
        // What it has left running in the background is not ended with it, as on a cluster.
        self.leads = false;
        Ok(code(status.or_fail(Outcome::NotRun, "cannot wait for the program")?))
    }

    /// Passes on what goes through the terminal meanwhile; an exit code where that ended first.
    async fn join_terminal(&mut self, terminal: OwnedFd, streams: Streams) -> Result<Result<ExitStatus, u8>> {
        let failed = "cannot use the terminal";
        let copy = || terminal.try_clone().map(|copy| tokio::fs::File::from_std(File::from(copy))).or_fail(Outcome::NotRun, failed);
        let (from, to) = (copy()?, copy()?);
        let Streams { stdin, mut stdout, sizes, .. } = streams;
        let mut output = Box::pin(pass(from, &mut *stdout));
        tokio::select! {
            biased;
            cut = &mut output => if let Err(cut) = cut {
                return cut.end().map(Err);
            },
            () = feed(stdin, to) => {}
            () = resize(&terminal, sizes) => {}
            status = self.child.wait() => {
                let _ = tokio::time::timeout(REST, output).await;
                return status.or_fail(Outcome::NotRun, "cannot wait for the program").map(Ok);
            }
        }
        // The program has let go of its terminal, and may live on without.
        self.child.wait().await.or_fail(Outcome::NotRun, "cannot wait for the program").map(Ok)
    }
}

/// Tells the terminal its size, and every change of it; never comes back.
async fn resize(terminal: &OwnedFd, sizes: Option<watch::Receiver<TerminalSize>>) {
    if let Some(mut sizes) = sizes {
        loop {
            let TerminalSize { columns, rows } = *sizes.borrow_and_update();
            // A terminal of the wrong size is better than none.
            let _ = tcsetwinsize(terminal, Winsize { ws_col: columns, ws_row: rows, ws_xpixel: 0, ws_ypixel: 0 });
            if sizes.changed().await.is_err() {
                break;
            }
        }
    }
    std::future::pending::<()>().await;
}

impl Drop for Started {
    fn drop(&mut self) {
        // With all that it has started; tokio ends only the program itself.
        let leader = self.child.id().filter(|_| self.leads).and_then(|id| i32::try_from(id).ok());
        if let Some(leader) = leader {
            let _ = killpg(Pid::from_raw(leader), Signal::SIGKILL);
        }
    }
}

/// The exit code, in the words of a shell where a signal ended it.
fn code(status: ExitStatus) -> u8 {
    let code = status.code().or_else(|| status.signal().map(|signal| 128 + signal)).unwrap_or_default();
    u8::try_from(code).unwrap_or(u8::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signal_is_told_as_a_shell_does() {
        assert_eq!(code(ExitStatus::from_raw(3 << 8)), 3);
        assert_eq!(code(ExitStatus::from_raw(9)), 137);
    }

    #[test]
    fn a_pod_that_is_not_there_is_told() {
        let status = Status {
            pid: std::process::id(),
            manager: 0,
            restarts: 0,
            instances: Vec::new(),
            namespaces: vec![(Namespaced::new("ns", "a"), "/x".to_owned())],
        };
        assert_eq!(namespaces(&status, &Namespaced::new("ns", "a")).unwrap(), ["--net", "/x"].map(OsString::from));
        assert!(namespaces(&status, &Namespaced::new("ns", "b")).is_err());
    }
}
