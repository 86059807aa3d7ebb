//! The engine as a process: its directory, its lock, its right to make namespaces, its start and its end.

use std::{
    fs::{self, OpenOptions, Permissions},
    io::{self, Write},
    os::unix::{fs::PermissionsExt, net::UnixListener},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use nix::{
    sys::resource::{Resource, getrlimit, setrlimit},
    unistd::{dup2_stdout, setsid},
};
use tokio::{
    runtime,
    signal::unix::{SignalKind, signal},
};

use super::{
    api::Control,
    identity::{Identity, SVID_TTL, WorkloadApi},
    protocol::{LOCK, LOG, Refusal, SOCKET, Started, to_line},
    server::serve,
};
use crate::{
    file_lock::FileLock,
    model::{Failure, IntoFailure, Outcome, Result},
    net, runtime_dir,
};

/// The longest path of a unix socket, in bytes: `sun_path` of unix(7) less the closing zero.
const MAX_SOCKET_PATH: usize = 107;

/// The folder of the socket of NSM's API, which a sandbox sees as `/var/lib/networkservicemesh`.
pub(super) const NSM_FOLDER: &str = "nsm";
/// The folder of the socket of the SPIFFE Workload API, which a sandbox sees as `/run/spire/sockets`.
pub(super) const SPIRE_FOLDER: &str = "spire";
/// The folder in which the engine's own endpoints make their sockets; no sandbox sees it.
const ENDPOINT_FOLDER: &str = "nse";
/// The socket of NSM's API, by the name that its programs know.
const NSM_SOCKET: &str = "nsm/nsm.io.sock";
/// The socket of the SPIFFE Workload API, by the name that NSM's manifests give it.
const SPIRE_SOCKET: &str = "spire/agent.sock";
/// What an engine has in its directory beside its lock, which guards them.
const FILES: [&str; 4] = [SOCKET, LOG, NSM_SOCKET, SPIRE_SOCKET];
/// The folders that it has there.
const FOLDERS: [&str; 3] = [NSM_FOLDER, SPIRE_FOLDER, ENDPOINT_FOLDER];

/// Runs the engine in this process until nothing is deployed any more or a signal ends it. Tells by one line on its
/// standard output whether it has started ([`Started`]), and closes that.
///
/// X.509 SVIDs are valid for `svid_ttl`, or an hour. Must be called while the process has a single thread. That another
/// engine holds the directory is no error.
///
/// # Errors
/// The directory cannot be used, or the machine does not let this user make network namespaces.
pub fn run(dir: &Path, svid_ttl: Option<Duration>) -> Result<()> {
    let (held, listeners) = match begin(dir) {
        Ok(Some(begun)) => begun,
        Ok(None) => return announce(&Started::Busy),
        Err(failure) => {
            announce(&Started::Error(Refusal::from(&failure)))?;
            return Err(failure);
        }
    };
    let runtime = runtime::Builder::new_current_thread().enable_all().build().or_fail(Outcome::Defect, "cannot start a runtime")?;
    runtime.block_on(live(dir, listeners, svid_ttl.unwrap_or(SVID_TTL)))?;
    // Before the runtime goes and with it the connections, whose end tells clients that the files are gone.
    drop(held);
    drop(runtime);
    Ok(())
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

async fn live(dir: &Path, listeners: Listeners, svid_ttl: Duration) -> Result<()> {
    let listener = |listener| tokio::net::UnixListener::from_std(listener).or_fail(Outcome::Defect, "cannot use the engine's socket");
    let identity = Identity::new(svid_ttl).map(Arc::new).or_fail(Outcome::Defect, "cannot make identities")?;
    let control = Control::new(Arc::clone(&identity), [&dir.join(NSM_FOLDER), &dir.join(ENDPOINT_FOLDER)], "nsm.io.sock")
        .or_fail(Outcome::Defect, "cannot make identities")?;
    // They end with the runtime.
    tokio::spawn(WorkloadApi::new(identity, Arc::clone(&control.sandboxes)).serve(listener(listeners.spire)?));
    tokio::spawn(Arc::clone(&control).serve(listener(listeners.nsm)?));
    tokio::spawn(Arc::clone(&control).sweep());
    let listener = listener(listeners.engine)?;
    let handle = |kind| signal(kind).or_fail(Outcome::Defect, "cannot handle signals");
    let (mut terminate, mut interrupt) = (handle(SignalKind::terminate())?, handle(SignalKind::interrupt())?);
    announce(&Started::Ready { pid: std::process::id() })?;
    let stop = async {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    };
    serve(listener, control, stop).await;
    Ok(())
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
        for name in FILES {
            // What is gone already, or cannot be removed, stops nothing.
            let _ = fs::remove_file(self.dir.join(name));
        }
        for name in FOLDERS {
            let _ = fs::remove_dir(self.dir.join(name));
        }
    }
}

/// The sockets of an engine.
#[derive(Debug)]
struct Listeners {
    /// That of nsmctl.
    engine: UnixListener,
    /// That of NSM's API.
    nsm: UnixListener,
    /// That of the SPIFFE Workload API.
    spire: UnixListener,
}

fn begin(dir: &Path) -> Result<Option<(Held, Listeners)>> {
    runtime_dir::prepare(dir)?;
    socket_path(dir)?;
    // A session of its own, so that the terminal's signals do not reach it; one that leads a group already has one.
    let _ = setsid();
    let Some(held) = lock(dir)? else { return Ok(None) };
    raise_file_limit();
    net::enter().map_err(|missing| Failure::cannot_tell(&missing).hint(&missing.hint))?;
    for folder in FOLDERS {
        runtime_dir::prepare(&dir.join(folder))?;
    }
    let listen = |name: &str| listen(&dir.join(name));
    Ok(Some((held, Listeners { engine: listen(SOCKET)?, nsm: listen(NSM_SOCKET)?, spire: listen(SPIRE_SOCKET)? })))
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
    let longest = [SOCKET, NSM_SOCKET, SPIRE_SOCKET].into_iter().max_by_key(|name| name.len()).unwrap_or(SOCKET);
    let path = dir.join(longest);
    let length = path.as_os_str().len();
    if length > MAX_SOCKET_PATH {
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
    if FILES.iter().chain([&LOCK]).any(|name| dir.join(name).exists()) {
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
