use std::sync::{
    Arc, Mutex,
    atomic::{AtomicBool, AtomicUsize, Ordering},
};

use tokio::{net::UnixListener, sync::Semaphore};
use tonic::{Code, Request, Response, Status};

use super::*;
use crate::{
    engine::{
        api::{
            CLOSE, REGISTER_ENDPOINT, REQUEST,
            descriptors::Inode,
            journal::Happening,
            mechanism::{INODE_URL, NAME, give, kernel},
            server::accept,
            token,
            wire::{self, Empty, NetworkServiceEndpoint, NetworkServiceRequest, PathSegment},
        },
        grpc,
        identity::{Accepts, AgentSocket, Connects, Identity, SVID_TTL, Sandboxes, Settings, Source, WorkloadApi},
    },
    model::{AddressPair, Namespaced, NetworkServiceSpec, Payload},
    net::Namespace,
};

/// A manager, and a pod in which are a client and an endpoint.
struct World {
    control: Arc<Control>,
    /// A SPIRE agent's, where one gives identities.
    giver: Option<Arc<Identity>>,
    source: Mutex<Arc<Source>>,
    /// Whether the endpoint hangs up on whoever connects with it.
    hangs_up: AtomicBool,
    /// How often the endpoint was connected with.
    connected: AtomicUsize,
    /// How often it was asked for a connection.
    asked: AtomicUsize,
    /// How many connections it may say that it has closed.
    may_close: Semaphore,
    dir: tempfile::TempDir,
}

fn member(name: &str) -> Member {
    Member { pod: Namespaced::new("ns", name), instance: "i".into(), namespace: Namespace::current().unwrap() }
}

/// What an endpoint puts into the path as its token, by whom it is asked.
type Forge = fn(&World, &SpiffeId) -> String;

impl World {
    fn new() -> Arc<Self> {
        let dir = tempfile::tempdir().unwrap();
        Self::with(dir, Identity::new(SVID_TTL).unwrap(), None)
    }

    /// With the Workload API of another in the place of a SPIRE agent's.
    async fn by_agent() -> Arc<Self> {
        let dir = tempfile::tempdir().unwrap();
        let (giver, known, path) = (Arc::new(Identity::new(SVID_TTL).unwrap()), Arc::new(Sandboxes::default()), dir.path().join("api.sock"));
        known.insert(member("engine")).unwrap();
        tokio::spawn(WorkloadApi::new(Arc::clone(&giver), known).serve(UnixListener::bind(&path).unwrap()));
        let settings = Settings { agent: Some(AgentSocket::at(path)), ..Settings::default() };
        let identity = Identity::begin(&settings).await.unwrap();
        Self::with(dir, identity, Some(giver))
    }

    fn with(dir: tempfile::TempDir, identity: Identity, giver: Option<Arc<Identity>>) -> Arc<Self> {
        let control = Control::new(Arc::new(identity), [dir.path(); 2], "nsm.io.sock").unwrap();
        let source = Mutex::new(giver.as_ref().unwrap_or(&control.identity).source_of(&member("pod").pod).unwrap());
        control.sandboxes.insert(member("pod")).unwrap();
        control.registry().put_service("i", &NetworkServiceSpec { id: Namespaced::new("ns", "s"), payload: Payload::Ethernet, matches: Vec::new() });
        tokio::spawn(Arc::clone(&control).serve(UnixListener::bind(control.socket()).unwrap()));
        let (connected, asked, may_close) = (AtomicUsize::new(0), AtomicUsize::new(0), Semaphore::new(Semaphore::MAX_PERMITS));
        Arc::new(Self { control, giver, source, hangs_up: AtomicBool::new(false), connected, asked, may_close, dir })
    }

    fn source(&self) -> Arc<Source> {
        Arc::clone(&self.source.lock().unwrap())
    }

    /// Has the agent give the pod another key.
    fn renew(&self) {
        let (giver, pod) = (self.giver.as_ref().unwrap(), member("pod").pod);
        giver.forget(&pod);
        *self.source.lock().unwrap() = giver.source_of(&pod).unwrap();
    }

    async fn line(&self) -> Line {
        self.control.line_for(&member("pod"), &self.source()).await.unwrap()
    }

    fn other(&self) -> Arc<Source> {
        self.control.identity.source(&self.control.identity.domain().id(&["other"]).unwrap()).unwrap()
    }

    /// Registers an endpoint that answers every request with such a token.
    async fn endpoint(self: &Arc<Self>, forge: Forge) {
        let path = self.dir.path().join("nse.sock");
        let listener = UnixListener::bind(&path).unwrap();
        let socket = rustix::fs::open(&path, rustix::fs::OFlags::PATH, rustix::fs::Mode::empty()).unwrap();
        let url = Inode::of(&socket).unwrap().to_string();
        let line = self.line().await;
        line.outgoing.send(socket);
        let entry = NetworkServiceEndpoint { name: "nse".into(), url, network_service_names: vec!["s".into()], ..Default::default() };
        line.call::<_, NetworkServiceEndpoint>(&self.source(), REGISTER_ENDPOINT, Request::new(entry)).await.unwrap();
        let world = Arc::clone(self);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                if world.hangs_up.load(Ordering::Relaxed) {
                    continue;
                }
                let (caller, stream) = accept(stream, &Accepts::new(&world.source()).unwrap()).await.unwrap();
                world.connected.fetch_add(1, Ordering::Relaxed);
                let world = Arc::clone(&world);
                tokio::spawn(grpc::serve(stream, move |question| {
                    let (world, caller) = (Arc::clone(&world), caller.clone());
                    async move {
                        match question.uri().path() {
                            REQUEST => grpc::unary(question, async |request| world.answer(&caller, request, forge)).await,
                            CLOSE => grpc::unary(question, async |_: Request<wire::Connection>| world.close().await).await,
                            other => grpc::unimplemented(other),
                        }
                    }
                }));
            }
        });
    }

    async fn close(&self) -> Result<Response<Empty>, Status> {
        self.may_close.acquire().await.unwrap().forget();
        Ok(Response::new(Empty {}))
    }

    fn answer(&self, caller: &Caller, request: Request<NetworkServiceRequest>, forge: Forge) -> Result<Response<wire::Connection>, Status> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        let (metadata, _, message) = request.into_parts();
        let mut connection = message.connection.unwrap();
        let source = self.source();
        let token = token::from_caller(&metadata, &caller.peer, source.id())?;
        let mut step = token::step(connection.path.take(), &connection.id, "nse", token, source.id())?;
        step.path.path_segments[2].token = forge(self, &caller.peer.id);
        connection.path = Some(step.path);
        let namespace = Namespace::current().unwrap().duplicate().unwrap();
        // The client's interface is one that there is already, so that nothing is made even where all else is right.
        let inode = Inode::of(&namespace).unwrap().to_string();
        connection.mechanism = Some(kernel([(INODE_URL, inode), (NAME, "nsm-far".to_owned())]));
        let pair = AddressPair { client: [10, 0, 0, 1].into(), endpoint: [10, 0, 0, 0].into() };
        give(connection.context.get_or_insert_default().ip_context.get_or_insert_default(), &[pair]);
        caller.outgoing.send(namespace);
        Ok(Response::new(connection))
    }

    /// Asks as the client, with the token of somebody; the result is why that is not served.
    async fn ask(&self, as_whom: &Source) -> Status {
        let line = self.line().await;
        let namespace = Namespace::current().unwrap().duplicate().unwrap();
        let inode = Inode::of(&namespace).unwrap().to_string();
        line.outgoing.send(namespace);
        let segment = PathSegment { name: "client".into(), id: "client-0".into(), ..PathSegment::default() };
        let connection = wire::Connection {
            id: "client-0".into(),
            network_service: "s".into(),
            path: Some(wire::Path { index: 0, path_segments: vec![segment] }),
            ..wire::Connection::default()
        };
        let mechanism_preferences = vec![kernel([(INODE_URL, inode), (NAME, "lo".to_owned())])];
        let request = Request::new(NetworkServiceRequest { connection: Some(connection), mechanism_preferences });
        line.call::<_, wire::Connection>(as_whom, REQUEST, request).await.unwrap_err()
    }

    /// Nothing is connected, and nobody is told that anything was.
    fn has_no_tunnel(&self) {
        let happened = self.control.journal.take();
        assert!(!happened.iter().any(|happening| matches!(happening, Happening::Served { .. })), "{happened:?}");
        assert!(self.control.list(|_| true).is_empty() && self.control.links(|_| true).is_empty());
    }
}

fn honest(world: &World, audience: &SpiffeId) -> String {
    let source = world.source();
    source.token(&source.svid(), audience, token::TOKEN_LIFE).unwrap().0
}

#[tokio::test]
async fn an_endpoint_with_a_wrong_token_comes_to_no_phase_4() {
    let forged: [(Forge, &str); 5] = [
        (|_, _| String::new(), "the token is malformed"),
        (
            |world, audience| world.other().token(&world.other().svid(), audience, token::TOKEN_LIFE).unwrap().0,
            "the token's signature is not that of the one who sends it",
        ),
        (|world, _| honest(world, world.other().id()), "the token is meant for somebody else"),
        (|world, audience| world.source().token(&world.source().svid(), audience, std::time::Duration::ZERO).unwrap().0, "the token has expired"),
        // All is right with it, and the kernel has the last word.
        (honest, "cannot make the interfaces lo and nsm-far"),
    ];
    for (forge, words) in forged {
        let world = World::new();
        world.endpoint(forge).await;
        let status = world.ask(&world.source()).await;
        assert!(status.message().contains(words), "{words}: {status:?}");
        assert_eq!(status.code() == Code::PermissionDenied, words.starts_with("the token"), "{status:?}");
        world.has_no_tunnel();
    }
}

#[tokio::test]
async fn an_endpoint_whose_agent_has_renewed_its_key_is_connected_with_anew() {
    let world = World::by_agent().await;
    world.endpoint(honest).await;
    for connected in [1, 2] {
        for _ in 0..2 {
            // All is right with it, and the kernel has the last word.
            let status = world.ask(&world.source()).await;
            assert!(status.message().contains("cannot make the interfaces lo and nsm-far"), "{status:?}");
            assert_eq!(world.connected.load(Ordering::Relaxed), connected);
        }
        world.renew();
    }
    world.has_no_tunnel();
}

#[tokio::test]
async fn an_endpoint_is_connected_with_anew_once_our_own_svid_is_renewed() {
    let world = World::new();
    world.endpoint(honest).await;
    for (connected, life) in [(1, 60), (2, 90)] {
        for _ in 0..2 {
            let status = world.ask(&world.source()).await;
            assert!(status.message().contains("cannot make the interfaces lo and nsm-far"), "{status:?}");
            assert_eq!(world.connected.load(Ordering::Relaxed), connected);
        }
        world.control.identity.set_svid_ttl(std::time::Duration::from_secs(life)).unwrap();
    }
    // As long as the one that it was shown is valid, an endpoint that cannot be connected with is called as before.
    world.hangs_up.store(true, Ordering::Relaxed);
    let status = world.ask(&world.source()).await;
    assert!(status.message().contains("cannot make the interfaces lo and nsm-far"), "{status:?}");
    assert_eq!(world.connected.load(Ordering::Relaxed), 2);
    world.has_no_tunnel();
}

#[tokio::test]
async fn a_client_with_a_wrong_token_or_identity_comes_to_no_phase_4() {
    let world = World::new();
    world.endpoint(honest).await;
    assert_eq!(world.ask(&world.other()).await.code(), Code::PermissionDenied);
    world.has_no_tunnel();
    // Of another trust domain: there is not even a connection to ask over.
    let stranger = Identity::new(SVID_TTL).unwrap();
    let source = stranger.source(&stranger.domain().id(&["ns", "ns", "pod", "pod"]).unwrap()).unwrap();
    assert!(Line::open(&world.control.socket(), &Connects::new(&source).unwrap()).await.is_err());
    world.has_no_tunnel();
}

#[tokio::test]
async fn a_registration_is_timed_from_its_start() {
    let world = World::new();
    let pod = Namespaced::new("ns", "pod");
    world.control.start(&pod, Moment::now(), "sandbox begun");
    world.source().give();
    world.endpoint(honest).await;
    let happened = world.control.journal.take();
    let [Happening::Registered { remote, .. }] = happened.as_slice() else { panic!("{happened:?}") };
    let phase = remote.phase.as_ref().unwrap();
    let events: Vec<PhaseEvent> = phase.steps.iter().map(|step| step.event).collect();
    assert_eq!(events, [PhaseEvent::Started, PhaseEvent::SvidIssued, PhaseEvent::ManagerReached, PhaseEvent::Registered]);
    assert_eq!((phase.steps[0].at_us, phase.steps[3].at_us), (0, i64::try_from(phase.took_us).unwrap()));
    assert_eq!(phase.steps[3].what, "registered as nse for s");
}

#[tokio::test]
async fn who_takes_note_of_a_registration_takes_it_from_nobody_who_waits() {
    let world = World::new();
    assert_eq!(world.control.journal.registrations(), 0);
    world.endpoint(honest).await;
    assert_eq!(world.control.journal.take().len(), 1);
    assert_eq!((world.control.journal.take().len(), world.control.journal.registrations()), (0, 1));
}

/// An endpoint that stands still does later what it was told, in whichever order: it would close what it was asked for since.
#[tokio::test]
async fn who_has_not_closed_a_connection_is_not_asked_for_it_again() {
    let world = World::new();
    world.may_close.forget_permits(Semaphore::MAX_PERMITS);
    world.endpoint(honest).await;
    let asked = || world.asked.load(Ordering::Relaxed);
    world.ask(&world.source()).await;
    assert_eq!(asked(), 1);
    let refused = world.ask(&world.source()).await;
    assert_eq!((refused.code(), refused.message()), (Code::Unavailable, "endpoint nse has not closed the connection before this one yet"));
    assert_eq!(asked(), 1);
    world.may_close.add_permits(1);
    assert_ne!(world.ask(&world.source()).await.code(), Code::Unavailable);
    assert_eq!(asked(), 2);
}
