use super::{
    select::{choose, pods, runs},
    session::Session,
};
use crate::{
    cli::ExecArgs,
    model::{ExecRequest, Failure, IntoFailure, Outcome, PodState, Result, did_you_mean},
    report::Report,
    settings::Settings,
    target::{Ctx, Streams, Target},
    terminal,
};

/// Runs a program in a pod, as if it ran here.
pub(super) async fn run(arguments: &ExecArgs, settings: &Settings, ctx: &Ctx, report: &mut Report) -> Result<()> {
    report.streamed = true;
    // Standard error is the program's too.
    let ctx = &Ctx { events: ctx.events.warnings(), ..ctx.clone() };
    report.ended = Some(execute(arguments, settings, ctx, report).await.map_err(not_run)?);
    Ok(())
}

/// The program's codes are its own, so what is ours has one that is none of them.
fn not_run(failure: Failure) -> Failure {
    let outcome = match failure.outcome {
        outcome @ (Outcome::Defect | Outcome::Interrupted | Outcome::Terminated) => outcome,
        _ => Outcome::NotRun,
    };
    Failure { outcome, ..failure }
}

async fn execute(arguments: &ExecArgs, settings: &Settings, ctx: &Ctx, report: &mut Report) -> Result<u8> {
    let session = Session::look(settings, ctx, report).await?;
    session.has_workloads()?;
    let pods = pods(&session, ctx).await?;
    let chosen = choose(&session.plan.expectations, &pods, arguments.name.as_deref())?;
    let container = arguments.container.as_deref().unwrap_or(&chosen.workload.container);
    // A network namespace is there before anything runs in it.
    check_container(chosen.pod, container, matches!(session.target, Target::Cluster(_)))?;
    let tty = arguments.tty && terminal::is_there();
    if arguments.tty && !tty {
        ctx.events.warn("standard input is no terminal, so the program is given none");
    }
    let (pod, command) = (chosen.pod.id.clone(), arguments.command.clone());
    let request = ExecRequest { pod, container: container.to_owned(), command, stdin: arguments.stdin, tty };
    attend(&session.target, ctx, &request).await
}

/// Runs the program with our own streams, and our terminal where it is to have it.
async fn attend(target: &Target, ctx: &Ctx, request: &ExecRequest) -> Result<u8> {
    let program = target.start(ctx, request).await?;
    let failed = "cannot use the terminal";
    let sizes = if request.tty { Some(terminal::Sizes::watch().or_fail(Outcome::NotRun, failed)?) } else { None };
    // From here on a Ctrl-C is the program's. Without standard input it would reach nobody, so it stays ours.
    let raw = if request.tty && request.stdin { Some(terminal::Raw::enter().or_fail(Outcome::NotRun, failed)?) } else { None };
    let streams = Streams {
        stdin: if request.stdin { Some(Box::new(tokio::io::stdin())) } else { None },
        stdout: Box::new(tokio::io::stdout()),
        stderr: Box::new(tokio::io::stderr()),
        sizes: sizes.as_ref().map(|sizes| sizes.sizes.clone()),
    };
    if raw.is_none() {
        return program.join(ctx, request, streams).await;
    }
    tokio::select! {
        biased;
        hung_up = terminal::hung_up() => {
            hung_up.or_fail(Outcome::Defect, "cannot handle signals")?;
            Err(Failure::msg(Outcome::Terminated, "the terminal was closed"))
        }
        code = program.join(ctx, request, streams) => code,
    }
}

fn check_container(pod: &PodState, name: &str, must_run: bool) -> Result<()> {
    let names: Vec<&str> = pod.containers.iter().chain(&pod.init_containers).map(|container| container.name.as_str()).collect();
    if !names.contains(&name) {
        let meant = did_you_mean(name, names.iter().copied());
        return Err(Failure::cannot_tell(format!("pod {} has no container {name}", pod.id)).hint(format!("{meant}it has {}", names.join(", "))));
    }
    if must_run && !runs(pod, name) {
        let message = format!("container {name} of pod {} does not run: {}", pod.id, pod.status());
        return Err(Failure::cannot_tell(message).hint("`nsmctl troubleshoot` names the cause; `nsmctl logs` shows what was logged"));
    }
    Ok(())
}
