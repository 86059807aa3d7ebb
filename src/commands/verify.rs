use super::{
    observe::{Observed, observe},
    session::Session,
};
use crate::{
    check::{CATALOGUE, Check, Subject, evaluate},
    cli::VerifyArgs,
    model::{Failure, Observation, Plan, Result},
    report::{ListedCheck, Report},
    settings::Settings,
    target::Ctx,
};

/// Holds what is there against what the manifests promise.
pub(super) async fn run(arguments: &VerifyArgs, settings: &Settings, ctx: &Ctx, report: &mut Report) -> Result<()> {
    if arguments.list_checks {
        report.checks = Some(CATALOGUE.iter().map(listed).collect());
        return Ok(());
    }
    let session = Session::open(settings, ctx, report).await?;
    session.has_workloads()?;
    let judged = judge(&session, ctx, report).await;
    report.findings = report.findings.take().map(|findings| settings.selection.apply(findings));
    judged
}

fn listed(check: &Check) -> ListedCheck {
    let subject = match check.subject {
        Subject::Deployment(_) => "deployment",
        Subject::Connection(_) => "connection",
    };
    ListedCheck { id: check.id, title: check.title, subject, hint: check.hint }
}

/// Observes and judges; what was found is in the report, also where the look was cut short.
pub(super) async fn judge(session: &Session, ctx: &Ctx, report: &mut Report) -> Result<()> {
    let Session { target, plan, is_example } = session;
    let Observed { observation, cut_short } = observe(ctx, target, &plan.expectations).await?;
    if is_absent(plan, &observation) {
        return Err(absent(session, ctx).await);
    }
    let mut findings = evaluate(&plan.expectations, &observation);
    if !is_example {
        // The source document speaks of its own example only.
        findings.iter_mut().for_each(|finding| finding.documented = None);
    }
    report.findings = Some(findings);
    cut_short.map_or(Ok(()), Err)
}

/// Whether nothing at all of the deployment can be found: neither a pod nor a network service. That is no failure of
/// connections, since there are none.
fn is_absent(plan: &Plan, observation: &Observation) -> bool {
    let (Ok(pods), Ok(services)) = (&observation.inventory.pods, &observation.inventory.services) else { return false };
    let owned = pods.iter().any(|pod| plan.expectations.workloads.iter().any(|workload| workload.owns(pod)));
    let served = plan.expectations.services.iter().any(|expected| services.iter().any(|service| service.id == expected.id));
    !owned && !served
}

async fn absent(Session { target, plan, .. }: &Session, ctx: &Ctx) -> Failure {
    let failure = Failure::cannot_tell(format!("nothing of the deployment {} is there to be verified", plan.instance));
    let others = target.deployments(ctx).await;
    match others.as_slice() {
        [] => failure.hint("`nsmctl deploy` makes it"),
        others => failure.hint(format!("`nsmctl deploy` makes it; there is {}, which --namespace and --manifests name", others.join(", "))),
    }
}
