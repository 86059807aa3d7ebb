use clap::Args;

/// The arguments of `explain`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  nsmctl explain address-pool-empty
  nsmctl explain --list
  nsmctl explain --list -o json | jq -r '.explained[].id'

The ids are those that `nsmctl troubleshoot` prints beside a cause.")]
pub struct ExplainArgs {
    /// The cause's id.
    #[arg(required_unless_present = "list", conflicts_with = "list", value_name = "ID")]
    pub id: Option<String>,
    /// List all causes and exit.
    #[arg(long)]
    pub list: bool,
}
