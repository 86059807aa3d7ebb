use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, SystemTime},
};

use rcgen::KeyPair;
use tokio_rustls::rustls::pki_types::CertificateDer;

use super::{
    Error, SpiffeId, TrustDomain,
    authority::{Authority, new_key},
    jwt::{self, Claims},
    svid::Svid,
};
use crate::engine::phases::Moment;

/// Those who are believed: the certificates of authorities.
pub(super) type Bundle = Arc<[CertificateDer<'static>]>;

/// The credentials of somebody: of our own authority, or of a SPIRE agent.
///
/// Whoever asks gets an SVID of our own that is in the first half of its life. It is renewed with the same key: NSM checks a token
/// against the certificate of the connection that it comes over, and connections outlive SVIDs. With another key each renewal would
/// break every connection's next refresh. An agent renews with another key: tokens are then signed with that of the SVID which was
/// shown when the connection was made.
pub(in crate::engine) struct Source {
    id: SpiffeId,
    domain: TrustDomain,
    /// Who renews it; none where that is told by an agent.
    issuer: Option<(Arc<Authority>, KeyPair)>,
    current: Mutex<(Arc<Svid>, Bundle)>,
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
        let svid = authority.issue(&id, &key, SystemTime::now())?;
        let bundle = Bundle::from([authority.certificate().clone()]);
        Ok(Self::of(id, authority.domain().clone(), Some((authority, key)), svid, bundle))
    }

    /// Somebody whose SVIDs come from elsewhere; this is the first.
    pub(super) fn from_elsewhere(id: SpiffeId, svid: Svid, bundle: Bundle) -> Self {
        let domain = id.domain();
        Self::of(id, domain, None, svid, bundle)
    }

    fn of(id: SpiffeId, domain: TrustDomain, issuer: Option<(Arc<Authority>, KeyPair)>, svid: Svid, bundle: Bundle) -> Self {
        let current = Mutex::new((Arc::new(svid), bundle));
        Self { id, domain, issuer, current, renewals: AtomicU64::new(0), given: Mutex::default() }
    }

    /// Takes what has come from elsewhere: another SVID, or the same with another bundle.
    pub(super) fn replace(&self, svid: Svid, bundle: Bundle) {
        let mut current = self.current();
        if current.0.certificate == svid.certificate {
            current.1 = bundle;
            return;
        }
        *current = (Arc::new(svid), bundle);
        self.renewals.fetch_add(1, Ordering::Relaxed);
    }

    fn current(&self) -> MutexGuard<'_, (Arc<Svid>, Bundle)> {
        self.current.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whose they are.
    pub(in crate::engine) fn id(&self) -> &SpiffeId {
        &self.id
    }

    /// The trust domain.
    pub(in crate::engine) fn domain(&self) -> &TrustDomain {
        &self.domain
    }

    /// Those who are believed.
    pub(in crate::engine) fn bundle(&self) -> Bundle {
        Arc::clone(&self.current().1)
    }

    /// The same as the Workload API has them: one after the other.
    pub(super) fn bundle_bytes(&self) -> Vec<u8> {
        self.bundle().iter().flat_map(|one| one.to_vec()).collect()
    }

    /// The X.509 SVID, renewed where half of its life is over.
    pub(in crate::engine) fn svid(&self) -> Arc<Svid> {
        self.svid_at(SystemTime::now())
    }

    fn svid_at(&self, now: SystemTime) -> Arc<Svid> {
        let mut current = self.current();
        if let Some((authority, key)) = &self.issuer
            && (current.0.is_due(now) || current.0.ttl != authority.ttl())
        {
            // Where that fails the old one still has half of its life, and the next who asks tries again.
            if let Ok(renewed) = authority.issue(&self.id, key, now) {
                current.0 = Arc::new(renewed);
                self.renewals.fetch_add(1, Ordering::Relaxed);
            }
        }
        Arc::clone(&current.0)
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

    /// A token of NSM: who we are, for whom, for how long. It goes over a connection on which we have shown `shown`, and is signed
    /// with the key of that.
    ///
    /// # Errors
    /// There is no randomness for the signature.
    pub(in crate::engine) fn token(&self, shown: &Svid, audience: &SpiffeId, lifetime: Duration) -> Result<(String, SystemTime), Error> {
        let expires = (SystemTime::now() + lifetime).min(self.svid().not_after);
        let claims = Claims::new(&self.id, vec![audience.to_string()], expires);
        Ok((jwt::sign(&claims, None, &shown.signing_key)?, expires))
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
    fn another_life_counts_for_everybody_at_once() {
        let identity = Identity::new(Duration::from_secs(3600)).unwrap();
        let source = identity.source(&identity.domain().id(&["x"]).unwrap()).unwrap();
        let (now, key) = (SystemTime::now(), source.svid().private_key.clone());
        assert_eq!(identity.set_svid_ttl(Duration::from_secs(10)).unwrap(), Duration::from_secs(3600));
        let svid = source.svid_at(now);
        assert_eq!((svid.not_after, svid.private_key == key, source.renewals()), (now + Duration::from_secs(10), true, 1));
        assert_eq!(source.svid_at(now).certificate, svid.certificate, "once is enough");
    }

    #[test]
    fn no_two_engines_have_the_same_domain() {
        let domain = || Identity::new(Duration::from_secs(1)).unwrap().domain().clone();
        assert_ne!(domain(), domain());
    }
}
