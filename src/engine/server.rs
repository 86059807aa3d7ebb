//! Answers on the engine's socket.

use std::{future::Future, io, sync::Arc, time::Duration};

use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::{UnixListener, UnixStream, unix::OwnedWriteHalf},
    sync::{Mutex, Notify, mpsc},
    time::{Instant, interval_at},
};

use super::{
    api::Control,
    mesh::Mesh,
    observe,
    protocol::{Hello, Refusal, Reply, Request, VERSION, to_line},
};
use crate::model::{Event, Outcome, Removed};

/// How long an engine with nothing deployed and nobody connected stays: a client that starts it connects at once, and
/// one that died before it did leaves an engine that nobody would end.
const IDLE: Duration = Duration::from_secs(10);

#[derive(Debug)]
struct State {
    mesh: Mesh,
    /// Set when the last deployment has gone: no more is taken on.
    ending: bool,
}

#[derive(Debug)]
struct Shared {
    /// Held by whatever looks at or changes the state; not while pinging.
    state: Mutex<State>,
    /// The reply to whoever asked for the end has been written.
    ended: Notify,
}

/// Answers until nothing is deployed any more, somebody asks for the end, or `stop` comes true. A connection that
/// is open then stays so until the runtime goes: its end tells the client that the engine has.
pub(super) async fn serve(listener: UnixListener, control: Arc<Control>, stop: impl Future<Output = ()>) {
    let state = State { mesh: Mesh::new(control), ending: false };
    let shared = Arc::new(Shared { state: Mutex::new(state), ended: Notify::new() });
    let mut idle = interval_at(Instant::now() + IDLE, IDLE);
    tokio::pin!(stop);
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                if let Ok((stream, _)) = accepted {
                    tokio::spawn(converse(stream, Arc::clone(&shared)));
                }
            }
            () = &mut stop => break,
            () = shared.ended.notified() => break,
            _ = idle.tick() => {
                let is_empty = shared.state.try_lock().is_ok_and(|state| state.mesh.is_empty());
                if is_empty && Arc::strong_count(&shared) == 1 {
                    break;
                }
            }
        }
    }
    let mut state = shared.state.lock().await;
    state.ending = true;
    remove_all(&mut state.mesh, &mut |_| {}).await;
}

/// One client's requests, in order. Its going away in between harms nothing: what has begun is done to its end.
async fn converse(stream: UnixStream, shared: Arc<Shared>) {
    let (reader, mut writer) = stream.into_split();
    let mut lines = BufReader::new(reader).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        let (events, mut queue) = mpsc::unbounded_channel();
        let answering = {
            let shared = Arc::clone(&shared);
            tokio::spawn(async move { answer(&line, &shared, events).await })
        };
        // The queue ends when the request is done, because that drops its sender.
        while let Some(event) = queue.recv().await {
            if write(&mut writer, &Reply::Event(event)).await.is_err() {
                break;
            }
        }
        let reply = answering.await.unwrap_or_else(|_| Reply::Refused(Refusal::new(Outcome::Defect, "the engine has a defect; its log says more")));
        let written = write(&mut writer, &reply).await;
        if shared.state.lock().await.ending {
            shared.ended.notify_one();
        }
        if written.is_err() {
            return;
        }
    }
}

async fn write(writer: &mut OwnedWriteHalf, reply: &Reply) -> io::Result<()> {
    writer.write_all(&to_line(reply)?).await
}

async fn answer(line: &str, shared: &Shared, events: mpsc::UnboundedSender<Event>) -> Reply {
    let request = match serde_json::from_str(line) {
        Ok(request) => request,
        Err(error) => return Reply::Refused(Refusal::new(Outcome::Defect, format!("the engine cannot read the request: {error}"))),
    };
    let mut emit = |event| {
        // The client may be gone.
        let _ = events.send(event);
    };
    let mut state = shared.state.lock().await;
    if state.ending {
        return Reply::Ending;
    }
    match request {
        Request::Hello { .. } => {
            let status = state.mesh.status();
            Reply::Hello(Hello { version: VERSION.to_owned(), pid: status.pid, instances: status.instances })
        }
        Request::Apply(wanted) => state.mesh.apply(&wanted, &mut emit).await.map_or_else(Reply::Refused, Reply::Applied),
        Request::Inventory => Reply::Inventory(Box::new(state.mesh.inventory())),
        Request::Workloads => Reply::Workloads(state.mesh.deployments.values().flat_map(|deployment| deployment.workloads.clone()).collect()),
        Request::Probe(requests) => {
            let targets = state.mesh.targets(requests);
            drop(state);
            Reply::Probes(observe::probe(targets).await)
        }
        Request::System => Reply::System(Box::new(state.mesh.system().await)),
        Request::Logs => Reply::Logs(state.mesh.logs()),
        Request::Delete { instance } => {
            let removed = state.mesh.delete(&instance, &mut emit).await;
            state.ending = state.mesh.is_empty();
            Reply::Removed(removed)
        }
        Request::Status => Reply::Status(state.mesh.status()),
        Request::Shutdown => {
            state.ending = true;
            Reply::Removed(remove_all(&mut state.mesh, &mut emit).await)
        }
    }
}

async fn remove_all(mesh: &mut Mesh, emit: &mut (dyn FnMut(Event) + Send)) -> Removed {
    let mut all = Removed::default();
    for instance in mesh.status().instances {
        all.extend(mesh.delete(&instance, emit).await);
    }
    all
}
