use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use tokio_rustls::rustls::{
    pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer},
    sign::CertifiedKey,
};

use super::Error;

/// An X.509 SVID with its private key: who somebody is for a while.
#[derive(Debug)]
pub(in crate::engine) struct Svid {
    /// The certificate, as DER.
    pub(in crate::engine) certificate: CertificateDer<'static>,
    /// The private key, as PKCS #8 in DER.
    pub(in crate::engine) private_key: Vec<u8>,
    /// When it is to be replaced: at half of its life.
    pub(in crate::engine) renew_at: SystemTime,
    /// When it ends.
    pub(in crate::engine) not_after: SystemTime,
    /// The same as rustls takes it.
    pub(in crate::engine) certified: Arc<CertifiedKey>,
}

impl Svid {
    /// Puts a certificate and its key together, from now for `ttl`.
    pub(super) fn new(certificate: CertificateDer<'static>, private_key: &[u8], now: SystemTime, ttl: Duration) -> Result<Self, Error> {
        let failed = |error: tokio_rustls::rustls::Error| Error::new("use the key of an SVID", error);
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(private_key.to_vec()));
        let key = tokio_rustls::rustls::crypto::ring::sign::any_ecdsa_type(&key).map_err(failed)?;
        let certified = Arc::new(CertifiedKey::new(vec![certificate.clone()], key));
        Ok(Self { certificate, private_key: private_key.to_vec(), renew_at: now + ttl / 2, not_after: now + ttl, certified })
    }

    /// Whether it is to be replaced.
    pub(in crate::engine) fn is_due(&self, now: SystemTime) -> bool {
        now >= self.renew_at
    }
}
