//! Under which name nsmctl was started, and the command line that goes with it.

use std::{
    ffi::{OsStr, OsString},
    path::Path,
};

use clap::{Arg, Command, CommandFactory, FromArgMatches, builder::StyledStr};

use super::{
    Cli,
    customise::without_idle,
    output::{self, with_forms},
    tips::with_tip,
};

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
    let command = without_idle(with_forms(heeding_no_empty_variable(Cli::command()))).bin_name(program.name());
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
    let matches = command.try_get_matches_from_mut(&arguments).and_then(|matches| output::check(&command, &matches).map(|()| matches));
    let matches = matches.map_err(|error| with_tip(error, program, &command, &arguments))?;
    Cli::from_arg_matches(&matches).map_err(|error| error.format(&mut command))
}

/// A variable that is set to nothing is as good as unset, as with every other of the program's.
fn heeding_no_empty_variable(command: Command) -> Command {
    let is_empty = |arg: &Arg| arg.get_env().is_some_and(|name| std::env::var_os(name).is_some_and(|value| value.is_empty()));
    command.mut_args(|arg| if is_empty(&arg) { arg.env(None::<&'static str>) } else { arg })
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
