//! `status`: what there is now, without a ping and without a change.

use std::{collections::BTreeSet, time::Duration};

use super::{
    scope::{check_namespace, narrow, nobody},
    session::Session,
    troubleshoot::discover,
    watch::{LOOK, again, changes, no_answer},
};
use crate::{
    cli::{ScopeArgs, StatusArgs},
    manifest::{deployed, deployed_workloads},
    model::{
        EngineState, Expectations, Failure, Finding, Inventory, Namespaced, NetworkServiceState, Observation, Plan, PodState, ProbeRequest, Result,
        Scope, Snapshot, Status, Unavailable, Workload,
    },
    report::{Format, Report, TargetInfo, is_redrawn, print, print_changes, redraw, told},
    settings::Settings,
    status::{requests, status},
    target::{Ctx, Target},
};

/// Looks once, or again and again.
pub(super) async fn run(arguments: &StatusArgs, settings: &Settings, ctx: &Ctx, report: &mut Report) -> Result<()> {
    let session = Session::open(settings, ctx, report).await?;
    (report.shown.topology, report.shown.phases) = (arguments.topology, arguments.verbose);
    match arguments.watch {
        Some(pause) => watch(arguments, settings, &session, ctx, report, pause).await,
        None => {
            let Looked { status, namespace } = look(arguments, settings, &session, ctx).await?;
            (report.status, report.namespace) = (Some(status), namespace);
            Ok(())
        }
    }
}

/// What a look came to.
struct Looked {
    status: Status,
    /// The namespace that was looked into; `None` for all.
    namespace: Option<String>,
}

async fn look(arguments: &StatusArgs, settings: &Settings, session: &Session, ctx: &Ctx) -> Result<Looked> {
    let Seen { snapshot, engine, namespace } = see(&arguments.scope, settings, session, ctx, requests).await?;
    Ok(Looked { status: status(&snapshot, engine.as_ref(), namespace.as_deref()), namespace })
}

/// What was seen of a scope, what the engine knows of its connections, and the namespace that was looked into (`None` for all).
pub(super) struct Seen {
    pub(super) snapshot: Snapshot,
    pub(super) engine: Option<EngineState>,
    pub(super) namespace: Option<String>,
}

/// What is asked inside the pods.
type Requests = fn(&Expectations, &[PodState]) -> Vec<ProbeRequest>;

/// Looks at NSM and into the pods at the same time.
///
/// # Errors
/// The target cannot be asked, or there is no engine on this machine.
pub(super) async fn see(scope: &ScopeArgs, settings: &Settings, session: &Session, ctx: &Ctx, requests: Requests) -> Result<Seen> {
    let target = &session.target;
    let inside = async {
        let meant = meant(scope, settings, session, ctx).await?;
        ctx.events.doing("asking inside the pods: ip");
        let requests = requests(&meant.expectations, meant.inventory.pods.as_deref().unwrap_or_default());
        let mut probes = Vec::new();
        // By the clock of what was listed: registrations run out meanwhile.
        let taken_at = target.now();
        target.probe(ctx, requests, &mut probes).await?;
        Ok::<_, Failure>((meant, taken_at, probes))
    };
    let (inside, overview) = futures::join!(inside, target.overview(ctx));
    ctx.events.doing("");
    let ((Meant { planned, namespace, expectations, inventory, deployed }, taken_at, probes), (system, engine)) = (inside?, overview?);
    if engine.is_some() && system.components.iter().all(|component| !component.is_ready()) {
        return Err(Failure::cannot_tell("no engine runs on this machine: nothing is deployed").hint("`nsmctl deploy` starts it"));
    }
    let observation = Observation { taken_at, inventory, probes };
    Ok(Seen { snapshot: Snapshot { planned, expectations, deployed, observation, system }, engine, namespace })
}

/// What is looked at.
struct Meant {
    planned: bool,
    namespace: Option<String>,
    expectations: Expectations,
    inventory: Inventory,
    deployed: Result<Vec<Workload>, Unavailable>,
}

/// What is deployed in the namespace that is meant, and what the plan misses there; where there is nothing of it, whatever there is.
/// What was deployed says itself what it promises, so that nobody has to repeat the flags that it was deployed with.
async fn meant(scope: &ScopeArgs, settings: &Settings, session: &Session, ctx: &Ctx) -> Result<Meant> {
    let Session { target, plan, .. } = session;
    let asked = Scope { namespace: None, selector: scope.selector.clone(), client: scope.client.clone() };
    if !scope.all_namespaces {
        let namespaces: BTreeSet<&str> = plan.expectations.workloads.iter().map(|workload| workload.id.namespace.as_str()).collect();
        let own = (namespaces.len() <= 1).then(|| plan.namespace.clone());
        let place = Scope { namespace: own.clone(), ..Scope::default() };
        ctx.events.doing("looking at the pods");
        let Live { live, inventory, deployed } = all_of(target, ctx, &place, &plan.expectations).await?;
        let is_planned = settings.manifests.is_some() || is_there(plan, &inventory);
        if is_planned || settings.customisation.namespace.is_some() {
            let live = if own.is_some() { live } else { within(live, &namespaces) };
            let all = if is_planned { live.with_missing(&plan.expectations) } else { live };
            if !is_planned && all.is_empty() {
                check_namespace(&plan.namespace, target, ctx).await?;
            }
            let expectations = asked_for(&asked, all, &inventory, target, own.as_deref(), ctx).await?;
            return Ok(Meant { planned: is_planned, namespace: own, expectations, inventory, deployed });
        }
    }
    let Live { live, inventory, deployed } = all_of(target, ctx, &Scope::default(), &Expectations::default()).await?;
    let expectations = asked_for(&asked, live, &inventory, target, None, ctx).await?;
    Ok(Meant { planned: false, namespace: None, expectations, inventory, deployed })
}

/// What of it is asked for. Somebody who is looked for by name or label and is not there is not well.
async fn asked_for(
    asked: &Scope,
    all: Expectations,
    inventory: &Inventory,
    target: &Target,
    namespace: Option<&str>,
    ctx: &Ctx,
) -> Result<Expectations> {
    if asked.client.is_none() && asked.selector.is_none() {
        return Ok(all);
    }
    let expectations = narrow(asked, all.clone(), inventory, target, namespace, ctx).await?;
    if expectations.is_empty() {
        return Err(nobody(&Scope { namespace: namespace.map(str::to_owned), ..asked.clone() }, &all));
    }
    Ok(expectations)
}

/// What is there, and what it promises.
struct Live {
    live: Expectations,
    inventory: Inventory,
    deployed: Result<Vec<Workload>, Unavailable>,
}

/// All that is in the scope; who may not list it sees what of `planned` can be asked for by name.
async fn all_of(target: &Target, ctx: &Ctx, scope: &Scope, planned: &Expectations) -> Result<Live> {
    Ok(match discover(target, ctx, scope).await? {
        Ok(found) => Live { live: deployed(&found, scope), deployed: Ok(deployed_workloads(&found)), inventory: found.inventory },
        Err(unavailable) => Live { live: Expectations::default(), inventory: target.inventory(ctx, planned).await?, deployed: Err(unavailable) },
    })
}

/// Whether anything of the plan is seen. Where nothing is, and not all could be seen, nobody is said to be missing who may never
/// have been there.
fn is_there(plan: &Plan, inventory: &Inventory) -> bool {
    let owned = inventory.pods.iter().flatten().any(|pod| plan.expectations.workloads.iter().any(|workload| workload.owns(pod)));
    let is_promised = |service: &NetworkServiceState| plan.expectations.services.iter().any(|expected| expected.id == service.id);
    owned || inventory.services.iter().flatten().any(is_promised)
}

/// The connections of clients in these namespaces.
fn within(mut live: Expectations, namespaces: &BTreeSet<&str>) -> Expectations {
    live.connections.retain(|connection| namespaces.contains(connection.client.namespace.as_str()));
    live.unreadable.retain(|(id, _)| namespaces.contains(id.namespace.as_str()));
    let candidates: BTreeSet<&Namespaced> = live.connections.iter().flat_map(|connection| connection.candidates.iter()).collect();
    let is_meant = |workload: &Workload| namespaces.contains(workload.id.namespace.as_str()) || candidates.contains(&workload.id);
    let workloads = live.workloads.iter().filter(|workload| is_meant(workload)).cloned().collect();
    Expectations { workloads, ..live }
}

/// Draws the terminal anew with each look, or prints the whole first and then a line a change.
async fn watch(arguments: &StatusArgs, settings: &Settings, session: &Session, ctx: &Ctx, report: &mut Report, pause: Duration) -> Result<()> {
    let format = settings.output.format;
    let is_redrawn = format == Format::Table && is_redrawn();
    report.streamed = true;
    // A spinner would be drawn into the screen.
    let quiet = Ctx::new(ctx.cancel.clone(), ctx.remaining(), ctx.events.warnings());
    let mut before: Option<Vec<Finding>> = None;
    let look = async |ctx: &Ctx| look(arguments, settings, session, ctx).await;
    again(&quiet, pause, LOOK, look, |looked| {
        let (findings, trouble) = match looked {
            Ok(Looked { status, namespace }) => {
                let findings = told(&status);
                (report.status, report.namespace, report.findings) = (Some(status), namespace, None);
                (findings, None)
            }
            Err(failure) => {
                let finding = no_answer(&failure);
                // What was seen last may be so no more.
                report.findings = Some(vec![finding.clone()]);
                (vec![finding], Some(failure.message()))
            }
        };
        if is_redrawn {
            return redraw(report, format, &heading(report, pause, trouble.as_deref()));
        }
        let printed = match &before {
            None if format == Format::Table && trouble.is_none() => print(report, format),
            _ => print_changes(
                &changes(before.as_deref().unwrap_or_default(), &findings, |old, now| (old.verdict, &old.observed) == (now.verdict, &now.observed)),
                format,
            ),
        };
        before = Some(findings);
        printed
    })
    .await
}

/// What stands above a screen.
pub(super) fn heading(report: &Report, pause: Duration, trouble: Option<&str>) -> String {
    let place = match &report.target {
        Some(TargetInfo::Cluster { server, .. }) => format!("cluster {server}"),
        _ => "this machine".to_owned(),
    };
    let namespace = report.namespace.as_ref().map_or_else(|| "all namespaces".to_owned(), |namespace| format!("namespace {namespace}"));
    let time = jiff::Zoned::now().strftime("%H:%M:%S").to_string();
    let trouble = trouble.map(|why| format!(" - no answer: {why}")).unwrap_or_default();
    format!("{time}  {place}, {namespace}, every {pause:?}{trouble}")
}
