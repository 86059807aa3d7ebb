use std::{net::IpAddr, time::Duration};

use futures::future::join_all;
use surge_ping::{Client, Config, ICMP, PingIdentifier, PingSequence};

use super::{Error, Result};
use crate::model::{PingOptions, PingStats};

/// What an echo request carries, in bytes: as much as `ping` sends, so that round trips compare.
const PAYLOAD: [u8; 56] = [0; 56];

/// Sends echo requests from the namespace that the calling thread is in, at their interval and without waiting for
/// the reply to the one before.
///
/// A request that the kernel does not even send, because there is no route, counts as sent and lost.
///
/// # Errors
/// No socket could be opened; never that a reply is missing.
pub async fn ping(destination: IpAddr, options: PingOptions) -> Result<PingStats> {
    let kind = if destination.is_ipv4() { ICMP::V4 } else { ICMP::V6 };
    // A ping socket where the namespace allows it, so that the kernel tells replies apart; else a raw one.
    let client = Client::new(&Config::builder().kind(kind).build()).map_err(|error| Error::new("open an ICMP socket", error))?;
    let requests = (0..options.count).map(|number| one(&client, destination, number, options));
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

async fn one(client: &Client, destination: IpAddr, number: u32, options: PingOptions) -> Option<Duration> {
    tokio::time::sleep(Duration::from_millis(options.interval_ms.saturating_mul(u64::from(number)))).await;
    // The sequence number has 16 bits and wraps; the identifier's upper part keeps a wrapped one apart.
    let (high, low) = (number >> 16, number & 0xffff);
    let identifier = PingIdentifier(u16::try_from((std::process::id() + high) & 0xffff).unwrap_or_default());
    let mut pinger = client.pinger(destination, identifier).await;
    pinger.timeout(Duration::from_millis(options.wait_ms));
    let reply = pinger.ping(PingSequence(u16::try_from(low).unwrap_or_default()), &PAYLOAD).await;
    reply.ok().map(|(_, round_trip)| round_trip)
}
