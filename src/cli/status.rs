use std::time::Duration;

use clap::Args;

use super::{CustomiseArgs, ScopeArgs};

/// The arguments of `status`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  nsmctl status
  nsmctl status --all-namespaces --watch
  nsmctl status -o json | jq '.status.connections.value[] | .reason // empty'
  nsmctl status --topology
  nsmctl status -A --topology -o dot | dot -Tsvg > mesh.svg
  nsmctl status -A --topology -o mermaid     # for Markdown
  nsmctl status -v                           # the phases of each connection

Shows NSM's parts node by node, the NetworkServices, the endpoints with what is left of their registrations, and \
every connection with both its ends; `?` is what the target does not tell, and -o json says why. Nothing is pinged \
and nothing is changed: `nsmctl verify` proves that packets pass. What nsmctl deployed, what stands beside it in its \
namespace, and what --manifests names is looked at; where there is nothing of it, all namespaces.

Exit code: 0 NSM is healthy and every connection is there, 1 something is broken, 3 it cannot be told.

The time budget is 30 seconds, none with --watch, unless --timeout says otherwise.")]
pub struct StatusArgs {
    /// Draw who is connected to whom: as text, or with -o dot or -o mermaid as a graph for graphviz or Markdown.
    #[arg(long)]
    pub topology: bool,
    /// Tell the phases in which each connection came to be, with what happened in them and when; on this machine.
    #[arg(long, short, conflicts_with = "topology")]
    pub verbose: bool,
    /// Keep looking: a terminal is drawn anew, a pipe gets a line a change, with a pause of 2s between two looks; --watch=10s for
    /// another.
    #[arg(long, value_name = "DURATION", num_args = 0..=1, require_equals = true, default_missing_value = "2s", value_parser = super::parse_duration)]
    pub watch: Option<Duration>,
    /// Print the JSON Schema of the report that -o json prints, and exit.
    #[arg(long, conflicts_with_all = ["topology", "watch"])]
    pub schema: bool,
    /// Which connections.
    #[command(flatten)]
    pub scope: ScopeArgs,
    /// What is to be different from the manifests.
    #[command(flatten)]
    pub customise: CustomiseArgs,
}
