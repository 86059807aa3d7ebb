//! The engine as a process: its directory, its lock, its right to make namespaces, its start and its end.

use std::{
    fs::{self, OpenOptions, Permissions},
    io::{self, Write},
    os::{
        fd::AsFd,
        unix::{
            fs::{PermissionsExt, symlink},
            net::UnixListener,
        },
    },
    path::{Path, PathBuf},
    time::Duration,
};

use nix::{
    sys::{
        resource::{Resource, getrlimit, setrlimit},
        signal::Signal,
    },
    unistd::{dup2_stdout, setsid},
};
use tokio::runtime::{self, Runtime};

use super::{
    identity::{AgentSocket, Settings},
    protocol::{AGENT_FOLDER, ENDPOINT_FOLDER, LOCK, LOG, NSM_FOLDER, NSM_SOCKET, Refusal, SOCKET, SPIRE_FOLDER, SPIRE_SOCKET, Started, to_line},
    server::serve,
    supervisor::{Handover, Listeners, Socket, Supervisor, number, tie},
};
use crate::{
    file_lock::FileLock,
    model::{Failure, IntoFailure, Outcome, Result, check_svid_ttl},
    net, runtime_dir,
};

/// The longest path of a unix socket, in bytes: `sun_path` of unix(7) less the closing zero.
const MAX_SOCKET_PATH: usize = 107;

/// What an engine has in its directory beside its lock, which guards them.
const FILES: [&str; 2] = [SOCKET, LOG];
/// The folders that it has there.
const FOLDERS: [&str; 3] = [NSM_FOLDER, SPIRE_FOLDER, ENDPOINT_FOLDER];

/// Runs the engine until nothing is deployed any more or a signal ends it: its supervisor in this process, its manager in
/// another. Tells by one line on its standard output whether it has started ([`Started`]), and closes that.
///
/// Identities come from the SPIRE agent at `agent`, a URL as `SPIFFE_ENDPOINT_SOCKET` has it, else from the engine itself; its X.509
/// SVIDs are valid for `svid_ttl`, or an hour. Must be called while the process has a single thread. That another
/// engine holds the directory is no error.
///
/// # Errors
/// The directory cannot be used, the machine does not let this user make network namespaces, or the agent gives us no identity.
pub fn run(dir: &Path, svid_ttl: Option<Duration>, agent: Option<&str>) -> Result<()> {
    let (held, listeners, identities) = match begin(dir, svid_ttl, agent) {
        Ok(Some(begun)) => begun,
        Ok(None) => return announce(&Started::Busy),
        Err(failure) => {
            announce(&Started::Error(Refusal::from(&failure)))?;
            return Err(failure);
        }
    };
    let runtime = runtime()?;
    let mut announced = false;
    let ran = runtime.block_on(async {
        if let Some(agent) = &identities.agent {
            agent.probe().await?;
        }
        let ready = || {
            announced = true;
            announce(&Started::Ready { pid: number() })
        };
        Supervisor::new(dir.to_owned(), identities, listeners, held).run(ready).await
    });
    match ran {
        Err(failure) if !announced => {
            let hint = failure.hint.clone().unwrap_or_else(|| format!("its last words are in {}", dir.join(LOG).display()));
            let failure = failure.hint(hint);
            announce(&Started::Error(Refusal::from(&failure)))?;
            Err(failure)
        }
        ran => ran,
    }
}

/// Runs the manager in this process, which the supervisor has started: answers until it is told that all is over.
///
/// # Errors
/// The supervisor is gone, or hands over what cannot be used.
pub fn manage(parent: u32) -> Result<()> {
    tie(parent, Signal::SIGKILL).or_fail(Outcome::Failed, "cannot tie the manager to its supervisor")?;
    let end = io::stdin().as_fd().try_clone_to_owned().or_fail(Outcome::Defect, "cannot use the supervisor's socket")?;
    runtime()?.block_on(async {
        let handover = Handover::take(end).await.or_fail(Outcome::Failed, "cannot take over from the supervisor")?;
        serve(handover).await.or_fail(Outcome::Failed, "cannot use the engine's socket")
    })
}

fn runtime() -> Result<Runtime> {
    runtime::Builder::new_current_thread().enable_all().build().or_fail(Outcome::Defect, "cannot start a runtime")
}

/// Makes a network namespace and a link and lets go of both, in the way in which the engine would.
///
/// Must be called while the process has a single thread.
///
/// # Errors
/// The machine does not let this user make them.
pub fn probe() -> Result<()> {
    net::enter().map(drop).map_err(|missing| Failure::cannot_tell(&missing).hint(&missing.hint))
}

/// The engine's directory while it is ours. Dropping it removes what is in it, the lock last; should the process die
/// before, the kernel lets go of the lock and the next engine removes the rest.
#[derive(Debug)]
struct Held {
    dir: PathBuf,
    /// Dropped after the files, and with it removed.
    _lock: FileLock,
}

impl Drop for Held {
    fn drop(&mut self) {
        // What is gone already, or cannot be removed, stops nothing.
        for name in FILES {
            let _ = fs::remove_file(self.dir.join(name));
        }
        for name in FOLDERS {
            let _ = fs::remove_dir_all(self.dir.join(name));
        }
    }
}

fn begin(dir: &Path, svid_ttl: Option<Duration>, agent: Option<&str>) -> Result<Option<(Held, Listeners, Settings)>> {
    runtime_dir::prepare(dir)?;
    socket_path(dir)?;
    // A session of its own, so that the terminal's signals do not reach it; one that leads a group already has one.
    let _ = setsid();
    let Some(held) = lock(dir)? else { return Ok(None) };
    let identities = identities(svid_ttl, agent)?;
    raise_file_limit();
    net::enter().map_err(|missing| Failure::cannot_tell(&missing).hint(&missing.hint))?;
    for name in FOLDERS {
        let folder = dir.join(name);
        // Whatever an engine that was killed has left in them is of no use any more.
        let _ = fs::remove_dir_all(&folder);
        runtime_dir::prepare(&folder)?;
    }
    let mut own = Socket::ALL.to_vec();
    if let Some(agent) = &identities.agent {
        // In its place is a link that leads to the agent's in the sandboxes, where its folder is shown.
        own.retain(|socket| *socket != Socket::Spire);
        let (to, at) = (dir.join(AGENT_FOLDER).join(agent.path().file_name().unwrap_or_default()), socket_of(dir, Socket::Spire));
        symlink(to, &at).map_err(|error| failed("make", &at, &error))?;
    }
    let listeners = own.into_iter().map(|socket| Ok((socket, listen(&socket_of(dir, socket))?))).collect::<Result<_>>()?;
    Ok(Some((held, listeners, identities)))
}

/// What is asked for, seen to be possible.
fn identities(svid_ttl: Option<Duration>, agent: Option<&str>) -> Result<Settings> {
    let bounded = |ttl| check_svid_ttl(ttl).map_err(|why| Failure::usage(format!("X.509 SVIDs for {ttl:?}: {why}")).hint("say it as in 10m"));
    let settings =
        Settings { svid_ttl: svid_ttl.map(bounded).transpose()?, agent: agent.filter(|url| !url.is_empty()).map(AgentSocket::parse).transpose()? };
    match (&settings.agent, svid_ttl) {
        (Some(agent), Some(_)) => {
            Err(Failure::usage(format!("--svid-ttl, NSMCTL_SVID_TTL: identities come from the SPIRE agent at {agent} instead"))
                .hint("leave it out; the registration entries' -x509SVIDTTL, or the server's default_x509_svid_ttl, is how long they are valid"))
        }
        _ => Ok(settings),
    }
}

/// Where a socket is.
fn socket_of(dir: &Path, socket: Socket) -> PathBuf {
    match socket {
        Socket::Engine => dir.join(SOCKET),
        Socket::Nsm => dir.join(NSM_FOLDER).join(NSM_SOCKET),
        Socket::Spire => dir.join(SPIRE_FOLDER).join(SPIRE_SOCKET),
    }
}

fn listen(path: &Path) -> Result<UnixListener> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed("remove", path, &error)),
        _ => {}
    }
    let listener = UnixListener::bind(path).map_err(|error| failed("make", path, &error))?;
    // Nobody reaches it before that: the directory is closed to others.
    fs::set_permissions(path, Permissions::from_mode(0o600)).map_err(|error| failed("close to others", path, &error))?;
    listener.set_nonblocking(true).or_fail(Outcome::Defect, "cannot use the engine's socket")?;
    Ok(listener)
}

/// Every pod is an open file, and the soft limit is often 1024 for the sake of programs that use `select`. Where it cannot
/// be raised, that is told once it is reached.
fn raise_file_limit() {
    if let Ok((_, hard)) = getrlimit(Resource::RLIMIT_NOFILE) {
        let _ = setrlimit(Resource::RLIMIT_NOFILE, hard, hard);
    }
}

/// Where the socket is.
///
/// # Errors
/// The path of one of the engine's sockets is longer than that of a socket can be.
pub fn socket_path(dir: &Path) -> Result<PathBuf> {
    let paths = Socket::ALL.map(|socket| socket_of(dir, socket));
    if let Some(path) = paths.iter().find(|path| path.as_os_str().len() > MAX_SOCKET_PATH) {
        let length = path.as_os_str().len();
        let message = format!("the path {} has {length} bytes, and a unix socket's has at most {MAX_SOCKET_PATH}", path.display());
        return Err(Failure::usage(message).hint("choose a directory with a shorter path"));
    }
    Ok(dir.join(SOCKET))
}

/// Takes the directory; `None` where another engine has it.
fn lock(dir: &Path) -> Result<Option<Held>> {
    let path = dir.join(LOCK);
    let taken = FileLock::take(&path).map_err(|error| failed("lock", &path, &error))?;
    Ok(taken.map(|lock| Held { dir: dir.to_owned(), _lock: lock }))
}

/// Removes what an engine that was killed has left in the directory; where one is alive, nothing.
///
/// # Errors
/// There is something to remove, and others have a right in the directory.
pub fn clear(dir: &Path) -> Result<()> {
    if FILES.iter().chain(&FOLDERS).chain([&LOCK]).any(|name| dir.join(name).exists()) {
        runtime_dir::check(dir)?;
        drop(lock(dir)?);
    }
    // Where something else is in it, it stays.
    let _ = fs::remove_dir(dir);
    Ok(())
}

/// Writes the one line and closes the standard output: whoever reads it then knows that no more comes.
fn announce(started: &Started) -> Result<()> {
    let line = to_line(started).or_fail(Outcome::Defect, "cannot write the engine's state")?;
    let mut output = io::stdout().lock();
    // Whoever started it may be gone; the engine serves others all the same.
    let _ = output.write_all(&line).and_then(|()| output.flush());
    let null = OpenOptions::new().write(true).open("/dev/null").or_fail(Outcome::Defect, "cannot open /dev/null")?;
    dup2_stdout(&null).or_fail(Outcome::Defect, "cannot close the standard output")
}

fn failed(what: &str, path: &Path, error: &io::Error) -> Failure {
    Failure::failed(format!("cannot {what} {}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_too_long_for_a_socket_is_refused() {
        assert!(socket_path(Path::new("/tmp/x")).is_ok());
        let failure = socket_path(Path::new(&format!("/tmp/{}", "x".repeat(100)))).unwrap_err();
        assert_eq!(failure.outcome, Outcome::Usage);
    }

    #[test]
    fn a_directory_is_held_by_one_and_left_empty() {
        let parent = tempfile::tempdir().unwrap();
        let dir = parent.path().join("engine");
        runtime_dir::prepare(&dir).unwrap();
        let held = lock(&dir).unwrap().unwrap();
        assert!(lock(&dir).unwrap().is_none());
        fs::write(dir.join(LOG), "x").unwrap();
        clear(&dir).unwrap();
        assert!(dir.join(LOG).exists(), "a living engine's files stay");
        drop(held);
        assert_eq!(fs::read_dir(&dir).unwrap().count(), 0);
        clear(&dir).unwrap();
        assert!(!dir.exists());
        clear(&dir).unwrap();
    }
}
