use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, SystemTime},
};

use rcgen::KeyPair;
use ring::signature::EcdsaKeyPair;
use tokio_rustls::rustls::pki_types::CertificateDer;

use super::{
    Error, SpiffeId, TrustDomain,
    authority::{Authority, new_key, signing_key},
    jwt::{self, Claims},
    svid::Svid,
};
use crate::engine::phases::Moment;

/// The credentials of somebody. Whoever asks gets an SVID that is in the first half of its life.
///
/// An SVID is renewed with the same key: NSM checks a token against the certificate of the connection that it comes over, and
/// connections outlive SVIDs. With another key each renewal would break every connection's next refresh.
pub(in crate::engine) struct Source {
    authority: Arc<Authority>,
    id: SpiffeId,
    key: KeyPair,
    signing_key: EcdsaKeyPair,
    current: Mutex<Arc<Svid>>,
    renewals: AtomicU64,
    /// When it was last given to a process that had none.
    given: Mutex<Option<Moment>>,
}

impl std::fmt::Debug for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Source").field("id", &self.id).finish_non_exhaustive()
    }
}

impl Source {
    /// Somebody with a new key.
    pub(super) fn new(authority: Arc<Authority>, id: SpiffeId) -> Result<Self, Error> {
        Self::with(authority, id, new_key()?)
    }

    /// Somebody with a key that was handed on.
    pub(super) fn with(authority: Arc<Authority>, id: SpiffeId, key: KeyPair) -> Result<Self, Error> {
        let signing_key = signing_key(key.serialized_der())?;
        let current = Mutex::new(Arc::new(authority.issue(&id, &key, SystemTime::now())?));
        Ok(Self { authority, id, key, signing_key, current, renewals: AtomicU64::new(0), given: Mutex::default() })
    }

    /// The private key, as PKCS #8 in DER.
    pub(super) fn key(&self) -> &[u8] {
        self.key.serialized_der()
    }

    /// Whose they are.
    pub(in crate::engine) fn id(&self) -> &SpiffeId {
        &self.id
    }

    /// The trust domain.
    pub(in crate::engine) fn domain(&self) -> &TrustDomain {
        self.authority.domain()
    }

    /// Those who are believed: the authority's certificate.
    pub(in crate::engine) fn bundle(&self) -> &CertificateDer<'static> {
        self.authority.certificate()
    }

    /// The X.509 SVID, renewed where half of its life is over.
    pub(in crate::engine) fn svid(&self) -> Arc<Svid> {
        self.svid_at(SystemTime::now())
    }

    fn svid_at(&self, now: SystemTime) -> Arc<Svid> {
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        if current.is_due(now) {
            // Where that fails the old one still has half of its life, and the next who asks tries again.
            if let Ok(renewed) = self.authority.issue(&self.id, &self.key, now) {
                *current = Arc::new(renewed);
                self.renewals.fetch_add(1, Ordering::Relaxed);
            }
        }
        Arc::clone(&current)
    }

    /// Takes note that somebody who had no SVID yet has been given this one.
    pub(in crate::engine) fn give(&self) {
        *self.given.lock().unwrap_or_else(PoisonError::into_inner) = Some(Moment::now());
    }

    /// When somebody who had no SVID yet was last given this one.
    pub(in crate::engine) fn given(&self) -> Option<Moment> {
        *self.given.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How often it was renewed.
    pub(in crate::engine) fn renewals(&self) -> u64 {
        self.renewals.load(Ordering::Relaxed)
    }

    /// A token of NSM: who we are, for whom, for how long. Signed with the key of the SVID.
    ///
    /// # Errors
    /// There is no randomness for the signature.
    pub(in crate::engine) fn token(&self, audience: &SpiffeId, lifetime: Duration) -> Result<(String, SystemTime), Error> {
        let expires = (SystemTime::now() + lifetime).min(self.svid().not_after);
        let claims = Claims::new(&self.id, vec![audience.to_string()], expires);
        Ok((jwt::sign(&claims, None, &self.signing_key)?, expires))
    }

    /// A JWT-SVID, signed by the authority.
    ///
    /// # Errors
    /// There is no randomness for the signature.
    pub(in crate::engine) fn jwt_svid(&self, audience: Vec<String>, lifetime: Duration) -> Result<String, Error> {
        let claims = Claims { iat: Some(jwt::seconds(SystemTime::now())), ..Claims::new(&self.id, audience, SystemTime::now() + lifetime) };
        jwt::sign(&claims, Some(self.authority.jwt_key_id()), self.authority.jwt_key())
    }

    /// The keys by which JWT-SVIDs are checked (RFC 7517).
    pub(in crate::engine) fn jwt_bundle(&self) -> String {
        jwt::key_set(self.authority.jwt_key_id(), self.authority.jwt_public_key())
    }

    /// Checks a JWT-SVID of this domain.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(in crate::engine) fn validate(&self, token: &str, audience: &str) -> Result<(SpiffeId, Claims), jwt::JwtError> {
        let claims = jwt::verify(token, self.authority.jwt_public_key(), Some(self.authority.jwt_key_id()))?;
        let id = claims.check(audience, SystemTime::now())?;
        if id.is_in(self.domain()) { Ok((id, claims)) } else { Err(jwt::JwtError::Subject) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::identity::Identity;

    #[test]
    fn an_svid_is_renewed_at_half_of_its_life_and_keeps_its_key() {
        let identity = Identity::new(Duration::from_secs(100)).unwrap();
        let source = identity.source(&identity.domain().id(&["x"]).unwrap()).unwrap();
        let now = SystemTime::now();
        let first = source.svid_at(now);
        assert_eq!(source.svid_at(now + Duration::from_secs(48)).certificate, first.certificate);
        let second = source.svid_at(now + Duration::from_secs(51));
        assert_ne!(second.certificate, first.certificate);
        assert_eq!((second.private_key == first.private_key, source.renewals()), (true, 1));
        assert!(second.not_after >= now + Duration::from_secs(151));
    }

    #[test]
    fn no_two_engines_have_the_same_domain() {
        let domain = || Identity::new(Duration::from_secs(1)).unwrap().domain().clone();
        assert_ne!(domain(), domain());
    }
}
