//! A program that runs in a pod for the person.

use std::io;

use tokio::{
    io::{AsyncRead, AsyncWrite, AsyncWriteExt},
    sync::watch,
};

use super::{Ctx, cluster::Attached};
use crate::model::{ExecRequest, Failure, Outcome, Result, TerminalSize};

/// How much is read at once: what a pipe holds.
#[cfg(any(target_os = "linux", test))]
const CHUNK: usize = 64 * 1024;
/// What a shell says of a program whose reader has gone: ended by SIGPIPE (128 + 13).
const READER_GONE: u8 = 141;

/// What a program reads from and writes to.
pub struct Streams {
    /// Its standard input; `None` for none.
    pub stdin: Option<Box<dyn AsyncRead + Send + Unpin>>,
    /// Its standard output; with a terminal, also what it complains about.
    pub stdout: Box<dyn AsyncWrite + Send + Unpin>,
    /// What it complains about.
    pub stderr: Box<dyn AsyncWrite + Send + Unpin>,
    /// The size of its terminal, and the changes of that.
    pub sizes: Option<watch::Receiver<TerminalSize>>,
}

/// A program that has been started.
#[derive(Debug)]
pub enum Program {
    /// In a container.
    Cluster(Box<Attached>),
    /// On this machine.
    #[cfg(target_os = "linux")]
    Local(super::local::Started),
}

impl Program {
    /// Passes everything on until the program has ended; the result is its exit code. Where this is given up, so is the
    /// program.
    ///
    /// # Errors
    /// How it ended is not known, or the command was stopped.
    pub async fn join(self, ctx: &Ctx, request: &ExecRequest, streams: Streams) -> Result<u8> {
        let what = format!("running {} in pod {}", request.program(), request.pod);
        match self {
            Self::Cluster(attached) => ctx.run(&what, attached.join(request, streams)).await,
            #[cfg(target_os = "linux")]
            Self::Local(started) => ctx.run(&what, started.join(streams)).await,
        }
    }
}

/// Where something is passed on to.
pub(super) type Output = dyn AsyncWrite + Send + Unpin;

/// Why passing on has ended.
#[derive(Debug)]
pub(super) enum Cut {
    /// Nobody reads what the program writes.
    ReaderGone,
    /// It cannot be written.
    Failed(io::Error),
}

impl Cut {
    /// What the program's end is then.
    pub(super) fn end(self) -> Result<u8> {
        match self {
            Self::ReaderGone => Ok(READER_GONE),
            Self::Failed(error) => Err(Failure::msg(Outcome::NotRun, format!("cannot write what the program says: {error}"))),
        }
    }
}

/// Passes on what comes, at once and unchanged, to its end.
#[cfg(any(target_os = "linux", test))]
pub(super) async fn pass(mut from: impl AsyncRead + Unpin, to: &mut Output) -> Result<(), Cut> {
    let mut chunk = vec![0; CHUNK];
    loop {
        // A stream that breaks off is what the exit status is for; a terminal whose program has ended breaks off always.
        let count = tokio::io::AsyncReadExt::read(&mut from, &mut chunk).await.unwrap_or(0);
        if count == 0 {
            return Ok(());
        }
        put(to, &chunk[..count]).await?;
    }
}

/// Passes on some bytes, at once and unchanged.
pub(super) async fn put(to: &mut Output, bytes: &[u8]) -> Result<(), Cut> {
    let written = async { to.write_all(bytes).await.and(to.flush().await) };
    written.await.map_err(|error| if error.kind() == io::ErrorKind::BrokenPipe { Cut::ReaderGone } else { Cut::Failed(error) })
}

/// Passes on standard input to the terminal of a program of this machine; never comes back, since its end is not that of
/// the program.
#[cfg(target_os = "linux")]
pub(super) async fn feed(from: Option<Box<dyn AsyncRead + Send + Unpin>>, mut to: impl AsyncWrite + Unpin) {
    if let Some(mut from) = from {
        // Where the program takes no more, its end will say why.
        let _ = tokio::io::copy(&mut from, &mut to).await;
    }
    std::future::pending::<()>().await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn bytes_are_passed_on_unchanged() {
        let bytes: Vec<u8> = (0..200_000_u32).flat_map(u32::to_le_bytes).collect();
        let mut passed = Vec::new();
        assert!(pass(bytes.as_slice(), &mut passed).await.is_ok());
        assert_eq!(passed, bytes);
    }

    #[tokio::test]
    async fn a_reader_that_has_gone_ends_it_as_a_shell_would_say() {
        let (reader, mut writer) = tokio::io::duplex(16);
        drop(reader);
        let cut = pass([0_u8; 64].as_slice(), &mut writer).await.unwrap_err();
        assert_eq!(cut.end().unwrap(), 141);
    }
}
