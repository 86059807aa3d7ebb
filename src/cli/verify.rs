use std::time::Duration;

use clap::Args;

use super::{CustomiseArgs, LookArgs, ReportArgs, ScopeArgs};

/// The arguments of `verify`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  nsmctl verify
  nsmctl verify -o json | jq '.findings[] | select(.verdict == \"fail\")'
  nsmctl verify -f my-service/ --timeout 10s
  nsmctl verify --all-namespaces
  nsmctl verify --watch -o json
  nsmctl verify -n production --selector app=web --max-loss 1 --max-rtt 5ms
  nsmctl verify -o short --junit nsm.xml --json nsm.json
  nsmctl verify --skip ping-client,peer-route

What nsmctl deployed and what --manifests names is held against its manifests. Of everything else \
the deployed objects say what they promise: -A, or -n with a namespace that nsmctl has not made. \
The time budget is 30 seconds and the time of the pings, 3 minutes with --heal, none with --watch, unless --timeout says otherwise.")]
pub struct VerifyArgs {
    /// Delete the endpoint's pod and measure how long the connection takes to work again.
    #[arg(long, conflicts_with = "watch")]
    pub heal: bool,
    /// Keep verifying and print what changes, with a pause of 2s between two looks; --watch=10s for another.
    #[arg(long, value_name = "DURATION", num_args = 0..=1, require_equals = true, default_missing_value = "2s", value_parser = super::parse_duration, conflicts_with_all = ["junit", "json"])]
    pub watch: Option<Duration>,
    /// Judge by these checks only; --list-checks has their ids.
    #[arg(long, value_name = "ID,...", value_delimiter = ',')]
    pub select: Vec<String>,
    /// Do not judge by these checks.
    #[arg(long, value_name = "ID,...", value_delimiter = ',')]
    pub skip: Vec<String>,
    /// List all checks and exit.
    #[arg(long, conflicts_with_all = ["select", "skip", "junit", "json"])]
    pub list_checks: bool,
    /// Print the JSON Schema of the report that -o json prints, and exit.
    #[arg(long, conflicts_with_all = ["select", "skip", "junit", "json", "list_checks"])]
    pub schema: bool,
    /// Where the report goes besides standard output.
    #[command(flatten)]
    pub report: ReportArgs,
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
