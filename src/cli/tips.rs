//! What an error of the command line says beside what clap says of it by itself.

use std::ffi::OsString;

use clap::{
    Arg, Command,
    error::{ContextKind, ContextValue, ErrorKind},
};

use super::{OutputArg, program::Program};

/// Adds a tip to an error that has a reason of its own to be made.
pub(super) fn with_tip(mut error: clap::Error, program: Program, command: &Command, arguments: &[OsString]) -> clap::Error {
    show_no_hidden(&mut error, meant(command, arguments));
    let tip = pause_tip(&error, arguments)
        .or_else(|| variable_tip(&error, command, arguments))
        .or_else(|| form_tip(&error))
        .or_else(|| program_tip(&error, command, arguments));
    if let Some(tip) = tip {
        // A name that is similar by chance is not what was meant.
        error.remove(ContextKind::SuggestedValue);
        error.insert(ContextKind::Suggested, ContextValue::StyledStrs(vec![program.speak(&tip).into()]));
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

/// Which command has the form that this one has not.
fn form_tip(error: &clap::Error) -> Option<String> {
    let (option, value) = (said(error, ContextKind::InvalidArg)?, said(error, ContextKind::InvalidValue)?);
    option.starts_with("--output ").then(|| OutputArg::elsewhere(value))?
}

/// Where the program begins that is to be run, of whoever has typed it without the two dashes.
fn program_tip(error: &clap::Error, command: &Command, arguments: &[OsString]) -> Option<String> {
    let is_exec = meant(command, arguments).get_name() == "exec" && !arguments.iter().any(|argument| argument == "--");
    // An option that is similar to one that there is was meant as an option.
    let is_left_out = match error.kind() {
        ErrorKind::UnknownArgument => error.get(ContextKind::SuggestedArg).is_none(),
        kind => kind == ErrorKind::MissingRequiredArgument,
    };
    (is_exec && is_left_out).then(|| "put -- before the program: 'nsmctl exec -- ip addr', or 'nsmctl exec CLIENT -- ip addr'".to_owned())
}

/// The command that was typed, as far as it is one.
fn meant<'a>(command: &'a Command, arguments: &[OsString]) -> &'a Command {
    let words = arguments.iter().skip(1).take_while(|word| *word != "--");
    words.fold(command, |command, word| command.find_subcommand(word).unwrap_or(command))
}

/// Takes the commands that nsmctl starts itself by out of what is similar to a word.
fn show_no_hidden(error: &mut clap::Error, command: &Command) {
    let Some(ContextValue::Strings(similar)) = error.remove(ContextKind::SuggestedSubcommand) else { return };
    let is_shown = |name: &String| command.find_subcommand(name).is_none_or(|command| !command.is_hide_set());
    let shown: Vec<String> = similar.into_iter().filter(is_shown).collect();
    if shown.is_empty() {
        // What else was suggested is said because of these.
        error.remove(ContextKind::Suggested);
    } else {
        error.insert(ContextKind::SuggestedSubcommand, ContextValue::Strings(shown));
    }
}

/// What an error says of this kind.
fn said(error: &clap::Error, kind: ContextKind) -> Option<&str> {
    match error.get(kind) {
        Some(ContextValue::String(text)) => Some(text),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use crate::cli::{Program, parse};

    fn complaint(line: &[&str]) -> String {
        parse(Program::Nsmctl, line.iter().copied()).unwrap_err().to_string()
    }

    #[test]
    fn who_types_a_pause_behind_a_space_is_told_where_it_belongs() {
        assert!(complaint(&["nsmctl", "status", "--watch", "5s"]).contains("tip: the pause follows an equals sign: '--watch=5s'"));
        assert!(!complaint(&["nsmctl", "status", "5s", "--watch"]).contains("--watch=5s"));
    }

    #[test]
    fn who_types_a_program_without_dashes_is_told_where_it_begins() {
        let tip = "tip: put -- before the program: 'nsmctl exec -- ip addr'";
        for line in ["nsmctl exec ip addr", "nsmctl exec alpine ip addr", "nsmctl -n demo exec ip -4 addr", "nsmctl exec ip"] {
            let text = complaint(&line.split(' ').collect::<Vec<_>>());
            assert!(text.contains(tip) && text.matches("tip: ").count() == 1, "{line}: {text}");
        }
        for line in ["nsmctl exec --stdn -- ip", "nsmctl exec --stdn ip", "nsmctl verify ip addr"] {
            let text = complaint(&line.split(' ').collect::<Vec<_>>());
            assert!(!text.contains("put --"), "{line}: {text}");
        }
    }

    #[test]
    fn a_word_that_is_similar_to_a_command_is_told_of_none_that_is_hidden() {
        let text = complaint(&["nsmctl", "engine", "restrt"]);
        assert!(text.contains("tip: a similar subcommand exists: 'restart'\n"), "{text}");
        let text = complaint(&["nsmctl", "engine", "probee"]);
        assert!(!text.contains("'probe'") && text.contains("'probee'\n\nUsage"), "{text}");
        assert!(complaint(&["nsmctl", "verfy"]).contains("'verify'"));
    }

    #[test]
    fn who_wants_a_form_that_another_command_has_is_told_which_has_it() {
        for (form, command) in [("dot", "status --topology"), ("mermaid", "status --topology"), ("prometheus", "metrics"), ("junit", "verify")] {
            let line = format!("nsmctl {command} -o {form}");
            let text = complaint(&["nsmctl", "cleanup", "-o", form]);
            assert!(text.contains(&format!("tip: '{line}'")) && text.matches("tip: ").count() == 1, "{text}");
            assert!(parse(Program::Nsmctl, line.split(' ')).is_ok(), "{line}");
            let text = parse(Program::Plugin, ["kubectl-nsm", "cleanup", "-o", form]).unwrap_err().to_string();
            assert!(text.contains(&format!("tip: 'kubectl nsm {command} -o {form}'")), "{text}");
        }
        assert!(!complaint(&["nsmctl", "manifests", "-o", "short"]).contains("tip: "));
    }
}
