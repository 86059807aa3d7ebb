//! gRPC over any byte stream: a service is a function from a request to a response, a method is one arm of its `match`.

use std::{
    future::Future,
    io,
    marker::PhantomData,
    pin::{Pin, pin},
    task::{Context, Poll},
    time::Duration,
};

use futures::Stream;
use http::uri::PathAndQuery;
use hyper::{
    body::Incoming,
    client::conn::http2::{SendRequest, handshake},
    server::conn::http2,
    service::service_fn,
};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use prost::Message;
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, join, split},
    time::timeout,
};
use tonic::{
    Request, Response, Status,
    body::Body,
    server::{Grpc, ServerStreamingService, UnaryService},
};
use tonic_prost::ProstCodec;
use tower_service::Service;

/// A request as it comes.
pub(super) type Question = http::Request<Incoming>;
/// A response as it goes.
pub(super) type Answer = http::Response<Body>;

/// How long a call with one answer may take, its message included: as long as NSM's own clients wait for one.
const CALL: Duration = Duration::from_secs(15);
/// The longest message, in bytes: what gRPC takes elsewhere too is 4 MiB; none of NSM's has a hundredth of that.
const MAX_MESSAGE: usize = 256 * 1024;
/// The longest headers of a request, in bytes: a path of tokens fits in it.
const MAX_HEADERS: u32 = 32 * 1024;
/// How many calls a connection may have open: an NSM client has one of each kind for each of its connections.
const MAX_CALLS: u32 = 256;
/// How many bytes a client of HTTP/2 says first (RFC 9113, 3.4: its preface), before which it is asked for no sign of life, and how long
/// that may take.
const PREFACE: usize = 24;
const OPENING: Duration = Duration::from_secs(5);
/// How long a silent peer is believed to be alive.
const KEEP_ALIVE: Duration = Duration::from_secs(30);

/// Answers on a connection until it ends.
///
/// # Errors
/// The peer does not speak HTTP/2, or says nothing at all, or has gone in the middle of something.
pub(super) async fn serve<I, F, R>(io: I, service: F) -> io::Result<()>
where
    I: AsyncRead + AsyncWrite + Unpin,
    F: Fn(Question) -> R,
    R: Future<Output = Answer> + Send + 'static,
{
    serve_until(io, service, std::future::pending()).await
}

/// The same until `stop`: what is under way then goes on to its end, and the peer is told to make another connection for the rest.
///
/// # Errors
/// As with [`serve`].
pub(super) async fn serve_until<I, F, R>(io: I, service: F, stop: impl Future<Output = ()>) -> io::Result<()>
where
    I: AsyncRead + AsyncWrite + Unpin,
    F: Fn(Question) -> R,
    R: Future<Output = Answer> + Send + 'static,
{
    let (mut reader, writer) = split(io);
    let mut preface = [0; PREFACE];
    timeout(OPENING, reader.read_exact(&mut preface)).await??;
    let io = join(preface.chain(reader), writer);
    let service = service_fn(|question| {
        let answer = service(question);
        async { Ok::<_, std::convert::Infallible>(answer.await) }
    });
    let mut server = http2::Builder::new(TokioExecutor::new());
    server.timer(TokioTimer::new()).keep_alive_interval(KEEP_ALIVE).max_header_list_size(MAX_HEADERS).max_concurrent_streams(MAX_CALLS);
    let mut connection = pin!(server.serve_connection(TokioIo::new(io), service));
    tokio::select! {
        served = connection.as_mut() => return served.map_err(io::Error::other),
        () = stop => connection.as_mut().graceful_shutdown(),
    }
    connection.await.map_err(io::Error::other)
}

/// A method with one answer.
pub(super) async fn unary<Q, A, F, R>(question: Question, method: F) -> Answer
where
    Q: Message + Default + 'static,
    A: Message + 'static,
    F: FnOnce(Request<Q>) -> R,
    R: Future<Output = Result<Response<A>, Status>>,
{
    let mut grpc = Grpc::new(ProstCodec::<A, Q>::default()).max_decoding_message_size(MAX_MESSAGE);
    let late = |_| Status::deadline_exceeded(format!("the call took longer than {} s", CALL.as_secs())).into_http();
    timeout(CALL, grpc.unary(Method(Some(method), PhantomData), question)).await.unwrap_or_else(late)
}

/// A method with a stream of answers.
pub(super) async fn stream<Q, A, F, R, S>(question: Question, method: F) -> Answer
where
    Q: Message + Default + 'static,
    A: Message + 'static,
    F: FnOnce(Request<Q>) -> R,
    R: Future<Output = Result<Response<S>, Status>>,
    S: Stream<Item = Result<A, Status>> + Send + 'static,
{
    let mut grpc = Grpc::new(ProstCodec::<A, Q>::default()).max_decoding_message_size(MAX_MESSAGE);
    let late = |_| Status::deadline_exceeded(format!("the call took longer than {} s", CALL.as_secs())).into_http();
    timeout(CALL, grpc.server_streaming(Method(Some(method), PhantomData), question)).await.unwrap_or_else(late)
}

/// The answer where there is no such method.
pub(super) fn unimplemented(path: &str) -> Answer {
    let path: String = path.chars().take(100).collect();
    Status::unimplemented(format!("there is no method {path}")).into_http()
}

/// One method, which is called once.
struct Method<F, Q>(Option<F>, PhantomData<fn(Q)>);

/// What was called twice; tonic calls once.
fn spent() -> Status {
    Status::internal("the method has been called")
}

impl<Q, A, F, R> UnaryService<Q> for Method<F, Q>
where
    F: FnOnce(Request<Q>) -> R,
    R: Future<Output = Result<Response<A>, Status>>,
{
    type Response = A;
    type Future = Once<R>;

    fn call(&mut self, request: Request<Q>) -> Once<R> {
        Once(self.0.take().map(|method| Box::pin(method(request))))
    }
}

impl<Q, A, F, R, S> ServerStreamingService<Q> for Method<F, Q>
where
    F: FnOnce(Request<Q>) -> R,
    R: Future<Output = Result<Response<S>, Status>>,
    S: Stream<Item = Result<A, Status>>,
{
    type Response = A;
    type ResponseStream = S;
    type Future = Once<R>;

    fn call(&mut self, request: Request<Q>) -> Once<R> {
        Once(self.0.take().map(|method| Box::pin(method(request))))
    }
}

/// The work of a method, or none.
pub(super) struct Once<R>(Option<Pin<Box<R>>>);

impl<R: Future<Output = Result<T, Status>>, T> Future for Once<R> {
    type Output = Result<T, Status>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        self.0.as_mut().map_or_else(|| Poll::Ready(Err(spent())), |work| work.as_mut().poll(context))
    }
}

/// A connection on which methods are called.
#[derive(Debug, Clone)]
pub(super) struct Channel(SendRequest<Body>);

impl Channel {
    /// Speaks HTTP/2 over a stream; what drives it is a task that ends with the last clone.
    ///
    /// # Errors
    /// The other end does not speak HTTP/2.
    pub(super) async fn new<I>(io: I) -> hyper::Result<Self>
    where
        I: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let (sender, connection) = handshake(TokioExecutor::new(), TokioIo::new(io)).await?;
        // How it ends is seen by whoever waits for an answer.
        tokio::spawn(async move { connection.await.ok() });
        Ok(Self(sender))
    }

    /// Whether the other end is gone.
    pub(super) fn is_closed(&self) -> bool {
        self.0.is_closed()
    }

    /// Calls a method with one answer. For as long as it takes: whoever calls knows how long that may be.
    ///
    /// # Errors
    /// What the method answers, or that the other end is gone.
    pub(super) async fn unary<Q, A>(&self, path: &'static str, request: Request<Q>) -> Result<Response<A>, Status>
    where
        Q: Message + 'static,
        A: Message + Default + 'static,
    {
        self.client().unary(request, PathAndQuery::from_static(path), ProstCodec::default()).await
    }

    /// Calls a method with a stream of answers.
    ///
    /// # Errors
    /// What the method answers, or that the other end is gone.
    pub(super) async fn stream<Q, A>(&self, path: &'static str, request: Request<Q>) -> Result<Response<tonic::Streaming<A>>, Status>
    where
        Q: Message + 'static,
        A: Message + Default + 'static,
    {
        self.client().server_streaming(request, PathAndQuery::from_static(path), ProstCodec::default()).await
    }

    fn client(&self) -> tonic::client::Grpc<Self> {
        // The name that gRPC gives to what is at the end of a unix socket.
        tonic::client::Grpc::with_origin(self.clone(), http::Uri::from_static("http://localhost"))
    }
}

impl Service<http::Request<Body>> for Channel {
    type Response = http::Response<Incoming>;
    type Error = hyper::Error;
    type Future = Pin<Box<dyn Future<Output = hyper::Result<Self::Response>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<hyper::Result<()>> {
        self.0.poll_ready(context)
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        Box::pin(self.0.send_request(request))
    }
}
