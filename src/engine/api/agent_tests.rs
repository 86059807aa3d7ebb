//! The API where identities come from a SPIRE agent: who calls is told by its certificate, and which pod it is in by where it is.

use std::{sync::Arc, time::Duration};

use tokio::net::UnixListener;
use tonic::{Code, Request};

use super::{
    REGISTER_ENDPOINT,
    control::Control,
    line::Line,
    token,
    wire::{Empty, NetworkServiceEndpoint},
};
use crate::{
    engine::identity::{AgentSocket, Connects, Identity, Member, Sandboxes, Settings, Source, WorkloadApi},
    model::Namespaced,
    net::Namespace,
};

const UNREGISTER: &str = "/registry.NetworkServiceEndpointRegistry/Unregister";

/// A manager whose identity is from another's Workload API.
struct World {
    control: Arc<Control>,
    source: Arc<Source>,
    _dir: tempfile::TempDir,
}

fn member(name: &str) -> Member {
    Member { pod: Namespaced::new("ns", name), instance: "i".into(), namespace: Namespace::current().unwrap() }
}

impl World {
    async fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let (giver, known, path) = (Identity::new(Duration::from_secs(3600)).unwrap(), Arc::new(Sandboxes::default()), dir.path().join("api.sock"));
        known.insert(member("engine")).unwrap();
        tokio::spawn(WorkloadApi::new(Arc::new(giver), known).serve(UnixListener::bind(&path).unwrap()));
        let settings = Settings { agent: Some(AgentSocket::at(path)), ..Settings::default() };
        let identity = Arc::new(Identity::begin(&settings).await.unwrap());
        let control = Control::new(identity, [dir.path(); 2], "nsm.io.sock").unwrap();
        control.sandboxes.insert(member("alpine")).unwrap();
        let source = control.identity.source_of(&member("alpine").pod).unwrap();
        tokio::spawn(Arc::clone(&control).serve(UnixListener::bind(control.socket()).unwrap()));
        Self { control, source, _dir: dir }
    }

    async fn unregister(&self, line: &Line) -> Result<(), (Code, String)> {
        let entry = NetworkServiceEndpoint { name: "nse".into(), ..Default::default() };
        let answer = line.call::<_, Empty>(&self.source, UNREGISTER, Request::new(entry)).await;
        answer.map(drop).map_err(|status| (status.code(), status.message().to_owned()))
    }
}

#[tokio::test]
async fn the_engines_own_parts_are_known_by_the_sockets_that_they_connect_from() {
    let world = World::new().await;
    let line = world.control.line_for(&member("alpine"), &world.source).await.unwrap();
    assert_eq!(world.unregister(&line).await, Ok(()));
    // As valid a certificate of the same SPIFFE ID, and no pod: it is not enough to be somebody.
    let nowhere = Line::open(&world.control.socket(), &Connects::new(&world.source).unwrap()).await.unwrap();
    let refused = world.unregister(&nowhere).await.unwrap_err();
    assert_eq!(refused, (Code::PermissionDenied, format!("{} is in no sandbox of this machine", world.source.id())));
    let gone = world.control.line_for(&member("gone"), &world.source).await.unwrap();
    assert_eq!(world.unregister(&gone).await.unwrap_err().0, Code::PermissionDenied);
    assert!(world.control.own.lock().unwrap().is_empty());
}

#[tokio::test]
async fn whoever_has_another_key_by_now_is_asked_to_connect_again() {
    let world = World::new().await;
    let line = world.control.line_for(&member("alpine"), &world.source).await.unwrap();
    let other = Identity::new(Duration::from_secs(60)).unwrap().source_of(&member("x").pod).unwrap();
    let mut request = Request::new(NetworkServiceEndpoint::default());
    token::to_callee(request.metadata_mut(), &world.source, &other.svid(), &line.peer.id).unwrap();
    let refused = line.call_without_token::<_, NetworkServiceEndpoint>(REGISTER_ENDPOINT, request).await.unwrap_err();
    assert_eq!((refused.code(), refused.message().ends_with(": connect again")), (Code::Unavailable, true), "{refused:?}");
    let closed = async {
        while !line.is_closed() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), closed).await.unwrap();
    // One that says to be somebody else is not told that.
    let line = world.control.line_for(&member("alpine"), &world.source).await.unwrap();
    let mut request = Request::new(NetworkServiceEndpoint::default());
    token::to_callee(request.metadata_mut(), &other, &other.svid(), &line.peer.id).unwrap();
    let refused = line.call_without_token::<_, NetworkServiceEndpoint>(REGISTER_ENDPOINT, request).await.unwrap_err();
    assert_eq!((refused.code(), line.is_closed()), (Code::PermissionDenied, false));
}
