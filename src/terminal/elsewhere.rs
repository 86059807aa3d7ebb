//! Where there are no POSIX terminals, a program in a pod gets no terminal.

use std::io;

use tokio::sync::watch;

use crate::model::TerminalSize;

fn unsupported() -> io::Error {
    io::Error::new(io::ErrorKind::Unsupported, "a terminal cannot be passed on here; leave --tty out")
}

/// A terminal that passes on every key: there is none.
#[derive(Debug)]
pub struct Raw(());

impl Raw {
    /// Makes the terminal of standard input raw.
    ///
    /// # Errors
    /// Always.
    pub fn enter() -> io::Result<Self> {
        Err(unsupported())
    }
}

/// The terminal's size: it is not known.
#[must_use]
pub fn size() -> Option<TerminalSize> {
    None
}

/// The terminal's size from now on: it is not known.
#[derive(Debug, Clone)]
pub struct Sizes {
    /// The size, and its changes.
    pub sizes: watch::Receiver<TerminalSize>,
}

impl Sizes {
    /// Watches the terminal's size.
    ///
    /// # Errors
    /// Always.
    pub fn watch() -> io::Result<Self> {
        Err(unsupported())
    }
}

/// Waits until the terminal is closed, which is not told here.
///
/// # Errors
/// Never.
pub async fn hung_up() -> io::Result<()> {
    std::future::pending().await
}
