use std::path::PathBuf;

use clap::{Args, Subcommand};

/// The arguments of `engine`.
#[derive(Debug, Args)]
pub struct EngineArgs {
    /// What to do.
    #[command(subcommand)]
    pub command: EngineCommand,
}

/// What can be done with the engine.
#[derive(Debug, Subcommand)]
pub enum EngineCommand {
    /// Run the engine in this process.
    Run {
        /// The directory of its socket, log and lock.
        #[arg(long)]
        dir: PathBuf,
    },
}
