//! Keys that go over several lines of a log.

use super::{
    secrets::{REDACTED, Reason},
    text::clean,
};

/// The lines without what looks like a secret; `found` is told the number of the line, from 1, and why.
pub(super) fn clean_lines(lines: &[String], mut found: impl FnMut(usize, Reason)) -> Vec<String> {
    let mut cleaned: Vec<String> = Vec::with_capacity(lines.len());
    let mut inside = false;
    for (index, line) in lines.iter().enumerate() {
        let number = index + 1;
        let end = line.find(END).map(|at| line[at + END.len()..].find("-----").map_or(line.len(), |rest| at + END.len() + rest + "-----".len()));
        // An end without a beginning: the tail of the log begins in the middle of a key.
        if end.is_some() && !inside && !line.contains(BEGIN) {
            for before in (0..index).rev().take_while(|before| is_of_a_key(&lines[*before])) {
                REDACTED.clone_into(&mut cleaned[before]);
                found(before + 1, Reason::Pem);
            }
            inside = true;
        }
        inside &= end.is_some() || is_of_a_key(line) || line.trim().is_empty();
        if !inside {
            cleaned.push(clean(line, &mut |reason| found(number, reason)).into_owned());
            inside = begins(line);
            continue;
        }
        found(number, Reason::Pem);
        let rest = end.map_or("", |end| &line[end..]);
        cleaned.push(format!("{REDACTED}{}", clean(rest, &mut |reason| found(number, reason))));
        inside = end.is_none() || begins(rest);
    }
    cleaned
}

const BEGIN: &str = "-----BEGIN ";
const END: &str = "-----END ";

/// Whether a key begins in the line and does not end in it.
fn begins(line: &str) -> bool {
    line.rfind(BEGIN).is_some_and(|begin| !line[begin..].contains(END))
}

/// Whether a line can be in the middle of a key: its last word is base64, or it is one of the headers of RFC 1421.
fn is_of_a_key(line: &str) -> bool {
    let word = line.split_whitespace().next_back().unwrap_or_default();
    let is_header = line.contains("Proc-Type:") || line.contains("DEK-Info:");
    is_header
        || (!word.is_empty()
            && word.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+/=".contains(&byte))
            && (word.len() >= 16 || word == line.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cleaned(text: &str) -> (String, Vec<usize>) {
        let lines: Vec<String> = text.split('|').map(str::to_owned).collect();
        let mut numbers = Vec::new();
        let cleaned = clean_lines(&lines, |number, _| numbers.push(number));
        (cleaned.join("|"), numbers)
    }

    #[test]
    fn a_key_goes_with_all_its_lines() {
        let cases = [
            ("a|-----BEGIN KEY-----|MIIEowIBAAKCAQEA|Zm9v|-----END KEY-----|b", "a|REDACTED|REDACTED|REDACTED|REDACTED|b", &[2, 3, 4, 5][..]),
            // A tail that begins in the middle, and one that ends there.
            ("MIIEowIBAAKCAQEA|Zm9vZm9vZm9vZm9v|-----END KEY-----|b", "REDACTED|REDACTED|REDACTED|b", &[2, 1, 3]),
            ("a|-----BEGIN KEY-----|MIIEowIBAAKCAQEA", "a|REDACTED|REDACTED", &[2, 3]),
            // What another wrote in between ends it, so that a beginning alone does not take the rest of the log.
            ("x -----BEGIN KEY-----|MIIE|connected to the manager", "x REDACTED|REDACTED|connected to the manager", &[1, 2]),
            ("-----BEGIN A-----x-----END A-----|MIIE", "REDACTED|MIIE", &[1]),
            ("|", "|", &[]),
        ];
        for (text, expected, numbers) in cases {
            let (after, mut told) = cleaned(text);
            let mut numbers = numbers.to_vec();
            told.sort_unstable();
            numbers.sort_unstable();
            assert_eq!((after.as_str(), told), (expected, numbers), "{text}");
            assert_eq!(cleaned(expected).0, expected, "what is clean stays as it is");
        }
    }
}
