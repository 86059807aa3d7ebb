use super::Namespaced;

/// A program that is to be run in a pod for the person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExecRequest {
    /// The pod.
    pub pod: Namespaced,
    /// The container.
    pub container: String,
    /// The program and its arguments.
    pub command: Vec<String>,
    /// Whether it is given standard input.
    pub stdin: bool,
    /// Whether it is given a terminal.
    pub tty: bool,
}

impl ExecRequest {
    /// The program's name.
    #[must_use]
    pub fn program(&self) -> &str {
        self.command.first().map(String::as_str).unwrap_or_default()
    }
}

/// The size of a terminal in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TerminalSize {
    /// How wide it is.
    pub columns: u16,
    /// How high it is.
    pub rows: u16,
}
