//! What may follow on a command line that is being typed.
//!
//! ```text
//!   nsmctl __complete [--new] [--kubectl] -- WORD...    the words after the program's name, the last being typed
//!     ──► lines: VALUE, or VALUE, a tab and what it is
//! ```

use std::{
    ffi::{OsStr, OsString},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use clap::{Arg, Command};
use clap_complete::engine::{ArgValueCandidates, CompletionCandidate, complete};

use super::program::{Program, command};

/// What the scripts of the shells say first. No command, so that nothing that is typed can be taken for it, and parsed before them.
pub(super) const WORD: &str = "__complete";

/// A value that nsmctl has to look for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wanted {
    /// A namespace.
    Namespace,
    /// A context of the kubeconfig.
    Context,
    /// A client of NSM's, or one of its pods.
    Client,
    /// A workload of the deployment, or one of its pods.
    Member,
    /// The id of a check.
    Check,
    /// The id of a cause.
    Cause,
}

/// What may be typed next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// The word.
    pub value: String,
    /// What it is, in a line; empty where the word says it.
    pub about: String,
}

/// What a shell asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    /// The words after the program's name; the last is being typed.
    pub words: Vec<OsString>,
    /// Whether kubectl asks, whose answer ends with a line of its own.
    for_kubectl: bool,
}

impl Question {
    /// What a shell asks, where that is who has started nsmctl.
    #[must_use]
    pub fn asked(arguments: &[OsString]) -> Option<Self> {
        let mut rest = arguments.get(1..)?.iter();
        if rest.next()? != WORD {
            return None;
        }
        let flags: Vec<&OsString> = rest.by_ref().take_while(|word| *word != "--").collect();
        let mut words: Vec<OsString> = rest.cloned().collect();
        if words.is_empty() || flags.iter().any(|flag| *flag == "--new") {
            words.push(OsString::new());
        }
        Some(Self { words, for_kubectl: flags.iter().any(|flag| *flag == "--kubectl") })
    }

    /// What may be typed next; `look` finds what is no word of nsmctl's own.
    #[must_use]
    pub fn candidates(&self, look: impl Fn(Wanted) -> Vec<Candidate> + Send + Sync + 'static) -> Vec<Candidate> {
        let asked = Arc::new(AtomicBool::new(false));
        let noted = Arc::clone(&asked);
        let look: Look = Arc::new(move |wanted| {
            noted.store(true, Ordering::Relaxed);
            look(wanted)
        });
        let mut command = with_values(command(Program::Nsmctl), &look);
        let words: Vec<OsString> = [OsString::from("nsmctl")].into_iter().chain(self.words.iter().cloned()).collect();
        let last = words.len() - 1;
        let here = std::env::current_dir().ok();
        // What cannot be completed has no candidates.
        let found = complete(&mut command, words, last, here.as_deref()).unwrap_or_default();
        let mut found: Vec<Candidate> = found.iter().filter(|candidate| !candidate.is_hide_set()).filter_map(readable).collect();
        // Before a letter is typed, options are what a person looks for only where nothing else is wanted.
        let is_value = |candidate: &Candidate| !candidate.value.starts_with('-');
        if self.words.last().is_some_and(|word| word.is_empty()) && (asked.load(Ordering::Relaxed) || found.iter().any(is_value)) {
            found.retain(is_value);
        }
        found
    }

    /// The answer, as the script that has asked reads it.
    #[must_use]
    pub fn answer(&self, candidates: &[Candidate]) -> String {
        let line = |Candidate { value, about }: &Candidate| match about.as_str() {
            "" => format!("{value}\n"),
            about => format!("{value}\t{about}\n"),
        };
        let mut text: String = candidates.iter().map(line).collect();
        if self.for_kubectl {
            // Cobra's ShellCompDirectiveNoFileComp, and NoSpace where more is to follow.
            let is_open = matches!(candidates, [only] if only.value.ends_with(['=', '/']));
            text.push_str(if is_open { ":6\n" } else { ":4\n" });
        }
        text
    }

    /// The value of a global option among the words, as far as it was typed.
    #[must_use]
    pub fn option(&self, long: &str, short: Option<char>) -> Option<OsString> {
        let typed = self.words.split_last().map_or(&[][..], |(_, typed)| typed);
        let mut found = None;
        let mut words = typed.iter().take_while(|word| *word != "--");
        while let Some(word) = words.next() {
            let Some(text) = word.to_str() else { continue };
            let short = short.and_then(|short| text.strip_prefix('-')?.strip_prefix(short));
            match (text.strip_prefix("--").and_then(|text| text.strip_prefix(long)), short) {
                (Some(""), _) | (_, Some("")) => found = words.next().cloned(),
                (Some(rest), _) if rest.starts_with('=') => found = Some(rest[1..].into()),
                (None, Some(rest)) => found = Some(rest.trim_start_matches('=').into()),
                _ => {}
            }
        }
        found
    }

    /// Whether one of these words was typed.
    #[must_use]
    pub fn has(&self, any: &[&str]) -> bool {
        self.words.iter().take_while(|word| *word != "--").any(|word| any.iter().any(|one| word == OsStr::new(one)))
    }
}

type Look = Arc<dyn Fn(Wanted) -> Vec<Candidate> + Send + Sync>;

/// Lets the arguments whose values have to be looked for have them looked for.
fn with_values(command: Command, look: &Look) -> Command {
    let asking = |arg: Arg| {
        let Some(wanted) = wanted(&arg) else { return arg };
        let look = Arc::clone(look);
        let candidate = |Candidate { value, about }: Candidate| CompletionCandidate::new(value).help((!about.is_empty()).then(|| about.into()));
        arg.add(ArgValueCandidates::new(move || look(wanted).into_iter().map(candidate).collect()))
    };
    command.mut_args(asking).mut_subcommands(|command| with_values(command, look))
}

fn wanted(arg: &Arg) -> Option<Wanted> {
    let names = arg.get_value_names().unwrap_or_default();
    match arg.get_id().as_str() {
        "namespace" => Some(Wanted::Namespace),
        "context" => Some(Wanted::Context),
        "client" => Some(Wanted::Client),
        "select" | "skip" => Some(Wanted::Check),
        "id" if names.iter().any(|name| name == "ID") => Some(Wanted::Cause),
        _ if arg.is_positional() && names.iter().any(|name| name == "CLIENT") => Some(Wanted::Member),
        _ => None,
    }
}

/// A candidate that a line can hold.
fn readable(candidate: &CompletionCandidate) -> Option<Candidate> {
    let value = candidate.get_value().to_str().filter(|value| !value.is_empty() && !value.contains(char::is_control))?;
    let about = candidate.get_help().map(|help| help.to_string().lines().next().unwrap_or_default().replace(char::is_control, " "));
    Some(Candidate { value: value.to_owned(), about: about.unwrap_or_default() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn question(words: &[&str]) -> Question {
        let start = ["nsmctl", WORD, "--"].iter().chain(words).map(OsString::from).collect::<Vec<_>>();
        Question::asked(&start).unwrap()
    }

    fn offered(words: &[&str]) -> Vec<String> {
        let look = |wanted| vec![Candidate { value: format!("{wanted:?}").to_lowercase(), about: String::new() }];
        question(words).candidates(look).into_iter().map(|candidate| candidate.value).collect()
    }

    #[test]
    fn what_has_to_be_looked_for_is() {
        let cases: [(&[&str], &str); 12] = [
            (&["verify", "-n", ""], "namespace"),
            (&["verify", "--namespace=n"], "--namespace=namespace"),
            (&["deploy", "--context", "c"], "context"),
            (&["verify", "--client", ""], "client"),
            (&["troubleshoot", "-n", "x", "--client", ""], "client"),
            (&["exec", ""], "member"),
            (&["logs", "m"], "member"),
            (&["explain", ""], "cause"),
            (&["verify", "--skip", ""], "check"),
            (&["verify", "--select", "address,"], "address,check"),
            (&["verify", "--select=address,ch"], "--select=address,check"),
            (&["-n", ""], "namespace"),
        ];
        for (words, expected) in cases {
            assert_eq!(offered(words), [expected], "{words:?}");
        }
    }

    #[test]
    fn commands_come_first_and_options_when_asked_for() {
        let first = offered(&[""]);
        assert!(first.contains(&"deploy".to_owned()) && first.contains(&"completions".to_owned()), "{first:?}");
        assert!(!first.iter().any(|value| value.starts_with('-')), "{first:?}");
        assert_eq!(offered(&["engine", ""]), ["restart", "help"], "the others are its own");
        let options = offered(&["verify", "--l"]);
        assert_eq!(options, ["--list-checks"]);
        assert!(offered(&["verify", ""]).contains(&"--heal".to_owned()), "a command that takes nothing else");
        assert_eq!(offered(&["manifests", "im"]), ["images"]);
        assert_eq!(offered(&["deploy", "--payload", ""]), ["ethernet", "ip"]);
        assert_eq!(offered(&["verify", "-o", ""]), ["table", "short", "json", "junit"]);
        assert_eq!(offered(&["status", "--output", ""]), ["table", "short", "json", "dot", "mermaid"]);
        assert_eq!(offered(&["metrics", "--output=p"]), ["--output=prometheus"]);
        assert_eq!(offered(&["manifests", "images", "-o", ""]), ["table", "json"]);
        assert_eq!(offered(&["verify", "--nothing-like-it", "x", "--y"]), [""; 0]);
    }

    #[test]
    fn what_was_typed_before_counts() {
        let question = question(&["exec", "--context", "a", "--kubeconfig=b", "-nc", "d", "--", "--context", "x"]);
        let option = |long, short| question.option(long, short).map(|value| value.into_string().unwrap());
        assert_eq!(option("context", None).as_deref(), Some("a"));
        assert_eq!(option("kubeconfig", None).as_deref(), Some("b"));
        assert_eq!(option("namespace", Some('n')).as_deref(), Some("c"));
        assert_eq!(option("target", None), None);
        assert!(question.has(&["exec"]) && !question.has(&["x"]));
    }

    #[test]
    fn the_answer_is_lines() {
        let candidate = |value: &str, about: &str| Candidate { value: value.to_owned(), about: about.to_owned() };
        let candidates = [candidate("a", "first"), candidate("b", "")];
        assert_eq!(question(&[""]).answer(&candidates), "a\tfirst\nb\n");
        let kubectl = |words: &[&str]| Question::asked(&words.iter().map(OsString::from).collect::<Vec<_>>()).unwrap();
        let asked = kubectl(&["kubectl-nsm", WORD, "--kubectl", "--", "verify", ""]);
        assert_eq!(asked.answer(&candidates), "a\tfirst\nb\n:4\n");
        assert_eq!(asked.answer(&[candidate("dir/", "")]), "dir/\n:6\n");
        assert_eq!(kubectl(&["nsmctl", WORD, "--new", "--", "verify"]).words, ["verify", ""]);
        assert_eq!(Question::asked(&["nsmctl".into(), "verify".into()]), None);
    }
}
