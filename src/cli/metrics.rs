use std::time::Duration;

use clap::Args;

use super::{CustomiseArgs, ScopeArgs, parse_duration};

/// The arguments of `metrics`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  nsmctl metrics
  nsmctl metrics --watch --interval 5s
  nsmctl metrics -A -o prometheus > nsm.prom
  nsmctl metrics -o json | jq '.metrics.connections[].client.counters'

Asks NSM's managers and forwarders through the API server for what they expose, or this machine's engine, and says \
of what is not exposed which setting exposes it. Whatever they expose, the counters of each connection's interfaces \
are read in the pods of client and endpoint: bytes, packets, errors and drops since the interface was made, as each \
end sees them. --watch adds what each second brings. The engine also serves Prometheus itself, at \
http://127.0.0.1:9090/metrics or the next port that is free.

Exit code: 0 all that is counted was read, 3 something of it could not be, or there is nothing.

The time budget is 30 seconds, none with --watch, unless --timeout says otherwise.")]
pub struct MetricsArgs {
    /// Keep reading, and show what each second brings; with -o json a document a line.
    #[arg(long)]
    pub watch: bool,
    /// The time between two readings of --watch.
    #[arg(long, default_value = "2s", value_parser = parse_duration, value_name = "DURATION", requires = "watch")]
    pub interval: Duration,
    /// Which connections.
    #[command(flatten)]
    pub scope: ScopeArgs,
    /// What is to be different from the manifests.
    #[command(flatten)]
    pub customise: CustomiseArgs,
}
