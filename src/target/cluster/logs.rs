use std::{collections::BTreeSet, time::Duration};

use futures::{AsyncBufReadExt, StreamExt, future::join_all, stream};
use kube::{
    Api, ResourceExt,
    api::{ListParams, LogParams},
};
use tokio::sync::mpsc;

use super::{Cluster, NSM_NAMESPACE, error, partial::Pod, persist::attempt, pod::pod_state};
use crate::{
    model::{LogLine, LogRange, LogSource, Mark, News, PodState, Result, Unavailable, UnavailableKind, read_stamped, stamped},
    target::Follow,
};

/// How many logs are read at once.
const AT_ONCE: usize = 16;
/// The pause before a log that has broken off is taken up again: a container that ended is started again a second later at
/// the earliest.
const PAUSE: Duration = Duration::from_secs(1);
/// What carries connections on a node, by how its pods are named (deployments-k8s, apps/).
const CARRIERS: [&str; 2] = ["nsmgr", "forwarder"];

impl Cluster {
    /// The managers and forwarders on the nodes.
    pub(in crate::target) async fn carriers(&self, nodes: &BTreeSet<String>) -> Result<Vec<LogSource>, Unavailable> {
        let pods = self.pods(NSM_NAMESPACE).await?;
        let on_the_way = |pod: &&PodState| pod.node.as_ref().is_some_and(|node| nodes.contains(node));
        let mut sources: Vec<LogSource> = pods.iter().filter(on_the_way).filter_map(carrier).collect();
        // A manager before the forwarder that it uses.
        sources.sort_by(|one, other| (&one.node, other.role, &one.pod).cmp(&(&other.node, one.role, &other.pod)));
        Ok(sources)
    }

    /// The logs as they are, each or why it cannot be read.
    pub(in crate::target) async fn read_logs(&self, sources: &[LogSource], range: LogRange) -> Vec<Result<Vec<LogLine>, Unavailable>> {
        let logs = stream::iter(sources.iter().enumerate()).map(|(index, source)| self.read_log(index, source, range));
        logs.buffered(AT_ONCE).collect().await
    }

    async fn read_log(&self, index: usize, source: &LogSource, range: LogRange) -> Result<Vec<LogLine>, Unavailable> {
        let params = LogParams { tail_lines: range.tail.map(i64::from), since_seconds: range.since.map(seconds), ..params(source) };
        let text = attempt(async || self.pods_of(source).logs(&source.pod.name, &params).await).await;
        text.map(|text| read_stamped(index, &text)).map_err(|error| error::unavailable(&error))
    }

    /// Follows every log until its pod is gone or has nothing more to say.
    pub(in crate::target) async fn follow_logs(&self, sources: &[LogSource], follow: Follow) {
        let Follow { marks, since, news } = follow;
        let logs = sources.iter().enumerate().zip(marks);
        join_all(logs.map(|((index, source), mark)| Following { cluster: self, index, source, since, news: &news }.run(mark))).await;
    }

    fn pods_of(&self, source: &LogSource) -> Api<Pod> {
        Api::namespaced(self.client.clone(), &source.pod.namespace)
    }

    /// The pod of a source, by the permission that was needed to find it.
    async fn pod_of(&self, source: &LogSource) -> kube::Result<Option<Pod>> {
        let named = ListParams::default().fields(&format!("metadata.name={}", source.pod.name));
        Ok(self.pods_of(source).list(&named).await?.items.into_iter().find(|pod| pod.name_any() == source.pod.name))
    }
}

/// A log that is followed.
struct Following<'a> {
    cluster: &'a Cluster,
    index: usize,
    source: &'a LogSource,
    since: Option<Duration>,
    news: &'a mpsc::Sender<News>,
}

impl Following<'_> {
    async fn run(self, mark: Result<Mark, Unavailable>) {
        // What was said before is not said again.
        let mut said = mark.as_ref().err().cloned();
        let mut mark = mark.unwrap_or_default();
        let uid = self.cluster.pod_of(self.source).await.ok().flatten().and_then(|pod| pod.uid());
        while said.as_ref().is_none_or(|said| said.kind != UnavailableKind::Forbidden) {
            if let Err(unavailable) = self.read_on(&mut mark).await {
                if said.as_ref() != Some(&unavailable) && !self.tell(News::Trouble(self.index, unavailable.clone())).await {
                    return;
                }
                said = Some(unavailable);
            }
            if let Some(why) = self.end(uid.as_deref()).await {
                self.tell(News::Ended(self.index, why)).await;
                return;
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Whether somebody still listens.
    async fn tell(&self, news: News) -> bool {
        self.news.send(news).await.is_ok()
    }

    /// Tells the lines that are new until the stream ends, as it does with the container.
    async fn read_on(&self, mark: &mut Mark) -> Result<(), Unavailable> {
        let since_time = mark.since();
        let since_seconds = self.since.filter(|_| since_time.is_none()).map(seconds);
        let params = LogParams { follow: true, since_time, since_seconds, ..params(self.source) };
        mark.read_again();
        let stream = self.cluster.pods_of(self.source).log_stream(&self.source.pod.name, &params).await;
        let mut stream = std::pin::pin!(stream.map_err(|error| error::unavailable(&error))?);
        let mut bytes = Vec::new();
        loop {
            bytes.clear();
            let read = stream.read_until(b'\n', &mut bytes).await;
            // A line that broke off is read again, and then whole.
            let broken = |error: std::io::Error| Unavailable { kind: UnavailableKind::Transport, reason: format!("the log broke off: {error}") };
            if read.map_err(broken)? == 0 {
                return Ok(());
            }
            let text = String::from_utf8_lossy(&bytes);
            let (time, text) = stamped(&text);
            let line = LogLine { time, source: self.index, text: text.to_owned() };
            if mark.takes(time) && !self.tell(News::Line(line)).await {
                return Ok(());
            }
        }
    }

    /// Why there is no more to come, with no words where that is no news; `None` where there may be, or it cannot be told now.
    async fn end(&self, uid: Option<&str>) -> Option<String> {
        let Self { source, .. } = self;
        let pod = self.cluster.pod_of(source).await.ok()?;
        let Some(pod) = pod.filter(|pod| uid.is_none() || pod.metadata.uid.as_deref() == uid) else {
            return Some(format!("pod {} was deleted", source.pod));
        };
        let pod = pod_state(&pod);
        let is_done = pod.init_containers.iter().any(|container| container.name == source.container && container.ready && !container.running);
        match pod.phase.as_str() {
            // A pod that is deleted fails first.
            "Succeeded" | "Failed" if pod.deleting => Some(format!("pod {} was deleted", source.pod)),
            "Succeeded" | "Failed" => Some(format!("pod {} has ended ({})", source.pod, pod.phase)),
            _ => is_done.then(String::new),
        }
    }
}

fn params(source: &LogSource) -> LogParams {
    LogParams { container: Some(source.container.clone()), timestamps: true, ..LogParams::default() }
}

/// Whole seconds, as servers take them; a part of one is one.
fn seconds(since: Duration) -> i64 {
    i64::try_from(since.as_millis().div_ceil(1000)).unwrap_or(i64::MAX)
}

/// The log of a manager or forwarder: that of its own container, beside which others may be.
fn carrier(pod: &PodState) -> Option<LogSource> {
    let role = CARRIERS.into_iter().find(|role| pod.id.name.starts_with(role))?;
    let own = pod.containers.iter().find(|container| container.name.starts_with(role));
    let container = own.or_else(|| pod.containers.first())?.name.clone();
    Some(LogSource { role, pod: pod.id.clone(), container, node: pod.node.clone() })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn of_a_carrier_its_own_container_is_read() {
        let pod = |name: &str, containers: &[&str]| {
            let containers: Vec<_> = containers.iter().map(|name| json!({"name": name})).collect();
            let pod = json!({"metadata": {"name": name, "namespace": "nsm-system"}, "spec": {"nodeName": "n", "containers": containers}});
            carrier(&pod_state(&serde_json::from_value(pod).unwrap())).map(|source| (source.role, source.container))
        };
        assert_eq!(pod("nsmgr-1", &["exclude-prefixes", "nsmgr"]), Some(("nsmgr", "nsmgr".to_owned())));
        assert_eq!(pod("forwarder-vpp-1", &["forwarder-vpp"]), Some(("forwarder", "forwarder-vpp".to_owned())));
        assert_eq!(pod("forwarder-1", &["ovs"]), Some(("forwarder", "ovs".to_owned())));
        assert_eq!(pod("registry-1", &["registry"]), None);
    }

    #[test]
    fn a_part_of_a_second_is_one() {
        assert_eq!((seconds(Duration::from_millis(1)), seconds(Duration::from_secs(90))), (1, 90));
    }
}
