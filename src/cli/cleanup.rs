use clap::Args;

use super::RemoveArgs;

/// The arguments of `cleanup`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  nsmctl cleanup
  nsmctl cleanup --namespace demo
  nsmctl cleanup --dry-run

Removes what carries the deployment's label, in every namespace, and nothing else. The time budget is 2 minutes unless
--timeout says otherwise.")]
pub struct CleanupArgs {
    /// How to remove.
    #[command(flatten)]
    pub remove: RemoveArgs,
}
