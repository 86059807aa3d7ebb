use clap::Args;

use super::CustomiseArgs;

/// The arguments of `exec`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  nsmctl exec -- ip addr
  nsmctl exec nse-kernel -- ping -c 4 172.16.1.101
  nsmctl exec -it -- sh
  nsmctl exec -i -- sh -c 'cat > /tmp/capture' < capture

Runs the program in the workload's own container, of its first ready pod. Its output is passed on byte by byte, and its \
exit code is that of nsmctl. Where nsmctl itself fails (no such pod, forbidden, the end was lost), that is 125; where there \
is no such program, 127. There is no time budget unless --timeout gives one. On this machine the program is one of this \
machine, in the network namespace of the pod.")]
pub struct ExecArgs {
    /// A client or endpoint, or one of its pods; the first client without it.
    #[arg(value_name = "CLIENT")]
    pub name: Option<String>,
    /// The container, instead of the workload's own.
    #[arg(long, short, value_name = "NAME")]
    pub container: Option<String>,
    /// Pass on standard input, until its end.
    #[arg(long, short = 'i')]
    pub stdin: bool,
    /// Give the program a terminal, where standard input is one.
    #[arg(long, short)]
    pub tty: bool,
    /// The program and its arguments.
    #[arg(last = true, required = true, value_name = "PROGRAM")]
    pub command: Vec<String>,
    /// What is to be different from the manifests.
    #[command(flatten)]
    pub customise: CustomiseArgs,
}
