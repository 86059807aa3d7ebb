//! Which connections are meant, where a person has not named them one by one.

use super::session::Session;
use crate::{
    model::{Expectations, Inventory, Plan, Result, Scope},
    target::{Ctx, Target},
};

/// What of the expectations a scope means.
pub(super) async fn narrow(
    scope: &Scope,
    expectations: Expectations,
    inventory: &Inventory,
    target: &Target,
    namespace: Option<&str>,
    ctx: &Ctx,
) -> Result<Expectations> {
    let selected = match &scope.selector {
        Some(selector) => Some(target.select(ctx, namespace, selector).await?),
        None => None,
    };
    Ok(scope.narrow(expectations, inventory.pods.as_deref().unwrap_or_default(), selected.as_ref()))
}

/// Whether nothing at all of the deployment can be found: neither a pod nor a network service. That is no failure of
/// connections, since there are none. Where network services may not be seen, that is for the pods to say if something else
/// may be meant, and cannot be told otherwise.
pub(super) fn is_absent(plan: &Plan, inventory: &Inventory) -> bool {
    let (Ok(pods), Ok(services)) = (&inventory.pods, &inventory.services) else { return false };
    let owned = pods.iter().any(|pod| plan.expectations.workloads.iter().any(|workload| workload.owns(pod)));
    let served = plan.expectations.services.iter().any(|expected| services.iter().any(|service| service.id == expected.id));
    !owned && !served
}

/// Whether anything carries the label of the deployment.
pub(super) async fn is_deployed(Session { target, plan, .. }: &Session, ctx: &Ctx) -> bool {
    target.deployments(ctx).await.contains(&plan.instance)
}
