use std::{net::IpAddr, time::Duration};

use futures::{StreamExt, future::join_all, stream};
use k8s_openapi::{api::core::v1::Pod, apimachinery::pkg::apis::meta::v1::Status};
use kube::{Api, Error, api::AttachParams};
use tokio::io::{AsyncRead, AsyncReadExt};

use super::{Cluster, error};
use crate::{
    model::{ExecEnd, ExecOutput, PingOptions, Pinged, PodProbes, Probe, ProbeRequest, Result, Unavailable, UnavailableKind},
    target::Ctx,
};

/// How many pods are looked into at once. Each takes up to five streams, and an API server allows a few hundred.
const AT_ONCE: usize = 16;
/// How often a program is run whose end was lost on the way.
const TRIES: u32 = 2;
/// What is read of a program's output at most: `ip` on a node with a thousand links prints less.
const MAX_OUTPUT: u64 = 1 << 20;
/// What an exec takes beside the program's own time.
const SLACK: Duration = Duration::from_secs(10);

impl Cluster {
    /// Looks into pods, in the order of the requests: runs `ip` and `ping` in the containers that are named.
    ///
    /// # Errors
    /// The command was stopped. That a program could not be run is in the answer.
    pub async fn probe(&self, ctx: &Ctx, requests: Vec<ProbeRequest>) -> Result<Vec<PodProbes>> {
        let probes = stream::iter(requests).map(|request| self.probe_pod(request)).buffered(AT_ONCE).collect();
        ctx.run("looking into the pods", async { Ok(probes.await) }).await
    }

    async fn probe_pod(&self, request: ProbeRequest) -> PodProbes {
        let run = async |command: Vec<String>, limit: Duration| self.run(&request, command, limit).await;
        let ip = async |arguments: &[&str]| match request.network {
            true => run(["ip"].iter().chain(arguments).map(|word| (*word).to_owned()).collect(), SLACK).await,
            false => Err(Unavailable { kind: UnavailableKind::NotAsked, reason: "only pings were asked for".to_owned() }),
        };
        let pings = join_all(request.pings.iter().map(async |destination| {
            let result = run(ping_command(*destination, request.ping), ping_time(request.ping) + SLACK).await;
            Pinged { destination: *destination, result: probe(result) }
        }));
        let (links, routes, routes_v6, pings) = futures::join!(ip(&["addr"]), ip(&["route"]), ip(&["-6", "route"]), pings);
        let (links, routes, routes_v6) = (probe(links), probe(routes), probe(routes_v6));
        PodProbes { pod: request.pod.clone(), container: request.container.clone(), links, routes, routes_v6, pings }
    }

    async fn run(&self, request: &ProbeRequest, command: Vec<String>, limit: Duration) -> Result<ExecOutput, Unavailable> {
        let api: Api<Pod> = Api::namespaced(self.client.clone(), &request.pod.namespace);
        let mut tries = 1;
        loop {
            let output = match tokio::time::timeout(limit, exec(&api, request, &command)).await {
                Ok(Ok(output)) => output,
                // An answer of the server is an answer; a broken connection is worth a second try.
                Ok(Err(error @ Error::Api(_))) => return Err(error::unavailable(&error)),
                Ok(Err(error)) => ended(&command, ExecEnd::Transport(error::describe(&error))),
                Err(_) => ended(&command, ExecEnd::Timeout),
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

async fn exec(api: &Api<Pod>, request: &ProbeRequest, command: &[String]) -> Result<ExecOutput, Error> {
    let params =
        AttachParams { stdout: true, stderr: true, stdin: false, tty: false, container: Some(request.container.clone()), ..AttachParams::default() };
    let mut process = api.exec(&request.pod.name, command.iter().map(String::as_str), &params).await?;
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

fn probe<T>(result: Result<ExecOutput, Unavailable>) -> Probe<T> {
    result.map_or_else(Probe::Unavailable, Probe::Output)
}

/// `ping` in the words that busybox and iputils share.
fn ping_command(destination: IpAddr, options: PingOptions) -> Vec<String> {
    let seconds = |ms: u64| {
        let text = format!("{}.{:03}", ms / 1000, ms % 1000);
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    };
    // Both take whole seconds for the wait.
    let wait = options.wait_ms.div_ceil(1000).max(1).to_string();
    let mut command = vec!["ping".to_owned()];
    // busybox's ping finds the family by itself; old iputils have a program of their own, and newer ones need no flag.
    for (flag, value) in [("-c", options.count.to_string()), ("-i", seconds(options.interval_ms)), ("-W", wait)] {
        command.extend([flag.to_owned(), value]);
    }
    command.push(destination.to_string());
    command
}

fn ping_time(options: PingOptions) -> Duration {
    Duration::from_millis(u64::from(options.count) * options.interval_ms + options.wait_ms)
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

    #[test]
    fn a_ping_is_asked_for_in_words_that_every_ping_knows() {
        let options = PingOptions { count: 4, interval_ms: 100, wait_ms: 1000 };
        assert_eq!(ping_command("172.16.1.100".parse().unwrap(), options).join(" "), "ping -c 4 -i 0.1 -W 1 172.16.1.100");
        let options = PingOptions { count: 1, interval_ms: 2000, wait_ms: 1500 };
        assert_eq!(ping_command("fd00::1".parse().unwrap(), options).join(" "), "ping -c 1 -i 2 -W 2 fd00::1");
    }
}
