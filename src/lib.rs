//! Deploys, verifies, troubleshoots and cleans up Network Service Mesh connections, on a cluster or on this machine.
//!
//! ```text
//!   cli ─► settings ─► commands ─┬─► manifest    YAML → Plan with its Expectations
//!                                ├─► target      cluster (kube-rs) or local (engine ─► net)
//!                                ├─► check       Expectations × Observation → Findings
//!                                ├─► status      Snapshot → what there is now
//!                                ├─► diagnose    Expectations × Snapshot → path and causes
//!                                ├─► bundle      Snapshot ⇄ a file without secrets
//!                                ├─► report      Findings → table, JSON, JUnit
//!                                └─► terminal    the person's, for a program in a pod
//!                    all of them ───► model      pure
//! ```

#![cfg_attr(
    not(target_os = "linux"),
    allow(irrefutable_let_patterns, unused_variables, reason = "without this machine as a target there is one kind of it only")
)]

pub mod bundle;
pub mod cancel;
pub mod check;
pub mod cli;
pub mod commands;
pub mod diagnose;
#[cfg(target_os = "linux")]
pub mod engine;
pub mod file_lock;
pub mod manifest;
pub mod model;
#[cfg(target_os = "linux")]
pub mod net;
pub mod prometheus;
pub mod report;
pub mod runtime_dir;
pub mod settings;
pub mod status;
pub mod target;
pub mod terminal;

use std::{
    ffi::OsString,
    io,
    panic::{UnwindSafe, catch_unwind},
    process::ExitCode,
};

use self::{
    cancel::{Cancel, Held, Signals},
    cli::{BUILD, Cli, Command, EngineCommand, OutputArg, Program, Question, StatusArgs, VerifyArgs, completions, parse, version_asked},
    model::{Failure, IntoFailure, Outcome, Result, Sink},
    report::{Progress, Report, annotations, complain, schema, write_out},
    settings::Settings,
    target::Ctx,
};

/// Runs nsmctl. The only place where what happened becomes an exit code.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let arguments: Vec<OsString> = arguments.into_iter().collect();
    guarded(|| dispatch(arguments)).code().into()
}

/// A panic is a defect of ours, and has an exit code of its own.
fn guarded(work: impl FnOnce() -> Outcome + UnwindSafe) -> Outcome {
    catch_unwind(work).unwrap_or_else(|_| {
        complain("error: this is a defect of nsmctl; please report it with the lines above");
        Outcome::Defect
    })
}

fn dispatch(arguments: Vec<OsString>) -> Outcome {
    let held = Held::signals();
    // Before anything that takes time: these are asked for by shells and scripts, again and again.
    if let Some(in_full) = version_asked(&arguments) {
        return unwritten(&write_out(&if in_full { BUILD.long() } else { BUILD.short() }));
    }
    if let Some(question) = Question::asked(&arguments) {
        return unwritten(&write_out(&commands::complete(&question)));
    }
    let program = Program::of(arguments.first().map(OsString::as_os_str));
    let Cli { command, global } = match parse(program, arguments) {
        Ok(cli) => cli,
        Err(error) => return usage(&error),
    };
    match &command {
        // Before anything has made a second thread: Linux moves no such process into a user namespace.
        Command::Engine(arguments) if arguments.command != EngineCommand::Restart => {
            drop(held);
            return engine(&arguments.command);
        }
        Command::Completions(arguments) => return unwritten(&write_out(completions(arguments.shell))),
        Command::Version(_) => return unwritten(&write_out(&version(global.output))),
        Command::Verify(VerifyArgs { schema: true, .. }) | Command::Status(StatusArgs { schema: true, .. }) => {
            return unwritten(&write_out(schema()));
        }
        _ => {}
    }
    match Settings::new(global, &command) {
        Ok(settings) => execute(&command, &settings, program, held),
        Err(failure) => {
            let failure = failure.reworded(|hint| program.speak(hint));
            Progress::new().error(&failure);
            failure.outcome
        }
    }
}

fn version(output: OutputArg) -> String {
    match output {
        OutputArg::Json => BUILD.json(),
        _ => BUILD.long(),
    }
}

/// What clap has to say: help and version are results, the rest are complaints.
fn usage(error: &clap::Error) -> Outcome {
    let text = error.render().ansi().to_string();
    if error.use_stderr() {
        complain(text.trim_end());
        return Outcome::Usage;
    }
    unwritten(&write_out(&text))
}

#[cfg(target_os = "linux")]
fn engine(command: &EngineCommand) -> Outcome {
    let done = match command {
        EngineCommand::Run { dir, svid_ttl, agent } => engine::run(dir, *svid_ttl, agent.as_deref()),
        EngineCommand::Manage { parent } => engine::manage(*parent),
        EngineCommand::Sandbox => engine::run_sandbox(),
        EngineCommand::Inside => engine::inside(),
        EngineCommand::Restart => Err(Failure::msg(Outcome::Defect, "a restart is a command like others")),
        EngineCommand::Probe => engine::probe(),
        EngineCommand::Enter(cli::EnterArgs { net, user, terminal, command }) => Err(engine::enter(net, user.as_deref(), *terminal, command)),
    };
    match done {
        Ok(()) => Outcome::Passed,
        Err(failure) => {
            complain(&format!("error: {}", failure.message()));
            if let Some(hint) = &failure.hint {
                complain(&format!("next: {hint}"));
            }
            failure.outcome
        }
    }
}

#[cfg(not(target_os = "linux"))]
fn engine(_: &EngineCommand) -> Outcome {
    complain("error: the engine takes Linux's network namespaces");
    Outcome::CannotTell
}

fn execute(command: &Command, settings: &Settings, program: Program, held: Held) -> Outcome {
    let progress = Progress::new();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = match runtime.or_fail(Outcome::Defect, "cannot start a runtime") {
        Ok(runtime) => runtime,
        Err(failure) => {
            progress.error(&failure);
            return failure.outcome;
        }
    };
    let mut report = Report::new(command.name());
    // GitHub folds what lies between into one line.
    let fold = |text: &str| {
        if settings.output.annotations {
            complain(text);
        }
    };
    fold(&format!("::group::nsmctl {}", command.name()));
    let finished = runtime.block_on(async {
        let ctx = Ctx::new(Cancel::default(), settings.timeout, progress.sink());
        tokio::select! {
            biased;
            left = signals(&ctx.cancel, &ctx.events, held) => Err(left),
            result = commands::run(command, settings, &ctx, &mut report) => Ok(result),
        }
    });
    // What still waits for standard input must not keep the process.
    runtime.shutdown_background();
    progress.finish();
    fold("::endgroup::");
    match finished {
        // Left at the second signal: there is no time for a report.
        Err(Ok(outcome)) => return outcome,
        Err(Err(failure)) => report.failure = Some(failure),
        Ok(result) => report.failure = result.err(),
    }
    // What a hint has deployed anew is to be as it was.
    let deployed = report.options.as_deref().and_then(|options| settings.as_deployed(options).ok().flatten());
    let meant = deployed.as_ref().unwrap_or(settings);
    report.reword(|hint| program.speak(&meant.complete(hint)));
    publish(&mut report, settings, command.is_watching(), &progress)
}

/// Brings the report to everybody who is to have it.
fn publish(report: &mut Report, settings: &Settings, is_watching: bool, progress: &Progress) -> Outcome {
    let output = &settings.output;
    for (format, path) in &output.files {
        if let Err(error) = report::save(report, *format, path) {
            let late = Failure::failed(format!("cannot write {}: {error}", path.display())).hint(error.hint());
            report.fail_late(late).iter().for_each(|late| progress.error(late));
        }
    }
    let written = if report.is_printed(output.format) { report::print(report, output.format) } else { Ok(()) };
    if output.annotations {
        annotations(report).iter().for_each(|line| complain(line));
    }
    // A person ends what has no other end: that needs no words, and the exit code is that of every signal.
    if let Some(failure) = report.failure.as_ref().filter(|failure| !(is_watching && failure.outcome == Outcome::Interrupted)) {
        progress.error(failure);
    }
    report.outcome().and(unwritten(&written))
}

/// A report that nobody can read has failed its purpose.
fn unwritten(written: &io::Result<()>) -> Outcome {
    match written {
        Ok(()) => Outcome::Passed,
        Err(error) => {
            complain(&format!("error: cannot write the report to standard output: {error}"));
            Outcome::Failed
        }
    }
}

/// Asks everything to stop at the first signal; comes back at the second.
async fn signals(cancel: &Cancel, events: &Sink, held: Held) -> Result<Outcome> {
    let mut signals = Signals::listen()?;
    // From now on somebody listens.
    drop(held);
    cancel.cancel(signals.next().await);
    events.info("stopping; once more to leave at once");
    Ok(signals.next().await)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_a_defect() {
        assert_eq!(guarded(|| panic!("on purpose")), Outcome::Defect);
        assert_eq!(guarded(|| Outcome::Failed), Outcome::Failed);
    }
}
