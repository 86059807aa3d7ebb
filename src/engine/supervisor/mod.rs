//! The small process that holds what sandboxes are made of, so that the manager under it can go and come again.
//!
//! ```text
//!   supervisor   holds the lock, the socket, the network namespaces by descriptor, the programs, the last state
//!     ├─► manager   answers on the socket; ended or killed, another is started and handed all of it
//!     └─► programs  one launcher each, tied to the supervisor's life
//! ```
//!
//! It decides nothing. Whatever kills it, the kernel ends the manager and the launchers (`PR_SET_PDEATHSIG`), each launcher's
//! programs with it (they are a PID namespace), and with the last descriptor every network namespace.
//!
//! # Decisions
//!
//! - **The engine is two processes of its own**, started by the first deploy, ended with the last deployment. The supervisor holds the
//!   lock, the socket, the network namespaces (by descriptor, with nothing mounted), the programs and, as one file in memory that it does not
//!   read, the manager's state. It decides nothing, so that it has no reason to fail. The manager knows NSM; after every change it saves. A new
//!   one is handed all of it (`SCM_RIGHTS`, one descriptor a packet) and goes on: what its predecessor was in the middle of is undone, and the
//!   client asks again. However the supervisor dies, the kernel removes everything: `PR_SET_PDEATHSIG` ends the manager and the launchers, a PID
//!   namespace ends what a program has started, and the last descriptor is the end of a network namespace and its links.

mod channel;
mod link;
mod message;
mod programs;
mod tie;

use std::{
    collections::BTreeMap,
    env, io,
    os::{
        fd::{AsFd, OwnedFd},
        unix::net::UnixListener,
    },
    path::PathBuf,
    process::Stdio,
    time::Duration,
};

use tokio::{
    process::{Child, Command},
    signal::unix::{Signal, SignalKind, signal},
    sync::mpsc,
    time::Instant,
};

use self::{
    channel::{Receiver, open, pair},
    programs::{Happened, Programs},
};
pub(super) use self::{
    link::{Handover, Link},
    message::{End, Launch, Notice, Order, Socket},
    programs::Sandboxed,
    tie::{OWN_PROGRAM, number, tie},
};
use crate::{
    engine::identity::Settings,
    model::{Failure, IntoFailure, Namespaced, Outcome, Result},
};

/// A manager that has lived as long as this is started again at once when it ends.
const LIVED: Duration = Duration::from_secs(5);
/// The pause before a manager is started again that has lived shorter, so that one that cannot live does not take a core.
const PAUSE: Duration = Duration::from_secs(1);
/// How long a manager may take to end everything when it is asked to.
const LAST_WORDS: Duration = Duration::from_secs(20);
/// How many messages may wait for a manager. More lines of logs are left out: the last ones are kept in any case.
const QUEUE: usize = 4096;
/// How much of that is not for lines.
const KEPT_FREE: usize = QUEUE / 4;

/// How a manager's memory is had from the C library (mallopt(3)), where nothing else is asked for: a thread for every look into a
/// namespace would each leave an arena behind, and what was once large enough for the state would never be given back.
const MEMORY: [(&str, &str); 3] = [("MALLOC_ARENA_MAX", "2"), ("MALLOC_MMAP_THRESHOLD_", "131072"), ("MALLOC_TRIM_THRESHOLD_", "131072")];

/// What is told to a manager, and what goes with it.
type Told = (Notice, Option<OwnedFd>);

/// The sockets of an engine.
pub(super) type Listeners = BTreeMap<Socket, UnixListener>;

/// The process that holds everything.
pub(super) struct Supervisor<H> {
    dir: PathBuf,
    identities: Settings,
    listeners: Listeners,
    /// The engine's directory; dropped, it is removed.
    held: Option<H>,
    namespaces: BTreeMap<u64, OwnedFd>,
    /// The sockets of endpoints.
    endpoints: BTreeMap<Namespaced, OwnedFd>,
    state: Option<OwnedFd>,
    programs: Programs,
    happened: mpsc::Receiver<Happened>,
    restarts: u32,
    is_over: bool,
}

/// Why there is no manager any more.
enum Parted {
    /// It was asked for.
    Over,
    /// It has asked for another in its place.
    Restart,
    /// It has ended by itself, or was killed.
    Ended(String),
    /// It answers, and whoever has started the engine cannot be told.
    Unheard(Failure),
}

impl<H> Supervisor<H> {
    /// A supervisor that holds nothing yet but its directory and the sockets.
    pub(super) fn new(dir: PathBuf, identities: Settings, listeners: Listeners, held: H) -> Self {
        let (tell, happened) = mpsc::channel(QUEUE);
        let programs = Programs::new(tell);
        let (namespaces, endpoints, held) = (BTreeMap::new(), BTreeMap::new(), Some(held));
        Self { dir, identities, listeners, held, namespaces, endpoints, state: None, programs, happened, restarts: 0, is_over: false }
    }

    /// Keeps a manager running until it says that all is over; `ready` is called once, when the first one answers.
    ///
    /// # Errors
    /// No manager can be started, or the first one ends before it answers.
    pub(super) async fn run(&mut self, ready: impl FnOnce() -> Result<()>) -> Result<()> {
        let handle = |kind| signal(kind).or_fail(Outcome::Defect, "cannot handle signals");
        let mut stop = [handle(SignalKind::terminate())?, handle(SignalKind::interrupt())?];
        let mut ready = Some(ready);
        loop {
            let begun = Instant::now();
            let parted = match self.with_manager(&mut stop, &mut ready).await {
                // What it takes to start one may be had again a little later, and the sandboxes live on meanwhile.
                Err(failure) if ready.is_none() => Parted::Ended(failure.message()),
                parted => parted?,
            };
            match parted {
                Parted::Over => return Ok(()),
                Parted::Unheard(failure) => return Err(failure),
                Parted::Restart => self.restarts += 1,
                Parted::Ended(how) if ready.is_some() => {
                    return Err(Failure::failed(format!("the engine's manager ended before it answered ({how})")));
                }
                Parted::Ended(how) => {
                    self.restarts += 1;
                    log(&format!("the manager has ended ({how}); another is started, the sandboxes are kept"));
                    if begun.elapsed() < LIVED && !self.pause(&mut stop).await {
                        return Ok(());
                    }
                }
            }
        }
    }

    /// Waits a little before the next manager; `false` where the end is asked for meanwhile, for there is nobody to see to it.
    async fn pause(&mut self, [terminate, interrupt]: &mut [Signal; 2]) -> bool {
        tokio::select! {
            () = tokio::time::sleep(PAUSE) => return true,
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        self.end();
        false
    }

    async fn with_manager(&mut self, stop: &mut [Signal; 2], ready: &mut Option<impl FnOnce() -> Result<()>>) -> Result<Parted> {
        let (ours, theirs) = pair().or_fail(Outcome::Failed, "cannot make a socket for the manager")?;
        let mut child = start(theirs).or_fail(Outcome::Failed, "cannot start the engine's manager")?;
        let (sender, mut orders) = open(ours).or_fail(Outcome::Failed, "cannot use the manager's socket")?;
        let (tell, mut told) = mpsc::channel::<Told>(QUEUE);
        // Telling is a task of its own: a manager that does not listen must not keep the supervisor from its signals.
        let telling = tokio::spawn(async move {
            while let Some((notice, descriptor)) = told.recv().await {
                if sender.send(&notice, descriptor.as_ref().map(AsFd::as_fd)).await.is_err() {
                    break;
                }
            }
        });
        self.hand_over(&tell).await.or_fail(Outcome::Failed, "cannot hand over to the engine's manager")?;
        let parted = self.serve(&mut child, &mut orders, &tell, stop, ready).await;
        drop(tell);
        if self.is_over {
            // The last word has to be out before the manager may go: its end is what clients wait for.
            let _ = tokio::time::timeout(LAST_WORDS, telling).await;
            let _ = tokio::time::timeout(LAST_WORDS, child.wait()).await;
        } else {
            telling.abort();
        }
        parted
    }

    async fn serve(
        &mut self,
        child: &mut Child,
        orders: &mut Receiver,
        tell: &mpsc::Sender<Told>,
        stop: &mut [Signal; 2],
        ready: &mut Option<impl FnOnce() -> Result<()>>,
    ) -> Result<Parted> {
        let [terminate, interrupt] = stop;
        let mut deadline = None;
        loop {
            tokio::select! {
                order = orders.receive::<Order>() => match order {
                    Ok(Some((Order::Ready, _))) => if let Some(Err(failure)) = ready.take().map(|ready| ready()) {
                        return Ok(Parted::Unheard(failure));
                    },
                    Ok(Some((Order::Restart, _))) => {
                        let _ = child.wait().await;
                        return Ok(Parted::Restart);
                    }
                    Ok(Some((Order::End, _))) => {
                        self.end();
                        let _ = tell.send((Notice::Over, None)).await;
                        return Ok(Parted::Over);
                    }
                    Ok(Some((order, descriptor))) => self.obey(order, descriptor, tell),
                    Ok(None) => return Ok(Parted::Ended(ended(child).await)),
                    Err(error) => {
                        let _ = child.kill().await;
                        return Ok(Parted::Ended(format!("it sent what cannot be read: {error}")));
                    }
                },
                Some(happened) = self.happened.recv() => {
                    if let Some(notice) = self.programs.note(happened) {
                        tell_soon(tell, notice);
                    }
                }
                status = child.wait() => {
                    let how = status.map_or_else(|error| error.to_string(), |status| status.to_string());
                    return Ok(Parted::Ended(how));
                }
                _ = terminate.recv() => deadline = deadline.or(Some(ask_to_stop(tell))),
                _ = interrupt.recv() => deadline = deadline.or(Some(ask_to_stop(tell))),
                () = until(deadline) => {
                    log("the manager does not end; it is killed, and everything with it");
                    self.end();
                    let _ = child.kill().await;
                    return Ok(Parted::Over);
                }
            }
        }
    }

    /// Tells a new manager everything that it needs to go on where the last one was.
    async fn hand_over(&mut self, tell: &mpsc::Sender<Told>) -> io::Result<()> {
        let gone = |_| io::Error::from(io::ErrorKind::BrokenPipe);
        let begin = Notice::Begin { supervisor: number(), dir: self.dir.clone(), restarts: self.restarts, identities: self.identities.clone() };
        let mut all = vec![(begin, None)];
        for (socket, listener) in &self.listeners {
            all.push((Notice::Listener(*socket), Some(OwnedFd::from(listener.try_clone()?))));
        }
        for (inode, descriptor) in &self.namespaces {
            all.push((Notice::Namespace { inode: *inode }, Some(descriptor.try_clone()?)));
        }
        for (key, descriptor) in &self.endpoints {
            all.push((Notice::Endpoint { key: key.clone() }, Some(descriptor.try_clone()?)));
        }
        if let Some(state) = &self.state {
            all.push((Notice::State, Some(state.try_clone()?)));
        }
        // What has happened while there was none is told by what is so now.
        while let Ok(happened) = self.happened.try_recv() {
            self.programs.note(happened);
        }
        all.extend(self.programs.all().map(|notice| (notice, None)));
        all.push((Notice::Begun, None));
        for told in all {
            tell.send(told).await.map_err(gone)?;
        }
        Ok(())
    }

    fn obey(&mut self, order: Order, descriptor: Option<OwnedFd>, tell: &mpsc::Sender<Told>) {
        match (order, descriptor) {
            (Order::Hold { inode }, Some(descriptor)) => {
                self.namespaces.insert(inode, descriptor);
            }
            (Order::Hold { inode }, None) => log(&format!("the network namespace {inode} cannot be held: no more files may be opened")),
            (Order::Release { inode }, _) => {
                self.namespaces.remove(&inode);
            }
            (Order::HoldEndpoint { key }, Some(descriptor)) => {
                self.endpoints.insert(key, descriptor);
            }
            (Order::HoldEndpoint { key }, None) => log(&format!("the socket of endpoint {key} cannot be held: no more files may be opened")),
            (Order::ReleaseEndpoint { key }, _) => {
                self.endpoints.remove(&key);
            }
            (Order::Save, descriptor) => self.state = descriptor.or(self.state.take()),
            (Order::Launch(launch), _) => {
                let Launch { key, namespace, .. } = &*launch;
                let (key, net) = (key.clone(), self.namespaces.get(namespace));
                let started = net.ok_or_else(|| io::Error::other("its network namespace is gone")).and_then(|net| self.programs.start(&launch, net));
                if let Err(error) = started {
                    tell_soon(tell, Notice::Ended { key, end: End::NotStarted(error.to_string()) });
                }
            }
            (Order::Stop { key, now }, _) => self.programs.stop(&key, now),
            (Order::Forget { key }, _) => self.programs.forget(&key),
            (Order::Ready | Order::Restart | Order::End, _) => {}
        }
    }

    /// Lets go of everything. The files go first, so that whoever sees that the manager has ended sees nothing left.
    fn end(&mut self) {
        self.is_over = true;
        self.programs.stop_all();
        self.namespaces.clear();
        self.endpoints.clear();
        self.held = None;
    }
}

/// Starts a manager, which finds its end of the channel as its standard input.
fn start(end: OwnedFd) -> io::Result<Child> {
    let mut command = Command::new(OWN_PROGRAM);
    command.arg0("nsmctl").args(["engine", "manage", "--parent"]).arg(number().to_string());
    command.envs(MEMORY.into_iter().filter(|(name, _)| env::var_os(name).is_none()));
    command.current_dir("/").stdin(Stdio::from(end)).stdout(Stdio::null()).kill_on_drop(true).spawn()
}

async fn ended(child: &mut Child) -> String {
    // It has closed its end, so it is ending; one that is not has lost its use.
    match tokio::time::timeout(PAUSE, child.wait()).await {
        Ok(status) => status.map_or_else(|error| error.to_string(), |status| status.to_string()),
        Err(_) => {
            let _ = child.kill().await;
            "it has closed its socket".to_owned()
        }
    }
}

fn ask_to_stop(tell: &mpsc::Sender<Told>) -> Instant {
    tell_soon(tell, Notice::Stop);
    Instant::now() + LAST_WORDS
}

/// Tells it where there is room, of which lines leave some for that a program has ended: without that it would not be started
/// again. A line that finds none is left out: the last lines are handed to the next manager.
fn tell_soon(tell: &mpsc::Sender<Told>, notice: Notice) {
    if !matches!(notice, Notice::Line { .. }) || tell.capacity() > KEPT_FREE {
        let _ = tell.try_send((notice, None));
    }
}

async fn until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}

/// A line in the engine's log, which is this process's standard error.
pub(super) fn log(text: &str) {
    use std::io::Write;
    let time = jiff::Timestamp::now().strftime("%b %e %H:%M:%S%.3f");
    // Where it cannot be written there is nobody to be told.
    let _ = writeln!(io::stderr(), "{time} [INFO] [id:supervisor] {text}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_of_lines_drowns_no_end() {
        let (tell, mut told) = mpsc::channel(QUEUE);
        for number in 0..2 * QUEUE {
            tell_soon(&tell, Notice::Line { key: "ns/a/c".into(), at_ms: 0, text: number.to_string() });
        }
        tell_soon(&tell, Notice::Ended { key: "ns/a/c".into(), end: End::Exited(1) });
        let mut last = None;
        while let Ok((notice, _)) = told.try_recv() {
            last = Some(notice);
        }
        assert!(matches!(last, Some(Notice::Ended { .. })), "{last:?}");
    }
}
