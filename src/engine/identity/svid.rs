use std::{
    fmt,
    sync::Arc,
    time::{Duration, SystemTime},
};

use ring::signature::EcdsaKeyPair;
use tokio_rustls::rustls::{
    pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer},
    sign::CertifiedKey,
};

use super::{Error, authority::signing_key};

/// An X.509 SVID with its private key: who somebody is for a while.
pub(in crate::engine) struct Svid {
    /// The certificate, as DER.
    pub(in crate::engine) certificate: CertificateDer<'static>,
    /// The private key, as PKCS #8 in DER.
    pub(in crate::engine) private_key: Vec<u8>,
    /// When it is to be replaced: at half of its life.
    pub(in crate::engine) renew_at: SystemTime,
    /// When it ends.
    pub(in crate::engine) not_after: SystemTime,
    /// How long it was to be valid when it was signed.
    pub(super) ttl: Duration,
    /// The same as rustls takes it, with the certificates of those between it and the authority.
    pub(in crate::engine) certified: Arc<CertifiedKey>,
    /// Its key, as it signs NSM's tokens.
    pub(super) signing_key: EcdsaKeyPair,
}

impl fmt::Debug for Svid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Svid").field("not_after", &self.not_after).finish_non_exhaustive()
    }
}

impl Svid {
    /// An SVID that was signed just now, for `ttl`.
    pub(super) fn issued(certificate: CertificateDer<'static>, private_key: &[u8], now: SystemTime, ttl: Duration) -> Result<Self, Error> {
        Self::new(vec![certificate], private_key, now, now + ttl)
    }

    /// Puts certificates, the own first, and a key together: valid from `now` to `not_after`.
    pub(super) fn new(chain: Vec<CertificateDer<'static>>, private_key: &[u8], now: SystemTime, not_after: SystemTime) -> Result<Self, Error> {
        let failed = |error: tokio_rustls::rustls::Error| Error::new("use the key of an SVID", error);
        let certificate = chain.first().cloned().ok_or_else(|| Error::new("use an SVID", "it has no certificate"))?;
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(private_key.to_vec()));
        let key = tokio_rustls::rustls::crypto::ring::sign::any_ecdsa_type(&key).map_err(failed)?;
        let certified = Arc::new(CertifiedKey::new(chain, key));
        let ttl = not_after.duration_since(now).unwrap_or_default();
        let (private_key, signing_key) = (private_key.to_vec(), signing_key(private_key)?);
        Ok(Self { certificate, private_key, renew_at: now + ttl / 2, not_after, ttl, certified, signing_key })
    }

    /// Whether it is to be replaced.
    pub(in crate::engine) fn is_due(&self, now: SystemTime) -> bool {
        now >= self.renew_at
    }
}
