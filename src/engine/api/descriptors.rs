use std::{
    collections::HashMap,
    fmt, fs, io,
    os::{
        fd::{AsFd, AsRawFd, OwnedFd},
        linux::fs::MetadataExt,
    },
    str::FromStr,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::{sync::Notify, time::timeout};

/// How long a descriptor that a message speaks of may take: it travels with the same bytes or just before them.
const ARRIVES: Duration = Duration::from_secs(5);
/// How many descriptors one connection may have sent. A program of NSM sends two: its network namespace and its socket.
const MAX_KEPT: usize = 64;

/// What the kernel knows a file by; written as `inode://DEVICE/NUMBER` where a descriptor is spoken of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(in crate::engine) struct Inode {
    /// The device, as `st_dev` has it.
    pub(in crate::engine) device: u64,
    /// The number of the inode on it.
    pub(in crate::engine) number: u64,
}

/// What is no `inode://DEVICE/NUMBER`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("is not of the form inode://DEVICE/NUMBER")]
pub(in crate::engine) struct NotAnInode;

impl Inode {
    /// That of the file at a path.
    ///
    /// # Errors
    /// There is none.
    pub(in crate::engine) fn of_path(path: &str) -> io::Result<Self> {
        let metadata = fs::metadata(path)?;
        Ok(Self { device: metadata.st_dev(), number: metadata.st_ino() })
    }

    /// That of an open file.
    ///
    /// # Errors
    /// The kernel does not tell.
    pub(in crate::engine) fn of(file: impl AsFd) -> io::Result<Self> {
        let stat = rustix::fs::fstat(file)?;
        Ok(Self { device: stat.st_dev, number: stat.st_ino })
    }
}

impl FromStr for Inode {
    type Err = NotAnInode;

    fn from_str(text: &str) -> Result<Self, NotAnInode> {
        let (device, number) = text.strip_prefix("inode://").and_then(|rest| rest.split_once('/')).ok_or(NotAnInode)?;
        let digits = |part: &str| part.parse().ok().filter(|_| part.bytes().all(|byte| byte.is_ascii_digit())).ok_or(NotAnInode);
        Ok(Self { device: digits(device)?, number: digits(number)? })
    }
}

impl fmt::Display for Inode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "inode://{}/{}", self.device, self.number)
    }
}

/// The descriptors that have come over one connection, until it ends.
#[derive(Debug, Default, Clone)]
pub(in crate::engine) struct Descriptors(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    kept: Mutex<HashMap<Inode, Arc<OwnedFd>>>,
    came: Notify,
}

/// A descriptor that never came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("timeout while waiting for the descriptor of {0}")]
pub(in crate::engine) struct NeverCame(Inode);

impl Descriptors {
    /// Keeps a descriptor that has come; one that is there already is closed: it is sent again with every refresh.
    ///
    /// # Errors
    /// There are more than anybody needs, or the kernel does not tell what it is.
    pub(super) fn keep(&self, descriptor: OwnedFd) -> io::Result<()> {
        let inode = Inode::of(&descriptor)?;
        let mut kept = self.0.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() >= MAX_KEPT && !kept.contains_key(&inode) {
            return Err(io::Error::other(format!("more than {MAX_KEPT} descriptors came over one connection")));
        }
        kept.entry(inode).or_insert_with(|| Arc::new(descriptor));
        drop(kept);
        self.0.came.notify_waiters();
        Ok(())
    }

    /// The descriptor of a file, once it is there.
    ///
    /// # Errors
    /// It does not come.
    pub(in crate::engine) async fn wait(&self, inode: Inode) -> Result<Arc<OwnedFd>, NeverCame> {
        let come = async {
            loop {
                let came = self.0.came.notified();
                tokio::pin!(came);
                // Before it is looked: what comes in between is not missed.
                came.as_mut().enable();
                if let Some(descriptor) = self.0.kept.lock().unwrap_or_else(PoisonError::into_inner).get(&inode) {
                    return Arc::clone(descriptor);
                }
                came.await;
            }
        };
        timeout(ARRIVES, come).await.map_err(|_| NeverCame(inode))
    }
}

/// The path by which a descriptor, which may be one that only names a file (`O_PATH`), is opened or connected to.
pub(in crate::engine) fn path_of(descriptor: &OwnedFd) -> String {
    format!("/proc/self/fd/{}", descriptor.as_raw_fd())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_inode_is_written_as_nsm_writes_it() {
        let inode = Inode { device: 4, number: 4_026_531_840 };
        assert_eq!(inode.to_string(), "inode://4/4026531840");
        assert_eq!("inode://4/4026531840".parse(), Ok(inode));
        for bad in ["", "inode://4", "inode://4/", "inode://+4/5", "file:///proc/self/ns/net", "inode://4/5/6", "inode://-1/2"] {
            assert_eq!(bad.parse::<Inode>(), Err(NotAnInode), "{bad}");
        }
    }

    #[tokio::test]
    async fn a_descriptor_is_had_once_it_came_and_none_is_left() {
        let descriptors = Descriptors::default();
        let (mut reader, writer) = io::pipe().unwrap();
        let (first, second) = (OwnedFd::from(writer.try_clone().unwrap()), OwnedFd::from(writer));
        let inode = Inode::of(&first).unwrap();
        let waiting = tokio::spawn({
            let descriptors = descriptors.clone();
            async move { descriptors.wait(inode).await.map(|descriptor| Inode::of(&*descriptor).unwrap()) }
        });
        tokio::task::yield_now().await;
        descriptors.keep(first).unwrap();
        descriptors.keep(second).unwrap();
        assert_eq!(waiting.await.unwrap(), Ok(inode));
        drop(descriptors);
        // A pipe ends with the last descriptor of its writing end.
        assert_eq!(io::Read::read(&mut reader, &mut [0]).unwrap(), 0);
    }

    #[test]
    fn nobody_can_fill_the_table() {
        let descriptors = Descriptors::default();
        let keep = |_: &usize| descriptors.keep(io::pipe().unwrap().0.into()).is_ok();
        assert_eq!((0..MAX_KEPT + 10).take_while(keep).count(), MAX_KEPT);
    }

    #[tokio::test(start_paused = true)]
    async fn a_descriptor_that_never_comes_is_not_waited_for() {
        let inode = Inode { device: 1, number: 2 };
        let error = Descriptors::default().wait(inode).await.unwrap_err();
        assert_eq!(error.to_string(), "timeout while waiting for the descriptor of inode://1/2");
    }
}
