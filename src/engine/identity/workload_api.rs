use std::{collections::HashMap, sync::Arc, time::SystemTime};

use futures::{Stream, stream};
use prost_types::{Struct, Value, value::Kind};
use tokio::{
    net::{UnixListener, UnixStream},
    time::sleep,
};
use tonic::{Request, Response, Status};

use super::{
    Identity, JwtError, SVID_TTL, Sandboxes, Source,
    attest::Member,
    authority::Authority,
    jwt::Claims,
    messages::{
        JwtBundlesResponse, JwtSvid, JwtSvidRequest, JwtSvidResponse, Nothing, ValidateJwtSvidRequest, ValidateJwtSvidResponse, X509BundlesResponse,
        X509Svid, X509SvidResponse,
    },
};
use crate::engine::grpc::{self, Answer, Question};

/// What every call must carry, so that no browser or proxy can be made to do it (Workload Endpoint, 6).
pub(super) const SECURITY_HEADER: &str = "workload.spiffe.io";
/// How long a JWT-SVID is valid: as with SPIRE, five minutes.
const JWT_TTL: std::time::Duration = std::time::Duration::from_secs(300);
/// The most audiences that one JWT-SVID is made for.
const MAX_AUDIENCES: usize = 16;

/// The SPIFFE Workload API: identities for the programs in the sandboxes.
#[derive(Debug, Clone)]
pub(in crate::engine) struct WorkloadApi {
    identity: Arc<Identity>,
    sandboxes: Arc<Sandboxes>,
}

impl WorkloadApi {
    /// Identities of this authority for the processes in these sandboxes.
    pub(in crate::engine) fn new(identity: Arc<Identity>, sandboxes: Arc<Sandboxes>) -> Self {
        Self { identity, sandboxes }
    }

    /// Answers on a socket for ever.
    pub(in crate::engine) async fn serve(self, listener: UnixListener) {
        loop {
            match listener.accept().await {
                Ok((stream, _)) => drop(tokio::spawn(self.clone().converse(stream))),
                // Out of descriptors, most often: others must give some back first.
                Err(_) => sleep(std::time::Duration::from_millis(100)).await,
            }
        }
    }

    async fn converse(self, stream: UnixStream) {
        // Asked once: who has connected stays who it is, and its number may become another's.
        let Ok(admitted) = self.sandboxes.admit(&stream) else { return };
        let member = admitted.as_ref().map(|admitted| admitted.member.clone());
        // How a caller goes is its own matter.
        let _ = grpc::serve(stream, move |question| self.clone().route(question, member.clone())).await;
    }

    async fn route(self, question: Question, member: Option<Member>) -> Answer {
        let (authority, source) = match self.source(&question, member.as_ref()) {
            Ok(found) => found,
            Err(status) => return status.into_http(),
        };
        let path = question.uri().path().to_owned();
        match path.as_str() {
            "/SpiffeWorkloadAPI/FetchX509SVID" => {
                grpc::stream(question, async |_: Request<Nothing>| Ok(Response::new(x509_svids(&authority, source)))).await
            }
            "/SpiffeWorkloadAPI/FetchX509Bundles" => {
                let bundles = X509BundlesResponse { bundles: HashMap::from([(source.domain().uri(), source.bundle_bytes())]) };
                grpc::stream(question, async |_: Request<Nothing>| Ok(Response::new(once_for_all(bundles)))).await
            }
            "/SpiffeWorkloadAPI/FetchJWTBundles" => {
                let bundles = JwtBundlesResponse { bundles: HashMap::from([(source.domain().uri(), authority.jwt_bundle().into_bytes())]) };
                grpc::stream(question, async |_: Request<Nothing>| Ok(Response::new(once_for_all(bundles)))).await
            }
            "/SpiffeWorkloadAPI/FetchJWTSVID" => grpc::unary(question, async |request| jwt_svid(&authority, &source, request)).await,
            "/SpiffeWorkloadAPI/ValidateJWTSVID" => grpc::unary(question, async |request| validate(&authority, request)).await,
            other => grpc::unimplemented(other),
        }
    }

    fn source(&self, question: &Question, member: Option<&Member>) -> Result<(Arc<Authority>, Arc<Source>), Status> {
        if question.headers().get(SECURITY_HEADER).is_none_or(|value| value != "true") {
            return Err(Status::invalid_argument(format!("the metadata {SECURITY_HEADER}: true is missing")));
        }
        let none = || Status::permission_denied("no identity issued");
        // A sandbox that has gone since takes its identity with it.
        let member = member.and_then(|member| self.sandboxes.by_pod(&member.pod)).ok_or_else(none)?;
        let authority = self.identity.authority().ok_or_else(none)?;
        let source = self.identity.source_of(&member.pod).map_err(|error| Status::internal(error.to_string()))?;
        Ok((Arc::clone(authority), source))
    }
}

/// The SVID now, and each that follows it: at half of its life, or as soon as another life is asked for.
fn x509_svids(authority: &Authority, source: Arc<Source>) -> impl Stream<Item = Result<X509SvidResponse, Status>> + Send + use<> {
    stream::unfold((source, authority.ttl_changes(), None::<SystemTime>), |(source, mut changes, renew_at)| async move {
        if let Some(at) = renew_at {
            // A little more, so that it is due by then.
            let due = at.duration_since(SystemTime::now()).unwrap_or_default().min(SVID_TTL * 24) + std::time::Duration::from_millis(10);
            tokio::select! {
                () = sleep(due) => {}
                _ = changes.changed() => {}
            }
        }
        if renew_at.is_none() {
            source.give();
        }
        let svid = source.svid();
        let answer = X509Svid {
            spiffe_id: source.id().to_string(),
            certificates: svid.certificate.to_vec(),
            private_key: svid.private_key.clone(),
            bundle: source.bundle_bytes(),
        };
        let next = (source, changes, Some(svid.renew_at));
        Some((Ok(X509SvidResponse { svids: vec![answer], federated_bundles: HashMap::new() }), next))
    })
}

/// An answer that never changes; the stream stays open, for its end would mean that the authority is gone.
fn once_for_all<T: Send + 'static>(answer: T) -> impl Stream<Item = Result<T, Status>> + Send {
    stream::unfold(Some(answer), async |answer| match answer {
        Some(answer) => Some((Ok(answer), None)),
        None => std::future::pending().await,
    })
}

fn jwt_svid(authority: &Authority, source: &Source, request: Request<JwtSvidRequest>) -> Result<Response<JwtSvidResponse>, Status> {
    let JwtSvidRequest { audience, spiffe_id } = request.into_inner();
    if audience.is_empty() || audience.len() > MAX_AUDIENCES || audience.iter().any(String::is_empty) {
        return Err(Status::invalid_argument(format!("1 to {MAX_AUDIENCES} audiences must be named")));
    }
    if !spiffe_id.is_empty() && spiffe_id != source.id().as_str() {
        return Err(Status::permission_denied("no identity issued"));
    }
    let svid = authority.jwt_svid(source.id(), audience, JWT_TTL).map_err(|error| Status::internal(error.to_string()))?;
    Ok(Response::new(JwtSvidResponse { svids: vec![JwtSvid { spiffe_id: source.id().to_string(), svid }] }))
}

fn validate(authority: &Authority, request: Request<ValidateJwtSvidRequest>) -> Result<Response<ValidateJwtSvidResponse>, Status> {
    let ValidateJwtSvidRequest { audience, svid } = request.into_inner();
    let (id, claims) = authority.validate(&svid, &audience).map_err(|error: JwtError| Status::invalid_argument(error.to_string()))?;
    Ok(Response::new(ValidateJwtSvidResponse { spiffe_id: id.to_string(), claims: Some(structure(&claims)) }))
}

/// The claims as the API gives them.
fn structure(claims: &Claims) -> Struct {
    let value = |kind| Value { kind: Some(kind) };
    let text = |text: &String| value(Kind::StringValue(text.clone()));
    let audience = prost_types::ListValue { values: claims.aud.iter().map(text).collect() };
    let mut fields = vec![("sub", text(&claims.sub)), ("aud", value(Kind::ListValue(audience))), ("exp", value(Kind::NumberValue(claims.exp)))];
    #[expect(clippy::cast_precision_loss, reason = "seconds fit for some million years")]
    fields.extend(claims.iat.map(|iat| ("iat", value(Kind::NumberValue(iat as f64)))));
    Struct { fields: fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect() }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tonic::Code;

    use super::*;
    use crate::{engine::grpc::Channel, model::Namespaced, net::Namespace};

    /// The API on one end of a socket, called from the other by this very process, which is in a sandbox or in none.
    async fn api(ttl: Duration, is_sandboxed: bool) -> (Arc<Identity>, Channel) {
        let (identity, sandboxes) = (Arc::new(Identity::new(ttl).unwrap()), Arc::new(Sandboxes::default()));
        if is_sandboxed {
            let namespace = Namespace::current().unwrap();
            sandboxes.insert(Member { pod: Namespaced::new("ns", "alpine"), instance: "i".into(), namespace }).unwrap();
        }
        let (near, far) = UnixStream::pair().unwrap();
        tokio::spawn(WorkloadApi::new(Arc::clone(&identity), sandboxes).converse(far));
        (identity, Channel::new(near).await.unwrap())
    }

    fn asked<T>(message: T) -> Request<T> {
        let mut request = Request::new(message);
        request.metadata_mut().insert(SECURITY_HEADER, "true".parse().unwrap());
        request
    }

    #[tokio::test]
    async fn an_svid_comes_at_once_and_the_next_at_half_of_its_life() {
        let (identity, channel) = api(Duration::from_secs(4), true).await;
        let mut stream = channel.stream("/SpiffeWorkloadAPI/FetchX509SVID", asked(Nothing {})).await.unwrap().into_inner();
        let mut next = async || -> X509Svid { stream.message().await.unwrap().map(|mut answer: X509SvidResponse| answer.svids.remove(0)).unwrap() };
        let (first, second) = (next().await, next().await);
        assert_eq!(first.spiffe_id, format!("spiffe://{}/ns/ns/pod/alpine", identity.domain()));
        assert!(first.certificates != second.certificates && first.private_key == second.private_key && first.bundle == second.bundle);
        assert!(!first.bundle.is_empty() && !first.private_key.is_empty());
    }

    #[tokio::test]
    async fn an_svid_of_another_life_comes_as_soon_as_that_is_asked_for() {
        let (identity, channel) = api(SVID_TTL, true).await;
        let mut stream = channel.stream("/SpiffeWorkloadAPI/FetchX509SVID", asked(Nothing {})).await.unwrap().into_inner();
        let first: X509SvidResponse = stream.message().await.unwrap().unwrap();
        identity.set_svid_ttl(Duration::from_secs(60)).unwrap();
        let second: X509SvidResponse = stream.message().await.unwrap().unwrap();
        assert_ne!(first.svids[0].certificates, second.svids[0].certificates);
    }

    #[tokio::test]
    async fn bundles_are_those_of_the_domain() {
        let (identity, channel) = api(SVID_TTL, true).await;
        let uri = identity.domain().uri();
        let x509: Option<X509BundlesResponse> =
            channel.stream("/SpiffeWorkloadAPI/FetchX509Bundles", asked(Nothing {})).await.unwrap().into_inner().message().await.unwrap();
        let jwt: Option<JwtBundlesResponse> =
            channel.stream("/SpiffeWorkloadAPI/FetchJWTBundles", asked(Nothing {})).await.unwrap().into_inner().message().await.unwrap();
        assert!(x509.unwrap().bundles[&uri].len() > 100 && jwt.unwrap().bundles[&uri].starts_with(b"{"));
    }

    #[tokio::test]
    async fn a_jwt_svid_is_made_and_validated() {
        let (_, channel) = api(SVID_TTL, true).await;
        let request = asked(JwtSvidRequest { audience: vec!["me".into()], spiffe_id: String::new() });
        let made: JwtSvidResponse = channel.unary("/SpiffeWorkloadAPI/FetchJWTSVID", request).await.unwrap().into_inner();
        let svid = made.svids[0].svid.clone();
        let validate = async |audience: &str| {
            let request = asked(ValidateJwtSvidRequest { audience: audience.into(), svid: svid.clone() });
            channel.unary::<_, ValidateJwtSvidResponse>("/SpiffeWorkloadAPI/ValidateJWTSVID", request).await
        };
        let valid = validate("me").await.unwrap().into_inner();
        assert!(valid.spiffe_id.ends_with("/ns/ns/pod/alpine") && valid.claims.unwrap().fields.contains_key("exp"));
        assert_eq!(validate("you").await.unwrap_err().code(), Code::InvalidArgument);
        for (audience, spiffe_id, code) in [(vec![], "", Code::InvalidArgument), (vec!["me".to_owned()], "spiffe://x/y", Code::PermissionDenied)] {
            let request = asked(JwtSvidRequest { audience, spiffe_id: spiffe_id.into() });
            let refused = channel.unary::<_, JwtSvidResponse>("/SpiffeWorkloadAPI/FetchJWTSVID", request).await.unwrap_err();
            assert_eq!(refused.code(), code);
        }
    }

    #[tokio::test]
    async fn who_is_in_no_sandbox_is_nobody_and_who_does_not_know_the_rules_is_refused() {
        let (_, channel) = api(SVID_TTL, false).await;
        let fetch = async |channel: &Channel, request| channel.stream::<_, X509SvidResponse>("/SpiffeWorkloadAPI/FetchX509SVID", request).await;
        let refused = fetch(&channel, asked(Nothing {})).await.unwrap_err();
        assert_eq!((refused.code(), refused.message()), (Code::PermissionDenied, "no identity issued"));
        let (_, channel) = api(SVID_TTL, true).await;
        assert_eq!(fetch(&channel, Request::new(Nothing {})).await.unwrap_err().code(), Code::InvalidArgument);
        let unknown = channel.unary::<_, JwtSvidResponse>("/SpiffeWorkloadAPI/Nothing", asked(Nothing {})).await.unwrap_err();
        assert_eq!(unknown.code(), Code::Unimplemented);
    }
}
