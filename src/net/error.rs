use std::{fmt::Display, io};

/// What the kernel refused, and why.
#[derive(Debug, thiserror::Error)]
#[error("cannot {what}: {reason}")]
pub struct Error {
    what: String,
    reason: io::Error,
}

/// A result of Linux networking.
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// `what` fits after "cannot ".
    pub fn new(what: impl Display, reason: impl Into<io::Error>) -> Self {
        Self { what: what.to_string(), reason: reason.into() }
    }

    /// The kernel's error number, where it gave one.
    #[must_use]
    pub fn raw_os_error(&self) -> Option<i32> {
        self.reason.raw_os_error()
    }

    /// Whether the process has as many files open as it may (`ulimit -n`).
    #[must_use]
    pub fn is_out_of_files(&self) -> bool {
        self.raw_os_error() == Some(nix::errno::Errno::EMFILE as i32)
    }

    pub(super) fn netlink(what: impl Display, error: &rtnetlink::Error) -> Self {
        let reason = match error {
            rtnetlink::Error::NetlinkError(message) => message.to_io(),
            other => io::Error::other(other.to_string()),
        };
        Self::new(what, reason)
    }
}
