//! The manager's end: what it was handed, and what it orders.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs::File,
    io::{self, Read, Seek, Write},
    os::fd::{AsFd, OwnedFd},
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
};

use rustix::fs::{MemfdFlags, memfd_create};
use tokio::sync::{Notify, mpsc, oneshot};

use super::{
    End, Launch, Listeners, Notice, Order,
    channel::{self, Receiver},
};
use crate::{engine::identity::Settings, model::Namespaced, net::Namespace};

/// What the supervisor has handed over.
pub(in crate::engine) struct Handover {
    /// The supervisor's process.
    pub(in crate::engine) supervisor: u32,
    /// The engine's directory.
    pub(in crate::engine) dir: PathBuf,
    /// How many managers there were before.
    pub(in crate::engine) restarts: u32,
    /// What was said about identities.
    pub(in crate::engine) identities: Settings,
    /// The sockets to answer on.
    pub(in crate::engine) listeners: Listeners,
    /// The network namespaces by their numbers.
    pub(in crate::engine) namespaces: BTreeMap<u64, Namespace>,
    /// The sockets of endpoints that have registered.
    pub(in crate::engine) endpoints: BTreeMap<Namespaced, OwnedFd>,
    /// What the last manager has saved.
    pub(in crate::engine) state: Option<Vec<u8>>,
    /// What programs have logged, which run and which have ended.
    pub(in crate::engine) programs: Vec<Notice>,
    /// What orders go to.
    pub(in crate::engine) link: Link,
    /// What happens from now on.
    pub(in crate::engine) notices: mpsc::UnboundedReceiver<Notice>,
}

/// What the manager orders by. Clones order the same supervisor.
#[derive(Debug, Clone)]
pub(in crate::engine) struct Link {
    orders: mpsc::UnboundedSender<Sending>,
    running: Arc<Running>,
}

/// What waits to be sent.
#[derive(Debug)]
enum Sending {
    Order(Order, Option<OwnedFd>),
    /// Whoever waits for this to be reached.
    Mark(oneshot::Sender<()>),
}

/// Which programs run, told without anybody's lock: whoever holds the engine's state may wait for an end.
#[derive(Debug, Default)]
struct Running {
    keys: Mutex<BTreeSet<String>>,
    changed: Notify,
}

impl Running {
    fn change(&self, change: impl FnOnce(&mut BTreeSet<String>) -> bool) {
        change(&mut self.keys.lock().unwrap_or_else(PoisonError::into_inner));
        self.changed.notify_waiters();
    }

    fn has(&self, key: &str) -> bool {
        self.keys.lock().unwrap_or_else(PoisonError::into_inner).contains(key)
    }
}

impl Handover {
    /// Takes over what the supervisor holds. Must be called on a runtime.
    ///
    /// # Errors
    /// The supervisor is gone, or speaks otherwise.
    pub(in crate::engine) async fn take(end: OwnedFd) -> io::Result<Self> {
        let (sender, mut receiver) = channel::open(end)?;
        let (orders, mut queue) = mpsc::unbounded_channel::<Sending>();
        tokio::spawn(async move {
            while let Some(sending) = queue.recv().await {
                match sending {
                    Sending::Order(order, descriptor) => {
                        if let Err(error) = sender.send(&order, descriptor.as_ref().map(AsFd::as_fd)).await {
                            super::log(&format!("cannot order {order:?}: {error}"));
                        }
                    }
                    Sending::Mark(done) => drop(done.send(())),
                }
            }
        });
        let running = Arc::new(Running::default());
        let link = Link { orders, running: Arc::clone(&running) };
        let (told, notices) = mpsc::unbounded_channel();
        let mut taken = Taken::default();
        loop {
            let (notice, descriptor) = receiver.receive().await?.ok_or_else(|| io::Error::from(io::ErrorKind::UnexpectedEof))?;
            note(&running, &notice);
            if notice == Notice::Begun {
                break;
            }
            taken.add(notice, descriptor)?;
        }
        tokio::spawn(listen(receiver, running, told));
        let Taken { begin, listeners, namespaces, endpoints, state, programs } = taken;
        let (supervisor, dir, restarts, identities) = begin.ok_or_else(|| io::Error::other("the supervisor has not said who it is"))?;
        Ok(Self { supervisor, dir, restarts, identities, listeners, namespaces, endpoints, state, programs, link, notices })
    }
}

/// What was handed over so far.
#[derive(Default)]
struct Taken {
    begin: Option<(u32, PathBuf, u32, Settings)>,
    listeners: Listeners,
    namespaces: BTreeMap<u64, Namespace>,
    endpoints: BTreeMap<Namespaced, OwnedFd>,
    state: Option<Vec<u8>>,
    programs: Vec<Notice>,
}

impl Taken {
    fn add(&mut self, notice: Notice, descriptor: Option<OwnedFd>) -> io::Result<()> {
        match (notice, descriptor) {
            (Notice::Begin { supervisor, dir, restarts, identities }, _) => self.begin = Some((supervisor, dir, restarts, identities)),
            (Notice::Listener(socket), Some(descriptor)) => {
                self.listeners.insert(socket, descriptor.into());
            }
            (Notice::Namespace { inode }, Some(descriptor)) => {
                self.namespaces.insert(inode, Namespace::from(descriptor));
            }
            (Notice::Endpoint { key }, Some(descriptor)) => {
                self.endpoints.insert(key, descriptor);
            }
            (Notice::State, Some(descriptor)) => {
                let (mut file, mut bytes) = (File::from(descriptor), Vec::new());
                file.rewind()?;
                file.read_to_end(&mut bytes)?;
                self.state = Some(bytes);
            }
            (notice @ (Notice::Running { .. } | Notice::Line { .. } | Notice::Ended { .. }), _) => self.programs.push(notice),
            (notice, _) => return Err(io::Error::other(format!("the supervisor has handed over {notice:?}"))),
        }
        Ok(())
    }
}

fn note(running: &Running, notice: &Notice) {
    match notice {
        Notice::Running { key } => running.change(|keys| keys.insert(key.clone())),
        Notice::Ended { key, .. } => running.change(|keys| keys.remove(key)),
        _ => {}
    }
}

async fn listen(mut receiver: Receiver, running: Arc<Running>, told: mpsc::UnboundedSender<Notice>) {
    while let Ok(Some((notice, _))) = receiver.receive::<Notice>().await {
        note(&running, &notice);
        if told.send(notice).is_err() {
            break;
        }
    }
}

impl Link {
    fn order(&self, order: Order, descriptor: Option<OwnedFd>) {
        // Without a supervisor this process is about to end: the kernel sees to that.
        let _ = self.orders.send(Sending::Order(order, descriptor));
    }

    /// Says that the manager answers.
    pub(in crate::engine) fn ready(&self) {
        self.order(Order::Ready, None);
    }

    /// Has a network namespace held also when this process ends.
    ///
    /// # Errors
    /// No more files may be opened.
    pub(in crate::engine) fn hold(&self, namespace: &Namespace) -> crate::net::Result<()> {
        let (inode, descriptor) = (namespace.inode()?, namespace.duplicate()?);
        self.order(Order::Hold { inode }, Some(descriptor));
        Ok(())
    }

    /// Has a network namespace let go of.
    pub(in crate::engine) fn release(&self, namespace: &Namespace) {
        if let Ok(inode) = namespace.inode() {
            self.order(Order::Release { inode }, None);
        }
    }

    /// Has the socket of an endpoint held also when this process ends.
    pub(in crate::engine) fn hold_endpoint(&self, key: &Namespaced, socket: OwnedFd) {
        self.order(Order::HoldEndpoint { key: key.clone() }, Some(socket));
    }

    /// Has the socket of an endpoint let go of.
    pub(in crate::engine) fn release_endpoint(&self, key: &Namespaced) {
        self.order(Order::ReleaseEndpoint { key: key.clone() }, None);
    }

    /// Has a state kept for the next manager.
    ///
    /// # Errors
    /// There is no memory for it, or no more files may be opened.
    pub(in crate::engine) fn save(&self, state: &[u8]) -> io::Result<()> {
        let mut file = File::from(memfd_create("state", MemfdFlags::CLOEXEC)?);
        file.write_all(state)?;
        self.order(Order::Save, Some(file.into()));
        Ok(())
    }

    /// Starts a program.
    pub(in crate::engine) fn launch(&self, launch: Launch) {
        self.running.change(|keys| keys.insert(launch.key.clone()));
        self.order(Order::Launch(Box::new(launch)), None);
    }

    /// Whether a program runs, or is about to.
    pub(in crate::engine) fn is_running(&self, key: &str) -> bool {
        self.running.has(key)
    }

    /// Kills a program, which may then be started again.
    pub(in crate::engine) fn kill(&self, key: &str) {
        self.order(Order::Stop { key: key.to_owned(), now: true }, None);
    }

    /// Ends a program that is not started again, and waits until it has ended: as a container is ended, or at once.
    pub(in crate::engine) async fn stop(&self, key: &str, now: bool) {
        if self.is_running(key) {
            self.order(Order::Stop { key: key.to_owned(), now }, None);
        }
        loop {
            let changed = self.running.changed.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            if !self.is_running(key) {
                return;
            }
            changed.await;
        }
    }

    /// Has what a program has logged forgotten.
    pub(in crate::engine) fn forget(&self, key: &str) {
        self.order(Order::Forget { key: key.to_owned() }, None);
    }

    /// Has another manager started in this one's place.
    pub(in crate::engine) fn restart(&self) {
        self.order(Order::Restart, None);
    }

    /// Waits until everything that was ordered has been sent.
    pub(in crate::engine) async fn flushed(&self) {
        let (done, sent) = oneshot::channel();
        let _ = self.orders.send(Sending::Mark(done));
        let _ = sent.await;
    }

    /// Says that all is over.
    pub(in crate::engine) fn end(&self) {
        self.order(Order::End, None);
    }
}

/// How a program ended, as it is told to people.
impl std::fmt::Display for End {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Exited(code) => write!(f, "it ended with exit code {code}"),
            Self::Killed(signal) => match nix::sys::signal::Signal::try_from(*signal) {
                Ok(name) => write!(f, "it was ended by {name} (signal {signal})"),
                Err(_) => write!(f, "it was ended by signal {signal}"),
            },
            Self::OutOfMemory => write!(f, "the kernel ended it at its limit of memory (OOMKilled)"),
            Self::NoProc => write!(f, "there is no /proc for it"),
            Self::NotStarted(reason) => write!(f, "it could not be started: {reason}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::engine::{
        api::Control,
        identity::Identity,
        mesh::{Host, Mesh},
    };

    #[tokio::test]
    async fn a_program_of_which_the_last_manager_has_saved_nothing_is_ended() {
        let dir = tempfile::tempdir().unwrap();
        let control = Control::new(Arc::new(Identity::new(Duration::from_secs(60)).unwrap()), [dir.path(); 2], "x").unwrap();
        let ((orders, mut ordered), running) = (mpsc::unbounded_channel(), Arc::new(Running::default()));
        let host = Host { supervisor: 1, dir: dir.path().to_owned(), restarts: 1, agent: None };
        let mut mesh = Mesh::new(control, Link { orders, running: Arc::clone(&running) }, host, mpsc::unbounded_channel().0);
        let key = "ns/nse/nse".to_owned();
        note(&running, &Notice::Running { key: key.clone() });
        let supervisor = async {
            let mut next = async || if let Some(Sending::Order(order, _)) = ordered.recv().await { order } else { panic!("no order") };
            assert_eq!(next().await, Order::Stop { key: key.clone(), now: true });
            note(&running, &Notice::Ended { key: key.clone(), end: End::Killed(15) });
            next().await
        };
        let both = async { tokio::join!(mesh.note(Notice::Running { key: key.clone() }), supervisor).1 };
        assert_eq!(tokio::time::timeout(Duration::from_secs(20), both).await.unwrap(), Order::Forget { key: key.clone() });
    }
}
