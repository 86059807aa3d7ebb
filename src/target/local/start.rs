use std::{
    fs::OpenOptions,
    os::{fd::OwnedFd, unix::fs::OpenOptionsExt},
    path::Path,
    process::{Command, Stdio},
    thread,
    time::Duration,
};

use tokio::{
    io::{AsyncBufReadExt, BufReader},
    net::unix::pipe,
};

use crate::{
    engine::{
        clear,
        protocol::{LOG, Started},
    },
    model::{Failure, IntoFailure, Outcome, Result},
    runtime_dir,
};

/// Why an engine could not make its namespaces and links here, in its own words; nothing where it could. A process of its own
/// tries: Linux lets none with threads into a user namespace.
pub(super) async fn refusal(program: &Path) -> Result<Option<String>> {
    let mut command = tokio::process::Command::new(program);
    let tried = command.args(["engine", "probe"]).stdin(Stdio::null()).kill_on_drop(true).output().await;
    let tried = tried.or_fail(Outcome::Failed, format!("cannot run {}", program.display()))?;
    let said = String::from_utf8_lossy(&tried.stderr).trim().trim_start_matches("error: ").to_owned();
    Ok(Some(said).filter(|_| !tried.status.success()))
}

/// Starts an engine and waits until it says that it has started; `false` where another holds the directory.
///
/// An engine that is started and then forgotten ends itself.
pub(super) async fn start(program: &Path, dir: &Path, svid_ttl: Option<Duration>) -> Result<bool> {
    runtime_dir::prepare(dir)?;
    let log = dir.join(LOG);
    let opened = OpenOptions::new().append(true).create(true).mode(0o600).open(&log);
    let opened = opened.or_fail(Outcome::Failed, format!("cannot open {}", log.display()))?;
    let mut command = Command::new(program);
    command.args(["engine", "run", "--dir"]).arg(dir);
    command.args(svid_ttl.map(|ttl| format!("--svid-ttl={}ms", ttl.as_millis())));
    // It outlives the command, so it must not keep the directory that the command was called in.
    command.current_dir("/").stdin(Stdio::null()).stdout(Stdio::piped()).stderr(opened);
    let mut child = command.spawn().or_fail(Outcome::Failed, format!("cannot start the engine as {}", program.display()))?;
    let output = child.stdout.take();
    // Where the engine ends before we do, somebody must take note of it, or the kernel keeps its entry.
    let ended = thread::Builder::new().name("engine".to_owned()).spawn(move || child.wait()).or_fail(Outcome::Failed, "cannot start a thread")?;
    let output = output.map(OwnedFd::from).ok_or_else(|| Failure::msg(Outcome::Defect, "the engine has no standard output"))?;
    let output = pipe::Receiver::from_owned_fd(output).or_fail(Outcome::Defect, "cannot read from the engine")?;
    let mut line = String::new();
    BufReader::new(output).read_line(&mut line).await.or_fail(Outcome::Failed, "cannot read from the engine")?;
    match serde_json::from_str(&line) {
        Ok(Started::Ready { .. }) => Ok(true),
        Ok(Started::Busy) => Ok(false),
        Ok(Started::Error(refusal)) => {
            // It ends just now, and what was made for it goes with it.
            let _ = tokio::task::spawn_blocking(|| ended.join()).await;
            clear(dir)?;
            Err(Failure::from(refusal).context("cannot start the engine"))
        }
        Err(_) => Err(Failure::failed("the engine ended before it had started").hint(format!("its last words are in {}", log.display()))),
    }
}
