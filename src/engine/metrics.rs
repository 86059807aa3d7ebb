//! What the engine counts, as metrics: names begin with `nsm_`.
//!
//! ```text
//!   mesh ──► Metrics (requests, heals) ─┐
//!   kernel ──► counters of interfaces ──┴─► Family ──► exporter (Prometheus' text), the engine's own socket
//! ```

use std::{
    collections::BTreeMap,
    time::{Duration, UNIX_EPOCH},
};

use futures::{StreamExt, stream};

use super::{forwarder::Connection, identity::Identity, mesh::Mesh};
use crate::{
    model::{Counters, Family, MetricKind, Sample},
    net::{self, Namespace},
};

/// The upper bounds of the histogram of requests, in seconds: a request takes some milliseconds, and a second is an age.
const BOUNDS: [f64; 12] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0];
/// How many namespaces are looked into at once, as with probes.
const AT_ONCE: usize = 32;

/// What was counted since the engine began.
#[derive(Debug, Default)]
pub(super) struct Metrics {
    /// Requests by what became of them.
    requests: BTreeMap<&'static str, u64>,
    heals: u64,
    /// How many requests took no longer than each bound.
    within: [u64; BOUNDS.len()],
    taken: Duration,
}

impl Metrics {
    /// A connection was made anew.
    pub(super) fn healed(&mut self) {
        self.heals += 1;
    }

    /// A client's request was answered after this time; served, its connection was made for the first time or anew.
    pub(super) fn request(&mut self, outcome: &'static str, is_heal: bool, taken: Duration) {
        *self.requests.entry(outcome).or_default() += 1;
        self.heals += u64::from(is_heal);
        self.taken += taken;
        let seconds = taken.as_secs_f64();
        for (bound, count) in BOUNDS.iter().zip(&mut self.within) {
            *count += u64::from(seconds <= *bound);
        }
    }

    fn families(&self) -> Vec<Family> {
        let mut requests = Family { kind: MetricKind::Counter, ..family("nsm_requests_total", "Requests of clients, by what became of them.") };
        // The usual one is there from the beginning, so that a rate can be taken of it.
        let outcomes = self.requests.iter().map(|(outcome, count)| (*outcome, *count));
        let served = (!self.requests.contains_key("served")).then_some(("served", 0));
        for (outcome, count) in served.into_iter().chain(outcomes) {
            requests.put("", &[("outcome", outcome)], count);
        }
        let mut heals =
            Family { kind: MetricKind::Counter, ..family("nsm_heals_total", "Connections that were made anew because they were broken.") };
        heals.put("", &[], self.heals);
        let help = "How long a client's request took, from asking to an interface that carries packets.";
        let mut durations = Family { kind: MetricKind::Histogram, ..family("nsm_request_duration_seconds", help) };
        let all: u64 = self.requests.values().sum();
        for (bound, count) in BOUNDS.iter().zip(self.within) {
            durations.put("_bucket", &[("le", &bound.to_string())], count);
        }
        durations.put("_bucket", &[("le", "+Inf")], all);
        durations.samples.push(Sample { name: format!("{}_sum", durations.name), labels: Vec::new(), value: self.taken.as_secs_f64() });
        durations.put("_count", &[], all);
        vec![requests, heals, durations]
    }
}

/// What identities bring: until when each SVID is valid, and how often it was renewed.
fn identities(identity: &Identity) -> [Family; 2] {
    let help = "When an X.509 SVID runs out, in seconds since 1970. It is renewed at half of its life.";
    let mut expiry = family("nsm_svid_expiration_timestamp_seconds", help);
    let mut rotations = Family { kind: MetricKind::Counter, ..family("nsm_svid_rotations_total", "How often an X.509 SVID was renewed.") };
    for svid in identity.svids() {
        let labels = [("spiffe_id", svid.id.as_str())];
        expiry.put("", &labels, svid.not_after.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs());
        rotations.put("", &labels, svid.rotations);
    }
    [expiry, rotations]
}

fn family(name: &str, help: &str) -> Family {
    Family { name: name.to_owned(), help: help.to_owned(), kind: MetricKind::Gauge, samples: Vec::new() }
}

impl Family {
    /// Adds a sample; what is counted here stays far below the numbers that a double has no more room for.
    fn put(&mut self, end: &str, labels: &[(&str, &str)], value: u64) {
        let labels = labels.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        self.samples.push(Sample { name: format!("{}{end}", self.name), labels, value: value as f64 });
    }
}

/// What is counted, but for what the kernel is still to be asked.
pub(super) struct Counted {
    families: Vec<Family>,
    ends: Vec<End>,
}

struct End {
    labels: Vec<(String, String)>,
    namespace: Namespace,
    interface: String,
}

impl Mesh {
    /// What is counted now. The kernel is asked later, so that nobody waits for it.
    pub(super) fn counted(&self) -> Counted {
        let connections = self.manager.connections();
        let (services, endpoints) = {
            let registry = self.manager.registry();
            (registry.services().count(), registry.endpoints().count())
        };
        let mut families = Vec::new();
        for (name, help, count) in [
            ("nsm_connections", "Connections that are carried now.", connections.len()),
            ("nsm_network_services", "NetworkServices that there are.", services),
            ("nsm_endpoints", "Endpoints that have registered.", endpoints),
            ("nsm_pods", "Pods of this machine.", self.sandboxes.len()),
            ("nsm_deployments", "Deployments that the engine holds.", self.deployments.len()),
        ] {
            let mut gauge = family(name, help);
            gauge.put("", &[], u64::try_from(count).unwrap_or(u64::MAX));
            families.push(gauge);
        }
        families.extend(self.metrics.families());
        families.extend(identities(&self.manager.control.identity));
        let mut info = family("nsm_engine_info", "The engine.");
        info.put("", &[("version", super::protocol::VERSION)], 1);
        families.push(info);
        let end = |connection: &Connection| End {
            labels: [
                ("client", connection.client.pod.to_string()),
                ("network_service", connection.service.name.clone()),
                ("endpoint", connection.endpoint.pod.to_string()),
                ("interface", connection.client.interface.to_string()),
            ]
            .map(|(name, value)| (name.to_owned(), value))
            .into(),
            namespace: connection.client.namespace.clone(),
            interface: connection.client.interface.to_string(),
        };
        Counted { families, ends: connections.iter().map(end).collect() }
    }
}

/// What is taken of an interface's counters.
type Column = fn(&Counters) -> u64;

/// The metrics of a connection: name, help, and the counter.
const OF_A_CONNECTION: [(&str, &str, Column); 8] = [
    ("nsm_connection_receive_bytes_total", "Bytes that the client has received over a connection.", |c| c.rx_bytes),
    ("nsm_connection_transmit_bytes_total", "Bytes that the client has sent over a connection.", |c| c.tx_bytes),
    ("nsm_connection_receive_packets_total", "Packets that the client has received over a connection.", |c| c.rx_packets),
    ("nsm_connection_transmit_packets_total", "Packets that the client has sent over a connection.", |c| c.tx_packets),
    ("nsm_connection_receive_errors_total", "Packets that reached the client damaged.", |c| c.rx_errors),
    ("nsm_connection_transmit_errors_total", "Packets that the client could not send.", |c| c.tx_errors),
    ("nsm_connection_receive_dropped_total", "Packets that were dropped where the client receives.", |c| c.rx_dropped),
    ("nsm_connection_transmit_dropped_total", "Packets that were dropped where the client sends.", |c| c.tx_dropped),
];

impl Counted {
    /// Asks the kernel for the rest. A connection that goes just now has none.
    pub(super) async fn complete(self) -> Vec<Family> {
        let Self { mut families, ends } = self;
        let look = async |end: End| {
            let all = end.namespace.run(async move |handle| net::list_counters(&handle).await).await.unwrap_or_default();
            let own = all.into_iter().find(|counted| counted.interface == end.interface);
            own.map(|own| (end.labels, own.counters))
        };
        let seen: Vec<_> = stream::iter(ends).map(look).buffered(AT_ONCE).collect().await;
        for (name, help, counter) in OF_A_CONNECTION {
            let sample = |(labels, counters): &(Vec<(String, String)>, Counters)| Sample {
                name: name.to_owned(),
                labels: labels.clone(),
                value: counter(counters) as f64,
            };
            let samples = seen.iter().flatten().map(sample).collect();
            families.push(Family { kind: MetricKind::Counter, samples, ..family(name, help) });
        }
        families
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::prometheus::write;

    #[test]
    fn requests_are_counted_by_outcome_and_time() {
        let mut metrics = Metrics::default();
        assert!(write(&metrics.families()).contains("nsm_requests_total{outcome=\"served\"} 0\n"));
        for milliseconds in [2, 30, 9000] {
            metrics.request("not_found", false, Duration::from_millis(milliseconds));
        }
        let text = write(&metrics.families());
        for line in [
            "# TYPE nsm_request_duration_seconds histogram",
            "nsm_requests_total{outcome=\"not_found\"} 3",
            "nsm_request_duration_seconds_bucket{le=\"0.001\"} 0",
            "nsm_request_duration_seconds_bucket{le=\"0.0025\"} 1",
            "nsm_request_duration_seconds_bucket{le=\"0.05\"} 2",
            "nsm_request_duration_seconds_bucket{le=\"5\"} 2",
            "nsm_request_duration_seconds_bucket{le=\"+Inf\"} 3",
            "nsm_request_duration_seconds_sum 9.032",
            "nsm_request_duration_seconds_count 3",
            "nsm_heals_total 0",
        ] {
            assert!(text.lines().any(|written| written == line), "{line}\n{text}");
        }
    }

    #[test]
    fn every_identity_tells_its_end_and_its_renewals() {
        let identity = Identity::new(Duration::from_secs(1)).unwrap();
        let source = identity.source(&identity.domain().id(&["x"]).unwrap()).unwrap();
        let first = source.svid().not_after;
        std::iter::repeat_with(|| source.svid().not_after).find(|not_after| *not_after > first).unwrap();
        let text = write(&identities(&identity));
        let id = source.id();
        assert!(text.contains(&format!("nsm_svid_rotations_total{{spiffe_id=\"{id}\"}} 1\n")), "{text}");
        let expiry = first.duration_since(UNIX_EPOCH).unwrap().as_secs();
        let line = |seconds: u64| format!("nsm_svid_expiration_timestamp_seconds{{spiffe_id=\"{id}\"}} {seconds}\n");
        assert!(text.contains(&line(expiry)) || text.contains(&line(expiry + 1)), "{text}");
    }
}
