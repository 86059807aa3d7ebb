//! The script as a shell runs it, with programs that answer as those of different images do; and what is read of its words.

use std::{fs, net::IpAddr, os::unix::fs::PermissionsExt, process::Command};

use super::look::{command, read};
use crate::{
    check::parse,
    model::{Asks, ExecEnd, ExecOutput, Namespaced, PingOptions, PodProbes, Probe, ProbeRequest, UnavailableKind},
};

/// The peer's route is in the table; the way to it leads over an interface that every machine has, so that its MTU can be read.
const PEER: &str = "172.16.1.100";
/// A destination that is only in the table, over the same interface.
const LISTED: &str = "172.16.1.200";

const ROUTES: &str = "default via 10.244.1.1 dev eth0\n10.244.1.0/24 dev eth0 scope link src 10.244.1.3\n172.16.1.100 dev nsm-1\n172.16.1.200 dev lo";
const ROUTES_V6: &str = "2001:db8::100 dev nsm-1 metric 1024\nfe80::/64 dev nsm-1 metric 256";

/// busybox: text only, one kind of words for everything it does not know.
const BUSYBOX_IP: &str = r#"
case "$*" in
-j*) echo 'ip: unrecognized option: j' >&2; exit 1 ;;
addr) printf '1: lo: <LOOPBACK,UP,LOWER_UP> mtu 65536 qdisc noqueue qlen 1000\n    inet 127.0.0.1/8 scope host lo\n2: nsm-1@if9: <BROADCAST,UP,LOWER_UP> mtu 1500 qdisc noqueue \n    inet 172.16.1.101/32 scope global nsm-1\n' ;;
route) echo "$ROUTES" ;;
'-6 route') echo "$ROUTES_V6" ;;
*) echo "ip: invalid argument '$2' to 'ip'" >&2; exit 1 ;;
esac
"#;

/// iproute2: JSON where it is asked for.
const IPROUTE2: &str = r#"
case "$*" in
'-j addr') echo '[{"ifname":"nsm-1","flags":["BROADCAST","UP","LOWER_UP"],"mtu":1500,"operstate":"UP","addr_info":[{"family":"inet","local":"172.16.1.101","prefixlen":32}]}]' ;;
'-j route') echo '[{"dst":"default","gateway":"10.244.1.1","dev":"eth0"},{"dst":"172.16.1.100","dev":"nsm-1"}]' ;;
'-j -6 route') echo '[]' ;;
route) echo "$ROUTES" ;;
'-6 route') ;;
'route get '*) echo "$3 dev lo src 172.16.1.101 uid 0"; echo '    cache' ;;
*) echo "Command \"$*\" is unknown, try \"ip help\"." >&2; exit 255 ;;
esac
"#;

/// A ping to what ends in .9 gets no reply, and no packet longer than $PASSES does.
const PING: &str = r#"
size=56
while [ $# -gt 1 ]; do
  case $1 in
  -s) size=$2 ;;
  -c) count=$2 ;;
  -M) [ -z "$BUSYBOX" ] || { echo 'ping: unrecognized option: M' >&2; echo 'Usage: ping [OPTIONS] HOST' >&2; exit 1; } ;;
  esac
  shift
done
case $1 in *:*) length=$((size + 48)) ;; *) length=$((size + 28)) ;; esac
case $1 in *.9) length=70000 ;; esac
word=; [ -z "$BUSYBOX" ] || word='packets '
if [ "$length" -le "$PASSES" ]; then
  printf -- '--- %s ping statistics ---\n%s packets transmitted, %s %sreceived, 0%% packet loss\nround-trip min/avg/max = 0.1/0.2/0.3 ms\n' "$1" "$count" "$count" "$word"
else
  printf -- '--- %s ping statistics ---\n%s packets transmitted, 0 %sreceived, 100%% packet loss\n' "$1" "$count" "$word"
  exit 1
fi
"#;

const CAT: &str = r#"
case $1 in
/etc/resolv.conf) printf '#search ns.svc.corp.test svc.corp.test\n#nameserver 10.96.0.10\n\nnameserver 127.0.0.1\nsearch ns.svc.corp.test svc.corp.test\n' ;;
*) exit 1 ;;
esac
"#;

const NSLOOKUP: &str = r#"
[ "$2" = "$SILENT" ] && exec /bin/sleep 20
[ "$2" = "$REFUSES" ] && { echo "** server can't find $1: SERVFAIL"; exit 1; }
printf 'Server: %s\nName: %s\nAddress: 10.96.0.1\n' "$2" "$1"
"#;

fn request(asks: Asks, pings: &[&str]) -> ProbeRequest {
    ProbeRequest {
        pod: Namespaced::new("ns", "alpine"),
        container: "alpine".into(),
        asks,
        pings: pings.iter().map(|address| address.parse().unwrap()).collect(),
        ping: PingOptions::default(),
        debug_image: None,
    }
}

/// What the script finds out where these are the programs, in this environment.
fn looked(request: &ProbeRequest, programs: &[(&str, &str)], environment: &[(&str, &str)]) -> PodProbes {
    let dir = tempfile::tempdir().unwrap();
    for (name, text) in programs.iter().chain(&[("sleep", "exec /bin/sleep \"$@\"")]) {
        let path = dir.path().join(name);
        fs::write(&path, format!("#!/bin/sh\n{text}\n")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    }
    let script = command(request);
    let mut shell = Command::new("/bin/sh");
    shell.args(&script[1..]).env_clear().env("PATH", dir.path()).env("ROUTES", ROUTES).env("ROUTES_V6", ROUTES_V6).env("PASSES", "65535");
    let output = shell.envs(environment.iter().copied()).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    let end = ExecEnd::Exited(output.status.code().unwrap());
    read(request, &ExecOutput { command: script, end, stdout: text(output.stdout), stderr: text(output.stderr) })
}

const BUSYBOX: [(&str, &str); 4] = [("ip", BUSYBOX_IP), ("ping", PING), ("cat", CAT), ("nslookup", NSLOOKUP)];
const FULL: [(&str, &str); 4] = [("ip", IPROUTE2), ("ping", PING), ("cat", CAT), ("nslookup", NSLOOKUP)];

/// Each ping as its destination, its length where it is about that, and how many replies came.
fn pings(probes: &PodProbes) -> Vec<(String, Option<u32>, u32)> {
    let received = |probe: &_| parse::value(probe, false, parse::ping).unwrap().received;
    probes.pings.iter().map(|ping| (ping.destination.to_string(), ping.packet_bytes, received(&ping.result))).collect()
}

fn pinged(destination: &str, length: Option<u32>, received: u32) -> (String, Option<u32>, u32) {
    (destination.to_owned(), length, received)
}

const NETWORK: Asks = Asks { network: true, path_mtu: false, resolver: false, traces: false, counters: false };
const PATH_MTU: Asks = Asks { network: true, path_mtu: true, resolver: false, traces: false, counters: false };

#[test]
fn peers_are_found_whichever_programs_there_are() {
    for (programs, environment) in [(BUSYBOX, &[("BUSYBOX", "1")][..]), (FULL, &[])] {
        let probes = looked(&request(NETWORK, &[]), &programs, environment);
        let links = parse::value(&probes.links, true, parse::links).unwrap();
        let link = links.iter().find(|link| link.name == "nsm-1").unwrap();
        assert!(link.is_lower_up() && link.has("172.16.1.101".parse().unwrap()) && link.mtu == Some(1500), "{link:?}");
        let routes = parse::value(&probes.routes, true, parse::routes).unwrap();
        assert!(routes.iter().any(|route| route.device.as_deref() == Some("nsm-1")), "{routes:?}");
        let is_busybox = !environment.is_empty();
        assert_eq!(parse::value(&probes.routes_v6, true, parse::routes).unwrap().len(), if is_busybox { 2 } else { 0 });
        let mut expected = vec![pinged(PEER, None, 4)];
        expected.extend(is_busybox.then(|| pinged("2001:db8::100", None, 4)));
        assert_eq!(pings(&probes), expected);
        assert_eq!((probes.resolver, probes.traces), (None, None));
    }
}

#[test]
fn who_is_asked_for_twice_is_pinged_once() {
    let probes = looked(&request(NETWORK, &[PEER]), &FULL, &[]);
    assert_eq!(pings(&probes), [pinged(PEER, None, 4)]);
    let probes = looked(&request(Asks::default(), &["172.16.1.9"]), &FULL, &[]);
    assert_eq!(pings(&probes), [pinged("172.16.1.9", None, 0)]);
    assert!(matches!(&probes.links, Probe::Unavailable(unavailable) if unavailable.kind == UnavailableKind::NotAsked));
}

#[test]
fn a_packet_as_long_as_the_interface_admits_is_enough_where_it_passes() {
    let probes = looked(&request(PATH_MTU, &[]), &FULL, &[]);
    assert_eq!(pings(&probes), [pinged(PEER, None, 4), pinged(PEER, Some(65535), 1)]);
}

#[test]
fn shorter_packets_are_tried_where_the_longest_is_lost() {
    // busybox knows neither `ip route get` nor `ping -M`.
    for (programs, destination, environment) in [(FULL, PEER, &[][..]), (BUSYBOX, LISTED, &[("BUSYBOX", "1")])] {
        let environment = [environment, &[("PASSES", "1419")]].concat();
        let found = pings(&looked(&request(PATH_MTU, &[destination]), &programs, &environment));
        for expected in [(None, 4), (Some(65535), 0), (Some(1500), 0), (Some(1440), 0), (Some(1419), 1), (Some(576), 1)] {
            assert!(found.contains(&pinged(destination, expected.0, expected.1)), "{expected:?} of {found:?}");
        }
    }
}

/// A ping that gets replies to short packets at once, and waits for ever for others, unless it is told to end by SIGINT. What a shell
/// starts in the background ignores that signal, which real ones take up again.
const WAITING: &str = r#"
[ -n "$TAKEN_UP" ] || TAKEN_UP=1 exec /usr/bin/env --default-signal=INT /bin/sh "$0" "$@"
case " $* " in
*' -s '*) ;;
*) printf -- '--- x ping statistics ---\n4 packets transmitted, 4 received, 0%% packet loss\nround-trip min/avg/max = 0.1/0.2/%s ms\n' "$LONGEST"; exit ;;
esac
trap 'printf -- "--- x ping statistics ---\n1 packets transmitted, 0 received, 100%% packet loss\n"; exit 1' INT
/bin/sleep "$GIVES_UP" >/dev/null 2>&1 &
wait
printf -- '--- x ping statistics ---\n1 packets transmitted, 0 received, 99%% packet loss\n'
exit 1
"#;

#[test]
fn what_is_lost_is_not_waited_for_where_round_trips_are_short() {
    let programs = [("ip", IPROUTE2), ("ping", WAITING), ("cat", CAT), ("nslookup", NSLOOKUP)];
    let said = |longest: &str, gives_up: &str| -> Vec<String> {
        let probes = looked(&request(PATH_MTU, &[PEER]), &programs, &[("LONGEST", longest), ("GIVES_UP", gives_up)]);
        let of_length = probes.pings.iter().filter(|ping| ping.packet_bytes.is_some());
        of_length.map(|ping| if let Probe::Output(output) = &ping.result { output.stdout.clone() } else { panic!("{ping:?}") }).collect()
    };
    let ended = said("3.2", "20");
    assert!(ended.len() > 5 && ended.iter().all(|text| text.contains("100% packet loss")), "{ended:?}");
    // Where they are long, it is `ping` that says how long it waits.
    let waited = said("250.0", "1");
    assert!(waited.len() > 5 && waited.iter().all(|text| text.contains("99% packet loss")), "{waited:?}");
}

/// iputils before 20221126 sends an ordinary user's packets no faster than five in a second (ping.h: `MINUSERINTERVAL`).
#[test]
fn a_ping_that_may_not_send_so_fast_sends_slower() {
    let slow = format!(
        "case \" $* \" in *' -i 0.2 '*) ;; *) echo 'ping: cannot flood; minimal interval allowed for user is 200ms' >&2; exit 2 ;; esac\n{PING}"
    );
    let programs = [("ip", IPROUTE2), ("ping", slow.as_str()), ("cat", CAT), ("nslookup", NSLOOKUP)];
    assert_eq!(pings(&looked(&request(NETWORK, &[PEER]), &programs, &[])), [pinged(PEER, None, 4)]);
}

#[test]
fn no_length_is_tried_where_nothing_comes_back_at_all() {
    let probes = looked(&request(Asks { path_mtu: true, ..Asks::default() }, &["172.16.1.9"]), &FULL, &[]);
    assert_eq!(pings(&probes), [pinged("172.16.1.9", None, 0)]);
}

#[test]
fn both_name_servers_are_asked_where_nsm_has_put_one_in_front() {
    let asks = Asks { resolver: true, ..Asks::default() };
    let answers = |environment: &[(&str, &str)]| {
        let resolver = looked(&request(asks, &[]), &BUSYBOX, environment).resolver.unwrap();
        assert!(matches!(&resolver.configuration, Probe::Value(text) if text.contains("\nnameserver 127.0.0.1\n")), "{resolver:?}");
        let mut answers: Vec<(String, bool)> = resolver
            .lookups
            .iter()
            .map(|lookup| {
                let Probe::<()>::Output(answer) = Probe::Output(lookup.answer.clone()) else { unreachable!() };
                assert!(format!("{}{}", answer.stdout, answer.stderr).contains("kubernetes.default.svc.corp.test"), "{answer:?}");
                (lookup.server.clone(), lookup.answer.end == ExecEnd::Exited(0))
            })
            .collect();
        answers.sort();
        answers
    };
    let answer = |server: &str, answers| (server.to_owned(), answers);
    assert_eq!(answers(&[]), [answer("10.96.0.10", true), answer("127.0.0.1", true)]);
    assert_eq!(answers(&[("REFUSES", "127.0.0.1")]), [answer("10.96.0.10", true), answer("127.0.0.1", false)]);
    // Who is silent has given no answer; where it is the cluster's own, NSM's is not waited for.
    assert!(!answers(&[("SILENT", "10.96.0.10")]).contains(&answer("10.96.0.10", true)));
}

#[test]
fn programs_that_are_not_there_are_said_to_be_missing() {
    let probes = looked(&request(PATH_MTU, &[PEER]), &[], &[]);
    for end in [parse::value(&probes.links, true, parse::links).map(|_| ()), parse::value(&probes.pings[0].result, false, parse::ping).map(|_| ())] {
        assert_eq!(end.unwrap_err().kind, UnavailableKind::NoProgram);
    }
    assert_eq!(probes.pings.len(), 1, "no length is tried without a ping");
}

#[test]
fn traces_of_other_mechanisms_are_looked_for() {
    let probes = looked(&request(Asks { traces: true, ..Asks::default() }, &[]), &FULL, &[]);
    assert!(matches!(&probes.traces, Some(Probe::Value(lines)) if lines.iter().all(|line| !line.is_empty())), "{:?}", probes.traces);
}

/// What is read of these words.
fn said(request: &ProbeRequest, end: ExecEnd, stdout: &str) -> PodProbes {
    read(request, &ExecOutput { command: Vec::new(), end, stdout: stdout.into(), stderr: String::new() })
}

#[test]
fn the_script_is_told_numbers_and_addresses_only() {
    let mut request = request(Asks { network: true, traces: true, ..Asks::default() }, &[PEER, "2001:db8::1"]);
    request.ping = PingOptions { count: 7, interval_ms: 250, wait_ms: 1500 };
    let command = command(&request);
    let settings = command[2].lines().next().unwrap();
    assert_eq!(&command[..2], ["sh", "-c"]);
    for word in ["NETWORK=1 ", "PATH_MTU= ", "RESOLVER= ", "TRACES=1 ", "COUNT=7 ", "INTERVAL=0.25 ", "WAIT=2 ", "PINGS='172.16.1.100 2001:db8::1'"] {
        assert!(settings.contains(word), "{word} in {settings}");
    }
    assert!(settings.contains("PLATEAUS='16000 9000 "), "{settings}");
}

#[test]
fn a_whole_look_is_read() {
    let stats = "1 packets transmitted, 1 received, 0% packet loss";
    let text = format!(
        "motd of the shell\nnsmctl-look: links - 0\n1: lo: <UP>\nnsmctl-look: routes - 0\n\nnsmctl-look: routes-v6 - 1\nip: no\n\
         nsmctl-look: ping {PEER} 0\n{stats}\nnsmctl-look: packet-1500 {PEER} 0\n{stats}\nnsmctl-look: packet-x {PEER} 0\n{stats}\n\
         nsmctl-look: resolver - 1\ncat: no\nnsmctl-look: lookup 10.96.0.10 1\nrefused\nnsmctl-look: traces - 0\n\nmemif @a\n\
         nsmctl-look: end - 0\n"
    );
    let probes = said(&request(NETWORK, &[PEER]), ExecEnd::Exited(0), &text);
    let Probe::Output(links) = &probes.links else { panic!("{probes:?}") };
    assert_eq!((links.stdout.as_str(), links.command.join(" ").as_str()), ("1: lo: <UP>\n", "ip addr"));
    assert!(parse::is_refusal(&probes.routes_v6));
    assert_eq!(pings(&probes), [pinged(PEER, None, 1), pinged(PEER, Some(1500), 1)]);
    let resolver = probes.resolver.unwrap();
    assert!(matches!(&resolver.configuration, Probe::Output(output) if output.stderr == "cat: no\n"), "{resolver:?}");
    assert_eq!((resolver.lookups[0].server.as_str(), &resolver.lookups[0].answer.end), ("10.96.0.10", &ExecEnd::Exited(1)));
    assert_eq!(probes.traces, Some(Probe::Value(vec!["memif @a".to_owned()])));
}

#[test]
fn what_a_look_that_broke_off_did_not_come_to_is_unknown() {
    let begun = "nsmctl-look: links - 0\n1: lo: <UP>\n";
    let ends = [
        (ExecEnd::Timeout, UnavailableKind::Timeout, "took too long"),
        (ExecEnd::LostStatus, UnavailableKind::Transport, "broke off: 1: lo: <UP>"),
        (ExecEnd::Exited(137), UnavailableKind::Transport, "broke off"),
        (ExecEnd::Transport("reset".into()), UnavailableKind::Transport, "reset"),
    ];
    for (end, kind, reason) in ends {
        let probes = said(&request(NETWORK, &[PEER]), end, begun);
        let missing =
            [parse::value(&probes.routes, true, parse::routes).map(|_| ()), parse::value(&probes.routes_v6, true, parse::routes).map(|_| ())];
        let ping = parse::value(&probes.pings[0].result, false, parse::ping).map(|_| ());
        for unavailable in missing.into_iter().chain([ping]).map(Result::unwrap_err) {
            assert!(unavailable.kind == kind && unavailable.reason.contains(reason), "{unavailable:?}");
        }
    }
}

#[test]
fn nothing_that_a_script_may_print_makes_the_reader_panic() {
    for text in ["", "nsmctl-look:", "nsmctl-look: links", "nsmctl-look: links - x", "nsmctl-look: packet-5 10.0.0.1 0\n", "nsmctl-look: ping x 0\n"]
    {
        let probes = said(&request(NETWORK, &[]), ExecEnd::Exited(0), text);
        assert!(matches!(probes.links, Probe::Unavailable(_)), "{text}");
        assert!(probes.pings.iter().all(|ping| ping.destination != IpAddr::from([0, 0, 0, 0])));
    }
}
