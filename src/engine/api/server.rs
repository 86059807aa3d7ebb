use std::{
    process,
    sync::{Arc, PoisonError, atomic::AtomicBool},
    time::Duration,
};

use tokio::{
    net::{UnixListener, UnixStream},
    sync::Notify,
    time::{sleep, timeout},
};
use tokio_rustls::{TlsAcceptor, server::TlsStream};
use tonic::{Status, metadata::MetadataMap};

use super::{
    CLOSE, MONITOR, REGISTER_ENDPOINT, REQUEST,
    control::Control,
    descriptors::Descriptors,
    phases::Handshake,
    token,
    transport::{DescriptorStream, Outgoing},
};
use crate::{
    engine::{
        grpc::{self, Answer, Question},
        identity::{Accepts, Claims, Peer, Svid, peer_of, process_of},
        phases::Moment,
    },
    model::Namespaced,
};

/// How long a handshake may take. It needs a few milliseconds; who does not finish it holds a descriptor of ours.
pub(super) const HANDSHAKE: Duration = Duration::from_secs(5);
/// How long to wait where no connection can be accepted, which is so while there are no descriptors left.
const BREATH: Duration = Duration::from_millis(100);

/// Who is at the other end of a connection, and what has come over it.
#[derive(Debug, Clone)]
pub(super) struct Caller {
    pub(super) peer: Peer,
    pub(super) received: Descriptors,
    pub(super) outgoing: Outgoing,
    /// What we have shown it.
    pub(super) shown: Arc<Svid>,
    /// The pod that its process is in, where its SPIFFE ID does not say that.
    pub(super) pod: Option<Namespaced>,
    pub(super) handshake: Handshake,
    /// Whether a connection has been asked for over it.
    pub(super) has_asked: Arc<AtomicBool>,
    /// It has another key now, so that no more is to come over this connection.
    renewed: Arc<Notify>,
}

impl Control {
    /// Answers on a socket for ever.
    pub(in crate::engine) async fn serve(self: Arc<Self>, listener: UnixListener) {
        loop {
            match listener.accept().await {
                Ok((stream, _)) => drop(tokio::spawn(Arc::clone(&self).converse(stream))),
                Err(_) => sleep(BREATH).await,
            }
        }
    }

    async fn converse(self: Arc<Self>, stream: UnixStream) {
        // Whose pod has too many connections is hung up on.
        let Ok(admitted) = self.sandboxes.admit(&stream) else { return };
        let pod = match self.identity.agent() {
            None => None,
            Some(_) if process_of(&stream).is_some_and(|pid| u32::try_from(pid) == Ok(process::id())) => self.own_pod(&stream),
            Some(_) => admitted.as_ref().map(|admitted| admitted.member.pod.clone()),
        };
        let Some((caller, stream)) = accept(stream, &self.accepts).await else { return };
        let (caller, renewed) = (Caller { pod, ..caller.clone() }, caller.renewed);
        // How a caller goes is its own matter.
        let _ = grpc::serve_until(stream, |question| Arc::clone(&self).route(caller.clone(), question), renewed.notified()).await;
    }

    /// The pod of one of our own parts, by the name of the socket that it has connected from.
    fn own_pod(&self, stream: &UnixStream) -> Option<Namespaced> {
        self.own.lock().unwrap_or_else(PoisonError::into_inner).remove(stream.peer_addr().ok()?.as_pathname()?)
    }

    /// A caller's token, checked.
    ///
    /// # Errors
    /// It is not what it should be. One that is signed with another key than that of this connection is asked for over another: a SPIRE
    /// agent renews SVIDs with their keys, and connections outlive them.
    pub(super) fn token_of(&self, caller: &Caller, metadata: &MetadataMap) -> Result<(String, Claims), Status> {
        token::from_caller(metadata, &caller.peer, self.source.id()).map_err(|refused| {
            if self.identity.agent().is_none() || !token::is_of_another_key(metadata, &caller.peer) {
                return refused;
            }
            caller.renewed.notify_one();
            Status::unavailable(format!("the SVID of {} was renewed since this connection was made: connect again", caller.peer.id))
        })
    }

    async fn route(self: Arc<Self>, caller: Caller, question: Question) -> Answer {
        let path = question.uri().path().to_owned();
        if [REQUEST, CLOSE, MONITOR].contains(&path.as_str()) {
            self.opened().await;
        }
        match path.as_str() {
            REQUEST => {
                let work = async |request| self.whole(caller, async move |own, caller| Box::pin(own.request(&caller, request)).await).await;
                grpc::unary(question, work).await
            }
            CLOSE => {
                let work = async |request| self.whole(caller, async move |own, caller| Box::pin(own.close_for(&caller, request)).await).await;
                grpc::unary(question, work).await
            }
            MONITOR => grpc::stream(question, async |request| self.monitor(&caller, request)).await,
            REGISTER_ENDPOINT => grpc::unary(question, async |request| self.register_endpoint(&caller, request).await).await,
            "/registry.NetworkServiceEndpointRegistry/Unregister" => {
                grpc::unary(question, async |request| self.unregister_endpoint(&caller, request)).await
            }
            "/registry.NetworkServiceEndpointRegistry/Find" => grpc::stream(question, async |request| self.find_endpoints(request)).await,
            "/registry.NetworkServiceRegistry/Register" => grpc::unary(question, async |request| self.register_service(&caller, request)).await,
            "/registry.NetworkServiceRegistry/Unregister" => grpc::unary(question, async |request| self.unregister_service(&caller, request)).await,
            "/registry.NetworkServiceRegistry/Find" => grpc::stream(question, async |request| self.find_services(request)).await,
            other => grpc::unimplemented(other),
        }
    }
}

/// Makes a connection of what has connected; none where it cannot prove who it is, which it has then been told by an alert of TLS.
pub(super) async fn accept(stream: UnixStream, accepts: &Accepts) -> Option<(Caller, TlsStream<DescriptorStream>)> {
    let begun = Moment::now();
    let stream = DescriptorStream::new(stream);
    let (received, outgoing) = (stream.received(), stream.outgoing());
    let (config, shown) = accepts.one();
    let stream = timeout(HANDSHAKE, Box::pin(TlsAcceptor::from(config).accept(stream))).await.ok()?.ok()?;
    let session = stream.get_ref().1;
    let (peer, handshake) = (peer_of(session.peer_certificates()).ok()?, Handshake::ended(begun, session));
    let caller = Caller { peer, received, outgoing, shown, pod: None, handshake, has_asked: Arc::default(), renewed: Arc::default() };
    Some((caller, stream))
}
