//! `metrics` on this machine, by the witness of `ip` and of an HTTP client of a few words, and against a scripted cluster.
#![cfg(target_os = "linux")]

use std::{
    io::{Read, Write},
    net::TcpStream,
    time::Duration,
};

use nsmctl::prometheus::read;
use serde_json::{Value, json};
use wiremock::ResponseTemplate;

use crate::{
    attached::{Attached, Frame},
    program::{Place, Ran},
    scripted::{Cluster, ok, status},
};

/// What a server on the loopback interface answers to these bytes; nothing where it hangs up.
fn ask(address: &str, request: &[u8]) -> String {
    let mut stream = TcpStream::connect(address).expect("a server");
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    // It may hang up before all is said.
    let _ = stream.write_all(request);
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    String::from_utf8_lossy(&answer).into_owned()
}

/// Where the engine says that its metrics are: `127.0.0.1:PORT`.
fn exposed(ran: &Ran) -> String {
    let line = ran.stderr.lines().find_map(|line| line.split_once("metrics of the engine: http://")).unwrap_or_else(|| panic!("{ran:?}")).1;
    line.strip_suffix("/metrics").expect("a path").to_owned()
}

/// The value of a metric whose labels have all of these words.
fn value(text: &str, name: &str, labels: &[&str]) -> f64 {
    let families = read(text).unwrap_or_else(|error| panic!("{error}: {text}"));
    let samples = families.iter().flat_map(|family| &family.samples).filter(|sample| sample.name == name);
    let fits = |sample: &&nsmctl::model::Sample| labels.iter().all(|wanted| sample.labels.iter().any(|(_, value)| value == wanted));
    samples.filter(fits).map(|sample| sample.value).next().unwrap_or_else(|| panic!("no {name} {labels:?}: {text}"))
}

#[test]
fn the_engine_counts_and_exposes_it_on_the_loopback_interface() {
    let place = Place::new();
    let address = exposed(place.run(&["deploy"]).exits(0));
    assert!(address.starts_with("127.0.0.1:"), "{address}");
    // Its port is taken by now: for another engine another is free, and is said.
    let other = Place::new();
    let elsewhere = exposed(other.run(&["deploy"]).exits(0));
    assert!(elsewhere.starts_with("127.0.0.1:") && elsewhere != address, "{elsewhere} {address}");
    other.run(&["cleanup"]).exits(0);
    assert!(place.run(&["status"]).exits(0).stdout.contains(&format!("metrics of the engine: http://{address}/metrics")));
    let document = place.run(&["metrics", "-o", "json"]).exits(0).json();
    assert_eq!(document["metrics"]["sources"]["value"][0]["exposes"]["value"], format!("http://{address}/metrics"));

    let scrape = || {
        let answer = ask(&address, b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n");
        let (head, body) = answer.split_once("\r\n\r\n").expect("a head");
        assert!(head.starts_with("HTTP/1.1 200 OK\r\nContent-Type: text/plain; version=0.0.4"), "{head}");
        assert!(head.contains(&format!("Content-Length: {}\r\n", body.len())), "{head}");
        body.to_owned()
    };
    let before = scrape();
    assert!(before.lines().filter(|line| !line.starts_with('#')).all(|line| line.starts_with("nsm_")), "{before}");
    assert_eq!((value(&before, "nsm_connections", &[]), value(&before, "nsm_requests_total", &["served"])), (1.0, 1.0));
    assert_eq!(value(&before, "nsm_request_duration_seconds_count", &[]), 1.0);
    assert!(value(&before, "nsm_request_duration_seconds_sum", &[]) > 0.0);
    assert_eq!(value(&before, "nsm_heals_total", &[]), 0.0);

    // Bytes are those that `ip` counts.
    place.run(&["verify"]).exits(0);
    let after = scrape();
    let sent = |text: &str| value(text, "nsm_connection_transmit_packets_total", &["ns-kernel2kernel/alpine", "nsm-1"]);
    assert!(sent(&after) >= sent(&before) + 3.0, "{after}");
    let witness = place.run(&["exec", "alpine", "--", "ip", "-s", "-j", "link", "show", "nsm-1"]);
    let witness: Value = serde_json::from_str(&witness.exits(0).stdout).unwrap();
    let counted = witness[0]["stats64"]["tx"]["packets"].as_f64().unwrap();
    let ran = place.run(&["metrics", "-o", "prometheus"]);
    let own = value(&ran.exits(0).stdout, "nsmctl_interface_transmit_packets_total", &["alpine", "nsm-1", "client"]);
    assert!(own >= counted && value(&ran.stdout, "nsm_connection_transmit_packets_total", &["nsm-1"]) >= counted, "{counted}: {ran:?}");
    assert!(value(&ran.stdout, "nsmctl_interface_receive_packets_total", &["endpoint"]) >= 3.0);

    // What heals is counted.
    place.run(&["exec", "alpine", "--", "ip", "link", "set", "nsm-1", "down"]).exits(0);
    place.run(&["deploy"]).exits(0);
    assert_eq!(value(&scrape(), "nsm_heals_total", &[]), 1.0);
    let engine = place.engine().expect("an engine");
    place.run(&["cleanup"]).exits(0);
    // The port may be another test's engine's by now; who is gone listens no more.
    crate::engine::wait_for_end(engine);
    place.is_clean();
    place.run(&["metrics"]).exits(3).says(&["no engine runs on this machine"]);
}

#[test]
fn the_engine_outlives_whatever_is_sent_to_its_exporter() {
    let place = Place::new();
    let address = exposed(place.run(&["deploy"]).exits(0));
    for (request, answer) in [
        (&b"GET / HTTP/1.1\r\n\r\n"[..], "HTTP/1.1 404 Not Found"),
        (b"POST /metrics HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc", "HTTP/1.1 405 Method Not Allowed"),
        (b"\x16\x03\x01\x02\r\n\r\n", "HTTP/1.1 400 Bad Request"),
        (b"GET /metrics\r\n\r\n", "HTTP/1.1 400 Bad Request"),
    ] {
        assert!(ask(&address, request).starts_with(answer), "{answer}");
    }
    // A head without an end is not read for ever, and who says nothing does not keep others from being answered.
    let endless = [b"GET /metrics HTTP/1.1\r\n".to_vec(), vec![b'x'; 1 << 20]].concat();
    let answer = ask(&address, &endless);
    assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 431"), "{answer}");
    let silent: Vec<TcpStream> = (0..8).map(|_| TcpStream::connect(&address).unwrap()).collect();
    assert!(ask(&address, b"GET /metrics HTTP/1.0\r\n\r\n").contains("nsm_connections 1"));
    drop(silent);
    place.run(&["verify"]).exits(0);
    place.run(&["cleanup"]).exits(0);
}

#[test]
fn watching_adds_what_each_second_brings() {
    let place = Place::new();
    place.run(&["deploy"]).exits(0);
    // It pings all the while, fifty times a second each way.
    let pinging = place.start(&["verify", "--count", "500", "--interval", "20ms"]);
    let ran = place.run(&["metrics", "--watch=500ms", "--timeout", "4s", "-o", "json"]);
    pinging.signal(nix::sys::signal::Signal::SIGTERM);
    pinging.end().exits(143);
    let rounds: Vec<Value> = ran.exits(0).stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(rounds.len() >= 2 && rounds[0]["metrics"]["connections"][0]["client"]["rates"].is_null(), "{ran:?}");
    let rates: Vec<f64> =
        rounds.iter().filter_map(|round| round["metrics"]["connections"][0]["client"]["rates"]["tx_packets_per_s"].as_f64()).collect();
    assert!(rates.len() == rounds.len() - 1 && rates.iter().any(|rate| (10.0..=1000.0).contains(rate)), "{rates:?}");
    for (arguments, words) in [
        (&["metrics", "--watch", "-o", "prometheus"][..], "the format has no rates"),
        (&["verify", "-o", "prometheus"], "tip: 'nsmctl metrics -o prometheus' prints what is counted"),
        (&["metrics", "-o", "junit"], "[possible values: table, short, json, prometheus]"),
        (&["metrics", "--interval", "1s"], "--watch"),
    ] {
        place.run(arguments).exits(2).prints_nothing().says(&[words]);
    }
    place.run(&["cleanup"]).exits(0);
}

fn list(items: &[Value]) -> ResponseTemplate {
    ok(json!({"kind": "List", "apiVersion": "v1", "metadata": {"resourceVersion": "1"}, "items": items}))
}

fn carrier(name: &str, env: &[(&str, &str)]) -> Value {
    let env: Vec<Value> = env.iter().map(|(name, value)| json!({"name": name, "value": value})).collect();
    let status = json!({"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]});
    json!({"metadata": {"name": name, "namespace": "nsm-system"}, "spec": {"nodeName": "n", "containers": [{"name": "c", "env": env}]}, "status": status})
}

#[test]
fn what_a_forwarder_exposes_is_read_through_a_port_forward() {
    const TEXT: &str = "# HELP client_rx_bytes_total x\n# TYPE client_rx_bytes_total counter\n\
                        client_rx_bytes_total{connection_id=\"a-0\",network_service=\"s\",nsc=\"a\",nse_interface=\"i\"} 1234\n";
    let place = Place::new();
    let pods = json!({
        "kind": "List", "apiVersion": "v1", "metadata": {},
        "items": [carrier("forwarder-vpp-1", &[("PROMETHEUS", "true"), ("NSM_PROMETHEUS_LISTEN_ON", ":9123")])]
    });
    let server = Attached::new(&pods, |request| {
        assert!(request.starts_with(b"GET /metrics HTTP/1.0\r\n"), "{}", String::from_utf8_lossy(request));
        let (first, second) = TEXT.split_at(40);
        let head = format!("HTTP/1.0 200 OK\r\nContent-Length: {}\r\n\r\n{first}", TEXT.len());
        vec![Frame::out(head.as_bytes()), Frame::out(second.as_bytes())]
    });
    place.kubeconfig(&server.url());
    let ran = place.run(&["metrics", "-o", "prometheus"]);
    let line =
        "client_rx_bytes_total{connection_id=\"a-0\",network_service=\"s\",nsc=\"a\",nse_interface=\"i\",pod=\"forwarder-vpp-1\",node=\"n\"} 1234\n";
    assert!(ran.exits(0).stdout.contains(line), "{ran:?}");
    assert!(server.asked().contains("/namespaces/nsm-system/pods/forwarder-vpp-1/portforward?") && server.asked().contains("ports=9123"));
}

#[test]
fn what_a_cluster_does_not_expose_is_said_with_the_setting() {
    let place = Place::new();
    let cluster = Cluster::new(|method, path| match (method, path) {
        ("GET", "/api/v1/namespaces/nsm-system/pods") => {
            Some(list(&[carrier("nsmgr-1", &[]), carrier("forwarder-vpp-1", &[]), carrier("forwarder-vpp-2", &[("PROMETHEUS", "true")])]))
        }
        _ if path.ends_with("/portforward") => {
            Some(status(403, "Forbidden", "pods \"forwarder-vpp-2\" is forbidden: User \"jane\" cannot create resource \"pods/portforward\""))
        }
        _ => None,
    });
    place.kubeconfig(&cluster.url());
    let ran = place.run(&["metrics", "-o", "json"]);
    let document = ran.exits(3).json();
    let why = |at: usize| document["metrics"]["sources"]["value"][at]["exposes"]["unknown"].as_str().unwrap().to_owned();
    assert!(why(0).contains("TELEMETRY=true"), "{ran:?}");
    assert!(why(1).contains("PROMETHEUS=true in its environment exposes them on port 8081"), "{ran:?}");
    assert!(why(2).contains("cannot create resource \"pods/portforward\""), "{ran:?}");
    assert!(cluster.seen().iter().any(|request| request.ends_with("/pods/forwarder-vpp-2/portforward")));
    assert!(!cluster.seen().iter().any(|request| request.ends_with("/pods/forwarder-vpp-1/portforward")), "nobody is asked in vain");
    cluster.is_untouched();
}
