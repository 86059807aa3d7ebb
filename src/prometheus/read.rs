use crate::model::{Family, MetricKind, Sample};

/// A line that is not in the format.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line} is no metric: {words}")]
pub struct Unreadable {
    /// Its number, from 1.
    pub line: usize,
    /// Its beginning.
    pub words: String,
}

/// How much of a line is quoted, in characters.
const QUOTED: usize = 80;

/// Reads what an exporter says. Timestamps are passed over, and so are comments.
///
/// # Errors
/// The first line that is no sample.
pub fn read(text: &str) -> Result<Vec<Family>, Unreadable> {
    let mut families: Vec<Family> = Vec::new();
    for (at, line) in text.lines().enumerate() {
        let line = line.trim();
        if let Some(comment) = line.strip_prefix('#') {
            let mut words = comment.trim_start().splitn(3, ' ');
            match (words.next(), words.next(), words.next()) {
                (Some("HELP"), Some(name), help) => family(&mut families, name).help = unescaped(help.unwrap_or_default()),
                (Some("TYPE"), Some(name), Some(kind)) => family(&mut families, name).kind = kind_of(kind.trim()),
                _ => {}
            }
        } else if !line.is_empty() {
            let sample = sample(line).ok_or_else(|| Unreadable { line: at + 1, words: line.chars().take(QUOTED).collect() })?;
            let name = owner(&families, &sample.name);
            family(&mut families, &name).samples.push(sample);
        }
    }
    Ok(families)
}

fn family<'a>(families: &'a mut Vec<Family>, name: &str) -> &'a mut Family {
    let at = families.iter().rposition(|family| family.name == name).unwrap_or_else(|| {
        families.push(Family { name: name.to_owned(), ..Family::default() });
        families.len() - 1
    });
    &mut families[at]
}

/// The family that a sample is of: a histogram's samples have more to their names.
fn owner(families: &[Family], sample: &str) -> String {
    let stems = ["_bucket", "_sum", "_count"].into_iter().filter_map(|end| sample.strip_suffix(end));
    let is_compound = |family: &Family| matches!(family.kind, MetricKind::Histogram | MetricKind::Summary);
    let found = stems.into_iter().find(|stem| families.iter().any(|family| family.name == *stem && is_compound(family)));
    found.unwrap_or(sample).to_owned()
}

fn kind_of(word: &str) -> MetricKind {
    match word {
        "counter" => MetricKind::Counter,
        "gauge" => MetricKind::Gauge,
        "histogram" => MetricKind::Histogram,
        "summary" => MetricKind::Summary,
        _ => MetricKind::Untyped,
    }
}

fn sample(line: &str) -> Option<Sample> {
    let end = line.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_' || c == ':')).unwrap_or(line.len());
    let (name, mut rest) = line.split_at(end);
    if name.is_empty() || name.starts_with(|c: char| c.is_ascii_digit()) {
        return None;
    }
    let mut labels = Vec::new();
    rest = rest.trim_start();
    if let Some(inner) = rest.strip_prefix('{') {
        (labels, rest) = self::labels(inner)?;
    }
    let value = rest.split_whitespace().next()?;
    let value = match value {
        "+Inf" | "Inf" => f64::INFINITY,
        "-Inf" => f64::NEG_INFINITY,
        "NaN" => f64::NAN,
        number => number.parse().ok()?,
    };
    Some(Sample { name: name.to_owned(), labels, value })
}

type Labels = Vec<(String, String)>;

/// The labels, and what is behind the brace.
fn labels(mut rest: &str) -> Option<(Labels, &str)> {
    let mut labels = Vec::new();
    loop {
        rest = rest.trim_start_matches([' ', '\t', ',']);
        if let Some(behind) = rest.strip_prefix('}') {
            return Some((labels, behind));
        }
        let (name, behind) = rest.split_once('=')?;
        let quoted = behind.trim_start().strip_prefix('"')?;
        let end = closing(quoted)?;
        labels.push((name.trim().to_owned(), unescaped(&quoted[..end])));
        rest = &quoted[end + 1..];
    }
}

/// Where the quote is that is not escaped.
fn closing(text: &str) -> Option<usize> {
    let mut escaped = false;
    text.char_indices().find_map(|(at, c)| {
        let closes = c == '"' && !escaped;
        escaped = c == '\\' && !escaped;
        closes.then_some(at)
    })
}

fn unescaped(text: &str) -> String {
    let mut plain = String::new();
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match (c, c == '\\') {
            (_, true) => match chars.next() {
                Some('n') => plain.push('\n'),
                Some(other) => plain.push(other),
                None => {}
            },
            (c, false) => plain.push(c),
        }
    }
    plain
}
