use clap::Args;

use super::{CustomiseArgs, ScopeArgs};

/// The arguments of `troubleshoot`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  nsmctl troubleshoot
  nsmctl troubleshoot --all-namespaces
  nsmctl troubleshoot -n production --client web
  nsmctl troubleshoot --context production -f my-service/ --verbose

Names the causes, each with its evidence, its fix and what follows from it, then walks target → NSM →
pods → injection → identity → request → interface → ping. `nsmctl explain ID` says more about a cause.
What nsmctl deployed, what stands beside it in its namespace, and what --manifests names is looked at;
where there is nothing of it, every client in all namespaces. The time budget is 30 seconds unless
--timeout says otherwise.")]
pub struct TroubleshootArgs {
    /// Which connections.
    #[command(flatten)]
    pub scope: ScopeArgs,
    /// Show all the evidence and all that follows, not only the telling part of it.
    #[arg(long, short = 'v')]
    pub verbose: bool,
    /// What is to be different from the manifests.
    #[command(flatten)]
    pub customise: CustomiseArgs,
}
