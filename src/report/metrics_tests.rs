use super::*;
use crate::model::{MetricsSource, Namespaced, Rates};

const PLAIN: Look = Look { width: Some(100), colour: false, unicode: true };

fn end(pod: &str, interface: &str, bytes: u64) -> EndMetrics {
    let counted =
        Counters { rx_bytes: bytes, rx_packets: 12, tx_bytes: 840, tx_packets: 10, rx_dropped: 1, tx_dropped: 1, tx_errors: 3, rx_errors: 0 };
    EndMetrics {
        pod: Known::Value(Namespaced::new("ns", pod)),
        interface: Known::Value(interface.into()),
        counters: Known::Value(counted),
        rates: None,
    }
}

fn metrics() -> Metrics {
    let sample = |name: &str, labels: &[(&str, &str)]| Sample {
        name: name.into(),
        labels: labels.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
        value: 7.0,
    };
    let family = |name: &str, kind, samples| Family { name: name.into(), help: "What it says.".into(), kind, samples };
    let source =
        |name: &str, exposes, samples| MetricsSource { role: "forwarder".into(), name: name.into(), node: Some("worker".into()), exposes, samples };
    let unseen = EndMetrics { counters: Known::unknown("exec is forbidden"), ..end("nse", "kernel2ker-CKBv", 0) };
    Metrics {
        taken_at: "2026-11-24T00:00:00Z".parse().unwrap(),
        sources: Known::Value(vec![
            source("forwarder-vpp-a", Known::Value("port 8081, /metrics".into()), 2),
            source("nsmgr-a", Known::unknown("nsmgr serves none"), 0),
        ]),
        families: vec![
            family(
                "client_rx_bytes_total",
                MetricKind::Counter,
                vec![sample("client_rx_bytes_total", &[("connection_id", "alpine-0"), ("nsc", "a\"b")])],
            ),
            family("go_goroutines", MetricKind::Gauge, vec![sample("go_goroutines", &[("pod", "forwarder-vpp-a")])]),
        ],
        connections: vec![ConnectionMetrics { service: "kernel2kernel".into(), client: end("alpine", "nsm-1", 1_234_567), endpoint: unseen }],
    }
}

#[test]
fn a_person_reads_who_exposes_what_and_what_was_counted() {
    insta::assert_snapshot!(text(&metrics(), PLAIN));
    let mut rated = metrics();
    rated.connections[0].client.rates = Some(Rates { rx_bytes_per_s: 2048.0, rx_packets_per_s: 1.5, tx_bytes_per_s: 0.0, tx_packets_per_s: 0.0 });
    assert!(text(&rated, Look { width: None, ..PLAIN }).contains("2.0 kB/s  1.5/s"));
    // Watched on a terminal of 80 columns, too: names of this machine, and rates of three figures.
    let busy = Rates { rx_bytes_per_s: 123.4e6, rx_packets_per_s: 1234.5, tx_bytes_per_s: 123.4e6, tx_packets_per_s: 1234.5 };
    let ends = &mut rated.connections[0];
    (ends.client.rates, ends.endpoint) = (Some(busy), EndMetrics { rates: Some(busy), ..end("nse-kernel-2zz27-0", "kernel2ker-qLfs", 7) });
    insta::assert_snapshot!("rates_on_80_columns", connections(&rated.connections, Look { width: Some(80), ..PLAIN }));
    for width in [60, 80, 100] {
        let text = text(&rated, Look { width: Some(width), ..PLAIN });
        assert!(text.lines().all(|line| textwrap::core::display_width(line) <= width), "{width}: {text}");
    }
}

#[test]
fn a_line_for_each_end() {
    assert_eq!(
        short(&metrics()),
        "source forwarder forwarder-vpp-a: 2 samples at port 8081, /metrics\n\
         source forwarder nsmgr-a: none: nsmgr serves none\n\
         client ns/alpine nsm-1 kernel2kernel: rx_bytes=1234567 rx_packets=12 tx_bytes=840 tx_packets=10\n\
         endpoint ns/nse kernel2ker-CKBv kernel2kernel: unknown: exec is forbidden\n"
    );
}

#[test]
fn prometheus_reads_what_was_exposed_and_what_was_counted() {
    let mut twice = metrics();
    twice.connections.push(twice.connections[0].clone());
    let text = prometheus(&twice);
    assert!(text.contains("client_rx_bytes_total{connection_id=\"alpine-0\",nsc=\"a\\\"b\"} 7\n"), "{text}");
    let own = "nsmctl_interface_receive_bytes_total{namespace=\"ns\",pod=\"alpine\",interface=\"nsm-1\",network_service=\"kernel2kernel\",side=\"client\"} 1234567\n";
    assert_eq!(text.matches(own).count(), 1, "{text}");
    assert!(!text.contains("nse"), "what was not read is no sample: {text}");
    let families = crate::prometheus::read(&text).unwrap();
    assert_eq!(families.len(), 10);
    assert!(families.iter().all(|family| !family.help.is_empty()));
}

#[test]
fn values_are_in_their_units() {
    let of = |name: &str, number: f64| value(&Sample { name: name.to_owned(), labels: Vec::new(), value: number });
    assert_eq!(of("nsm_svid_expiration_timestamp_seconds", 1_800_000_000.0), "2027-01-15T08:00:00Z");
    assert_eq!(of("nsm_request_duration_seconds_sum", 0.032_985_084), "0.033 s");
    assert_eq!(of("client_rx_bytes_total", 1_500.0), "1.5 kB");
    assert_eq!(of("nsm_connections", 3.0), "3");
}

#[test]
fn pods_of_several_namespaces_are_told_apart() {
    let mut both = metrics();
    let mut other = both.connections[0].clone();
    other.client.pod = Known::Value(Namespaced::new("elsewhere", "alpine"));
    assert!(!connections(&both.connections, PLAIN).contains("ns/"));
    both.connections.push(other);
    let text = connections(&both.connections, PLAIN);
    assert!(text.contains("elsewhere/alpine") && text.contains("ns/alpine nsm-1"), "{text}");
}

#[test]
fn sizes_are_as_people_read_them() {
    let sizes = [0.0, 999.0, 1000.0, 1_234_567.0, 5e9, 7e13].map(size);
    assert_eq!(sizes, ["0 B", "999 B", "1.0 kB", "1.2 MB", "5.0 GB", "70.0 TB"]);
}

#[test]
fn what_could_not_be_read_is_not_passed() {
    use crate::model::Outcome;
    assert_eq!(metrics().outcome(), Outcome::CannotTell);
    let mut whole = metrics();
    whole.connections[0].endpoint = end("nse", "x", 1);
    assert_eq!(whole.outcome(), Outcome::Passed);
    whole.connections.clear();
    assert_eq!(whole.outcome(), Outcome::Passed);
    whole.families.clear();
    assert_eq!(whole.outcome(), Outcome::CannotTell, "there is nothing");
}
