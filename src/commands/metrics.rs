//! `metrics`: what is exposed, and what the kernel has counted of each connection.

use std::time::Duration;

use super::{
    session::Session,
    status::{Seen, heading, see},
    watch::{LOOK, again},
};
use crate::{
    cli::MetricsArgs,
    model::{Family, Known, Metrics, Result},
    report::{Format, Report, is_redrawn, print_text, redraw},
    settings::Settings,
    status::{counters, counting_requests, rate, status},
    target::Ctx,
};

/// Reads once, or again and again.
pub(super) async fn run(arguments: &MetricsArgs, settings: &Settings, ctx: &Ctx, report: &mut Report) -> Result<()> {
    let session = Session::open(settings, ctx, report).await?;
    if let Some(pause) = arguments.pause() {
        return watch(arguments, settings, &session, ctx, report, pause).await;
    }
    let (metrics, namespace) = look(arguments, settings, &session, ctx).await?;
    (report.metrics, report.namespace) = (Some(metrics), namespace);
    Ok(())
}

async fn look(arguments: &MetricsArgs, settings: &Settings, session: &Session, ctx: &Ctx) -> Result<(Metrics, Option<String>)> {
    let seen = see(&arguments.scope, settings, session, ctx, counting_requests);
    let (seen, exported) = futures::join!(seen, session.target.exported(ctx));
    let (Seen { snapshot, engine, namespace }, exported) = (seen?, exported?);
    let status = status(&snapshot, engine.as_ref(), namespace.as_deref());
    let connections = counters(status.connections.value().map(Vec::as_slice).unwrap_or_default(), &snapshot);
    let (sources, families) = match exported {
        Ok(asked) => {
            let (sources, families): (Vec<_>, Vec<Vec<Family>>) = asked.into_iter().unzip();
            (Known::Value(sources), families.concat())
        }
        Err(unavailable) => (Known::unknown(unavailable.reason), Vec::new()),
    };
    Ok((Metrics { taken_at: status.taken_at, sources, families, connections }, namespace))
}

/// What each interval brings; a terminal is drawn anew.
async fn watch(arguments: &MetricsArgs, settings: &Settings, session: &Session, ctx: &Ctx, report: &mut Report, pause: Duration) -> Result<()> {
    let format = settings.output.format;
    let is_redrawn = format == Format::Table && is_redrawn();
    report.streamed = true;
    // A spinner would be drawn into the screen.
    let quiet = Ctx::new(ctx.cancel.clone(), ctx.remaining(), ctx.events.warnings());
    let look = async |ctx: &Ctx| {
        let looked = look(arguments, settings, session, ctx).await?;
        Ok((looked, jiff::Timestamp::now()))
    };
    let mut before: Option<Metrics> = None;
    again(&quiet, pause, LOOK, look, |looked| {
        let trouble = match looked {
            Ok(((mut metrics, namespace), at)) => {
                // To the millisecond, for a rate: the target's clock tells whole seconds.
                metrics.taken_at = at;
                if let Some(before) = &before {
                    rate(&mut metrics, before);
                }
                before = Some(metrics.clone());
                (report.metrics, report.namespace, report.failure) = (Some(metrics), namespace, None);
                None
            }
            Err(failure) => {
                let message = failure.message();
                ctx.events.warn(format!("not read: {message}"));
                Some(message)
            }
        };
        match (is_redrawn, &trouble) {
            (true, _) => redraw(report, format, &heading(report, pause, trouble.as_deref())),
            (false, None) => print_text(report, format),
            (false, Some(_)) => Ok(()),
        }
    })
    .await
}
