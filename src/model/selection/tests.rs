use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

fn labels(text: &str) -> Labels {
    let pairs = text.split(',').filter(|pair| !pair.is_empty());
    pairs.map(|pair| pair.split_once('=').unwrap()).map(|(key, value)| (key.to_owned(), value.to_owned())).collect()
}

fn matches(value: &Value) -> Vec<Match> {
    Match::read_list(value.as_array().unwrap()).unwrap()
}

/// Which of the endpoints `web`, `db`, `old` (a `db` with a further label) and `bare` serve a client.
fn serve(written: &Value, client: &str) -> String {
    let endpoints = [("web", labels("app=web")), ("db", labels("app=db")), ("old", labels("app=db,version=1")), ("bare", labels(""))];
    let all: Vec<&(&str, Labels)> = endpoints.iter().collect();
    let selected = select(&matches(written), &labels(client), &all, |(_, labels)| labels);
    selected.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(" ")
}

const ALL: &str = "web db old bare";

#[test]
fn without_matches_all_serve() {
    assert_eq!((serve(&json!([]), ""), serve(&json!([]), "app=x")), (ALL.into(), ALL.into()));
}

#[test]
fn the_first_match_that_the_client_fits_decides() {
    let written = json!([
        {"source_selector": {"app": "a", "zone": "1"}, "routes": [{"destination_selector": {"version": "1"}}]},
        {"source_selector": {"app": "a"}, "routes": [{"destination_selector": {"app": "db"}}]},
        {"routes": [{"destination_selector": {"app": "web"}}]},
    ]);
    for (client, served) in [("app=a,zone=1,more=x", "old"), ("app=a", "db old"), ("app=a,zone=2", "db old"), ("app=b", "web"), ("", "web")] {
        assert_eq!(serve(&written, client), served, "{client}");
    }
}

#[test]
fn a_client_that_fits_no_match_has_no_endpoint() {
    let written = json!([{"source_selector": {"app": "a"}, "routes": [{}]}]);
    assert_eq!((serve(&written, "app=b"), serve(&written, ""), serve(&written, "app=a")), (String::new(), String::new(), ALL.into()));
    assert_eq!(serve(&json!([{"routes": [{"destination_selector": {"app": "none"}}]}]), ""), "");
    assert_eq!(serve(&json!([{}]), ""), "", "a match without routes leads nowhere");
}

#[test]
fn endpoints_come_in_the_order_of_the_routes_and_each_once() {
    let route = |key: &str, value: &str| json!({"destination_selector": {key: value}, "weight": 3});
    assert_eq!(serve(&json!([{"routes": [route("version", "1"), route("app", "db"), route("app", "web")]}]), ""), "old db web");
    assert_eq!(serve(&json!([{"routes": [route("app", "web"), {}]}]), ""), "web db old bare");
}

#[test]
fn what_falls_through_goes_on_to_the_next_match_where_nobody_fits() {
    let written = |fallthrough: bool| {
        json!([
            {"source_selector": {"app": "a"}, "fallthrough": fallthrough, "routes": [{"destination_selector": {"app": "{{ .wants }}"}}]},
            {"routes": [{"destination_selector": {"app": "web"}}]},
        ])
    };
    assert_eq!((serve(&written(false), "app=a,wants=x"), serve(&written(true), "app=a,wants=x")), (String::new(), "web".into()));
    assert_eq!(serve(&written(true), "app=a,wants=db"), "db old", "somebody fits, so that it stays with them");
    assert_eq!(serve(&json!([{"fallthrough": true, "metadata": {"labels": {"a": "b"}}}]), ""), "", "there is no next one");
}

#[test]
fn a_match_with_metadata_alone_is_served_by_all() {
    assert_eq!(serve(&json!([{"metadata": {"labels": {"a": "b"}}}]), ""), ALL);
    assert_eq!(serve(&json!([{"metadata": {}}]), ""), ALL);
    assert_eq!(serve(&json!([{"metadata": {}, "routes": [{"destination_selector": {"app": "web"}}]}]), ""), "web");
}

#[test]
fn a_selector_may_name_labels_of_the_client() {
    let app = |value: &str, client: &str| serve(&json!([{"routes": [{"destination_selector": {"app": value}}]}]), client);
    for value in
        ["{{ .wants }}", "{{.wants}}", "{{index . \"wants\"}}", "{{ index . \"wants\" }}", " {{- .wants -}} ", "{{ .wa }}{{ .nts }}", "w{{.e}}b"]
    {
        assert_eq!(app(value, "wants=web,wa=w,nts=eb,e=e"), "web", "{value}");
    }
    assert_eq!(
        (app("{{ .wants }}", ""), app("x{{ .wants }}", "wants=web"), app("{{ .wants }}b", "wants=we")),
        (String::new(), String::new(), "web".into())
    );
    // Go writes this where a map has no such key.
    let literal = [labels("app=<no value>")];
    assert!(fits(&literal[0], &labels("app={{ .x }}"), &labels("")));
    // What is no template is text, as upstream takes it.
    for odd in ["{{ .wants", "{{ }}", "{{ . }}", "{{ .a.b }}", "{{ .a-b }}", "{{ printf .wants }}", "{{-.wants}}"] {
        assert!(fits(&labels(&format!("app={odd}")), &labels(&format!("app={odd}")), &labels("wants=web")), "{odd}");
        assert_eq!(app(odd, "wants=web,a=web"), "", "{odd}");
    }
    let source = json!([{"source_selector": {"a": "{{ .b }}"}, "routes": [{}]}]);
    assert_eq!((serve(&source, "a=1,b=1"), serve(&source, "a=1,b=2")), (ALL.into(), String::new()));
}

#[test]
fn whether_manifests_are_enough_is_told() {
    let routes = |value: &str| matches(&json!([{"routes": [{"destination_selector": {"app": value}}]}]));
    assert!(is_told_by_manifests(&routes("web")) && is_told_by_manifests(&routes("{{ .app }}")) && is_told_by_manifests(&[]));
    assert!(!is_told_by_manifests(&routes("{{ .nodeName }}")) && !is_told_by_manifests(&routes("{{ index . \"podName\" }}")));
    assert!(!is_told_by_manifests(&matches(&json!([{"source_selector": {"clusterName": "a"}}]))));
    assert!(!is_told_by_manifests(&routes("{{ printf .app }}")));
    assert_eq!((not_understood(&routes("{{ printf .app }}")), not_understood(&routes("{{ .app }}"))), (Some("{{ printf .app }}"), None));
}

#[test]
fn what_is_wrong_is_said_with_its_place() {
    for (written, reason) in [
        (json!([{}, 7]), "spec.matches[1] is 7, and must be an object"),
        (json!([{"sourceSelector": {}}]), "spec.matches[0] has a field \"sourceSelector\", which is called source_selector"),
        (
            json!([{"selector": {}}]),
            "spec.matches[0] has a field \"selector\", which NSM does not know: there are source_selector, routes, fallthrough, metadata",
        ),
        (json!([{"source_selector": ["app"]}]), "spec.matches[0].source_selector is a list, and must be labels, as in {app: web}"),
        (json!([{"source_selector": {"a": 1}}]), "spec.matches[0].source_selector.a is 1, and must be text: write it in quotes, \"1\""),
        (json!([{"source_selector": {"a": null}}]), "spec.matches[0].source_selector.a is empty, and must be text"),
        (json!([{"routes": {}}]), "spec.matches[0].routes is an object, and must be a list"),
        (
            json!([{"routes": [{}, {"destinationSelector": {}}]}]),
            "spec.matches[0].routes[1] has a field \"destinationSelector\", which is called destination_selector",
        ),
        (json!([{"routes": [{"weight": -1}]}]), "spec.matches[0].routes[0].weight is -1, and must be a whole number from 0 to 4294967295"),
        (json!([{"fallthrough": "yes"}]), "spec.matches[0].fallthrough is \"yes\", and must be true or false"),
        (json!([{"metadata": {"name": "x"}}]), "spec.matches[0].metadata has a field \"name\", which NSM does not know: there are labels"),
    ] {
        assert_eq!(Match::read_list(written.as_array().unwrap()).unwrap_err(), reason);
    }
    let whole = json!([{"source_selector": {"a": "b"}, "routes": [{"destination_selector": {"c": "d"}, "weight": 2}], "fallthrough": true, "metadata": {"labels": {"e": "f"}}}]);
    let read = matches(&whole);
    assert_eq!((read[0].routes[0].weight, read[0].metadata.clone(), read[0].fallthrough), (2, Some(labels("e=f")), true));
    assert_eq!(serde_json::from_value::<Vec<Match>>(serde_json::to_value(&read).unwrap()).unwrap(), read);
}

proptest! {
    #[test]
    fn no_template_panics(value in ".{0,40}", wanted in "[{}. \\-\"a-z]{0,40}") {
        let client = labels("a=b");
        let _ = template::fits(&value, &wanted, &client);
        let _ = template::labels(&wanted);
    }

    #[test]
    fn nobody_is_selected_who_was_no_candidate_and_nobody_twice(keys in proptest::collection::vec("[ab]", 0..4), values in proptest::collection::vec("[xy]", 4)) {
        let endpoints: Vec<Labels> = values.iter().map(|value| labels(&format!("a={value},b=x"))).collect();
        let routes = keys.iter().map(|key| Destination { destination_selector: labels(&format!("{key}=x")), weight: 0 }).collect();
        let matches = [Match { routes, ..Match::default() }];
        let all: Vec<usize> = (0..endpoints.len()).collect();
        let mut selected = select(&matches, &Labels::new(), &all, |at| &endpoints[at]);
        let count = selected.len();
        selected.sort_unstable();
        selected.dedup();
        prop_assert_eq!(selected.len(), count);
        prop_assert!(selected.iter().all(|at| *at < endpoints.len()));
    }
}
