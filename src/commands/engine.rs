//! What a person does with this machine's engine itself.

use crate::{
    model::{Failure, Result},
    target::Ctx,
};

/// Puts another manager in the place of the one that runs.
#[cfg(target_os = "linux")]
pub(super) async fn restart(ctx: &Ctx) -> Result<()> {
    let begun = std::time::Instant::now();
    let absent = || Failure::cannot_tell("no engine runs on this machine").hint("`nsmctl deploy --target local` starts one");
    let (before, after) = super::local_target().restart(ctx).await?.ok_or_else(absent)?;
    if before.manager == after.manager {
        return Err(Failure::failed(format!("the engine's manager (process {}) has not been restarted", before.manager)));
    }
    let (took, kept) = (begun.elapsed().as_millis(), after.namespaces.len());
    ctx.events.info(format!(
        "the engine's manager was restarted within {took} ms (process {} after {}); {kept} of {} sandboxes are kept, under process {}",
        after.manager,
        before.manager,
        before.namespaces.len(),
        after.pid
    ));
    Ok(())
}

/// There is none.
#[cfg(not(target_os = "linux"))]
pub(super) async fn restart(_: &Ctx) -> Result<()> {
    Err(Failure::cannot_tell("the engine takes Linux's network namespaces").hint("name a cluster with --kubeconfig or --context"))
}
