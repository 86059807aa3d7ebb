//! Reads NSM's logs: `Mon DD HH:MM:SS.mmm [ERRO] [id:…] [type:…] text`.
//!
//! NSM wraps an error at every hop, so the cause stands anywhere in the line, and it tries again for ever, so the same
//! error comes again and again with other times and ids.

/// The words that make a line one about an error.
const ERROR_MARKS: [&str; 7] = ["[ERRO]", "[ERROR]", "[FATA]", "[FATAL]", "[PANI]", "level=error", "level=fatal"];
/// How much of an error is quoted, in characters: a person reads a few lines, and NSM's causes stand at the end.
const QUOTED: usize = 600;

/// An error of a log, however often it stands there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogError {
    /// Its text, without time, ids and wrapping.
    pub text: String,
    /// How often it stands in the log.
    pub count: usize,
    /// When it was logged first, in the log's own words.
    pub first: Option<String>,
    /// When it was logged last.
    pub last: Option<String>,
}

/// The errors of a log, each once; the one that came last stands last.
#[must_use]
pub fn errors(lines: &[String]) -> Vec<LogError> {
    let mut errors: Vec<(String, LogError)> = Vec::new();
    for line in lines.iter().map(|line| plain(line)).filter(|line| is_error(line)) {
        let text = message(&line);
        let key = key(&text);
        let known = errors.iter().position(|(k, _)| *k == key).map(|at| errors.remove(at).1);
        let last = time(&line);
        let (count, first) = known.map_or((0, None), |known| (known.count, known.first));
        errors.push((key, LogError { text, count: count + 1, first: first.or_else(|| last.clone()), last }));
    }
    errors.into_iter().map(|(_, error)| error).collect()
}

/// How long before the last error one may have been logged that still goes on, in seconds: NSM's client tries every few.
const GOING_ON: u32 = 20;

/// The error that counts: the last one, or where that only says that something failed, the last telling one that goes on.
/// Retries take one way after the other, so that errors come in turns.
#[must_use]
pub fn cause<'a>(errors: &'a [LogError], telling: &[&[&str]]) -> Option<&'a LogError> {
    let newest = errors.last()?;
    let now = newest.last.as_deref().and_then(second);
    let goes_on = |error: &&LogError| match (now, error.last.as_deref().and_then(second)) {
        (Some(now), Some(then)) => now.checked_sub(then).is_some_and(|ago| ago <= GOING_ON),
        _ => false,
    };
    let is_telling = |error: &&LogError| telling.iter().any(|parts| reads(&error.text, parts));
    if is_telling(&newest) {
        return Some(newest);
    }
    errors.iter().rev().filter(goes_on).find(is_telling).or(Some(newest))
}

/// The second of the day in a time of NSM's.
fn second(time: &str) -> Option<u32> {
    let mut parts = time.split_ascii_whitespace().nth(2)?.split(':').map(|part| part.parse::<u32>().ok());
    let (hours, minutes, seconds) = (parts.next()??, parts.next()??, parts.next()??);
    Some((hours * 60 + minutes) * 60 + seconds)
}

/// The time at the start of a line of NSM's, `Mon DD HH:MM:SS.mmm`, to the second.
fn time(line: &str) -> Option<String> {
    let words: Vec<&str> = line.split_ascii_whitespace().take(3).collect();
    let [month, day, clock] = words[..] else { return None };
    let clock = clock.split('.').next()?;
    let is_clock = clock.len() == 8 && clock.bytes().enumerate().all(|(at, byte)| if at % 3 == 2 { byte == b':' } else { byte.is_ascii_digit() });
    let is_date = month.len() == 3 && month.bytes().all(|byte| byte.is_ascii_alphabetic()) && day.parse::<u8>().is_ok();
    (is_clock && is_date).then(|| format!("{month} {day} {clock}"))
}

/// Whether the parts stand in the text, one after the other, in either case.
#[must_use]
pub fn reads(text: &str, parts: &[&str]) -> bool {
    let text = text.to_ascii_lowercase();
    let mut rest = text.as_str();
    parts.iter().all(|part| match rest.find(&part.to_ascii_lowercase()) {
        Some(at) => {
            rest = &rest[at + part.len()..];
            true
        }
        None => false,
    })
}

/// What a line says, without time, level, fields and the wrapping of gRPC.
#[must_use]
pub fn message(line: &str) -> String {
    let line = plain(line);
    let text = match line.find("msg=") {
        Some(at) if line.contains("level=") => line[at + 4..].trim_matches('"').to_owned(),
        _ => after_fields(&line).to_owned(),
    };
    shorten(&unwrap(&without_tokens(&text)))
}

/// Without the tokens that NSM logs with whole requests: they are good for ten minutes, and a quote goes anywhere.
fn without_tokens(text: &str) -> String {
    let is_of_token = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let mut rest = text;
    let mut clean = String::with_capacity(text.len());
    // A JWT's header begins with `{"`, which is eyJ in base64 (RFC 7519).
    while let Some(at) = rest.find("eyJ") {
        let end = rest[at..].find(|c| !is_of_token(c)).map_or(rest.len(), |length| at + length);
        let is_token = rest[at..end].matches('.').count() == 2;
        clean.push_str(&rest[..at]);
        clean.push_str(if is_token { "(token)" } else { &rest[at..end] });
        rest = &rest[end..];
    }
    clean.push_str(rest);
    clean
}

/// What hops say about the hop behind them, and of every failed request: the cause stands beside it.
const WRAPPING: [&str; 6] = [
    "Error returned from",
    "try attempt has failed",
    "An error during select",
    "cannot support any of the requested mechanism",
    "all forwarders have failed",
    "all candidates have failed",
];

/// The cause in an error, as short as a line of progress wants it: without what the hops around it say.
#[must_use]
pub fn gist(text: &str) -> String {
    let telling = |part: &&str| !WRAPPING.iter().any(|wrapping| part.contains(wrapping)) && !part.trim().is_empty();
    let parts: Vec<&str> = text.split(": ").filter(telling).collect();
    if parts.is_empty() { text.to_owned() } else { parts.join(": ") }
}

fn is_error(line: &str) -> bool {
    line.starts_with("panic:") || ERROR_MARKS.iter().any(|mark| line.contains(mark))
}

/// Without the colours that NSM's logger writes even where nobody sees them.
fn plain(line: &str) -> String {
    let mut text = String::with_capacity(line.len());
    let mut characters = line.chars();
    while let Some(character) = characters.next() {
        if character == '\u{1b}' {
            characters.by_ref().find(char::is_ascii_alphabetic);
        } else {
            text.push(character);
        }
    }
    text
}

/// What stands behind the level and the fields in brackets that follow it.
fn after_fields(line: &str) -> &str {
    let level = |line: &str| line.find(['[']).filter(|at| line[at + 1..].find(']').is_some_and(|end| (4..=5).contains(&end)));
    let Some(at) = level(line) else { return line.trim() };
    let mut rest = &line[at..];
    while let Some(end) = closing(rest) {
        rest = rest[end + 1..].trim_start();
    }
    // The depth of a trace: (1.2).
    let depth = rest.strip_prefix('(').and_then(|rest| rest.split_once(')'));
    match depth {
        Some((depth, behind)) if !depth.is_empty() && depth.chars().all(|c| c.is_ascii_digit() || c == '.') => behind.trim(),
        _ => rest.trim(),
    }
}

/// Where the bracket closes that the text begins with; fields are nested, as in `[cmd:[/bin/cmd-nsc]]`.
fn closing(text: &str) -> Option<usize> {
    if !text.starts_with('[') {
        return None;
    }
    let mut depth = 0_usize;
    text.char_indices().find_map(|(at, character)| {
        match character {
            '[' => depth += 1,
            ']' => depth = depth.saturating_sub(1),
            _ => {}
        }
        (depth == 0).then_some(at)
    })
}

/// Without `rpc error: code = … desc = `, and each part that an outer error repeats only once.
fn unwrap(text: &str) -> String {
    let mut text = text.to_owned();
    while let Some(at) = text.find("rpc error: code = ") {
        let Some(end) = text[at..].find(" desc = ") else { break };
        text.replace_range(at..at + end + " desc = ".len(), "");
    }
    let mut parts: Vec<&str> = Vec::new();
    for part in text.split(": ") {
        if !parts.contains(&part) {
            parts.push(part);
        }
    }
    parts.join(": ")
}

fn shorten(text: &str) -> String {
    let length = text.chars().count();
    if length <= QUOTED {
        return text.to_owned();
    }
    let head: String = text.chars().take(QUOTED / 3).collect();
    let tail: String = text.chars().skip(length - QUOTED * 2 / 3).collect();
    format!("{head} … {tail}")
}

/// What makes two errors the same: the text without ids and durations.
fn key(text: &str) -> String {
    let is_word = |c: char| c.is_alphanumeric() || matches!(c, '-' | '.');
    let mut key = String::with_capacity(text.len());
    let mut word = String::new();
    for character in text.chars().chain([' ']) {
        if is_word(character) {
            word.push(character);
        } else {
            key.push_str(if is_id(&word) || is_duration(&word) { "#" } else { &word });
            key.push(character);
            word.clear();
        }
    }
    key
}

fn is_id(word: &str) -> bool {
    word.len() >= 8 && word.contains(|c: char| c.is_ascii_digit()) && word.chars().all(|c| c.is_ascii_hexdigit() || c == '-')
}

fn is_duration(word: &str) -> bool {
    word.starts_with(|c: char| c.is_ascii_digit())
        && word.ends_with(['s', 'm', 'h'])
        && word.chars().all(|c| c.is_ascii_digit() || matches!(c, '.' | 'n' | 'µ' | 'm' | 's' | 'h'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn lines(text: &[&str]) -> Vec<String> {
        text.iter().map(|line| (*line).to_owned()).collect()
    }

    #[test]
    fn the_same_error_is_told_once_and_the_last_one_stands_last() {
        let log = lines(&[
            "Nov 23 12:00:00.123 [ERRO] [id:alpine-0] [type:networkService] try attempt has failed: endpoint candidates not found",
            "Nov 23 12:00:01.123 [ERRO] [id:alpine-0] try attempt has failed after 1.25s of 7c9e6679-7425-40de-944b-e07fc1f90ae7: IPPool is empty",
            "Nov 23 12:00:02.007 [INFO] [cmd:[/bin/cmd-nsc-init]] trying again",
            "Nov 23 12:00:03.123 [ERRO] [id:alpine-0] [type:networkService] try attempt has failed: endpoint candidates not found",
            "\u{1b}[31mNov 23 12:00:04.1 [ERRO]\u{1b}[0m [cmd:[/bin/x]] (1.2) try attempt has failed after 3s of 0b0e1b3a-7425-40de-944b-e07fc1f90ae7: IPPool is empty",
        ]);
        let errors = errors(&log);
        let told: Vec<(&str, usize)> = errors.iter().map(|error| (error.text.as_str(), error.count)).collect();
        assert_eq!(
            told,
            [
                ("try attempt has failed: endpoint candidates not found", 2),
                ("try attempt has failed after 3s of 0b0e1b3a-7425-40de-944b-e07fc1f90ae7: IPPool is empty", 2)
            ]
        );
    }

    #[test]
    fn wrapping_is_taken_off_and_the_cause_stays() {
        let wrapped =
            "Nov 23 12:00:00.1 [ERRO] [id:a] rpc error: code = Unknown desc = error: rpc error: code = Unknown desc = error: IPPool is empty";
        assert_eq!(message(wrapped), "error: IPPool is empty");
        assert_eq!(message("time=\"x\" level=fatal msg=\"no identity issued\""), "no identity issued");
        assert_eq!(message("panic: nil map"), "panic: nil map");
        let long = format!("Nov 23 12:00:00.1 [ERRO] {}: IPPool is empty", "x".repeat(2000));
        assert!(message(&long).ends_with("IPPool is empty") && message(&long).chars().count() < 700);
    }

    #[test]
    fn of_errors_that_come_in_turns_the_telling_one_counts() {
        let telling: &[&[&str]] = &[&["IPPool is empty"]];
        let turns = |first: &str, then: &str| {
            errors(&lines(&[
                &format!("Nov 23 {first}.1 [ERRO] [id:a] IPPool is empty"),
                &format!("Nov 23 {then}.1 [ERRO] [id:a] context deadline exceeded"),
            ]))
        };
        let told = |first: &str, then: &str| cause(&turns(first, then), telling).map(|error| error.text.clone());
        assert_eq!(told("12:00:01", "12:00:07").as_deref(), Some("IPPool is empty"));
        assert_eq!(told("12:00:01", "12:01:07").as_deref(), Some("context deadline exceeded"), "it is over");
        assert_eq!(cause(&[], telling), None);
    }

    #[test]
    fn tokens_are_not_quoted() {
        let line = "Nov 23 12:00:00.1 [ERRO] token:\"eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJ4In0.a-b_c\" of eyJust a word: IPPool is empty";
        assert_eq!(message(line), "token:\"(token)\" of eyJust a word: IPPool is empty");
    }

    #[test]
    fn the_gist_is_the_cause_alone() {
        let seen = "try attempt has failed: Error returned from networkservice/networkServiceClient.Request: 0. An error during select forwarder \
                    forwarder-ovs-gpm9h --> Error returned from connect/connectClient.Request: network service endpoint candidates not found: \
                    all forwarders have failed: cannot support any of the requested mechanism";
        assert_eq!(gist(seen), "network service endpoint candidates not found");
        assert_eq!(gist("all forwarders have failed"), "all forwarders have failed");
    }

    #[test]
    fn what_stands_in_a_line_stands_there_in_order() {
        assert!(reads("a: failed calling webhook \"x\": dial tcp: Connection refused", &["failed calling webhook", "connection refused"]));
        assert!(!reads("connection refused: failed calling webhook", &["failed calling webhook", "connection refused"]));
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "(?s).{0,200}", brackets in "[\\[\\]a-z:() .\u{1b}µ0-9]{0,60}") {
            let _ = errors(&[format!("[ERRO] {text}"), format!("[ERRO] {brackets}"), brackets.clone()]);
            let _ = message(&text);
            let _ = reads(&text, &[&brackets, "é"]);
        }
    }
}
