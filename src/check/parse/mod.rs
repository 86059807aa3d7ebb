//! Reads what `ip` and `ping` print: busybox, iproute2 and iputils each in their own way.
//!
//! Nothing here panics on any text. What cannot be read is an [`Unreadable`] that quotes it.

mod address;
mod json;
mod ping;
mod resolver;
mod route;

pub use address::links;
pub use ping::ping;
pub use resolver::name_servers;
pub use route::routes;

use crate::model::{ExecEnd, ExecOutput, Probe, Unavailable, UnavailableKind};

/// Text that is not what the program is known to print.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unexpected output: {0:?}")]
pub struct Unreadable(pub String);

/// The value of a probe: parsed where it is still text.
///
/// `status_matters` is false for programs whose exit code says something that their output says as well: `ping` ends with 1
/// when replies are missing, and its statistics tell how many.
pub(crate) fn value<T: Clone>(probe: &Probe<T>, status_matters: bool, parse: impl Fn(&str) -> Result<T, Unreadable>) -> Result<T, Unavailable> {
    let output = match probe {
        Probe::Value(value) => return Ok(value.clone()),
        Probe::Unavailable(unavailable) => return Err(unavailable.clone()),
        Probe::Output(output) => output,
    };
    let lost = |kind, reason: String| Err(Unavailable { kind, reason });
    match &output.end {
        ExecEnd::Exited(126 | 127) => lost(UnavailableKind::NoProgram, format!("{} cannot be run in this container", program(output))),
        ExecEnd::Exited(code) if *code != 0 && (status_matters || output.stdout.trim().is_empty()) => {
            lost(UnavailableKind::Transport, format!("{} ended with exit code {code}: {}", program(output), complaint(output)))
        }
        ExecEnd::Transport(reason) => lost(UnavailableKind::Transport, reason.clone()),
        ExecEnd::Timeout => lost(UnavailableKind::Timeout, format!("{} was still running when the time was up", program(output))),
        // The words of a program whose status was lost may be cut short, so they prove nothing.
        ExecEnd::LostStatus => lost(UnavailableKind::Transport, format!("the exit status of {} was lost on the way", program(output))),
        ExecEnd::Exited(_) => {
            parse(&output.stdout).map_err(|error| Unavailable { kind: UnavailableKind::Transport, reason: format!("{}: {error}", program(output)) })
        }
    }
}

/// The lines that a judgement on this probe rests on; empty where the value came without words.
pub(crate) fn evidence<T>(probe: &Probe<T>) -> Vec<String> {
    match probe {
        Probe::Output(output) => {
            let text = if output.stdout.trim().is_empty() { &output.stderr } else { &output.stdout };
            let lines = if json::is_json(text) { json::lines(text) } else { text.lines().map(str::to_owned).collect() };
            std::iter::once(format!("$ {}", output.command.join(" "))).chain(lines).collect()
        }
        Probe::Value(_) => Vec::new(),
        Probe::Unavailable(unavailable) => vec![unavailable.reason.clone()],
    }
}

/// Whether a ping did not even leave: there is no route, or one that refuses (`blackhole`: invalid argument, `prohibit`: permission
/// denied), or a filter. That is a fault of the path and not of the look at it; a socket that may not be made is not.
pub(crate) fn never_left<T>(probe: &Probe<T>) -> bool {
    // busybox names sendto(2), iputils sendmsg(2) and connect(2).
    const WORDS: [&str; 4] = ["unreachable", "sendto:", "sendmsg:", "connect:"];
    let says = |text: &str| WORDS.iter().any(|word| text.contains(word));
    matches!(probe, Probe::Output(output) if says(&output.stderr.to_ascii_lowercase()))
}

/// Whether a packet did not even leave because it is too long for what the kernel knows of the path.
pub(crate) fn is_too_long<T>(probe: &Probe<T>) -> bool {
    let says = |text: &str| text.to_ascii_lowercase().contains("too long");
    matches!(probe, Probe::Output(output) if says(&output.stderr) || says(&output.stdout))
}

/// Whether the program ran to its end and refused: it is there, and what it was asked for is not.
pub(crate) fn is_refusal<T>(probe: &Probe<T>) -> bool {
    matches!(probe, Probe::Output(ExecOutput { end: ExecEnd::Exited(code), .. }) if !matches!(code, 0 | 126 | 127))
}

fn program(output: &ExecOutput) -> String {
    output.command.join(" ")
}

fn complaint(output: &ExecOutput) -> String {
    let text = if output.stderr.trim().is_empty() { &output.stdout } else { &output.stderr };
    text.lines().find(|line| !line.trim().is_empty()).unwrap_or("it printed nothing").trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn output(end: ExecEnd, stdout: &str, stderr: &str) -> Probe<u32> {
        Probe::Output(ExecOutput { command: vec!["ip".into(), "addr".into()], end, stdout: stdout.into(), stderr: stderr.into() })
    }

    fn number(text: &str) -> Result<u32, Unreadable> {
        text.trim().parse().map_err(|_| Unreadable(text.to_owned()))
    }

    #[test]
    fn a_lost_status_is_never_a_value() {
        assert_eq!(value(&output(ExecEnd::Exited(0), "7", ""), true, number), Ok(7));
        let lost = value(&output(ExecEnd::LostStatus, "7", ""), true, number).unwrap_err();
        assert_eq!(lost.reason, "the exit status of ip addr was lost on the way");
    }

    #[test]
    fn a_missing_program_is_told_apart_from_a_failing_one() {
        let missing = value(&output(ExecEnd::Exited(127), "", "sh: ip: not found"), true, number).unwrap_err();
        assert_eq!(missing.kind, UnavailableKind::NoProgram);
        let failing = value(&output(ExecEnd::Exited(1), "", "\nip: bad\n"), true, number).unwrap_err();
        assert_eq!(failing.reason, "ip addr ended with exit code 1: ip: bad");
        assert_eq!(value(&output(ExecEnd::Exited(1), "7", ""), false, number), Ok(7));
    }

    #[test]
    fn unexpected_text_is_quoted() {
        let unreadable = value(&output(ExecEnd::Exited(0), "seven", ""), true, number).unwrap_err();
        assert_eq!(unreadable.reason, "ip addr: unexpected output: \"seven\"");
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "(?s).{0,200}") {
            let _ = links(&text);
            let _ = routes(&text);
            let _ = ping(&text);
            let _ = name_servers(&text);
        }

        #[test]
        fn no_json_panics(words in proptest::collection::vec("[\\[\\]{},:]|\"(dst|dev|gateway|ifname|flags|mtu|addr_info|local|prefixlen|type)\"|\"[0-9a-f.:/]{0,12}\"|[0-9]{1,6}|null", 0..40)) {
            let text = format!("[{}", words.concat());
            let _ = links(&text);
            let _ = routes(&text);
        }

        #[test]
        fn nothing_like_the_real_thing_panics(words in proptest::collection::vec("[0-9]{1,3}: |inet6? |[0-9a-f.:/]{1,20} |<[A-Z_,]{0,12}> |mtu |\n|    |default |via |dev |packets transmitted|, |% packet loss|min/avg/max = |[0-9]{1,12}", 0..40)) {
            let text = words.concat();
            let _ = links(&text);
            let _ = routes(&text);
            let _ = ping(&text);
        }
    }
}
