use std::{fmt, fs, io};

use nix::{
    sched::{CloneFlags, unshare},
    unistd::{getegid, geteuid},
};

use super::{
    Error, Result,
    link::{VethPair, create_veth_pair},
    namespace::{Namespace, in_own_thread_blocking},
};
use crate::model::Payload;

/// By what right the process makes network namespaces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Privilege {
    /// It has the capabilities.
    Capabilities,
    /// It is in a user namespace of its own, where it has all of them.
    UserNamespace,
}

/// Why network namespaces cannot be made here, and what to do about it.
#[derive(Debug, thiserror::Error)]
#[error("this machine does not let this process make network namespaces and links: {reason}")]
pub struct Missing {
    reason: String,
    /// The next step.
    pub hint: String,
}

/// Gets the right to make network namespaces and links, and proves it by making some.
///
/// Must be called while the process has a single thread: Linux moves no other into a user namespace.
///
/// # Errors
/// Neither the capabilities nor a user namespace are to be had, or what follows is refused: AppArmor and seccomp let the
/// first call pass and refuse the next.
pub fn enter() -> std::result::Result<Privilege, Missing> {
    if has_capabilities() {
        return probe().map(|()| Privilege::Capabilities).map_err(|error| explain(&error, &LOCKS[..1], AS_ROOT));
    }
    enter_user_namespace().and_then(|()| probe()).map(|()| Privilege::UserNamespace).map_err(|error| explain(&error, &LOCKS, AS_USER))
}

/// CAP_NET_ADMIN and CAP_SYS_ADMIN (linux/capability.h) in the effective set.
fn has_capabilities() -> bool {
    const NEEDED: u64 = 1 << 12 | 1 << 21;
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let effective = status.lines().find_map(|line| line.strip_prefix("CapEff:")).and_then(|set| u64::from_str_radix(set.trim(), 16).ok());
    effective.is_some_and(|set| set & NEEDED == NEEDED)
}

fn enter_user_namespace() -> Result<()> {
    let (user, group) = (geteuid(), getegid());
    unshare(CloneFlags::CLONE_NEWUSER).map_err(|error| Error::new("make a user namespace", error))?;
    let write = |path: &str, text: String| fs::write(path, text).map_err(|error| Error::new(format_args!("write {path}"), error));
    // Without this, mapping a group needs privilege (user_namespaces(7)).
    write("/proc/self/setgroups", "deny".to_owned())?;
    write("/proc/self/uid_map", format!("0 {user} 1"))?;
    write("/proc/self/gid_map", format!("0 {group} 1"))
}

/// Makes a namespace and a veth pair in it, and lets go of both.
fn probe() -> Result<()> {
    let unshare_here = || unshare(CloneFlags::CLONE_NEWNET).map_err(|error| Error::new("make a network namespace", error));
    in_own_thread_blocking(unshare_here, async |handle| {
        let name = |text: &str| text.parse().map_err(|error| Error::new("name a probe", io::Error::other(error)));
        let peer_namespace = Namespace::create().await?;
        create_veth_pair(&handle, &VethPair { name: name("probe-0")?, peer: name("probe-1")?, peer_namespace, payload: Payload::Ethernet }).await
    })
}

/// A setting of the kernel that forbids namespaces: where it is, when it does so, and how to change it.
struct Lock {
    path: &'static str,
    forbids: fn(&str) -> bool,
    change: &'static str,
}

/// The first concerns root too.
const LOCKS: [Lock; 4] = [
    Lock { path: "/proc/sys/user/max_net_namespaces", forbids: |value| value == "0", change: "sysctl user.max_net_namespaces=15000" },
    Lock {
        path: "/proc/sys/kernel/apparmor_restrict_unprivileged_userns",
        forbids: |value| value != "0",
        change: "sysctl kernel.apparmor_restrict_unprivileged_userns=0",
    },
    Lock { path: "/proc/sys/kernel/unprivileged_userns_clone", forbids: |value| value == "0", change: "sysctl kernel.unprivileged_userns_clone=1" },
    Lock { path: "/proc/sys/user/max_user_namespaces", forbids: |value| value == "0", change: "sysctl user.max_user_namespaces=15000" },
];

const AS_ROOT: &str = "run it on the host, or give the container CAP_NET_ADMIN and CAP_SYS_ADMIN and a seccomp profile that allows unshare";
const AS_USER: &str = "run as root, or where unprivileged user namespaces are allowed; a container's seccomp profile often forbids them";

fn explain(error: &Error, locks: &[Lock], otherwise: &str) -> Missing {
    explain_with(error, locks, otherwise, |path| fs::read_to_string(path).ok())
}

fn explain_with(error: &impl fmt::Display, locks: &[Lock], otherwise: &str, read: impl Fn(&str) -> Option<String>) -> Missing {
    let mut closed = locks.iter().filter_map(|lock| read(lock.path).map(|value| (lock, value.trim().to_owned())));
    match closed.find(|(lock, value)| (lock.forbids)(value)) {
        Some((Lock { path, change, .. }, value)) => Missing {
            reason: format!("{error}, and {path} is {value}"),
            hint: format!("have an administrator run `{change}`, or run as root on the host"),
        },
        None => Missing { reason: error.to_string(), hint: otherwise.to_owned() },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn explained(path: &'static str, value: &'static str) -> Missing {
        explain_with(&"cannot make a user namespace: EPERM", &LOCKS, AS_USER, |asked| (asked == path).then(|| value.to_owned()))
    }

    #[test]
    fn the_setting_that_forbids_it_is_named() {
        for (path, bad, good, change) in [
            ("/proc/sys/kernel/apparmor_restrict_unprivileged_userns", "1\n", "0\n", "kernel.apparmor_restrict_unprivileged_userns=0"),
            ("/proc/sys/kernel/unprivileged_userns_clone", "0\n", "1\n", "kernel.unprivileged_userns_clone=1"),
            ("/proc/sys/user/max_user_namespaces", "0\n", "5000\n", "user.max_user_namespaces=15000"),
        ] {
            let missing = explained(path, bad);
            assert!(missing.to_string().contains(path) && missing.hint.contains(change), "{missing}; {}", missing.hint);
            assert!(!explained(path, good).to_string().contains(path));
        }
    }

    #[test]
    fn without_a_known_cause_there_is_still_advice() {
        assert!(explained("/nowhere", "").hint.contains("run as root"));
    }
}
