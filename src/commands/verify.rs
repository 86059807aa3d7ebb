use std::time::Duration;

use super::{
    heal::heal,
    observe::{Observed, observe, observe_pods},
    scope::{is_absent, is_deployed, narrow, nobody},
    session::Session,
    watch::watch,
};
use crate::{
    check::{CATALOGUE, Check, HEAL, Look, Subject, Thresholds, evaluate},
    cli::{LookArgs, ScopeArgs, VerifyArgs},
    manifest::deployed,
    model::{Expectations, Failure, Finding, Inventory, Observation, Outcome, PingOptions, Result, Scope, Verdict},
    report::{ListedCheck, Report},
    settings::Settings,
    target::{Ctx, Target},
};

/// What the look after `--heal` may take where the time is up: it is what the report is about.
const LAST_LOOK: Duration = Duration::from_secs(10);

/// Holds what is there against what the manifests promise, or against what the deployed objects promise.
pub(super) async fn run(arguments: &VerifyArgs, settings: &Settings, ctx: &Ctx, report: &mut Report) -> Result<()> {
    if arguments.list_checks {
        report.checks = Some(CATALOGUE.iter().map(listed).collect());
        return Ok(());
    }
    let session = Session::look(settings, ctx, report).await?;
    if arguments.scope.all_namespaces {
        report.namespace = None;
    }
    if let Some(pause) = arguments.watch {
        let pings = arguments.look.interval * arguments.look.count;
        let look = async |ctx: &Ctx| round(arguments, settings, &session, ctx).await;
        return watch(ctx, pause, pings, settings.output.format, report, look).await;
    }
    let first = round(arguments, settings, &session, ctx).await?;
    let works = first.works();
    let Round { findings, cut_short, expectations, observation } = first;
    report.findings = Some(findings);
    if let Some(failure) = cut_short {
        return Err(failure);
    }
    if arguments.heal {
        let healed = if works {
            let works = async || Ok(round(arguments, settings, &session, ctx).await?.works());
            let healed = heal(ctx, &session.target, &expectations, &observation, &how(&arguments.look).0, works).await?;
            // How it is now is what counts, whatever it came to, and also where the time is up.
            let last = Ctx::new(ctx.cancel.clone(), ctx.remaining().max(LAST_LOOK), ctx.events.clone());
            report.findings = Some(round(arguments, settings, &session, &last).await?.findings);
            healed
        } else {
            Finding::new(HEAL, "healing", "all", Verdict::Skip, "it works again", "not tried: it does not work now")
        };
        report.findings.get_or_insert_default().push(healed);
    }
    Ok(())
}

/// What one look came to.
pub(super) struct Round {
    pub(super) findings: Vec<Finding>,
    pub(super) cut_short: Option<Failure>,
    expectations: Expectations,
    observation: Observation,
}

impl Round {
    fn works(&self) -> bool {
        self.cut_short.is_none() && Finding::outcome(&self.findings) == Outcome::Passed
    }
}

async fn round(arguments: &VerifyArgs, settings: &Settings, session: &Session, ctx: &Ctx) -> Result<Round> {
    let meant = meant(&arguments.scope, settings, session, ctx).await?;
    let is_example = session.is_example && matches!(meant, Meant::Plan(..));
    let (look, thresholds) = how(&arguments.look);
    let (expectations, inventory) = match meant {
        Meant::Plan(expectations, inventory) => (expectations, inventory),
        Meant::Everything(scope) => everything(&scope, session, ctx).await?,
    };
    let Observed { observation, cut_short } = observe_pods(ctx, &session.target, &expectations, &look, inventory).await;
    let findings = settings.selection.apply(judge(&expectations, &observation, thresholds, is_example));
    Ok(Round { findings, cut_short, expectations, observation })
}

fn listed(check: &Check) -> ListedCheck {
    let subject = match check.subject {
        Subject::Deployment(_) => "deployment",
        Subject::Connections(_) => "connections",
        Subject::Connection(_) => "connection",
    };
    ListedCheck { id: check.id, title: check.title, subject, hint: check.hint }
}

/// Which connections are meant.
enum Meant {
    /// What a plan promises, and what there is of it.
    Plan(Expectations, Inventory),
    /// Whatever there is.
    Everything(Scope),
}

/// What nsmctl has deployed, or what `--manifests` names, is held against its plan. Where there is nothing of it, a person
/// who names a namespace or a client means whatever is there.
async fn meant(asked: &ScopeArgs, settings: &Settings, session: &Session, ctx: &Ctx) -> Result<Meant> {
    let scope = Scope { namespace: None, selector: asked.selector.clone(), client: asked.client.clone() };
    if asked.all_namespaces {
        return Ok(Meant::Everything(scope));
    }
    let Session { target, plan, .. } = session;
    session.has_workloads()?;
    ctx.events.doing("looking at the pods");
    let inventory = target.inventory(ctx, &plan.expectations).await?;
    // Its manifests were named, so that nothing else can be meant.
    let is_named = settings.manifests.is_some();
    let is_scoped = settings.customisation.namespace.is_some() || scope.client.is_some() || scope.selector.is_some();
    // Of a scope, only what carries the deployment's label is nsmctl's: others use the example's names too.
    let is_absent = if is_scoped && !is_named { !is_deployed(session, ctx).await } else { is_absent(plan, &inventory) };
    if is_named || !is_absent {
        let narrowed = narrow(&scope, plan.expectations.clone(), &inventory, target, Some(&plan.namespace), ctx).await?;
        if !narrowed.connections.is_empty() || scope.client.is_none() && scope.selector.is_none() {
            return if is_absent { Err(session.absent(ctx, " to be verified").await) } else { Ok(Meant::Plan(narrowed, inventory)) };
        }
        if is_named {
            return Err(nobody(&scope, &plan.expectations));
        }
    }
    if !is_scoped {
        return Err(session.absent(ctx, " to be verified").await);
    }
    let namespace = settings.customisation.namespace.clone().unwrap_or_else(|| match target {
        Target::Cluster(cluster) => cluster.namespace().to_owned(),
        #[cfg(target_os = "linux")]
        Target::Local(_) => plan.namespace.clone(),
    });
    Ok(Meant::Everything(Scope { namespace: Some(namespace), ..scope }))
}

/// What all the clients of a scope were promised by the objects that are deployed. Where there is something of the plan, its
/// clients are to be there too: one that was deleted is a failure, not an absence.
async fn everything(scope: &Scope, session: &Session, ctx: &Ctx) -> Result<(Expectations, Inventory)> {
    let Session { target, plan, .. } = session;
    let discovery = target.discover(ctx, scope).await?;
    let found = deployed(&discovery, scope);
    let inventory = discovery.inventory;
    let all = if scope.namespace.is_none() && is_deployed(session, ctx).await { found.with_missing(&plan.expectations) } else { found };
    let narrowed = narrow(scope, all.clone(), &inventory, target, scope.namespace.as_deref(), ctx).await?;
    if narrowed.is_empty() { Err(nobody(scope, &all)) } else { Ok((narrowed, inventory)) }
}

/// What the flags say about the pings.
fn how(arguments: &LookArgs) -> (Look, Thresholds) {
    let LookArgs { count, interval, max_loss, max_rtt, debug_image } = arguments;
    let ping = PingOptions { count: *count, interval_ms: u64::try_from(interval.as_millis()).unwrap_or(u64::MAX), ..PingOptions::default() };
    let look = Look { ping, debug_image: Some(debug_image.clone()).filter(|image| !image.is_empty()), ..Look::default() };
    let max_round_trip_ms = max_rtt.map(|limit| limit.as_secs_f64() * 1000.0);
    (look, Thresholds { max_loss_percent: *max_loss, max_round_trip_ms, ..Thresholds::default() })
}

/// Observes and judges what was just deployed; what was found is in the report, also where the look was cut short.
pub(super) async fn judge_deployed(Session { target, plan, is_example, .. }: &Session, ctx: &Ctx, report: &mut Report) -> Result<()> {
    // NSM's client sets its resolver up after the pod is ready, so that nothing could be told yet.
    let look = Look { resolver: false, ..Look::default() };
    let Observed { observation, cut_short } = observe(ctx, target, &plan.expectations, &look).await?;
    // Small packets pass, so that it is deployed; a person who verifies wants to know it in full.
    let thresholds = Thresholds { lost_packets: Verdict::Warn, ..Thresholds::default() };
    report.findings = Some(judge(&plan.expectations, &observation, thresholds, *is_example));
    cut_short.map_or(Ok(()), Err)
}

fn judge(expectations: &Expectations, observation: &Observation, thresholds: Thresholds, is_example: bool) -> Vec<Finding> {
    let mut findings = evaluate(expectations, observation, thresholds);
    if !is_example {
        // The source document speaks of its own example only.
        findings.iter_mut().for_each(|finding| finding.documented = None);
    }
    findings
}
