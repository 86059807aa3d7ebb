//! Identities of a real SPIRE, its server and agent on this machine, in the place of the engine's own.

use std::{
    fs::{self, File},
    net::TcpListener,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread::sleep,
    time::{Duration, Instant},
};

use tempfile::TempDir;

use crate::{
    program::{Place, Ran, eventually},
    sandboxed::{PATIENCE, upstream},
};

const DOMAIN: &str = "nsmctl.test";
/// How long its X.509 SVIDs are valid, in seconds. They begin ten seconds before they are signed, and are renewed, with their keys, at
/// half of it all: every five seconds.
const SVID_SECONDS: &str = "20";

/// A server and an agent, which end with the test.
struct Spire {
    dir: TempDir,
    server: Child,
    agent: Option<Child>,
}

fn run(dir: &Path, name: &str, arguments: &[&str]) -> Child {
    let log = File::options().append(true).create(true).open(dir.join(format!("{name}.log"))).unwrap();
    let mut command = Command::new(upstream(name));
    command.arg("run").args(arguments).stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log);
    command.spawn().unwrap()
}

impl Spire {
    fn start() -> Self {
        let dir = TempDir::new().unwrap();
        let at = |name: &str| dir.path().join(name).display().to_string();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let server = format!(
            r#"server {{
  bind_address = "127.0.0.1"
  bind_port = "{port}"
  trust_domain = "{DOMAIN}"
  data_dir = "{0}"
  socket_path = "{1}"
  experimental {{ cache_reload_interval = "1s" }}
}}
plugins {{
  DataStore "sql" {{ plugin_data {{ database_type = "sqlite3" connection_string = "{0}/datastore.sqlite3" }} }}
  NodeAttestor "join_token" {{ plugin_data {{}} }}
  KeyManager "memory" {{ plugin_data {{}} }}
}}
"#,
            at("server"),
            at("server.sock"),
        );
        let agent = format!(
            r#"agent {{
  server_address = "127.0.0.1"
  server_port = "{port}"
  trust_domain = "{DOMAIN}"
  insecure_bootstrap = true
  data_dir = "{0}"
  socket_path = "{1}"
  experimental {{ sync_interval = "1s" }}
}}
plugins {{
  NodeAttestor "join_token" {{ plugin_data {{}} }}
  KeyManager "disk" {{ plugin_data {{ directory = "{0}" }} }}
  WorkloadAttestor "unix" {{ plugin_data {{ discover_workload_path = true }} }}
}}
"#,
            at("agent"),
            at("public/api.sock"),
        );
        for (name, text) in [("server.conf", server), ("agent.conf", agent)] {
            fs::write(at(name), text).unwrap();
        }
        fs::create_dir(at("server")).unwrap();
        fs::create_dir(at("agent")).unwrap();
        let server = run(dir.path(), "spire-server", &["-config", &at("server.conf")]);
        let mut spire = Self { dir, server, agent: None };
        spire.waits_for("SPIRE's server", |spire| spire.ask(&["healthcheck"]).is_some());
        let token = spire.ask(&["token", "generate", "-spiffeID", &format!("spiffe://{DOMAIN}/machine")]).unwrap();
        let token = token.lines().find_map(|line| line.strip_prefix("Token: ")).unwrap_or_else(|| panic!("{token}")).to_owned();
        spire.start_agent(&["-joinToken", &token]);
        spire
    }

    fn at(&self, name: &str) -> String {
        self.dir.path().join(name).display().to_string()
    }

    fn waits_for(&mut self, what: &str, is_there: impl Fn(&Self) -> bool) {
        let begun = Instant::now();
        while !is_there(self) {
            let all: Vec<_> = ["spire-server.log", "spire-agent.log"].map(|name| fs::read_to_string(self.at(name)).unwrap_or_default()).into();
            assert!(begun.elapsed() < PATIENCE && self.server.try_wait().unwrap().is_none(), "no {what}:\n{}", all.join("\n"));
            sleep(Duration::from_millis(100));
        }
    }

    /// What the server answers; nothing where it refuses.
    fn ask(&self, arguments: &[&str]) -> Option<String> {
        let mut command = Command::new(upstream("spire-server"));
        let output = command.args(arguments).args(["-socketPath", &self.at("server.sock")]).output().unwrap();
        output.status.success().then(|| String::from_utf8(output.stdout).unwrap())
    }

    fn start_agent(&mut self, more: &[&str]) {
        self.agent = Some(run(self.dir.path(), "spire-agent", &[&["-config", &self.at("agent.conf")][..], more].concat()));
        let socket = self.at("public/api.sock");
        let healthy = || Command::new(upstream("spire-agent")).args(["healthcheck", "-socketPath", &socket]).output().unwrap().status.success();
        self.waits_for("SPIRE's agent", |_| healthy());
    }

    fn stop_agent(&mut self) {
        let mut agent = self.agent.take().unwrap();
        agent.kill().unwrap();
        agent.wait().unwrap();
    }

    /// Says who a program is.
    fn register(&self, name: &str, program: &Path) {
        let (parent, id) = (format!("spiffe://{DOMAIN}/machine"), format!("spiffe://{DOMAIN}/{name}"));
        let (uid, path) = (format!("unix:uid:{}", nix::unistd::getuid()), format!("unix:path:{}", program.display()));
        let entry = ["-parentID", &parent, "-spiffeID", &id, "-selector", &uid, "-selector", &path, "-x509SVIDTTL", SVID_SECONDS];
        assert!(self.ask(&[&["entry", "create"][..], &entry].concat()).is_some());
    }

    /// With tokens that end soon, so that they are made anew after the keys.
    fn deploy(&self, place: &Place, programs: &[&str]) -> Ran {
        let mut command = place.command(&["deploy", "--timeout", "40s"]);
        for name in programs {
            let script = place.write(name, &format!("#!/bin/sh\nNSM_MAX_TOKEN_LIFETIME=12s exec {}\n", upstream(name).display()));
            fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
            command.arg(format!("--program={name}={}", script.display()));
        }
        let socket = format!("unix://{}", self.at("public/api.sock"));
        Ran::new(command.env("SPIFFE_ENDPOINT_SOCKET", socket).stdin(Stdio::null()).output().unwrap())
    }
}

impl Drop for Spire {
    fn drop(&mut self) {
        for child in self.agent.iter_mut().chain([&mut self.server]) {
            let _ = child.kill().and_then(|()| child.wait());
        }
    }
}

fn link(place: &Place) -> String {
    place.run(&["exec", "--", "ip", "-4", "-o", "addr", "show", "nsm-1"]).exits(0).stdout.clone()
}

/// Everybody whom verify and the log know of by a SPIFFE ID.
fn ids(place: &Place) -> String {
    place.run(&["verify", "-o", "json"]).exits(0).stdout.clone()
}

/// How often the engine's own was renewed, where the engine can say that now.
fn rotations(place: &Place) -> Option<u32> {
    let text = place.run(&["metrics", "-o", "prometheus"]).stdout;
    let engine = format!("nsm_svid_rotations_total{{spiffe_id=\"spiffe://{DOMAIN}/engine\"}} ");
    text.lines().find_map(|line| line.strip_prefix(&engine)).map(|count| count.parse().unwrap())
}

fn renewed(place: &Place, times: u32) {
    let before = rotations(place).unwrap_or_default();
    eventually("other identities", || rotations(place).is_some_and(|count| count >= before + times));
}

#[test]
fn upstreams_programs_connect_by_identities_of_a_spire_agent() {
    let mut spire = Spire::start();
    let place = Place::new();
    let nsmctl = PathBuf::from(env!("CARGO_BIN_EXE_nsmctl")).canonicalize().unwrap();

    // Nobody has said who the engine is: what is to be said is in the hint.
    let ran = spire.deploy(&place, &[]);
    let (uid, path) = (format!("-selector unix:uid:{}", nix::unistd::getuid()), format!("-selector unix:path:{}", nsmctl.display()));
    ran.exits(1).says(&["gives the engine no identity: no identity issued", "spire-server entry create", &uid, &path]);
    place.is_clean();

    spire.register("engine", &nsmctl);
    let both = ["cmd-nse-icmp-responder", "cmd-nsc"];
    spire.register("nse", &upstream(both[0]));
    spire.register("nsc", &upstream(both[1]));
    let ran = spire.deploy(&place, &both);
    ran.exits(0).says(&["identities: by the SPIRE agent at unix://", &format!(", trust domain {DOMAIN}")]);
    assert!(ids(&place).contains(&format!("spiffe://{DOMAIN}/nse")), "{}", ids(&place));
    let before = link(&place);

    // The agent renews everybody's, with their keys, and nobody notices.
    renewed(&place, 2);
    place.run(&["verify"]).exits(0);
    assert_eq!(link(&place), before);
    let log = place.run(&["logs"]).exits(0).stdout.clone();
    for trouble in ["Control plane is down", "Data plane is down", "no sufficient privileges", "expiration after -"] {
        assert!(!log.contains(trouble), "{trouble}:\n{log}");
    }

    // A manager that follows goes on with what it was handed while the agent is away; one that starts again is found by all.
    spire.stop_agent();
    place.run(&["engine", "restart"]).exits(0);
    place.run(&["verify"]).exits(0);
    spire.start_agent(&[]);
    renewed(&place, 2);
    place.run(&["verify"]).exits(0);
    assert_eq!(link(&place), before);
    place.run(&["cleanup"]).exits(0);
    place.is_clean();
}

#[test]
fn the_engines_own_parts_meet_upstreams_by_identities_of_a_spire_agent() {
    let spire = Spire::start();
    spire.register("engine", &PathBuf::from(env!("CARGO_BIN_EXE_nsmctl")).canonicalize().unwrap());
    for (name, id) in [("cmd-nse-icmp-responder", "nse"), ("cmd-nsc", "nsc")] {
        let place = Place::new();
        spire.register(id, &upstream(name));
        spire.deploy(&place, &[name]).exits(0);
        let before = link(&place);
        renewed(&place, 2);
        place.run(&["verify"]).exits(0);
        assert_eq!(link(&place), before);
        place.run(&["cleanup"]).exits(0);
        place.is_clean();
    }
}

/// A program that no entry is of gets nothing, whichever sandbox it is in.
#[test]
fn a_program_without_an_entry_is_nobody() {
    let spire = Spire::start();
    let place = Place::new();
    spire.register("engine", &PathBuf::from(env!("CARGO_BIN_EXE_nsmctl")).canonicalize().unwrap());
    spire.register("nse", &upstream("cmd-nse-icmp-responder"));
    spire.deploy(&place, &["cmd-nse-icmp-responder", "cmd-nsc"]).exits(1).says(&["Pod ns-kernel2kernel/alpine is not ready"]);
    assert!(place.run(&["exec", "--", "ip", "link", "show", "nsm-1"]).code != Some(0));
    let log = fs::read_to_string(spire.at("spire-agent.log")).unwrap();
    assert!(log.contains("No identity issued"), "{log}");
    place.run(&["cleanup"]).exits(0);
}
