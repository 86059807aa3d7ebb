use super::{
    observe::{Observed, observe},
    session::Session,
};
use crate::{
    check::Look,
    diagnose::{diagnose, unreachable},
    model::{Outcome, Result, Snapshot, System},
    report::{Report, TargetInfo},
    settings::Settings,
    target::Ctx,
};

/// Takes a snapshot, and says where the path is broken and why.
pub(super) async fn run(settings: &Settings, ctx: &Ctx, report: &mut Report) -> Result<()> {
    let session = match Session::open(settings, ctx, report).await {
        // Of a target that was found and does not answer, the path says so at its first step.
        Err(failure) if failure.outcome == Outcome::CannotTell => {
            if let Some(TargetInfo::Cluster { server, .. }) = &report.target {
                let diagnosis = unreachable(&format!("cluster {server}"), &failure.message(), failure.hint.as_deref());
                (report.path, report.causes) = (Some(diagnosis.path), diagnosis.causes);
            }
            return Err(failure);
        }
        opened => opened?,
    };
    session.has_workloads()?;
    let Session { target, plan, .. } = &session;
    let look = Look::default();
    let (observed, system) = futures::join!(observe(ctx, target, &plan.expectations, &look), target.system(ctx, &plan.expectations));
    let Observed { observation, cut_short } = observed?;
    let (system, also_cut_short) = match system {
        Ok(system) => (system, None),
        // What was seen of the pods is worth judging all the same.
        Err(failure) => (System::of(Vec::new()), Some(failure)),
    };
    let deployed = Ok(Vec::new());
    let diagnosis = diagnose(&Snapshot { expectations: plan.expectations.clone(), deployed, observation, system });
    (report.path, report.causes) = (Some(diagnosis.path), diagnosis.causes);
    cut_short.or(also_cut_short).map_or(Ok(()), Err)
}
