use std::collections::HashMap;

use crate::{
    check::{Look, follow_up_requests, probe_requests},
    model::{Expectations, Failure, Inventory, Observation, ProbeRequest, Result},
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
    let mut more = Vec::new();
    let looked = target.probe(ctx, requests, &mut more).await;
    let mut probes: HashMap<_, _> = observation.probes.iter_mut().map(|probes| (probes.pod.clone(), &mut probes.pings)).collect();
    for more in more {
        if let Some(pings) = probes.get_mut(&more.pod) {
            pings.extend(more.pings);
        }
    }
    looked
}
