//! Under which name nsmctl was started, and the command line that goes with it.

use std::{
    ffi::{OsStr, OsString},
    path::Path,
};

use clap::{
    Arg, Command, CommandFactory, FromArgMatches, ValueEnum,
    builder::StyledStr,
    error::{ContextKind, ContextValue},
};

use super::{Cli, OutputArg};

/// Under which name nsmctl was started.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Program {
    /// By its own.
    #[default]
    Nsmctl,
    /// As kubectl's plugin: kubectl runs `kubectl-nsm` for `kubectl nsm`.
    Plugin,
}

impl Program {
    /// By the first of the arguments, which is how the program was started.
    #[must_use]
    pub fn of(started: Option<&OsStr>) -> Self {
        let stem = started.and_then(|started| Path::new(started).file_stem());
        if stem == Some(OsStr::new("kubectl-nsm")) { Self::Plugin } else { Self::Nsmctl }
    }

    /// What a person types.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Nsmctl => "nsmctl",
            Self::Plugin => "kubectl nsm",
        }
    }

    /// A text whose commands are as this person types them.
    #[must_use]
    pub fn speak(self, text: &str) -> String {
        if self == Self::Nsmctl {
            return text.to_owned();
        }
        let (command, own) = (Cli::command(), format!("{} ", Self::Nsmctl.name()));
        let mut parts = text.split(own.as_str());
        let mut spoken = parts.next().unwrap_or_default().to_owned();
        for part in parts {
            let word = part.split(|c: char| !c.is_ascii_alphanumeric()).next().unwrap_or_default();
            // Elsewhere it is the program that is spoken of.
            spoken.push_str(if command.find_subcommand(word).is_some() || part.starts_with('-') { self.name() } else { Self::Nsmctl.name() });
            spoken.push(' ');
            spoken.push_str(part);
        }
        spoken
    }
}

/// The command line, as it is under this name.
#[must_use]
pub fn command(program: Program) -> Command {
    let command = naming_forms(heeding_no_empty_variable(Cli::command())).bin_name(program.name());
    match program {
        Program::Nsmctl => command,
        Program::Plugin => speaking(command, program),
    }
}

/// Reads the command line.
///
/// # Errors
/// It is none of nsmctl's, or asks for help.
pub fn parse(program: Program, arguments: impl IntoIterator<Item = impl Into<OsString>>) -> Result<Cli, clap::Error> {
    let mut command = command(program);
    let arguments: Vec<OsString> = arguments.into_iter().map(Into::into).collect();
    let matches = command.try_get_matches_from_mut(&arguments).map_err(|error| with_tip(error, &command, &arguments))?;
    Cli::from_arg_matches(&matches).map_err(|error| error.format(&mut command))
}

/// Adds a tip to an error that has a reason of its own to be made.
fn with_tip(mut error: clap::Error, command: &Command, arguments: &[OsString]) -> clap::Error {
    if let Some(tip) = pause_tip(&error, arguments).or_else(|| variable_tip(&error, command, arguments)) {
        error.insert(ContextKind::Suggested, ContextValue::StyledStrs(vec![tip.into()]));
    }
    error
}

/// Where the pause belongs of whoever has typed `--watch 5s`: a value that may be left out follows an equals sign.
fn pause_tip(error: &clap::Error, arguments: &[OsString]) -> Option<String> {
    let refused = said(error, ContextKind::InvalidArg)?;
    let is_pause = arguments.windows(2).any(|pair| pair[0] == "--watch" && pair[1] == *refused);
    is_pause.then(|| format!("the pause follows an equals sign: '--watch={refused}'"))
}

/// Where a value comes from that nobody has typed.
fn variable_tip(error: &clap::Error, command: &Command, arguments: &[OsString]) -> Option<String> {
    let (option, value) = (said(error, ContextKind::InvalidArg)?, said(error, ContextKind::InvalidValue)?);
    let is_typed = arguments.iter().any(|argument| argument.to_string_lossy().ends_with(value));
    let is_meant = |arg: &&Arg| arg.get_long().is_some_and(|long| option.starts_with(&format!("--{long} ")));
    let variable = command.get_arguments().find(is_meant)?.get_env()?;
    (!is_typed && std::env::var_os(variable)? == *value).then(|| format!("the value is that of the variable {}", variable.display()))
}

/// What an error says of this kind.
fn said(error: &clap::Error, kind: ContextKind) -> Option<&str> {
    match error.get(kind) {
        Some(ContextValue::String(text)) => Some(text),
        _ => None,
    }
}

/// A variable that is set to nothing is as good as unset, as with every other of the program's.
fn heeding_no_empty_variable(command: Command) -> Command {
    let is_empty = |arg: &Arg| arg.get_env().is_some_and(|name| std::env::var_os(name).is_some_and(|value| value.is_empty()));
    command.mut_args(|arg| if is_empty(&arg) { arg.env(None::<&'static str>) } else { arg })
}

/// Lets each command's help name the forms that its report has. The option is the same for all; what is global and already there
/// is not handed down.
fn naming_forms(command: Command) -> Command {
    let Some(output) = command.get_arguments().find(|arg| arg.get_id() == "output").cloned() else { return command };
    command.mut_subcommands(|command| {
        let values = OutputArg::of(command.get_name()).iter().filter_map(ValueEnum::to_possible_value);
        let names: Vec<String> = values.map(|value| value.get_name().to_owned()).collect();
        command.arg(output.clone().value_name(names.join("|")))
    })
}

fn speaking(command: Command, program: Program) -> Command {
    let after: Option<StyledStr> = command.get_after_help().map(|text| program.speak(&text.to_string()).into());
    let command = match after {
        Some(after) => command.after_help(after),
        None => command,
    };
    command.mut_subcommands(|command| speaking(command, program))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_says_who_was_called() {
        for plugin in ["kubectl-nsm", "/usr/local/bin/kubectl-nsm", "kubectl-nsm.exe"] {
            assert_eq!(Program::of(Some(OsStr::new(plugin))), Program::Plugin, "{plugin}");
        }
        for own in ["nsmctl", "./nsmctl", "nsm"] {
            assert_eq!(Program::of(Some(OsStr::new(own))), Program::Nsmctl, "{own}");
        }
        assert_eq!(Program::of(None), Program::Nsmctl);
    }

    #[test]
    fn who_types_a_pause_behind_a_space_is_told_where_it_belongs() {
        let said = |line: &[&str]| parse(Program::Nsmctl, line.iter().copied()).unwrap_err().to_string();
        assert!(said(&["nsmctl", "status", "--watch", "5s"]).contains("tip: the pause follows an equals sign: '--watch=5s'"));
        assert!(!said(&["nsmctl", "status", "5s", "--watch"]).contains("--watch=5s"));
    }

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
        // Wherever it stands, it is the one option.
        for line in [["nsmctl", "-o", "json", "status"], ["nsmctl", "status", "-o", "json"]] {
            assert_eq!(parse(Program::Nsmctl, line).unwrap().global.output, OutputArg::Json);
        }
        assert_eq!(parse(Program::Nsmctl, ["nsmctl", "status"]).unwrap().global.output, OutputArg::Table);
    }

    #[test]
    fn as_a_plugin_help_and_usage_are_of_kubectl_nsm() {
        let mut root = command(Program::Plugin);
        root.build();
        for sub in root.get_subcommands_mut().filter(|command| !command.is_hide_set() && command.get_name() != "help") {
            let name = sub.get_name().to_owned();
            let help = sub.render_help().to_string();
            assert!(help.contains(&format!("Usage: kubectl nsm {name}")), "{help}");
            assert!(help.contains(&format!("\n  kubectl nsm {name}")) && !help.contains(&format!("nsmctl {name}")), "{help}");
        }
        let usage = parse(Program::Plugin, ["kubectl-nsm", "verify", "--nothing"]).unwrap_err().to_string();
        assert!(usage.contains("Usage: kubectl nsm verify"), "{usage}");
        assert_eq!(
            Program::Plugin.speak("`nsmctl deploy` makes what nsmctl deployed, nsmctl"),
            "`kubectl nsm deploy` makes what nsmctl deployed, nsmctl"
        );
        assert_eq!(Program::Nsmctl.speak("nsmctl deploy"), "nsmctl deploy");
    }
}
