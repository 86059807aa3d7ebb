//! The person's terminal, while a program in a pod has the use of it.

#[cfg(not(unix))]
mod elsewhere;
#[cfg(unix)]
mod unix;

use std::io::{self, IsTerminal};

#[cfg(not(unix))]
pub use elsewhere::{Raw, Sizes, hung_up, size};
#[cfg(unix)]
pub use unix::{Raw, Sizes, hung_up, size};

/// Whether standard input is a terminal.
#[must_use]
pub fn is_there() -> bool {
    io::stdin().is_terminal()
}
