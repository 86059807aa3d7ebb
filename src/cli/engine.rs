use std::{path::PathBuf, time::Duration};

use clap::{Args, Subcommand};

use super::parse_duration;

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
        /// How long the X.509 SVIDs are valid that it gives to the programs in its sandboxes.
        #[arg(long, env = "NSMCTL_SVID_TTL", value_parser = parse_duration, value_name = "DURATION")]
        svid_ttl: Option<Duration>,
    },
    /// Say whether an engine could make its namespaces and links here.
    Probe,
    /// Become a program in the network namespace of a pod.
    Enter(EnterArgs),
}

/// The arguments of `engine enter`.
#[derive(Debug, Args)]
pub struct EnterArgs {
    /// The file of the network namespace.
    #[arg(long)]
    pub net: PathBuf,
    /// The file of the user namespace that it belongs to, where that is not ours.
    #[arg(long)]
    pub user: Option<PathBuf>,
    /// Standard input is a terminal that is to be the program's own.
    #[arg(long)]
    pub terminal: bool,
    /// The program and its arguments.
    #[arg(last = true, required = true)]
    pub command: Vec<std::ffi::OsString>,
}
