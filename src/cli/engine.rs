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
#[derive(Debug, PartialEq, Eq, Subcommand)]
pub enum EngineCommand {
    /// Run the engine in this process.
    #[command(hide = true)]
    Run {
        /// The directory of its socket, log and lock.
        #[arg(long)]
        dir: PathBuf,
        /// How long the X.509 SVIDs are valid that it gives to the programs in its sandboxes.
        #[arg(long, env = "NSMCTL_SVID_TTL", value_parser = parse_duration, value_name = "DURATION")]
        svid_ttl: Option<Duration>,
        /// The socket of a SPIRE agent that gives the identities instead, as in unix:///tmp/spire-agent/public/api.sock.
        #[arg(long = "spiffe-endpoint-socket", env = "SPIFFE_ENDPOINT_SOCKET", value_name = "URL")]
        agent: Option<String>,
    },
    /// Run the engine's manager in this process; its supervisor starts it.
    #[command(hide = true)]
    Manage {
        /// The supervisor's process.
        #[arg(long)]
        parent: u32,
    },
    /// Run a program in a sandbox, as the supervisor says on standard input.
    #[command(hide = true)]
    Sandbox,
    /// Become the first process of a sandbox, as its launcher says on standard input.
    #[command(hide = true)]
    Inside,
    /// Put another manager in the place of the one that runs: its sandboxes, links and addresses are kept.
    ///
    /// The supervisor holds them meanwhile, and hands them over. The same happens by itself where the manager's process dies.
    #[command(after_help = "\
Examples:
  nsmctl engine restart
  nsmctl engine restart && nsmctl verify --target local")]
    Restart,
    /// Say whether an engine could make its namespaces and links here.
    #[command(hide = true)]
    Probe,
    /// Become a program in the network namespace of a pod.
    #[command(hide = true)]
    Enter(EnterArgs),
}

/// The arguments of `engine enter`.
#[derive(Debug, PartialEq, Eq, Args)]
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
