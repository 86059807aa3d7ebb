use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
};

use crate::model::{
    Expectation, Expectations, Labels, Match, Namespaced, NetworkServiceSpec, NsUrl, Workload,
    selection::{is_told_by_manifests, select},
};

/// A service as a client with some labels asks for it: of all that ask so, the same may be at the other end.
type Asked<'a> = (&'a str, &'a Labels);

/// Who may serve those that ask alike.
struct Group<'a> {
    candidates: Vec<&'a Workload>,
    names: Arc<[Namespaced]>,
    /// How many connections they ask for; `None` where nobody can tell, as with one a node.
    demand: Option<u32>,
}

/// What workloads and network services promise together: a connection for every request.
pub(super) fn promises(workloads: Vec<Workload>, services: Vec<NetworkServiceSpec>) -> Expectations {
    let known: HashMap<&str, &NetworkServiceSpec> = services.iter().rev().map(|service| (service.id.name.as_str(), service)).collect();
    let groups = groups(&workloads, &known);
    let demand = demand(&groups);
    let mut connections = Vec::new();
    for (client, url) in requests(&workloads) {
        let group = groups.get(&asked(url));
        let endpoint = group.and_then(|group| if let [only] = group.candidates[..] { Some(only) } else { None });
        let prefixes = endpoint.and_then(|e| e.endpoint.as_ref()).map(|e| e.prefixes.clone()).unwrap_or_default();
        // One endpoint pod that serves one connection gives the first pair; with a second connection it is a race.
        let certain = endpoint.is_some_and(|e| e.replicas == Some(1) && demand.get(&e.id) == Some(&Some(1)));
        connections.push(Expectation {
            client: client.id.clone(),
            url: url.clone(),
            payload: known.get(url.service.as_str()).map(|service| service.payload),
            endpoint: endpoint.map(|e| e.id.clone()),
            candidates: group.map(|group| Arc::clone(&group.names)).unwrap_or_default(),
            addresses: if certain { prefixes.first_pairs().filter(|pairs| !pairs.is_empty()) } else { None },
            prefixes,
        });
    }
    Expectations { workloads, services, connections, unreadable: Vec::new() }
}

fn requests(workloads: &[Workload]) -> impl Iterator<Item = (&Workload, &NsUrl)> {
    workloads.iter().flat_map(|client| client.requests.iter().map(move |url| (client, url)))
}

fn asked(url: &NsUrl) -> Asked<'_> {
    (&url.service, &url.labels)
}

/// Who may serve whom, by what is asked for.
fn groups<'a>(workloads: &'a [Workload], services: &HashMap<&str, &NetworkServiceSpec>) -> HashMap<Asked<'a>, Group<'a>> {
    let mut offering: HashMap<&str, Vec<&Workload>> = HashMap::new();
    for workload in workloads {
        let offered: BTreeSet<&String> = workload.endpoint.iter().flat_map(|endpoint| &endpoint.services).collect();
        for service in offered {
            offering.entry(service).or_default().push(workload);
        }
    }
    let group = |(service, labels): Asked<'a>| {
        let offering = offering.get(service).map_or(&[][..], Vec::as_slice);
        let matches = services.get(service).map_or(&[][..], |service| &service.matches);
        let candidates = selected(matches, labels, offering);
        let names = candidates.iter().map(|workload| workload.id.clone()).collect();
        Group { candidates, names, demand: Some(0) }
    };
    let mut groups = HashMap::new();
    for (client, url) in requests(workloads) {
        let group = groups.entry(asked(url)).or_insert_with_key(|asked| group(*asked));
        group.demand = group.demand.and_then(|sum| sum.checked_add(client.replicas?));
    }
    groups
}

/// The workloads that may serve a client: where the manifests do not tell whom the matches select, all of them.
fn selected<'a>(matches: &[Match], client: &Labels, offering: &[&'a Workload]) -> Vec<&'a Workload> {
    static NONE: Labels = Labels::new();
    let labels = |workload: &'a Workload| workload.endpoint.as_ref().and_then(|endpoint| endpoint.labels.as_ref());
    match is_told_by_manifests(matches) && offering.iter().all(|workload| labels(workload).is_some()) {
        true => select(matches, client, offering, |workload| labels(workload).unwrap_or(&NONE)),
        false => offering.to_vec(),
    }
}

/// How many connections each endpoint may be asked for; `None` where nobody can tell.
fn demand<'a>(groups: &HashMap<Asked<'a>, Group<'a>>) -> HashMap<&'a Namespaced, Option<u32>> {
    let mut demand = HashMap::new();
    for group in groups.values() {
        for workload in &group.candidates {
            let sum = demand.entry(&workload.id).or_insert(Some(0_u32));
            *sum = sum.and_then(|sum| sum.checked_add(group.demand?));
        }
    }
    demand
}

#[cfg(test)]
mod tests {
    use crate::check::fixture::expectations_of;

    fn client(name: &str, query: &str) -> String {
        format!(
            "---\napiVersion: v1\nkind: Pod\nmetadata: {{name: {name}, annotations: {{networkservicemesh.io: \"kernel://s/nsm-1{query}\"}}}}\nspec: {{containers: [{{name: c, image: x}}]}}\n"
        )
    }

    fn endpoint(name: &str, prefix: &str, labels: &str) -> String {
        let env = format!("[{{name: NSM_SERVICE_NAMES, value: s}}, {{name: NSM_CIDR_PREFIX, value: {prefix}}}, {{name: NSM_LABELS, {labels}}}]");
        format!("---\napiVersion: v1\nkind: Pod\nmetadata: {{name: {name}}}\nspec: {{containers: [{{name: c, image: x, env: {env}}}]}}\n")
    }

    fn service(matches: &str) -> String {
        format!("apiVersion: networkservicemesh.io/v1\nkind: NetworkService\nmetadata: {{name: s}}\nspec: {{payload: IP, matches: {matches}}}\n")
    }

    /// For each connection its client, who may serve it, and the address that it has for certain.
    fn promised(parts: &[String]) -> Vec<String> {
        let all = expectations_of(&parts.concat());
        let ends = |names: &[crate::model::Namespaced]| names.iter().map(|id| id.name.as_str()).collect::<Vec<_>>().join(" ");
        let address = |c: &crate::model::Expectation| c.addresses.as_ref().map_or("-".to_owned(), |pairs| pairs[0].client.to_string());
        all.connections.iter().map(|c| format!("{}: {} {}", c.client.name, ends(&c.candidates), address(c))).collect()
    }

    const BY_APP: &str = "[{source_selector: {app: a}, routes: [{destination_selector: {app: web}}]}, {routes: [{destination_selector: {app: db}}]}]";

    #[test]
    fn matches_tell_who_serves_whom() {
        let endpoints = [endpoint("web", "10.0.0.0/31", "value: \"app:web\""), endpoint("db", "10.0.1.0/31", "value: \"app:db\"")];
        let clients = [client("a", "?app=a"), client("b", "")];
        let with = |matches: &str| promised(&[&[service(matches)], &endpoints[..], &clients[..]].concat());
        assert_eq!(with(BY_APP), ["a: web 10.0.0.1", "b: db 10.0.1.1"], "one serves one, so that the addresses are certain");
        assert_eq!(with("[]"), ["a: web db -", "b: web db -"]);
        assert_eq!(with("[{routes: [{destination_selector: {app: none}}]}]"), ["a:  -", "b:  -"], "nobody does");
        let by_node = BY_APP.replace("app: web", "nodeName: \"{{ .nodeName }}\"");
        assert_eq!(with(&by_node), ["a: web db -", "b: web db -"], "no manifest tells the node");
    }

    #[test]
    fn an_endpoint_whose_labels_are_not_known_may_serve() {
        let from = "valueFrom: {configMapKeyRef: {name: a, key: b}}";
        let parts =
            [service(BY_APP), endpoint("web", "10.0.0.0/31", "value: \"app:web\""), endpoint("db", "10.0.1.0/31", from), client("a", "?app=a")];
        assert_eq!(promised(&parts), ["a: web db -"]);
    }

    #[test]
    fn what_is_wrong_with_matches_is_an_error_of_the_manifest() {
        use crate::manifest::{Customisation, Source, plan, read};
        let text = service("[{routes: [{destination_selector: {version: 1}}]}]");
        let documents = read(&[Source { name: "a.yaml".into(), text }]).unwrap();
        let error = plan(&documents, &Customisation::default(), "ns").unwrap_err().to_string();
        let reason = "spec.matches[0].routes[0].destination_selector.version is 1, and must be text: write it in quotes, \"1\"";
        assert_eq!(error, format!("a.yaml:1: NetworkService s: {reason}"));
    }
}
