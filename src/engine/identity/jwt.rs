use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD as BASE64};
use ring::{
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_FIXED, EcdsaKeyPair, UnparsedPublicKey},
};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{Error, SpiffeId};

/// The longest token that is looked at, in bytes: those of NSM have some 300.
const MAX_BYTES: usize = 8 * 1024;

/// What a token says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(in crate::engine) struct Claims {
    /// Who.
    pub(in crate::engine) sub: String,
    /// For whom; one or many (RFC 7519, 4.1.3).
    #[serde(default, deserialize_with = "one_or_many")]
    pub(in crate::engine) aud: Vec<String>,
    /// Until when, in seconds since 1970. Others may write a fraction.
    #[serde(serialize_with = "whole")]
    pub(in crate::engine) exp: f64,
    /// Since when, in seconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(in crate::engine) iat: Option<u64>,
}

/// What is wrong with a token.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(in crate::engine) enum JwtError {
    /// It is none.
    #[error("the token is malformed")]
    Malformed,
    /// Another algorithm than the one that is taken.
    #[error("the token is not signed with ES256")]
    Algorithm,
    /// Signed by somebody else.
    #[error("the token's signature is not that of the one who sends it")]
    Signature,
    /// Over.
    #[error("the token has expired")]
    Expired,
    /// For somebody else.
    #[error("the token is meant for somebody else")]
    Audience,
    /// Of somebody else.
    #[error("the token is somebody else's")]
    Subject,
}

#[derive(Serialize, Deserialize)]
struct Header {
    alg: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    kid: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    typ: Option<String>,
}

impl Claims {
    /// Who, for whom, until when.
    pub(super) fn new(subject: &SpiffeId, aud: Vec<String>, expires: SystemTime) -> Self {
        Self { sub: subject.to_string(), aud, exp: exact(expires).floor(), iat: None }
    }

    /// Whether it is over.
    pub(in crate::engine) fn is_expired(&self, now: SystemTime) -> bool {
        self.exp.is_nan() || self.exp <= exact(now)
    }

    /// When it ends.
    pub(in crate::engine) fn expires(&self) -> SystemTime {
        since(self.exp)
    }

    /// Sees that it is not over and meant for `audience`; the result is who it is of.
    pub(in crate::engine) fn check(&self, audience: &str, now: SystemTime) -> Result<SpiffeId, JwtError> {
        if self.is_expired(now) {
            return Err(JwtError::Expired);
        }
        if !self.aud.iter().any(|one| one == audience) {
            return Err(JwtError::Audience);
        }
        SpiffeId::parse(&self.sub).map_err(|_| JwtError::Subject)
    }
}

/// Seconds since 1970, as JWTs have them.
pub(super) fn seconds(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}

/// Seconds since 1970 with their fraction, to compare with.
fn exact(time: SystemTime) -> f64 {
    time.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64()
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes it so")]
fn whole<S: Serializer>(time: &f64, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_u64(seconds(since(*time)))
}

fn since(seconds: f64) -> SystemTime {
    UNIX_EPOCH + Duration::try_from_secs_f64(seconds.clamp(0.0, 1e10)).unwrap_or_default()
}

/// Makes a token (RFC 7515, compact form).
///
/// # Errors
/// There is no randomness for the signature.
pub(in crate::engine) fn sign(claims: &Claims, key_id: Option<&str>, key: &EcdsaKeyPair) -> Result<String, Error> {
    let failed = |error: &dyn ToString| Error::new("sign a token", error.to_string());
    let header = Header { alg: "ES256".to_owned(), kid: key_id.map(str::to_owned), typ: Some("JWT".to_owned()) };
    let part = |json: serde_json::Result<Vec<u8>>| json.map(|json| BASE64.encode(json)).map_err(|error| failed(&error));
    let signed = format!("{}.{}", part(serde_json::to_vec(&header))?, part(serde_json::to_vec(claims))?);
    let signature = key.sign(&SystemRandom::new(), signed.as_bytes()).map_err(|error| failed(&error))?;
    Ok(format!("{signed}.{}", BASE64.encode(signature)))
}

/// What a token says, unchecked.
///
/// # Errors
/// It is none.
pub(in crate::engine) fn decode(token: &str) -> Result<Claims, JwtError> {
    split(token).map(|parts| parts.claims)
}

/// Checks who has signed a token: the owner of a P-256 key, given as an uncompressed point. That it is not over is not
/// looked at.
///
/// # Errors
/// It is none, or somebody else has signed it.
pub(in crate::engine) fn verify(token: &str, public_key: &[u8], key_id: Option<&str>) -> Result<Claims, JwtError> {
    let parts = split(token)?;
    // Never by what the token says itself: `none` and keyed hashes are how tokens are forged (RFC 8725, 3.1).
    if parts.header.alg != "ES256" {
        return Err(JwtError::Algorithm);
    }
    if key_id.is_some() && parts.header.kid.as_deref() != key_id {
        return Err(JwtError::Signature);
    }
    let key = UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, public_key);
    key.verify(parts.signed.as_bytes(), &parts.signature).map_err(|_| JwtError::Signature)?;
    Ok(parts.claims)
}

struct Parts<'a> {
    header: Header,
    claims: Claims,
    signed: &'a str,
    signature: Vec<u8>,
}

fn split(token: &str) -> Result<Parts<'_>, JwtError> {
    if token.len() > MAX_BYTES {
        return Err(JwtError::Malformed);
    }
    let (signed, signature) = token.rsplit_once('.').ok_or(JwtError::Malformed)?;
    let (header, claims) = signed.split_once('.').ok_or(JwtError::Malformed)?;
    let bytes = |part: &str| BASE64.decode(part).map_err(|_| JwtError::Malformed);
    let header = serde_json::from_slice(&bytes(header)?).map_err(|_| JwtError::Malformed)?;
    let claims = serde_json::from_slice(&bytes(claims)?).map_err(|_| JwtError::Malformed)?;
    Ok(Parts { header, claims, signed, signature: bytes(signature)? })
}

/// A key as a set of one (RFC 7517), in the form of SPIFFE's bundles.
pub(super) fn key_set(key_id: &str, public_key: &[u8]) -> String {
    // An uncompressed point is a 4 and two coordinates of the same length (SEC 1, 2.3.3).
    let (x, y) = public_key.get(1..).unwrap_or_default().split_at(public_key.len().saturating_sub(1) / 2);
    let key = serde_json::json!({
        "kty": "EC", "use": "jwt-svid", "kid": key_id, "crv": "P-256", "x": BASE64.encode(x), "y": BASE64.encode(y),
    });
    serde_json::json!({ "keys": [key] }).to_string()
}

fn one_or_many<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<String>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum OneOrMany {
        One(String),
        Many(Vec<String>),
    }
    Ok(match OneOrMany::deserialize(from)? {
        OneOrMany::One(one) => vec![one],
        OneOrMany::Many(many) => many,
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::engine::identity::{
        Identity,
        authority::{new_key, signing_key},
    };

    fn at(seconds: u64) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(seconds)
    }

    fn claims() -> Claims {
        Claims::new(&SpiffeId::parse("spiffe://d/a").unwrap(), vec!["spiffe://d/b".into()], at(100))
    }

    #[test]
    fn a_token_is_believed_only_from_its_signer() {
        let (key, other) = (new_key().unwrap(), new_key().unwrap());
        let token = sign(&claims(), None, &signing_key(key.serialized_der()).unwrap()).unwrap();
        assert_eq!(verify(&token, key.public_key_raw(), None), Ok(claims()));
        assert_eq!(verify(&token, other.public_key_raw(), None), Err(JwtError::Signature));
        let parts: Vec<&str> = token.split('.').collect();
        let forged = BASE64.encode(serde_json::to_vec(&Claims { sub: "spiffe://d/admin".into(), ..claims() }).unwrap());
        assert_eq!(verify(&[parts[0], &forged, parts[2]].join("."), key.public_key_raw(), None), Err(JwtError::Signature));
        let none = BASE64.encode(r#"{"alg":"none"}"#);
        assert_eq!(verify(&[&none, parts[1], ""].join("."), key.public_key_raw(), None), Err(JwtError::Algorithm));
    }

    #[test]
    fn a_token_has_an_end_and_an_audience() {
        assert_eq!(claims().check("spiffe://d/b", at(99)).unwrap().as_str(), "spiffe://d/a");
        assert_eq!(claims().check("spiffe://d/b", at(100)), Err(JwtError::Expired));
        assert_eq!(claims().check("spiffe://d/c", at(99)), Err(JwtError::Audience));
        assert_eq!(Claims { sub: "a".into(), ..claims() }.check("spiffe://d/b", at(99)), Err(JwtError::Subject));
        assert_eq!(Claims { exp: f64::NAN, ..claims() }.check("spiffe://d/b", at(99)), Err(JwtError::Expired));
    }

    #[test]
    fn an_audience_may_be_one_or_many() {
        let read = |aud: &str| serde_json::from_str::<Claims>(&format!(r#"{{"sub":"x","exp":1,"aud":{aud}}}"#)).unwrap().aud;
        assert_eq!((read(r#""a""#), read(r#"["a","b"]"#)), (vec!["a".to_owned()], vec!["a".to_owned(), "b".to_owned()]));
    }

    #[test]
    fn a_jwt_svid_is_validated_by_its_own_authority_alone() {
        let (one, other) = (Identity::new(Duration::from_secs(60)).unwrap(), Identity::new(Duration::from_secs(60)).unwrap());
        let source = |identity: &Identity| identity.source(&identity.domain().id(&["x"]).unwrap()).unwrap();
        let token = one.authority().unwrap().jwt_svid(source(&one).id(), vec!["me".into()], Duration::from_secs(60)).unwrap();
        assert_eq!(&one.authority().unwrap().validate(&token, "me").unwrap().0, source(&one).id());
        assert_eq!(one.authority().unwrap().validate(&token, "you").unwrap_err(), JwtError::Audience);
        assert_eq!(other.authority().unwrap().validate(&token, "me").unwrap_err(), JwtError::Signature);
        let keys: serde_json::Value = serde_json::from_str(&one.authority().unwrap().jwt_bundle()).unwrap();
        let coordinate = |name: &str| BASE64.decode(keys["keys"][0][name].as_str().unwrap()).unwrap().len();
        assert_eq!((coordinate("x"), coordinate("y")), (32, 32));
    }

    proptest! {
        #[test]
        fn no_text_is_taken_for_a_signed_token(text in "\\PC*", parts in prop::collection::vec("[A-Za-z0-9_-]{0,40}", 0..5)) {
            let key = [4_u8; 65];
            prop_assert!(verify(&text, &key, None).is_err());
            prop_assert!(verify(&parts.join("."), &key, None).is_err());
        }
    }
}
