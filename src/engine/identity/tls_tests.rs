use std::time::{Duration, SystemTime};

use rcgen::KeyPair;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_rustls::{TlsAcceptor, TlsConnector};

use super::*;
use crate::engine::identity::{Identity, authority::new_key};

/// Shows a certificate of the test's own.
#[derive(Debug)]
struct Shown(Option<Arc<CertifiedKey>>);

impl ResolvesClientCert for Shown {
    fn resolve(&self, _: &[&[u8]], _: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        self.0.clone()
    }

    fn has_certs(&self) -> bool {
        self.0.is_some()
    }
}

impl ResolvesServerCert for Shown {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        self.0.clone()
    }
}

fn identity() -> Identity {
    Identity::new(Duration::from_secs(3600)).unwrap()
}

fn source(identity: &Identity, name: &str) -> Arc<Source> {
    identity.source(&identity.domain().id(&[name]).unwrap()).unwrap()
}

fn certified(certificate: CertificateDer<'static>, key: &KeyPair) -> Arc<CertifiedKey> {
    Arc::clone(&Svid::issued(certificate, key.serialized_der(), SystemTime::now(), Duration::from_secs(1)).unwrap().certified)
}

/// A handshake and one byte each way; the result is who the server saw, or why one of them would not.
async fn meet(server: ServerConfig, client: ClientConfig) -> Result<Peer, String> {
    let (near, far) = tokio::io::duplex(4096);
    let serving = async {
        let mut stream = TlsAcceptor::from(Arc::new(server)).accept(far).await.map_err(|error| format!("server: {error}"))?;
        let peer = peer_of(stream.get_ref().1.peer_certificates()).map_err(|error| error.to_string())?;
        stream.write_all(b"x").await.map_err(|error| error.to_string())?;
        Ok::<_, String>(peer)
    };
    let calling = async {
        let name = ServerName::try_from("localhost").unwrap();
        let mut stream = TlsConnector::from(Arc::new(client)).connect(name, near).await.map_err(|error| format!("client: {error}"))?;
        stream.read_u8().await.map_err(|error| format!("client: {error}"))
    };
    let (peer, read) = tokio::join!(serving, calling);
    let peer = peer?;
    read.map(|_| peer)
}

fn configs(identity: &Identity) -> (ServerConfig, ClientConfig) {
    let (server, client) = (Accepts::new(&source(identity, "server")).unwrap(), Connects::new(&source(identity, "client")).unwrap());
    (ServerConfig::clone(&server.one().0), ClientConfig::clone(&client.one().0))
}

#[tokio::test]
async fn two_of_one_domain_know_each_other() {
    let identity = identity();
    let (server, client) = configs(&identity);
    let peer = meet(server, client).await.unwrap();
    let known = source(&identity, "client");
    assert_eq!(&peer.id, known.id());
    let (token, _) = known.token(&known.svid(), source(&identity, "server").id(), Duration::from_secs(60)).unwrap();
    assert!(crate::engine::identity::verify(&token, &peer.public_key, None).is_ok(), "tokens are signed with the key of the certificate");
}

#[tokio::test]
async fn both_ends_refuse_a_foreign_domain() {
    let (one, other) = (identity(), identity());
    let (server, client) = (configs(&one).0, configs(&other).1);
    let error = meet(server, client).await.unwrap_err();
    assert!(error.contains("UnknownIssuer") || error.contains("UnknownCA"), "{error}");
    // The client looks first: a server that would take anybody is refused all the same.
    let name = |identity: &Identity| source(identity, "server").svid().certified.clone();
    let mut server = configs(&one).0;
    server.cert_resolver = Arc::new(Shown(Some(name(&other))));
    let error = meet(server, configs(&one).1).await.unwrap_err();
    assert!(error.contains("UnknownCA"), "{error}");
}

/// What a client shows, and what the server must say of it.
async fn shown(identity: &Identity, shows: Option<Arc<CertifiedKey>>) -> String {
    let (server, mut client) = configs(identity);
    client.client_auth_cert_resolver = Arc::new(Shown(shows));
    meet(server, client).await.unwrap_err()
}

#[tokio::test]
async fn a_certificate_that_has_expired_or_has_not_begun_is_refused() {
    let identity = identity();
    let (key, id) = (new_key().unwrap(), identity.domain().id(&["client"]).unwrap());
    let at = |time| certified(identity.authority().unwrap().issue(&id, &key, time).unwrap().certificate, &key);
    let now = SystemTime::now();
    let error = shown(&identity, Some(at(now - Duration::from_secs(3700)))).await;
    assert!(error.contains("Expired"), "{error}");
    let error = shown(&identity, Some(at(now + Duration::from_secs(3700)))).await;
    assert!(error.contains("NotValidYet"), "{error}");
}

#[tokio::test]
async fn no_certificate_and_one_signed_by_itself_are_refused() {
    let identity = identity();
    let error = shown(&identity, None).await;
    assert!(error.contains("no certificates") || error.contains("NoCertificatesPresented"), "{error}");

    let key = new_key().unwrap();
    let mut params = rcgen::CertificateParams::default();
    params.subject_alt_names = vec![rcgen::SanType::URI(source(&identity, "client").id().as_str().try_into().unwrap())];
    let alone = params.self_signed(&key).unwrap();
    let error = shown(&identity, Some(certified(alone.der().clone(), &key))).await;
    assert!(error.contains("UnknownIssuer"), "{error}");
}

#[tokio::test]
async fn an_authority_and_a_name_outside_the_domain_are_nobody() {
    let identity = identity();
    let key = new_key().unwrap();
    let elsewhere = SpiffeId::parse("spiffe://elsewhere/client").unwrap();
    let signed = identity.authority().unwrap().issue(&elsewhere, &key, SystemTime::now()).unwrap();
    let error = shown(&identity, Some(certified(signed.certificate, &key))).await;
    assert!(error.contains("is not in the trust domain"), "{error}");
    let error = shown(&identity, Some(certified(identity.authority().unwrap().certificate().clone(), &key))).await;
    assert!(error.starts_with("server:"), "{error}");
}
