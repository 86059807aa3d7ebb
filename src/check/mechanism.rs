//! Connections that end in no kernel interface: what can be told of them.

use crate::model::{Finding, Mechanism, Verdict};

use super::{Check, Connection, parse};

/// NSM has accepted the request, and what the mechanism leaves in the pod is there.
pub(super) fn accepted(check: &Check, connection: &Connection<'_>) -> Vec<Finding> {
    let mechanism = &connection.expectation.url.mechanism;
    let Some(client) = &connection.client else { return Vec::new() };
    let pod = client.pod;
    let request = format!("{mechanism} request accepted");
    // NSM's init container ends when every request of the pod was accepted, and not before.
    let accepted = match pod.client_init() {
        Some(init) if init.ready => check.finding(&connection.subject, Verdict::Pass, request, format!("{} has ended", init.name)),
        Some(init) => {
            let message = init.message.clone().or_else(|| init.reason.clone()).unwrap_or_else(|| "it still asks".to_owned());
            check.finding(&connection.subject, Verdict::Fail, request, format!("{}: {message}", init.name))
        }
        None => check.finding(&connection.subject, Verdict::Skip, request, "not checked: the pod has no init container of NSM's, which would tell"),
    };
    let (word, expected) = match mechanism {
        Mechanism::Kernel => return vec![accepted],
        Mechanism::Memif => ("memif ", "a memif socket"),
        Mechanism::Vfio => ("vfio ", "a device under /dev/vfio"),
        Mechanism::Wireguard => ("wireguard ", "a WireGuard interface"),
        Mechanism::Other(name) => {
            let reason = format!("not checked: it is not known what {name} leaves in a pod");
            return vec![accepted, check.finding(&connection.subject, Verdict::Skip, "", reason)];
        }
    };
    let traces = client.probes.and_then(|probes| probes.traces.as_ref());
    let left = match traces.map(|traces| parse::value(traces, true, |_| Ok(Vec::new()))) {
        None => {
            let asked = check.finding(&connection.subject, Verdict::Skip, expected, format!("not checked: pod {} was not asked", pod.id.name));
            Finding { blocked: client.probes.is_none(), ..asked }
        }
        Some(Err(unavailable)) => check.unseen(&connection.subject, expected, &unavailable),
        Some(Ok(lines)) => match lines.iter().filter_map(|line| line.strip_prefix(word)).collect::<Vec<_>>()[..] {
            // It may be in another container than the one that was asked, so that its absence proves nothing.
            [] => check.finding(&connection.subject, Verdict::Skip, expected, format!("not checked: container {} shows none", container_of(client))),
            ref seen => check.finding(&connection.subject, Verdict::Pass, expected, seen.join(", ")),
        },
    };
    vec![accepted, left]
}

fn container_of<'a>(client: &'a super::Side<'_>) -> &'a str {
    client.probes.map_or("", |probes| &probes.container)
}
