use clap::Args;

use super::CustomiseArgs;

/// The arguments of `troubleshoot`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  nsmctl troubleshoot
  nsmctl troubleshoot --context production -f my-service/

Walks target → NSM → pods → injection → request → interface → ping. The time budget is 30 seconds unless --timeout says
otherwise.")]
pub struct TroubleshootArgs {
    /// What is to be different from the manifests.
    #[command(flatten)]
    pub customise: CustomiseArgs,
}
