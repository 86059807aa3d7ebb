use clap::Args;

use super::{CustomiseArgs, RemoveArgs};

/// The arguments of `cleanup`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  nsmctl cleanup
  nsmctl cleanup --namespace demo
  nsmctl cleanup --dry-run
  nsmctl cleanup --name-prefix blue-

Removes what carries the deployment's labels, in every namespace, and the registrations that its pods left behind. --namespace and \
--name-prefix say which deployment is meant; the rest of the customisation is accepted and makes \
no difference. The time budget is 2 minutes unless --timeout says otherwise.")]
pub struct CleanupArgs {
    /// How to remove.
    #[command(flatten)]
    pub remove: RemoveArgs,
    /// What is to be different from the manifests.
    #[command(flatten)]
    pub customise: CustomiseArgs,
}
