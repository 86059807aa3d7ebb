//! What this program is, and what it was built from.

use std::ffi::OsString;

use clap::Args;
use serde::Serialize;

/// What this program was built from, by build.rs.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Build {
    /// The version, by Semantic Versioning.
    pub version: &'static str,
    /// The commit; `unknown` where the sources came without it.
    pub commit: &'static str,
    /// The target, as rustc names it.
    pub target: &'static str,
    /// The version of rustc.
    pub rustc: &'static str,
}

/// What this program was built from.
pub const BUILD: Build = Build {
    version: env!("CARGO_PKG_VERSION"),
    commit: env!("NSMCTL_BUILD_COMMIT"),
    target: env!("NSMCTL_BUILD_TARGET"),
    rustc: env!("NSMCTL_BUILD_RUSTC"),
};

/// The arguments of `version`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  nsmctl version
  nsmctl version -o json | jq -r .commit
  nsmctl --version

`nsmctl --version -v` prints the same.")]
pub struct VersionArgs {}

impl Build {
    /// In one line.
    #[must_use]
    pub fn short(&self) -> String {
        format!("nsmctl {}\n", self.version)
    }

    /// In full.
    #[must_use]
    pub fn long(&self) -> String {
        let Self { commit, target, rustc, .. } = self;
        format!("{}commit {commit}\ntarget {target}\nrustc  {rustc}\n", self.short())
    }

    /// As one JSON document.
    #[must_use]
    pub fn json(&self) -> String {
        // Four strings are always written.
        serde_json::to_string_pretty(self).unwrap_or_default() + "\n"
    }
}

/// Whether the version is asked for, and if so whether in full. Seen before anything is parsed: clap knows no option beside
/// `--version`.
#[must_use]
pub fn version_asked(arguments: &[OsString]) -> Option<bool> {
    let words: Option<Vec<&str>> = arguments.get(1..)?.iter().map(|word| word.to_str()).collect();
    let words = words?;
    let is_asked = words.iter().any(|word| matches!(*word, "--version" | "-V" | "-vV" | "-Vv"));
    let is_alone = words.iter().all(|word| matches!(*word, "--version" | "-V" | "-vV" | "-Vv" | "--verbose" | "-v"));
    (is_asked && is_alone).then(|| words.iter().any(|word| word.contains('v') && *word != "--version"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_is_asked_for_alone() {
        let asked = |words: &[&str]| version_asked(&[&["nsmctl"], words].concat().iter().map(OsString::from).collect::<Vec<_>>());
        for short in [&["--version"][..], &["-V"]] {
            assert_eq!(asked(short), Some(false), "{short:?}");
        }
        for long in [&["--version", "-v"][..], &["-v", "--version"], &["-vV"], &["-V", "--verbose"], &["-V", "-v"]] {
            assert_eq!(asked(long), Some(true), "{long:?}");
        }
        for other in [&["verify", "--version"][..], &["-v"], &[], &["--", "--version"]] {
            assert_eq!(asked(other), None, "{other:?}");
        }
    }

    #[test]
    fn the_build_is_told() {
        assert!(BUILD.commit == "unknown" || BUILD.commit.len() >= 40, "{}", BUILD.commit);
        assert!(BUILD.rustc.starts_with("1."), "{}", BUILD.rustc);
        assert!(BUILD.target.contains('-'), "{}", BUILD.target);
        assert!(BUILD.long().starts_with(&format!("nsmctl {}\ncommit ", env!("CARGO_PKG_VERSION"))));
    }
}
