//! A program in a sandbox, as a kubelet would start it there: in its network namespace, with a mount namespace of its own in which
//! the engine's sockets are where NSM's manifests mount them.

use std::{
    env,
    fs::{self, File},
    path::PathBuf,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

use crate::machine::Machine;

/// How long something may take that takes a second or two.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// The engine's folders are bound before those are covered which they may lie in; the endpoint's socket is then at a path that
/// nobody else sees.
const ENTER: &str = "set -e
exec 3<\"$1/nsm\" 4<\"$1/spire\"
mount -t tmpfs none /var/lib
mount -t tmpfs none /run
mkdir -p /var/lib/networkservicemesh /run/spire/sockets
mount --bind /proc/self/fd/3 /var/lib/networkservicemesh
mount --bind /proc/self/fd/4 /run/spire/sockets
exec 3<&- 4<&-
mount -t tmpfs none /tmp
cd /tmp
shift
exec \"$@\"";

/// The path of one of upstream's programs.
pub(crate) fn upstream(name: &str) -> PathBuf {
    let folder = env::var_os("NSMCTL_E2E_BIN").expect("NSMCTL_E2E_BIN names a directory with NSM's own programs; nothing was tested");
    let path = PathBuf::from(folder).join(name);
    assert!(path.exists(), "{} is missing; nothing was tested", path.display());
    path
}

/// A program that runs until it is dropped.
pub(crate) struct Sandboxed {
    child: Child,
    log: PathBuf,
}

impl Sandboxed {
    pub(crate) async fn start(machine: &Machine, pod: &str, program: &str, arguments: &[&str], environment: &[(&str, &str)]) -> Self {
        let status = machine.status().await;
        let (_, path) = status.namespaces.iter().find(|(id, _)| id.name.starts_with(pod)).unwrap_or_else(|| panic!("no pod {pod}"));
        let mut command = Command::new("nsenter");
        if !nix::unistd::geteuid().is_root() {
            command.args([&format!("--user=/proc/{}/ns/user", status.pid), "--preserve-credentials"]);
        }
        let log = machine.dir().parent().unwrap().join(format!("{pod}-{program}-{}.log", Instant::now().elapsed().as_nanos()));
        let file = File::create(&log).unwrap();
        command.arg(format!("--net={path}")).args(["unshare", "--mount", "sh", "-c", ENTER, "sh"]).arg(machine.dir());
        command.arg(upstream(program)).args(arguments);
        command.env("SPIFFE_ENDPOINT_SOCKET", "unix:///run/spire/sockets/agent.sock").env("NSM_LOG_LEVEL", "DEBUG").env("TMPDIR", "/tmp");
        command.envs(environment.iter().copied());
        let child = command.stdin(Stdio::null()).stdout(file.try_clone().unwrap()).stderr(file).spawn().expect("nsenter of util-linux");
        Self { child, log }
    }

    pub(crate) fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }

    pub(crate) fn pid(&self) -> i32 {
        i32::try_from(self.child.id()).unwrap()
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.pid()), signal).unwrap();
    }

    /// Waits until it ends; the result is whether it was content.
    pub(crate) async fn ended(&mut self) -> bool {
        let begun = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status.success();
            }
            assert!(begun.elapsed() < PATIENCE, "it does not end:\n{}", self.log());
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Waits until its log has a text, so many times.
    pub(crate) async fn says(&mut self, text: &str, times: usize) {
        let begun = Instant::now();
        while self.log().matches(text).count() < times {
            assert!(begun.elapsed() < PATIENCE, "it never says {text:?} {times} times:\n{}", self.log());
            if let Some(status) = self.child.try_wait().unwrap() {
                assert!(self.log().matches(text).count() >= times, "{status} before it says {text:?}:\n{}", self.log());
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

impl Drop for Sandboxed {
    fn drop(&mut self) {
        let _ = self.child.kill().and_then(|()| self.child.wait());
    }
}
