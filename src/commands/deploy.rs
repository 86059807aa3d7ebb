use std::{
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use super::{lock, preflight, session::Session, settle::settle, verify};
use crate::{
    cancel::Cancel,
    cli::ApplyArgs,
    manifest::write,
    model::{ConnectionPhases, Event, Failure, IntoFailure, Milestones, Outcome, Phase, Result, Sink, few},
    report::{Report, Shown, summary},
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
    if let (Target::Cluster(_), Some(ttl)) = (&session.target, &settings.svid_ttl) {
        return Err(on_a_cluster(&format!("--svid-ttl {ttl}"), "the target is a cluster"));
    }
    if !matches!(session.target, Target::Cluster(_)) && settings.customisation.cross_node {
        ctx.events.warn("--cross-node: this machine is one node, so that clients and endpoints are on the same");
    }
    let others = session.others(settings, ctx).await?;
    if !others.is_empty() {
        let message = format!(
            "the deployment {} was made from other manifests ({}), and this is the example; nothing was changed",
            session.plan.instance,
            few(&others)
        );
        return Err(Failure::failed(message).hint("name its manifests with --manifests, choose another --namespace, or `nsmctl cleanup` first"));
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
    if let (Target::Cluster(_), true) = (&session.target, arguments.verbose) {
        ctx.events.info("of a cluster no phases are told: NSM publishes no times of them; --timings says how the wait divides");
    }
    let told = Told::from_now_on(&session, ctx, arguments.verbose).await;
    match work(&session, options, &told, report).await {
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

async fn work(session: &Session, options: ApplyOptions, told: &Told, report: &mut Report) -> Result<()> {
    let ctx = &told.ctx;
    let Session { target, plan, .. } = session;
    let begun = Instant::now();
    report.applied = Some(target.apply(ctx, plan, options).await?);
    report.timings.push(("apply", begun.elapsed()));
    let waited = target.wait(ctx, plan).await;
    told.put(session, report).await;
    match waited {
        Ok(milestones) => report.timings.extend(waits(milestones)),
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

/// What is told of phases: each once, and none that were there before.
struct Told {
    ctx: Ctx,
    before: Vec<Phase>,
}

impl Told {
    /// A context in which phases are told that end from now on; none unless they are wanted.
    async fn from_now_on(session: &Session, ctx: &Ctx, wants_phases: bool) -> Self {
        let before: Vec<Phase> = phases(session, ctx).await.into_iter().flatten().flat_map(|connection| connection.phases).collect();
        let (all, told) = (ctx.events.clone(), Mutex::new(before.clone()));
        let sink = Sink::new(move |event| match event {
            Event::Phase(phase) => {
                let mut told = told.lock().unwrap_or_else(PoisonError::into_inner);
                if wants_phases && !told.iter().any(|other| other.is_same(&phase)) {
                    told.push((*phase).clone());
                    all.emit(Event::Phase(phase));
                }
            }
            other => all.emit(other),
        });
        Self { ctx: Ctx { events: sink, ..ctx.clone() }, before }
    }

    /// Puts the phases of all connections into the report, and tells of those that were made meanwhile: each, and in a line what they
    /// amount to.
    async fn put(&self, session: &Session, report: &mut Report) {
        let Some(all) = phases(session, &self.ctx).await else { return };
        let is_old = |phase: &Phase| self.before.iter().any(|old| old.is_same(phase));
        let new: Vec<_> = all.iter().filter(|connection| connection.phases.last().is_some_and(|last| !is_old(last))).collect();
        for phase in new.iter().flat_map(|connection| &connection.phases) {
            self.ctx.events.emit(Event::Phase(Box::new(phase.clone())));
        }
        summary(&new).into_iter().for_each(|line| self.ctx.events.info(line));
        report.phases = Some(all);
    }
}

/// The phases of the deployment's connections. They are no part of what was asked for: where they cannot be had, something else says why.
async fn phases(session: &Session, ctx: &Ctx) -> Option<Vec<ConnectionPhases>> {
    session.target.phases(ctx, &session.plan).await.ok().flatten()
}

/// How long each phase of the wait took.
fn waits(Milestones { scheduled, initialised, ready }: Milestones) -> Vec<(&'static str, Duration)> {
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
