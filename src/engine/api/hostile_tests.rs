//! What nobody should send. Each input ends in a gRPC status or the end of its connection, the manager goes on, and no
//! descriptor stays.

use std::{
    io::{self, Read},
    os::fd::OwnedFd,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use http_body::{Body as _, Frame};
use proptest::{prelude::*, strategy::ValueTree, test_runner::TestRunner};
use prost::Message;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{UnixListener, UnixStream},
};
use tokio_rustls::{TlsConnector, rustls::pki_types::ServerName};
use tonic::{Code, Request, Status};
use tower_service::Service;

use super::{
    line::Line,
    token,
    transport::DescriptorStream,
    wire::{Connection, Empty, Mechanism, MonitorScopeSelector, NetworkService, NetworkServiceEndpoint, NetworkServiceRequest, Path, PathSegment},
    *,
};
use crate::{
    engine::identity::{Connects, Identity, Member, Source},
    model::Namespaced,
    net::Namespace,
};

const METHODS: [&str; 9] = [
    REQUEST,
    CLOSE,
    MONITOR,
    REGISTER_ENDPOINT,
    "/registry.NetworkServiceEndpointRegistry/Unregister",
    "/registry.NetworkServiceEndpointRegistry/Find",
    "/registry.NetworkServiceRegistry/Register",
    "/registry.NetworkServiceRegistry/Unregister",
    "/registry.NetworkServiceRegistry/Find",
];

/// A manager with one sandbox, in which somebody means no good.
struct World {
    control: std::sync::Arc<Control>,
    source: std::sync::Arc<Source>,
    serving: tokio::task::JoinHandle<()>,
    _dir: tempfile::TempDir,
}

impl World {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let identity = std::sync::Arc::new(Identity::new(super::super::identity::SVID_TTL).unwrap());
        let control = Control::new(identity, [dir.path(); 2], "nsm.io.sock").unwrap();
        let pod = Namespaced::new("ns", "villain");
        let source = control.identity.source_of(&pod).unwrap();
        control.sandboxes.insert(Member { pod, instance: "i".into(), namespace: Namespace::current().unwrap() }).unwrap();
        let serving = tokio::spawn(std::sync::Arc::clone(&control).serve(UnixListener::bind(control.socket()).unwrap()));
        Self { control, source, serving, _dir: dir }
    }

    async fn line(&self) -> Line {
        Line::open(&self.control.socket(), &Connects::new(&self.source).unwrap()).await.unwrap()
    }

    /// Somebody who means well is served still.
    async fn is_well(&self) {
        let line = self.line().await;
        line.stream::<_, wire::ConnectionEvent>(&self.source, MONITOR, MonitorScopeSelector::default()).await.unwrap().message().await.unwrap();
        assert!(!self.serving.is_finished());
    }
}

/// Values of a kind, the same in every run.
fn values<S: Strategy>(strategy: &S, count: usize) -> Vec<S::Value> {
    let mut runner = TestRunner::deterministic();
    (0..count).map(|_| strategy.new_tree(&mut runner).unwrap().current()).collect()
}

/// A body of bytes as they are.
struct Raw(Option<Bytes>);

impl http_body::Body for Raw {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        Poll::Ready(self.0.take().map(|bytes| Ok(Frame::data(bytes))))
    }
}

/// Sends a body to a method; the result is the status that came back. A stream is not waited for to its end.
async fn send(line: &Line, source: &Source, method: &'static str, body: Vec<u8>) -> Code {
    let mut metadata = Request::new(());
    token::to_callee(metadata.metadata_mut(), source, &line.shown, &line.peer.id).unwrap();
    let mut request = http::Request::post(format!("http://localhost{method}")).header("content-type", "application/grpc").header("te", "trailers");
    request.headers_mut().unwrap().extend(metadata.metadata().clone().into_headers());
    let request = request.body(tonic::body::Body::new(Raw(Some(body.into())))).unwrap();
    let answer = line.channel().call(request).await.unwrap();
    let code = |headers: &http::HeaderMap| headers.get("grpc-status").map(|code| Code::from_bytes(code.as_bytes()));
    if let Some(code) = code(answer.headers()) {
        return code;
    }
    let mut body = Box::pin(answer.into_body());
    while let Some(frame) = std::future::poll_fn(|context| body.as_mut().poll_frame(context)).await {
        match frame.unwrap().into_trailers() {
            Ok(trailers) => return code(&trailers).unwrap(),
            // A stream that has begun to answer has taken the message.
            Err(_) if method == MONITOR || method.ends_with("/Find") => return Code::Ok,
            Err(_) => {}
        }
    }
    panic!("{method} ended without a status")
}

fn frame(message: &[u8]) -> Vec<u8> {
    [&[0], u32::try_from(message.len()).unwrap().to_be_bytes().as_slice(), message].concat()
}

#[tokio::test]
async fn bytes_that_are_no_messages_end_in_a_status() {
    let world = World::new();
    let line = world.line().await;
    let valid = NetworkServiceRequest { connection: Some(connection(0, vec![("a", "c")])), mechanism_preferences: vec![] }.encode_to_vec();
    let mangled = (any::<prop::sample::Index>(), any::<u8>(), 0..4_u8, prop::collection::vec(any::<u8>(), 0..200));
    for (number, (at, byte, kind, noise)) in values(&mangled, 400).into_iter().enumerate() {
        let mut message = valid.clone();
        let at = at.index(message.len());
        let body = match kind {
            // Cut off within the message, and within the frame.
            0 => frame(&message[..at]),
            1 => frame(&message)[..at].to_vec(),
            2 => {
                message[at] = byte;
                frame(&message)
            }
            // Fields that nobody knows, or nothing at all.
            _ => frame(&noise),
        };
        // What happens to be a message is answered as such: without a path, a name or a descriptor none gets far.
        let code = send(&line, &world.source, METHODS[number % METHODS.len()], body).await;
        assert!(code != Code::Unknown && code != Code::Cancelled, "{code:?}");
    }
    let lie = [&[0, 0xff, 0xff, 0xff, 0xff][..], &valid].concat();
    assert_eq!(send(&line, &world.source, REQUEST, lie).await, Code::OutOfRange);
    assert_eq!(send(&line, &world.source, "/networkservice.NetworkService/Nothing", frame(&valid)).await, Code::Unimplemented);
    world.is_well().await;
}

fn connection(index: u32, segments: Vec<(&str, &str)>) -> Connection {
    let segment = |(name, id): (&str, &str)| PathSegment { name: name.into(), id: id.into(), token: "x.y.z".into(), ..PathSegment::default() };
    let path = Path { index, path_segments: segments.into_iter().map(segment).collect() };
    Connection { id: "c".into(), network_service: "s".into(), path: Some(path), ..Connection::default() }
}

prop_compose! {
    fn requests()(
        count in prop::sample::select(vec![0, 1, 2, 3, 17, 2000]),
        index in prop::sample::select(vec![0, 1, 16, 1999, u32::MAX]),
        id in prop::sample::select(vec!["c".to_owned(), String::new(), "x".repeat(5000)]),
        service in "[a-z]{0,3}|\\PC{0,300}",
        url in "inode://[0-9]{1,25}/[0-9]{0,25}|file:///proc/self/ns/net|\\PC{0,50}",
        name in "[a-z-]{0,40}|\\PC{0,20}",
        kind in prop::sample::select(vec!["KERNEL", "MEMIF", ""]),
        labels in 0..100_usize,
    ) -> NetworkServiceRequest {
        let mut connection = connection(index, vec![("a", "c"); count]);
        (connection.id, connection.network_service) = (id, service);
        connection.labels = (0..labels).map(|n| (n.to_string(), String::new())).collect();
        let parameters = [("inodeURL".to_owned(), url), ("name".to_owned(), name)].into();
        NetworkServiceRequest { connection: Some(connection), mechanism_preferences: vec![Mechanism { cls: String::new(), r#type: kind.into(), parameters }] }
    }
}

#[tokio::test]
async fn requests_that_cannot_be_meant_are_refused() {
    let world = World::new();
    let (line, other) = (world.line().await, world.control.identity.source(&world.control.identity.domain().id(&["other"]).unwrap()).unwrap());
    for (number, request) in values(&requests(), 500).into_iter().enumerate() {
        // Every other one with the token of somebody else, or none.
        let answer = match number % 4 {
            0 => line.call::<_, Connection>(&other, REQUEST, Request::new(request)).await,
            1 => line.call_without_token::<_, Connection>(REQUEST, Request::new(request)).await,
            // Those that speak of a descriptor in its right form are for the test below.
            _ if request.mechanism_preferences[0].parameters["inodeURL"].parse::<Inode>().is_ok() => continue,
            2 => line.call::<_, Empty>(&world.source, CLOSE, Request::new(request.connection.unwrap())).await.map(|_| Connection::default().into()),
            _ => line.call::<_, Connection>(&world.source, REQUEST, Request::new(request)).await,
        };
        match answer.map_err(|status| status.code()) {
            Err(Code::InvalidArgument | Code::PermissionDenied) => {}
            // To close what is not there is no error.
            Ok(_) if number % 4 == 2 => {}
            other => panic!("{other:?}"),
        }
    }
    world.is_well().await;
}

#[tokio::test]
async fn registrations_that_cannot_be_meant_are_refused() {
    let world = World::new();
    let line = world.line().await;
    let entries = ("[a-z]{0,3}|\\PC{250,300}", "file:///x|tcp://127\\.0\\.0\\.1:1|\\PC{0,40}", prop::sample::select(vec![0, 1, 65, 1000]));
    for (name, url, services) in values(&entries, 150) {
        let entry = NetworkServiceEndpoint { name, url, network_service_names: vec!["s".into(); services], ..Default::default() };
        let code = line.call::<_, NetworkServiceEndpoint>(&world.source, REGISTER_ENDPOINT, Request::new(entry)).await.unwrap_err().code();
        assert_eq!(code, Code::InvalidArgument);
    }
    // A descriptor of what is no socket, and that of a socket that somebody else's name is on.
    let file = OwnedFd::from(std::fs::File::open("/dev/null").unwrap());
    let url = Inode::of(&file).unwrap().to_string();
    line.outgoing.send(file);
    let entry = NetworkServiceEndpoint { name: "n".into(), url, ..Default::default() };
    let status = line.call::<_, NetworkServiceEndpoint>(&world.source, REGISTER_ENDPOINT, Request::new(entry)).await.unwrap_err();
    assert_eq!((status.code(), status.message()), (Code::InvalidArgument, "the endpoint's url is that of no socket"));
    world.is_well().await;
}

#[tokio::test]
async fn a_pod_registers_no_more_than_it_may() {
    let world = World::new();
    let line = world.line().await;
    let listener = std::os::unix::net::UnixListener::bind(world._dir.path().join("socket")).unwrap();
    let endpoint = async |name: String| {
        let socket = OwnedFd::from(listener.try_clone().unwrap());
        let url = Inode::of(&socket).unwrap().to_string();
        line.outgoing.send(socket);
        let entry = NetworkServiceEndpoint { name, url, ..Default::default() };
        line.call::<_, NetworkServiceEndpoint>(&world.source, REGISTER_ENDPOINT, Request::new(entry)).await
    };
    let service = async |name: String| {
        let entry = NetworkService { name, ..NetworkService::default() };
        line.call::<_, NetworkService>(&world.source, "/registry.NetworkServiceRegistry/Register", Request::new(entry)).await
    };
    for number in 0..64 {
        endpoint(number.to_string()).await.unwrap();
        service(number.to_string()).await.unwrap();
    }
    let refused = |status: Status| (status.code(), status.message().to_owned());
    assert_eq!(refused(endpoint("more".into()).await.unwrap_err()), (Code::ResourceExhausted, "a pod has at most 64 endpoints".into()));
    assert_eq!(refused(service("more".into()).await.unwrap_err()), (Code::ResourceExhausted, "a pod has at most 64 network services".into()));
    // What it has is refreshed as before.
    endpoint("0".into()).await.unwrap();
    service("0".into()).await.unwrap();
}

#[tokio::test]
async fn a_pod_has_no_more_connections_than_it_may() {
    let world = World::new();
    let mut lines = Vec::new();
    for _ in 0..128 {
        lines.push(world.line().await);
    }
    let one_more = async || Line::open(&world.control.socket(), &Connects::new(&world.source).unwrap()).await;
    let hung_up = [io::ErrorKind::UnexpectedEof, io::ErrorKind::ConnectionReset, io::ErrorKind::BrokenPipe];
    assert!(hung_up.contains(&one_more().await.unwrap_err().kind()));
    // Those that it has go on, and where one ends another may come.
    let line = lines.pop().unwrap();
    line.stream::<_, wire::ConnectionEvent>(&world.source, MONITOR, MonitorScopeSelector::default()).await.unwrap();
    drop(line);
    while one_more().await.is_err() {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn what_is_no_tls_and_what_is_no_http_is_hung_up_on() {
    let world = World::new();
    let noise = values(&prop::collection::vec(any::<u8>(), 1..400), 100);
    for (number, bytes) in noise.into_iter().enumerate() {
        let mut stream = UnixStream::connect(world.control.socket()).await.unwrap();
        if number % 2 == 0 {
            // Whoever hangs up first is of no interest; the other end must.
            let _ = stream.write_all(&bytes).await;
            let _ = stream.shutdown().await;
            let _ = stream.read_to_end(&mut Vec::new()).await;
        } else {
            let connector = TlsConnector::from(Connects::new(&world.source).unwrap().one().0);
            let mut stream = connector.connect(ServerName::try_from("localhost").unwrap(), DescriptorStream::new(stream)).await.unwrap();
            let _ = stream.write_all(&bytes).await;
            let _ = stream.shutdown().await;
            let _ = stream.read_to_end(&mut Vec::new()).await;
        }
    }
    world.is_well().await;
}

#[tokio::test]
async fn descriptors_that_never_come_are_not_waited_for_and_those_that_come_do_not_stay() {
    let world = World::new();
    let line = world.line().await;
    let (mut reader, writer) = io::pipe().unwrap();
    let asking = (0..50_u64).map(|number| {
        line.outgoing.send(writer.try_clone().unwrap().into());
        let mut request = NetworkServiceRequest { connection: Some(connection(0, vec![("a", "c")])), ..Default::default() };
        let url = Inode { device: 1, number }.to_string();
        request.mechanism_preferences =
            vec![Mechanism { r#type: "KERNEL".into(), parameters: [("inodeURL".to_owned(), url)].into(), ..Default::default() }];
        line.call::<_, Connection>(&world.source, REQUEST, Request::new(request))
    });
    for answer in futures::future::join_all(asking).await {
        let status = answer.unwrap_err();
        assert!(status.code() == Code::DeadlineExceeded && status.message().contains("inode://1/"), "{status:?}");
    }
    world.is_well().await;
    drop((line, writer));
    // A pipe ends with the last descriptor of its writing end, which is the manager's.
    let ended = tokio::task::spawn_blocking(move || reader.read(&mut [0]).unwrap());
    assert_eq!(ended.await.unwrap(), 0);
}

#[tokio::test]
async fn a_namespace_that_is_not_the_callers_own_is_refused() {
    let world = World::new();
    let line = world.line().await;
    let file = OwnedFd::from(std::fs::File::open("/proc/self/ns/uts").unwrap());
    let url = Inode::of(&file).unwrap().to_string();
    line.outgoing.send(file);
    let mechanism = Mechanism { r#type: "KERNEL".into(), parameters: [("inodeURL".to_owned(), url)].into(), ..Default::default() };
    let request = NetworkServiceRequest { connection: Some(connection(0, vec![("a", "c")])), mechanism_preferences: vec![mechanism] };
    let status = line.call::<_, Connection>(&world.source, REQUEST, Request::new(request)).await.unwrap_err();
    assert!(status.code() == Code::PermissionDenied && status.message().ends_with("is not the network namespace of pod ns/villain"), "{status:?}");
}

#[tokio::test]
async fn slow_peers_are_hung_up_on_and_keep_nobody_waiting() {
    let world = World::new();
    let silent: Vec<_> = futures::future::join_all((0..64).map(|_| UnixStream::connect(world.control.socket()))).await;
    // Those that prove who they are and then say nothing, or half of what they have to say first.
    let connector = TlsConnector::from(Connects::new(&world.source).unwrap().one().0);
    let mut mute = Vec::new();
    for words in [&b""[..], b"PRI * HTTP"] {
        let stream = DescriptorStream::new(UnixStream::connect(world.control.socket()).await.unwrap());
        let mut stream = connector.connect(ServerName::try_from("localhost").unwrap(), stream).await.unwrap();
        stream.write_all(words).await.unwrap();
        mute.push(stream);
    }
    let line = world.line().await;
    // A message that is announced and never comes.
    let request = http::Request::post(format!("http://localhost{REQUEST}")).header("content-type", "application/grpc");
    let request = request.body(tonic::body::Body::new(Never)).unwrap();
    let mut channel = line.channel();
    let slow = tokio::spawn(async move { channel.call(request).await.unwrap() });
    world.is_well().await;
    for stream in silent {
        assert_eq!(stream.unwrap().read(&mut [0]).await.unwrap(), 0, "hung up");
    }
    for mut stream in mute {
        let ended = tokio::time::timeout(std::time::Duration::from_secs(20), stream.read(&mut [0])).await.expect("hung up");
        // Without a farewell of TLS, which is an error, or with one.
        assert!(ended.map_or(true, |read| read == 0));
    }
    let answer = slow.await.unwrap();
    assert_eq!(Code::from_bytes(answer.headers()["grpc-status"].as_bytes()), Code::DeadlineExceeded);
    world.is_well().await;
}

/// A body that never says anything.
struct Never;

impl http_body::Body for Never {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        Poll::Pending
    }
}
