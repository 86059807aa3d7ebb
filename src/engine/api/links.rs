use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use tonic::Status;

use super::{
    control::{Control, Established},
    wire::State,
};
use crate::{
    engine::{
        forwarder::{Connection, End, Laid},
        mesh::now,
    },
    model::Namespaced,
    net,
};

/// How long links wait for somebody to ask for them again: a client of upstream does so within seconds.
pub(super) const ADOPTED: Duration = Duration::from_secs(60);

/// A request, by its client and its number.
type Numbered = (Namespaced, usize);

/// What is known of links beyond their connections.
#[derive(Debug, Default)]
pub(super) struct Links {
    /// Those that are there and that nobody has asked for since, with the time of their adoption.
    orphans: Mutex<Vec<(Connection, Instant)>>,
    /// Since when each request has been served, in seconds since 1970, and how often its links were made: once, and once more each
    /// time that they were healed.
    served: Mutex<BTreeMap<Numbered, (i64, u32)>>,
}

impl Links {
    fn orphans(&self) -> MutexGuard<'_, Vec<(Connection, Instant)>> {
        self.orphans.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn served(&self) -> MutexGuard<'_, BTreeMap<Numbered, (i64, u32)>> {
        self.served.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts that links were made, and tells them since when their request has been served.
    fn made(&self, link: &mut Connection) {
        let mut served = self.served();
        let (since, times) = served.entry((link.client.pod.clone(), link.request)).or_insert_with(|| (now(), 0));
        (link.since, link.heals) = (*since, *times);
        *times = times.saturating_add(1);
    }

    /// Knows links that an earlier manager has made.
    pub(super) fn know(&self, link: &Connection) {
        self.served().insert((link.client.pod.clone(), link.request), (link.since, link.heals.saturating_add(1)));
    }

    /// Forgets what a request has come to: what is made for it later is no healing.
    pub(super) fn forget(&self, which: impl Fn(&Namespaced, usize) -> bool) {
        self.served().retain(|(client, request), _| !which(client, *request));
    }
}

impl Control {
    /// The links that `which` selects, of connections and of what waits for somebody to ask for it again.
    pub(in crate::engine) fn links(&self, which: impl Fn(&Connection) -> bool) -> Vec<Connection> {
        self.chosen(|_| true, which)
    }

    /// The same, but for those of connections whose endpoint is gone: their clients ask for them again, and until somebody answers they
    /// are to lead nowhere.
    pub(in crate::engine) fn links_to_keep(&self, which: impl Fn(&Connection) -> bool) -> Vec<Connection> {
        self.chosen(Established::is_up, which)
    }

    fn chosen(&self, is_meant: impl Fn(&Established) -> bool, which: impl Fn(&Connection) -> bool) -> Vec<Connection> {
        let own = self.list(|established| is_meant(established) && which(&established.link)).into_iter().map(|(_, established)| established.link);
        own.chain(self.orphans().into_iter().filter(|orphan| which(orphan))).collect()
    }

    /// Makes the links of a connection, where they are not there and whole. The result is what is there, and when it was made if
    /// it was not there.
    pub(super) async fn link(&self, mut link: Connection, old: Option<&Connection>) -> Result<(Connection, Option<Laid>), Status> {
        let failed = |error: net::Error| Status::internal(error.to_string());
        if let Some(old) = old {
            if old.is_same(&link) && old.fault().await.is_none() {
                (link.since, link.heals, link.phases) = (old.since, old.heals, old.phases.clone());
                return Ok((link, None));
            }
            old.close().await.map_err(failed)?;
        }
        let laid = link.establish().await.map_err(failed)?;
        self.links.made(&mut link);
        Ok((link, Some(laid)))
    }

    /// Makes links anew as they were, under the same names and with the same addresses.
    ///
    /// # Errors
    /// The kernel refused; nothing is left of them then.
    pub(in crate::engine) async fn repair(&self, broken: &Connection) -> net::Result<()> {
        let mut link = broken.clone();
        let key = self.list(|established| established.link.is_same(broken)).into_iter().next().map(|(key, _)| key);
        let _turn = match &key {
            Some(key) => Some(self.turn(key).await),
            None => None,
        };
        if let Some(key) = &key {
            // While we waited it was closed, or a request has made it anew, perhaps with another endpoint.
            let Some(now) = self.get(key).filter(|now| now.link.is_same(broken) && now.is_up()) else { return Ok(()) };
            if now.link.fault().await.is_none() {
                return Ok(());
            }
            link = now.link;
        }
        link.close().await?;
        link.establish().await?;
        self.links.made(&mut link);
        match key {
            Some(key) => self.relink(&key, &link),
            None => self.links.orphans().iter_mut().filter(|(orphan, _)| orphan.is_same(&link)).for_each(|(orphan, _)| *orphan = link.clone()),
        }
        Ok(())
    }

    /// Takes away what leads to a pod whose endpoint has ended: the kernel would go on answering pings, and nobody would be there. Its
    /// clients are told, and ask for it again; they are the result. Nobody is waited for: a client may be asking just now, and wait for
    /// the endpoint that the caller is about to start again.
    pub(in crate::engine) async fn lose(self: &Arc<Self>, pod: &Namespaced) -> Vec<Namespaced> {
        let endpoints = self.registry().unregister_pod(pod);
        self.tell_unregistered(pod, endpoints);
        let mut clients = Vec::new();
        for (key, established) in self.list(|established| established.link.endpoint.pod == *pod) {
            self.change_state(&key, State::Down);
            clients.push(established.link.client.pod);
            let control = Arc::clone(self);
            tokio::spawn(async move {
                let _turn = control.turn(&key).await;
                // What a request has made since is with the endpoint that has come back, or with another.
                if let Some(now) = control.get(&key).filter(|now| Arc::ptr_eq(&now.remote, &established.remote)) {
                    // What the kernel keeps is found and made anew when the client asks again.
                    let _ = now.link.close().await;
                }
            });
        }
        self.close_orphans(|link, _| link.endpoint.pod == *pod).await;
        clients
    }

    /// Takes links on that an earlier manager has made. They stay as they are for the client that asks for them again, and go where
    /// none does.
    pub(in crate::engine) fn adopt(&self, link: Connection) {
        self.links.know(&link);
        self.links.orphans().push((link, Instant::now()));
    }

    /// The link at an interface that nobody has asked for since it was adopted.
    pub(super) fn orphan(&self, end: &End) -> Option<Connection> {
        self.links.orphans().iter().map(|(link, _)| link).find(|link| link.client.is_same(end)).cloned()
    }

    /// Every link that was adopted and that nobody has asked for since.
    pub(super) fn orphans(&self) -> Vec<Connection> {
        self.links.orphans().iter().map(|(link, _)| link.clone()).collect()
    }

    /// Somebody has asked for the link at an interface.
    pub(super) fn take_orphan(&self, end: &End) {
        self.links.orphans().retain(|(link, _)| !link.client.is_same(end));
    }

    /// Closes adopted links; the result is what was closed, with the error of the kernel where it kept them.
    pub(in crate::engine) async fn close_orphans(&self, which: impl Fn(&Connection, Instant) -> bool) -> Vec<(Connection, Option<net::Error>)> {
        let closing: Vec<_> = self.links.orphans().extract_if(.., |(link, since)| which(link, *since)).collect();
        let mut closed = Vec::new();
        for (link, _) in closing {
            let error = link.close().await.err();
            closed.push((link, error));
        }
        closed
    }

    /// Forgets what the requests of a pod have come to: the pod goes, or they are to come to something else.
    pub(in crate::engine) fn forget_served(&self, pod: &Namespaced) {
        self.links.forget(|client, _| client == pod);
    }

    /// Adopted links that nobody wants go.
    pub(super) async fn sweep_orphans(self: &Arc<Self>) {
        self.close_orphans(|_, since| since.elapsed() > ADOPTED).await;
    }
}
