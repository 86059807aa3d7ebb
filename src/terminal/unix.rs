use std::{io, sync::Arc};

use rustix::termios::{OptionalActions, Termios, tcgetattr, tcgetwinsize, tcsetattr};
use tokio::{
    signal::unix::{SignalKind, signal},
    sync::watch,
    task::JoinHandle,
};

use crate::model::TerminalSize;

/// The terminal passes on every key as it is pressed, Ctrl-C included. Dropping this undoes it, also where a panic does.
#[derive(Debug)]
pub struct Raw {
    before: Termios,
}

impl Raw {
    /// Makes the terminal of standard input raw.
    ///
    /// # Errors
    /// Standard input is no terminal.
    pub fn enter() -> io::Result<Self> {
        let before = tcgetattr(io::stdin())?;
        let mut raw = before.clone();
        raw.make_raw();
        let guard = Self { before };
        tcsetattr(io::stdin(), OptionalActions::Now, &raw)?;
        Ok(guard)
    }
}

impl Drop for Raw {
    fn drop(&mut self) {
        // A terminal that is gone needs nothing any more.
        let _ = tcsetattr(io::stdin(), OptionalActions::Now, &self.before);
    }
}

/// The terminal's size; `None` where it has none.
#[must_use]
pub fn size() -> Option<TerminalSize> {
    let size = tcgetwinsize(io::stdin()).ok()?;
    Some(TerminalSize { columns: size.ws_col, rows: size.ws_row })
}

/// The terminal's size from now on, as long as this lives.
#[derive(Debug, Clone)]
pub struct Sizes {
    /// The size, and its changes.
    pub sizes: watch::Receiver<TerminalSize>,
    _watcher: Arc<Watcher>,
}

#[derive(Debug)]
struct Watcher(JoinHandle<()>);

impl Drop for Watcher {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Sizes {
    /// Watches the terminal's size.
    ///
    /// # Errors
    /// Signals cannot be handled.
    pub fn watch() -> io::Result<Self> {
        let mut changed = signal(SignalKind::window_change())?;
        let (sender, sizes) = watch::channel(size().unwrap_or(TerminalSize { columns: 80, rows: 24 }));
        let watching = async move {
            while changed.recv().await.is_some() {
                if let Some(size) = size() {
                    sender.send_replace(size);
                }
            }
        };
        Ok(Self { sizes, _watcher: Arc::new(Watcher(tokio::spawn(watching))) })
    }
}

/// Waits until the terminal is closed, or somebody asks to quit: what would end the process with the terminal still raw.
///
/// # Errors
/// Signals cannot be handled.
pub async fn hung_up() -> io::Result<()> {
    let (mut hangup, mut quit) = (signal(SignalKind::hangup())?, signal(SignalKind::quit())?);
    tokio::select! {
        _ = hangup.recv() => {}
        _ = quit.recv() => {}
    }
    Ok(())
}
