//! What holds for every command, in tables: for the help, the man pages, and the tests that hold these to the code.

/// The exit codes, and what each says.
pub const EXIT_CODES: [(&str, &str); 10] = [
    ("0", "All passed; warnings and skips included."),
    ("1", "Something failed."),
    ("2", "The command line or a manifest is wrong."),
    ("3", "It cannot be told: unreachable, forbidden, nothing found."),
    ("4", "Out of time: the budget of --timeout is used up."),
    ("70", "A defect of nsmctl."),
    ("125", "Of exec: nsmctl failed, or how the program ended is not known; 126 and 127 are a shell's: it cannot be run, it is not there."),
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
    ("KUBECONFIG", "The kubeconfigs, separated by colons (on Windows by semicolons), as for kubectl."),
    ("KUBERNETES_SERVICE_HOST, KUBERNETES_SERVICE_PORT", "In a pod: the API server, where there is no kubeconfig."),
    ("HTTPS_PROXY, HTTP_PROXY", "The proxy to the API server; proxy-url in the kubeconfig takes precedence."),
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
pub const FILES: [(&str, &str); 12] = [
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
    ("engine/nsm/nsm.io.sock", "Likewise: the socket of Network Service Mesh's API."),
    ("engine/spire/agent.sock", "Likewise: the socket of the SPIFFE Workload API."),
    ("engine/nse, engine/nse/nse.sock", "Likewise, for a moment: the socket of an endpoint of the engine's own, which then has no name any more."),
    (
        "/var/lib/networkservicemesh, /run/spire/sockets",
        "In the sandbox of a --program: engine/nsm and engine/spire, whatever is there outside of it.",
    ),
    ("/etc/resolv.conf", "In such a sandbox: a copy of this machine's, which the program may change."),
    (".nsmctl-*", "Beside a file that is asked for, as by --junit or --bundle: what is written, until it is whole and takes its name."),
];

#[cfg(test)]
mod tests {
    use std::{
        collections::BTreeSet,
        fs,
        path::{Path, PathBuf},
    };

    use super::*;
    use crate::model::Outcome;

    /// The texts of the files, but for tests and this one.
    fn sources(dir: &Path) -> Vec<String> {
        let is_code =
            |path: &PathBuf| !["tests", "tests.rs", "fixture.rs", "cli/reference.rs"].iter().any(|end| path.to_string_lossy().ends_with(end));
        let entries = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()).filter(is_code);
        entries.flat_map(|path| if path.is_dir() { sources(&path) } else { vec![fs::read_to_string(path).unwrap()] }).collect()
    }

    /// What is compiled into the program.
    fn code() -> Vec<String> {
        let texts = sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"));
        texts.iter().map(|text| text.split("#[cfg(test)]\nmod").next().unwrap().to_owned()).collect()
    }

    /// The variables that are read: what stands between quotes where one is read or named.
    fn read_by_the_code() -> BTreeSet<String> {
        let reads = ["env::var_os(\"", "env::var(\"", "set(\"", "env = \"", "VARIABLE: &str = \""];
        let code = code();
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
    fn the_help_names_every_variable_of_nsmctls_own() {
        let mut root = crate::cli::command(crate::cli::Program::Nsmctl);
        for help in [root.render_help().to_string(), root.render_long_help().to_string()] {
            let block = help.split("\nEnvironment:\n").nth(1).unwrap();
            for (name, _) in ENVIRONMENT.iter().filter(|(name, _)| name.starts_with("NSMCTL_")) {
                assert!(block.contains(&format!("  {name} ")), "{name}: {help}");
            }
        }
    }

    /// The files that are named: between quotes, from the root of a file system that is on a disk, of the home directory, or
    /// with the ending of a program's own files. What is in /proc and /sys is the kernel's.
    fn named_by_the_code() -> BTreeSet<String> {
        let begins = ["/run/", "/tmp/", "/var/", "/etc/", "/usr/", "/opt/", "/srv/", "/home/", "/root/"];
        let ends = [".sock", ".lock", ".log", ".conf", ".pid", ".socket", ".state"];
        let is_file = |word: &str| {
            let is_hidden = word.starts_with('.') && !word.starts_with("..") && word.ends_with(|c: char| c == '-' || c.is_alphanumeric());
            let is_own = is_hidden && (word.contains('/') || word.ends_with('-'));
            let is_one = !word.contains([' ', ':', '\\', '(']);
            is_one && (is_own || begins.iter().any(|begin| word.starts_with(begin)) || ends.iter().any(|end| word.ends_with(end)))
        };
        let code = code();
        let lines = code.iter().flat_map(|code| code.lines()).filter(|line| !line.trim_start().starts_with("//"));
        lines.flat_map(|line| line.split('"').skip(1)).filter(|word| is_file(word)).map(str::to_owned).collect()
    }

    #[test]
    fn every_file_that_is_named_is_documented() {
        let named = named_by_the_code();
        for known in ["/run/nsmctl", "/tmp/nsmctl-{user}", ".kube/config", "engine.sock", "engine.lock", "engine.log", "/etc/resolv.conf", ".nsmctl-"]
        {
            assert!(named.contains(known), "the test does not see {known}: {named:?}");
        }
        // The longest part that is not filled in while it runs.
        let fixed = |name: &str| name.split(['{', '}']).step_by(2).max_by_key(|part| part.len()).unwrap_or_default().to_owned();
        let is_documented = |name: &String| FILES.iter().any(|(names, _)| names.contains(&fixed(name)));
        let missing: Vec<&String> = named.iter().filter(|name| !is_documented(name)).collect();
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
