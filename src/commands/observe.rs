use std::time::{SystemTime, UNIX_EPOCH};

use crate::{
    check::{follow_up_requests, probe_requests},
    model::{Expectations, Observation, PingOptions, Result},
    target::{Ctx, Target},
};

/// Looks at everything that `verify` judges by: what exists, then into the pods, then once more where only the first look
/// told which address to ping.
///
/// # Errors
/// The target cannot be asked, or the command was stopped. What cannot be seen is in the observation.
pub(super) async fn observe(ctx: &Ctx, target: &Target, expectations: &Expectations) -> Result<Observation> {
    let ping = PingOptions::default();
    ctx.events.doing("looking at the pods");
    let inventory = target.inventory(ctx, expectations).await?;
    let requests = probe_requests(expectations, inventory.pods.as_deref().unwrap_or_default(), ping);
    ctx.events.doing("asking inside the pods: ip and ping");
    let probes = target.probe(ctx, requests).await?;
    let mut observation = Observation { taken_at: now(), inventory, probes };
    let requests = follow_up_requests(expectations, &observation, ping);
    if !requests.is_empty() {
        for more in target.probe(ctx, requests).await? {
            if let Some(probes) = observation.probes.iter_mut().find(|probes| probes.pod == more.pod) {
                probes.pings.extend(more.pings);
            }
        }
    }
    ctx.events.doing("");
    Ok(observation)
}

/// Seconds since 1970.
fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}
