//! What a shell may offer. Whatever goes wrong, nothing is offered: who has pressed Tab asks for no report.

use std::{collections::BTreeSet, ffi::OsString, time::Duration};

use super::session::Session;
use crate::{
    cancel::Cancel,
    check::CATALOGUE,
    cli::{Candidate, Program, Question, Wanted, parse},
    diagnose::causes,
    manifest::deployed,
    model::{Expectations, PodState, Result, Scope, Sink, Workload},
    report::Report,
    settings::Settings,
    target::{Ctx, Target, cluster::contexts},
};

/// How long a person who has pressed Tab waits: a second in all, of which starting and answering take some milliseconds.
pub const PATIENCE: Duration = Duration::from_millis(900);

/// What a shell may offer.
#[must_use]
pub fn complete(question: &Question) -> String {
    let asked = question.clone();
    question.answer(&question.candidates(move |wanted| look(&asked, wanted)))
}

fn look(question: &Question, wanted: Wanted) -> Vec<Candidate> {
    match wanted {
        Wanted::Check => CATALOGUE.iter().map(|check| candidate(check.id, check.title)).collect(),
        Wanted::Cause => causes().map(|cause| candidate(cause.id, cause.title)).collect(),
        Wanted::Context => {
            settings(question).map(|settings| contexts(&settings.access)).unwrap_or_default().iter().map(|name| candidate(name, "")).collect()
        }
        Wanted::Namespace | Wanted::Client | Wanted::Member => asked(question, wanted).unwrap_or_default(),
    }
}

fn candidate(value: &str, about: &str) -> Candidate {
    Candidate { value: value.to_owned(), about: about.to_owned() }
}

/// What the words so far mean for where to look.
fn settings(question: &Question) -> Option<Settings> {
    let options = [("target", None), ("context", None), ("kubeconfig", None), ("namespace", Some('n')), ("manifests", None), ("name-prefix", None)];
    let mut line: Vec<OsString> = vec!["nsmctl".into(), "logs".into()];
    for (long, short) in options {
        let Some(value) = question.option(long, short).filter(|value| value != "-") else { continue };
        line.extend([format!("--{long}").into(), value]);
    }
    let cli = parse(Program::Nsmctl, line).ok()?;
    Settings::new(cli.global, &cli.command).ok()
}

/// Asks the target, as long as a person waits.
fn asked(question: &Question, wanted: Wanted) -> Option<Vec<Candidate>> {
    let settings = settings(question)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().ok()?;
    let found = runtime.block_on(async {
        let ctx = Ctx::new(Cancel::default(), PATIENCE, Sink::none());
        // Beside the budget, for what would not heed it.
        tokio::time::timeout(PATIENCE, of_target(question, wanted, &settings, &ctx)).await
    });
    // A name that is looked up or a credential plugin that waits must not keep the shell.
    runtime.shutdown_background();
    found.ok()?.ok()
}

async fn of_target(question: &Question, wanted: Wanted, settings: &Settings, ctx: &Ctx) -> Result<Vec<Candidate>> {
    let session = Session::open(settings, ctx, &mut Report::new("complete")).await?;
    let names = match wanted {
        Wanted::Namespace => session.target.namespaces(ctx).await?.into_iter().collect(),
        Wanted::Client if question.has(&["-A", "--all-namespaces"]) => clients(&session.target, None, ctx).await?,
        Wanted::Client => {
            let namespace = settings.customisation.namespace.as_ref().unwrap_or(&session.plan.namespace);
            clients(&session.target, Some(namespace.clone()), ctx).await?
        }
        _ => members(&session, ctx).await?,
    };
    Ok(names.iter().map(|name| candidate(name, "")).collect())
}

/// The workloads of the deployment that have pods, and these.
async fn members(Session { target, plan, .. }: &Session, ctx: &Ctx) -> Result<BTreeSet<String>> {
    let pods = target.inventory(ctx, &plan.expectations).await?.pods.unwrap_or_default();
    Ok(names(&plan.expectations, &pods, |_| true))
}

/// The clients that there are, whoever deployed them, and their pods.
async fn clients(target: &Target, namespace: Option<String>, ctx: &Ctx) -> Result<BTreeSet<String>> {
    let scope = Scope { namespace, ..Scope::default() };
    let discovery = target.discover(ctx, &scope).await?;
    let pods = discovery.inventory.pods.as_deref().unwrap_or_default().to_vec();
    Ok(names(&deployed(&discovery, &scope), &pods, Workload::is_client))
}

fn names(expectations: &Expectations, pods: &[PodState], wanted: impl Fn(&Workload) -> bool) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for workload in expectations.workloads.iter().filter(|workload| wanted(workload)) {
        let own: Vec<String> = pods.iter().filter(|pod| workload.owns(pod)).map(|pod| pod.id.name.clone()).collect();
        if !own.is_empty() {
            names.insert(workload.id.name.clone());
            names.extend(own);
        }
    }
    names
}
