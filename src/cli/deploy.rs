use clap::Args;

use super::{ApplyArgs, CustomiseArgs, ReportArgs, TypedDuration, parse_typed_duration};

/// The arguments of `deploy`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  nsmctl deploy
  nsmctl deploy --target local
  nsmctl deploy --context staging --namespace demo --timeout 5m
  nsmctl deploy -f my-service/ -o json
  nsmctl deploy --clients 3 --cidr 10.0.0.0/29
  nsmctl deploy --name-prefix blue-
  nsmctl deploy --diff
  nsmctl deploy --target local -v
  nsmctl deploy --target local --program cmd-nse-icmp-responder=./my-endpoint
  nsmctl deploy --target local --svid-ttl 10m
  nsmctl deploy --junit nsm.xml

Deploying again converges: what differs is changed, what cannot be changed in place is made anew, and what the manifests no longer contain \
is removed. The time budget is 3 minutes unless --timeout says otherwise.")]
pub struct DeployArgs {
    /// How to apply.
    #[command(flatten)]
    pub apply: ApplyArgs,
    /// On this machine, run a program in the place of an image; NAME is the last part of the image's. May be given several times,
    /// also for NSM's own client: cmd-nsc and cmd-nsc-init.
    #[arg(long = "program", value_name = "NAME=FILE")]
    pub programs: Vec<String>,
    /// On this machine, how long X.509 SVIDs are valid, from 2s to 24h; they are renewed at half of it, without dropping a connection.
    /// Default: NSMCTL_SVID_TTL, else 1h. An engine that runs already renews all of them at once.
    #[arg(long, value_parser = parse_typed_duration, value_name = "DURATION")]
    pub svid_ttl: Option<TypedDuration>,
    /// Where the report goes besides standard output.
    #[command(flatten)]
    pub report: ReportArgs,
    /// What is to be different from the manifests.
    #[command(flatten)]
    pub customise: CustomiseArgs,
}
