//! Who is who on this machine: the engine's own SPIFFE authority, and what it gives to the programs in the sandboxes.
//!
//! ```text
//!   program in a sandbox ──► workload_api ──► attest    SO_PEERCRED: process → network namespace → sandbox
//!   the engine's own parts ───────┐              │
//!                                 ▼              ▼
//!                               source ◄── spiffe://DOMAIN/ns/NAMESPACE/pod/NAME
//!                                 │
//!                                 ├─► svid ◄── authority   X.509, renewed at half of its life
//!                                 ├─► jwt ◄─── authority   JWT-SVIDs
//!                                 └─► tls                  mTLS by trust bundle and SPIFFE ID, no host names
//! ```
//!
//! Everything is kept in memory: the authority ends with the engine, and with it all that it has signed.

mod attest;
mod authority;
mod jwt;
mod messages;
mod source;
mod spiffe_id;
mod svid;
mod tls;
mod workload_api;

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, SystemTime},
};

use serde::{Deserialize, Serialize};

use self::authority::{Authority, SavedAuthority, read_key};
pub(super) use self::{
    attest::{Member, Sandboxes},
    jwt::{Claims, JwtError, decode, verify},
    source::Source,
    spiffe_id::{SpiffeId, TrustDomain},
    tls::{Peer, client_config, peer_of, server_config},
    workload_api::WorkloadApi,
};
use super::phases::Moment;
use crate::model::Namespaced;

/// How long an X.509 SVID is valid unless something else is asked for: an hour, as with SPIRE.
pub(super) const SVID_TTL: Duration = Duration::from_secs(3600);

/// An identity cannot be made.
#[derive(Debug, thiserror::Error)]
#[error("cannot {what}: {reason}")]
pub(super) struct Error {
    what: String,
    reason: String,
}

impl Error {
    /// What was to be done, and why it was not.
    #[expect(clippy::needless_pass_by_value, reason = "as map_err passes it")]
    pub(super) fn new(what: impl Into<String>, reason: impl ToString) -> Self {
        Self { what: what.into(), reason: reason.to_string() }
    }
}

/// All of it, as it is handed on to a process that goes on in place of this one: identities stay valid then. It holds private keys,
/// and is to be kept nowhere but in memory.
#[derive(Serialize, Deserialize)]
pub(super) struct SavedIdentity {
    authority: SavedAuthority,
    sources: Vec<(String, Vec<u8>)>,
}

/// An X.509 SVID, as it is told to people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct SvidState {
    /// Whose it is.
    pub(super) id: SpiffeId,
    /// When it runs out.
    pub(super) not_after: SystemTime,
    /// How often it was renewed.
    pub(super) rotations: u64,
}

/// The authority of this engine and the identities that it has given.
#[derive(Debug)]
pub(super) struct Identity {
    authority: Arc<Authority>,
    sources: Mutex<HashMap<SpiffeId, Arc<Source>>>,
}

impl Identity {
    /// A new authority, whose X.509 SVIDs are valid for `ttl`.
    ///
    /// # Errors
    /// There is no randomness for its keys.
    pub(super) fn new(ttl: Duration) -> Result<Self, Error> {
        Ok(Self { authority: Arc::new(Authority::new(ttl)?), sources: Mutex::default() })
    }

    /// All of it, for the process that follows.
    pub(super) fn save(&self) -> SavedIdentity {
        let sources = self.sources.lock().unwrap_or_else(PoisonError::into_inner);
        let sources = sources.values().map(|source| (source.id().to_string(), source.key().to_vec())).collect();
        SavedIdentity { authority: self.authority.save(), sources }
    }

    /// What another process has handed on.
    ///
    /// # Errors
    /// It is nothing that [`Self::save`] has made.
    pub(super) fn restore(saved: &SavedIdentity, ttl: Duration) -> Result<Self, Error> {
        let authority = Arc::new(Authority::restore(&saved.authority, ttl)?);
        let source = |(id, key): &(String, Vec<u8>)| {
            let id = SpiffeId::parse(id)?;
            Ok((id.clone(), Arc::new(Source::with(Arc::clone(&authority), id, read_key(key)?)?)))
        };
        let sources = saved.sources.iter().map(source).collect::<Result<_, Error>>()?;
        Ok(Self { authority, sources: Mutex::new(sources) })
    }

    /// What the authority is responsible for.
    pub(super) fn domain(&self) -> &TrustDomain {
        self.authority.domain()
    }

    /// Who a pod is.
    ///
    /// # Errors
    /// Its name has characters that no SPIFFE ID can have.
    pub(super) fn id_of(&self, pod: &Namespaced) -> Result<SpiffeId, Error> {
        self.domain().id(&["ns", &pod.namespace, "pod", &pod.name])
    }

    /// The credentials of somebody, made when they are first asked for.
    ///
    /// # Errors
    /// There is no randomness for a key.
    pub(super) fn source(&self, id: &SpiffeId) -> Result<Arc<Source>, Error> {
        let mut sources = self.sources.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(source) = sources.get(id) {
            return Ok(Arc::clone(source));
        }
        let source = Arc::new(Source::new(Arc::clone(&self.authority), id.clone())?);
        sources.insert(id.clone(), Arc::clone(&source));
        Ok(source)
    }

    /// When somebody who had no SVID yet was last given one; `None` where that was not seen.
    pub(super) fn given(&self, id: &SpiffeId) -> Option<Moment> {
        self.sources.lock().unwrap_or_else(PoisonError::into_inner).get(id)?.given()
    }

    /// What there is of everybody's SVID, by name.
    pub(super) fn svids(&self) -> Vec<SvidState> {
        let sources: Vec<_> = self.sources.lock().unwrap_or_else(PoisonError::into_inner).values().cloned().collect();
        let state = |source: Arc<Source>| SvidState { id: source.id().clone(), not_after: source.svid().not_after, rotations: source.renewals() };
        let mut states: Vec<_> = sources.into_iter().map(state).collect();
        states.sort_by(|one, other| one.id.cmp(&other.id));
        states
    }

    /// Forgets the key of somebody who is gone.
    pub(super) fn forget(&self, id: &SpiffeId) {
        self.sources.lock().unwrap_or_else(PoisonError::into_inner).remove(id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_takes_over_is_the_same_authority() {
        let before = Identity::new(SVID_TTL).unwrap();
        let id = before.domain().id(&["x"]).unwrap();
        let source = before.source(&id).unwrap();
        let (token, jwt) = (source.svid(), source.jwt_svid(vec!["me".into()], SVID_TTL).unwrap());
        let kept = serde_json::to_vec(&before.save()).unwrap();
        let after = Identity::restore(&serde_json::from_slice(&kept).unwrap(), SVID_TTL).unwrap();
        assert_eq!(after.domain(), before.domain());
        let restored = after.source(&id).unwrap();
        assert_eq!((restored.bundle(), &restored.svid().private_key), (source.bundle(), &token.private_key));
        assert!(restored.validate(&jwt, "me").is_ok());
    }
}
