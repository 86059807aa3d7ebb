//! What each subcommand does: orchestration only.
//!
//! ```text
//!   Settings ─► session: manifests ─► Plan, target ─┬─► deploy        lock, apply, wait, observe, check, until it settles
//!                                                   ├─► verify        observe, check
//!                                                   ├─► status        observe without pings, overview, status
//!                                                   ├─► metrics       what is exposed, and the counters in the pods
//!                                                   ├─► troubleshoot  observe, system, diagnose
//!                                                   ├─► exec          select, a program with our streams
//!                                                   ├─► logs          select, read, merge
//!                                                   └─► cleanup       lock, delete
//!   Settings ─► manifests ─► Plan ─────────────────────► manifests     the objects as text, or the images
//! ```
//!
//! # Decisions
//!
//! - **A person's program is not ours.** `exec` passes its bytes and its exit code on and adds nothing; what fails of nsmctl's own is
//!   125. In a pod of this machine it is started by a process of its own, `nsmctl engine enter`, which enters the namespaces while it has
//!   a single thread and then becomes the program: nothing runs between a fork and an exec, and the program dies with nsmctl.
//! - **Logs are merged by the server's stamps**, which are taken off again. What is read again after a container was restarted is told
//!   from what is new by stamp and number; while logs are followed, a line waits 200 ms for earlier ones that come later.
//! - **One lock a deployment**, kept by the kernel (`flock`), with the holder's name in the file: the second nsmctl says who is at
//!   work and does nothing. Looking takes no lock.

mod bundle;
mod cleanup;
mod complete;
mod deploy;
mod directory;
mod engine;
mod exec;
mod explain;
mod heal;
mod lock;
mod logs;
mod man;
mod manifests;
mod metrics;
mod observe;
mod preflight;
mod scope;
mod select;
mod session;
mod settle;
mod status;
mod troubleshoot;
mod verify;
mod watch;

pub use complete::{PATIENCE, complete};

use crate::{
    cli::{Command, EngineArgs, EngineCommand},
    model::{Failure, Outcome, Result},
    report::Report,
    settings::Settings,
    target::Ctx,
};

/// Runs a command; what it finds out is in the report, also where it ends early.
///
/// # Errors
/// What ended it early.
pub async fn run(command: &Command, settings: &Settings, ctx: &Ctx, report: &mut Report) -> Result<()> {
    match command {
        Command::Deploy(arguments) => deploy::run(&arguments.apply, settings, ctx, report).await,
        Command::Verify(arguments) => verify::run(arguments, settings, ctx, report).await,
        Command::Status(arguments) => status::run(arguments, settings, ctx, report).await,
        Command::Metrics(arguments) => metrics::run(arguments, settings, ctx, report).await,
        Command::Troubleshoot(arguments) => troubleshoot::run(arguments, settings, ctx, report).await,
        Command::Cleanup(arguments) => cleanup::run(&arguments.remove, settings, ctx, report).await,
        Command::Explain(arguments) => explain::run(arguments, report),
        Command::Exec(arguments) => exec::run(arguments, settings, ctx, report).await,
        Command::Logs(arguments) => logs::run(arguments, settings, ctx, report).await,
        Command::Manifests(arguments) => manifests::run(arguments, settings, ctx, report).await,
        Command::Man(arguments) => man::run(arguments, report),
        Command::Engine(EngineArgs { command: EngineCommand::Restart }) => engine::restart(ctx).await,
        Command::Completions(_) | Command::Version(_) | Command::Engine(_) => Err(Failure::msg(Outcome::Defect, "this command works on no target")),
    }
}

/// This machine, by its runtime directory.
#[cfg(target_os = "linux")]
fn local_target() -> crate::target::local::Local {
    crate::target::local::Local::new(crate::runtime_dir::locate().join("engine"))
}
