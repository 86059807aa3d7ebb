use std::{
    net::IpAddr,
    time::{Duration, Instant},
};

use futures::{StreamExt, future::join_all, stream::FuturesUnordered};
use surge_ping::{Client, Config, ICMP, PingIdentifier, PingSequence};
use tokio::sync::mpsc;

use super::{Error, Result};
use crate::model::{PingOptions, PingStats};

/// What an echo request carries, in bytes: as much as `ping` sends, so that round trips compare.
const PAYLOAD_BYTES: usize = 56;
/// The headers in front of it, in bytes: IPv4 (RFC 791) or IPv6 (RFC 8200), and ICMP (RFC 792, RFC 4443).
const HEADERS_V4: usize = 20 + 8;
const HEADERS_V6: usize = 40 + 8;
/// A reply that takes longer than this, in milliseconds, is lost where pings go on and on.
const LATE_MS: u64 = 1000;
/// The longest IP packet, in bytes (RFC 791).
const LONGEST: usize = 65535;

/// Sends echo requests from the namespace that the calling thread is in, at their interval and without waiting for
/// the reply to the one before. `packet_bytes` is how long a packet is with its headers, where that matters.
///
/// A request that the kernel does not even send, because there is no route, counts as sent and lost.
///
/// # Errors
/// No socket could be opened; never that a reply is missing.
pub async fn ping(destination: IpAddr, packet_bytes: Option<u32>, options: PingOptions) -> Result<PingStats> {
    let headers = if destination.is_ipv4() { HEADERS_V4 } else { HEADERS_V6 };
    let length = packet_bytes.map(|bytes| usize::try_from(bytes).unwrap_or(LONGEST).min(LONGEST).saturating_sub(headers));
    let payload = vec![0; length.unwrap_or(PAYLOAD_BYTES)];
    let kind = if destination.is_ipv4() { ICMP::V4 } else { ICMP::V6 };
    // A ping socket where the namespace allows it, so that the kernel tells replies apart; else a raw one.
    let client = Client::new(&Config::builder().kind(kind).build()).map_err(|error| Error::new("open an ICMP socket", error))?;
    let requests = (0..options.count).map(|number| one(&client, destination, number, &payload, options));
    let round_trips: Vec<f64> = join_all(requests).await.into_iter().flatten().map(|time| time.as_secs_f64() * 1000.0).collect();
    let received = u32::try_from(round_trips.len()).unwrap_or(u32::MAX);
    let shortest = round_trips.iter().copied().reduce(f64::min);
    let longest = round_trips.iter().copied().reduce(f64::max);
    let round_trip_ms = shortest.zip(longest).map(|(shortest, longest)| {
        let mean = round_trips.iter().sum::<f64>() / f64::from(received);
        (shortest, mean, longest)
    });
    Ok(PingStats { transmitted: options.count, received, round_trip_ms })
}

/// Sends echo requests at an interval from the namespace that the calling thread is in, and tells when each reply came, until
/// nobody listens any more.
///
/// # Errors
/// No socket could be opened; never that a reply is missing.
pub async fn ping_on(destination: IpAddr, interval: Duration, replies: mpsc::UnboundedSender<Instant>) -> Result<()> {
    let kind = if destination.is_ipv4() { ICMP::V4 } else { ICMP::V6 };
    let client = Client::new(&Config::builder().kind(kind).build()).map_err(|error| Error::new("open an ICMP socket", error))?;
    let options = PingOptions { count: 1, interval_ms: 0, wait_ms: LATE_MS };
    let mut tick = tokio::time::interval(interval);
    let mut waiting = FuturesUnordered::new();
    let mut number = 0_u32;
    loop {
        tokio::select! {
            _ = tick.tick() => {
                if replies.is_closed() {
                    return Ok(());
                }
                let client = &client;
                let identifier = number;
                waiting.push(async move { one(client, destination, identifier, &[0; PAYLOAD_BYTES], options).await });
                // A number of its own for each, without the pause that a number stands for in a series.
                number = number.wrapping_add(1);
            }
            Some(reply) = waiting.next() => if reply.is_some() && replies.send(Instant::now()).is_err() {
                return Ok(());
            },
        }
    }
}

async fn one(client: &Client, destination: IpAddr, number: u32, payload: &[u8], options: PingOptions) -> Option<Duration> {
    tokio::time::sleep(Duration::from_millis(options.interval_ms.saturating_mul(u64::from(number)))).await;
    // The sequence number has 16 bits and wraps; the identifier's upper part keeps a wrapped one apart.
    let (high, low) = (number >> 16, number & 0xffff);
    let identifier = PingIdentifier(u16::try_from((std::process::id() + high) & 0xffff).unwrap_or_default());
    let mut pinger = client.pinger(destination, identifier).await;
    pinger.timeout(Duration::from_millis(options.wait_ms));
    let reply = pinger.ping(PingSequence(u16::try_from(low).unwrap_or_default()), payload).await;
    reply.ok().map(|(_, round_trip)| round_trip)
}
