//! What holds for every command, in tables: for the help, the man pages, and the tests that hold these to the code.

/// The exit codes, and what each says.
pub const EXIT_CODES: [(&str, &str); 10] = [
    ("0", "All passed; warnings and skips included."),
    ("1", "Something failed."),
    ("2", "The command line or a manifest is wrong."),
    ("3", "It cannot be told: unreachable, forbidden, nothing found."),
    ("4", "Out of time: the budget of --timeout is used up."),
    ("70", "A defect of nsmctl."),
    ("125", "Of exec: the program could not be run, or how it ended is not known."),
    ("130", "Interrupted (SIGINT); what was found so far is reported."),
    ("143", "Terminated (SIGTERM); what was found so far is reported."),
    ("any", "Of exec: the program's own."),
];

/// The environment variables, and what each does. One that is empty counts as not set.
pub const ENVIRONMENT: [(&str, &str); 19] = [
    ("NSMCTL_TARGET", "Stands for --target."),
    ("NSMCTL_TIMEOUT", "Stands for --timeout."),
    ("NSMCTL_OUTPUT", "Stands for --output."),
    ("NSMCTL_SVID_TTL", "How long X.509 SVIDs are valid where this machine's engine is started without --svid-ttl; an hour, if it is not set."),
    ("SPIFFE_ENDPOINT_SOCKET", "The socket of a SPIRE agent that gives the identities on this machine, as unix:///PATH; when its engine is started."),
    ("NSMCTL_RUNTIME_DIR", "The directory of locks and of this machine's engine; see FILES."),
    ("KUBECONFIG", "The kubeconfigs, separated by colons, as for kubectl."),
    ("KUBERNETES_SERVICE_HOST, KUBERNETES_SERVICE_PORT", "In a pod: the API server, where there is no kubeconfig."),
    ("HTTPS_PROXY, HTTP_PROXY", "The proxy to the API server; proxy-url in the kubeconfig counts before it."),
    ("NO_PROXY", "The hosts that are reached without the proxy."),
    ("HOME", "Where .kube/config is looked for."),
    ("XDG_RUNTIME_DIR", "Where the runtime directory is made, for others than root."),
    ("NO_COLOR", "If set, nothing is coloured and nothing drawn over."),
    ("TERM", "If it is dumb, likewise."),
    ("CI", "If set, and not to false, there are no progress bars."),
    ("GITHUB_ACTIONS", "If it is true, what failed is also an annotation of the run on GitHub."),
    ("LC_ALL, LC_CTYPE, LANG", "The first that is set: where it is no UTF-8 locale, only ASCII is printed."),
    ("CLICOLOR, CLICOLOR_FORCE", "Colour in help and errors, as other programs heed them."),
    ("PATH", "Where programs are looked for: those of exec on this machine, and the kubeconfig's credential plugins."),
];

/// The files, and what each is.
pub const FILES: [(&str, &str); 6] = [
    ("~/.kube/config", "The kubeconfig, where neither --kubeconfig nor KUBECONFIG names one."),
    ("/var/run/secrets/kubernetes.io/serviceaccount", "In a pod: the service account that is used where there is no kubeconfig."),
    (
        "/run/nsmctl, $XDG_RUNTIME_DIR/nsmctl, /tmp/nsmctl-UID",
        "The runtime directory: the first for root, the second for others where XDG_RUNTIME_DIR is set, else the third. It is made when it is \
         needed and goes with what is in it.",
    ),
    ("NAME.lock, in the runtime directory", "The lock of a deployment that is being changed, with the process that holds it."),
    ("engine/engine.sock, engine/engine.lock", "Likewise: the socket and the lock of this machine's engine."),
    ("engine/engine.log", "Likewise: its log, which nsmctl logs shows."),
];

#[cfg(test)]
mod tests {
    use std::{collections::BTreeSet, fs, path::Path};

    use super::*;
    use crate::model::Outcome;

    fn sources(dir: &Path) -> Vec<String> {
        let entries = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
        entries.flat_map(|path| if path.is_dir() { sources(&path) } else { vec![fs::read_to_string(path).unwrap()] }).collect()
    }

    /// The variables that are read: what stands between quotes where one is read or named.
    fn read_by_the_code() -> BTreeSet<String> {
        let reads = ["env::var_os(\"", "env::var(\"", "set(\"", "env = \"", "VARIABLE: &str = \""];
        let texts = sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"));
        let code: Vec<&str> = texts.iter().map(|text| text.split("#[cfg(test)]\nmod").next().unwrap()).collect();
        let names = |read: &'static str| code.iter().flat_map(move |code| code.split(read).skip(1).filter_map(|rest| rest.split('"').next()));
        let is_name = |word: &&str| word.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_');
        reads.into_iter().flat_map(names).filter(is_name).map(str::to_owned).collect()
    }

    #[test]
    fn every_variable_that_is_read_is_documented() {
        let read = read_by_the_code();
        for known in ["NSMCTL_TARGET", "NSMCTL_RUNTIME_DIR", "KUBECONFIG", "NO_COLOR", "LC_ALL", "CI", "GITHUB_ACTIONS"] {
            assert!(read.contains(known), "the test does not see {known}: {read:?}");
        }
        let documented: BTreeSet<&str> = ENVIRONMENT.iter().flat_map(|(names, _)| names.split(", ")).collect();
        let missing: Vec<&String> = read.iter().filter(|name| !documented.contains(name.as_str())).collect();
        assert!(missing.is_empty(), "{missing:?}");
    }

    #[test]
    fn every_exit_code_is_documented_here_and_in_the_readme() {
        // A new outcome is a line here, because the match would not be whole without it.
        let code = |outcome: Outcome| match outcome {
            Outcome::Ended(_) => "any".to_owned(),
            Outcome::Passed
            | Outcome::CannotTell
            | Outcome::TimedOut
            | Outcome::Failed
            | Outcome::NotRun
            | Outcome::Usage
            | Outcome::Defect
            | Outcome::Interrupted
            | Outcome::Terminated => outcome.code().to_string(),
        };
        let outcomes = [
            Outcome::Passed,
            Outcome::Ended(9),
            Outcome::CannotTell,
            Outcome::TimedOut,
            Outcome::Failed,
            Outcome::NotRun,
            Outcome::Usage,
            Outcome::Defect,
            Outcome::Interrupted,
            Outcome::Terminated,
        ];
        let codes: BTreeSet<String> = outcomes.into_iter().map(code).collect();
        assert_eq!(codes, EXIT_CODES.iter().map(|(code, _)| (*code).to_owned()).collect());
        let readme = include_str!("../../README.md");
        let table = readme.split("| code | |").nth(1).and_then(|rest| rest.split("\n\n").next()).unwrap();
        for code in codes {
            assert!(table.split(|c: char| !c.is_ascii_alphanumeric()).any(|word| word == code), "README: {code}");
        }
    }
}
