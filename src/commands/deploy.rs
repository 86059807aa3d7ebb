use std::time::{Duration, Instant};

use super::{lock, preflight, session::Session, settle::settle, verify};
use crate::{
    cancel::Cancel,
    cli::ApplyArgs,
    manifest::write,
    model::{Failure, IntoFailure, Milestones, Outcome, Result},
    report::{Report, Shown},
    runtime_dir,
    settings::{Settings, on_a_cluster},
    target::{ApplyOptions, Ctx, DeleteOptions, Target},
};

/// What may be spent on saying what is there once the command was stopped.
const AFTERMATH: Duration = Duration::from_secs(3);
/// What `--atomic` may spend on removing what was made: a pod's grace, and its namespace's end.
const UNDO: Duration = Duration::from_secs(60);

/// Looks whether the target is fit, applies, waits, verifies.
pub(super) async fn run(arguments: &ApplyArgs, settings: &Settings, ctx: &Ctx, report: &mut Report) -> Result<()> {
    report.shown = Shown { diff: arguments.diff, timings: arguments.timings, ..Shown::default() };
    let session = Session::open(settings, ctx, report).await?;
    session.has_workloads()?;
    if let (Target::Cluster(_), Some((name, path))) = (&session.target, settings.customisation.programs.first()) {
        let message = format!("--program {name}={}: the target is a cluster, which runs images", path.display());
        return Err(Failure::usage(message).hint("use this machine with --target local, or leave it out"));
    }
    if let (Target::Cluster(_), Some(ttl)) = (&session.target, settings.svid_ttl) {
        return Err(on_a_cluster(&format!("--svid-ttl {ttl:?}"), "the target is a cluster"));
    }
    let options = ApplyOptions { force_conflicts: arguments.force_conflicts };
    if arguments.dry_run || arguments.diff {
        return differences(&session, options, ctx, report).await;
    }
    let _lock = lock::take(&runtime_dir::locate(), &session.key(), "deploy")?;
    let begun = Instant::now();
    if !arguments.skip_preflight {
        preflight::look(&session, ctx, report).await?;
        report.timings.push(("preflight", begun.elapsed()));
    }
    let was_there = !session.target.existing(ctx, &session.plan).await?.is_empty();
    match work(&session, options, ctx, report).await {
        Err(failure) if arguments.atomic && !was_there => Err(undo(&session, ctx, report, failure).await),
        Err(failure) => Err(what_is_there(&session, ctx, failure).await),
        Ok(()) => Ok(()),
    }
}

async fn differences(session: &Session, options: ApplyOptions, ctx: &Ctx, report: &mut Report) -> Result<()> {
    let Target::Cluster(cluster) = &session.target else {
        return Err(Failure::usage("--dry-run and --diff ask a cluster's server, and this machine has none")
            .hint("`nsmctl deploy --target local` changes nothing but namespaces of its own, and `nsmctl cleanup` ends them"));
    };
    let mut differences = cluster.differences(ctx, &session.plan, options).await?;
    for difference in &mut differences {
        let yaml = |value: &Option<serde_json::Value>| value.as_ref().map_or(Ok(String::new()), |value| write(&[value]));
        let both = yaml(&difference.before).and_then(|before| Ok((before, yaml(&difference.after)?)));
        difference.yaml = both.or_fail(Outcome::Defect, "cannot write YAML")?;
    }
    report.differences = Some(differences);
    Ok(())
}

async fn work(session: &Session, options: ApplyOptions, ctx: &Ctx, report: &mut Report) -> Result<()> {
    let Session { target, plan, .. } = session;
    let begun = Instant::now();
    report.applied = Some(target.apply(ctx, plan, options).await?);
    report.timings.push(("apply", begun.elapsed()));
    match target.wait(ctx, plan).await {
        Ok(milestones) => report.timings.extend(phases(milestones)),
        Err(failure) => {
            // What is not ready is judged as well: the table says how far it has come.
            if failure.outcome == Outcome::Failed {
                let _ = verify::judge_deployed(session, ctx, report).await;
            }
            return Err(failure);
        }
    }
    let begun = Instant::now();
    let judged = settle(ctx, report, async |report| verify::judge_deployed(session, ctx, report).await).await;
    report.timings.push(("verify", begun.elapsed()));
    judged
}

/// How long each phase of the wait took.
fn phases(Milestones { scheduled, initialised, ready }: Milestones) -> Vec<(&'static str, Duration)> {
    let since = |later: Option<Duration>, earlier: Option<Duration>| Some(later?.saturating_sub(earlier?));
    let all = [("schedule", scheduled), ("init", since(initialised, scheduled)), ("ready", since(ready, initialised))];
    all.into_iter().filter_map(|(phase, time)| Some((phase, time?))).collect()
}

/// Says what there is now and how to remove it.
async fn what_is_there(session: &Session, ctx: &Ctx, failure: Failure) -> Failure {
    let ctx = Ctx::new(Cancel::default(), AFTERMATH, ctx.events.clone());
    let Ok(there) = session.target.existing(&ctx, &session.plan).await else { return failure };
    if there.is_empty() {
        return failure;
    }
    let names: Vec<String> = there.iter().map(ToString::to_string).collect();
    let what = format!("`nsmctl cleanup` removes what is there now: {}", names.join(", "));
    let hint = failure.hint.as_ref().map_or_else(|| what.clone(), |hint| format!("{hint}; {what}"));
    failure.hint(hint)
}

/// Removes what was made; a second signal leaves at once.
async fn undo(session: &Session, ctx: &Ctx, report: &mut Report, failure: Failure) -> Failure {
    ctx.events.info("removing what was made (--atomic)");
    let ctx = Ctx::new(Cancel::default(), UNDO, ctx.events.clone());
    match session.target.delete(&ctx, &session.plan.instance, DeleteOptions::default()).await {
        Ok(removed) => {
            report.removed = Some(removed);
            failure
        }
        Err(undone) => {
            let hint = format!("what was made could not be removed ({}); `nsmctl cleanup` tries again", undone.message());
            failure.hint(hint)
        }
    }
}
