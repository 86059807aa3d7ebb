use proptest::prelude::*;

use super::*;
use crate::model::{Family, MetricKind, Sample};

/// A sample's name, labels and value, as they are written.
type Read = (String, Vec<(String, String)>, String);

/// Reads the format as its specification has it, and nothing else: each family once, HELP and TYPE before its samples, names and
/// labels of the characters that are allowed, every value a number, no label twice, a line feed at the end.
fn strictly(text: &str) -> Vec<Read> {
    assert!(text.is_empty() || text.ends_with('\n'));
    let is_name = |name: &str, colons: bool| {
        let fits = |c: char| c.is_ascii_alphabetic() || c == '_' || colons && c == ':';
        name.starts_with(fits) && name.chars().all(|c| fits(c) || c.is_ascii_digit())
    };
    let (mut seen, mut samples, mut current, mut kind) = (Vec::new(), Vec::new(), String::new(), String::new());
    let mut lines = text.split_terminator('\n');
    while let Some(line) = lines.next() {
        assert!(!line.contains('\r') && !line.is_empty(), "{line:?}");
        if let Some(help) = line.strip_prefix("# HELP ") {
            let (name, _) = help.split_once(' ').expect("a name and its help");
            assert!(is_name(name, true) && !seen.contains(&name.to_owned()), "{name} twice, or no name");
            seen.push(name.to_owned());
            current = name.to_owned();
            let typed = lines.next().and_then(|line| line.strip_prefix("# TYPE ")).expect("a type");
            let (typed, word) = typed.split_once(' ').expect("a name and its type");
            assert!(typed == name && ["counter", "gauge", "histogram", "summary", "untyped"].contains(&word), "{typed} {word}");
            kind = word.to_owned();
            continue;
        }
        let end = line.find(['{', ' ']).expect("a value");
        let (name, mut rest) = line.split_at(end);
        let stem = if kind == "histogram" { ["_bucket", "_sum", "_count"].iter().find_map(|end| name.strip_suffix(end)) } else { None };
        assert!(is_name(name, true) && stem.unwrap_or(name) == current, "{name} below {current}");
        let mut labels: Vec<(String, String)> = Vec::new();
        if let Some(mut inner) = rest.strip_prefix('{') {
            loop {
                let (label, behind) = inner.split_once("=\"").expect("a label");
                assert!(is_name(label, false) && labels.iter().all(|(other, _)| other != label), "{label}");
                let mut value = String::new();
                let mut chars = behind.char_indices();
                let end = loop {
                    match chars.next().expect("a quote at its end") {
                        (at, '"') => break at,
                        (_, '\\') => value.push(match chars.next().expect("what is escaped").1 {
                            'n' => '\n',
                            c @ ('\\' | '"') => c,
                            c => panic!("\\{c} is no escape"),
                        }),
                        (_, c) => value.push(c),
                    }
                };
                labels.push((label.to_owned(), value));
                let behind = &behind[end + 1..];
                match behind.strip_prefix(',') {
                    Some(more) => inner = more,
                    None => break rest = behind.strip_prefix('}').expect("a brace"),
                }
            }
        }
        let value = rest.strip_prefix(' ').expect("a blank before the value");
        assert!(["NaN", "+Inf", "-Inf"].contains(&value) || value.parse::<f64>().is_ok_and(f64::is_finite), "{value}");
        samples.push((name.to_owned(), labels, value.to_owned()));
    }
    let distinct: std::collections::BTreeSet<_> = samples.iter().map(|(name, labels, _)| (name, labels)).collect();
    assert_eq!(distinct.len(), samples.len(), "a sample twice");
    samples
}

fn sample(name: &str, labels: &[(&str, &str)], value: f64) -> Sample {
    Sample { name: name.into(), labels: labels.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(), value }
}

fn family(name: &str, kind: MetricKind, samples: Vec<Sample>) -> Family {
    Family { name: name.into(), help: format!("What {name} says."), kind, samples }
}

#[test]
fn what_is_written_is_the_format() {
    let families = [
        family("nsm_up", MetricKind::Gauge, vec![sample("nsm_up", &[], 1.0)]),
        Family {
            help: "a \\ and\na line".into(),
            ..family("nsm_x_total", MetricKind::Counter, vec![sample("nsm_x_total", &[("a", "q\"\\\nz"), ("b", "")], 0.25)])
        },
        family(
            "nsm_d",
            MetricKind::Histogram,
            vec![sample("nsm_d_bucket", &[("le", "+Inf")], 2.0), sample("nsm_d_sum", &[], 1e-7), sample("nsm_d_count", &[], 2.0)],
        ),
        family("nsm_up", MetricKind::Gauge, vec![sample("nsm_up", &[("node", "b")], f64::NAN)]),
        family("1-odd.name", MetricKind::Untyped, vec![sample("1-odd.name", &[("a-b", "c")], f64::INFINITY)]),
    ];
    let text = write(&families);
    assert!(text.starts_with("# HELP nsm_up What nsm_up says.\n# TYPE nsm_up gauge\nnsm_up 1\nnsm_up{node=\"b\"} NaN\n"), "{text}");
    assert!(text.contains("# HELP nsm_x_total a \\\\ and\\na line\n") && text.contains("_1_odd_name{a_b=\"c\"} +Inf\n"), "{text}");
    let samples = strictly(&text);
    assert_eq!(samples[2].1, [("a".to_owned(), "q\"\\\nz".to_owned()), ("b".to_owned(), String::new())]);
    assert_eq!(samples.len(), 7);
}

/// As forwarder-vpp exposes them, and as client libraries of Go do.
const EXPOSED: &str = "# HELP client_rx_bytes_total client_rx_bytes_total
# TYPE client_rx_bytes_total counter
client_rx_bytes_total{connection_id=\"alpine-0\",network_service=\"icmp \\\"x\\\"\",nsc=\"alpine\",nse_interface=\"a/b\"} 1.2e+03 1700000000000

# a comment
# TYPE go_gc_duration_seconds summary
go_gc_duration_seconds{quantile=\"0.5\"} NaN
go_gc_duration_seconds_sum 0.5
bare 1
spaced { a = \"b\" , c=\"d,}\", } -Inf
";

#[test]
fn what_a_forwarder_exposes_is_read() {
    let families = read(EXPOSED).unwrap();
    let names: Vec<(&str, MetricKind, usize)> = families.iter().map(|family| (family.name.as_str(), family.kind, family.samples.len())).collect();
    let expected = [
        ("client_rx_bytes_total", MetricKind::Counter, 1),
        ("go_gc_duration_seconds", MetricKind::Summary, 2),
        ("bare", MetricKind::Untyped, 1),
        ("spaced", MetricKind::Untyped, 1),
    ];
    assert_eq!(names, expected);
    assert_eq!((families[0].samples[0].value, families[0].samples[0].labels[1].1.as_str()), (1200.0, "icmp \"x\""));
    assert_eq!(families[3].samples[0].labels, [("a".to_owned(), "b".to_owned()), ("c".to_owned(), "d,}".to_owned())]);
    for wrong in ["<html>", "1x 2", "a{b=\"c} 1", "a{b=c} 1", "a", "a x", "a{b=\"c\" 1"] {
        assert_eq!(read(&format!("ok 1\n{wrong}\n")).unwrap_err().line, 2, "{wrong}");
    }
}

proptest! {
    #[test]
    fn every_value_of_a_label_comes_back(value in ".*", help in ".*", number in any::<f64>()) {
        let families = [Family { help, ..family("m_total", MetricKind::Counter, vec![sample("m_total", &[("l", &value)], number)]) }];
        // A carriage return is no end of a line of the format, and some readers take it for one.
        prop_assume!(!families[0].help.contains('\r') && !value.contains(['\r', '\u{2028}', '\u{85}']));
        let text = write(&families);
        let strict = strictly(&text);
        prop_assert_eq!(&strict[0].1[0].1, &value);
        let again = read(&text).unwrap();
        prop_assert_eq!(&again[0].samples[0].labels[0].1, &value);
        prop_assert!(again[0].samples[0].value == number || number.is_nan());
    }

    #[test]
    fn nothing_makes_reading_panic(text in ".*") {
        let _ = read(&text);
    }
}
