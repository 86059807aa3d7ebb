//! The forms of the report, and which of them each command has: what its help names, what a shell offers and what is refused.

use clap::{
    Arg, ArgMatches, Command, ValueEnum,
    builder::{PossibleValuesParser, TypedValueParser},
    error::{ContextKind, ContextValue, ErrorKind},
    parser::ValueSource,
};

/// The form of the report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum OutputArg {
    /// For people.
    Table,
    /// For grep: a line for each finding that is not as promised.
    Short,
    /// For programs.
    Json,
    /// For CI systems.
    Junit,
    /// A graph for graphviz: `status --topology`.
    Dot,
    /// A graph for Markdown: `status --topology`.
    Mermaid,
    /// For Prometheus: `metrics`.
    Prometheus,
}

/// The id of the option.
const ID: &str = "output";

impl OutputArg {
    /// The forms that a command's report has.
    #[must_use]
    pub fn of(command: &str) -> &'static [Self] {
        match command {
            "deploy" | "verify" | "troubleshoot" => &[Self::Table, Self::Short, Self::Json, Self::Junit],
            "status" => &[Self::Table, Self::Short, Self::Json, Self::Dot, Self::Mermaid],
            "metrics" => &[Self::Table, Self::Short, Self::Json, Self::Prometheus],
            "cleanup" => &[Self::Table, Self::Short, Self::Json],
            _ => &[Self::Table, Self::Json],
        }
    }

    /// Which command line has a form that another command has not, and what it prints.
    pub(super) fn elsewhere(form: &str) -> Option<String> {
        match Self::from_str(form, false).ok()? {
            Self::Table | Self::Short | Self::Json => None,
            Self::Junit => Some("'nsmctl verify -o junit' has test cases".to_owned()),
            Self::Dot | Self::Mermaid => Some(format!("'nsmctl status --topology -o {form}' draws a graph")),
            Self::Prometheus => Some("'nsmctl metrics -o prometheus' prints what is counted".to_owned()),
        }
    }
}

/// The names of forms, as they are typed.
fn names(forms: &[OutputArg]) -> Vec<String> {
    forms.iter().filter_map(ValueEnum::to_possible_value).map(|value| value.get_name().to_owned()).collect()
}

/// Gives each command an option of its own, which takes the forms that its report has. The variable stays with the one of all
/// commands: it is set once for many of them, and may name a form that some have not.
pub(super) fn with_forms(command: Command) -> Command {
    let Some(output) = command.get_arguments().find(|arg| arg.get_id() == ID).cloned() else { return command };
    let of_all = format!(
        "The form of the report on standard output: {}; each command's help names those that it has",
        names(OutputArg::value_variants()).join(", ")
    );
    let command = command.mut_arg(ID, |arg| arg.help(of_all));
    command.mut_subcommands(|command| {
        let own = option(output.clone(), OutputArg::of(command.get_name()));
        command.arg(own)
    })
}

fn option(output: Arg, forms: &[OutputArg]) -> Arg {
    let values = PossibleValuesParser::new(forms.iter().filter_map(ValueEnum::to_possible_value));
    let parser = values.try_map(|name| OutputArg::from_str(&name, false));
    output.value_name(names(forms).join("|")).value_parser(parser).env(None::<&'static str>)
}

/// Refuses a form that was typed before a command that has it not, as the command's own option does behind it.
pub(super) fn check(command: &Command, matches: &ArgMatches) -> Result<(), clap::Error> {
    let Some((name, matches)) = matches.subcommand() else { return Ok(()) };
    let forms = OutputArg::of(name);
    let asked = matches.get_one::<OutputArg>(ID).filter(|form| !forms.contains(form));
    let (Some(asked), Some(ValueSource::CommandLine)) = (asked, matches.value_source(ID)) else { return Ok(()) };
    let command = command.find_subcommand(name).unwrap_or(command);
    let option = command.get_arguments().find(|arg| arg.get_id() == ID).map(ToString::to_string).unwrap_or_default();
    let mut error = clap::Error::new(ErrorKind::InvalidValue).with_cmd(command);
    error.insert(ContextKind::InvalidArg, ContextValue::String(option));
    error.insert(ContextKind::InvalidValue, ContextValue::String(names(&[*asked]).concat()));
    error.insert(ContextKind::ValidValue, ContextValue::Strings(names(forms)));
    Err(error)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::{Program, command, parse};

    #[test]
    fn help_names_the_forms_that_a_command_has_and_no_other() {
        let help = |name: &str| {
            let mut root = command(Program::Nsmctl);
            root.build();
            root.find_subcommand_mut(name).unwrap().render_help().to_string()
        };
        for (name, forms) in [
            ("verify", "<table|short|json|junit>"),
            ("status", "<table|short|json|dot|mermaid>"),
            ("metrics", "<table|short|json|prometheus>"),
            ("cleanup", "<table|short|json>"),
            ("logs", "<table|json>"),
        ] {
            assert!(help(name).contains(&format!("-o, --output {forms}")), "{}", help(name));
        }
        let all = command(Program::Nsmctl).render_help().to_string();
        for form in names(OutputArg::value_variants()) {
            assert!(all.contains(&form), "{form}: {all}");
        }
    }

    #[test]
    fn each_command_takes_its_own_forms_wherever_they_stand() {
        // Of each, as little as can be typed.
        let lines: [&[&str]; 14] = [
            &["deploy"],
            &["verify"],
            &["status"],
            &["metrics"],
            &["troubleshoot"],
            &["explain", "--list"],
            &["cleanup"],
            &["exec"],
            &["logs"],
            &["manifests", "images"],
            &["completions", "bash"],
            &["man", "dir"],
            &["version"],
            &["engine", "restart"],
        ];
        let shown: Vec<String> = command(Program::Nsmctl).get_subcommands().map(|command| command.get_name().to_owned()).collect();
        assert_eq!(lines.iter().map(|line| line[0]).collect::<Vec<_>>(), shown);
        for line in lines {
            let (own, rest) = (OutputArg::of(line[0]), if line[0] == "exec" { &["--", "ip"][..] } else { &[] });
            for form in OutputArg::value_variants() {
                let name = &names(&[*form])[0];
                for typed in [[&["nsmctl", "-o", name], line, rest].concat(), [&["nsmctl"], line, &["-o", name], rest].concat()] {
                    match parse(Program::Nsmctl, &typed) {
                        Ok(cli) => assert!(cli.global.output == *form && own.contains(form), "{typed:?}"),
                        Err(error) => {
                            let said = format!("invalid value '{name}' for '--output <{}>'", names(own).join("|"));
                            let values = format!("[possible values: {}]", names(own).join(", "));
                            let text = error.to_string();
                            assert!(text.contains(&said) && text.contains(&values) && !own.contains(form), "{typed:?}: {text}");
                        }
                    }
                }
            }
            assert_eq!(parse(Program::Nsmctl, [&["nsmctl"], line, rest].concat()).unwrap().global.output, OutputArg::Table);
        }
    }
}
