use clap::{Args, CommandFactory};
use clap_complete::{Shell, generate};

use super::Cli;

/// The arguments of `completions`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  nsmctl completions bash > /etc/bash_completion.d/nsmctl
  nsmctl completions zsh > \"${fpath[1]}/_nsmctl\"
  nsmctl completions fish > ~/.config/fish/completions/nsmctl.fish")]
pub struct CompletionsArgs {
    /// The shell.
    pub shell: Shell,
}

/// The completions of a shell, as its users install them.
#[must_use]
pub fn completions(shell: Shell) -> String {
    let mut bytes = Vec::new();
    generate(shell, &mut Cli::command(), "nsmctl", &mut bytes);
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_files_are_what_the_program_says() {
        let files = [
            (Shell::Bash, "nsmctl.bash", include_str!("../../completions/nsmctl.bash")),
            (Shell::Zsh, "_nsmctl", include_str!("../../completions/_nsmctl")),
            (Shell::Fish, "nsmctl.fish", include_str!("../../completions/nsmctl.fish")),
            (Shell::PowerShell, "_nsmctl.ps1", include_str!("../../completions/_nsmctl.ps1")),
            (Shell::Elvish, "nsmctl.elv", include_str!("../../completions/nsmctl.elv")),
        ];
        for (shell, name, text) in files {
            assert!(completions(shell) == text, "`nsmctl completions {shell} > completions/{name}` makes it so");
        }
    }
}
