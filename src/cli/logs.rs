use std::{path::PathBuf, time::Duration};

use clap::Args;

use super::{CustomiseArgs, parse_duration, whole};

/// The arguments of `logs`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  nsmctl logs
  nsmctl logs --since 10m
  nsmctl logs alpine --follow --tail 0
  nsmctl logs -o json | jq -r 'select(.role == \"forwarder\") | .line'

Shows what was logged on the way of one connection, in the order of time: by the client and the containers that NSM put \
beside it, by the endpoint, and by the managers and forwarders on their nodes. Of each log that is the last 50 lines, with \
--follow the last 10, with --since all of that time, unless --tail says otherwise. The time budget is 30 seconds, \
none with --follow, unless --timeout says otherwise.")]
pub struct LogsArgs {
    /// The client, or one of its pods; an endpoint stands for its first client.
    #[arg(value_name = "CLIENT")]
    pub name: Option<String>,
    /// Go on with what is logged from now on, until Ctrl-C.
    #[arg(long, short)]
    pub follow: bool,
    /// Only what was logged within this time before now, as in 90s or 10m.
    #[arg(long, value_parser = parse_duration, value_name = "DURATION")]
    pub since: Option<Duration>,
    /// How many lines of each log at most.
    #[arg(long, value_parser = whole(0..=u32::MAX), value_name = "N")]
    pub tail: Option<u32>,
    /// Leave out who logged a line.
    #[arg(long)]
    pub no_prefix: bool,
    /// The manifests, instead of the example's: a file, a directory, or - for standard input.
    // The global option, whose short form is here that of --follow, as with every program that prints logs.
    #[arg(id = "manifests", long = "manifests", help_heading = "Global options", value_name = "FILE|DIR|-")]
    pub manifests: Option<PathBuf>,
    /// What is to be different from the manifests.
    #[command(flatten)]
    pub customise: CustomiseArgs,
}
