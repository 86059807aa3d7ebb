use clap::Args;

/// The arguments of `cleanup`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  nsmctl cleanup
  nsmctl cleanup --namespace demo

Removes what carries the deployment's label, in every namespace, and nothing else. The time budget is 2 minutes unless
--timeout says otherwise.")]
pub struct CleanupArgs {}
