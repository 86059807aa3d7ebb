use super::{
    bundle,
    observe::{Observed, observe_pods},
    scope::{is_absent, narrow},
    session::Session,
};
use crate::{
    check::Look,
    cli::TroubleshootArgs,
    diagnose::{Diagnosis, diagnose, unreachable},
    manifest::{deployed, deployed_workloads},
    model::{
        Discovery, Expectations, Failure, Inventory, Outcome, RawObjects, Result, Scope, Snapshot, System, Unavailable, UnavailableKind, Workload,
    },
    report::{Report, TargetInfo},
    settings::Settings,
    target::{Ctx, Target},
};

/// Takes a snapshot, and says where the path is broken and why.
pub(super) async fn run(arguments: &TroubleshootArgs, settings: &Settings, ctx: &Ctx, report: &mut Report) -> Result<()> {
    report.shown.evidence = arguments.verbose;
    if let Some(from) = &arguments.from {
        let snapshot = bundle::open(from, ctx, report).await?;
        let is_empty = snapshot.expectations.is_empty();
        tell(report, diagnose(&snapshot));
        let none = || Failure::cannot_tell("there is no client of NSM's in the bundle");
        return if is_empty && report.causes.is_empty() { Err(none()) } else { Ok(()) };
    }
    let session = match Session::look(settings, ctx, report).await {
        // Of a target that was found and does not answer, the path says so at its first step.
        Err(failure) if failure.outcome == Outcome::CannotTell => {
            if let Some(TargetInfo::Cluster { server, .. }) = &report.target {
                tell(report, unreachable(&format!("cluster {server}"), &failure.message(), failure.hint.as_deref()));
            }
            return Err(failure);
        }
        opened => opened?,
    };
    let Taken { snapshot, objects, cut_short } =
        take(arguments, settings, &session, ctx, report).await.inspect_err(|_| bundle::none(arguments, ctx))?;
    let is_empty = snapshot.expectations.is_empty();
    tell(report, diagnose(&snapshot));
    let cut_short = bundle::save(arguments, &snapshot, &objects, cut_short, ctx, report);
    if let Some(failure) = cut_short {
        return Err(failure);
    }
    // NSM itself was looked at; that there is no connection is no proof that one would work.
    if is_empty && report.causes.is_empty() { Err(session.absent(ctx, ", and no client of NSM's anywhere").await) } else { Ok(()) }
}

fn tell(report: &mut Report, diagnosis: Diagnosis) {
    (report.path, report.causes, report.unseen) = (Some(diagnosis.path), diagnosis.causes, diagnosis.unseen);
}

/// Everything that is judged by, what stands beside it in a bundle, and what cut the look short where something did.
struct Taken {
    snapshot: Snapshot,
    objects: Vec<RawObjects>,
    cut_short: Option<Failure>,
}

async fn take(arguments: &TroubleshootArgs, settings: &Settings, session: &Session, ctx: &Ctx, report: &mut Report) -> Result<Taken> {
    let Session { target, .. } = session;
    let Meant { planned, expectations, inventory, deployed } = meant(arguments, settings, session, ctx, report).await?;
    let look = Look::default();
    let system = target.system(ctx, &expectations);
    let objects = async { if arguments.bundle.is_some() { target.objects(ctx, &expectations).await } else { Vec::new() } };
    let (observed, system, objects) = futures::join!(observe_pods(ctx, target, &expectations, &look, inventory), system, objects);
    let Observed { observation, cut_short } = observed;
    let (system, also_cut_short) = match system {
        Ok(system) => (system, None),
        // What was seen of the pods is worth judging all the same.
        Err(failure) => (System::of(Vec::new()), Some(failure)),
    };
    Ok(Taken { snapshot: Snapshot { planned, expectations, deployed, observation, system }, objects, cut_short: cut_short.or(also_cut_short) })
}

/// What is looked at.
struct Meant {
    planned: bool,
    expectations: Expectations,
    inventory: Inventory,
    /// The workloads as they are deployed now.
    deployed: Result<Vec<Workload>, Unavailable>,
}

/// What was deployed with what stands beside it, or whatever there is: a person who looks for a fault has not set it all up.
async fn meant(arguments: &TroubleshootArgs, settings: &Settings, session: &Session, ctx: &Ctx, report: &mut Report) -> Result<Meant> {
    let Session { target, plan, .. } = session;
    let asked = Scope { namespace: None, selector: arguments.scope.selector.clone(), client: arguments.scope.client.clone() };
    if !arguments.scope.all_namespaces {
        session.has_workloads()?;
        ctx.events.doing("looking at the pods");
        let place = Scope { namespace: Some(plan.namespace.clone()), ..Scope::default() };
        let (inventory, beside) = futures::join!(target.inventory(ctx, &plan.expectations), discover(target, ctx, &place));
        let (inventory, beside) = (inventory?, beside?);
        let is_planned = settings.manifests.is_some() || !(session.is_of_others || is_absent(plan, &inventory));
        let live = beside.as_ref().map(|discovery| deployed(discovery, &place)).unwrap_or_default();
        // Whatever is in the namespace that was named is meant, also where none of it is the plan's.
        if is_planned || settings.customisation.namespace.is_some() {
            let all = if is_planned { plan.expectations.clone().with_others(live) } else { live };
            let expectations = narrow(&asked, all, &inventory, target, Some(&plan.namespace), ctx).await?;
            return Ok(Meant { planned: is_planned, expectations, inventory, deployed: beside.map(|discovery| deployed_workloads(&discovery)) });
        }
    }
    report.namespace = None;
    let (expectations, inventory, deployed) = match discover(target, ctx, &asked).await? {
        Ok(discovery) => (deployed(&discovery, &asked), discovery.inventory.clone(), Ok(deployed_workloads(&discovery))),
        Err(unavailable) => (Expectations::default(), target.inventory(ctx, &Expectations::default()).await?, Err(unavailable)),
    };
    let expectations = narrow(&asked, expectations, &inventory, target, None, ctx).await?;
    Ok(Meant { planned: false, expectations, inventory, deployed })
}

/// What there is in a scope. What may not be looked for is a finding; that the time was up, or a person stopped it, ends the
/// command.
pub(super) async fn discover(target: &Target, ctx: &Ctx, scope: &Scope) -> Result<Result<Discovery, Unavailable>> {
    match target.discover(ctx, scope).await {
        Ok(discovery) => Ok(Ok(discovery)),
        Err(failure) if failure.outcome == Outcome::CannotTell => {
            Ok(Err(Unavailable { kind: UnavailableKind::Forbidden, reason: failure.message() }))
        }
        Err(failure) => Err(failure),
    }
}
