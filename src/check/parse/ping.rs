use crate::model::PingStats;

use super::Unreadable;

/// Reads the statistics that `ping` prints last.
///
/// ```text
/// busybox   4 packets transmitted, 4 packets received, 0% packet loss
///           round-trip min/avg/max = 0.337/0.643/1.361 ms
/// iputils   4 packets transmitted, 3 received, +1 errors, 25% packet loss, time 3004ms
///           rtt min/avg/max/mdev = 0.026/0.041/0.050/0.009 ms
/// ```
///
/// ```
/// let statistics = nsmctl::check::parse::ping("4 packets transmitted, 3 received, 25% packet loss, time 3004ms\n").expect("statistics");
/// assert_eq!((statistics.transmitted, statistics.received, statistics.loss_percent()), (4, 3, 25.0));
/// assert!(nsmctl::check::parse::ping("ping: bad address 'x'").is_err());
/// ```
///
/// # Errors
/// The whole text, where it has no statistics.
pub fn ping(text: &str) -> Result<PingStats, Unreadable> {
    let unreadable = || Unreadable(text.trim().chars().take(300).collect());
    let summary = text.lines().rev().find(|line| line.contains("packets transmitted")).ok_or_else(unreadable)?;
    let count = |word: &str| {
        let part = summary.split(", ").find(|part| part.contains(word))?;
        part.split_whitespace().next()?.parse::<u32>().ok()
    };
    let transmitted = count("packets transmitted").ok_or_else(unreadable)?;
    let received = count("received").ok_or_else(unreadable)?;
    Ok(PingStats { transmitted, received, round_trip_ms: text.lines().rev().find_map(round_trip) })
}

fn round_trip(line: &str) -> Option<(f64, f64, f64)> {
    let (_, values) = line.split_once("min/avg/max")?.1.split_once(" = ")?;
    let mut values = values.split_whitespace().next()?.split('/').map(|value| value.parse::<f64>().ok().filter(|v| v.is_finite()));
    Some((values.next()??, values.next()??, values.next()??))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn busybox_is_read() {
        let text = "PING 172.16.1.100 (172.16.1.100): 56 data bytes\n64 bytes from 172.16.1.100: seq=0 ttl=64 time=0.256 ms\n\n--- 172.16.1.100 ping statistics ---\n4 packets transmitted, 4 packets received, 0% packet loss\nround-trip min/avg/max = 0.256/0.430/0.671 ms\n";
        assert_eq!(ping(text), Ok(PingStats { transmitted: 4, received: 4, round_trip_ms: Some((0.256, 0.430, 0.671)) }));
    }

    #[test]
    fn iputils_is_read_with_errors_and_without_a_reply() {
        let text = "4 packets transmitted, 3 received, +1 errors, 25% packet loss, time 3004ms\nrtt min/avg/max/mdev = 0.026/0.041/0.050/0.009 ms\n";
        let stats = ping(text).unwrap();
        assert_eq!((stats.transmitted, stats.received, stats.round_trip_ms), (4, 3, Some((0.026, 0.041, 0.050))));
        assert!((stats.loss_percent() - 25.0).abs() < f64::EPSILON);
        let none = ping("2 packets transmitted, 0 received, 100% packet loss, time 1001ms\n").unwrap();
        assert_eq!((none.received, none.round_trip_ms), (0, None));
    }

    #[test]
    fn busybox_counts_duplicates_apart() {
        let stats = ping("4 packets transmitted, 4 packets received, 2 duplicates, 0% packet loss\n").unwrap();
        assert_eq!((stats.transmitted, stats.received), (4, 4));
    }

    #[test]
    fn what_has_no_statistics_is_quoted() {
        assert_eq!(ping("ping: sendto: Network unreachable\n"), Err(Unreadable("ping: sendto: Network unreachable".into())));
    }
}
