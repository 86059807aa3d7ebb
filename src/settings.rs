//! What the command line, the environment and the kubeconfig mean together, decided once.

mod bundle;
mod output;
mod programs;

use std::{fmt::Display, path::PathBuf, time::Duration};

use crate::{
    check::Selection,
    cli::{Command, CustomiseArgs, GlobalArgs, PayloadArg, TargetArg, TypedDuration},
    manifest::{Customisation, Document, ManifestError, embedded, plan, read, sources},
    model::{Failure, Payload, Plan, PrefixGroups, Result, check_dns_label, check_svid_ttl},
    target::cluster::Access,
};

pub use output::Output;

/// What a command works by.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Where to work.
    pub target: Choice,
    /// How to find a cluster.
    pub access: Access,
    /// What the person asked to be different from the manifests, the namespace included.
    pub customisation: Customisation,
    /// The manifests that the person named; `None` for the example.
    pub manifests: Option<PathBuf>,
    /// How long X.509 SVIDs are to be valid on this machine.
    pub svid_ttl: Option<TypedDuration>,
    /// The time budget.
    pub timeout: Duration,
    /// The forms of the report, and where each goes.
    pub output: Output,
    /// Which checks count.
    pub selection: Selection,
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
/// What ends by itself, or when the person has seen enough.
const ENDLESS: Duration = Duration::MAX;

impl Settings {
    /// Decides what was meant.
    ///
    /// # Errors
    /// The flags contradict each other, or name what cannot be.
    pub fn new(global: GlobalArgs, command: &Command) -> Result<Self> {
        bundle::check(&global, command)?;
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
            check_dns_label(name)
                .map_err(|why| Failure::usage(format!("--namespace {name}: {why}")).hint("a namespace is a lower-case DNS label, as in my-demo"))?;
        }
        let default = match command {
            watching if watching.is_watching() => ENDLESS,
            Command::Deploy(_) => DEPLOY,
            // A pod's grace, its replacement, and NSM's own time to notice.
            Command::Verify(arguments) if arguments.heal => DEPLOY,
            Command::Verify(arguments) => LOOK + arguments.look.interval * arguments.look.count,
            Command::Exec(_) => ENDLESS,
            Command::Metrics(_) | Command::Status(_) | Command::Logs(_) | Command::Troubleshoot(_) | Command::Explain(_) => LOOK,
            Command::Manifests(_) | Command::Completions(_) | Command::Man(_) | Command::Version(_) | Command::Engine(_) => LOOK,
            Command::Cleanup(_) => CLEANUP,
        };
        let asked = command.customise().map(customisation).transpose()?.unwrap_or_default();
        let asked = match command {
            // What is to be removed is told by its label. A manifest that could not be deployed so does not keep it from going.
            Command::Cleanup(_) => Customisation { name_prefix: asked.name_prefix, ..Customisation::default() },
            Command::Deploy(arguments) => Customisation { programs: programs::programs(&arguments.programs, target)?, ..asked },
            _ => asked,
        };
        Ok(Self {
            target,
            access: Access { kubeconfig: global.kubeconfig, context: global.context },
            customisation: Customisation { namespace: global.namespace, ..asked },
            manifests: global.manifests,
            svid_ttl: svid_ttl(command, target)?,
            timeout: global.timeout.unwrap_or(default),
            output: Output::new(global.output, command)?,
            selection: output::selection(command)?,
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
        plan(documents, &self.customisation, current).map_err(|error| bad_manifest(&error))
    }

    /// These settings for what was deployed with options of its own, as [`Customisation::options`] writes them. What the person says
    /// counts before what is remembered; where that adds nothing: `None`.
    ///
    /// # Errors
    /// This version does not know what is remembered, and the person says nothing.
    pub fn as_deployed(&self, options: &str) -> Result<Option<Self>> {
        let remembered = CustomiseArgs::remembered(options).and_then(|read| customisation(&read).map_err(|failure| failure.message()));
        let remembered = match remembered {
            Ok(remembered) => remembered,
            Err(_) if self.customisation.options().is_some() => return Ok(None),
            Err(why) => {
                let message = format!("the deployment was made with {options:?}, which this version of nsmctl does not know: {why}");
                return Err(
                    Failure::cannot_tell(message).hint("use the nsmctl that deployed it, or say by flags what is different from the manifests")
                );
            }
        };
        let customisation = self.customisation.clone().over(remembered);
        Ok((customisation != self.customisation).then(|| Self { customisation, ..self.clone() }))
    }

    /// These settings as far as they say which deployment is meant.
    #[must_use]
    pub fn name_only(&self) -> Self {
        Self { customisation: self.customisation.name_only(), ..self.clone() }
    }

    /// A command on the same deployment, as it would be typed.
    #[must_use]
    pub fn command_line(&self, command: &str) -> String {
        self.flags(command).into_iter().fold(format!("nsmctl {command}"), with_flag)
    }

    /// Lets the commands in a hint be about the same deployment as this one.
    #[must_use]
    pub fn complete(&self, hint: &str) -> String {
        let mut hint = hint.to_owned();
        for command in ["deploy", "verify", "status", "troubleshoot", "cleanup", "exec", "logs"] {
            let plain = format!("nsmctl {command}");
            let mut done = String::new();
            let mut rest = hint.as_str();
            while let Some(at) = rest.find(&plain) {
                let behind = &rest[at + plain.len()..];
                done.push_str(&rest[..at]);
                // What the hint says itself is not said again.
                let said = behind.split(['`', '#', '&', ';']).next().unwrap_or_default();
                let flags = self.flags(command).into_iter().filter(|(flag, _)| !said.split(' ').any(|word| word == *flag));
                done.push_str(&flags.fold(plain.clone(), with_flag));
                rest = behind;
            }
            done.push_str(rest);
            hint = done;
        }
        hint
    }

    /// The flags that say which deployment is meant, and to deploy how it is to be: whoever looks at it reads that off.
    fn flags(&self, command: &str) -> Vec<(&'static str, Option<String>)> {
        let path = |path: &PathBuf| path.display().to_string();
        let asked = &self.customisation;
        let target = match self.target {
            Choice::Local => Some("local".to_owned()),
            Choice::Cluster("--target") => Some("cluster".to_owned()),
            Choice::Cluster(_) | Choice::Auto => None,
        };
        let all = [
            ("--target", target),
            ("--kubeconfig", self.access.kubeconfig.as_ref().map(path)),
            ("--context", self.access.context.clone()),
            ("--namespace", asked.namespace.clone()),
            ("--manifests", self.manifests.as_ref().map(path)),
            ("--name-prefix", asked.name_prefix.clone()),
        ];
        let mut flags: Vec<(&'static str, Option<String>)> = all.into_iter().filter_map(|(flag, value)| Some((flag, Some(value?)))).collect();
        if command == "deploy" {
            flags.extend(asked.flags());
        }
        flags
    }

    /// The namespace, where it can be told without knowing the target.
    #[must_use]
    pub fn known_namespace(&self, documents: &[Document]) -> Option<String> {
        self.customisation.namespace_of(documents)
    }
}

/// What the flags ask to be different, each one sound by itself.
fn customisation(arguments: &CustomiseArgs) -> Result<Customisation> {
    let CustomiseArgs { cidr, clients, cross_node, payload, name_prefix, image_registry, images } = arguments;
    let cidr = cidr.as_deref().map(|text| match text.parse::<PrefixGroups>() {
        Ok(prefixes) if !prefixes.groups().is_empty() => Ok(prefixes),
        Ok(_) => Err(wrong("--cidr", "it is empty", "say it as in 10.0.0.0/29")),
        Err(error) => Err(wrong("--cidr", error, "say it as in 10.0.0.0/29, or 10.0.0.0/29,2001:db8::/125 for two families")),
    });
    let prefix = name_prefix.as_deref().map(|prefix| -> Result<String> {
        // What follows is the rest of a name, so that the prefix may end in a dash.
        let fits = check_dns_label(&format!("{prefix}x")).and(if prefix.is_empty() { Err("it is empty") } else { Ok(()) });
        fits.map_err(|why| wrong(&format!("--name-prefix {prefix}"), why, "a prefix is the beginning of a name, as in blue-"))?;
        Ok(prefix.to_owned())
    });
    let registry = image_registry.as_deref().map(|registry| -> Result<String> {
        check_registry(registry)
            .map_err(|why| wrong(&format!("--image-registry {registry}"), why, "say it as in mirror.example.com/nsm or localhost:5000"))?;
        Ok(registry.to_owned())
    });
    let image = |text: &String| match text.split_once('=') {
        Some((container, image)) if !container.is_empty() && !image.is_empty() && !image.contains(char::is_whitespace) => {
            Ok((container.to_owned(), image.to_owned()))
        }
        _ => Err(wrong(&format!("--image {text}"), "it is no container and image", "say it as in --image nse=mirror.example.com/nse:v1")),
    };
    Ok(Customisation {
        namespace: None,
        cidr: cidr.transpose()?,
        clients: *clients,
        cross_node: *cross_node,
        payload: payload.map(|payload| match payload {
            PayloadArg::Ethernet => Payload::Ethernet,
            PayloadArg::Ip => Payload::Ip,
        }),
        name_prefix: prefix.transpose()?,
        image_registry: registry.transpose()?,
        images: images.iter().map(image).collect::<Result<_>>()?,
        programs: Vec::new(),
    })
}

/// `--svid-ttl`, where it can be.
fn svid_ttl(command: &Command, target: Choice) -> Result<Option<TypedDuration>> {
    let Command::Deploy(arguments) = command else { return Ok(None) };
    let Some(ttl) = &arguments.svid_ttl else { return Ok(None) };
    let flag = format!("--svid-ttl {ttl}");
    if let Choice::Cluster(by) = target {
        return Err(on_a_cluster(&flag, &format!("{by} names a cluster")));
    }
    check_svid_ttl(ttl.duration).map(|_| Some(ttl.clone())).map_err(|why| wrong(&flag, why, "say it as in 10m"))
}

/// That a cluster's SVIDs are not ours; `why` is how we know that it is one.
pub fn on_a_cluster(flag: &str, why: &str) -> Failure {
    let message = format!("{why}, and SPIRE there says how long SVIDs are valid");
    wrong(flag, message, "leave it out, or use this machine with --target local; on a cluster it is the SPIRE server's default_x509_svid_ttl")
}

fn wrong(flag: &str, why: impl Display, hint: &str) -> Failure {
    Failure::usage(format!("{flag}: {why}")).hint(hint)
}

/// Whether images can be named after a registry: a host, which has a dot or a port or is `localhost`, and a path.
fn check_registry(registry: &str) -> Result<(), &'static str> {
    let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "-._:/".contains(c);
    let host = registry.split('/').next().unwrap_or_default();
    if registry.contains("://") {
        Err("a registry is named without https://")
    } else if registry.split('/').any(str::is_empty) {
        Err("a part of it is empty")
    } else if !registry.chars().all(allowed) {
        Err("it may have lower-case letters, digits and -._:/ only")
    } else if !host.contains(['.', ':']) && host != "localhost" {
        Err("its first part is no host: it has neither a dot nor a port")
    } else {
        Ok(())
    }
}

fn with_flag(mut line: String, (flag, value): (&str, Option<String>)) -> String {
    for word in [Some(flag.to_owned()), value.as_deref().map(quoted)].into_iter().flatten() {
        line.push(' ');
        line.push_str(&word);
    }
    line
}

/// A word as a POSIX shell takes it.
fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=@,+%".contains(c);
    if !word.is_empty() && word.chars().all(plain) { word.to_owned() } else { format!("'{}'", word.replace('\'', "'\\''")) }
}

fn bad_manifest(error: &ManifestError) -> Failure {
    let failure = Failure::usage(error);
    match error {
        ManifestError::Unreadable { .. } | ManifestError::Empty(_) | ManifestError::TooMuch(_) => {
            failure.hint("name a file, a directory, or - for standard input with --manifests")
        }
        ManifestError::Customisation { hint, .. } => failure.hint(hint),
        _ => failure.hint("correct the manifest; nothing was changed"),
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
        assert_eq!([settings(&["exec", "--", "ip"]), settings(&["logs", "-f"])].map(|settings| settings.unwrap().timeout), [ENDLESS; 2]);
        assert_eq!(seconds("logs"), 30);
        assert_eq!(settings(&["deploy", "--timeout", "1m"]).unwrap().timeout.as_secs(), 60);
    }

    #[test]
    fn each_budget_is_in_the_help_and_in_the_readme() {
        let help = |command: &str| {
            let mut root = crate::cli::command(crate::cli::Program::Nsmctl);
            root.build();
            root.find_subcommand_mut(command).unwrap().render_help().to_string().split_whitespace().collect::<Vec<_>>().join(" ")
        };
        let looks = "verify, status, metrics, troubleshoot and logs 30s";
        let endless = "none for exec, `logs --follow` and `--watch`";
        let budgets: [(&[&str], &str, &str); 12] = [
            (&["deploy"], "3 minutes", "deploy and `verify --heal` 3m"),
            (&["cleanup"], "2 minutes", "cleanup 2m"),
            (&["status"], "30 seconds", looks),
            (&["status", "--watch"], "none with --watch", endless),
            (&["metrics"], "30 seconds", looks),
            (&["metrics", "--watch"], "none with --watch", endless),
            (&["verify"], "30 seconds", looks),
            (&["verify", "--heal"], "3 minutes with --heal", "deploy and `verify --heal` 3m"),
            (&["verify", "--watch"], "none with --watch", endless),
            (&["troubleshoot"], "30 seconds", looks),
            (&["logs"], "30 seconds", looks),
            (&["logs", "--follow"], "none with --follow", endless),
        ];
        let exec: (&[&str], &str, &str) = (&["exec", "--", "ip"], "no time budget", endless);
        let readme = include_str!("../README.md").split_whitespace().collect::<Vec<_>>().join(" ");
        for (typed, words, there) in budgets.into_iter().chain([exec]) {
            assert!(help(typed[0]).contains(words), "{typed:?}: {}", help(typed[0]));
            assert!(readme.contains(there), "README: {typed:?}");
            // The words are of the number.
            let number: String = words.chars().filter(char::is_ascii_digit).collect();
            let unit = if words.contains("minutes") { 60 } else { 1 };
            let budget = settings(typed).unwrap().timeout;
            assert!(number.parse::<u64>().map_or(budget == ENDLESS, |number| number * unit == budget.as_secs()), "{typed:?}: {budget:?}");
        }
        // The others ask nobody, and what is new is either here or above.
        let others = ["explain", "manifests", "completions", "man", "version", "engine", "help"];
        let root = crate::cli::command(crate::cli::Program::Nsmctl);
        for command in root.get_subcommands().filter(|command| !command.is_hide_set()).map(clap::Command::get_name) {
            let is_said = budgets.iter().chain([&exec]).any(|(typed, ..)| typed[0] == command);
            assert!(is_said != others.contains(&command), "{command}");
        }
    }

    #[test]
    fn logs_have_the_short_form_of_follow_and_manifests_by_its_long_one() {
        let settings = |arguments: &[&str]| settings(arguments).unwrap();
        assert_eq!(settings(&["logs", "-f", "--manifests", "a"]).manifests, Some(PathBuf::from("a")));
        assert_eq!(settings(&["--manifests", "a", "logs", "-f"]).manifests, Some(PathBuf::from("a")));
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

    #[test]
    fn the_flags_come_to_one_customisation() {
        let flags = "--cidr [10.0.0.0/31,10.0.1.0/31],2001:db8::/64 --clients 3 --cross-node --payload ip --name-prefix blue- --image-registry localhost:5000/a \
                     --image nse=x:1 --image alpine=y@sha256:0=1 -n demo";
        for command in ["deploy", "verify", "troubleshoot", "manifests", "manifests images"] {
            let line: Vec<&str> = command.split(' ').chain(flags.split_whitespace()).collect();
            let asked = settings(&line).unwrap().customisation;
            let expected = Customisation {
                namespace: Some("demo".into()),
                cidr: Some("[10.0.0.0/31,10.0.1.0/31],2001:db8::/64".parse().unwrap()),
                clients: Some(3),
                cross_node: true,
                payload: Some(Payload::Ip),
                name_prefix: Some("blue-".into()),
                image_registry: Some("localhost:5000/a".into()),
                images: vec![("nse".into(), "x:1".into()), ("alpine".into(), "y@sha256:0=1".into())],
                programs: Vec::new(),
            };
            assert_eq!(asked, expected, "{command}");
        }
        let line: Vec<&str> = ["cleanup"].into_iter().chain(flags.split_whitespace()).collect();
        let expected = Customisation { namespace: Some("demo".into()), name_prefix: Some("blue-".into()), ..Customisation::default() };
        assert_eq!(settings(&line).unwrap().customisation, expected);
    }

    #[test]
    fn what_was_deployed_is_what_was_remembered() {
        let flags = "--cidr [10.0.0.0/31,10.0.1.0/31] --clients 3 --cross-node --payload ip --image-registry localhost:5000/a --image nse=x:1";
        let line: Vec<&str> = ["deploy", "-n", "demo"].into_iter().chain(flags.split(' ')).collect();
        let deployed = settings(&line).unwrap();
        let options = deployed.customisation.options().unwrap();
        let plain = settings(&["verify", "-n", "demo"]).unwrap();
        let remembered = plain.as_deployed(&options).unwrap().unwrap();
        assert_eq!(remembered.customisation, deployed.customisation);
        assert_eq!(
            remembered.complete("`nsmctl verify`, `nsmctl deploy`"),
            format!("`nsmctl verify --namespace demo`, `{}`", deployed.command_line("deploy"))
        );
        // The person's word counts, and where nothing is said what is remembered.
        let two = settings(&["verify", "--clients", "2", "--image", "nse=y:1"]).unwrap();
        let told = two.as_deployed(&options).unwrap().unwrap().customisation.options().unwrap();
        assert_eq!(told, options.replace("--clients=3", "--clients=2").replace("nse=x:1", "nse=y:1"));
        assert!(deployed.as_deployed(&options).unwrap().is_none());
        assert!(two.as_deployed("--colour=red").unwrap().is_none());
        for unknown in ["--colour=red", "--cidr=x", "deploy", "--cidr"] {
            let failure = plain.as_deployed(unknown).unwrap_err();
            assert!(failure.outcome.code() == 3 && failure.message().contains(unknown) && failure.hint.is_some(), "{failure:?}");
        }
    }

    #[test]
    fn what_cannot_be_asked_names_its_flag() {
        let cases = [
            ("--cidr=10.0.0.0/99", "--cidr: \"10.0.0.0/99\" is no address prefix"),
            ("--cidr=", "--cidr: it is empty"),
            ("--name-prefix=", "--name-prefix : it is empty"),
            ("--name-prefix=Blue-", "--name-prefix Blue-: it may have lower-case letters, digits and - only"),
            ("--name-prefix=-blue", "--name-prefix -blue: it must begin and end with a letter or digit"),
            ("--image-registry=https://a.b", "--image-registry https://a.b: a registry is named without https://"),
            ("--image-registry=a.b/", "--image-registry a.b/: a part of it is empty"),
            ("--image-registry=a.b c", "--image-registry a.b c: it may have"),
            ("--image-registry=mirror", "--image-registry mirror: its first part is no host"),
            ("--image=nse", "--image nse: it is no container and image"),
            ("--image==x", "--image =x: it is no container and image"),
            ("--image=nse=", "--image nse=: it is no container and image"),
        ];
        for (flag, message) in cases {
            let failure = settings(&["deploy", flag]).unwrap_err();
            assert!(failure.outcome.code() == 2 && failure.message().starts_with(message) && failure.hint.is_some(), "{flag}: {failure:?}");
        }
        for wrong in ["--clients=0", "--clients=1001", "--clients=x", "--payload=mpls"] {
            assert!(Cli::try_parse_from(["nsmctl", "deploy", wrong]).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_prefix_moves_the_namespace_of_the_manifests_only() {
        let known = |arguments: &[&str]| {
            let settings = settings(arguments).unwrap();
            settings.known_namespace(&settings.documents().unwrap())
        };
        assert_eq!(known(&["deploy"]).as_deref(), Some("ns-kernel2kernel"));
        assert_eq!(known(&["deploy", "--name-prefix", "blue-"]).as_deref(), Some("blue-ns-kernel2kernel"));
        assert_eq!(known(&["deploy", "--name-prefix", "blue-", "-n", "demo"]).as_deref(), Some("demo"));
    }
}
