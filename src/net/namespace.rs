use std::{
    fs::{self, File},
    io,
    os::{
        fd::{AsRawFd, OwnedFd, RawFd},
        linux::fs::MetadataExt,
    },
    path::Path,
    sync::Arc,
    thread,
};

use nix::sched::{CloneFlags, setns, unshare};
use rtnetlink::Handle;
use tokio::{runtime, sync::oneshot};

use super::{Error, Result, link};

/// A network namespace that nothing but descriptors hold.
///
/// There is no bind mount: however the processes die that have a descriptor, the kernel then removes the namespace and its
/// links. Clones are the same namespace, which lives until the last of them is dropped.
#[derive(Debug, Clone)]
pub struct Namespace(Arc<OwnedFd>);

impl Namespace {
    /// Makes a namespace whose loopback is up and whose processes may send echo requests without privilege.
    ///
    /// # Errors
    /// The kernel refused: the limit of namespaces is reached, or the right is missing.
    pub async fn create() -> Result<Self> {
        let unshare_here = || unshare(CloneFlags::CLONE_NEWNET).map_err(|error| Error::new("make a network namespace", error));
        in_own_thread(unshare_here, async |handle| {
            let path = "/proc/thread-self/ns/net";
            let file = File::open(path).map_err(|error| Error::new(format_args!("open {path}"), error))?;
            let loopback = link::link_index(&handle, "lo").await?;
            link::set_up(&handle, "lo", loopback).await?;
            allow_ping();
            Ok(Self(Arc::new(file.into())))
        })
        .await
    }

    /// That of this process, for tests that make nothing in it.
    ///
    /// # Errors
    /// There is no /proc.
    #[cfg(test)]
    pub(crate) fn current() -> io::Result<Self> {
        Ok(Self(Arc::new(File::open("/proc/self/ns/net")?.into())))
    }

    /// Does work in the namespace, in a thread that exists for it alone: `setns` is per thread, and a thread that
    /// others use must never change its namespace.
    ///
    /// # Errors
    /// Those of the work, and those of entering the namespace.
    pub async fn run<T, F>(&self, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: AsyncFnOnce(Handle) -> Result<T> + Send + 'static,
    {
        let namespace = Arc::clone(&self.0);
        let enter = move || setns(namespace.as_ref(), CloneFlags::CLONE_NEWNET).map_err(|error| Error::new("enter a network namespace", error));
        in_own_thread(enter, work).await
    }

    /// The descriptor by which another process finds it, as `/proc/PID/fd/N`.
    #[must_use]
    pub fn descriptor(&self) -> RawFd {
        self.0.as_raw_fd()
    }

    /// Another descriptor of it, to be given to somebody else.
    ///
    /// # Errors
    /// This process has as many open files as it may have.
    pub fn duplicate(&self) -> Result<OwnedFd> {
        self.0.try_clone().map_err(|error| Error::new("duplicate the descriptor of a network namespace", error))
    }

    /// What the kernel knows it by: the number in `/proc/PID/ns/net`.
    ///
    /// # Errors
    /// The kernel does not tell.
    pub fn inode(&self) -> Result<u64> {
        let path = format!("/proc/self/fd/{}", self.descriptor());
        fs::metadata(&path).map(|metadata| metadata.st_ino()).map_err(|error| Error::new(format_args!("read {path}"), error))
    }
}

impl From<OwnedFd> for Namespace {
    /// The namespace of a file such as `/proc/PID/ns/net`.
    fn from(descriptor: OwnedFd) -> Self {
        Self(Arc::new(descriptor))
    }
}

/// Moves this process into the network namespace of a file, first into the user namespace that it belongs to, where that
/// is named. Must be called while the process has a single thread.
///
/// # Errors
/// A namespace is no longer there, or may not be entered.
pub fn join(net: &Path, user: Option<&Path>) -> Result<()> {
    let open = |path: &Path| File::open(path).map_err(|error| Error::new(format_args!("open {}", path.display()), error));
    // Both before the first is entered: in there the other's file cannot be seen.
    let (net, user) = (open(net)?, user.map(open).transpose()?);
    if let Some(user) = user {
        setns(user, CloneFlags::CLONE_NEWUSER).map_err(|error| Error::new("enter a user namespace", error))?;
    }
    setns(net, CloneFlags::CLONE_NEWNET).map_err(|error| Error::new("enter a network namespace", error))
}

/// Starts a thread for one piece of work; whoever waits for the answer may be on any runtime.
pub(super) async fn in_own_thread<T, F>(enter: impl FnOnce() -> Result<()> + Send + 'static, work: F) -> Result<T>
where
    T: Send + 'static,
    F: AsyncFnOnce(Handle) -> Result<T> + Send + 'static,
{
    let answer = start(enter, work)?;
    answer.await.unwrap_or_else(|_| Err(died()))
}

/// As [`in_own_thread`], for where there is no runtime yet.
pub(super) fn in_own_thread_blocking<T, F>(enter: impl FnOnce() -> Result<()> + Send + 'static, work: F) -> Result<T>
where
    T: Send + 'static,
    F: AsyncFnOnce(Handle) -> Result<T> + Send + 'static,
{
    start(enter, work)?.blocking_recv().unwrap_or_else(|_| Err(died()))
}

fn start<T, F>(enter: impl FnOnce() -> Result<()> + Send + 'static, work: F) -> Result<oneshot::Receiver<Result<T>>>
where
    T: Send + 'static,
    F: AsyncFnOnce(Handle) -> Result<T> + Send + 'static,
{
    let (answer, result) = oneshot::channel();
    let body = move || {
        // Nobody may wait any more; the work is done all the same.
        let _ = answer.send(enter().and_then(|()| with_netlink(work)));
    };
    thread::Builder::new().name("netns".to_owned()).spawn(body).map_err(|error| Error::new("start a thread", error))?;
    Ok(result)
}

fn with_netlink<T>(work: impl AsyncFnOnce(Handle) -> Result<T>) -> Result<T> {
    let runtime = runtime::Builder::new_current_thread().enable_all().build().map_err(|error| Error::new("start a runtime", error))?;
    runtime.block_on(async {
        let (connection, handle, _) = rtnetlink::new_connection().map_err(|error| Error::new("open a netlink socket", error))?;
        tokio::spawn(connection);
        work(handle).await
    })
}

fn died() -> Error {
    Error::new("work in a network namespace", io::Error::other("its thread died"))
}

/// NSM's client pings without privilege (`cmd-nsc`), so every group may. A user namespace takes only groups that it maps.
/// Where neither is taken, raw sockets still work, which is why that is no error.
fn allow_ping() {
    let set = |range| fs::write("/proc/sys/net/ipv4/ping_group_range", range);
    let _ = set("0 2147483647").or_else(|_| set("0 0"));
}
