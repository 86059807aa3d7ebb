use std::{
    env,
    path::{Path, PathBuf},
    time::Duration,
};

use kube::{
    Client, Config,
    config::{KubeConfigOptions, Kubeconfig},
};

use super::{Cluster, error, kubeconfig};
use crate::{
    model::{Failure, IntoFailure, Outcome, Result, did_you_mean},
    target::Ctx,
};

/// How long a server may take to say its version. A TLS handshake over a bad line is done in a second or two; whoever waits
/// longer wants to know.
const ANSWER: Duration = Duration::from_secs(10);

/// Where Kubernetes mounts a pod's service account.
const ACCOUNT: &str = "/var/run/secrets/kubernetes.io/serviceaccount";

/// How to find a cluster: what the person said.
#[derive(Debug, Clone, Default)]
pub struct Access {
    /// `--kubeconfig`.
    pub kubeconfig: Option<PathBuf>,
    /// `--context`.
    pub context: Option<String>,
}

/// Whether there is a cluster to talk to.
#[derive(Debug)]
pub enum Lookup {
    /// There is a configuration, from where it is said.
    Found(Box<Found>),
    /// There is none, for this reason.
    Absent(String),
}

/// A configuration that names a cluster; nothing was sent to it yet.
#[derive(Debug)]
pub struct Found {
    config: Config,
    context: Option<String>,
    /// Where the configuration was found, for people.
    pub origin: String,
}

/// Looks for a configuration as kubectl does: the flag, $KUBECONFIG, ~/.kube/config; last, that of the pod we are in.
///
/// # Errors
/// A configuration that somebody named does not exist, or one that exists cannot be read or contradicts itself. That there
/// is none at all is no error.
pub async fn lookup(access: &Access) -> Result<Lookup> {
    let Some((kubeconfig, origin)) = read(access)? else { return in_cluster(access) };
    let context = access.context.clone().or_else(|| kubeconfig.current_context.clone()).filter(|context| !context.is_empty());
    let Some(context) = context else { return Ok(Lookup::Absent(format!("{origin} names no current context"))) };
    if !kubeconfig.contexts.iter().any(|known| known.name == context) {
        let known: Vec<&str> = kubeconfig.contexts.iter().map(|context| context.name.as_str()).collect();
        let meant = did_you_mean(&context, known.iter().copied());
        let known = if known.is_empty() { "it has none".to_owned() } else { format!("it has {}", known.join(", ")) };
        return Err(Failure::usage(format!("{origin} has no context {context}")).hint(format!("{meant}choose another with --context; {known}")));
    }
    let options = KubeConfigOptions { context: Some(context.clone()), ..KubeConfigOptions::default() };
    let config = Config::from_custom_kubeconfig(kubeconfig, &options).await;
    let config = config.or_fail(Outcome::CannotTell, format!("cannot use the context {context} of {origin}"))?;
    Ok(Lookup::Found(Box::new(Found { config, origin, context: Some(context) })))
}

/// The contexts of the kubeconfig; none where it cannot be read.
#[must_use]
pub fn contexts(access: &Access) -> Vec<String> {
    let read = read(access).ok().flatten();
    read.map(|(kubeconfig, _)| kubeconfig.contexts.into_iter().map(|context| context.name).collect()).unwrap_or_default()
}

fn read(access: &Access) -> Result<Option<(Kubeconfig, String)>> {
    let from = |path: &Path, said: &str| {
        if !path.exists() {
            return Err(Failure::usage(format!("{said} names {}, which does not exist", path.display()))
                .hint("correct it, or use this machine with --target local"));
        }
        let origin = path.display().to_string();
        let kubeconfig = kubeconfig::read(path).map_err(|reason| {
            Failure::cannot_tell(format!("cannot read {origin}: {reason}"))
                .hint("correct that file, name another with --kubeconfig or KUBECONFIG, or use this machine with --target local")
        })?;
        Ok((kubeconfig, origin))
    };
    if let Some(path) = &access.kubeconfig {
        return from(path, "--kubeconfig").map(Some);
    }
    let listed: Vec<PathBuf> =
        env::var_os("KUBECONFIG").map(|list| env::split_paths(&list).filter(|p| !p.as_os_str().is_empty()).collect()).unwrap_or_default();
    let mut merged: Option<(Kubeconfig, String)> = None;
    for path in &listed {
        let (next, origin) = from(path, "KUBECONFIG")?;
        merged = Some(match merged {
            None => (next, origin),
            Some((first, before)) => {
                (first.merge(next).or_fail(Outcome::CannotTell, "cannot merge what KUBECONFIG names")?, format!("{before}, {origin}"))
            }
        });
    }
    if merged.is_some() {
        return Ok(merged);
    }
    match env::home_dir().map(|home| home.join(".kube/config")).filter(|path| path.exists()) {
        Some(path) => from(&path, "the home directory").map(Some),
        None => Ok(None),
    }
}

fn in_cluster(access: &Access) -> Result<Lookup> {
    if let Some(context) = &access.context {
        return Err(Failure::usage(format!("--context {context}: there is no kubeconfig")).hint("name one with --kubeconfig or KUBECONFIG"));
    }
    if env::var_os("KUBERNETES_SERVICE_HOST").is_none() {
        return Ok(Lookup::Absent("there is no kubeconfig".to_owned()));
    }
    // A pod may do without a service account; one that has a part of it was not meant to.
    if !Path::new(ACCOUNT).exists() {
        return Ok(Lookup::Absent("there is no kubeconfig, and the pod has no service account".to_owned()));
    }
    match Config::incluster() {
        Ok(config) => Ok(Lookup::Found(Box::new(Found { config, origin: "the pod's service account".to_owned(), context: None }))),
        Err(error) => Err(Failure::cannot_tell(format!("cannot use the pod's service account in {ACCOUNT}: {}", flat(&error)))
            .hint("name a kubeconfig with --kubeconfig or KUBECONFIG, or use this machine with --target local")),
    }
}

/// An error with its causes in one line, none said twice.
fn flat(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(source) = cause {
        let next = source.to_string();
        if !text.contains(&next) {
            text = format!("{text}: {next}");
        }
        cause = source.source();
    }
    text.lines().map(str::trim).collect::<Vec<_>>().join(" ")
}

impl Found {
    /// The API server's URL.
    #[must_use]
    pub fn server(&self) -> String {
        self.config.cluster_url.to_string().trim_end_matches('/').to_owned()
    }

    /// The context, where there is one.
    #[must_use]
    pub fn context(&self) -> Option<&str> {
        self.context.as_deref()
    }
}

/// How long the server may take to tell the time; it has just answered the same question.
const CLOCK: Duration = Duration::from_secs(1);
/// What is within it may be the way and the second that the header is cut to.
const CLOCKS_AGREE: i64 = 2;

/// How far the server's clock is ahead of this machine's, in seconds, by the `Date` of an answer (RFC 9110, 6.6.1).
///
/// Registrations run out by the clocks of the cluster, and a laptop's may be wrong by minutes.
async fn clock_offset(client: &Client) -> i64 {
    let Ok(request) = http::Request::get("/version").body(kube::client::Body::empty()) else { return 0 };
    let Ok(response) = client.send(request).await else { return 0 };
    let date = response.headers().get(http::header::DATE).and_then(|date| date.to_str().ok());
    let there = date.and_then(|date| jiff::fmt::rfc2822::parse(date).ok()).map(|date| date.timestamp().as_second());
    let offset = there.map_or(0, |there| there - jiff::Timestamp::now().as_second());
    if offset.abs() > CLOCKS_AGREE { offset } else { 0 }
}

/// The next step where a proxy stands between and nobody answers.
const WRONG_PROXY: &str = "is it the right proxy, and is it up? HTTPS_PROXY, or proxy-url in the kubeconfig, names it; NO_PROXY leaves it out";

/// A proxy's address, without the password that may be in it.
fn without_credentials(proxy: &http::Uri) -> String {
    let scheme = proxy.scheme_str().map(|scheme| format!("{scheme}://")).unwrap_or_default();
    let port = proxy.port().map(|port| format!(":{port}")).unwrap_or_default();
    format!("{scheme}{}{port}", proxy.host().unwrap_or_default())
}

impl Cluster {
    /// Connects, and asks for the version to see that somebody answers who takes us for who we say we are.
    ///
    /// # Errors
    /// The server cannot be reached, does not answer in time, or refuses the credentials.
    pub async fn connect(ctx: &Ctx, found: Found) -> Result<Self> {
        let server = found.server();
        let Found { mut config, context, .. } = found;
        config.connect_timeout = Some(ANSWER);
        // What is worth another try is tried again where it is known for how long.
        config.default_retry = false;
        let namespace = config.default_namespace.clone();
        let proxy = config.proxy_url.as_ref().map(|proxy| format!(" through the proxy {}", without_credentials(proxy))).unwrap_or_default();
        let what = format!("reach the cluster at {server}{proxy}");
        let plugin = config.auth_info.exec.as_ref().and_then(|exec| exec.command.clone());
        let refused = |error: kube::Error| match (&error, &plugin) {
            (kube::Error::Auth(cause), Some(plugin)) => {
                Failure::cannot_tell(format!("cannot {what}: the credential plugin {plugin} of the kubeconfig fails: {}", flat(cause)))
                    .hint("run it by hand to see why, install it, or log in again")
            }
            (kube::Error::Auth(cause), None) => Failure::cannot_tell(format!("cannot {what}: its credentials cannot be used: {}", flat(cause)))
                .hint("correct what the kubeconfig says of the user, or log in again; in a pod: is the service account's token mounted?"),
            (kube::Error::Api(_), _) => error::failure(&error, &what),
            _ if !proxy.is_empty() => error::failure(&error, &what).hint(WRONG_PROXY),
            _ => error::failure(&error, &what),
        };
        let step = async {
            // A credential plugin is run here, and waited for.
            let client = tokio::task::spawn_blocking(move || Client::try_from(config)).await.or_fail(Outcome::Defect, "cannot make a client")?;
            let client = client.map_err(&refused)?;
            let asked = tokio::time::timeout(ANSWER, client.apiserver_version()).await;
            let version = asked
                .map_err(|_| Failure::cannot_tell(format!("cannot {what}: no answer within {} s", ANSWER.as_secs())).hint(error::WRONG_SERVER))?;
            let version = version.map_err(&refused)?;
            let offset = tokio::time::timeout(CLOCK, clock_offset(&client)).await.unwrap_or_default();
            Ok((client, version, offset))
        };
        let (client, version, clock_offset) = ctx.run("connecting to the cluster", step).await?;
        Ok(Self { client, server, context, namespace, version: version.git_version, clock_offset })
    }
}
