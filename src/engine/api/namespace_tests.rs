//! A client, the manager and an endpoint on network namespaces of their own, judged by `ip`.

use std::{collections::HashMap, env, process::Command, sync::Arc, time::Duration};

use tokio::{
    net::UnixListener,
    task::JoinSet,
    time::{Instant, sleep},
};
use tonic::{Code, Request, Status};

use super::{
    line::Line,
    mechanism::{INODE_URL, NAME, kernel},
    token::RegistryPath,
    wire::{
        Connection, ConnectionContext, Destination, Empty, IpContext, Labels, Match, NetworkService, NetworkServiceEndpoint,
        NetworkServiceEndpointQuery, NetworkServiceEndpointResponse, NetworkServiceQuery, NetworkServiceRequest, NetworkServiceResponse, Path,
        PathSegment, Route,
    },
    *,
};
use crate::{
    engine::{
        identity::{Identity, Member, Source},
        registry::REGISTRATION_SECONDS,
    },
    model::{EndpointSpec, Namespaced, NetworkServiceSpec, Payload},
    net::Namespace,
};

const REGISTER: &str = "/registry.NetworkServiceRegistry/Register";
const FIND: &str = "/registry.NetworkServiceRegistry/Find";
const FIND_ENDPOINTS: &str = "/registry.NetworkServiceEndpointRegistry/Find";

/// Runs a test where namespaces may be made: an ordinary user runs it once more, as the root of a user namespace.
fn with_privilege(name: &str, test: impl Future<Output = ()>) {
    if nix::unistd::geteuid().is_root() {
        return tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(test);
    }
    let name = format!("engine::api::namespace_tests::{name}");
    let mut unshare = Command::new("unshare");
    unshare.args(["--user", "--map-root-user", "--net"]).arg(env::current_exe().unwrap()).args(["--exact", &name, "--nocapture"]);
    let output = unshare.output().expect("unshare of util-linux");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && said.contains("1 passed"), "{said}{}", String::from_utf8_lossy(&output.stderr));
}

/// A manager with the service `s` and an endpoint of it.
struct World {
    control: Arc<Control>,
    endpoint: Member,
    _own: Endpoint,
    _tasks: JoinSet<()>,
    _dir: tempfile::TempDir,
}

impl World {
    async fn new(prefixes: &str, ttl: Duration) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let control = Control::new(Arc::new(Identity::new(ttl).unwrap()), [dir.path(); 2], "nsm.io.sock").unwrap();
        let mut tasks = JoinSet::new();
        tasks.spawn(Arc::clone(&control).serve(UnixListener::bind(control.socket()).unwrap()));
        tasks.spawn(Arc::clone(&control).sweep());
        let spec = NetworkServiceSpec { id: Namespaced::new("ns", "s"), payload: Payload::Ethernet, matches: Vec::new() };
        control.registry().put_service("i", &spec);
        let endpoint = member(&control, "nse").await;
        let spec = EndpointSpec { services: vec!["s".into()], labels: None, prefixes: prefixes.parse().unwrap() };
        let own = Endpoint::start(&control, &endpoint, &spec, HashMap::new()).await.unwrap();
        Self { control, endpoint, _own: own, _tasks: tasks, _dir: dir }
    }

    /// With a client that has a connection.
    async fn connected() -> (Self, Asking) {
        let world = Self::new("10.0.0.0/31", Duration::from_secs(600)).await;
        let client = world.client("alpine").await;
        assert_eq!(client.address(IpContext::default()).await, Ok("10.0.0.1/32".into()));
        (world, client)
    }

    async fn client(&self, name: &'static str) -> Asking {
        let member = member(&self.control, name).await;
        let source = self.control.identity.source_of(&member.pod).unwrap();
        let line = self.control.line_for(&member, &source).await.unwrap();
        Asking { name, member, source, line }
    }
}

async fn member(control: &Control, name: &str) -> Member {
    let member = Member { pod: Namespaced::new("ns", name), instance: "i".into(), namespace: Namespace::create().await.unwrap() };
    control.sandboxes.insert(member.clone()).unwrap();
    member
}

/// A client that asks once, and refreshes nothing by itself.
struct Asking {
    name: &'static str,
    member: Member,
    source: Arc<Source>,
    line: Line,
}

impl Asking {
    /// A connection with the endpoint, which is named so that what stands in the context is not taken for another's.
    fn wanted(&self, context: IpContext) -> Connection {
        let segment = PathSegment { name: self.name.into(), id: format!("{}-0", self.name), ..PathSegment::default() };
        Connection {
            id: segment.id.clone(),
            network_service: "s".into(),
            network_service_endpoint_name: "nse".into(),
            context: Some(ConnectionContext { ip_context: Some(context), ..ConnectionContext::default() }),
            path: Some(Path { index: 0, path_segments: vec![segment] }),
            ..Connection::default()
        }
    }

    async fn ask(&self, connection: Connection) -> Result<Connection, Status> {
        let namespace = self.member.namespace.duplicate().unwrap();
        let url = Inode::of(&namespace).unwrap().to_string();
        self.line.outgoing.send(namespace);
        let mechanism_preferences = vec![kernel([(INODE_URL, url), (NAME, "nsm-1".to_owned())])];
        let request = NetworkServiceRequest { connection: Some(connection), mechanism_preferences };
        Ok(self.line.call(&self.source, REQUEST, Request::new(request)).await?.into_inner())
    }

    /// Its address, or why it has none.
    async fn address(&self, context: IpContext) -> Result<String, String> {
        let answer = self.ask(self.wanted(context)).await.map_err(|status| status.message().to_owned())?;
        Ok(answer.context.unwrap().ip_context.unwrap().src_ip_addrs.join(" "))
    }
}

/// What `ip route` tells of a member's routes, but those that the kernel has made.
fn routes(member: &Member, family: &str) -> Vec<String> {
    let net = format!("--net=/proc/{}/fd/{}", std::process::id(), member.namespace.descriptor());
    let output = Command::new("nsenter").args([&net, "ip", family, "-o", "route", "show"]).output().expect("nsenter, this test's oracle");
    assert!(output.status.success(), "{output:?}");
    let lines = String::from_utf8(output.stdout).unwrap();
    lines.lines().filter(|line| !line.starts_with("fe80")).map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect()
}

fn route(prefix: &str, next_hop: &str) -> Route {
    Route { prefix: prefix.into(), next_hop: next_hop.into() }
}

#[test]
fn routes_of_an_answer_are_on_both_interfaces() {
    with_privilege("routes_of_an_answer_are_on_both_interfaces", async {
        let world = World::new("10.0.0.0/30,2001:db8::/126", Duration::from_secs(600)).await;
        let client = world.client("alpine").await;
        let src_routes = vec![route("192.0.2.0/24", ""), route("0.0.0.0/0", "10.0.0.0"), route("2001:db8:1::/64", "")];
        let dst_routes = vec![route("198.51.100.7/24", "")];
        let answer = client.ask(client.wanted(IpContext { src_routes, dst_routes, ..IpContext::default() })).await.unwrap();
        let near = [
            "default via 10.0.0.0 dev nsm-1 src 10.0.0.1 onlink",
            "10.0.0.0 dev nsm-1 scope link src 10.0.0.1",
            "192.0.2.0/24 via 10.0.0.0 dev nsm-1 src 10.0.0.1 onlink",
        ];
        let told = |line: &String| line.replace("proto static ", "").replace("proto kernel ", "");
        assert_eq!(routes(&client.member, "-4").iter().map(told).collect::<Vec<_>>(), near);
        let six = routes(&client.member, "-6");
        assert!(six.iter().any(|line| line.starts_with("2001:db8:1::/64 via 2001:db8:: dev nsm-1")), "{six:?}");
        let far = routes(&world.endpoint, "-4");
        assert!(far.iter().any(|line| line.starts_with("198.51.100.0/24 via 10.0.0.1 dev s-")), "{far:?}");

        // What a refresh no longer has goes.
        let mut fewer = answer.clone();
        let context = fewer.context.as_mut().unwrap().ip_context.as_mut().unwrap();
        context.src_routes.retain(|route| route.prefix == "192.0.2.0/24");
        client.ask(fewer).await.unwrap();
        assert_eq!(routes(&client.member, "-4").iter().map(told).collect::<Vec<_>>(), near[1..]);
        let mut bad = answer;
        bad.context.as_mut().unwrap().ip_context.as_mut().unwrap().src_routes = vec![route("192.0.2.0/24", "2001:db8::")];
        let status = client.ask(bad).await.unwrap_err();
        assert!(status.message().contains("which is no address of its family"), "{status:?}");
    });
}

#[test]
fn excluded_prefixes_are_passed_over_until_none_is_left() {
    with_privilege("excluded_prefixes_are_passed_over_until_none_is_left", async {
        let world = World::new("10.0.0.0/30", Duration::from_secs(600)).await;
        let (one, two) = (world.client("one").await, world.client("two").await);
        let without = |prefix: &str| IpContext { excluded_prefixes: vec![prefix.into()], ..IpContext::default() };
        assert_eq!(one.address(without("10.0.0.0/24")).await, Err("IPPool is empty".into()));
        assert_eq!(one.address(without("10.0.0.1")).await, Ok("10.0.0.2/32".into()));
        assert_eq!(one.address(without("192.0.2.0/24")).await, Ok("10.0.0.2/32".into()), "it keeps what it has");
        assert_eq!(one.address(without("10.0.0.2/32")).await, Ok("10.0.0.1/32".into()), "unless that is excluded since");
        assert_eq!(two.address(without("10.0.0.3/32")).await, Err("IPPool is empty".into()));
        assert_eq!(two.address(IpContext::default()).await, Ok("10.0.0.3/32".into()));
        let three = world.client("three").await;
        assert_eq!(three.address(IpContext::default()).await, Err("IPPool is empty".into()));
        let closed = two.line.call::<_, Empty>(&two.source, CLOSE, Request::new(two.wanted(IpContext::default()))).await;
        assert!(closed.is_ok(), "{closed:?}");
        assert_eq!(three.address(IpContext::default()).await, Ok("10.0.0.3/32".into()), "what is closed gives its addresses back");
        assert!(three.address(without("nonsense")).await.unwrap_err().contains("an excluded prefix is none"));
    });
}

/// A client that is killed, or gives up, is gone in the midst of a request.
#[test]
fn a_caller_that_goes_leaves_nothing_half() {
    with_privilege("a_caller_that_goes_leaves_nothing_half", async {
        let world = World::new("10.0.0.0/31", Duration::from_secs(600)).await;
        let client = world.client("alpine").await;
        let mut gone = 0;
        for moment in 0..40 {
            let waits = Duration::from_micros(250 * moment);
            gone += u32::from(tokio::time::timeout(waits, client.address(IpContext::default())).await.is_err());
            // Whatever has become of it, there is one pair of addresses and one name for an interface.
            assert_eq!(client.address(IpContext::default()).await, Ok("10.0.0.1/32".into()), "after {waits:?}");
            client.line.call::<_, Empty>(&client.source, CLOSE, Request::new(client.wanted(IpContext::default()))).await.unwrap();
            assert!(routes(&client.member, "-4").is_empty());
        }
        assert!(gone > 5, "only {gone} were gone in time");
    });
}

/// Who takes an endpoint's links away is about to start it again, so that it may not wait for a client that waits for that.
#[test]
fn an_endpoint_is_lost_while_its_client_asks_and_what_was_made_since_stays() {
    with_privilege("an_endpoint_is_lost_while_its_client_asks_and_what_was_made_since_stays", async {
        let (world, client) = World::connected().await;
        let key = world.control.list(|_| true).remove(0).0;
        let asking = world.control.turn(&key).await;
        let lost = tokio::time::timeout(Duration::from_secs(10), world.control.lose(&world.endpoint.pod));
        assert_eq!(lost.await.expect("nobody is waited for"), std::slice::from_ref(&client.member.pod));
        assert!(!routes(&client.member, "-4").is_empty(), "the one who asks works on it");
        drop(asking);
        let begun = Instant::now();
        while !routes(&client.member, "-4").is_empty() {
            assert!(begun.elapsed() < Duration::from_secs(20), "the kernel goes on answering");
            sleep(Duration::from_millis(5)).await;
        }
    });
}

/// What was found broken may have been made anew by the time that it is its turn.
#[test]
fn what_is_whole_by_then_is_not_repaired() {
    with_privilege("what_is_whole_by_then_is_not_repaired", async {
        let (world, client) = World::connected().await;
        let (key, established) = world.control.list(|_| true).remove(0);
        let asking = world.control.turn(&key).await;
        let (control, broken) = (Arc::clone(&world.control), established.link.clone());
        let repairing = tokio::spawn(async move { control.repair(&broken).await });
        tokio::task::yield_now().await;
        let heals = |control: &Control| control.list(|_| true)[0].1.link.heals;
        let before = heals(&world.control);
        drop(asking);
        repairing.await.unwrap().unwrap();
        assert_eq!(heals(&world.control), before, "nothing was wrong with it");
        established.link.close().await.unwrap();
        world.control.repair(&established.link).await.unwrap();
        assert_eq!(heals(&world.control), before + 1);
        assert!(!routes(&client.member, "-4").is_empty());
    });
}

/// What leads to an endpoint that has ended is left to its client: the kernel would answer pings, and nobody would be there.
#[test]
fn what_leads_to_nobody_is_not_repaired() {
    with_privilege("what_leads_to_nobody_is_not_repaired", async {
        let (world, client) = World::connected().await;
        let link = world.control.list(|_| true).remove(0).1.link;
        let kept = || world.control.links_to_keep(|kept| kept.is_same(&link)).len();
        assert_eq!(kept(), 1);
        assert_eq!(world.control.lose(&world.endpoint.pod).await, std::slice::from_ref(&client.member.pod));
        assert_eq!(kept(), 0);
        let is_gone = async {
            while !routes(&client.member, "-4").is_empty() {
                sleep(Duration::from_millis(10)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(5), is_gone).await.expect("the link goes");
        world.control.repair(&link).await.unwrap();
        assert!(routes(&client.member, "-4").is_empty());
    });
}

/// An endpoint that stops refreshing is forgotten, also where nobody looks for it.
#[test]
fn an_endpoint_that_stops_refreshing_is_forgotten() {
    with_privilege("an_endpoint_that_stops_refreshing_is_forgotten", async {
        let world = World::new("10.0.0.0/31", Duration::from_secs(600)).await;
        let key = world.control.registry().endpoints().map(|(key, _)| key.clone()).next().unwrap();
        let mut registration = world.control.registry().endpoint(&key).unwrap().clone();
        registration.expires_at = jiff::Timestamp::now().as_second() + 1;
        world.control.registry().register(registration);
        let begun = Instant::now();
        while world.control.registry().endpoint(&key).is_some() {
            assert!(begun.elapsed() < Duration::from_secs(10), "it stays");
            sleep(Duration::from_millis(20)).await;
        }
    });
}

#[tokio::test]
async fn no_pod_takes_the_place_of_all_others() {
    let dir = tempfile::tempdir().unwrap();
    let control = Control::new(Arc::new(Identity::new(Duration::from_secs(60)).unwrap()), [dir.path(); 2], "nsm.io.sock").unwrap();
    let (one, two) = (Namespaced::new("ns", "one"), Namespaced::new("ns", "two"));
    let mut held = Vec::new();
    let refused = loop {
        match control.permits(Some(&one)) {
            Ok(permits) => held.push(permits),
            Err(status) => break status,
        }
    };
    assert_eq!((refused.code(), refused.message()), (Code::ResourceExhausted, "64 requests of ns/one are under way: ask again later"));
    assert_eq!(held.len(), 64);
    assert!(control.permits(Some(&two)).is_ok());
    held.pop();
    assert!(control.permits(Some(&one)).is_ok());
}

/// Tokens end with the identities that sign them, and a connection with the token that it was asked for with.
#[test]
fn what_is_not_refreshed_gives_its_addresses_back() {
    with_privilege("what_is_not_refreshed_gives_its_addresses_back", async {
        let world = World::new("10.0.0.0/31", Duration::from_secs(4)).await;
        let (one, two) = (world.client("one").await, world.client("two").await);
        assert_eq!(one.address(IpContext::default()).await, Ok("10.0.0.1/32".into()));
        assert_eq!(two.address(IpContext::default()).await, Err("IPPool is empty".into()));
        let begun = Instant::now();
        while let Err(reason) = two.address(IpContext::default()).await {
            assert!(reason == "IPPool is empty" && begun.elapsed() < Duration::from_secs(20), "{reason}");
            sleep(Duration::from_millis(200)).await;
        }
        assert!(routes(&one.member, "-4").is_empty(), "its interface has gone as well");
    });
}

#[test]
fn matches_and_labels_are_registered_and_found() {
    with_privilege("matches_and_labels_are_registered_and_found", async {
        let world = World::new("10.0.0.0/31", Duration::from_secs(REGISTRATION_SECONDS.unsigned_abs())).await;
        let client = world.client("alpine").await;
        let labels = |key: &str, value: &str| [(key.to_owned(), value.to_owned())].into();
        let one = Match {
            source_selector: labels("app", "a"),
            routes: vec![Destination { destination_selector: labels("app", "{{ .app }}"), weight: 2 }],
            fallthrough: true,
            metadata: Some(Labels { labels: labels("x", "y") }),
        };
        let service = NetworkService { name: "t".into(), payload: "IP".into(), matches: vec![one.clone()], ..NetworkService::default() };
        let register = async |service: NetworkService| {
            let mut request = Request::new(service);
            request.metadata_mut().insert(RegistryPath::KEY, RegistryPath::default().to_metadata().unwrap());
            client.line.call::<_, NetworkService>(&client.source, REGISTER, request).await
        };
        assert_eq!(register(service.clone()).await.unwrap().into_inner().matches, std::slice::from_ref(&one));
        let many = NetworkService { matches: vec![one.clone(); 65], ..service.clone() };
        assert_eq!(register(many).await.unwrap_err().code(), Code::InvalidArgument);
        let deployed = NetworkService { name: "s".into(), ..service.clone() };
        assert!(register(deployed).await.unwrap().into_inner().matches.is_empty(), "what is deployed stays as it is");

        let find = async |query: NetworkService| {
            let query = NetworkServiceQuery { network_service: Some(query), watch: false };
            let mut found = client.line.stream::<_, NetworkServiceResponse>(&client.source, FIND, query).await.unwrap();
            let mut all = Vec::new();
            while let Some(answer) = found.message().await.unwrap() {
                all.push(answer.network_service.unwrap());
            }
            all
        };
        let named = find(NetworkService { name: "t".into(), ..NetworkService::default() }).await;
        assert_eq!(named.iter().map(|found| (&*found.payload, &found.matches[..])).collect::<Vec<_>>(), [("IP", &[one][..])]);
        let names = async |query: NetworkService| find(query).await.into_iter().map(|found| found.name).collect::<Vec<_>>();
        assert_eq!(names(NetworkService { matches: service.matches, ..NetworkService::default() }).await, ["t"]);
        assert_eq!(names(NetworkService { payload: "ETHERNET".into(), ..NetworkService::default() }).await, ["s"]);

        let entry: NetworkServiceEndpoint = world.control.registry().endpoints().next().unwrap().1.remote.entry();
        let own = &entry.network_service_labels["s"].labels;
        assert_eq!(own.keys().collect::<Vec<_>>(), ["nodeName", "podName"]);
        assert_eq!(own["podName"], "nse");
    });
}

/// What a watch tells next.
async fn next<T: prost::Message + Default + 'static>(found: &mut tonic::Streaming<T>) -> T {
    tokio::time::timeout(Duration::from_secs(10), found.message()).await.expect("in time").unwrap().expect("a watch that goes on")
}

#[test]
fn a_watch_tells_what_there_is_and_then_what_becomes_of_it() {
    with_privilege("a_watch_tells_what_there_is_and_then_what_becomes_of_it", async {
        let world = World::new("10.0.0.0/31", Duration::from_secs(600)).await;
        let client = world.client("alpine").await;
        let told = |answer: NetworkServiceResponse| (answer.network_service.unwrap().name, answer.deleted);
        let query = NetworkServiceQuery { network_service: None, watch: true };
        let mut services = client.line.stream::<_, NetworkServiceResponse>(&client.source, FIND, query).await.unwrap();
        assert_eq!(told(next(&mut services).await), ("s".into(), false));
        let service = NetworkService { name: "t".into(), ..NetworkService::default() };
        client.line.call::<_, NetworkService>(&client.source, REGISTER, Request::new(service.clone())).await.unwrap();
        assert_eq!(told(next(&mut services).await), ("t".into(), false));
        client.line.call::<_, Empty>(&client.source, "/registry.NetworkServiceRegistry/Unregister", Request::new(service)).await.unwrap();
        assert_eq!(told(next(&mut services).await), ("t".into(), true));

        // Of endpoints only those of the service that is asked for.
        let told = |answer: NetworkServiceEndpointResponse| (answer.network_service_endpoint.unwrap().name, answer.deleted);
        let wanted = NetworkServiceEndpoint { network_service_names: vec!["s".into()], ..NetworkServiceEndpoint::default() };
        let query = NetworkServiceEndpointQuery { network_service_endpoint: Some(wanted), watch: true };
        let mut endpoints = client.line.stream::<_, NetworkServiceEndpointResponse>(&client.source, FIND_ENDPOINTS, query).await.unwrap();
        assert_eq!(told(next(&mut endpoints).await), ("nse".into(), false));
        let socket = std::os::unix::net::UnixListener::bind(world._dir.path().join("socket")).unwrap();
        for (name, service) in [("other", "t"), ("second", "s")] {
            let socket = std::os::fd::OwnedFd::from(socket.try_clone().unwrap());
            let url = Inode::of(&socket).unwrap().to_string();
            client.line.outgoing.send(socket);
            let entry = NetworkServiceEndpoint { name: name.into(), url, network_service_names: vec![service.into()], ..Default::default() };
            client.line.call::<_, NetworkServiceEndpoint>(&client.source, REGISTER_ENDPOINT, Request::new(entry)).await.unwrap();
        }
        assert_eq!(told(next(&mut endpoints).await), ("second".into(), false));
        let entry = NetworkServiceEndpoint { name: "second".into(), ..NetworkServiceEndpoint::default() };
        let unregister = "/registry.NetworkServiceEndpointRegistry/Unregister";
        client.line.call::<_, Empty>(&client.source, unregister, Request::new(entry)).await.unwrap();
        assert_eq!(told(next(&mut endpoints).await), ("second".into(), true));
    });
}

#[test]
fn a_connection_that_was_down_is_told_to_be_up_again_though_its_links_have_stayed() {
    with_privilege("a_connection_that_was_down_is_told_to_be_up_again_though_its_links_have_stayed", async {
        let (world, client) = World::connected().await;
        let pod = client.member.pod.clone();
        let restored = || world.control.journal.take().iter().filter(|happening| matches!(happening, Happening::Restored { .. })).count();
        let is_up = || world.control.list(|established| established.link.is_of(&pod, 0) && established.is_up()).len() == 1;
        client.ask(client.wanted(IpContext::default())).await.unwrap();
        assert!(is_up() && restored() == 0, "a refresh is nothing to be told of");
        let (_, established) = world.control.list(|_| true).remove(0);
        world.control.lost(&established.remote);
        assert!(!is_up());
        client.ask(client.wanted(IpContext::default())).await.unwrap();
        assert!(is_up());
        assert_eq!(restored(), 1);
    });
}
