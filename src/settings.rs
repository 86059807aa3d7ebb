//! What the command line, the environment and the kubeconfig mean together, decided once.

use std::{path::PathBuf, time::Duration};

use crate::{
    cli::{Command, GlobalArgs, OutputArg, TargetArg},
    manifest::{Customisation, Document, ManifestError, default_namespace, embedded, plan, read, sources},
    model::{Failure, Plan, Result},
    report::Format,
    target::cluster::Access,
};

/// What a command works by.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Where to work.
    pub target: Choice,
    /// How to find a cluster.
    pub access: Access,
    /// The namespace that the person asked for.
    pub namespace: Option<String>,
    /// The manifests that the person named; `None` for the example.
    pub manifests: Option<PathBuf>,
    /// The time budget.
    pub timeout: Duration,
    /// The form of the report.
    pub format: Format,
}

/// Where to work, and who decided so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Choice {
    /// The cluster where there is one, else this machine.
    Auto,
    /// A cluster, because of this flag.
    Cluster(&'static str),
    /// This machine, because `--target` says so.
    Local,
}

/// A deploy pulls images and waits for pods; three minutes is what `kubectl wait` of the example's script was given.
const DEPLOY: Duration = Duration::from_secs(180);
/// A look takes a second; whoever waits half a minute for it has a cluster that does not answer.
const LOOK: Duration = Duration::from_secs(30);
/// A namespace goes when its last pod has, which may take its 30 seconds of grace.
const CLEANUP: Duration = Duration::from_secs(120);

impl Settings {
    /// Decides what was meant.
    ///
    /// # Errors
    /// The flags contradict each other, or name what cannot be.
    pub fn new(global: GlobalArgs, command: &Command) -> Result<Self> {
        let named = match (&global.kubeconfig, &global.context) {
            (Some(_), _) => Some("--kubeconfig"),
            (None, Some(_)) => Some("--context"),
            (None, None) => None,
        };
        let target = match (global.target, named) {
            (TargetArg::Local, Some(flag)) => {
                return Err(Failure::usage(format!("{flag} names a cluster, and --target says local")).hint("leave one of them out"));
            }
            (TargetArg::Local, None) => Choice::Local,
            (TargetArg::Auto, None) => Choice::Auto,
            (TargetArg::Auto, Some(flag)) => Choice::Cluster(flag),
            (TargetArg::Cluster, _) => Choice::Cluster("--target"),
        };
        if let Some(name) = &global.namespace {
            check_name(name)
                .map_err(|why| Failure::usage(format!("--namespace {name}: {why}")).hint("a namespace is a lower-case DNS label, as in my-demo"))?;
        }
        let default = match command {
            Command::Deploy(_) => DEPLOY,
            Command::Verify(_) | Command::Troubleshoot(_) | Command::Completions(_) | Command::Engine(_) => LOOK,
            Command::Cleanup(_) => CLEANUP,
        };
        Ok(Self {
            target,
            access: Access { kubeconfig: global.kubeconfig, context: global.context },
            namespace: global.namespace,
            manifests: global.manifests,
            timeout: global.timeout.unwrap_or(default),
            format: match global.output {
                OutputArg::Table => Format::Table,
                OutputArg::Json => Format::Json,
            },
        })
    }

    /// The manifests, read.
    ///
    /// # Errors
    /// They cannot be read, or are none. Takes as long as standard input does where that is named.
    pub fn documents(&self) -> Result<Vec<Document>> {
        let sources = match &self.manifests {
            None => embedded(),
            Some(path) => sources(path).map_err(|error| bad_manifest(&error))?,
        };
        read(&sources).map_err(|error| bad_manifest(&error))
    }

    /// What the manifests come to in the namespace that counts: `--namespace`, else the manifests' own, else `current`.
    ///
    /// # Errors
    /// They contradict themselves or the flags.
    pub fn plan(&self, documents: &[Document], current: &str) -> Result<Plan> {
        let customisation = Customisation { namespace: self.namespace.clone() };
        plan(documents, &customisation, current).map_err(|error| bad_manifest(&error))
    }

    /// A command on the same deployment, as it would be typed.
    #[must_use]
    pub fn command_line(&self, command: &str) -> String {
        self.flags().into_iter().fold(format!("nsmctl {command}"), |line, (flag, value)| format!("{line} {flag} {}", quoted(&value)))
    }

    /// Lets the commands in a hint be about the same deployment as this one.
    #[must_use]
    pub fn complete(&self, hint: &str) -> String {
        let mut hint = hint.to_owned();
        for command in ["deploy", "verify", "troubleshoot", "cleanup"] {
            let plain = format!("nsmctl {command}");
            let mut done = String::new();
            let mut rest = hint.as_str();
            while let Some(at) = rest.find(&plain) {
                let behind = &rest[at + plain.len()..];
                done.push_str(&rest[..at]);
                // What the hint says itself is not said again.
                let said = behind.split(['`', '#', '&', ';']).next().unwrap_or_default();
                let flags = self.flags().into_iter().filter(|(flag, _)| !said.split(' ').any(|word| word == *flag));
                done.push_str(&flags.fold(plain.clone(), |line, (flag, value)| format!("{line} {flag} {}", quoted(&value))));
                rest = behind;
            }
            done.push_str(rest);
            hint = done;
        }
        hint
    }

    /// The flags that say which deployment is meant.
    fn flags(&self) -> Vec<(&'static str, String)> {
        let path = |path: &PathBuf| path.display().to_string();
        let target = match self.target {
            Choice::Local => Some("local".to_owned()),
            Choice::Cluster("--target") => Some("cluster".to_owned()),
            Choice::Cluster(_) | Choice::Auto => None,
        };
        let all = [
            ("--target", target),
            ("--kubeconfig", self.access.kubeconfig.as_ref().map(path)),
            ("--context", self.access.context.clone()),
            ("--namespace", self.namespace.clone()),
            ("--manifests", self.manifests.as_ref().map(path)),
        ];
        all.into_iter().filter_map(|(flag, value)| Some((flag, value?))).collect()
    }

    /// The namespace, where it can be told without knowing the target.
    #[must_use]
    pub fn known_namespace<'a>(&'a self, documents: &'a [Document]) -> Option<&'a str> {
        self.namespace.as_deref().or_else(|| default_namespace(documents))
    }
}

/// A word as a POSIX shell takes it.
fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=@,+%".contains(c);
    if !word.is_empty() && word.chars().all(plain) { word.to_owned() } else { format!("'{}'", word.replace('\'', "'\\''")) }
}

fn bad_manifest(error: &ManifestError) -> Failure {
    let failure = Failure::usage(error);
    match error {
        ManifestError::Unreadable { .. } | ManifestError::Empty(_) => {
            failure.hint("name a file, a directory, or - for standard input with --manifests")
        }
        _ => failure.hint("correct the manifest; nothing was changed"),
    }
}

/// Whether a name can be a namespace (RFC 1123 label, as Kubernetes has it).
fn check_name(name: &str) -> Result<(), &'static str> {
    let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if name.is_empty() {
        Err("it is empty")
    } else if name.len() > 63 {
        Err("it is longer than 63 characters")
    } else if !name.chars().all(allowed) {
        Err("it may have lower-case letters, digits and - only")
    } else if name.starts_with('-') || name.ends_with('-') {
        Err("it must begin and end with a letter or digit")
    } else {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::cli::Cli;

    fn settings(arguments: &[&str]) -> Result<Settings> {
        let cli = Cli::try_parse_from([&["nsmctl"], arguments].concat()).unwrap();
        Settings::new(cli.global, &cli.command)
    }

    #[test]
    fn naming_a_cluster_is_choosing_one() {
        assert_eq!(settings(&["verify"]).unwrap().target, Choice::Auto);
        assert_eq!(settings(&["verify", "--context", "a"]).unwrap().target, Choice::Cluster("--context"));
        assert_eq!(settings(&["verify", "--target", "cluster"]).unwrap().target, Choice::Cluster("--target"));
        let failure = settings(&["verify", "--target", "local", "--kubeconfig", "x"]).unwrap_err();
        assert_eq!(failure.message(), "--kubeconfig names a cluster, and --target says local");
    }

    #[test]
    fn each_command_has_its_own_budget() {
        let seconds = |command| settings(&[command]).unwrap().timeout.as_secs();
        assert_eq!(["deploy", "verify", "troubleshoot", "cleanup"].map(seconds), [180, 30, 30, 120]);
        assert_eq!(settings(&["deploy", "--timeout", "1m"]).unwrap().timeout.as_secs(), 60);
    }

    #[test]
    fn hints_are_about_the_same_deployment() {
        let of = |arguments: &[&str]| settings(arguments).unwrap();
        assert_eq!(of(&["verify"]).complete("`nsmctl deploy` makes it"), "`nsmctl deploy` makes it");
        let mine = of(&["verify", "-f", "my service", "-n", "demo"]);
        assert_eq!(mine.complete("`nsmctl deploy` makes it"), "`nsmctl deploy --namespace demo --manifests 'my service'` makes it");
        assert_eq!(mine.complete("nsmctl deploy --namespace other"), "nsmctl deploy --manifests 'my service' --namespace other");
        assert_eq!(
            mine.complete("nsmctl cleanup && nsmctl deploy   # --namespace"),
            "nsmctl cleanup --namespace demo --manifests 'my service' && nsmctl deploy --namespace demo --manifests 'my service'   # --namespace"
        );
        let local = of(&["verify", "--target", "local"]);
        assert_eq!(local.complete("nsmctl deploy --target local   # x"), "nsmctl deploy --target local   # x");
        assert_eq!(of(&["verify", "--context", "it's"]).command_line("cleanup"), "nsmctl cleanup --context 'it'\\''s'");
    }

    #[test]
    fn a_namespace_that_cannot_be_is_refused() {
        assert!(settings(&["deploy", "-n", "demo-1"]).is_ok());
        for wrong in ["", "Demo", "a_b", "-a", "a-", &"a".repeat(64)] {
            let failure = settings(&["deploy", &format!("--namespace={wrong}")]).unwrap_err();
            assert_eq!(failure.outcome.code(), 2, "{wrong}");
        }
    }
}
