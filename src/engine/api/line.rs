use std::{fs, io, path::Path, sync::Arc};

use prost::Message;
use tokio::{
    net::{UnixSocket, UnixStream},
    time::timeout,
};
use tokio_rustls::{TlsConnector, rustls::pki_types::ServerName};
use tonic::{Request, Response, Status, Streaming};

use super::{
    descriptors::Descriptors,
    phases::Handshake,
    server::HANDSHAKE,
    token,
    transport::{DescriptorStream, Outgoing},
};
use crate::engine::{
    grpc::Channel,
    identity::{Connects, Peer, Source, Svid, peer_of},
    phases::Moment,
};

/// A connection to somebody whose methods are called.
#[derive(Debug, Clone)]
pub(super) struct Line {
    channel: Channel,
    /// Who it is.
    pub(super) peer: Peer,
    /// What has come over it.
    pub(super) received: Descriptors,
    /// What is to go over it.
    pub(super) outgoing: Outgoing,
    /// What we have shown on it.
    pub(super) shown: Arc<Svid>,
    /// How it was made.
    pub(super) handshake: Handshake,
}

impl Line {
    /// Connects to a socket; both ends prove who they are.
    ///
    /// # Errors
    /// Nobody listens, or it cannot prove who it is, or does not speak HTTP/2.
    pub(super) async fn open(socket: &Path, connects: &Connects) -> io::Result<Self> {
        let begun = Moment::now();
        Self::over(UnixStream::connect(socket).await?, connects, begun).await
    }

    /// The same from a socket that has a name of its own.
    ///
    /// # Errors
    /// As with [`Self::open`], or the name is taken.
    pub(super) async fn open_from(name: &Path, socket: &Path, connects: &Connects) -> io::Result<Self> {
        let begun = Moment::now();
        let own = UnixSocket::new_stream()?;
        own.bind(name)?;
        let connected = own.connect(socket).await;
        // The other end knows it by then, and nobody is to connect to it.
        let _ = fs::remove_file(name);
        Self::over(connected?, connects, begun).await
    }

    async fn over(stream: UnixStream, connects: &Connects, begun: Moment) -> io::Result<Self> {
        let stream = DescriptorStream::new(stream);
        let (config, shown) = connects.one();
        let (received, outgoing) = (stream.received(), stream.outgoing());
        // TLS wants a name, and the verifier looks at none.
        let name = ServerName::try_from("localhost").map_err(io::Error::other)?;
        let stream = timeout(HANDSHAKE, Box::pin(TlsConnector::from(config).connect(name, stream))).await??;
        let session = stream.get_ref().1;
        let (peer, handshake) = (peer_of(session.peer_certificates()).map_err(io::Error::other)?, Handshake::ended(begun, session));
        let channel = Box::pin(Channel::new(stream)).await.map_err(io::Error::other)?;
        Ok(Self { channel, peer, received, outgoing, shown, handshake })
    }

    /// Whether the other end is gone.
    pub(super) fn is_closed(&self) -> bool {
        self.channel.is_closed()
    }

    /// Calls a method with one answer, with our token for the other end.
    ///
    /// # Errors
    /// What the method answers, or that the other end is gone.
    pub(super) async fn call<Q, A>(&self, source: &Source, method: &'static str, mut request: Request<Q>) -> Result<Response<A>, Status>
    where
        Q: Message + 'static,
        A: Message + Default + 'static,
    {
        token::to_callee(request.metadata_mut(), source, &self.shown, &self.peer.id)?;
        Box::pin(self.channel.unary(method, request)).await
    }

    /// The bare connection.
    #[cfg(test)]
    pub(super) fn channel(&self) -> Channel {
        self.channel.clone()
    }

    /// As [`Self::call`], without saying who we are.
    #[cfg(test)]
    pub(super) async fn call_without_token<Q, A>(&self, method: &'static str, request: Request<Q>) -> Result<Response<A>, Status>
    where
        Q: Message + 'static,
        A: Message + Default + 'static,
    {
        self.channel.unary(method, request).await
    }

    /// Calls a method with a stream of answers, with our token for the other end.
    ///
    /// # Errors
    /// What the method answers, or that the other end is gone.
    pub(super) async fn stream<Q, A>(&self, source: &Source, method: &'static str, message: Q) -> Result<Streaming<A>, Status>
    where
        Q: Message + 'static,
        A: Message + Default + 'static,
    {
        let mut request = Request::new(message);
        token::to_callee(request.metadata_mut(), source, &self.shown, &self.peer.id)?;
        Ok(Box::pin(self.channel.stream(method, request)).await?.into_inner())
    }
}
