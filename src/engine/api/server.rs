use std::{sync::Arc, time::Duration};

use tokio::{
    net::{UnixListener, UnixStream},
    time::{sleep, timeout},
};
use tokio_rustls::TlsAcceptor;

use super::{
    control::Control,
    descriptors::Descriptors,
    transport::{DescriptorStream, Outgoing},
};
use crate::engine::{
    grpc::{self, Answer, Question},
    identity::{Peer, peer_of},
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
        let stream = DescriptorStream::new(stream);
        let (received, outgoing) = (stream.received(), stream.outgoing());
        let accepted = timeout(HANDSHAKE, TlsAcceptor::from(Arc::clone(&self.accepts)).accept(stream)).await;
        // Whoever cannot prove who it is has been told by an alert of TLS.
        let Ok(Ok(stream)) = accepted else { return };
        let Ok(peer) = peer_of(stream.get_ref().1.peer_certificates()) else { return };
        let caller = Caller { peer, received, outgoing };
        // How a caller goes is its own matter.
        let _ = grpc::serve(stream, |question| Arc::clone(&self).route(caller.clone(), question)).await;
    }

    async fn route(self: Arc<Self>, caller: Caller, question: Question) -> Answer {
        let path = question.uri().path().to_owned();
        match path.as_str() {
            "/networkservice.NetworkService/Request" => grpc::unary(question, async |request| self.request(&caller, request).await).await,
            "/networkservice.NetworkService/Close" => grpc::unary(question, async |request| self.close_for(&caller, request).await).await,
            "/connection.MonitorConnection/MonitorConnections" => grpc::stream(question, async |request| self.monitor(&caller, request)).await,
            "/registry.NetworkServiceEndpointRegistry/Register" => {
                grpc::unary(question, async |request| self.register_endpoint(&caller, request).await).await
            }
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
