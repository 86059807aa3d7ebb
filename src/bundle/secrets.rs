use serde::Serialize;

/// What stands where a secret was.
pub(super) const REDACTED: &str = "REDACTED";

/// Why something was taken out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reason {
    /// A copy of the object inside itself, with everything that is taken out of it elsewhere.
    LastApplied,
    /// The value of an environment variable that is not known to be harmless.
    Environment,
    /// The value of an option of a program.
    Argument,
    /// The value of an HTTP header.
    Header,
    /// The content of a Secret or ConfigMap.
    Content,
    /// Its name says that it is a credential.
    Credential,
    /// A JSON web token.
    Jwt,
    /// A token that is recognised by its form or by `Bearer` before it.
    Token,
    /// What an `Authorization:` header says.
    Authorization,
    /// A password in a URL.
    Url,
    /// A key or certificate in PEM.
    Pem,
    /// A long text in base64, as a part of a key is.
    Encoded,
}

/// The environment variables whose values are no secrets and tell how NSM was set up (upstream: the README of each `cmd-*`).
const HARMLESS: [&str; 30] = [
    "NSM_ANNOTATION",
    "NSM_CIDR_PREFIX",
    "NSM_CONNECT_TO",
    "NSM_CONTAINER_IMAGES",
    "NSM_DIAL_TIMEOUT",
    "NSM_DNS_CONFIGS",
    "NSM_EXCLUDED_PREFIXES",
    "NSM_FORWARDER_NETWORK_SERVICE_NAME",
    "NSM_IDLE_TIMEOUT",
    "NSM_INIT_CONTAINER_IMAGES",
    "NSM_LABELS",
    "NSM_LISTEN_ON",
    "NSM_LIVENESSCHECKENABLED",
    "NSM_LOG_LEVEL",
    "NSM_MAX_TOKEN_LIFETIME",
    "NSM_MECHANISM",
    "NSM_NAME",
    "NSM_NAMESPACE",
    "NSM_NETWORK_SERVICES",
    "NSM_NODE_NAME",
    "NSM_NODE_IP",
    "NSM_PAYLOAD",
    "NSM_REGISTER_SERVICE",
    "NSM_REGISTRY_URL",
    "NSM_REQUEST_TIMEOUT",
    "NSM_SERVICE_NAME",
    "NSM_SERVICE_NAMES",
    "NSM_TUNNEL_IP",
    "SPIFFE_ENDPOINT_SOCKET",
    "SPIFFE_TRUST_DOMAIN",
];

pub(super) fn is_harmless(variable: &str) -> bool {
    HARMLESS.contains(&variable)
}

const WORDS: [&str; 21] = [
    "password",
    "passwd",
    "passphrase",
    "token",
    "secret",
    "credential",
    "apikey",
    "api_key",
    "api-key",
    "accesskey",
    "access_key",
    "access-key",
    "privatekey",
    "private_key",
    "private-key",
    "auth_key",
    "auth-key",
    "signing_key",
    "signing-key",
    "encryption_key",
    "encryption-key",
];

/// What follows such a word where a name or a number is meant, and no credential.
const TAMED: [&str; 20] = [
    "name",
    "names",
    "namespace",
    "path",
    "file",
    "dir",
    "ref",
    "type",
    "kind",
    "mode",
    "lifetime",
    "ttl",
    "expiration",
    "expiry",
    "seconds",
    "duration",
    "timeout",
    "count",
    "version",
    "audience",
];

/// Whether what has this name is a credential.
pub(super) fn is_credential(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    WORDS.iter().any(|word| name.contains(word)) && !TAMED.iter().any(|end| name.ends_with(end))
}

/// Whether this is the name of a password, which nobody writes anything else behind.
pub(super) fn is_password(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    ["password", "passwd", "passphrase"].iter().any(|word| name.ends_with(word))
}

/// Whether an option of a program takes a credential. Stricter than of other names: what a program is told is its own matter.
pub(super) fn is_credential_option(option: &str) -> bool {
    let option = option.to_ascii_lowercase();
    ["token", "pass", "secret", "key", "credential"].iter().any(|word| option.contains(word))
}

/// Whether a value says nothing, so that there is nothing to take out.
pub(super) fn is_empty(value: &str) -> bool {
    matches!(value, "" | REDACTED | "true" | "false" | "null" | "nil" | "<nil>" | "none" | "None")
}

/// Whether a word has been drawn rather than written: nobody writes such words in a sentence.
pub(super) fn looks_drawn(word: &str) -> bool {
    let has = |what: fn(&u8) -> bool| word.bytes().any(|byte| what(&byte));
    let mixed = word.bytes().skip(1).any(|byte| byte.is_ascii_uppercase()) && has(u8::is_ascii_lowercase);
    word != REDACTED && word.len() >= 8 && has(u8::is_ascii_alphabetic) && (has(u8::is_ascii_digit) || mixed || word.len() >= 24)
}

/// Whether a word is base64 that is as long as a line of a key, and no digest in hexadecimal.
pub(super) fn is_encoded(word: &str, least: usize) -> bool {
    let has = |what: fn(&u8) -> bool| word.bytes().any(|byte| what(&byte));
    word.len() >= least
        && word.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+/=".contains(&byte))
        && has(u8::is_ascii_uppercase)
        && has(u8::is_ascii_lowercase)
        && has(u8::is_ascii_digit)
}
