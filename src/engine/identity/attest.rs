use std::{
    collections::HashMap,
    fs, io,
    os::linux::fs::MetadataExt,
    sync::{Arc, Mutex, PoisonError},
};

use tokio::{
    net::UnixStream,
    sync::{OwnedSemaphorePermit, Semaphore},
};

use crate::{engine::api::Inode, model::Namespaced, net::Namespace};

/// How many connections to one of our sockets the processes of a pod may have at once. NSM's own programs have two or three; each
/// holds a descriptor of ours, of which others need some too.
const CONNECTIONS_OF_A_POD: usize = 128;

/// What is known of a sandbox by whom it is asked.
#[derive(Debug, Clone)]
pub(in crate::engine) struct Member {
    /// The pod.
    pub(in crate::engine) pod: Namespaced,
    /// The deployment that it belongs to.
    pub(in crate::engine) instance: String,
    /// The pod's network namespace.
    pub(in crate::engine) namespace: Namespace,
}

/// Who is in a sandbox and has connected: one of as many as may be at once.
#[derive(Debug)]
pub(in crate::engine) struct Admitted {
    /// The sandbox.
    pub(in crate::engine) member: Member,
    _place: OwnedSemaphorePermit,
}

/// The processes of a pod have as many connections as they may.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::engine) struct TooMany;

/// The sandboxes, by their network namespaces, each with the places for its connections.
///
/// A process proves which sandbox it is in by nothing that it says: the kernel tells who has connected (`SO_PEERCRED`), and in
/// which network namespace that process is.
#[derive(Debug, Default)]
pub(in crate::engine) struct Sandboxes(Mutex<HashMap<Inode, (Member, Arc<Semaphore>)>>);

impl Sandboxes {
    /// Takes a sandbox in.
    ///
    /// # Errors
    /// The kernel does not tell what its network namespace is.
    pub(in crate::engine) fn insert(&self, member: Member) -> io::Result<()> {
        let inode = Inode::of_path(&format!("/proc/self/fd/{}", member.namespace.descriptor()))?;
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(inode, (member, Arc::new(Semaphore::new(CONNECTIONS_OF_A_POD))));
        Ok(())
    }

    /// Lets a sandbox go.
    pub(in crate::engine) fn remove(&self, pod: &Namespaced) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).retain(|_, (member, _)| member.pod != *pod);
    }

    /// The sandbox of a pod.
    pub(in crate::engine) fn by_pod(&self, pod: &Namespaced) -> Option<Member> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).values().find(|(member, _)| member.pod == *pod).map(|(member, _)| member.clone())
    }

    /// Lets in who has connected; nobody where its process is in no sandbox.
    ///
    /// # Errors
    /// Its pod has enough connections.
    pub(in crate::engine) fn admit(&self, stream: &UnixStream) -> Result<Option<Admitted>, TooMany> {
        let Some(namespace) = process_of(stream).and_then(|pid| netns_of(pid).ok()) else { return Ok(None) };
        let found = self.0.lock().unwrap_or_else(PoisonError::into_inner).get(&namespace).cloned();
        let Some((member, places)) = found else { return Ok(None) };
        let place = places.try_acquire_owned().map_err(|_| TooMany)?;
        Ok(Some(Admitted { member, _place: place }))
    }
}

/// The process that has connected, by its number in our own PID namespace.
pub(in crate::engine) fn process_of(stream: &UnixStream) -> Option<i32> {
    stream.peer_cred().ok()?.pid()
}

/// The network namespace of a process.
///
/// # Errors
/// It is gone, or not ours to look at.
fn netns_of(pid: i32) -> io::Result<Inode> {
    let metadata = fs::metadata(format!("/proc/{pid}/ns/net"))?;
    Ok(Inode { device: metadata.st_dev(), number: metadata.st_ino() })
}
