//! What `--bundle` and `--from` mean together with the rest.

use std::path::Path;

use crate::{
    cli::{Command, GlobalArgs, TargetArg, TroubleshootArgs},
    model::{Failure, Result},
    report::check_writable,
};

/// Sees that a bundle can be written before anything is looked at, and that nothing else is asked of one that is read.
pub(super) fn check(global: &GlobalArgs, command: &Command) -> Result<()> {
    let Command::Troubleshoot(TroubleshootArgs { bundle, from, .. }) = command else { return Ok(()) };
    if from.is_some() {
        alone(global)?;
    }
    let Some(path) = bundle else { return Ok(()) };
    if path == Path::new("-") {
        let failure = Failure::usage("--bundle takes a file, and - is none");
        return Err(failure.hint("name a file, as in nsm.tgz, and look through it before it goes anywhere"));
    }
    check_writable(path).map_err(|error| Failure::usage(format!("--bundle {} cannot be written: {error}", path.display())).hint(error.hint()))
}

fn alone(global: &GlobalArgs) -> Result<()> {
    // What stands in the environment is meant for the other commands.
    let is_typed = global.target != TargetArg::Auto && std::env::var_os("NSMCTL_TARGET").is_none_or(|value| value.is_empty());
    let flags = [
        ("--target", is_typed),
        ("--context", global.context.is_some()),
        ("--kubeconfig", global.kubeconfig.is_some()),
        ("--namespace", global.namespace.is_some()),
        ("--manifests", global.manifests.is_some()),
    ];
    match flags.iter().find(|(_, is_given)| *is_given) {
        Some((flag, _)) => {
            Err(Failure::usage(format!("{flag} says where to look, and --from looks at nothing but the bundle")).hint("leave one of them out"))
        }
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::cli::Cli;

    #[test]
    fn a_bundle_is_judged_alone() {
        let refused = |arguments: &[&str]| {
            let cli = Cli::try_parse_from([&["nsmctl"], arguments].concat()).unwrap();
            check(&cli.global, &cli.command).unwrap_err().message()
        };
        for flag in ["--target=local", "--context=a", "--kubeconfig=a", "--namespace=a", "--manifests=a"] {
            let name = flag.split('=').next().unwrap();
            let expected = format!("{name} says where to look, and --from looks at nothing but the bundle");
            assert_eq!(refused(&["troubleshoot", "--from", "a", flag]), expected);
            assert_eq!(refused(&[flag, "troubleshoot", "--from", "a"]), expected);
        }
        for flag in
            ["--bundle=b", "-A", "--client=a", "-lapp=a", "--cidr=10.0.0.0/8", "--clients=2", "--cross-node", "--name-prefix=a", "--image=a=b"]
        {
            assert!(Cli::try_parse_from(["nsmctl", "troubleshoot", "--from", "a", flag]).is_err(), "{flag}");
        }
        assert_eq!(refused(&["troubleshoot", "--bundle", "-"]), "--bundle takes a file, and - is none");
        let message = "--bundle /nowhere/a cannot be written: the directory /nowhere does not exist";
        assert_eq!(refused(&["troubleshoot", "--bundle", "/nowhere/a"]), message);
    }
}
