use std::fmt::Write;

use crate::model::{Family, MetricKind};

/// The families as text. Those of one name are one, as the format demands; what cannot be a name is written with underscores.
#[must_use]
pub fn write(families: &[Family]) -> String {
    let mut text = String::new();
    for (at, family) in families.iter().enumerate() {
        if families[..at].iter().any(|earlier| earlier.name == family.name) {
            continue;
        }
        let name = identifier(&family.name, true);
        let kind = match family.kind {
            MetricKind::Counter => "counter",
            MetricKind::Gauge => "gauge",
            MetricKind::Histogram => "histogram",
            MetricKind::Summary => "summary",
            MetricKind::Untyped => "untyped",
        };
        // Writing to a string does not fail.
        let _ = writeln!(text, "# HELP {name} {}", family.help.replace('\\', "\\\\").replace('\n', "\\n"));
        let _ = writeln!(text, "# TYPE {name} {kind}");
        for sample in families[at..].iter().filter(|other| other.name == family.name).flat_map(|other| &other.samples) {
            text.push_str(&identifier(&sample.name, true));
            labels(&mut text, &sample.labels);
            let _ = writeln!(text, " {}", number(sample.value));
        }
    }
    text
}

fn labels(text: &mut String, labels: &[(String, String)]) {
    if labels.is_empty() {
        return;
    }
    let escaped = |value: &str| value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
    let all: Vec<String> = labels.iter().map(|(name, value)| format!("{}=\"{}\"", identifier(name, false), escaped(value))).collect();
    let _ = write!(text, "{{{}}}", all.join(","));
}

/// A name that the format takes: `[a-zA-Z_:][a-zA-Z0-9_:]*`, for labels without colons.
fn identifier(name: &str, colons: bool) -> String {
    let fits = |c: char| c.is_ascii_alphanumeric() || c == '_' || colons && c == ':';
    let mut fitted: String = name.chars().map(|c| if fits(c) { c } else { '_' }).collect();
    if fitted.chars().next().is_none_or(|first| first.is_ascii_digit()) {
        fitted.insert(0, '_');
    }
    fitted
}

fn number(value: f64) -> String {
    match value {
        value if value.is_nan() => "NaN".to_owned(),
        f64::INFINITY => "+Inf".to_owned(),
        f64::NEG_INFINITY => "-Inf".to_owned(),
        value => value.to_string(),
    }
}
