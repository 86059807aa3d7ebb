//! The forms of the report, and where each goes.

use std::path::{Path, PathBuf, absolute};

use crate::{
    check::{InvalidSelection, Selection},
    cli::{Command, DeployArgs, OutputArg, ReportArgs, VerifyArgs},
    model::{Failure, Result},
    report::{Format, check_writable},
};

/// The forms of the report, and where each goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Output {
    /// The form on standard output.
    pub format: Format,
    /// The files, each with its form.
    pub files: Vec<(Format, PathBuf)>,
    /// Whether GitHub is told what needs an eye.
    pub annotations: bool,
}

impl Output {
    /// Decides what was meant, and sees that every file can be written before anything is done.
    ///
    /// # Errors
    /// The command has nothing to say in this form, or a file cannot be written.
    pub(super) fn new(output: OutputArg, command: &Command) -> Result<Self> {
        let format = match output {
            OutputArg::Table => Format::Table,
            OutputArg::Short => Format::Short,
            OutputArg::Json => Format::Json,
            OutputArg::Junit => Format::Junit,
            OutputArg::Dot => Format::Dot,
            OutputArg::Mermaid => Format::Mermaid,
            OutputArg::Prometheus => Format::Prometheus,
        };
        check_graph(output, command)?;
        check_prometheus(output, command)?;
        let what = without_findings(command);
        if let (Format::Junit, Command::Status(_)) = (format, command) {
            return Err(
                Failure::usage("--output junit: status has no test cases").hint("use table, short or json; `nsmctl verify -o junit` has them")
            );
        }
        if let Some(what) = what.as_ref().filter(|_| format == Format::Junit) {
            return Err(Failure::usage(format!("--output junit: {what} judges nothing, so it has no test cases")).hint("use table or json"));
        }
        if format == Format::Junit && command.is_watching() {
            return Err(Failure::usage("--output junit: a report is one document, and --watch has no end")
                .hint("leave one of them out; -o json prints a line a change"));
        }
        let ReportArgs { junit, json } = match command {
            Command::Deploy(DeployArgs { report, .. }) | Command::Verify(VerifyArgs { report, .. }) => report.clone(),
            _ => ReportArgs::default(),
        };
        if let (Some(what), Some(_)) = (&what, &junit) {
            return Err(Failure::usage(format!("--junit: {what} judges nothing, so it has no test cases")).hint("leave it out, or use --json"));
        }
        // `./a` is `a`.
        let place = |path: &Option<PathBuf>| path.as_ref().and_then(|path| absolute(path).ok());
        if place(&junit).is_some_and(|junit| place(&json) == Some(junit)) {
            return Err(Failure::usage("--junit and --json name the same file").hint("give each a name of its own"));
        }
        let files = [(Format::Junit, "junit", junit), (Format::Json, "json", json)];
        let files = files.into_iter().filter_map(|(format, name, path)| Some((format, name, path?)));
        let files = files.map(|(format, name, path)| file(name, &path).map(|()| (format, path))).collect::<Result<_>>()?;
        let has_findings = matches!(command, Command::Deploy(_) | Command::Verify(_)) && what.is_none();
        let annotations = has_findings && std::env::var_os("GITHUB_ACTIONS").is_some_and(|value| value == "true");
        Ok(Self { format, files, annotations })
    }
}

/// Which checks count; all of them for a command that does not let a person choose.
pub(super) fn selection(command: &Command) -> Result<Selection> {
    let Command::Verify(arguments) = command else { return Ok(Selection::default()) };
    // One after the other, so that it is told which flag is wrong.
    Selection::new(&arguments.select, &[]).map_err(|error| bad_selection("--select", &error))?;
    Selection::new(&arguments.select, &arguments.skip).map_err(|error| bad_selection("--skip", &error))
}

fn bad_selection(flag: &str, error: &InvalidSelection) -> Failure {
    match error {
        InvalidSelection::Unknown { similar, .. } => {
            let similar = similar.map(|id| format!("did you mean {id}? ")).unwrap_or_default();
            Failure::usage(format!("{flag}: {error}")).hint(format!("{similar}nsmctl verify --list-checks names them all"))
        }
        InvalidSelection::Empty => Failure::usage(error).hint("leave one of them in"),
    }
}

/// What is asked for where that has no findings.
fn without_findings(command: &Command) -> Option<String> {
    match command {
        Command::Deploy(DeployArgs { apply, .. }) if apply.dry_run => Some("deploy --dry-run".to_owned()),
        Command::Deploy(DeployArgs { apply, .. }) if apply.diff => Some("deploy --diff".to_owned()),
        Command::Verify(VerifyArgs { list_checks: true, .. }) => Some("verify --list-checks".to_owned()),
        // What exec prints is the program's, whatever was asked for.
        Command::Deploy(_) | Command::Verify(_) | Command::Status(_) | Command::Troubleshoot(_) | Command::Exec(_) => None,
        Command::Metrics(_)
        | Command::Explain(_)
        | Command::Cleanup(_)
        | Command::Logs(_)
        | Command::Manifests(_)
        | Command::Completions(_)
        | Command::Man(_)
        | Command::Version(_)
        | Command::Engine(_) => Some(command.name().to_owned()),
    }
}

/// Sees that a graph is asked of what draws one.
fn check_graph(output: OutputArg, command: &Command) -> Result<()> {
    let name = match output {
        OutputArg::Dot => "dot",
        OutputArg::Mermaid => "mermaid",
        _ => return Ok(()),
    };
    match command {
        Command::Status(arguments) if arguments.topology && arguments.watch.is_none() => Ok(()),
        Command::Status(arguments) if arguments.topology => {
            Err(Failure::usage(format!("--output {name}: a graph is one document, and --watch has no end")).hint("leave one of them out"))
        }
        Command::Status(_) => Err(Failure::usage(format!("--output {name}: a graph is drawn of the topology only"))
            .hint(format!("add --topology: `nsmctl status --topology -o {name}`"))),
        _ => Err(Failure::usage(format!("--output {name}: {} draws no graph", command.name()))
            .hint(format!("use table, short or json; `nsmctl status --topology -o {name}` draws one"))),
    }
}

/// Sees that Prometheus' text is asked of what counts.
fn check_prometheus(output: OutputArg, command: &Command) -> Result<()> {
    match command {
        _ if output != OutputArg::Prometheus => Ok(()),
        Command::Metrics(arguments) if arguments.watch.is_some() => {
            let message = "--output prometheus: the format has no rates and no end, which --watch is for";
            Err(Failure::usage(message).hint("leave --watch out; Prometheus makes rates of what it reads again and again"))
        }
        Command::Metrics(_) => Ok(()),
        _ => Err(Failure::usage(format!("--output prometheus: {} counts nothing", command.name()))
            .hint("use table, short or json; `nsmctl metrics -o prometheus` prints what is counted")),
    }
}

/// Sees that a file can be written.
fn file(name: &str, path: &Path) -> Result<()> {
    if path == Path::new("-") {
        return Err(Failure::usage(format!("--{name} takes a file, and - is none")).hint(format!("-o {name} prints it on standard output")));
    }
    check_writable(path).map_err(|error| Failure::usage(format!("--{name} {} cannot be written: {error}", path.display())).hint(error.hint()))
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::cli::Cli;

    fn output(arguments: &[&str]) -> Result<Output> {
        let cli = Cli::try_parse_from([&["nsmctl"], arguments].concat()).unwrap();
        Output::new(cli.global.output, &cli.command)
    }

    #[test]
    fn each_file_has_its_form() {
        let dir = tempfile::tempdir().unwrap();
        let (junit, json) = (dir.path().join("a.xml"), dir.path().join("a.json"));
        let asked = output(&["verify", "-o", "short", "--junit", junit.to_str().unwrap(), "--json", json.to_str().unwrap()]).unwrap();
        assert_eq!((asked.format, asked.files), (Format::Short, vec![(Format::Junit, junit), (Format::Json, json)]));
    }

    #[test]
    fn a_check_that_is_none_is_refused_with_its_flag() {
        let refused = |arguments: &[&str]| {
            let failure = selection(&Cli::try_parse_from([&["nsmctl", "verify"], arguments].concat()).unwrap().command).unwrap_err();
            assert_eq!(failure.outcome.code(), 2);
            (failure.message(), failure.hint.unwrap())
        };
        let (message, hint) = refused(&["--skip", "address,ping-cleint"]);
        assert_eq!(message, "--skip: there is no check \"ping-cleint\"");
        assert_eq!(hint, "did you mean ping-client? nsmctl verify --list-checks names them all");
        assert_eq!(refused(&["--select", "1", "--skip", "2"]).0, "--select: there is no check \"1\"");
        assert_eq!(refused(&["--select", "address", "--skip", "address"]).0, "--select and --skip leave no check");
    }

    #[test]
    fn what_cannot_be_is_refused() {
        let cases: [(&[&str], &str); 10] = [
            (&["verify", "--watch", "-o", "junit"], "--output junit: a report is one document, and --watch has no end"),
            (&["cleanup", "-o", "junit"], "--output junit: cleanup judges nothing, so it has no test cases"),
            (&["manifests", "-o", "junit"], "--output junit: manifests judges nothing, so it has no test cases"),
            (&["deploy", "--diff", "-o", "junit"], "--output junit: deploy --diff judges nothing, so it has no test cases"),
            (&["deploy", "--dry-run", "--junit", "a"], "--junit: deploy --dry-run judges nothing, so it has no test cases"),
            (&["verify", "--list-checks", "-o", "junit"], "--output junit: verify --list-checks judges nothing, so it has no test cases"),
            (&["verify", "--junit", "-"], "--junit takes a file, and - is none"),
            (&["deploy", "--json", "-"], "--json takes a file, and - is none"),
            (&["verify", "--json", "a", "--junit", "./a"], "--junit and --json name the same file"),
            (&["verify", "--json", "/nowhere/a"], "--json /nowhere/a cannot be written: the directory /nowhere does not exist"),
        ];
        for (arguments, message) in cases {
            let failure = output(arguments).unwrap_err();
            assert!(failure.hint.is_some());
            assert_eq!((failure.message().as_str(), failure.outcome.code()), (message, 2));
        }
        for command in ["deploy", "verify", "troubleshoot"] {
            assert_eq!(output(&[command, "-o", "junit"]).unwrap().format, Format::Junit);
        }
        assert_eq!(output(&["cleanup", "-o", "short"]).unwrap().format, Format::Short);
    }
}
