use super::{observe::observe, session::Session};
use crate::{
    check::evaluate,
    model::{Failure, Observation, Plan, Result},
    report::Report,
    settings::Settings,
    target::Ctx,
};

/// Holds what is there against what the manifests promise.
pub(super) async fn run(settings: &Settings, ctx: &Ctx, report: &mut Report) -> Result<()> {
    let session = Session::open(settings, ctx, report).await?;
    judge(&session, ctx, report).await
}

/// Observes and judges; what was found is in the report.
pub(super) async fn judge(session: &Session, ctx: &Ctx, report: &mut Report) -> Result<()> {
    let Session { target, plan } = session;
    let observation = observe(ctx, target, &plan.expectations).await?;
    if is_absent(plan, &observation) {
        return Err(
            Failure::cannot_tell(format!("nothing of the deployment {} is there to be verified", plan.instance)).hint("`nsmctl deploy` makes it")
        );
    }
    report.findings = Some(evaluate(&plan.expectations, &observation));
    Ok(())
}

/// Whether nothing at all of the deployment can be found: neither a pod nor a network service. That is no failure of
/// connections, since there are none.
fn is_absent(plan: &Plan, observation: &Observation) -> bool {
    let (Ok(pods), Ok(services)) = (&observation.inventory.pods, &observation.inventory.services) else { return false };
    let owned = pods.iter().any(|pod| plan.expectations.workloads.iter().any(|workload| workload.owns(pod)));
    let served = plan.expectations.services.iter().any(|expected| services.iter().any(|service| service.id == expected.id));
    !owned && !served
}
