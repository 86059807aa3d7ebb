//! What looks like a secret in a text that may be anything: a line of a log, a message, an argument.

use std::{borrow::Cow, ops::Range};

use super::secrets::{REDACTED, Reason, is_credential, is_empty, is_encoded, is_password, looks_drawn};

/// Something to take out.
pub(super) type Find = (Range<usize>, Reason);

/// How often a text is gone over: what is left when a secret has gone may look like another.
const PASSES: usize = 8;

/// The text without what looks like a secret; `found` is told why, once for each.
pub(super) fn clean<'a>(text: &'a str, found: &mut impl FnMut(Reason)) -> Cow<'a, str> {
    let mut text = Cow::Borrowed(text);
    for _ in 0..PASSES {
        let finds = merged(finds(&text), &text);
        if finds.is_empty() {
            break;
        }
        let mut cleaned = String::with_capacity(text.len());
        let mut at = 0;
        for (range, reason) in finds {
            found(reason);
            cleaned.push_str(&text[at..range.start]);
            cleaned.push_str(REDACTED);
            at = range.end;
        }
        cleaned.push_str(&text[at..]);
        text = Cow::Owned(cleaned);
    }
    text
}

/// All finds in the order of the text, those that overlap as one.
fn merged(mut finds: Vec<Find>, text: &str) -> Vec<Find> {
    finds.sort_by_key(|(range, reason)| (range.start, range.end, *reason));
    let mut merged: Vec<Find> = Vec::new();
    for (range, reason) in finds {
        match merged.last_mut() {
            Some((last, _)) if range.start < last.end => last.end = last.end.max(range.end),
            _ => merged.push((range, reason)),
        }
    }
    merged.retain(|(range, _)| &text[range.clone()] != REDACTED && !range.is_empty());
    merged
}

fn finds(text: &str) -> Vec<Find> {
    let lower = text.to_ascii_lowercase();
    let mut finds = Vec::new();
    pem(text, &mut finds);
    web_tokens(text, &mut finds);
    known_forms(text, &mut finds);
    schemes(text, &lower, &mut finds);
    urls(text, &mut finds);
    named(text, &lower, &mut finds);
    encoded_lines(text, &mut finds);
    finds
}

/// From `at` on, as long as the bytes are of this kind. The kinds are of ASCII, or have all that is not, so that both ends are
/// those of characters.
fn run(text: &str, at: usize, is: impl Fn(u8) -> bool) -> Range<usize> {
    let length = text.as_bytes()[at..].iter().take_while(|byte| is(**byte)).count();
    at..at + length
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
}

fn is_before(text: &str, at: usize, is: impl Fn(u8) -> bool) -> bool {
    at > 0 && is(text.as_bytes()[at - 1])
}

/// What ends a value that stands between quotes or brackets.
fn is_value(byte: u8) -> bool {
    !byte.is_ascii_whitespace() && !b"\"'`,;&\\<>()[]{}".contains(&byte)
}

/// From its beginning to its end or, where that is cut off, to the end of the text.
fn pem(text: &str, finds: &mut Vec<Find>) {
    let mut at = 0;
    while let Some(start) = text[at..].find("-----BEGIN ").map(|found| at + found) {
        let behind = text[start..].find("-----END ").map(|found| start + found + "-----END ".len());
        let end = behind.map_or(text.len(), |behind| text[behind..].find("-----").map_or(text.len(), |found| behind + found + "-----".len()));
        finds.push((start..end, Reason::Pem));
        at = end;
    }
}

/// `eyJ` is how base64 writes `{"`.
fn web_tokens(text: &str, finds: &mut Vec<Find>) {
    for (start, _) in text.match_indices("eyJ") {
        let range = run(text, start, |byte| is_word(byte) || b"-_.".contains(&byte));
        let parts: Vec<&str> = text[range.clone()].split('.').collect();
        let (is_whole, is_begun) = (parts.len() >= 3 && parts[1].len() >= 2, range.len() >= 20 && looks_drawn(parts[0]));
        // In the middle of a word only what can be nothing else.
        let is_certain = parts.len() >= 3 && parts[..3].iter().all(|part| part.len() >= 10);
        if is_certain || ((is_whole || is_begun) && !is_before(text, start, is_word)) {
            finds.push((range, Reason::Jwt));
        }
    }
}

/// How tokens of well-known issuers begin, and how many characters follow at least.
const FORMS: [(&str, usize); 16] = [
    ("AKIA", 16),
    ("ASIA", 16),
    ("AROA", 16),
    ("AIDA", 16),
    ("AIza", 30),
    ("ghp_", 20),
    ("gho_", 20),
    ("ghu_", 20),
    ("ghs_", 20),
    ("ghr_", 20),
    ("github_pat_", 20),
    ("glpat-", 16),
    ("xoxb-", 16),
    ("xoxp-", 16),
    ("hvs.", 20),
    ("npm_", 30),
];

fn known_forms(text: &str, finds: &mut Vec<Find>) {
    for (form, least) in FORMS {
        for (start, _) in text.match_indices(form) {
            let range = run(text, start, |byte| is_word(byte) || b"-_".contains(&byte) || (byte == b'.' && form.ends_with('.')));
            let rest = &text[start + form.len()..range.end];
            let is_key =
                !form.starts_with('A') || form == "AIza" || rest.bytes().take(least).all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit());
            if rest.len() >= least && is_key && !is_before(text, start, is_word) {
                finds.push((range, Reason::Token));
            }
        }
    }
}

/// `Authorization: …` to the end of the line or of the quotes, and what follows `Bearer` and `Basic`.
fn schemes(text: &str, lower: &str, finds: &mut Vec<Find>) {
    for (start, word) in lower.match_indices("authorization") {
        let Some((value, _)) = behind_name(text, start + word.len()) else { continue };
        let range = run(text, value, |byte| !b"\"'`\\\n\r]}".contains(&byte));
        let end = range.start + text[range.clone()].trim_end().len();
        if !is_empty(&text[range.start..end]) {
            finds.push((range.start..end, Reason::Authorization));
        }
    }
    for word in ["bearer ", "basic ", "bearer:", "bearer="] {
        for (start, _) in lower.match_indices(word) {
            let spaces = run(text, start + word.len(), |byte| byte == b' ');
            let range = run(text, spaces.end, is_value);
            if looks_drawn(&text[range.clone()]) && !is_before(text, start, is_word) {
                finds.push((range, Reason::Token));
            }
        }
    }
}

/// What stands before the `@` of a URL: a name and a password, or a token alone where the scheme is the web's. A name alone is
/// NSM's way to say in which domain a service is.
fn urls(text: &str, finds: &mut Vec<Find>) {
    for (found, separator) in text.match_indices("://") {
        let start = found + separator.len();
        let authority = run(text, start, |byte| !byte.is_ascii_whitespace() && !b"/?#\"'`<>\\".contains(&byte));
        let Some(at) = text[authority.clone()].rfind('@') else { continue };
        let user = &text[start..start + at];
        let is_web = text[..found].to_ascii_lowercase().ends_with("http") || text[..found].to_ascii_lowercase().ends_with("https");
        if !is_empty(user) && (user.contains(':') || is_web) {
            finds.push((start..start + at, Reason::Url));
        }
    }
}

/// Where the value of a name begins that ends at `at`, and how it stands there.
fn behind_name(text: &str, at: usize) -> Option<(usize, Sign)> {
    let closed = run(text, at, |byte| b"\"'\\".contains(&byte));
    let space = run(text, closed.end, |byte| byte == b' ');
    let sign = match text.as_bytes().get(space.end)? {
        b'=' => Sign::Equals,
        b':' if !text[space.end..].starts_with("://") => Sign::Colon,
        _ => return None,
    };
    let rest = run(text, space.end, |byte| b":=>".contains(&byte));
    let space = run(text, rest.end, |byte| byte == b' ');
    let opened = run(text, space.end, |byte| b"\"'\\[`".contains(&byte));
    let sign = match sign {
        _ if !opened.is_empty() => Sign::Quoted,
        Sign::Colon if space.is_empty() => Sign::Tight,
        sign => sign,
    };
    Some((opened.end, sign))
}

/// How a value stands behind its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sign {
    /// `name=value`.
    Equals,
    /// `name: value`, which can be a sentence.
    Colon,
    /// `name:value`.
    Tight,
    /// `"name": "value"`.
    Quoted,
}

/// What follows a name that says that it is a credential.
fn named(text: &str, lower: &str, finds: &mut Vec<Find>) {
    let is_name = |byte: u8| is_word(byte) || b"-_.".contains(&byte);
    let mut at = 0;
    while at < text.len() {
        let name = run(text, at, is_name);
        if name.is_empty() {
            at += 1;
            continue;
        }
        at = name.end;
        let word = lower[name.clone()].trim_end_matches('.');
        if !is_credential(word) {
            continue;
        }
        if let Some((start, sign)) = behind_name(text, name.end) {
            let value = match sign {
                // To the closing quote: what is between them may have spaces.
                Sign::Quoted => run(text, start, |byte| !b"\"'`\\\n]".contains(&byte)),
                _ => run(text, start, is_value),
            };
            let said = &text[value.clone()];
            let is_secret = match sign {
                Sign::Equals | Sign::Quoted => true,
                Sign::Colon | Sign::Tight => is_password(word) || looks_drawn(said),
            };
            if is_secret && !is_empty(said) {
                finds.push((value, Reason::Credential));
            }
        } else if word.starts_with("--") {
            let value = run(text, run(text, name.end, |byte| b" \"'".contains(&byte)).end, is_value);
            if value.start > name.end && !is_empty(&text[value.clone()]) && !text[value.clone()].starts_with('-') {
                finds.push((value, Reason::Argument));
            }
        }
    }
}

/// How long a line of base64 is in a key (RFC 7468: 64 characters), with some of it cut off.
const ENCODED: usize = 56;

/// Lines that end in a long word of base64: a part of a key whose beginning is elsewhere.
fn encoded_lines(text: &str, finds: &mut Vec<Find>) {
    let mut start = 0;
    for line in text.split('\n') {
        let trimmed = line.trim_end();
        let word = trimmed.rsplit([' ', '\t', '"', '\'', '=', ':']).find(|word| !word.is_empty()).unwrap_or_default();
        if is_encoded(word, ENCODED) {
            // The padding of base64 is the sign of an assignment as well.
            let begin = trimmed.rfind(word).unwrap_or_default();
            finds.push((start + begin..start + trimmed.len(), Reason::Encoded));
        }
        start += line.len() + 1;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn cleaned(text: &str) -> (String, Vec<Reason>) {
        let mut reasons = Vec::new();
        (clean(text, &mut |reason| reasons.push(reason)).into_owned(), reasons)
    }

    const JWT: &str = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJ4In0.c2lnbmF0dXJl";

    #[test]
    fn what_looks_like_a_secret_goes() {
        let jwt = JWT;
        let cases = [
            (format!("got {jwt}, and"), "got REDACTED, and".to_owned(), Reason::Jwt),
            (format!("token:\"{jwt}\""), "token:\"REDACTED\"".into(), Reason::Credential),
            ("Authorization: Basic dXNlcjpw\nHost: a".into(), "Authorization: REDACTED\nHost: a".into(), Reason::Authorization),
            ("-H 'authorization: x y z' -d a".into(), "-H 'authorization: REDACTED' -d a".into(), Reason::Authorization),
            ("\"Authorization\":[\"Bearer abc\"]".into(), "\"Authorization\":[\"REDACTED\"]".into(), Reason::Authorization),
            ("a bearer s3cr3tt0k3n here".into(), "a bearer REDACTED here".into(), Reason::Token),
            ("dial https://me:pw@host:1/x".into(), "dial https://REDACTED@host:1/x".into(), Reason::Url),
            ("postgres://u:p%40@h".into(), "postgres://REDACTED@h".into(), Reason::Url),
            ("https://deadbeef@github.com/x".into(), "https://REDACTED@github.com/x".into(), Reason::Url),
            ("a\n-----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY-----\nb".into(), "a\nREDACTED\nb".into(), Reason::Pem),
            ("x -----BEGIN PRIVATE KEY-----\\nMIIE".into(), "x REDACTED".into(), Reason::Pem),
            ("id AKIAIOSFODNN7EXAMPLE.".into(), "id REDACTED.".into(), Reason::Token),
            ("ghp_0123456789abcdefghij0123".into(), "REDACTED".into(), Reason::Token),
            ("DB_PASSWORD=hunter2 x=y".into(), "DB_PASSWORD=REDACTED x=y".into(), Reason::Credential),
            ("password: hunter".into(), "password: REDACTED".into(), Reason::Credential),
            ("{\"password\": \"a b c\", \"x\": 1}".into(), "{\"password\": \"REDACTED\", \"x\": 1}".into(), Reason::Credential),
            ("{\\\"clientSecret\\\":\\\"a b\\\"}".into(), "{\\\"clientSecret\\\":\\\"REDACTED\\\"}".into(), Reason::Credential),
            ("app --join-token abc -v".into(), "app --join-token REDACTED -v".into(), Reason::Argument),
            ("?access_token=abc&b=c".into(), "?access_token=REDACTED&b=c".into(), Reason::Credential),
            (format!("line {}Ab1", "aB3/".repeat(15)), "line REDACTED".into(), Reason::Encoded),
        ];
        for (text, expected, reason) in cases {
            let (after, reasons) = cleaned(&text);
            assert_eq!((after.as_str(), reasons.first()), (expected.as_str(), Some(&reason)), "{text}");
        }
    }

    #[test]
    fn what_tells_what_is_wrong_stays() {
        for text in [
            "rpc error: code = PermissionDenied desc = no sufficient privileges",
            "couldn't get token: rpc error: code = Unavailable",
            "MountVolume.SetUp failed for volume \"secret-vol\" : secret \"foo\" not found",
            "secrets \"spire-server-ca\" is forbidden: User \"system:serviceaccount:a:b\" cannot get resource",
            "kernel://my-service@my.cluster3/nsm-1?app=web",
            "tcp://[2001:db8::1]:5002 and docker-pullable://registry:5000/img@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
            "spiffe://k8s.nsm/ns/ns-kernel2kernel/pod/nse-kernel-7d8b9c5f6-x2k4p",
            "max_token_lifetime=10m0s serviceAccountTokenExpirationSeconds: 3607",
            "the keyJson.parse.thing and a basic authentication, bearer authentication",
            "4 packets transmitted, 4 packets received, 0% packet loss",
            "network service endpoint candidates not found: all endpoints have failed",
            "-----",
            "token=",
            "",
        ] {
            assert_eq!(cleaned(text), (text.to_owned(), Vec::new()));
        }
    }

    /// Texts that are made of what the rules look for.
    fn pieces() -> impl Strategy<Value = String> {
        const WORDS: &[&str] = &[
            "eyJ",
            "-----BEGIN ",
            "-----END ",
            "-----",
            "authorization",
            "Bearer ",
            "basic ",
            "://",
            "@",
            ":",
            "=",
            " ",
            "\"",
            "'",
            "\\",
            "\n",
            "password",
            "--token",
            "token",
            "REDACTED",
            "AKIA",
            "IOSFODNN7EXAMPLE",
            "http",
            ".",
            "aB3/",
            "é",
            "[",
            "]",
            "ghp_",
            "x1y2z3a4b5",
            "secret",
            "key",
            "\u{2028}",
        ];
        proptest::collection::vec(prop_oneof![4 => proptest::sample::select(WORDS).prop_map(str::to_owned), 1 => ".{0,6}"], 0..24)
            .prop_map(|p| p.concat())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]
        #[test]
        fn a_clean_text_stays_as_it_is(text in pieces()) {
            let (once, _) = cleaned(&text);
            let (twice, reasons) = cleaned(&once);
            prop_assert_eq!((once, Vec::new()), (twice, reasons), "{}", text);
        }
    }
}
