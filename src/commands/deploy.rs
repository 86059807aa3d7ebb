use super::{lock, session::Session, verify};
use crate::{
    model::Result,
    report::Report,
    runtime_dir,
    settings::Settings,
    target::{ApplyOptions, Ctx},
};

/// Applies, waits, verifies.
pub(super) async fn run(settings: &Settings, ctx: &Ctx, report: &mut Report) -> Result<()> {
    let session = Session::open(settings, ctx, report).await?;
    let _lock = lock::take(&runtime_dir::locate(), &session.key(), "deploy")?;
    let Session { target, plan } = &session;
    report.applied = Some(target.apply(ctx, plan, ApplyOptions::default()).await?);
    target.wait(ctx, plan).await?;
    verify::judge(&session, ctx, report).await
}
