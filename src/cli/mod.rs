//! The command line: what may be typed. Types only; what it means is decided in [`settings`](crate::settings).

mod apply;
mod candidates;
mod cleanup;
mod completions;
mod customise;
mod deploy;
mod engine;
mod exec;
mod explain;
mod logs;
mod look;
mod man;
mod manifests;
mod metrics;
mod output;
mod program;
mod reference;
mod remove;
mod report;
mod status;
mod tips;
mod troubleshoot;
mod verify;
mod version;

use std::{fmt, ops::RangeInclusive, path::PathBuf, time::Duration};

use clap::{Args, Parser, Subcommand, ValueEnum};

pub use apply::ApplyArgs;
pub use candidates::{Candidate, Question, Wanted};
pub use cleanup::CleanupArgs;
pub use completions::{CompletionsArgs, ShellArg, completions};
pub use customise::{CustomiseArgs, PayloadArg};
pub use deploy::DeployArgs;
pub use engine::{EngineArgs, EngineCommand, EnterArgs};
pub use exec::ExecArgs;
pub use explain::ExplainArgs;
pub use logs::LogsArgs;
pub use look::{LookArgs, ScopeArgs};
pub use man::{ManArgs, Table, man_pages};
pub use manifests::{ManifestsArgs, ManifestsCommand};
pub use metrics::MetricsArgs;
pub use output::OutputArg;
pub use program::{Program, command, parse};
pub use reference::{ENVIRONMENT, EXIT_CODES, FILES};
pub use remove::RemoveArgs;
pub use report::ReportArgs;
pub use status::StatusArgs;
pub use troubleshoot::TroubleshootArgs;
pub use verify::VerifyArgs;
pub use version::{BUILD, Build, VersionArgs, version_asked};

/// Deploys a network service of Network Service Mesh, proves that it works, says what is wrong when it does not, and
/// removes every trace: on a Kubernetes cluster, or on this machine where there is none.
#[derive(Debug, Parser)]
#[command(name = "nsmctl", version, max_term_width = 100, after_help = AFTER, arg_required_else_help = true)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
    /// What holds for every command.
    #[command(flatten)]
    pub global: GlobalArgs,
}

const AFTER: &str = "\
Examples:
  nsmctl deploy                       the kernel2kernel example
  nsmctl verify -o json | jq .        for programs; the exit code is the verdict
  nsmctl status                       NSM's health, and every connection
  nsmctl metrics --watch              what each connection carries, by second
  nsmctl troubleshoot                 the causes, the evidence and the fixes
  nsmctl explain address-pool-empty   what a cause is and how it works
  nsmctl exec -- ip addr              in the client's container
  nsmctl logs --follow                of all who take part, by time
  nsmctl cleanup                      nothing is left

Exit codes:
  0    all passed
  1    something failed
  2    the command line or a manifest is wrong
  3    it cannot be told: unreachable, forbidden, nothing found
  4    out of time
  70   a defect of nsmctl
  130  interrupted (SIGINT); 143 terminated (SIGTERM)
  exec: the program's own (126, 127: none to run), or 125 where nsmctl failed

Environment:
  NSMCTL_TARGET        stands for --target
  NSMCTL_TIMEOUT       stands for --timeout
  NSMCTL_OUTPUT        stands for --output
  NSMCTL_SVID_TTL      stands for --svid-ttl where this machine's engine starts
  NSMCTL_RUNTIME_DIR   the directory of locks and of this machine's engine
  all others are in the man pages, which `nsmctl man DIR` writes";

/// The subcommands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Apply the manifests, wait until everything is ready, verify, and print the table.
    Deploy(DeployArgs),
    /// Check every connection against what its manifests promise.
    Verify(VerifyArgs),
    /// Show NSM's health, services, endpoints and every connection, as a table or drawn.
    Status(StatusArgs),
    /// Show what is counted: by NSM's parts or the engine, and of each connection's interfaces.
    Metrics(MetricsArgs),
    /// Name the causes of what is broken, with evidence and fix, and walk the path of each connection.
    Troubleshoot(TroubleshootArgs),
    /// Say what a cause is: what shows it, what it is not, how it works and how it is mended.
    Explain(ExplainArgs),
    /// Remove everything that deploy made, wait until it is gone, and prove it.
    Cleanup(CleanupArgs),
    /// Run a program in the right container of the right pod, and exit with its exit code.
    Exec(ExecArgs),
    /// Show what was logged on the way of a connection, by all who take part, in the order of time.
    Logs(LogsArgs),
    /// Print what deploy would apply, the images that it takes, or the roles that it needs.
    Manifests(ManifestsArgs),
    /// Print the completions of a shell, or of kubectl.
    Completions(CompletionsArgs),
    /// Write the man pages into a directory.
    Man(ManArgs),
    /// Print the version, the commit, the target and the compiler.
    Version(VersionArgs),
    /// Manage the local engine that deploy starts.
    #[command(after_help = "\
Examples:
  nsmctl engine restart")]
    Engine(EngineArgs),
}

impl Command {
    /// The command's name, as it is typed.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Deploy(_) => "deploy",
            Self::Verify(_) => "verify",
            Self::Status(_) => "status",
            Self::Metrics(_) => "metrics",
            Self::Troubleshoot(_) => "troubleshoot",
            Self::Explain(_) => "explain",
            Self::Cleanup(_) => "cleanup",
            Self::Exec(_) => "exec",
            Self::Logs(_) => "logs",
            Self::Manifests(_) => "manifests",
            Self::Completions(_) => "completions",
            Self::Man(_) => "man",
            Self::Version(_) => "version",
            Self::Engine(_) => "engine",
        }
    }

    /// Whether it goes on until a person has seen enough.
    #[must_use]
    pub fn is_watching(&self) -> bool {
        match self {
            Self::Verify(arguments) => arguments.watch.is_some(),
            Self::Status(arguments) => arguments.watch.is_some(),
            Self::Metrics(arguments) => arguments.watch.is_some(),
            Self::Logs(arguments) => arguments.follow,
            _ => false,
        }
    }

    /// What is to be different from the manifests; `None` for a command that reads none.
    #[must_use]
    pub fn customise(&self) -> Option<&CustomiseArgs> {
        match self {
            Self::Deploy(DeployArgs { customise, .. })
            | Self::Verify(VerifyArgs { customise, .. })
            | Self::Status(StatusArgs { customise, .. })
            | Self::Metrics(MetricsArgs { customise, .. })
            | Self::Troubleshoot(TroubleshootArgs { customise, .. })
            | Self::Cleanup(CleanupArgs { customise, .. })
            | Self::Exec(ExecArgs { customise, .. })
            | Self::Logs(LogsArgs { customise, .. })
            | Self::Manifests(ManifestsArgs { customise, .. }) => Some(customise),
            Self::Explain(_) | Self::Completions(_) | Self::Man(_) | Self::Version(_) | Self::Engine(_) => None,
        }
    }
}

/// What holds for every command.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Global options")]
pub struct GlobalArgs {
    /// Where to work; auto takes the cluster where a kubeconfig resolves, else this machine.
    #[arg(long, global = true, value_enum, default_value_t = TargetArg::Auto, env = "NSMCTL_TARGET", hide_env = true, hide_possible_values = true, value_name = "auto|cluster|local")]
    pub target: TargetArg,
    /// The kubeconfig's context.
    #[arg(long, global = true, value_name = "NAME")]
    pub context: Option<String>,
    /// The kubeconfig, instead of $KUBECONFIG and ~/.kube/config.
    #[arg(long, global = true, value_name = "FILE")]
    pub kubeconfig: Option<PathBuf>,
    /// The namespace of the deployment, instead of the one in the manifests.
    #[arg(long, short, global = true, value_name = "NAME")]
    pub namespace: Option<String>,
    /// The manifests, instead of the example's: a file, a directory, or - for standard input.
    #[arg(long, short = 'f', global = true, value_name = "FILE|DIR|-")]
    pub manifests: Option<PathBuf>,
    /// The time budget of the whole command, as in 90s or 2m.
    #[arg(long, global = true, value_parser = parse_duration, env = "NSMCTL_TIMEOUT", hide_env = true, value_name = "DURATION")]
    pub timeout: Option<Duration>,
    /// The form of the report on standard output.
    // Each command has its own of this option, with the forms of its report: see `output`.
    #[arg(long, short, global = true, value_enum, default_value_t = OutputArg::Table, env = "NSMCTL_OUTPUT", hide_env = true, hide_possible_values = true, value_name = "FORM")]
    pub output: OutputArg,
}

/// Where to work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum TargetArg {
    /// The cluster where a kubeconfig resolves, else this machine.
    Auto,
    /// A Kubernetes cluster.
    Cluster,
    /// This machine.
    Local,
}

/// A duration above zero, in jiff's friendly format, which kubectl's is a part of.
fn parse_duration(text: &str) -> Result<Duration, String> {
    let wrong = |why: &str| format!("{why}; say it as in 90s, 2m or 1m30s");
    let parsed: jiff::SignedDuration = text.parse().map_err(|_| wrong("this is no duration"))?;
    let duration = Duration::try_from(parsed).map_err(|_| wrong("it cannot be negative"))?;
    if duration.is_zero() { Err(wrong("zero leaves no time for anything")) } else { Ok(duration) }
}

/// A duration, and how it was typed: what is refused is told in the person's own words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TypedDuration {
    typed: String,
    /// How long.
    pub duration: Duration,
}

impl fmt::Display for TypedDuration {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.typed)
    }
}

fn parse_typed_duration(text: &str) -> Result<TypedDuration, String> {
    parse_duration(text).map(|duration| TypedDuration { typed: text.to_owned(), duration })
}

/// Reads a whole number of this range.
fn whole(range: RangeInclusive<u32>) -> impl Fn(&str) -> Result<u32, String> + Clone + Send + Sync {
    move |text| {
        let number = text.parse().ok().filter(|number| range.contains(number));
        number.ok_or_else(|| match (range.start(), range.end()) {
            (0, &u32::MAX) => "say a whole number, as in 4".to_owned(),
            (least, most) => format!("say a whole number from {least} to {most}, as in 4"),
        })
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_command_has_an_example_also_below_another() {
        fn seen(command: &clap::Command, typed: &str) -> usize {
            let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
            assert!(help.contains(&format!("\n  {typed}")), "{typed}: {help}");
            let below = command.get_subcommands().filter(|command| !command.is_hide_set());
            1 + below.map(|command| seen(command, &format!("{typed} {}", command.get_name()))).sum::<usize>()
        }
        assert!(seen(&Cli::command(), "nsmctl") > 12);
    }

    #[test]
    fn help_fits_a_terminal_of_80_columns_and_needs_no_unicode() {
        fn look(command: &clap::Command) -> usize {
            let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
            assert!(help.is_ascii(), "{}: {help}", command.get_name());
            for line in help.lines().filter(|line| line.starts_with("  ")) {
                assert!(line.len() <= 80, "{} columns: {line}", line.len());
            }
            // clap wraps a paragraph to the terminal; a line end inside of one would stay where it is.
            for block in help.split("\n\n").filter(|block| !block.contains("\n  ")) {
                assert!(!block.contains('\n'), "{}: {block}", command.get_name());
            }
            1 + command.get_subcommands().map(look).sum::<usize>()
        }
        assert!(look(&Cli::command()) > 12);
    }

    #[test]
    fn every_example_is_a_command_line() {
        fn examples(command: &clap::Command) -> Vec<String> {
            let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
            let own = help.lines().filter(|line| line.starts_with("  nsmctl ")).map(str::to_owned).collect();
            command.get_subcommands().map(examples).fold(own, |all, more| [all, more].concat())
        }
        examples(&Cli::command()).iter().for_each(|line| can_be_typed(line));
    }

    #[track_caller]
    fn can_be_typed(line: &str) {
        // Up to what is the shell's, or for the reader.
        let typed = line.trim().split("  ").next().unwrap().split(['|', '>', '<', '#', '&', ';']).next().unwrap();
        let words = typed.split_whitespace().map(|word| word.trim_matches('\''));
        if let Err(error) = parse(Program::Nsmctl, words) {
            assert!(!error.use_stderr(), "{line}: {error}");
        }
    }

    #[test]
    fn every_command_of_the_documents_is_a_command_line() {
        let mut seen = 0;
        for name in ["README.md", "CONTRIBUTING.md", "SECURITY.md", "ARCHITECTURE.md"] {
            let text = std::fs::read_to_string(std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(name)).unwrap();
            // In blocks, where a shell's or a pipeline's words may stand before them, and within sentences.
            let blocks = text.split("```").skip(1).step_by(2).flat_map(str::lines);
            let in_blocks =
                blocks.filter_map(|line| line.trim_start().trim_start_matches("- run: ").trim_start_matches("- ").strip_prefix("nsmctl "));
            let in_sentences =
                text.split("```").step_by(2).flat_map(|prose| prose.split('`').skip(1).step_by(2)).filter_map(|code| code.strip_prefix("nsmctl "));
            for rest in in_blocks.chain(in_sentences) {
                // Where a word stands for another, it is the reader's to be filled in.
                let is_placeholder = |word: &str| word.len() > 1 && word.chars().all(|c| c.is_ascii_uppercase());
                if rest.contains("...") || rest.split([' ', '=', '[', ']']).any(is_placeholder) {
                    continue;
                }
                can_be_typed(&format!("nsmctl {}", rest.replace('\n', " ")));
                seen += 1;
            }
        }
        assert!(seen > 35, "{seen}");
    }

    #[test]
    fn numbers_are_whole_and_have_ranges() {
        assert_eq!(whole(1..=10)("10"), Ok(10));
        assert_eq!(whole(0..=u32::MAX)("0"), Ok(0));
        for wrong in ["x", "", "0", "11", "1.5", "-1", "99999999999"] {
            assert_eq!(whole(1..=10)(wrong), Err("say a whole number from 1 to 10, as in 4".to_owned()), "{wrong}");
        }
        assert_eq!(whole(0..=u32::MAX)("x"), Err("say a whole number, as in 4".to_owned()));
    }

    #[test]
    fn durations_have_units() {
        assert_eq!(parse_duration("90s"), Ok(Duration::from_secs(90)));
        assert_eq!(parse_duration("1m30s"), Ok(Duration::from_secs(90)));
        assert_eq!(parse_duration("500ms"), Ok(Duration::from_millis(500)));
        for wrong in ["30", "", "soon", "-5s", "0s"] {
            assert!(parse_duration(wrong).is_err(), "{wrong}");
        }
    }
}
