use std::path::PathBuf;

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
  nsmctl troubleshoot --bundle nsm.tgz        # on the cluster, then anywhere:
  nsmctl troubleshoot --from nsm.tgz

Names the causes, each with its evidence, its fix and what follows from it, then walks the path: target, NSM, \
pods, injection, identity, request, interface, ping. `nsmctl explain ID` says more about a cause. \
What nsmctl deployed, what stands beside it in its namespace, and what --manifests names is looked at; \
where there is nothing of it, every client in all namespaces. The time budget is 30 seconds unless \
--timeout says otherwise.")]
pub struct TroubleshootArgs {
    /// Show all the evidence and all that follows, not only the telling part of it.
    #[arg(long, short = 'v')]
    pub verbose: bool,
    /// Write what was seen into this file, without secrets, so that it can be judged elsewhere.
    #[arg(long, value_name = "FILE")]
    pub bundle: Option<PathBuf>,
    /// Judge by a file that --bundle has written, or - for standard input, and look at nothing.
    #[arg(long, value_name = "FILE|-", conflicts_with_all = ["bundle", "all_namespaces", "selector", "client", "cidr", "clients", "cross_node", "payload", "name_prefix", "image_registry", "images"])]
    pub from: Option<PathBuf>,
    /// Which connections.
    #[command(flatten)]
    pub scope: ScopeArgs,
    /// What is to be different from the manifests.
    #[command(flatten)]
    pub customise: CustomiseArgs,
}
