use std::{
    collections::HashMap,
    fs, io,
    os::linux::fs::MetadataExt,
    sync::{Mutex, PoisonError},
};

use crate::{engine::api::Inode, model::Namespaced, net::Namespace};

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

/// The sandboxes, by their network namespaces.
///
/// A process proves which sandbox it is in by nothing that it says: the kernel tells who has connected (`SO_PEERCRED`), and in
/// which network namespace that process is.
#[derive(Debug, Default)]
pub(in crate::engine) struct Sandboxes(Mutex<HashMap<Inode, Member>>);

impl Sandboxes {
    /// Takes a sandbox in.
    ///
    /// # Errors
    /// The kernel does not tell what its network namespace is.
    pub(in crate::engine) fn insert(&self, member: Member) -> io::Result<()> {
        let inode = Inode::of_path(&format!("/proc/self/fd/{}", member.namespace.descriptor()))?;
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(inode, member);
        Ok(())
    }

    /// Lets a sandbox go.
    pub(in crate::engine) fn remove(&self, pod: &Namespaced) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).retain(|_, member| member.pod != *pod);
    }

    /// The sandbox whose network namespace that is.
    pub(in crate::engine) fn by_namespace(&self, namespace: Inode) -> Option<Member> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(&namespace).cloned()
    }

    /// The sandbox of a pod.
    pub(in crate::engine) fn by_pod(&self, pod: &Namespaced) -> Option<Member> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).values().find(|member| member.pod == *pod).cloned()
    }

    /// The sandbox that a process is in, by its number in our own PID namespace.
    pub(in crate::engine) fn of_process(&self, pid: i32) -> Option<Member> {
        self.by_namespace(netns_of(pid).ok()?)
    }
}

/// The network namespace of a process.
///
/// # Errors
/// It is gone, or not ours to look at.
fn netns_of(pid: i32) -> io::Result<Inode> {
    let metadata = fs::metadata(format!("/proc/{pid}/ns/net"))?;
    Ok(Inode { device: metadata.st_dev(), number: metadata.st_ino() })
}
