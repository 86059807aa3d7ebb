//! What `metrics` tells: what is exposed, by whom, and what the kernel has counted of each connection.

use jiff::Timestamp;
#[cfg(test)]
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Known, Namespaced, Outcome};

/// What a metric is (Prometheus' exposition format, version 0.0.4).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum MetricKind {
    /// It only grows, until what counts begins anew.
    Counter,
    /// It goes up and down.
    Gauge,
    /// Counts of values by size.
    Histogram,
    /// Quantiles of values.
    Summary,
    /// It does not say.
    #[default]
    Untyped,
}

/// A metric with its samples.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(JsonSchema))]
pub struct Family {
    /// Its name.
    pub name: String,
    /// What it says.
    pub help: String,
    /// What it is.
    pub kind: MetricKind,
    /// Its values.
    pub samples: Vec<Sample>,
}

/// A value of a metric.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(JsonSchema))]
pub struct Sample {
    /// The metric's name; of histograms and summaries with what is behind it: `_bucket`, `_sum`, `_count`.
    pub name: String,
    /// What it is about.
    pub labels: Vec<(String, String)>,
    /// The value; `null` in JSON for what is no number there (NaN, infinity).
    #[cfg_attr(test, schemars(with = "Option<f64>"))]
    pub value: f64,
}

/// What the kernel has counted of an interface since it was made.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(JsonSchema))]
pub struct Counters {
    /// Bytes received.
    pub rx_bytes: u64,
    /// Packets received.
    pub rx_packets: u64,
    /// Packets that came damaged.
    pub rx_errors: u64,
    /// Packets that came and were dropped.
    pub rx_dropped: u64,
    /// Bytes sent.
    pub tx_bytes: u64,
    /// Packets sent.
    pub tx_packets: u64,
    /// Packets that could not be sent.
    pub tx_errors: u64,
    /// Packets that were dropped instead of sent.
    pub tx_dropped: u64,
}

/// An interface and what the kernel has counted of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InterfaceCounters {
    /// The interface.
    pub interface: String,
    /// What was counted.
    pub counters: Counters,
}

/// What each second brings, between two looks.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[cfg_attr(test, derive(JsonSchema))]
pub struct Rates {
    /// Bytes received a second.
    pub rx_bytes_per_s: f64,
    /// Packets received a second.
    pub rx_packets_per_s: f64,
    /// Bytes sent a second.
    pub tx_bytes_per_s: f64,
    /// Packets sent a second.
    pub tx_packets_per_s: f64,
}

impl Counters {
    /// What a second brought since an earlier look; `None` where the interface was made anew in between, so that it counts from 0.
    #[must_use]
    pub fn since(&self, before: &Self, seconds: f64) -> Option<Rates> {
        let grown = |now: u64, before: u64| now.checked_sub(before).map(|grown| grown as f64 / seconds).filter(|rate| rate.is_finite());
        Some(Rates {
            rx_bytes_per_s: grown(self.rx_bytes, before.rx_bytes)?,
            rx_packets_per_s: grown(self.rx_packets, before.rx_packets)?,
            tx_bytes_per_s: grown(self.tx_bytes, before.tx_bytes)?,
            tx_packets_per_s: grown(self.tx_packets, before.tx_packets)?,
        })
    }
}

/// Who may expose metrics, and whether it does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(JsonSchema))]
pub struct MetricsSource {
    /// What it does: `nsmgr`, `forwarder`, `engine`.
    pub role: String,
    /// The pod, or the engine's process.
    pub name: String,
    /// The node that it runs on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub node: Option<String>,
    /// Where it exposes them, or why they are not to be had, with the setting that changes that.
    pub exposes: Known<String>,
    /// How many samples came of it.
    pub samples: usize,
}

/// One end of a connection and what the kernel has counted there.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(test, derive(JsonSchema))]
pub struct EndMetrics {
    /// The pod.
    pub pod: Known<Namespaced>,
    /// The interface.
    pub interface: Known<String>,
    /// What its kernel has counted: received and sent are as this end sees them.
    pub counters: Known<Counters>,
    /// What a second brings; nothing where there was one look only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rates: Option<Rates>,
}

/// What was counted of a connection, at both its ends.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(test, derive(JsonSchema))]
pub struct ConnectionMetrics {
    /// The service.
    pub service: String,
    /// The client's end.
    pub client: EndMetrics,
    /// The endpoint's end.
    pub endpoint: EndMetrics,
}

/// Everything that is counted.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(test, derive(JsonSchema))]
pub struct Metrics {
    /// When it was looked, by the target's clock.
    #[cfg_attr(test, schemars(with = "String"))]
    pub taken_at: Timestamp,
    /// Who was asked.
    pub sources: Known<Vec<MetricsSource>>,
    /// What they expose.
    pub families: Vec<Family>,
    /// What the kernel has counted of each connection's interfaces, read in the pods.
    pub connections: Vec<ConnectionMetrics>,
}

impl Metrics {
    /// Whether all that is counted was seen. That NSM exposes nothing is no failure: it is said.
    #[must_use]
    pub fn outcome(&self) -> Outcome {
        let ends = self.connections.iter().flat_map(|connection| [&connection.client, &connection.endpoint]);
        let is_seen = ends.map(|end| end.counters.value().is_some()).fold(None, |all: Option<bool>, seen| Some(all.unwrap_or(true) && seen));
        match is_seen {
            Some(false) => Outcome::CannotTell,
            None if self.families.is_empty() => Outcome::CannotTell,
            _ => Outcome::Passed,
        }
    }
}
