use std::sync::Arc;

use tokio_rustls::rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, DistinguishedName, Error as TlsError, PeerIncompatible, ServerConfig, SignatureScheme,
    client::{
        ResolvesClientCert, Resumption,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    },
    crypto::{CryptoProvider, WebPkiSupportedAlgorithms, ring, verify_tls13_signature},
    pki_types::{CertificateDer, ServerName, UnixTime},
    server::{
        ClientHello, ResolvesServerCert,
        danger::{ClientCertVerified, ClientCertVerifier},
    },
    sign::CertifiedKey,
    version::TLS13,
};
use webpki::{EndEntityCert, KeyUsage, anchor_from_trusted_cert};

use super::{Error, Source, SpiffeId, svid::Svid};

/// What gRPC over TLS is announced as (RFC 7540, 3.1).
const ALPN: &[u8] = b"h2";

/// Who is at the other end of a connection, as its certificate proves it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::engine) struct Peer {
    /// Who it is.
    pub(in crate::engine) id: SpiffeId,
    /// Its public key, as an uncompressed point of P-256: what its tokens are checked with.
    pub(in crate::engine) public_key: Vec<u8>,
}

/// How connections are accepted: only from somebody of our trust domain.
#[derive(Debug, Clone)]
pub(in crate::engine) struct Accepts {
    config: ServerConfig,
    source: Arc<Source>,
}

/// How connections are made: only to somebody of our trust domain.
#[derive(Debug, Clone)]
pub(in crate::engine) struct Connects {
    config: ClientConfig,
    source: Arc<Source>,
}

impl Accepts {
    /// As `source`.
    ///
    /// # Errors
    /// The ring provider lacks TLS 1.3, or the trust bundle cannot be read.
    pub(in crate::engine) fn new(source: &Arc<Source>) -> Result<Self, Error> {
        let failed = |error| Error::new("set TLS up", error);
        let builder = ServerConfig::builder_with_provider(provider()).with_protocol_versions(&[&TLS13]).map_err(failed)?;
        let own = Arc::new(Shows(Arc::clone(&source.svid().certified)));
        let mut config = builder.with_client_cert_verifier(Arc::new(Verifier::new(source)?)).with_cert_resolver(own);
        config.alpn_protocols = vec![ALPN.to_vec()];
        // A resumed session would not show its certificate again, which may have ended since.
        config.send_tls13_tickets = 0;
        Ok(Self { config, source: Arc::clone(source) })
    }

    /// For one connection, and the SVID that is shown on it.
    pub(in crate::engine) fn one(&self) -> (Arc<ServerConfig>, Arc<Svid>) {
        let svid = self.source.svid();
        let mut config = self.config.clone();
        config.cert_resolver = Arc::new(Shows(Arc::clone(&svid.certified)));
        (Arc::new(config), svid)
    }
}

impl Connects {
    /// As `source`.
    ///
    /// # Errors
    /// The ring provider lacks TLS 1.3, or the trust bundle cannot be read.
    pub(in crate::engine) fn new(source: &Arc<Source>) -> Result<Self, Error> {
        let failed = |error| Error::new("set TLS up", error);
        let builder = ClientConfig::builder_with_provider(provider()).with_protocol_versions(&[&TLS13]).map_err(failed)?;
        let own = Arc::new(Shows(Arc::clone(&source.svid().certified)));
        let mut config = builder.dangerous().with_custom_certificate_verifier(Arc::new(Verifier::new(source)?)).with_client_cert_resolver(own);
        config.alpn_protocols = vec![ALPN.to_vec()];
        config.resumption = Resumption::disabled();
        Ok(Self { config, source: Arc::clone(source) })
    }

    /// For one connection, and the SVID that is shown on it.
    pub(in crate::engine) fn one(&self) -> (Arc<ClientConfig>, Arc<Svid>) {
        let svid = self.source.svid();
        let mut config = self.config.clone();
        config.client_auth_cert_resolver = Arc::new(Shows(Arc::clone(&svid.certified)));
        (Arc::new(config), svid)
    }
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}

/// Who showed these certificates in a handshake that was accepted.
///
/// # Errors
/// There are none, or not as [`Verifier`] would have them.
pub(in crate::engine) fn peer_of(certificates: Option<&[CertificateDer<'_>]>) -> Result<Peer, Error> {
    let refuse = |reason: &dyn ToString| Error::new("tell who the peer is", reason.to_string());
    let first = certificates.and_then(<[_]>::first).ok_or_else(|| refuse(&"it has shown no certificate"))?;
    let certificate = EndEntityCert::try_from(first).map_err(|error| refuse(&error))?;
    let id = spiffe_id(&certificate).map_err(|error| refuse(&error))?;
    let public_key = p256_point(&certificate.subject_public_key_info()).ok_or_else(|| refuse(&"its key is not one of ECDSA P-256"))?;
    Ok(Peer { id, public_key })
}

/// The point in a SubjectPublicKeyInfo of P-256: its header always has these bytes (RFC 5480, 2).
fn p256_point(info: &[u8]) -> Option<Vec<u8>> {
    const HEADER: [u8; 26] = [
        0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07,
        0x03, 0x42, 0x00,
    ];
    info.strip_prefix(&HEADER).map(<[u8]>::to_vec)
}

/// The one URI that names whom a certificate is of (X509-SVID, 2).
fn spiffe_id(certificate: &EndEntityCert<'_>) -> Result<SpiffeId, TlsError> {
    let mut names = certificate.valid_uri_names();
    let refuse = |reason: &str| TlsError::General(reason.to_owned());
    match (names.next(), names.next()) {
        (Some(name), None) => SpiffeId::parse(name).map_err(|error| refuse(&error.to_string())),
        (None, _) => Err(refuse("the certificate names no SPIFFE ID")),
        _ => Err(refuse("the certificate names more than one URI")),
    }
}

/// Shows one SVID.
#[derive(Debug)]
struct Shows(Arc<CertifiedKey>);

impl ResolvesServerCert for Shows {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0))
    }
}

impl ResolvesClientCert for Shows {
    fn resolve(&self, _: &[&[u8]], _: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0))
    }

    fn has_certs(&self) -> bool {
        true
    }
}

/// Believes whom the authorities have named: by trust bundle and SPIFFE ID. There are no host names.
#[derive(Debug)]
struct Verifier {
    /// Whose bundle counts, as it is when somebody is looked at.
    source: Arc<Source>,
    algorithms: WebPkiSupportedAlgorithms,
}

impl Verifier {
    fn new(source: &Arc<Source>) -> Result<Self, Error> {
        source
            .bundle()
            .iter()
            .try_for_each(|one| anchor_from_trusted_cert(one).map(drop))
            .map_err(|error| Error::new("read the trust bundle", error))?;
        let algorithms = ring::default_provider().signature_verification_algorithms;
        Ok(Self { source: Arc::clone(source), algorithms })
    }

    fn verify(&self, certificate: &CertificateDer<'_>, intermediates: &[CertificateDer<'_>], now: UnixTime, usage: KeyUsage) -> Result<(), TlsError> {
        let bundle = self.source.bundle();
        let anchors = bundle.iter().map(anchor_from_trusted_cert).collect::<Result<Vec<_>, _>>().map_err(bad)?;
        let certificate = EndEntityCert::try_from(certificate).map_err(bad)?;
        certificate.verify_for_usage(self.algorithms.all, &anchors, intermediates, now, usage, None, None).map_err(bad)?;
        let (id, domain) = (spiffe_id(&certificate)?, self.source.domain());
        match id.is_in(domain) {
            true => Ok(()),
            false => Err(TlsError::General(format!("{id} is not in the trust domain {domain}"))),
        }
    }

    fn signature(&self, message: &[u8], certificate: &CertificateDer<'_>, by: &DigitallySignedStruct) -> Result<HandshakeSignatureValid, TlsError> {
        verify_tls13_signature(message, certificate, by, &self.algorithms)
    }
}

/// A refusal, with the alert that the other end is told.
#[expect(clippy::needless_pass_by_value, reason = "as map_err passes it")]
fn bad(error: webpki::Error) -> TlsError {
    use webpki::Error as Webpki;
    TlsError::InvalidCertificate(match error {
        Webpki::CertExpired { .. } => CertificateError::Expired,
        Webpki::CertNotValidYet { .. } => CertificateError::NotValidYet,
        Webpki::UnknownIssuer => CertificateError::UnknownIssuer,
        Webpki::BadDer => CertificateError::BadEncoding,
        Webpki::InvalidSignatureForPublicKey => CertificateError::BadSignature,
        _ => CertificateError::ApplicationVerificationFailure,
    })
}

/// TLS 1.2 is not offered, so that this is never called.
fn only_tls13() -> Result<HandshakeSignatureValid, TlsError> {
    Err(TlsError::PeerIncompatible(PeerIncompatible::Tls12NotOffered))
}

impl ClientCertVerifier for Verifier {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(&self, end: &CertificateDer<'_>, inter: &[CertificateDer<'_>], now: UnixTime) -> Result<ClientCertVerified, TlsError> {
        self.verify(end, inter, now, KeyUsage::client_auth()).map(|()| ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(&self, _: &[u8], _: &CertificateDer<'_>, _: &DigitallySignedStruct) -> Result<HandshakeSignatureValid, TlsError> {
        only_tls13()
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        by: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        self.signature(message, certificate, by)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end: &CertificateDer<'_>,
        inter: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, TlsError> {
        self.verify(end, inter, now, KeyUsage::server_auth()).map(|()| ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(&self, _: &[u8], _: &CertificateDer<'_>, _: &DigitallySignedStruct) -> Result<HandshakeSignatureValid, TlsError> {
        only_tls13()
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        by: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        self.signature(message, certificate, by)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

#[cfg(test)]
#[path = "tls_tests.rs"]
mod tests;
