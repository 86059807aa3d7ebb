use std::collections::HashMap;

use crate::{
    check::{Look, follow_up_requests, probe_requests},
    model::{Expectations, Failure, Inventory, Observation, Pinged, Probe, ProbeRequest, Result},
    target::{Ctx, Target},
};

/// What was seen, and what cut the look short where something did.
pub(super) struct Observed {
    pub(super) observation: Observation,
    pub(super) cut_short: Option<Failure>,
}

/// Looks at everything that `verify` judges by: what exists, then into the pods, then once more where only the first look
/// told which address to ping.
///
/// # Errors
/// Nothing could be seen: the target cannot be asked, or the command was stopped before. What cannot be seen is in the
/// observation.
pub(super) async fn observe(ctx: &Ctx, target: &Target, expectations: &Expectations, look: &Look) -> Result<Observed> {
    ctx.events.doing("looking at the pods");
    let inventory = target.inventory(ctx, expectations).await?;
    Ok(observe_pods(ctx, target, expectations, look, inventory).await)
}

/// The same where it is known what exists.
pub(super) async fn observe_pods(ctx: &Ctx, target: &Target, expectations: &Expectations, look: &Look, inventory: Inventory) -> Observed {
    let requests = probe_requests(expectations, inventory.pods.as_deref().unwrap_or_default(), look);
    ctx.events.doing("asking inside the pods: ip and ping");
    let mut observation = Observation { taken_at: target.now(), inventory, probes: Vec::new() };
    let cut_short = look_inside(ctx, target, expectations, &mut observation, requests, look).await.err();
    ctx.events.doing("");
    Observed { observation, cut_short }
}

async fn look_inside(
    ctx: &Ctx,
    target: &Target,
    expectations: &Expectations,
    observation: &mut Observation,
    requests: Vec<ProbeRequest>,
    look: &Look,
) -> Result<()> {
    target.probe(ctx, requests, &mut observation.probes).await?;
    let requests = follow_up_requests(expectations, observation, look);
    if requests.is_empty() {
        return Ok(());
    }
    let at_once = observation.probes.len();
    let mut probes: HashMap<_, _> = observation.probes.iter_mut().map(|probes| (probes.pod.clone(), &mut probes.pings)).collect();
    let is_again = |request: &&ProbeRequest| {
        let sent = probes.get(&request.pod).into_iter().flat_map(|pings| pings.iter());
        sent.filter(|ping| ping.packet_bytes.is_none()).any(|ping| request.pings.contains(&ping.destination))
    };
    let again = requests.iter().filter(is_again).map(|request| request.pod.name.as_str()).collect::<Vec<_>>();
    if !again.is_empty() {
        let who = again.join(", ");
        ctx.events.info(format!("some pings of {who} were lost while {at_once} pods were looked into at once: these are sent once more"));
    }
    let mut more = Vec::new();
    let looked = target.probe(ctx, requests, &mut more).await;
    for more in more {
        if let Some(pings) = probes.get_mut(&more.pod) {
            take(pings, more.pings);
        }
    }
    looked
}

/// Adds pings behind those that were sent before to the same address, which say what there was at first; one that could not be
/// sent takes the place of none.
fn take(pings: &mut Vec<Pinged>, more: Vec<Pinged>) {
    let is_first = |ping: &Pinged| !pings.iter().any(|earlier| (earlier.destination, earlier.packet_bytes) == (ping.destination, ping.packet_bytes));
    let more: Vec<Pinged> = more.into_iter().filter(|ping| !matches!(ping.result, Probe::Unavailable(_)) || is_first(ping)).collect();
    pings.extend(more);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::fixture::{forbidden, packet, ping};

    #[test]
    fn the_later_ping_stands_last_where_it_could_be_sent() {
        let (lossy, whole) = (ping("10.0.0.1", 3), ping("10.0.0.1", 4));
        let mut pings = vec![lossy.clone(), packet("10.0.0.1", 1500, true), ping("10.0.0.2", 4)];
        take(&mut pings, vec![whole.clone()]);
        assert_eq!(pings, [lossy.clone(), packet("10.0.0.1", 1500, true), ping("10.0.0.2", 4), whole]);
        let mut pings = vec![lossy.clone()];
        take(&mut pings, vec![Pinged { result: Probe::Unavailable(forbidden("exec")), ..lossy.clone() }]);
        assert_eq!(pings, [lossy]);
    }
}
