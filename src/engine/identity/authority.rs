use std::time::{Duration, SystemTime};

use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose,
    PKCS_ECDSA_P256_SHA256, SanType,
};
use ring::{
    digest,
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair},
};
use serde::{Deserialize, Serialize};
use tokio::sync::watch;
use tokio_rustls::rustls::pki_types::CertificateDer;

use super::{
    Error, SpiffeId, TrustDomain,
    jwt::{self, Claims, JwtError},
    svid::Svid,
};

/// How long before now a certificate begins, for clocks that go a little behind.
const BACKDATE: Duration = Duration::from_secs(10);
/// How long the authority's own certificate is valid: longer than an engine runs.
const AUTHORITY_LIFE: Duration = Duration::from_secs(10 * 365 * 24 * 3600);

/// What signs the identities of one engine: an ECDSA P-256 authority that is nowhere but in memory.
pub(super) struct Authority {
    domain: TrustDomain,
    /// How long the SVIDs are valid that it signs from now on.
    ttl: watch::Sender<Duration>,
    issuer: Issuer<'static, KeyPair>,
    certificate: CertificateDer<'static>,
    /// Signs JWT-SVIDs; another key than that of the certificates (JWT-SVID, 4.1 keeps them apart by their use).
    jwt_key: EcdsaKeyPair,
    jwt_key_id: String,
    jwt: KeyPair,
}

/// An authority as it is handed on to a process that follows. It holds private keys, and is for memory alone.
#[derive(Serialize, Deserialize)]
pub(in crate::engine) struct SavedAuthority {
    key: Vec<u8>,
    certificate: Vec<u8>,
    jwt_key: Vec<u8>,
    ttl: Duration,
}

impl std::fmt::Debug for Authority {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Authority").field("domain", &self.domain).finish_non_exhaustive()
    }
}

impl Authority {
    /// A new authority. Its domain is named after its key, so that no two engines have the same.
    pub(super) fn new(ttl: Duration) -> Result<Self, Error> {
        Self::with(new_key()?, new_key()?, None, ttl)
    }

    /// The authority that another process has handed on.
    pub(super) fn restore(saved: &SavedAuthority) -> Result<Self, Error> {
        Self::with(read_key(&saved.key)?, read_key(&saved.jwt_key)?, Some(saved.certificate.clone().into()), saved.ttl)
    }

    /// What another process needs to go on as this authority.
    pub(super) fn save(&self) -> SavedAuthority {
        let [key, jwt_key] = [self.issuer.key(), &self.jwt].map(|key| key.serialized_der().to_vec());
        SavedAuthority { key, certificate: self.certificate.to_vec(), jwt_key, ttl: self.ttl() }
    }

    fn with(key: KeyPair, jwt: KeyPair, known: Option<CertificateDer<'static>>, ttl: Duration) -> Result<Self, Error> {
        let fingerprint = digest::digest(&digest::SHA256, key.public_key_raw());
        let hex: String = fingerprint.as_ref().iter().take(4).map(|byte| format!("{byte:02x}")).collect();
        let domain = TrustDomain::new(&format!("{hex}.nsm.local"))?;
        let now = SystemTime::now();
        let mut params = certificate(&domain.uri(), now, AUTHORITY_LIFE)?;
        params.distinguished_name.push(DnType::CommonName, domain.to_string());
        // It signs SVIDs and no further authorities.
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let sign = || params.self_signed(&key).map(|signed| signed.der().clone());
        let certificate = known.map_or_else(sign, Ok).map_err(|error| Error::new("sign the authority's certificate", error))?;
        let id = digest::digest(&digest::SHA256, jwt.public_key_raw());
        let jwt_key_id = id.as_ref().iter().take(16).map(|byte| format!("{byte:02x}")).collect();
        let (issuer, jwt_key) = (Issuer::new(params, key), signing_key(jwt.serialized_der())?);
        Ok(Self { domain, ttl: watch::Sender::new(ttl), issuer, certificate, jwt_key, jwt_key_id, jwt })
    }

    /// What it is responsible for.
    pub(super) fn domain(&self) -> &TrustDomain {
        &self.domain
    }

    /// Its own certificate: the trust bundle.
    pub(super) fn certificate(&self) -> &CertificateDer<'static> {
        &self.certificate
    }

    /// How long the SVIDs are valid that it signs.
    pub(super) fn ttl(&self) -> Duration {
        *self.ttl.borrow()
    }

    /// Tells whenever that is changed.
    pub(super) fn ttl_changes(&self) -> watch::Receiver<Duration> {
        self.ttl.subscribe()
    }

    /// Has SVIDs be valid for another time from now on. The result is what it was before.
    pub(super) fn set_ttl(&self, ttl: Duration) -> Duration {
        self.ttl.send_replace(ttl)
    }

    /// A JWT-SVID of somebody.
    ///
    /// # Errors
    /// There is no randomness for the signature.
    pub(super) fn jwt_svid(&self, id: &SpiffeId, audience: Vec<String>, lifetime: Duration) -> Result<String, Error> {
        let now = SystemTime::now();
        let claims = Claims { iat: Some(jwt::seconds(now)), ..Claims::new(id, audience, now + lifetime) };
        jwt::sign(&claims, Some(&self.jwt_key_id), &self.jwt_key)
    }

    /// The keys by which JWT-SVIDs are checked (RFC 7517).
    pub(super) fn jwt_bundle(&self) -> String {
        jwt::key_set(&self.jwt_key_id, self.jwt.public_key_raw())
    }

    /// Checks a JWT-SVID of this domain.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(super) fn validate(&self, token: &str, audience: &str) -> Result<(SpiffeId, Claims), JwtError> {
        let claims = jwt::verify(token, self.jwt.public_key_raw(), Some(&self.jwt_key_id))?;
        let id = claims.check(audience, SystemTime::now())?;
        if id.is_in(&self.domain) { Ok((id, claims)) } else { Err(JwtError::Subject) }
    }

    /// Says who somebody with a key is, from `now` on.
    pub(super) fn issue(&self, id: &SpiffeId, key: &KeyPair, now: SystemTime) -> Result<Svid, Error> {
        let ttl = self.ttl();
        let mut params = certificate(id.as_str(), now, ttl)?;
        params.is_ca = IsCa::ExplicitNoCa;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        params.use_authority_key_identifier_extension = true;
        let certificate = params.signed_by(key, &self.issuer).map_err(|error| Error::new(format!("sign the SVID of {id}"), error))?;
        Svid::issued(certificate.der().clone(), key.serialized_der(), now, ttl)
    }
}

/// A new ECDSA P-256 key: the kind that NSM's tokens need (ES256).
pub(super) fn new_key() -> Result<KeyPair, Error> {
    KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).map_err(|error| Error::new("make a key", error))
}

/// A key that was handed on.
pub(super) fn read_key(pkcs8: &[u8]) -> Result<KeyPair, Error> {
    KeyPair::from_pkcs8_der_and_sign_algo(&pkcs8.into(), &PKCS_ECDSA_P256_SHA256).map_err(|error| Error::new("read a key", error))
}

/// The same key, as it signs JWTs: their signatures are two numbers of fixed length (RFC 7518, 3.4).
pub(super) fn signing_key(pkcs8: &[u8]) -> Result<EcdsaKeyPair, Error> {
    EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, pkcs8, &SystemRandom::new()).map_err(|error| Error::new("use a key", error))
}

/// What every certificate here has: the URI of whom it is of, and a life from now on.
fn certificate(uri: &str, now: SystemTime, ttl: Duration) -> Result<CertificateParams, Error> {
    let name = uri.try_into().map_err(|error| Error::new(format!("put {uri} into a certificate"), error))?;
    let mut params = CertificateParams::default();
    (params.not_before, params.not_after) = ((now - BACKDATE).into(), (now + ttl).into());
    params.subject_alt_names = vec![SanType::URI(name)];
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::OrganizationName, "nsmctl");
    params.serial_number = Some(serial()?);
    Ok(params)
}

/// A number of its own for every certificate, which renewing with the same key would not give.
fn serial() -> Result<rcgen::SerialNumber, Error> {
    let mut bytes = [0; 16];
    ring::rand::SecureRandom::fill(&SystemRandom::new(), &mut bytes).map_err(|error| Error::new("make a serial number", error))?;
    // Positive, as RFC 5280 (4.1.2.2) wants it.
    bytes[0] &= 0x7f;
    Ok(rcgen::SerialNumber::from_slice(&bytes))
}
