use clap::Args;

use super::{CustomiseArgs, LookArgs, ScopeArgs};

/// The arguments of `verify`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  nsmctl verify
  nsmctl verify -o json | jq -r '.findings[] | select(.verdict == \"fail\") | .title'
  nsmctl verify -f my-service/ --timeout 10s
  nsmctl verify --all-namespaces
  nsmctl verify -n production --selector app=web --max-loss 1 --max-rtt 5ms

What nsmctl deployed and what --manifests names is held against its manifests. Of everything else
the deployed objects say what they promise: -A, or -n with a namespace that nsmctl has not made.
The time budget is 30 seconds beside the pings unless --timeout says otherwise.")]
pub struct VerifyArgs {
    /// Which connections.
    #[command(flatten)]
    pub scope: ScopeArgs,
    /// How to look.
    #[command(flatten)]
    pub look: LookArgs,
    /// What is to be different from the manifests.
    #[command(flatten)]
    pub customise: CustomiseArgs,
}
