//! A process that does not outlive the one that has started it.

use std::{
    fs,
    io::{Error, Result},
};

use nix::sys::{prctl::set_pdeathsig, signal::Signal};

/// The program of this process, also where its file was replaced or removed meanwhile.
pub(in crate::engine) const OWN_PROGRAM: &str = "/proc/self/exe";

/// The number of this process as everybody sees it who looks into /proc: in a PID namespace the process itself knows another.
pub(in crate::engine) fn number() -> u32 {
    fs::read_link("/proc/self").ok().and_then(|path| path.to_str()?.parse().ok()).unwrap_or_else(std::process::id)
}

/// Has the kernel send this process a signal when the one that has started it ends.
///
/// # Errors
/// The kernel refused, or that process has ended already.
pub(in crate::engine) fn tie(parent: u32, signal: Signal) -> Result<()> {
    set_pdeathsig(signal)?;
    // What ended before is not told any more. Zero is a process outside of our PID namespace whose /proc we see.
    let status = fs::read_to_string("/proc/self/status")?;
    let seen = status.lines().find_map(|line| line.strip_prefix("PPid:")).and_then(|number| number.trim().parse::<u32>().ok());
    if seen == Some(parent) { Ok(()) } else { Err(Error::other("the process that has started this one has ended")) }
}
