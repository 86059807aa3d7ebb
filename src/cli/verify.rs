use clap::Args;

use super::{CustomiseArgs, ReportArgs};

/// The arguments of `verify`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  nsmctl verify
  nsmctl verify -o json | jq -r '.findings[] | select(.verdict == \"fail\") | .title'
  nsmctl verify -f my-service/ --timeout 10s
  nsmctl verify -o short --junit nsm.xml --json nsm.json
  nsmctl verify --skip ping-client,peer-route

The time budget is 30 seconds unless --timeout says otherwise.")]
pub struct VerifyArgs {
    /// Judge by these checks only; --list-checks has their ids.
    #[arg(long, value_name = "ID,...", value_delimiter = ',')]
    pub select: Vec<String>,
    /// Do not judge by these checks.
    #[arg(long, value_name = "ID,...", value_delimiter = ',')]
    pub skip: Vec<String>,
    /// Say which checks there are, and look at nothing.
    #[arg(long, conflicts_with_all = ["select", "skip", "junit", "json"])]
    pub list_checks: bool,
    /// Print the JSON Schema of the report that -o json prints, and look at nothing.
    #[arg(long, conflicts_with_all = ["select", "skip", "junit", "json", "list_checks"])]
    pub schema: bool,
    /// Where the report goes besides standard output.
    #[command(flatten)]
    pub report: ReportArgs,
    /// What is to be different from the manifests.
    #[command(flatten)]
    pub customise: CustomiseArgs,
}
