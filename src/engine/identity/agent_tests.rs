use tokio::net::UnixListener;

use super::*;
use crate::{
    engine::identity::{Identity, Member, SVID_TTL, Sandboxes, WorkloadApi},
    model::Namespaced,
    net::Namespace,
};

/// Another engine's Workload API in the place of an agent, which knows this process or does not.
struct Agent {
    socket: AgentSocket,
    identity: Arc<Identity>,
    sandboxes: Arc<Sandboxes>,
    _dir: tempfile::TempDir,
}

fn pod() -> Namespaced {
    Namespaced::new("ns", "engine")
}

impl Agent {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("api.sock");
        let (identity, sandboxes) = (Arc::new(Identity::new(SVID_TTL).unwrap()), Arc::new(Sandboxes::default()));
        tokio::spawn(WorkloadApi::new(Arc::clone(&identity), Arc::clone(&sandboxes)).serve(UnixListener::bind(&path).unwrap()));
        Self { socket: AgentSocket(path), identity, sandboxes, _dir: dir }
    }

    fn knows_us(&self) {
        let namespace = Namespace::current().unwrap();
        self.sandboxes.insert(Member { pod: pod(), instance: "i".into(), namespace }).unwrap();
    }
}

#[test]
fn only_a_unix_socket_names_an_agent() {
    for (url, path) in [("unix:///tmp/spire-agent/public/api.sock", "/tmp/spire-agent/public/api.sock"), ("unix:/a", "/a")] {
        assert_eq!(AgentSocket::parse(url).unwrap().path(), Path::new(path));
        assert_eq!(agent_url(url).unwrap(), format!("unix://{path}"));
    }
    for (url, why) in [
        ("tcp://127.0.0.1:8081", "over TCP"),
        ("/tmp/api.sock", "no URL of a unix socket"),
        ("unix://api.sock", "must be absolute"),
        ("unix:///tmp/", "must be absolute"),
        ("unix:///tmp/x?y", "must be absolute"),
    ] {
        let failure = AgentSocket::parse(url).unwrap_err();
        assert_eq!(failure.outcome.code(), 2);
        assert!(failure.message().starts_with(&format!("SPIFFE_ENDPOINT_SOCKET={url}: ")) && failure.message().contains(why), "{failure:?}");
        assert!(failure.hint.unwrap().contains("unset SPIFFE_ENDPOINT_SOCKET"));
    }
}

#[test]
fn a_user_is_named_as_the_agent_sees_it() {
    assert_eq!(seen_uid("         0          0 4294967295\n", 1000), 1000);
    assert_eq!((seen_uid("0 1000 1\n", 0), seen_uid("0 1000 1\n1 100000 65536\n", 5), seen_uid("", 7)), (1000, 100_004, 7));
}

#[tokio::test]
async fn an_agent_gives_the_engine_its_identity_and_the_next_ones() {
    let agent = Agent::new();
    agent.knows_us();
    let settings = crate::engine::identity::Settings { svid_ttl: None, agent: Some(agent.socket.clone()) };
    let identity = Arc::new(Identity::begin(&settings).await.unwrap());
    assert_eq!((identity.domain(), identity.agent(), identity.svid_ttl()), (agent.identity.domain(), Some(&agent.socket), None));
    // All parts of the engine are one.
    let source = identity.source_of(&Namespaced::new("other", "pod")).unwrap();
    assert_eq!(source.id().as_str(), format!("spiffe://{}/ns/ns/pod/engine", agent.identity.domain()));
    assert!(Arc::ptr_eq(&source, &identity.source_of(&pod()).unwrap()) && identity.pod_of(source.id()).is_none());
    assert!(identity.source(&agent.identity.domain().id(&["x"]).unwrap()).is_err(), "nobody else is ours to name");

    let following = tokio::spawn(Arc::clone(&identity).keep_fresh());
    let first = source.svid().certificate.clone();
    agent.identity.set_svid_ttl(Duration::from_secs(600));
    let renewed = async {
        while source.svid().certificate == first {
            sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(Duration::from_secs(20), renewed).await.unwrap();
    assert_eq!(identity.svids()[0].rotations, source.renewals());
    following.abort();

    // What another manager is handed is enough for it to go on, also while the agent is away.
    let kept = serde_json::to_vec(&identity.save()).unwrap();
    let after = Identity::restore(&serde_json::from_slice(&kept).unwrap()).unwrap();
    let again = after.source_of(&pod()).unwrap();
    assert_eq!((again.id(), &again.svid().certificate, again.bundle()), (source.id(), &source.svid().certificate, source.bundle()));
    assert_eq!(after.agent(), Some(&agent.socket));
}

#[tokio::test(start_paused = true)]
async fn what_is_missing_is_named() {
    let agent = Agent::new();
    let failure = agent.socket.probe().await.unwrap_err();
    assert!(failure.message().contains("gives the engine no identity: no identity issued"), "{failure:?}");
    let (hint, program) = (failure.hint.unwrap(), std::env::current_exe().unwrap());
    for words in ["spire-server entry create", "-selector unix:uid:", &format!("-selector unix:path:{}", program.display())] {
        assert!(hint.contains(words), "{words}: {hint}");
    }
    let failure = AgentSocket("/nowhere/api.sock".into()).probe().await.unwrap_err();
    assert!(failure.message().starts_with("SPIFFE_ENDPOINT_SOCKET names unix:///nowhere/api.sock, where nobody answers: "), "{failure:?}");
}

#[tokio::test]
async fn an_entry_that_was_just_made_is_waited_for() {
    let agent = Agent::new();
    let probe = agent.socket.probe();
    let soon = async {
        sleep(Duration::from_millis(100)).await;
        agent.knows_us();
    };
    tokio::join!(probe, soon).0.unwrap();
}

#[test]
fn answers_that_cannot_be_used_are_errors() {
    let identity = Identity::new(SVID_TTL).unwrap();
    let source = identity.source_of(&pod()).unwrap();
    let svid = source.svid();
    let good = X509Svid {
        spiffe_id: source.id().to_string(),
        certificates: svid.certificate.to_vec(),
        private_key: svid.private_key.clone(),
        bundle: source.bundle_bytes(),
    };
    let read = |svids: Vec<X509Svid>| read(&X509SvidResponse { svids, ..Default::default() });
    assert!(read(vec![good.clone()]).is_ok());
    for (what, bad) in [
        ("nobody", vec![]),
        ("no ID", vec![X509Svid { spiffe_id: "x".into(), ..good.clone() }]),
        ("no certificate", vec![X509Svid { certificates: Vec::new(), ..good.clone() }]),
        ("half a certificate", vec![X509Svid { certificates: good.certificates[..99].to_vec(), ..good.clone() }]),
        ("no key", vec![X509Svid { private_key: Vec::new(), ..good.clone() }]),
        ("half a bundle", vec![X509Svid { bundle: good.bundle[..99].to_vec(), ..good.clone() }]),
    ] {
        assert!(read(bad).is_err(), "{what}");
    }
    // Connections and tokens are of the one who has made them.
    let other = X509Svid { spiffe_id: "spiffe://elsewhere/x".into(), ..good };
    assert!(take(&source, &X509SvidResponse { svids: vec![other], ..Default::default() }).is_err());
}
