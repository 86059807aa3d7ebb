use clap::Args;

/// How `deploy` applies.
#[derive(Debug, Clone, Default, Args)]
#[allow(clippy::struct_excessive_bools, reason = "each is a switch of its own on the command line")]
pub struct ApplyArgs {
    /// Ask the cluster what would be done, and do nothing.
    #[arg(long)]
    pub dry_run: bool,
    /// Show what would be changed, and do nothing; the exit code is 0 where nothing would, else 1.
    #[arg(long, conflicts_with = "dry_run")]
    pub diff: bool,
    /// Remove again what was made if the deploy does not end well.
    #[arg(long)]
    pub atomic: bool,
    /// Take over fields that somebody else has set.
    #[arg(long)]
    pub force_conflicts: bool,
    /// Do not look first whether the cluster is fit.
    #[arg(long)]
    pub skip_preflight: bool,
    /// Show how long each step took.
    #[arg(long)]
    pub timings: bool,
    /// Tell the phases of each connection as they end, with what happened in them and when; on this machine.
    #[arg(long, short)]
    pub verbose: bool,
}
