use std::time::Duration;

use clap::Args;

use super::{parse_duration, whole};

/// Which connections are meant, beside those of the manifests.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Which connections")]
pub struct ScopeArgs {
    /// All NSM clients, in every namespace, whoever deployed them.
    #[arg(long, short = 'A', conflicts_with_all = ["namespace", "manifests"])]
    pub all_namespaces: bool,
    /// The clients with these labels, as in app=alpine or 'tier in (a,b)'.
    #[arg(long, short = 'l', value_name = "SELECTOR")]
    pub selector: Option<String>,
    /// The client of this name: a workload's or a pod's.
    #[arg(long, value_name = "NAME")]
    pub client: Option<String>,
}

/// How to look into pods, and how much is good enough.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Pings")]
pub struct LookArgs {
    /// How many pings each way; up to 10 are sent once more where some were lost, and the first count is told too.
    #[arg(long, default_value_t = 4, value_parser = whole(1..=10_000), value_name = "N")]
    pub count: u32,
    /// The time between two pings.
    #[arg(long, default_value = "100ms", value_parser = parse_interval, value_name = "DURATION")]
    pub interval: Duration,
    /// How many of them may be lost, in percent.
    #[arg(long, default_value_t = 0.0, value_parser = parse_percent, value_name = "PERCENT")]
    pub max_loss: f64,
    /// How long the mean round trip may take, as in 5ms.
    #[arg(long, value_parser = parse_duration, value_name = "DURATION")]
    pub max_rtt: Option<Duration>,
    /// The image of the container that is put into a pod whose own have no ip or ping; empty for none.
    #[arg(long, default_value = "alpine:3.15.0", value_name = "IMAGE")]
    pub debug_image: String,
}

/// `ping` takes milliseconds at the finest, and an hour between two is no test any more.
fn parse_interval(text: &str) -> Result<Duration, String> {
    let interval = parse_duration(text)?;
    let range = Duration::from_millis(1)..=Duration::from_secs(3600);
    if range.contains(&interval) { Ok(interval) } else { Err("an interval is between 1ms and 1h".to_owned()) }
}

fn parse_percent(text: &str) -> Result<f64, String> {
    let percent = text.trim_end_matches('%').trim_end().parse::<f64>().ok().filter(|percent| (0.0..=100.0).contains(percent));
    percent.ok_or_else(|| "say it as a number from 0 to 100".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thresholds_have_ranges() {
        assert_eq!(parse_percent("25"), Ok(25.0));
        assert_eq!(parse_percent("0.5 %"), Ok(0.5));
        for wrong in ["-1", "101", "NaN", "some", ""] {
            assert!(parse_percent(wrong).is_err(), "{wrong}");
        }
        assert_eq!(parse_interval("20ms"), Ok(Duration::from_millis(20)));
        for wrong in ["2h", "1us", "0s", "x"] {
            assert!(parse_interval(wrong).is_err(), "{wrong}");
        }
    }
}
