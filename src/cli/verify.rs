use clap::Args;

use super::CustomiseArgs;

/// The arguments of `verify`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  nsmctl verify
  nsmctl verify -o json | jq -r '.findings[] | select(.verdict == \"fail\") | .title'
  nsmctl verify -f my-service/ --timeout 10s

The time budget is 30 seconds unless --timeout says otherwise.")]
pub struct VerifyArgs {
    /// What is to be different from the manifests.
    #[command(flatten)]
    pub customise: CustomiseArgs,
}
