use std::time::Duration;

use futures::{FutureExt, StreamExt, stream};
use kube::{Api, ResourceExt};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    time::timeout,
};

use super::{
    Cluster, error,
    partial::{Pod, PodSpec},
};
use crate::{
    model::{Family, Known, MetricsSource, NSM_NAMESPACE, Result, Unavailable},
    prometheus::read,
    target::Ctx,
};

/// How many exporters are asked at once.
const AT_ONCE: usize = 16;
/// How long one may take: the API server, the kubelet, and a page of text.
const LIMIT: Duration = Duration::from_secs(10);
/// The longest answer that is read, in bytes: ten thousand connections' worth.
const MAX_BYTES: usize = 16 << 20;
/// The port of forwarder-vpp's exporter unless its environment names another (upstream: cmd-forwarder-vpp).
const PORT: u16 = 8081;

/// Who was asked, and what came of it.
pub(crate) type Asked = (MetricsSource, Vec<Family>);

/// A pod that may expose metrics.
struct Exporter {
    role: &'static str,
    name: String,
    node: Option<String>,
    /// The port, or why there is none.
    port: std::result::Result<u16, String>,
}

impl Cluster {
    /// Asks NSM's managers and forwarders for their metrics, by port forwards through the API server.
    ///
    /// # Errors
    /// The command was stopped. What may not be seen, and what exposes nothing, is in the answer.
    pub async fn exported(&self, ctx: &Ctx) -> Result<Result<Vec<Asked>, Unavailable>> {
        let look = async {
            let pods = self.pods_as(Some(NSM_NAMESPACE), "", exporter).await;
            let asked = async |pods: Vec<Option<Exporter>>| {
                let exporters = pods.into_iter().flatten();
                stream::iter(exporters).map(|exporter| self.ask(exporter)).buffered(AT_ONCE).collect::<Vec<_>>().await
            };
            Ok(match pods {
                Ok(pods) => Ok(asked(pods).await),
                Err(unavailable) => Err(unavailable),
            })
        };
        ctx.run("asking for metrics", look.boxed_local()).await
    }

    async fn ask(&self, exporter: Exporter) -> Asked {
        let Exporter { role, name, node, port } = exporter;
        let read = match port {
            Err(why) => Err(why),
            Ok(port) => match timeout(LIMIT, self.scrape(&name, port)).await {
                Ok(answer) => answer.map(|families| (port, families)).map_err(|why| format!("port {port}: {why}")),
                Err(_) => Err(format!("port {port} did not answer within {} s", LIMIT.as_secs())),
            },
        };
        let source = |exposes, samples| MetricsSource { role: role.to_owned(), name: name.clone(), node: node.clone(), exposes, samples };
        match read {
            Err(why) => (source(Known::unknown(why), 0), Vec::new()),
            Ok((port, mut families)) => {
                for sample in families.iter_mut().flat_map(|family| &mut family.samples) {
                    // Two forwarders may speak of the same.
                    for (label, value) in [("pod", Some(&name)), ("node", node.as_ref())] {
                        if let (Some(value), true) = (value, sample.labels.iter().all(|(known, _)| known != label)) {
                            sample.labels.push((label.to_owned(), value.clone()));
                        }
                    }
                }
                let samples = families.iter().map(|family| family.samples.len()).sum();
                (source(Known::Value(format!("port {port}, /metrics")), samples), families)
            }
        }
    }

    async fn scrape(&self, pod: &str, port: u16) -> std::result::Result<Vec<Family>, String> {
        let api: Api<Pod> = Api::namespaced(self.client.clone(), NSM_NAMESPACE);
        let forwarded = api.portforward(pod, &[port]).boxed().await;
        let mut forwarder = forwarded.map_err(|error| error::unavailable(&error).reason)?;
        let (stream, refused) = (forwarder.take_stream(port), forwarder.take_error(port));
        let mut stream = stream.ok_or("the API server opened no stream")?;
        // An answer in one piece: this version knows no chunks.
        let request = format!("GET /metrics HTTP/1.0\r\nHost: localhost:{port}\r\nAccept: text/plain\r\nConnection: close\r\n\r\n");
        let mut bytes = Vec::new();
        let exchange = async {
            stream.write_all(request.as_bytes()).await?;
            let mut piece = vec![0; 64 * 1024];
            // The end of what the pod sends does not always come through; the answer's own length does.
            while bytes.len() < MAX_BYTES && !is_whole(&bytes) {
                match stream.read(&mut piece).await? {
                    0 => break,
                    count => bytes.extend_from_slice(&piece[..count]),
                }
            }
            std::io::Result::Ok(())
        };
        let exchanged = exchange.await.map_err(|error| error.to_string());
        if bytes.is_empty() {
            let told = match refused {
                Some(refused) => timeout(Duration::from_millis(200), refused).await.ok().flatten(),
                None => None,
            };
            forwarder.abort();
            return Err(told.or(exchanged.err()).unwrap_or_else(|| "nothing answers there".to_owned()));
        }
        forwarder.abort();
        body(&String::from_utf8_lossy(&bytes)).and_then(|text| read(text).map_err(|error| error.to_string()))
    }
}

/// Whether an answer is as long as it says that it is.
fn is_whole(bytes: &[u8]) -> bool {
    let Some(end) = bytes.windows(4).position(|end| end == b"\r\n\r\n") else { return false };
    let head = String::from_utf8_lossy(&bytes[..end]).to_ascii_lowercase();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length:")?.trim().parse::<usize>().ok());
    length.is_some_and(|length| bytes.len() - end - 4 >= length)
}

/// What an answer has to say.
fn body(answer: &str) -> std::result::Result<&str, String> {
    let (head, body) = answer.split_once("\r\n\r\n").ok_or("what answers there does not speak HTTP")?;
    let status = head.lines().next().unwrap_or_default();
    match status.split(' ').nth(1) {
        Some("200") => Ok(body),
        _ => Err(format!("it answers {status}")),
    }
}

/// The manager or forwarder that a pod is, and where its environment and ports say that it exposes metrics.
fn exporter(pod: &Pod) -> Option<Exporter> {
    let name = pod.name_any();
    let role = ["nsmgr", "forwarder"].into_iter().find(|role| name.starts_with(role))?;
    let spec = pod.spec.as_ref()?;
    if pod.status.as_ref().and_then(|status| status.phase.as_deref()).is_some_and(|phase| matches!(phase, "Succeeded" | "Failed")) {
        return None;
    }
    Some(Exporter { role, node: spec.node_name.clone(), port: port(role, &name, pod, spec), name })
}

fn port(role: &str, name: &str, pod: &Pod, spec: &PodSpec) -> std::result::Result<u16, String> {
    let value = |name: &str| {
        let variables = spec.containers().flat_map(|container| container.env.iter().flatten());
        variables.filter(|variable| variable.name == name).find_map(|variable| variable.value.clone())
    };
    let is_on = |name: &str| value(name).is_some_and(|value| matches!(value.to_ascii_lowercase().as_str(), "true" | "1" | "t"));
    let annotation = |name: &str| pod.annotations().get(name).cloned();
    let listens = ["NSM_PROMETHEUS_LISTEN_ON", "PROMETHEUS_LISTEN_ON"].into_iter().find_map(value);
    let listens = listens.and_then(|address| address.rsplit(':').next()?.parse().ok());
    let ports = || spec.containers().flat_map(|container| container.ports.iter().flatten());
    let named = ports().find(|port| port.name.as_deref().is_some_and(|name| name.contains("prometheus") || name.contains("metrics")));
    let named = named.and_then(|port| u16::try_from(port.container_port).ok());
    let annotated = annotation("prometheus.io/port").and_then(|port| port.parse().ok());
    if is_on("PROMETHEUS") {
        return Ok(listens.or(annotated).or(named).unwrap_or(PORT));
    }
    if let Some(port) = named.or(annotated.filter(|_| annotation("prometheus.io/scrape").as_deref() == Some("true"))) {
        return Ok(port);
    }
    let pushes = if is_on("TELEMETRY") { "; it pushes to its OpenTelemetry collector, which can be asked" } else { "" };
    Err(match role {
        "nsmgr" if pushes.is_empty() => {
            "nsmgr serves none; TELEMETRY=true in its environment makes it push them to an OpenTelemetry collector".to_owned()
        }
        "nsmgr" => format!("nsmgr serves none{pushes}"),
        _ if name.starts_with("forwarder-vpp") => format!("PROMETHEUS=true in its environment exposes them on port {PORT}{pushes}"),
        _ => format!("this forwarder serves none; forwarder-vpp does with PROMETHEUS=true{pushes}"),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn found(name: &str, env: &Value, ports: &Value, annotations: &Value) -> Option<std::result::Result<u16, String>> {
        let container = json!({"name": "c", "env": env, "ports": ports});
        let pod = json!({"metadata": {"name": name, "annotations": annotations}, "spec": {"nodeName": "n", "containers": [container]}});
        exporter(&serde_json::from_value(pod).unwrap()).map(|exporter| exporter.port)
    }

    fn with_env(name: &str, env: &[(&str, &str)]) -> std::result::Result<u16, String> {
        let env: Vec<Value> = env.iter().map(|(name, value)| json!({"name": name, "value": value})).collect();
        found(name, &json!(env), &json!([]), &json!({})).unwrap()
    }

    #[test]
    fn the_environment_and_the_ports_say_where() {
        assert_eq!(with_env("forwarder-vpp-a", &[("PROMETHEUS", "true")]), Ok(8081));
        assert_eq!(with_env("forwarder-vpp-a", &[("PROMETHEUS", "true"), ("PROMETHEUS_LISTEN_ON", ":9100")]), Ok(9100));
        let ports = json!([{"containerPort": 7000}, {"name": "prometheus", "containerPort": 9091}]);
        assert_eq!(found("forwarder-x", &json!([]), &ports, &json!({})), Some(Ok(9091)));
        let annotations = json!({"prometheus.io/scrape": "true", "prometheus.io/port": "9102"});
        assert_eq!(found("nsmgr-x", &json!([]), &json!([]), &annotations), Some(Ok(9102)));
        assert_eq!(found("registry-k8s-x", &json!([]), &ports, &annotations), None);
    }

    #[test]
    fn what_is_not_exposed_names_the_setting() {
        let why = |name: &str, env: &[(&str, &str)]| with_env(name, env).unwrap_err();
        assert!(why("forwarder-vpp-a", &[("PROMETHEUS", "false")]).starts_with("PROMETHEUS=true in its environment exposes them on port 8081"));
        assert!(why("nsmgr-a", &[]).contains("TELEMETRY=true"));
        assert!(why("nsmgr-a", &[("TELEMETRY", "true")]).contains("collector, which can be asked"));
        assert!(why("forwarder-ovs-a", &[]).contains("this forwarder serves none"));
    }

    #[test]
    fn an_answer_is_whole_when_it_is_as_long_as_it_says() {
        assert!(is_whole(b"HTTP/1.0 200 OK\r\ncontent-length: 3\r\n\r\nx 1"));
        for part in [&b"HTTP/1.0 200 OK\r\nContent-Length: 4\r\n\r\nx 1"[..], b"HTTP/1.0 200 OK\r\n\r\nx 1", b"HTTP/1.0 200", b""] {
            assert!(!is_whole(part), "{}", String::from_utf8_lossy(part));
        }
    }

    #[test]
    fn only_an_answer_that_is_one_counts() {
        assert_eq!(body("HTTP/1.0 200 OK\r\nA: b\r\n\r\nx 1\n"), Ok("x 1\n"));
        assert_eq!(body("HTTP/1.1 404 Not Found\r\n\r\n"), Err("it answers HTTP/1.1 404 Not Found".to_owned()));
        assert!(body("SSH-2.0-x\r\n").is_err());
    }
}
