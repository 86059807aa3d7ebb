//! What an error of the command line says beside what clap says of it by itself.

use std::ffi::OsString;

use clap::{
    Arg, Command,
    error::{ContextKind, ContextValue},
};

use super::{OutputArg, program::Program};

/// Adds a tip to an error that has a reason of its own to be made.
pub(super) fn with_tip(mut error: clap::Error, program: Program, command: &Command, arguments: &[OsString]) -> clap::Error {
    let tip = pause_tip(&error, arguments).or_else(|| variable_tip(&error, command, arguments)).or_else(|| form_tip(&error));
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
