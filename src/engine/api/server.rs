use std::{
    sync::{Arc, atomic::AtomicBool},
    time::Duration,
};

use tokio::{
    net::{UnixListener, UnixStream},
    time::{sleep, timeout},
};
use tokio_rustls::{TlsAcceptor, rustls::ServerConfig, server::TlsStream};

use super::{
    CLOSE, MONITOR, REGISTER_ENDPOINT, REQUEST,
    control::Control,
    descriptors::Descriptors,
    phases::Handshake,
    transport::{DescriptorStream, Outgoing},
};
use crate::engine::{
    grpc::{self, Answer, Question},
    identity::{Peer, peer_of},
    phases::Moment,
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
    pub(super) handshake: Handshake,
    /// Whether a connection has been asked for over it.
    pub(super) has_asked: Arc<AtomicBool>,
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
        let Some((caller, stream)) = accept(stream, &self.accepts).await else { return };
        // How a caller goes is its own matter.
        let _ = grpc::serve(stream, |question| Arc::clone(&self).route(caller.clone(), question)).await;
    }

    async fn route(self: Arc<Self>, caller: Caller, question: Question) -> Answer {
        let path = question.uri().path().to_owned();
        if [REQUEST, CLOSE, MONITOR].contains(&path.as_str()) {
            self.opened().await;
        }
        match path.as_str() {
            REQUEST => grpc::unary(question, async |request| self.request(&caller, request).await).await,
            CLOSE => grpc::unary(question, async |request| self.close_for(&caller, request).await).await,
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
pub(super) async fn accept(stream: UnixStream, config: &Arc<ServerConfig>) -> Option<(Caller, TlsStream<DescriptorStream>)> {
    let begun = Moment::now();
    let stream = DescriptorStream::new(stream);
    let (received, outgoing) = (stream.received(), stream.outgoing());
    let stream = timeout(HANDSHAKE, Box::pin(TlsAcceptor::from(Arc::clone(config)).accept(stream))).await.ok()?.ok()?;
    let session = stream.get_ref().1;
    let (peer, handshake) = (peer_of(session.peer_certificates()).ok()?, Handshake::ended(begun, session));
    Some((Caller { peer, received, outgoing, handshake, has_asked: Arc::default() }, stream))
}
