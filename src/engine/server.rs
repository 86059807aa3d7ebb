//! Answers on the engine's socket.

use std::{
    io,
    mem::take,
    sync::{Arc, Weak},
    time::Duration,
};

use futures::future::join_all;
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::{UnixListener, UnixStream, unix::OwnedWriteHalf},
    sync::{Mutex, MutexGuard, Notify, mpsc},
    time::{Instant, interval_at},
};

use super::{
    api::Control,
    delete::let_go,
    exporter,
    heal::keep_whole,
    identity::{Identity, WorkloadApi},
    loss::lose,
    mesh::{Host, Mesh},
    observe,
    program::Again,
    protocol::{AppliedAll, Apply, Counted, ENDPOINT_FOLDER, Hello, NSM_FOLDER, NSM_SOCKET, Refusal, Reply, Request, VERSION, to_line},
    state::{self, Held},
    supervisor::{Handover, Link, Notice, Socket},
};
use crate::{
    model::{EngineState, Event, Namespaced, Outcome, Removed},
    prometheus::write,
};

/// How long an engine with nothing deployed and nobody connected stays: a client that starts it connects at once, and
/// one that died before it did leaves an engine that nobody would end.
const IDLE: Duration = Duration::from_secs(10);
/// How long after a request was refused another is made.
const ASKS_AGAIN: Duration = Duration::from_secs(2);
/// How long a deployment waits for its connections: longer than people do.
const SERVED: Duration = Duration::from_secs(600);
/// How often it is looked whether those who are asking have been answered.
const SOON: Duration = Duration::from_millis(10);
/// How long a look at what there is waits for those who may be served now.
const AT_ONCE: Duration = Duration::from_secs(1);

#[derive(Debug)]
pub(super) struct State {
    pub(super) mesh: Mesh,
    /// Where the metrics are exposed.
    metrics: Option<String>,
    /// Set when no more is taken on.
    ending: Option<Ending>,
    /// Who waits for connections, and is told what happens meanwhile.
    listeners: Vec<mpsc::UnboundedSender<Event>>,
}

impl State {
    /// Takes note of what has happened over NSM's API; whether anything has.
    fn take_note(&mut self) -> bool {
        let Self { mesh, listeners, .. } = self;
        mesh.take_note(&mut |event| tell(listeners, &event))
    }
}

fn tell(listeners: &[mpsc::UnboundedSender<Event>], event: &Event) {
    for listener in listeners {
        // It may be gone.
        let _ = listener.send(event.clone());
    }
}

/// Why no more is taken on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ending {
    /// The last deployment has gone, or somebody wants the end.
    Over,
    /// Another manager goes on.
    Restart,
}

#[derive(Debug)]
pub(super) struct Shared {
    /// Held by whatever looks at or changes the state; not while pinging.
    pub(super) state: Mutex<State>,
    /// The reply to whoever asked for the end has been written, or nobody waits for one.
    ended: Notify,
    /// What is asked of the supervisor without the state.
    pub(super) link: Link,
}

/// Answers until nothing is deployed any more, or somebody asks for the end or for another manager. A connection that
/// is open then stays so until the runtime goes: its end tells the client that the manager has.
///
/// # Errors
/// The socket cannot be used.
pub(super) async fn serve(mut handover: Handover) -> io::Result<()> {
    let (changes, changed) = mpsc::unbounded_channel();
    let (mut mesh, listener) = take_over(&mut handover, changes).await?;
    let Handover { restarts, programs, link, notices, .. } = handover;
    let control = Arc::clone(&mesh.manager.control);
    let mut again = Vec::new();
    for notice in programs {
        again.extend(mesh.note(notice).await);
    }
    if restarts > 0 {
        mesh.start_all();
        mesh.close_broken().await;
    }
    let shared =
        Arc::new(Shared { state: Mutex::new(State { mesh, metrics: None, ending: None, listeners: Vec::new() }), ended: Notify::new(), link });
    if restarts > 0 {
        drop(serve_waiting(&shared, shared.state.lock().await, None, SERVED).await);
    }
    expose(&shared).await;
    let over = Arc::new(Notify::new());
    tokio::spawn(listen(notices, Arc::clone(&shared), Arc::clone(&over)));
    again.into_iter().for_each(|again| start_later(&shared, again));
    tokio::spawn(keep_whole(changed, Arc::downgrade(&shared)));
    tokio::spawn(take_note(control, Arc::downgrade(&shared)));
    tokio::spawn(ask_again(Arc::downgrade(&shared)));
    let mut idle = interval_at(Instant::now() + IDLE, IDLE);
    shared.link.ready();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                if let Ok((stream, _)) = accepted {
                    tokio::spawn(converse(stream, Arc::clone(&shared)));
                }
            }
            () = shared.ended.notified() => break,
            _ = idle.tick() => {
                let is_empty = shared.state.try_lock().is_ok_and(|state| state.mesh.is_empty());
                // The other two are this function's and that of the one who listens to the supervisor.
                if is_empty && Arc::strong_count(&shared) == 2 {
                    break;
                }
            }
        }
    }
    let mut state = shared.state.lock().await;
    if state.ending == Some(Ending::Restart) {
        state.mesh.save();
        shared.link.restart();
        shared.link.flushed().await;
        return Ok(());
    }
    state.ending = Some(Ending::Over);
    let keys = state.mesh.retire(|_| true);
    let mut state = say_goodbye(&shared, state, keys).await;
    remove_all(&mut state.mesh, &mut |_| {}).await;
    drop(state);
    let_go().await;
    shared.link.end();
    over.notified().await;
    Ok(())
}

/// Goes on where the last manager was, and answers NSM's API and the Workload API from then on. The result is what there is, and the
/// socket of nsmctl's requests.
async fn take_over(handover: &mut Handover, changes: mpsc::UnboundedSender<Namespaced>) -> io::Result<(Mesh, UnixListener)> {
    let mut listener = |socket| {
        let listener = handover.listeners.remove(&socket).ok_or_else(|| io::Error::other("the supervisor has handed over no socket"))?;
        UnixListener::from_std(listener)
    };
    let (engine, nsm) = (listener(Socket::Engine)?, listener(Socket::Nsm)?);
    let state = handover.state.take().and_then(|bytes| state::State::read(&bytes));
    let identity = match &state {
        Some(state) => state.identity().map_err(io::Error::other),
        None => Identity::begin(&handover.identities).await.map_err(|failure| io::Error::other(failure.message())),
    };
    let identity = Arc::new(identity?);
    let spire = if identity.agent().is_none() { Some(listener(Socket::Spire)?) } else { None };
    let folders = [NSM_FOLDER, ENDPOINT_FOLDER].map(|folder| handover.dir.join(folder));
    let control = Control::new(Arc::clone(&identity), [&folders[0], &folders[1]], NSM_SOCKET).map_err(io::Error::other)?;
    let agent = identity.agent().cloned();
    let host = Host { supervisor: handover.supervisor, dir: handover.dir.clone(), restarts: handover.restarts, agent };
    let mut mesh = Mesh::new(Arc::clone(&control), handover.link.clone(), host, changes);
    let held = Held { namespaces: take(&mut handover.namespaces), endpoints: take(&mut handover.endpoints) };
    let saved = match state {
        Some(state) => Some(mesh.restore(state, held).await),
        None => None,
    };
    // Endpoints register first: what was connected is known then, and nobody is given the addresses of somebody else.
    control.set_open(false);
    // They end with the runtime.
    if let Some(spire) = spire {
        tokio::spawn(WorkloadApi::new(Arc::clone(&identity), Arc::clone(&control.sandboxes)).serve(spire));
    }
    tokio::spawn(identity.keep_fresh());
    tokio::spawn(Arc::clone(&control).serve(nsm));
    if let Some(saved) = saved {
        mesh.resume(saved).await;
    }
    control.set_open(true);
    tokio::spawn(control.sweep());
    Ok((mesh, engine))
}

/// Takes note of what the supervisor tells.
async fn listen(mut notices: mpsc::UnboundedReceiver<Notice>, shared: Arc<Shared>, over: Arc<Notify>) {
    while let Some(notice) = notices.recv().await {
        match notice {
            Notice::Stop => shared.ended.notify_one(),
            Notice::Over => break,
            notice => {
                let is_end = matches!(notice, Notice::Ended { .. });
                let mut state = shared.state.lock().await;
                let again = state.mesh.note(notice).await;
                if is_end {
                    state.mesh.save();
                }
                drop(state);
                again.into_iter().for_each(|again| start_later(&shared, again));
            }
        }
    }
    over.notify_one();
}

/// Starts a program again after its pause.
fn start_later(shared: &Arc<Shared>, Again { key, pause }: Again) {
    // It keeps no engine from ending that has nothing to do any more.
    let shared = Arc::downgrade(shared);
    tokio::spawn(async move {
        tokio::time::sleep(pause).await;
        if let Some(shared) = shared.upgrade() {
            let mut state = shared.state.lock().await;
            state.mesh.again(&key);
            state.mesh.save();
        }
    });
}

/// Takes note of what happens over NSM's API, as long as the engine lives: people are told, and the next manager has to know it.
async fn take_note(control: Arc<Control>, shared: Weak<Shared>) {
    loop {
        control.journal.more().await;
        let Some(shared) = shared.upgrade() else { return };
        let mut state = shared.state.lock().await;
        let noted = state.take_note();
        if state.mesh.may_be_served() {
            state.mesh.may_serve.notify_one();
        }
        // Who has many connections made at once saves them at the end: all that there is is saved each time.
        if noted && state.listeners.is_empty() {
            state.mesh.save();
        }
    }
}

/// Asks again for what was refused, as NSM's clients do: an endpoint that did not answer in time may answer the next time, and addresses
/// may have been given back.
async fn ask_again(shared: Weak<Shared>) {
    loop {
        let Some(now) = shared.upgrade() else { return };
        let mut state = now.state.lock().await;
        let unserved = if state.ending.is_none() { state.mesh.unserved() } else { Vec::new() };
        let may_serve = Arc::clone(&state.mesh.may_serve);
        drop(state);
        for pod in unserved {
            let shared = Weak::clone(&shared);
            tokio::spawn(async move {
                if ask(pod, &shared).await
                    && let Some(shared) = shared.upgrade()
                {
                    shared.state.lock().await.mesh.save();
                }
            });
        }
        // It keeps no engine from ending that has nothing to do any more.
        drop(now);
        tokio::select! {
            () = may_serve.notified() => {}
            () = tokio::time::sleep(ASKS_AGAIN) => {}
        }
    }
}

/// Makes the requests of a pod, and takes note of what has come of them; whether it is served now.
async fn ask(pod: Namespaced, shared: &Weak<Shared>) -> bool {
    let asked = match shared.upgrade() {
        Some(shared) => shared.state.lock().await.mesh.ask(&pod).await,
        None => None,
    };
    let Some(asked) = asked else { return false };
    let answered = asked.make().await;
    let Some(shared) = shared.upgrade() else { return false };
    let mut state = shared.state.lock().await;
    // It says why in its log.
    state.take_note();
    state.mesh.answered(answered) && state.ending.is_none()
}

/// Has those who wait ask, one after the other so that the first is given the first address, saves what comes of it, and waits for that
/// no longer than `patience`. The state is not held meanwhile: whoever does not answer holds up nobody but those who ask.
async fn serve_waiting<'a>(
    shared: &'a Arc<Shared>,
    mut state: MutexGuard<'a, State>,
    events: Option<&mpsc::UnboundedSender<Event>>,
    patience: Duration,
) -> MutexGuard<'a, State> {
    let until = Instant::now() + patience;
    // Who asks just now may have begun before there was somebody to serve it.
    while state.mesh.is_anybody_asking() && Instant::now() < until {
        drop(state);
        tokio::time::sleep(SOON).await;
        state = shared.state.lock().await;
    }
    let unserved = state.mesh.unserved();
    state.listeners.extend(events.cloned());
    drop(state);
    let weak = Arc::downgrade(shared);
    let asking = tokio::spawn(async move {
        for pod in unserved {
            ask(pod, &weak).await;
        }
        if let Some(shared) = weak.upgrade() {
            shared.state.lock().await.mesh.save();
        }
    });
    // It goes on to its end also where that is not waited for.
    let _ = tokio::time::timeout_at(until, asking).await;
    let mut state = shared.state.lock().await;
    state.take_note();
    state.listeners.retain(|listener| events.is_none_or(|events| !listener.same_channel(events)));
    state
}

/// Ends programs as containers are ended, without holding anybody up: what they say goodbye to needs the state.
async fn say_goodbye<'a>(shared: &'a Shared, state: MutexGuard<'a, State>, keys: Vec<String>) -> MutexGuard<'a, State> {
    if keys.is_empty() {
        return state;
    }
    drop(state);
    join_all(keys.iter().map(|key| shared.link.stop(key, false))).await;
    shared.state.lock().await
}

/// Exposes the metrics, where a port is free for them.
async fn expose(shared: &Arc<Shared>) {
    let Some((listener, address)) = exporter::bind().await else { return };
    shared.state.lock().await.metrics = Some(format!("http://{address}/metrics"));
    // It does not keep the engine alive.
    let shared = Arc::downgrade(shared);
    let tell: exporter::Tell = Arc::new(move || {
        let shared = shared.upgrade();
        Box::pin(async move {
            let counted = shared?.state.lock().await.mesh.counted();
            Some(write(&counted.complete().await))
        })
    });
    tokio::spawn(exporter::serve(listener, tell));
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
            if send(&mut writer, &Reply::Event(event)).await.is_err() {
                break;
            }
        }
        let reply = answering.await.unwrap_or_else(|_| Reply::Refused(Refusal::new(Outcome::Defect, "the engine has a defect; its log says more")));
        let written = send(&mut writer, &reply).await;
        if shared.state.lock().await.ending.is_some() {
            shared.ended.notify_one();
        }
        if written.is_err() {
            return;
        }
    }
}

async fn send(writer: &mut OwnedWriteHalf, reply: &Reply) -> io::Result<()> {
    writer.write_all(&to_line(reply)?).await
}

async fn answer(line: &str, shared: &Arc<Shared>, events: mpsc::UnboundedSender<Event>) -> Reply {
    match serde_json::from_str(line) {
        Ok(request) => reply_to(request, shared, events).await,
        Err(error) => Reply::Refused(Refusal::new(Outcome::Defect, format!("the engine cannot read the request: {error}"))),
    }
}

async fn apply(shared: &Arc<Shared>, mut state: MutexGuard<'_, State>, wanted: &Apply, events: &mpsc::UnboundedSender<Event>) -> Reply {
    let mut emit = |event| tell(std::slice::from_ref(events), &event);
    let applying = state.mesh.apply(wanted, &mut emit).await;
    state.mesh.save();
    let applying = match applying {
        Ok(applying) => applying,
        Err(refusal) => return Reply::Refused(refusal),
    };
    let state = serve_waiting(shared, state, Some(events), SERVED).await;
    Reply::Applied(AppliedAll { metrics: state.metrics.clone(), ..state.mesh.applied(applying, wanted, &mut emit) })
}

async fn inventory(shared: &Arc<Shared>, mut state: MutexGuard<'_, State>, events: &mpsc::UnboundedSender<Event>) -> Reply {
    let noted = state.mesh.take_note(&mut |event| tell(std::slice::from_ref(events), &event));
    // Who waits for an endpoint that has registered is not told of as waiting.
    if state.mesh.may_be_served() {
        state = serve_waiting(shared, state, Some(events), AT_ONCE).await;
    }
    if noted {
        state.mesh.save();
    }
    Reply::Inventory(Box::new(state.mesh.inventory()))
}

async fn reply_to(request: Request, shared: &Arc<Shared>, events: mpsc::UnboundedSender<Event>) -> Reply {
    let mut emit = |event| {
        // The client may be gone.
        let _ = events.send(event);
    };
    let mut state = shared.state.lock().await;
    match state.ending {
        Some(Ending::Over) => return Reply::Ending,
        Some(Ending::Restart) => return Reply::Restarting,
        None => {}
    }
    match request {
        Request::Hello { .. } => {
            let status = state.mesh.status();
            Reply::Hello(Hello { version: VERSION.to_owned(), pid: status.pid, instances: status.instances })
        }
        Request::Apply(wanted) => apply(shared, state, &wanted, &events).await,
        Request::Inventory => inventory(shared, state, &events).await,
        Request::Options { instance } => Reply::Options(state.mesh.deployments.get(&instance).and_then(|deployment| deployment.options.clone())),
        Request::Workloads => Reply::Workloads(state.mesh.deployments.values().flat_map(|deployment| deployment.workloads.clone()).collect()),
        Request::Probe(requests) => {
            let targets = state.mesh.targets(requests);
            drop(state);
            Reply::Probes(observe::probe(targets).await)
        }
        Request::Lose(asked) => {
            drop(state);
            lose(shared, asked).await.map_or_else(Reply::Refused, Reply::Lost)
        }
        Request::System => Reply::System(Box::new(state.mesh.system().await)),
        Request::Logs => Reply::Logs(state.mesh.logs()),
        Request::Metrics => {
            let (counted, address) = (state.mesh.counted(), state.metrics.clone());
            drop(state);
            Reply::Metrics(Counted { address, families: counted.complete().await })
        }
        Request::Carried => Reply::Carried(EngineState { carried: state.mesh.carried(), metrics: state.metrics.clone() }),
        Request::Held { instance } => Reply::Held(state.mesh.held(&instance)),
        Request::Delete { instance } => {
            let keys = state.mesh.retire(|sandbox| sandbox.instance == instance);
            let mut state = say_goodbye(shared, state, keys).await;
            let removed = state.mesh.delete(&instance, &mut emit).await;
            state.ending = state.mesh.is_empty().then_some(Ending::Over);
            state.mesh.save();
            Reply::Removed(removed)
        }
        Request::Identities { svid_ttl } => state.mesh.identities(svid_ttl).map_or_else(Reply::Refused, Reply::Identities),
        Request::Status => Reply::Status(state.mesh.status()),
        Request::Restart => {
            state.ending = Some(Ending::Restart);
            Reply::Restarting
        }
        Request::Shutdown => {
            state.ending = Some(Ending::Over);
            let keys = state.mesh.retire(|_| true);
            let mut state = say_goodbye(shared, state, keys).await;
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
