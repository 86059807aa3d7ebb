//! `verify --heal`: what the loss of an endpoint costs a connection.

use std::{
    cell::RefCell,
    net::IpAddr,
    time::{Duration, Instant},
};

use crate::{
    check::{HEAL, Look, Outage, Thresholds, connections},
    model::{Expectations, Failure, Finding, Namespaced, Observation, PodState, Result, Verdict, Workload, WorkloadKind},
    target::{
        Ctx, Target,
        cluster::{Cluster, Pinging},
    },
};
#[cfg(target_os = "linux")]
use crate::{
    model::PingOptions,
    target::local::{Local, Lose, Loss},
};

/// How many replies there must be before the endpoint is deleted, to know that they come at all.
const REPLIES_BEFORE: usize = 5;
/// How long replies must come without a gap, after the endpoint that was deleted is gone, for the connection to count as
/// healed: longer than NSM's own liveness check takes to find out that it is not (4 pings every 200 ms, within 1 s).
const STEADY: Duration = Duration::from_secs(2);
/// The time between two pings on this machine, in milliseconds, where the person has not asked for less: what heals within some
/// tens of milliseconds is to be seen.
#[cfg(target_os = "linux")]
const FINE_MS: u64 = 20;
/// How long is waited on this machine: a program that ends again and again is started after pauses of up to a minute.
#[cfg(target_os = "linux")]
const LONGEST_HEAL: Duration = Duration::from_secs(60);
/// How often is looked whether the pod is gone and another carries the connection. The outage is measured by the pings, not
/// by this; but an endpoint that is gone goes on answering for a while, so that replies alone prove nothing.
const PAUSE: Duration = Duration::from_millis(250);

/// The connection whose endpoint is to be lost.
struct Victim {
    subject: String,
    client: Namespaced,
    container: String,
    device: String,
    peer: IpAddr,
    workload: Workload,
    pod: PodState,
}

/// Deletes the pod of a connection's endpoint and measures how long it takes until the connection works again; `works` looks
/// whether it does.
///
/// # Errors
/// There is no connection that works, nothing would make the pod again, or the command was stopped.
pub(super) async fn heal(
    ctx: &Ctx,
    target: &Target,
    expectations: &Expectations,
    observation: &Observation,
    look: &Look,
    works: impl AsyncFn() -> Result<bool>,
) -> Result<Finding> {
    let ping = look.ping;
    let victim = victim(expectations, observation)?;
    let cluster = match target {
        Target::Cluster(cluster) => cluster,
        #[cfg(target_os = "linux")]
        Target::Local(local) => return heal_here(ctx, local, &victim, ping, works).await,
    };
    if victim.workload.kind == WorkloadKind::Pod {
        let message = format!("--heal: {} is a pod that nothing makes again, so that deleting it would end the service", victim.workload.id);
        return Err(Failure::usage(message).hint("run the endpoint as a Deployment, StatefulSet or DaemonSet"));
    }
    let container = cluster.pinging_container(&victim.client, &victim.container, look.debug_image.as_deref()).await?;
    ctx.events.info(format!("deleting pod {}, the endpoint of {} (--heal)", victim.pod.id, victim.subject));
    let begun = Instant::now();
    let mut pinging = cluster.pinging(&victim.client, &container, &victim.device, victim.peer, ping).await?;
    let replies = RefCell::new(Vec::new());
    let lost_at = RefCell::new(None);
    let interval = Duration::from_millis(ping.interval_ms);
    let watched = Watched { begun, replies: &replies, lost_at: &lost_at, interval };
    let work = ctx.run("waiting until the connection works again", async {
        tokio::select! {
            ended = listen(&mut pinging, begun, &replies) => Err(ended),
            replaced = replace(ctx, cluster, &victim, &watched, works) => replaced,
        }
    });
    let result = work.await;
    let finding = |verdict, observed: String| Finding::new(HEAL, "healing", &victim.subject, verdict, "it works again", observed);
    let (replies, lost_at) = (replies.into_inner(), lost_at.into_inner());
    match (result, lost_at) {
        (Ok(works_at), Some(lost_at)) => {
            let Outage { lost, longest, healed_after } = Outage::of(&replies, lost_at, interval);
            let outage = if lost == 0 { String::new() } else { format!(", an outage of {} at the longest", seconds(longest)) };
            let after = seconds(healed_after.max(works_at.saturating_sub(lost_at)));
            let observed = format!("{lost} pings lost{outage}; through another pod {after} after the deletion (pings {} apart)", seconds(interval));
            Ok(finding(Verdict::Pass, observed))
        }
        (Err(failure), Some(lost_at)) if failure.outcome == crate::model::Outcome::TimedOut => {
            let silent = begun.elapsed().saturating_sub(replies.last().copied().unwrap_or(lost_at));
            let observed = if silent < STEADY {
                "it does not: replies still come, and not through another pod: from a network that has outlived its pod".to_owned()
            } else {
                format!("it does not: no reply for {} when the time was up", seconds(silent))
            };
            Ok(finding(Verdict::Fail, observed)
                .advised("nsmctl troubleshoot names the cause; NSM's client looks for another endpoint only while nsmgr and forwarder are there"))
        }
        (Err(failure), _) => Err(failure),
        (Ok(_), None) => Err(Failure::cannot_tell("the pings ended before the endpoint was deleted")),
    }
}

fn victim(expectations: &Expectations, observation: &Observation) -> Result<Victim> {
    let connections = connections(expectations, observation, Thresholds::default());
    let working = connections.iter().find_map(|connection| {
        let (client, endpoint) = (connection.client.as_ref()?, connection.endpoint.as_ref()?);
        let (link, pair) = (connection.link.as_ref()?, connection.pairs.first()?);
        endpoint.link_with(pair.endpoint)?;
        let candidates = connection.expectation.candidates.iter().filter_map(|id| expectations.workload(id));
        let workload = candidates.into_iter().find(|workload| workload.owns(endpoint.pod))?;
        Some(Victim {
            subject: connection.subject.clone(),
            client: client.pod.id.clone(),
            container: client.probes?.container.clone(),
            device: link.name.clone(),
            peer: pair.endpoint,
            workload: workload.clone(),
            pod: endpoint.pod.clone(),
        })
    });
    working.ok_or_else(|| {
        Failure::cannot_tell("--heal: there is no connection of which both ends can be seen")
            .hint("`nsmctl verify` without --heal says what is wrong")
    })
}

/// On this machine the engine itself ends the endpoint, and pings all the while.
#[cfg(target_os = "linux")]
async fn heal_here(ctx: &Ctx, local: &Local, victim: &Victim, ping: PingOptions, works: impl AsyncFn() -> Result<bool>) -> Result<Finding> {
    let millis = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
    // The end of the command's time is the engine's too, less what the answer takes.
    let limit = ctx.remaining().saturating_sub(Duration::from_secs(2)).min(LONGEST_HEAL);
    ctx.events.info(format!("ending the endpoint of {}, pod {} (--heal)", victim.subject, victim.pod.id));
    let asked = Lose { client: victim.client.clone(), peer: victim.peer, interval_ms: ping.interval_ms.min(FINE_MS), limit_ms: millis(limit) };
    let interval = Duration::from_millis(asked.interval_ms);
    let Loss { what, replies_ms, lost_at_ms, is_healed } = local.lose(ctx, asked).await?;
    let finding = |verdict, observed: String| Finding::new(HEAL, "healing", &victim.subject, verdict, "it works again", observed);
    let replies: Vec<Duration> = replies_ms.into_iter().map(Duration::from_millis).collect();
    let Outage { lost, longest, healed_after } = Outage::of(&replies, Duration::from_millis(lost_at_ms), interval);
    if !is_healed {
        let advice = "nsmctl troubleshoot names the cause";
        return Ok(finding(Verdict::Fail, format!("{what}; replies did not come steadily again within {}", seconds(limit))).advised(advice));
    }
    let ms = |time: Duration| format!("{} ms", time.as_millis());
    let outage =
        if lost == 0 { "no gap in the replies".to_owned() } else { format!("{} at the longest, healed after {}", ms(longest), ms(healed_after)) };
    let verdict = if works().await? { Verdict::Pass } else { Verdict::Fail };
    Ok(finding(verdict, format!("{what}; {lost} pings lost, {outage} (pings {} apart)", ms(interval))))
}

async fn listen(pinging: &mut Pinging, begun: Instant, replies: &RefCell<Vec<Duration>>) -> Failure {
    while pinging.reply().await {
        replies.borrow_mut().push(begun.elapsed());
    }
    Failure::cannot_tell("the pings were cut off").hint("the client's pod may have been replaced meanwhile; try again")
}

/// What is written down while the pings go on.
struct Watched<'a> {
    begun: Instant,
    replies: &'a RefCell<Vec<Duration>>,
    lost_at: &'a RefCell<Option<Duration>>,
    interval: Duration,
}

/// Deletes the endpoint's pod once replies come, and waits until it is gone, the connection works through another and replies
/// come. Says when it was seen to work.
async fn replace(
    ctx: &Ctx,
    cluster: &Cluster,
    victim: &Victim,
    Watched { begun, replies, lost_at, interval }: &Watched<'_>,
    works: impl AsyncFn() -> Result<bool>,
) -> Result<Duration> {
    while replies.borrow().len() < REPLIES_BEFORE {
        tokio::time::sleep(PAUSE).await;
    }
    *lost_at.borrow_mut() = Some(begun.elapsed());
    let uid = cluster.delete_pod(ctx, &victim.pod.id).await?;
    ctx.events.doing("waiting until the connection works again");
    let (mut gone, mut works_at) = (false, None);
    loop {
        tokio::time::sleep(PAUSE).await;
        if !gone {
            let pods = cluster.pods_in(ctx, &victim.pod.id.namespace).await?;
            gone = is_replaced(&victim.workload, &pods, |pod, other| pod.id == victim.pod.id && (uid.is_none() || *other == uid));
            continue;
        }
        if works_at.is_none() && works().await? {
            works_at = Some(begun.elapsed());
        }
        let Some(works_at) = works_at else { continue };
        if Outage::is_over(&replies.borrow(), works_at, begun.elapsed(), STEADY, *interval) {
            return Ok(works_at);
        }
    }
}

/// Whether a pod is gone, and another is ready in its place: of the same name where a StatefulSet makes it.
fn is_replaced(workload: &Workload, pods: &[(PodState, Option<String>)], is_victim: impl Fn(&PodState, &Option<String>) -> bool) -> bool {
    let others = || pods.iter().filter(|(pod, uid)| !is_victim(pod, uid));
    others().count() == pods.len() && others().any(|(pod, _)| workload.owns(pod) && pod.ready && !pod.deleting)
}

fn seconds(time: Duration) -> String {
    format!("{:.1} s", time.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::fixture::{ENDPOINT, expectations, pod};

    #[test]
    fn a_pod_may_be_replaced_by_one_of_its_name() {
        let expectations = expectations();
        let workload = expectations.workloads.iter().find(|workload| workload.endpoint.is_some()).unwrap();
        let made = |name: &str, uid: &str, ready: bool| (PodState { ready, ..pod(name, "nse-kernel", &["nse"]) }, Some(uid.to_owned()));
        let by = |pods: &[(PodState, Option<String>)]| is_replaced(workload, pods, |pod, uid| pod.id.name == ENDPOINT && uid.as_deref() == Some("1"));
        assert!(!by(&[]) && !by(&[made(ENDPOINT, "1", true)]), "it goes on answering");
        assert!(!by(&[made(ENDPOINT, "1", true), made("another", "2", true)]), "two at once");
        assert!(!by(&[made(ENDPOINT, "2", false)]) && by(&[made(ENDPOINT, "2", true)]) && by(&[made("another", "2", true)]));
    }
}
