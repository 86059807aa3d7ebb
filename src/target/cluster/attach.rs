//! A program in a container, over a websocket.
//!
//! kube-rs has a loop of its own for this, which reads nothing while it writes, so that a program with much to say and much to
//! read stops for ever; and where the connection breaks off, its streams never end. Here both ways go at once.

use std::time::Duration;

use futures::{Sink, SinkExt, Stream, StreamExt};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Status;
use kube::{Resource, api::AttachParams, client::Connection, core::Request};
use serde_json::json;
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWriteExt},
    sync::watch,
    time::{Instant, interval_at},
};
use tokio_tungstenite::tungstenite::Message;

use super::{Cluster, error, exec::end_of, partial::Pod};
use crate::{
    model::{ExecEnd, ExecRequest, Failure, IntoFailure, Outcome, Result, TerminalSize},
    target::{
        Ctx, Streams,
        program::{Cut, Output, put},
    },
};

/// What a shell says where a program cannot be executed; a runtime's words for it have no code of their own.
const NOT_EXECUTABLE: u8 = 126;
/// How much of standard input goes into a frame: servers read as much at once.
const CHUNK: usize = 32 * 1024;
/// How often a connection is kept alive on which nothing is said: balancers on the way cut it after a few minutes.
const ALIVE: Duration = Duration::from_secs(60);

/// The channels of a connection: the first byte of every frame (kubernetes: apimachinery, remotecommand).
const STDIN: u8 = 0;
const STDOUT: u8 = 1;
const STDERR: u8 = 2;
const STATUS: u8 = 3;
const RESIZE: u8 = 4;
/// Says of the channel that follows that it is over; from v5 on.
const CLOSE: u8 = 255;

/// A program in a container, and the connection to it. Dropping it closes the program's streams.
pub struct Attached(Connection);

impl std::fmt::Debug for Attached {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Attached").finish_non_exhaustive()
    }
}

impl Cluster {
    /// Starts a program in a container.
    ///
    /// # Errors
    /// The server refuses, or the command was stopped. That there is no such program is found out when it is joined.
    pub async fn start(&self, ctx: &Ctx, request: &ExecRequest) -> Result<Attached> {
        let params = AttachParams {
            container: Some(request.container.clone()),
            stdin: request.stdin,
            stdout: true,
            // A terminal is one stream.
            stderr: !request.tty,
            tty: request.tty,
            ..AttachParams::default()
        };
        let what = format!("run {} in container {} of pod {}", request.program(), request.container, request.pod);
        let pods = Request::new(Pod::url_path(&(), Some(&request.pod.namespace)));
        let asked = pods.exec(&request.pod.name, request.command.iter().map(String::as_str), &params);
        let asked = asked.or_fail(Outcome::Defect, format!("cannot ask to {what}"))?;
        let step = async { self.client.connect(asked).await.map_err(|error| error::failure(&error, &what)) };
        ctx.run(&format!("starting {}", request.program()), step).await.map(Attached)
    }
}

impl Attached {
    /// Passes everything on until the program has ended.
    ///
    /// # Errors
    /// How it ended is not known.
    pub(in crate::target) async fn join(self, request: &ExecRequest, streams: Streams) -> Result<u8> {
        let Streams { stdin, mut stdout, mut stderr, sizes } = streams;
        let closes = self.0.supports_stream_close();
        let (to, from) = self.0.into_stream().split();
        let status = tokio::select! {
            status = listen(from, &mut *stdout, &mut *stderr) => status,
            () = talk(to, closes, stdin, sizes) => Ok(None),
        };
        let status = match status {
            Ok(status) => status.ok_or_else(|| lost(request))?,
            Err(cut) => return cut.end(),
        };
        let (code, words) = end(request, &status)?;
        if let Some(words) = words {
            // The runtime's words are all that there is of a program that could not be started.
            let _ = stderr.write_all(format!("{words}\n").as_bytes()).await.and(stderr.flush().await);
        }
        Ok(code)
    }
}

/// Passes on what the program says, until it has ended; `None` where the connection ends before.
async fn listen<E>(
    mut from: impl Stream<Item = Result<Message, E>> + Unpin,
    stdout: &mut Output,
    stderr: &mut Output,
) -> Result<Option<Status>, Cut> {
    while let Some(Ok(message)) = from.next().await {
        let Message::Binary(frame) = message else { continue };
        match frame.split_first() {
            Some((&STDOUT, bytes)) => put(stdout, bytes).await?,
            Some((&STDERR, bytes)) => put(stderr, bytes).await?,
            Some((&STATUS, bytes)) => return Ok(serde_json::from_slice(bytes).ok()),
            _ => {}
        }
    }
    Ok(None)
}

/// Passes on standard input to its end, and the sizes of the terminal; never comes back, since the end is told elsewhere.
async fn talk(
    mut to: impl Sink<Message> + Unpin,
    closes: bool,
    mut stdin: Option<Box<dyn AsyncRead + Send + Unpin>>,
    mut sizes: Option<watch::Receiver<TerminalSize>>,
) {
    let mut chunk = vec![0; CHUNK];
    let mut alive = interval_at(Instant::now() + ALIVE, ALIVE);
    sizes.iter_mut().for_each(watch::Receiver::mark_changed);
    loop {
        let message = tokio::select! {
            size = next_size(&mut sizes) => frame(RESIZE, json!({"Width": size.columns, "Height": size.rows}).to_string().as_bytes()),
            count = read(&mut stdin, &mut chunk) => match count {
                0 => {
                    stdin = None;
                    // Before v5 there is no other way to say that it is over.
                    if closes { frame(CLOSE, &[STDIN]) } else { Message::Close(None) }
                }
                count => frame(STDIN, &chunk[..count]),
            },
            _ = alive.tick() => Message::Ping(Vec::new().into()),
        };
        if to.send(message).await.is_err() {
            break;
        }
    }
    std::future::pending::<()>().await;
}

fn frame(channel: u8, bytes: &[u8]) -> Message {
    Message::binary([&[channel], bytes].concat())
}

/// How much came of standard input, 0 at its end; waits for ever where there is none.
async fn read(stdin: &mut Option<Box<dyn AsyncRead + Send + Unpin>>, chunk: &mut [u8]) -> usize {
    match stdin {
        // What cannot be read any more is over.
        Some(stdin) => stdin.read(chunk).await.unwrap_or(0),
        None => std::future::pending().await,
    }
}

/// The terminal's size once it is another; waits for ever where there is no terminal.
async fn next_size(sizes: &mut Option<watch::Receiver<TerminalSize>>) -> TerminalSize {
    if let Some(sizes) = sizes
        && sizes.changed().await.is_ok()
    {
        return *sizes.borrow_and_update();
    }
    std::future::pending().await
}

fn lost(request: &ExecRequest) -> Failure {
    let message = format!("the connection ended before the exit status of {} came, so how it ended is not known", request.program());
    Failure::msg(Outcome::NotRun, message)
}

/// The exit code that a status stands for, and the words of a runtime that could not start the program.
fn end(request: &ExecRequest, status: &Status) -> Result<(u8, Option<String>)> {
    let ExecRequest { container, pod, .. } = request;
    let words = status.message.clone().unwrap_or_default();
    let failed = |why: &str| Failure::msg(Outcome::NotRun, format!("cannot run {} in container {container} of pod {pod}: {why}", request.program()));
    // A code that the program ended with comes as a cause; without one the program was never started.
    let ran = status.status.as_deref() == Some("Success") || status.reason.as_deref() == Some("NonZeroExitCode");
    match end_of(status) {
        ExecEnd::Exited(code) => Ok((u8::try_from(code).map_err(|_| failed(&format!("its exit code is {code}")))?, (!ran).then_some(words))),
        ExecEnd::Transport(_) if words.contains("permission denied") || words.contains("exec format error") => Ok((NOT_EXECUTABLE, Some(words))),
        ExecEnd::Transport(_) => Err(failed(&words)),
        ExecEnd::LostStatus | ExecEnd::Timeout => Err(lost(request)),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::model::Namespaced;

    fn ended(status: Value) -> Result<(u8, Option<String>)> {
        let pod = Namespaced::new("ns", "alpine");
        let request = ExecRequest { pod, container: "c".to_owned(), command: vec!["p".to_owned()], stdin: false, tty: false };
        end(&request, &serde_json::from_value(status).unwrap())
    }

    #[test]
    fn a_programs_own_code_comes_without_words() {
        assert_eq!(ended(json!({"status": "Success"})).unwrap(), (0, None));
        for code in [1, 3, 126, 127, 255] {
            let details = json!({"causes": [{"reason": "ExitCode", "message": code.to_string()}]});
            let status = json!({"status": "Failure", "reason": "NonZeroExitCode", "message": "command terminated", "details": details});
            assert_eq!(ended(status).unwrap(), (code, None));
        }
    }

    #[test]
    fn what_could_not_be_started_is_told_in_the_words_of_the_runtime() {
        let absent = "failed to exec in container: exec: \"p\": executable file not found in $PATH: unknown";
        let denied = "failed to exec in container: exec: \"p\": permission denied: unknown";
        for (words, code) in [(absent, 127), (denied, 126)] {
            let status = json!({"status": "Failure", "reason": "InternalError", "message": words});
            assert_eq!(ended(status).unwrap(), (code, Some(words.to_owned())));
        }
        let failure = ended(json!({"status": "Failure", "message": "container not found (\"c\")"})).unwrap_err();
        assert_eq!(failure.outcome, Outcome::NotRun);
        assert!(failure.message().contains("cannot run p in container c of pod ns/alpine: container not found"), "{}", failure.message());
    }
}
