use clap::{Args, ValueEnum};

/// The arguments of `completions`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  nsmctl completions bash > /etc/bash_completion.d/nsmctl
  nsmctl completions zsh > \"${fpath[1]}/_nsmctl\"
  nsmctl completions fish > ~/.config/fish/completions/nsmctl.fish
  nsmctl completions powershell >> $PROFILE
  nsmctl completions elvish >> ~/.config/elvish/rc.elv

For `kubectl nsm`, with nsmctl on the PATH as kubectl-nsm:
  nsmctl completions kubectl > /usr/local/bin/kubectl_complete-nsm
  chmod +x /usr/local/bin/kubectl_complete-nsm

Namespaces, clients, contexts, checks and causes are offered too. The cluster is asked for at most a second; where there \
is none, nothing is offered and nothing is said.")]
pub struct CompletionsArgs {
    /// The shell, or kubectl.
    pub shell: ShellArg,
}

/// What completes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ShellArg {
    /// bash 3.2 or later.
    Bash,
    /// zsh.
    Zsh,
    /// fish.
    Fish,
    /// PowerShell.
    #[value(name = "powershell")]
    PowerShell,
    /// elvish.
    Elvish,
    /// kubectl, which completes its plugins with a program of their own.
    Kubectl,
}

/// The completions of a shell, as its users install them.
#[must_use]
pub fn completions(shell: ShellArg) -> &'static str {
    match shell {
        ShellArg::Bash => include_str!("../../completions/nsmctl.bash"),
        ShellArg::Zsh => include_str!("../../completions/_nsmctl"),
        ShellArg::Fish => include_str!("../../completions/nsmctl.fish"),
        ShellArg::PowerShell => include_str!("../../completions/_nsmctl.ps1"),
        ShellArg::Elvish => include_str!("../../completions/nsmctl.elv"),
        ShellArg::Kubectl => include_str!("../../completions/kubectl_complete-nsm"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_is_of_a_shell_and_asks_nsmctl() {
        let dir = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("completions");
        let files: Vec<String> = std::fs::read_dir(dir).unwrap().map(|entry| std::fs::read_to_string(entry.unwrap().path()).unwrap()).collect();
        assert_eq!(files.len(), ShellArg::value_variants().len(), "no file is of a shell that is not offered");
        for shell in ShellArg::value_variants() {
            let text = completions(*shell);
            assert!(files.iter().any(|file| file == text), "{shell:?}");
            assert!(text.contains(super::super::candidates::WORD), "{shell:?}");
        }
    }
}
