use super::{observe::observe, session::Session};
use crate::{
    diagnose::{diagnose, unreachable},
    model::{Outcome, Result, Snapshot},
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
    let Session { target, plan } = &session;
    let (observation, system) = futures::join!(observe(ctx, target, &plan.expectations), target.system(ctx, &plan.expectations));
    let diagnosis = diagnose(&plan.expectations, &Snapshot { observation: observation?, system: system? });
    (report.path, report.causes) = (Some(diagnosis.path), diagnosis.causes);
    Ok(())
}
