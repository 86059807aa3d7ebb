use std::time::Duration;

use futures::{SinkExt, future::BoxFuture};
use k8s_openapi::{api::core::v1::Pod, apimachinery::pkg::apis::meta::v1::Status};
use kube::{
    Api,
    api::{AttachParams, AttachedProcess, TerminalSize},
};
use tokio::{io::AsyncWriteExt, sync::watch};

use super::{Cluster, error, exec::end_of};
use crate::{
    model::{self, ExecEnd, ExecRequest, Failure, Outcome, Result},
    target::{
        Ctx, Streams,
        program::{feed, pass},
    },
};

/// What a shell says where a program cannot be executed; a runtime's words for it have no code of their own.
const NOT_EXECUTABLE: u8 = 126;
/// How much of each stream is on its way at most; kube-rs would take 1 KiB, which makes many small steps of a long output.
const BUFFER: usize = 256 * 1024;
/// How long the rest of the output may take where the connection broke off: it has come already, and is only to be written.
const REST: Duration = Duration::from_secs(1);

/// A program in a container, and the streams to it.
pub struct Attached {
    process: AttachedProcess,
    status: Option<BoxFuture<'static, Option<Status>>>,
}

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
        let api: Api<Pod> = Api::namespaced(self.client.clone(), &request.pod.namespace);
        let params = AttachParams {
            container: Some(request.container.clone()),
            stdin: request.stdin,
            stdout: true,
            // A terminal is one stream.
            stderr: !request.tty,
            tty: request.tty,
            max_stdin_buf_size: Some(BUFFER),
            max_stdout_buf_size: Some(BUFFER),
            max_stderr_buf_size: Some(BUFFER),
        };
        let what = format!("run {} in container {} of pod {}", request.program(), request.container, request.pod);
        let step = async {
            let started = api.exec(&request.pod.name, request.command.iter().map(String::as_str), &params).await;
            started.map_err(|error| error::failure(&error, &what))
        };
        let mut process = ctx.run(&format!("starting {}", request.program()), step).await?;
        // The status is taken before anything is read: kube-rs drops it with the join.
        let status = process.take_status().map(|status| Box::pin(status) as BoxFuture<'static, _>);
        Ok(Attached { process, status })
    }
}

impl Attached {
    /// Passes everything on until the program has ended. Dropping it closes the program's streams.
    ///
    /// # Errors
    /// How it ended is not known.
    pub(in crate::target) async fn join(mut self: Box<Self>, request: &ExecRequest, streams: Streams) -> Result<u8> {
        let Streams { stdin, mut stdout, mut stderr, sizes } = streams;
        let input = feed(stdin, self.process.stdin());
        let resizes = resize(self.process.terminal_size(), sizes);
        let (from_stdout, from_stderr) = (self.process.stdout(), self.process.stderr());
        let Some(mut status) = self.status.take() else { return Err(lost(request)) };
        let output = async { futures::try_join!(pass(from_stdout, &mut *stdout), pass(from_stderr, &mut *stderr)) };
        let status = {
            let mut output = std::pin::pin!(output);
            let first = tokio::select! {
                status = &mut status => Ok(status),
                ended = &mut output => Err(ended),
                () = input => return Err(lost(request)),
                () = resizes => return Err(lost(request)),
            };
            let (status, ended) = match first {
                Ok(Some(status)) => (Some(status), output.await),
                // kube-rs leaves the streams of a connection that broke off open for ever.
                Ok(None) => (None, tokio::time::timeout(REST, output).await.unwrap_or(Ok(((), ())))),
                Err(ended @ Err(_)) => (None, ended),
                Err(ended @ Ok(_)) => (status.await, ended),
            };
            if let Err(cut) = ended {
                return cut.end();
            }
            status
        };
        let status = status.ok_or_else(|| lost(request))?;
        let (code, words) = end(request, &status)?;
        if let Some(words) = words {
            // The runtime's words are all that there is of a program that could not be started.
            let _ = stderr.write_all(format!("{words}\n").as_bytes()).await.and(stderr.flush().await);
        }
        Ok(code)
    }
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

/// Tells the program's terminal its size, and every change of it; never comes back.
async fn resize(to: Option<impl futures::Sink<TerminalSize> + Unpin>, sizes: Option<watch::Receiver<model::TerminalSize>>) {
    if let (Some(mut to), Some(mut sizes)) = (to, sizes) {
        loop {
            let model::TerminalSize { columns: width, rows: height } = *sizes.borrow_and_update();
            if to.send(TerminalSize { width, height }).await.is_err() || sizes.changed().await.is_err() {
                break;
            }
        }
    }
    std::future::pending::<()>().await;
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
