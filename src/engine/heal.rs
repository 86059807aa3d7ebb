//! Connections that lose a link or an address get it back: the kernel tells when something changes, so that looking costs nothing
//! while all is well.
//!
//! What somebody has switched off or routed elsewhere on purpose stays so, and is told.

use std::{
    collections::BTreeSet,
    sync::{Arc, Weak},
    time::Duration,
};

use tokio::{sync::mpsc, task::JoinHandle};

use super::{
    forwarder::Connection,
    mesh::{Mesh, object},
    sandbox::{CLIENT_CONTAINER, Sandbox},
    server::Shared,
};
use crate::{
    model::Namespaced,
    net::{self, Namespace, Watch},
};

/// How long is waited for more, once something has changed: a link comes and goes with half a dozen messages.
const MORE: Duration = Duration::from_millis(50);

/// Watches a pod's namespace as long as this lives.
#[derive(Debug)]
pub(super) struct Watching(JoinHandle<()>);

impl Drop for Watching {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Tells of every change in a pod's namespace.
///
/// # Errors
/// No more files may be opened.
pub(super) async fn watch(pod: &Namespaced, namespace: &Namespace, changed: mpsc::UnboundedSender<Namespaced>) -> net::Result<Watching> {
    let (pod, mut watch) = (pod.clone(), Watch::begin(namespace).await?);
    Ok(Watching(tokio::spawn(async move {
        loop {
            watch.changed().await;
            if changed.send(pod.clone()).is_err() {
                return;
            }
        }
    })))
}

/// Heals what changes have broken, as long as the engine lives.
pub(super) async fn keep_whole(mut changes: mpsc::UnboundedReceiver<Namespaced>, shared: Weak<Shared>) {
    while let Some(first) = changes.recv().await {
        tokio::time::sleep(MORE).await;
        let mut pods = BTreeSet::from([first]);
        while let Ok(pod) = changes.try_recv() {
            pods.insert(pod);
        }
        let Some(shared) = Weak::upgrade(&shared) else { return };
        heal(&shared, &pods).await;
    }
}

async fn heal(shared: &Arc<Shared>, pods: &BTreeSet<Namespaced>) {
    let mut state = shared.state.lock().await;
    if state.mesh.heal(pods).await {
        state.mesh.save();
    }
}

impl Mesh {
    /// Makes the links of these pods again that have gone, or have lost an address; whether there were any.
    async fn heal(&mut self, pods: &BTreeSet<Namespaced>) -> bool {
        let mut broken: Vec<(Connection, String)> = Vec::new();
        for pod in pods {
            let Some(sandbox) = self.sandboxes.get(pod) else { continue };
            // A namespace that cannot be looked into heals no connection; whoever asks for it is told why.
            let Ok(links) = sandbox.namespace.run(async |handle| net::list_links(&handle).await).await else { continue };
            for connection in self.manager.control.links_to_keep(|link| link.touches(pod)) {
                let is_known = broken.iter().any(|(known, _)| known.is_of(&connection.client.pod, connection.request));
                if let Some(fault) = connection.lacks(pod, &links).filter(|_| !is_known) {
                    broken.push((connection.clone(), fault));
                }
            }
        }
        for (connection, fault) in &broken {
            self.make_again(connection, fault).await;
        }
        !broken.is_empty()
    }

    async fn make_again(&mut self, connection: &Connection, fault: &str) {
        let pod = object("Pod", &connection.client.pod);
        let log = |sandboxes: &mut std::collections::BTreeMap<Namespaced, Sandbox>, level: &str, text: &str| {
            if let Some(sandbox) = sandboxes.get_mut(&connection.client.pod) {
                sandbox.log(CLIENT_CONTAINER, level, &connection.client.pod.name, text);
            }
        };
        self.events.warning(pod.clone(), "DataPlaneDown", fault);
        log(&mut self.sandboxes, "WARN", &format!("Data plane is down: {fault}"));
        match self.manager.control.repair(connection).await {
            Ok(()) => {
                self.metrics.healed();
                let text = format!("connected again to {} over {}", connection.endpoint.pod, connection.client.interface);
                self.events.normal(pod, "Healed", &text);
                log(&mut self.sandboxes, "INFO", &text);
            }
            Err(error) => {
                self.events.warning(pod, "HealFailed", &error);
                self.manager.close(|other| other.is_of(&connection.client.pod, connection.request)).await;
                self.may_serve.notify_one();
            }
        }
    }
}
