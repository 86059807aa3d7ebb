use super::{lock, session::Session};
use crate::{
    cli::RemoveArgs,
    model::{Failure, Result},
    report::Report,
    runtime_dir,
    settings::Settings,
    target::{Ctx, DeleteOptions},
};

/// Removes the deployment, and proves that nothing is left of it.
pub(super) async fn run(arguments: &RemoveArgs, settings: &Settings, ctx: &Ctx, report: &mut Report) -> Result<()> {
    let session = Session::open(settings, ctx, report).await?;
    {
        let _lock = lock::take(&runtime_dir::locate(), &session.key(), "cleanup")?;
        let options = DeleteOptions { dry_run: arguments.dry_run, force: arguments.force };
        let removed = session.target.delete(ctx, &session.plan.instance, options).await?;
        let complete = removed.left.is_empty();
        let nothing = complete && removed.gone.is_empty() && removed.would.is_empty();
        report.removed = Some(removed);
        if !complete {
            stopped(ctx)?;
        }
        let others = if nothing { session.target.deployments(ctx).await } else { Vec::new() };
        if !others.is_empty() {
            let (own, others) = (&session.plan.instance, others.join(", "));
            ctx.events.info(format!("there is nothing of {own}; there is {others}, which --namespace and --manifests name"));
        }
    }
    name_the_other(&session, ctx).await;
    Ok(())
}

/// Where something is left because there was no more time for it, that is what is said.
fn stopped(ctx: &Ctx) -> Result<()> {
    if let Some(reason) = ctx.cancel.reason() {
        return Err(Failure::msg(reason, "stopped before everything was gone").hint("`nsmctl cleanup` again takes it up where it was"));
    }
    if ctx.remaining().is_zero() { Err(ctx.timed_out("waiting until everything is gone")) } else { Ok(()) }
}

/// Says where else something is deployed, so that nobody takes this target's end for the end of all.
async fn name_the_other(session: &Session, ctx: &Ctx) {
    #[cfg(target_os = "linux")]
    if matches!(session.target, crate::target::Target::Cluster(_)) {
        // An engine that does not answer is a matter for a command that is about it.
        let held = super::local_target().deployments(ctx).await.unwrap_or_default();
        if !held.is_empty() {
            ctx.events.info(format!("this machine holds a deployment too: {}; `nsmctl cleanup --target local` removes it", held.join(", ")));
        }
    }
}
