use std::{
    collections::VecDeque,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::sync::Notify;
use tonic::Code;

use super::Remote;
use crate::{engine::forwarder::Connection, model::Namespaced};

/// How much waits to be taken note of; what is older then is forgotten.
const KEPT: usize = 4096;

/// Something that happened over the API.
#[derive(Debug, Clone)]
pub(in crate::engine) enum Happening {
    /// An endpoint has registered; that it has done so again is not told.
    Registered {
        /// The pod.
        pod: Namespaced,
        /// The services that it offers.
        services: Vec<String>,
        /// How it is called.
        remote: std::sync::Arc<Remote>,
    },
    /// A registration was taken back, or has run out.
    Unregistered {
        /// The pod.
        pod: Namespaced,
        /// What it was registered by.
        key: Namespaced,
    },
    /// The links of a request were made.
    Served {
        /// The connection.
        link: Connection,
        /// From asking to an interface that carries packets.
        taken: Duration,
    },
    /// A connection that was told to be down is up again, with the links that it had.
    Restored {
        /// The client.
        client: Namespaced,
    },
    /// A request was not served.
    Refused {
        /// The client.
        client: Namespaced,
        /// What it calls the connection.
        id: String,
        /// The network service.
        service: String,
        /// Why, as gRPC has it.
        code: Code,
        /// Why, in words.
        reason: String,
        /// How long that took.
        taken: Duration,
    },
    /// A client has closed a connection.
    Closed {
        /// The connection.
        link: Connection,
    },
}

/// What happened over the API and is still to be taken note of.
#[derive(Debug, Default)]
pub(in crate::engine) struct Journal {
    entries: Mutex<VecDeque<Happening>>,
    registrations: AtomicU64,
    more: Notify,
}

impl Journal {
    /// Something happened.
    pub(super) fn add(&self, happening: Happening) {
        if matches!(happening, Happening::Registered { .. }) {
            self.registrations.fetch_add(1, Ordering::SeqCst);
        }
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        if entries.len() == KEPT {
            entries.pop_front();
        }
        entries.push_back(happening);
        drop(entries);
        self.more.notify_one();
    }

    /// How many endpoints have registered so far. It is not taken with the entries: whoever takes these may be in the midst of asking
    /// for connections, some of them before the registration.
    pub(in crate::engine) fn registrations(&self) -> u64 {
        self.registrations.load(Ordering::SeqCst)
    }

    /// What happened since it was asked last, the oldest first.
    pub(in crate::engine) fn take(&self) -> Vec<Happening> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner).drain(..).collect()
    }

    /// Waits until something happens, or has happened.
    pub(in crate::engine) async fn more(&self) {
        self.more.notified().await;
    }
}
