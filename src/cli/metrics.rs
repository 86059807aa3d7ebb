use std::time::Duration;

use clap::Args;

use super::{CustomiseArgs, ScopeArgs, parse_duration};

/// The arguments of `metrics`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  nsmctl metrics
  nsmctl metrics --watch=5s
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
    /// Keep reading, and show what each second brings, with a pause of 2s between two readings; --watch=10s for another. With -o json
    /// a document a line.
    #[arg(long, value_name = "DURATION", num_args = 0..=1, require_equals = true, default_missing_value = "2s", value_parser = parse_duration)]
    pub watch: Option<Duration>,
    /// The time between two readings; takes precedence over --watch=DURATION.
    #[arg(long, value_parser = parse_duration, value_name = "DURATION", requires = "watch")]
    pub interval: Option<Duration>,
    /// Which connections.
    #[command(flatten)]
    pub scope: ScopeArgs,
    /// What is to be different from the manifests.
    #[command(flatten)]
    pub customise: CustomiseArgs,
}

impl MetricsArgs {
    /// How long to wait between two readings; `None` where one is enough.
    #[must_use]
    pub fn pause(&self) -> Option<Duration> {
        self.interval.or(self.watch)
    }
}

#[cfg(test)]
mod tests {
    use crate::cli::{Command, Program, parse};

    #[test]
    fn the_pause_is_said_with_watch_or_beside_it() {
        let pause = |words: &str| match parse(Program::Nsmctl, words.split(' ')).unwrap().command {
            Command::Metrics(arguments) => arguments.pause().map(|pause| pause.as_secs()),
            other => panic!("{other:?}"),
        };
        assert_eq!(pause("nsmctl metrics"), None);
        assert_eq!(pause("nsmctl metrics --watch"), Some(2));
        assert_eq!(pause("nsmctl metrics --watch=5s"), Some(5));
        assert_eq!(pause("nsmctl metrics --watch --interval 7s"), Some(7));
        assert_eq!(pause("nsmctl metrics --watch=5s --interval 7s"), Some(7));
        assert!(parse(Program::Nsmctl, ["nsmctl", "metrics", "--interval", "7s"]).is_err());
    }
}
