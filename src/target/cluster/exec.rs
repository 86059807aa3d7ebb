use std::time::Duration;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Status;
use kube::{Api, Error, api::AttachParams};
use tokio::io::{AsyncRead, AsyncReadExt};

use super::{Cluster, error, partial::Pod, persist::attempt};
use crate::model::{ExecEnd, ExecOutput, Namespaced, Result, Unavailable};

/// How often a program is run whose end was lost on the way.
const TRIES: u32 = 2;
/// What is read of a program's output at most: `ip` on a node with a thousand links prints less.
const MAX_OUTPUT: u64 = 1 << 20;

impl Cluster {
    /// Runs a program in a container and waits for its end, at most as long as `limit`.
    pub(super) async fn run(&self, pod: &Namespaced, container: &str, command: Vec<String>, limit: Duration) -> Result<ExecOutput, Unavailable> {
        let api: Api<Pod> = Api::namespaced(self.client.clone(), &pod.namespace);
        let mut tries = 1;
        loop {
            let run = async || match tokio::time::timeout(limit, exec(&api, &pod.name, container, &command)).await {
                Ok(result) => result.map(Some),
                Err(_) => Ok(None),
            };
            let output = match attempt(run).await {
                Ok(Some(output)) => output,
                Ok(None) => ended(&command, ExecEnd::Timeout),
                // An answer of the server is an answer; a broken connection is worth a second try.
                Err(error @ Error::Api(_)) => return Err(error::unavailable(&error)),
                Err(error) => ended(&command, ExecEnd::Transport(error::describe(&error))),
            };
            if tries == TRIES || !matches!(output.end, ExecEnd::Transport(_) | ExecEnd::LostStatus) {
                return Ok(output);
            }
            tries += 1;
        }
    }
}

fn ended(command: &[String], end: ExecEnd) -> ExecOutput {
    ExecOutput { command: command.to_owned(), end, stdout: String::new(), stderr: String::new() }
}

async fn exec(api: &Api<Pod>, pod: &str, container: &str, command: &[String]) -> Result<ExecOutput, Error> {
    let params =
        AttachParams { stdout: true, stderr: true, stdin: false, tty: false, container: Some(container.to_owned()), ..AttachParams::default() };
    let mut process = api.exec(pod, command.iter().map(String::as_str), &params).await?;
    // The status is taken before anything is read: kube-rs drops it with the join.
    let status = process.take_status();
    let (stdout, stderr) = (process.stdout(), process.stderr());
    let status = async {
        match status {
            Some(status) => status.await,
            None => None,
        }
    };
    let (status, stdout, stderr) = futures::join!(status, read(stdout), read(stderr));
    let end = status.map_or(ExecEnd::LostStatus, |status| end_of(&status));
    // The status has come, so there is nothing to wait for; the connection is let go.
    process.abort();
    Ok(ExecOutput { command: command.to_owned(), end, stdout, stderr })
}

async fn read(stream: Option<impl AsyncRead + Unpin>) -> String {
    let mut bytes = Vec::new();
    if let Some(stream) = stream {
        // A stream that breaks off is what the status is for.
        let _ = stream.take(MAX_OUTPUT).read_to_end(&mut bytes).await;
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// The end that a status stands for (kubernetes: remotecommand's `NonZeroExitCode` with an `ExitCode` cause).
pub(super) fn end_of(status: &Status) -> ExecEnd {
    if status.status.as_deref() == Some("Success") {
        return ExecEnd::Exited(0);
    }
    let causes = status.details.iter().flat_map(|details| details.causes.iter().flatten());
    let code = causes.filter(|cause| cause.reason.as_deref() == Some("ExitCode")).find_map(|cause| cause.message.as_deref()?.parse().ok());
    let message = status.message.clone().unwrap_or_default();
    // A container runtime reports a program that is not there as a failure to start, in words of its own.
    let absent = message.contains("executable file not found") || message.contains("no such file or directory");
    match code {
        Some(code) => ExecEnd::Exited(code),
        None if absent => ExecEnd::Exited(127),
        None => ExecEnd::Transport(message),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn end(status: Value) -> ExecEnd {
        end_of(&serde_json::from_value(status).unwrap())
    }

    #[test]
    fn the_exit_code_comes_out_of_the_status() {
        assert_eq!(end(json!({"status": "Success"})), ExecEnd::Exited(0));
        let details = json!({"causes": [{"reason": "ExitCode", "message": "2"}]});
        assert_eq!(end(json!({"status": "Failure", "reason": "NonZeroExitCode", "details": details})), ExecEnd::Exited(2));
        let missing = "failed to exec in container: exec: \"ping\": executable file not found in $PATH: unknown";
        assert_eq!(end(json!({"status": "Failure", "reason": "InternalError", "message": missing})), ExecEnd::Exited(127));
        assert_eq!(end(json!({"status": "Failure", "message": "container not running"})), ExecEnd::Transport("container not running".to_owned()));
    }
}
