//! nsmctl in a pod: no kubeconfig, and the service account that the kubelet mounts there.

use std::{
    collections::BTreeSet,
    fs,
    net::{Ipv4Addr, SocketAddr, TcpListener as Listener},
    path::PathBuf,
    process::{Command, Stdio},
    sync::Arc,
    thread,
};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use serde_json::json;
use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
    sync::oneshot,
};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{ServerConfig, crypto::ring, pki_types::PrivateKeyDer},
};

use crate::{
    program::{Place, Ran},
    scripted::{Cluster, ok},
};

const TOKEN: &str = "the-token-of-the-pod";
/// What the script exits with where it cannot make a pod's files: no code of nsmctl's.
const NO_POD: i32 = 99;

/// A certificate authority, and what it signs.
struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().expect("a key")).expect("a certificate"))
    }

    /// The `ca.crt` of a pod.
    fn pem(&self) -> String {
        self.0.pem()
    }

    /// What a server needs that is 127.0.0.1.
    fn server(&self) -> ServerConfig {
        let key = KeyPair::generate().expect("a key");
        let params = CertificateParams::new([Ipv4Addr::LOCALHOST.to_string()]).expect("a name");
        let certificate = params.signed_by(&key, &self.0).expect("a certificate");
        let key = PrivateKeyDer::try_from(key.serialize_der()).expect("a key");
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider())).with_safe_default_protocol_versions();
        config.expect("versions").with_no_client_auth().with_single_cert(vec![certificate.der().clone()], key).expect("a key of this certificate")
    }
}

/// TLS before a scripted server, as an in-cluster configuration demands it; it ends with the test.
struct Tls {
    address: SocketAddr,
    _end: oneshot::Sender<()>,
}

impl Tls {
    fn before(cluster: &Cluster, authority: &Authority) -> Self {
        let server = cluster.address();
        let acceptor = TlsAcceptor::from(Arc::new(authority.server()));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let listener = runtime.block_on(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))).expect("a port");
        let address = listener.local_addr().expect("an address");
        let serve = async move {
            while let Ok((stream, _)) = listener.accept().await {
                let acceptor = acceptor.clone();
                tokio::spawn(async move {
                    // Who does not trust the certificate hangs up here.
                    let Ok(mut stream) = acceptor.accept(stream).await else { return };
                    let mut server = TcpStream::connect(server).await.expect("the scripted server");
                    let _ = copy_bidirectional(&mut stream, &mut server).await;
                });
            }
        };
        let (_end, ended) = oneshot::channel();
        thread::spawn(move || {
            runtime.block_on(async {
                tokio::select! { () = serve => {} _ = ended => {} }
            });
        });
        Self { address, _end }
    }
}

/// A pod of the namespace `of-the-pod`: the files of its service account.
struct Pod {
    place: Place,
    account: PathBuf,
}

impl Pod {
    fn new(authority: &Authority) -> Self {
        let place = Place::new();
        let account = place.path("serviceaccount");
        fs::create_dir(&account).expect("a directory");
        let pod = Self { place, account };
        for (name, text) in [("token", TOKEN), ("ca.crt", &authority.pem()), ("namespace", "of-the-pod")] {
            fs::write(pod.file(name), text).expect("a file");
        }
        pod
    }

    fn file(&self, name: &str) -> PathBuf {
        self.account.join(name)
    }

    /// Runs nsmctl where these files are at the path that Kubernetes gives them. That path is the same on every machine, so it
    /// is made in a mount namespace of the program's own; `/var/run` is a link to `/run` on most.
    #[track_caller]
    fn run(&self, server: SocketAddr, arguments: &[&str]) -> Ran {
        let script = format!(
            "mount -t tmpfs tmpfs \"$(readlink -f /var/run)\" && mkdir -p /var/run/secrets/kubernetes.io && \
             ln -s \"$0\" /var/run/secrets/kubernetes.io/serviceaccount || exit {NO_POD}; exec \"$@\""
        );
        let nsmctl = self.place.command(arguments);
        let mut command = Command::new("unshare");
        command.args(["--user", "--map-root-user", "--mount", "sh", "-c", &script]).arg(&self.account);
        command.arg(nsmctl.get_program()).args(nsmctl.get_args()).current_dir(self.place.path("")).env_clear().stdin(Stdio::null());
        command.envs(nsmctl.get_envs().filter_map(|(name, value)| Some((name, value?))));
        command.env("KUBERNETES_SERVICE_HOST", server.ip().to_string()).env("KUBERNETES_SERVICE_PORT", server.port().to_string());
        let ran = Ran::new(command.output().expect("unshare of util-linux, this test's means"));
        let says = |words| ran.stderr.starts_with(words);
        assert!(ran.code != Some(NO_POD) && !says("unshare: "), "mount namespaces, this test's means, are not allowed here: {ran:?}");
        ran
    }
}

/// A client of NSM's, with nothing in it that can be looked into.
fn client(namespace: &str) -> serde_json::Value {
    let metadata = json!({"name": "web", "namespace": namespace, "annotations": {"networkservicemesh.io": "kernel://s/nsm-1"}});
    let status = json!({"phase": "Pending"});
    let pod = json!({"metadata": metadata, "spec": {"containers": [{"name": "own"}]}, "status": status});
    json!({"kind": "List", "apiVersion": "v1", "metadata": {"resourceVersion": "1"}, "items": [pod]})
}

#[test]
fn the_service_account_of_a_pod_says_which_server_who_asks_and_in_which_namespace() {
    let authority = Authority::new();
    let cluster = Cluster::new(|method, path| (method == "GET" && path == "/api/v1/namespaces/of-the-pod/pods").then(|| ok(client("of-the-pod"))));
    let server = Tls::before(&cluster, &authority);
    let pod = Pod::new(&authority);

    let ran = pod.run(server.address, &["verify", "--client", "web", "-o", "json"]);
    ran.exits(1).says(&[&format!("target: cluster https://{}, ", server.address), "(there is no kubeconfig: the pod's service account)"]);
    let document = ran.json();
    assert_eq!(document["target"]["server"], format!("https://{}", server.address), "{document}");
    assert!(document["findings"].as_array().is_some_and(|findings| findings.iter().any(|finding| finding["check"] == "pods-ready")), "{document}");
    assert!(cluster.seen().contains(&"GET /api/v1/namespaces/of-the-pod/pods".to_owned()), "{:?}", cluster.seen());

    // What is in no namespace of its own goes into that of the pod.
    let manifest = pod.place.write("own.yaml", "{apiVersion: v1, kind: Pod, metadata: {name: own}, spec: {containers: [{name: c, image: i}]}}\n");
    let run = ["deploy", "-f", manifest.to_str().unwrap(), "--dry-run", "--skip-preflight"];
    let ran = pod.run(server.address, &run);
    assert!(cluster.seen().contains(&"PATCH /api/v1/namespaces/of-the-pod/pods/own".to_owned()), "{ran:?}: {:?}", cluster.seen());

    let credentials: BTreeSet<String> = cluster.credentials().into_iter().collect();
    assert_eq!(credentials, BTreeSet::from([format!("Bearer {TOKEN}")]), "every request says who asks");
}

#[test]
fn a_server_that_another_authority_vouches_for_is_not_told_the_token() {
    let cluster = Cluster::new(|_, _| None);
    let server = Tls::before(&cluster, &Authority::new());
    let ran = Pod::new(&Authority::new()).run(server.address, &["verify"]);
    ran.exits(3).prints_nothing().says(&[&format!("cannot reach the cluster at https://{}: invalid peer certificate", server.address)]);
    assert_eq!(cluster.seen(), Vec::<String>::new());
}

#[test]
fn a_token_that_is_missing_is_named() {
    let authority = Authority::new();
    let cluster = Cluster::new(|_, _| None);
    let server = Tls::before(&cluster, &authority);
    let pod = Pod::new(&authority);
    fs::remove_file(pod.file("token")).unwrap();
    let ran = pod.run(server.address, &["verify"]);
    let path = "/var/run/secrets/kubernetes.io/serviceaccount/token";
    ran.exits(3).prints_nothing().says(&["its credentials cannot be used: ", path, "No such file or directory", "next: "]);
    assert!(!ran.stderr.contains("is the server up"), "nobody was asked: {ran:?}");
    assert_eq!(cluster.seen(), Vec::<String>::new());
}

#[test]
fn a_service_account_of_which_a_part_is_missing_is_no_reason_to_take_this_machine() {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 1));
    let pod = Pod::new(&Authority::new());
    fs::remove_file(pod.file("namespace")).unwrap();
    let reason = "cannot use the pod's service account in /var/run/secrets/kubernetes.io/serviceaccount: failed to read the default namespace";
    pod.run(address, &["deploy"]).exits(3).prints_nothing().says(&[reason, "next: "]);
    pod.place.is_clean();
    // A pod to which Kubernetes has mounted none at all.
    fs::remove_dir_all(&pod.account).unwrap();
    let ran = pod.run(address, &["deploy", "--target", "cluster"]);
    ran.exits(3).prints_nothing().says(&["there is no kubeconfig, and the pod has no service account"]);
}

#[test]
fn a_pods_server_that_does_not_answer_is_named() {
    // A port that was free a moment ago.
    let address = Listener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap();
    let ran = Pod::new(&Authority::new()).run(address, &["verify"]);
    ran.exits(3).prints_nothing().says(&[
        &format!("cannot reach the cluster at https://{address}: "),
        "Connection refused",
        "next: is the server up",
    ]);
}
