use std::{net::IpAddr, time::Duration};

use kube::{
    Api, ResourceExt,
    api::{AttachParams, AttachedProcess, DeleteParams},
};
use tokio::io::{AsyncBufReadExt, BufReader, Lines};

use super::{Cluster, error, look, partial::Pod, pod::pod_state};
use crate::{
    model::{ExecEnd, ExecOutput, Failure, Namespaced, PingOptions, PodState, Result},
    target::Ctx,
};

/// How long one `ping` runs until the peer is looked up again: an endpoint that was made anew may have another address.
const ROUND_SECONDS: u32 = 2;
/// How many of these there are at most, so that the script ends where nobody ends it.
const ROUNDS: u32 = 900;

/// What it may take to see which programs a container has.
const LOOK: Duration = Duration::from_secs(10);

/// Pings that go on until they are dropped.
pub struct Pinging {
    process: AttachedProcess,
    lines: Lines<BufReader<Box<dyn tokio::io::AsyncRead + Send + Unpin>>>,
}

impl Pinging {
    /// Waits for the next reply; `false` where there will be none.
    pub async fn reply(&mut self) -> bool {
        while let Ok(Some(line)) = self.lines.next_line().await {
            // busybox: `64 bytes from 172.16.1.100: seq=0 ttl=64 time=0.256 ms`; iputils: `… icmp_seq=1 ttl=64 time=0.043 ms`.
            if line.contains("bytes from") && line.contains("seq=") && line.contains("time=") {
                return true;
            }
        }
        false
    }
}

impl Drop for Pinging {
    fn drop(&mut self) {
        self.process.abort();
    }
}

impl Cluster {
    /// The container to ping from: the one that is named where its image has what that takes, else one that is put beside it.
    ///
    /// # Errors
    /// No other may be put beside it, or it does not start.
    pub async fn pinging_container(&self, pod: &Namespaced, container: &str, debug_image: Option<&str>) -> Result<String> {
        let Some(image) = debug_image else { return Ok(container.to_owned()) };
        let asks = ["sh", "-c", "command -v ip && command -v ping"].map(str::to_owned).to_vec();
        match self.run(pod, container, asks, LOOK).await {
            Ok(ExecOutput { end: ExecEnd::Exited(code), .. }) if code != 0 => {
                self.debug_container(pod, image).await.map_err(|unavailable| Failure::cannot_tell(unavailable.reason))
            }
            // Whatever else stands in the way is told by who pings.
            _ => Ok(container.to_owned()),
        }
    }

    /// Pings the peer of an interface, or an address where the peer cannot be read off the routes, again and again.
    ///
    /// # Errors
    /// The program cannot be started in the container.
    pub async fn pinging(&self, pod: &Namespaced, container: &str, device: &str, peer: IpAddr, options: PingOptions) -> Result<Pinging> {
        let six = if peer.is_ipv4() { "" } else { "-6 " };
        let interval = look::interval(options);
        // The shell's own words let it notice when nobody listens any more.
        let script = format!(
            "n=0; while [ $n -lt {ROUNDS} ]; do n=$((n+1)); echo round; p=; for w in $(ip {six}route 2>/dev/null | grep 'dev {device} ' | cut -d' ' -f1); do \
             case $w in */*|default|multicast) ;; *) p=$w; break ;; esac; done; ping -i {interval} -w {ROUND_SECONDS} ${{p:-{peer}}} 2>&1 || sleep {interval}; done"
        );
        let api: Api<Pod> = Api::namespaced(self.client.clone(), &pod.namespace);
        let params =
            AttachParams { stdout: true, stderr: false, stdin: false, tty: false, container: Some(container.to_owned()), ..AttachParams::default() };
        let started = api.exec(&pod.name, ["sh", "-c", &script], &params).await;
        let mut process = started.map_err(|error| error::failure(&error, &format!("ping from pod {pod}")))?;
        let stdout = process.stdout().ok_or_else(|| Failure::cannot_tell(format!("the pings from pod {pod} have no output")))?;
        let stdout: Box<dyn tokio::io::AsyncRead + Send + Unpin> = Box::new(stdout);
        Ok(Pinging { process, lines: BufReader::new(stdout).lines() })
    }

    /// Deletes a pod, with the grace that it asks for. What made it makes another. The result is the UID of the one that goes, where the
    /// server says it.
    ///
    /// # Errors
    /// The server does not delete it, or the command was stopped.
    pub async fn delete_pod(&self, ctx: &Ctx, pod: &Namespaced) -> Result<Option<String>> {
        let api: Api<Pod> = Api::namespaced(self.client.clone(), &pod.namespace);
        let delete = async {
            let deleted = api.delete(&pod.name, &DeleteParams::default()).await;
            let uid = deleted.map(|answer| answer.either(|pod| pod.uid(), |status| status.details.map(|details| details.uid)));
            let uid = uid.map(|uid| uid.filter(|uid| !uid.is_empty()));
            uid.map_err(|error| error::failure(&error, &format!("delete pod {pod}")))
        };
        ctx.run("deleting a pod", delete).await
    }

    /// The pods of a namespace, each with its UID.
    ///
    /// # Errors
    /// They cannot be listed, or the command was stopped.
    pub async fn pods_in(&self, ctx: &Ctx, namespace: &str) -> Result<Vec<(PodState, Option<String>)>> {
        let list = async {
            let pods = self.pods_as(Some(namespace), "", |pod| (pod_state(pod), pod.uid())).await;
            pods.map_err(|unavailable| Failure::cannot_tell(format!("cannot list pods: {}", unavailable.reason)))
        };
        ctx.run("looking at the pods", list).await
    }
}
