//! The chain of tokens on a path: each says who has passed a request on, and to whom.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, SystemTime},
};

use jiff::Timestamp;
use tonic::{Status, metadata::MetadataMap};

use super::wire::{Path, PathSegment};
use crate::{
    engine::identity::{Claims, JwtError, Peer, Source, SpiffeId, Svid, decode, verify},
    model::PathToken,
};

/// The metadata in which a caller's token travels.
pub(super) const TOKEN: &str = "nsm-client-token";
/// The metadata in which its end travels (RFC 3339, with nanoseconds).
pub(super) const TOKEN_EXPIRES: &str = "nsm-client-token-expires";
/// How long our own tokens are valid at most: ten minutes, as upstream's.
pub(super) const TOKEN_LIFE: Duration = Duration::from_secs(600);
/// The most segments of a path: between a client and an endpoint on one machine are three, across machines and domains nine.
const MAX_SEGMENTS: usize = 16;
/// How much of a segment's name is told, in characters: nothing bounds it.
const MAX_SHOWN: usize = 63;

/// A call that may not be made.
fn refuse(reason: impl std::fmt::Display) -> Status {
    Status::permission_denied(format!("no sufficient privileges: {reason}"))
}

/// The token that a caller has sent, checked: signed by the peer of this connection, of that peer, for us, and not over.
///
/// # Errors
/// It is not all of that; a gRPC status says why.
pub(super) fn from_caller(metadata: &MetadataMap, peer: &Peer, own: &SpiffeId) -> Result<(String, Claims), Status> {
    let token = one(metadata, TOKEN)?;
    let claims = verify(token, &peer.public_key, None).map_err(refuse)?;
    let subject = claims.check(own.as_str(), SystemTime::now()).map_err(refuse)?;
    if subject != peer.id {
        return Err(refuse(format!("{} sends the token of {subject}", peer.id)));
    }
    Ok((token.to_owned(), claims))
}

fn one<'a>(metadata: &'a MetadataMap, key: &str) -> Result<&'a str, Status> {
    let mut values = metadata.get_all(key).iter();
    match (values.next().map(|value| value.to_str()), values.next()) {
        (Some(Ok(value)), None) => Ok(value),
        (None, _) => Err(refuse(format!("the metadata {key} is missing"))),
        _ => Err(refuse(format!("the metadata {key} is not one text"))),
    }
}

/// Whether a caller has sent a token of its own that is signed with another key than that of this connection.
pub(super) fn is_of_another_key(metadata: &MetadataMap, peer: &Peer) -> bool {
    one(metadata, TOKEN).is_ok_and(|token| is_with_another_key(token, peer))
}

/// Whether a token is somebody's own, by what it says, and signed with another key than that of this connection.
pub(super) fn is_with_another_key(token: &str, peer: &Peer) -> bool {
    verify(token, &peer.public_key, None) == Err(JwtError::Signature) && decode(token).is_ok_and(|claims| claims.sub == peer.id.as_str())
}

/// Puts our own token for somebody into the metadata of a call, over a connection on which we have `shown` an SVID.
///
/// # Errors
/// It cannot be signed.
pub(super) fn to_callee(metadata: &mut MetadataMap, source: &Source, shown: &Svid, callee: &SpiffeId) -> Result<(), Status> {
    let failed = |error: &dyn ToString| Status::internal(error.to_string());
    let (token, expires) = source.token(shown, callee, TOKEN_LIFE).map_err(|error| failed(&error))?;
    let expires = Timestamp::try_from(expires).map_err(|error| failed(&error))?;
    metadata.insert(TOKEN, token.parse().map_err(|error| failed(&error))?);
    metadata.insert(TOKEN_EXPIRES, expires.to_string().parse().map_err(|error| failed(&error))?);
    Ok(())
}

/// Checks what a path says of those before us, each of whom must have passed it on to the next.
///
/// # Errors
/// A token has expired or is none, or the chain is broken.
pub(super) fn check_chain(tokens: &[&str], own: &SpiffeId) -> Result<(), Status> {
    let claims: Vec<Claims> = tokens.iter().map(|token| decode(token)).collect::<Result<_, _>>().map_err(refuse)?;
    let now = SystemTime::now();
    if claims.iter().any(|claims| claims.is_expired(now)) {
        return Err(refuse("a token of the path has expired"));
    }
    let subjects = claims.iter().skip(1).map(|claims| claims.sub.as_str()).chain([own.as_str()]);
    match claims.iter().zip(subjects).all(|(claims, next)| claims.aud.iter().any(|audience| audience == next)) {
        true => Ok(()),
        false => Err(refuse("the tokens of the path are not chained")),
    }
}

/// Checks all of a path, once the endpoint has answered: everybody has passed it on to the next, we to the endpoint, and the endpoint has
/// answered us with a token of its own. The result is what there is of each.
///
/// # Errors
/// A token is missing, has expired, or is not whose or for whom it should be.
pub(super) fn check_path(path: &Path, own: usize, id: &SpiffeId, endpoint: &Peer) -> Result<Vec<PathToken>, Status> {
    let way = path.path_segments.get(..own + 2).ok_or_else(|| refuse("the endpoint has no segment of the path"))?;
    let (before, answer) = way.split_at(own + 1);
    check_chain(&before.iter().map(|segment| segment.token.as_str()).collect::<Vec<_>>(), &endpoint.id)?;
    for segment in answer {
        let claims = verify(&segment.token, &endpoint.public_key, None).map_err(refuse)?;
        let subject = claims.check(id.as_str(), SystemTime::now()).map_err(refuse)?;
        if subject != endpoint.id {
            return Err(refuse(format!("{} answers with the token of {subject}", endpoint.id)));
        }
    }
    let told = |segment: &PathSegment| {
        let Claims { sub, exp, .. } = decode(&segment.token).map_err(refuse)?;
        #[expect(clippy::cast_possible_truncation, reason = "it saturates, and a time that is none is told as none")]
        let expires_at = Timestamp::from_second(exp as i64).unwrap_or(Timestamp::MAX);
        Ok(PathToken { segment: segment.name.chars().take(MAX_SHOWN).collect(), spiffe_id: sub, expires_at })
    };
    way.iter().map(told).collect()
}

/// A path with us on it, as the callee of its current segment.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Step {
    /// All of the path.
    pub(super) path: Path,
    /// Which segment is ours.
    pub(super) own: usize,
    /// Whether it is new: the caller knows no id of ours.
    pub(super) is_first: bool,
}

impl Step {
    /// The id of the connection as we know it.
    pub(super) fn id(&self) -> &str {
        &self.path.path_segments[self.own].id
    }

    /// Has us know the connection by this id.
    pub(super) fn set_id(&mut self, id: &str) {
        id.clone_into(&mut self.path.path_segments[self.own].id);
    }

    /// The segment of whoever called us.
    pub(super) fn caller(&self) -> &PathSegment {
        &self.path.path_segments[self.own - 1]
    }
}

/// Makes a step: puts the caller's token into its segment, and us into the next, by our old id where we are there already.
///
/// # Errors
/// The path is none that a caller can have, or its chain of tokens is broken.
pub(super) fn step(path: Option<Path>, id: &str, name: &str, caller: (String, Claims), own: &SpiffeId) -> Result<Step, Status> {
    let mut path = path.filter(|path| !path.path_segments.is_empty()).ok_or_else(|| Status::invalid_argument("the connection has no path"))?;
    let (index, count) = (usize::try_from(path.index).unwrap_or(usize::MAX), path.path_segments.len());
    if count > MAX_SEGMENTS {
        return Err(Status::invalid_argument(format!("the path has {count} segments, and at most {MAX_SEGMENTS} are taken")));
    }
    if index >= count {
        return Err(Status::invalid_argument(format!("the path's index is {index}, and it has {count} segments")));
    }
    let current = &mut path.path_segments[index];
    if current.id != id || id.is_empty() {
        return Err(Status::invalid_argument("the connection's id is not that of its current segment"));
    }
    (current.token, current.expires) = (caller.0, Some(caller.1.expires().into()));
    let tokens: Vec<&str> = path.path_segments[..=index].iter().map(|segment| segment.token.as_str()).collect();
    check_chain(&tokens, own)?;
    let next = index + 1;
    let is_first = path.path_segments.get(next).is_none_or(|segment| segment.name != name || segment.id.is_empty());
    if is_first {
        // Others who were behind us are so no longer.
        path.path_segments.truncate(next);
        path.path_segments.push(PathSegment { name: name.to_owned(), id: new_id(), ..PathSegment::default() });
    }
    path.index = u32::try_from(next).unwrap_or(u32::MAX);
    Ok(Step { path, own: next, is_first })
}

/// An id that nobody else has and nobody can guess: a random UUID (RFC 9562, version 4).
pub(super) fn new_id() -> String {
    let mut bytes = [0_u8; 16];
    // Without randomness nothing of TLS works either.
    let _ = ring::rand::SecureRandom::fill(&ring::rand::SystemRandom::new(), &mut bytes);
    bytes[6] = bytes[6] & 0x0f | 0x40;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    hyphenated(bytes)
}

fn hyphenated(bytes: [u8; 16]) -> String {
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
}

/// Makes ids that nobody can guess, and the same for the same: whoever asks again for what it may have got already, only that the
/// answer was lost, is known by the id of before, and gets nothing twice.
pub(super) struct Ids(Mutex<String>);

impl std::fmt::Debug for Ids {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Ids")
    }
}

impl Ids {
    /// With a secret of its own.
    pub(super) fn new() -> Self {
        Self(Mutex::new(new_id()))
    }

    fn held(&self) -> MutexGuard<'_, String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What the next manager has to know to make the same.
    pub(super) fn secret(&self) -> String {
        self.held().clone()
    }

    /// Makes those that another has made.
    pub(super) fn go_on(&self, secret: String) {
        *self.held() = secret;
    }

    /// The id of what has these names: a UUID (RFC 9562, version 8).
    pub(super) fn of(&self, names: &[&str]) -> String {
        let mut context = ring::hmac::Context::with_key(&ring::hmac::Key::new(ring::hmac::HMAC_SHA256, self.held().as_bytes()));
        for name in names {
            // With their lengths, so that "a", "bc" is not "ab", "c".
            context.update(&name.len().to_be_bytes());
            context.update(name.as_bytes());
        }
        let tag = context.sign();
        let mut bytes = [0_u8; 16];
        bytes.iter_mut().zip(tag.as_ref()).for_each(|(byte, of_tag)| *byte = *of_tag);
        bytes[6] = bytes[6] & 0x0f | 0x80;
        bytes[8] = bytes[8] & 0x3f | 0x80;
        hyphenated(bytes)
    }
}

/// The path of a registration, which travels as JSON in metadata.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct RegistryPath {
    #[serde(default)]
    index: u32,
    #[serde(default)]
    path_segments: Option<Vec<RegistrySegment>>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
struct RegistrySegment {
    token: String,
}

impl RegistryPath {
    /// The metadata in which it travels.
    pub(super) const KEY: &str = "path";

    /// The path of a first registration or of its refresh, with the caller's token and ours.
    pub(super) fn answer(caller: &str, own: String) -> Self {
        let segment = |token| RegistrySegment { token };
        Self { index: 0, path_segments: Some(vec![segment(caller.to_owned()), segment(own)]) }
    }

    /// As it travels.
    ///
    /// # Errors
    /// It has no form as metadata, which none has.
    pub(super) fn to_metadata(&self) -> Result<tonic::metadata::AsciiMetadataValue, Status> {
        let text = serde_json::to_string(self).map_err(|error| Status::internal(error.to_string()))?;
        text.parse().map_err(|_| Status::internal("the path has no form as metadata"))
    }

    /// Sees that a registration comes from its endpoint itself, and not through another manager.
    ///
    /// # Errors
    /// It is none, or comes through another manager.
    pub(super) fn check(metadata: &MetadataMap) -> Result<(), Status> {
        let Some(value) = metadata.get(Self::KEY) else { return Ok(()) };
        let malformed = || Status::invalid_argument("the metadata path is malformed");
        let path: Self = value.to_str().ok().and_then(|text| serde_json::from_str(text).ok()).ok_or_else(malformed)?;
        match path.index {
            0 => Ok(()),
            _ => Err(Status::invalid_argument("registrations through another manager are not taken")),
        }
    }
}

#[cfg(test)]
#[path = "token_tests.rs"]
mod tests;
