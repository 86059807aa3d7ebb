//! The loss of an endpoint on purpose, and what it costs the connection: `verify --heal` on this machine.

use std::{
    net::IpAddr,
    time::{Duration, Instant},
};

use tokio::sync::mpsc;

use super::{
    protocol::{Lose, Loss, Refusal},
    server::Shared,
};
use crate::{
    model::{ContainerRole, Namespaced, Outcome},
    net::{self, Namespace},
};

/// How many replies there must be before the endpoint is lost, to know that they come at all.
const REPLIES_BEFORE: usize = 5;
/// How long the first replies may take.
const FIRST_REPLIES: Duration = Duration::from_secs(10);
/// How long replies must come without a gap for the connection to count as healed: longer than NSM's own liveness check takes to
/// find out that it is not (4 pings every 200 ms, within 1 s).
const STEADY: Duration = Duration::from_secs(2);
/// A reply that is late by less than so many intervals is no gap.
const LATE_INTERVALS: u32 = 3;

/// Ends a connection's endpoint and pings all the while, until the replies come steadily again or the time is up.
pub(super) async fn lose(shared: &Shared, asked: Lose) -> Result<Loss, Refusal> {
    let failed = |message: String| Refusal::new(Outcome::CannotTell, message);
    let victim = find(shared, &asked.client, asked.peer).await;
    let victim = victim.ok_or_else(|| failed(format!("pod {} has no connection to {}", asked.client, asked.peer)))?;
    let (tell, mut replies) = mpsc::unbounded_channel();
    let (namespace, peer, interval) = (victim.client.clone(), asked.peer, Duration::from_millis(asked.interval_ms.max(1)));
    let begun = Instant::now();
    let pinging = tokio::spawn(async move { namespace.run(async move |_| net::ping_on(peer, interval, tell).await).await });
    let mut seen = Vec::new();
    let first = tokio::time::timeout(FIRST_REPLIES, async {
        while let Some(at) = replies.recv().await {
            seen.push(at.duration_since(begun));
            if seen.len() == REPLIES_BEFORE {
                return;
            }
        }
    });
    if first.await.is_err() || seen.len() < REPLIES_BEFORE {
        pinging.abort();
        return Err(failed(format!("{} does not answer pings from pod {}, so that its loss would show nothing", asked.peer, asked.client)));
    }
    let lost_at = begun.elapsed();
    let what = victim.end(shared).await?;
    let limit = tokio::time::sleep(Duration::from_millis(asked.limit_ms));
    tokio::pin!(limit);
    let (mut since, mut is_healed) = (lost_at, false);
    while !is_healed {
        tokio::select! {
            () = &mut limit => break,
            reply = replies.recv() => {
                let Some(at) = reply.map(|at| at.duration_since(begun)) else { break };
                let last = seen.last().copied().unwrap_or(lost_at);
                if at.saturating_sub(last) >= interval * LATE_INTERVALS {
                    since = at;
                }
                seen.push(at);
                is_healed = at.saturating_sub(since) >= STEADY;
            }
        }
    }
    // The thread that pings ends by itself once nobody listens.
    drop(replies);
    let millis = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
    Ok(Loss { what, replies_ms: seen.into_iter().map(millis).collect(), lost_at_ms: millis(lost_at), is_healed })
}

/// The endpoint that is to be lost.
struct Victim {
    client: Namespace,
    pod: Namespaced,
    namespace: Namespace,
    interface: String,
    /// The program that is the endpoint, where one is.
    program: Option<String>,
}

async fn find(shared: &Shared, client: &Namespaced, peer: IpAddr) -> Option<Victim> {
    let state = shared.state.lock().await;
    let is_it = |pairs: &[crate::model::AddressPair]| pairs.iter().any(|pair| pair.endpoint == peer);
    let connection = state.mesh.manager.connections().into_iter().find(|connection| connection.client.pod == *client && is_it(&connection.pairs))?;
    let sandbox = state.mesh.sandboxes.get(&connection.endpoint.pod)?;
    let program = sandbox.programs.iter().find(|run| run.program.role == ContainerRole::Endpoint);
    Some(Victim {
        client: connection.client.namespace.clone(),
        pod: connection.endpoint.pod.clone(),
        namespace: connection.endpoint.namespace.clone(),
        interface: connection.endpoint.interface.to_string(),
        program: program.map(|run| run.key(&sandbox.pod)),
    })
}

impl Victim {
    /// Ends it: the program by SIGKILL; one inside the engine has no process, and loses its link.
    async fn end(&self, shared: &Shared) -> Result<String, Refusal> {
        if let Some(key) = &self.program {
            shared.link.kill(key);
            return Ok(format!("the program of the endpoint {} was killed", self.pod));
        }
        let name = self.interface.clone();
        let deleted = self.namespace.run(async move |handle| net::delete_link(&handle, &name).await).await;
        deleted.map_err(|error| Refusal::new(Outcome::Failed, error))?;
        Ok(format!("the link {} of the endpoint {} was deleted", self.interface, self.pod))
    }
}
