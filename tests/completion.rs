//! What shells offer: the program's answers, and the scripts in real shells.

use std::{
    fs,
    path::Path,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use nsmctl::commands::PATIENCE;
use serde_json::{Value, json};

use crate::{
    program::{Place, Ran},
    scripted::{Cluster, ok},
};

/// What a machine that is busy with other tests may take to start a program and to let it end, some hundred times as long as one at rest.
const BUSY: Duration = Duration::from_secs(5);

/// What nsmctl answers to a shell: the words, without what they are.
fn offered(place: &Place, words: &[&str]) -> Vec<String> {
    let ran = place.run(&[&["__complete", "--"], words].concat());
    assert_eq!(ran.exits(0).stderr, "", "{ran:?}");
    ran.stdout.lines().map(|line| line.split('\t').next().unwrap_or_default().to_owned()).collect()
}

/// A cluster with two namespaces and the example's client.
fn cluster() -> Cluster {
    let list = |items: Value| ok(json!({"kind": "List", "apiVersion": "v1", "metadata": {"resourceVersion": "1"}, "items": items}));
    Cluster::new(move |method, path| match (method, path) {
        ("GET", "/api/v1/namespaces") => Some(list(json!([{"metadata": {"name": "default"}}, {"metadata": {"name": "ns-kernel2kernel"}}]))),
        ("GET", "/api/v1/pods" | "/api/v1/namespaces/ns-kernel2kernel/pods") => Some(list(json!([{
            "metadata": {
                "name": "alpine", "namespace": "ns-kernel2kernel", "uid": "1", "labels": {"app": "alpine"},
                "annotations": {"networkservicemesh.io": "kernel://kernel2kernel/nsm-1"}
            },
            "spec": {"nodeName": "n", "containers": [{"name": "alpine"}, {"name": "cmd-nsc"}]}, "status": {"phase": "Running"}
        }]))),
        _ => None,
    })
}

#[test]
fn a_cluster_is_asked_for_what_it_has() {
    let place = Place::new();
    let cluster = cluster();
    place.kubeconfig(&cluster.url());
    assert_eq!(offered(&place, &["verify", "-n", ""]), ["default", "ns-kernel2kernel"]);
    assert_eq!(offered(&place, &["verify", "--namespace=ns"]), ["--namespace=ns-kernel2kernel"]);
    assert_eq!(offered(&place, &["exec", ""]), ["alpine"]);
    assert_eq!(offered(&place, &["verify", "-A", "--client", ""]), ["alpine"]);
    assert_eq!(offered(&place, &["troubleshoot", "-n", "ns-kernel2kernel", "--client", "al"]), ["alpine"]);
    assert_eq!(offered(&place, &["verify", "--context", ""]), ["here"]);
    cluster.is_untouched();
}

#[test]
fn the_context_that_was_typed_is_the_one_that_is_asked() {
    let place = Place::new();
    let cluster = cluster();
    let kubeconfig = fs::read_to_string(place.kubeconfig(&cluster.url())).unwrap();
    // The current context leads nowhere.
    let both = kubeconfig
        .replace("current-context: here", "current-context: nowhere")
        .replace("clusters:\n", "clusters:\n- name: none\n  cluster: {server: \"http://127.0.0.1:1\"}\n")
        .replace("contexts:\n", "contexts:\n- name: nowhere\n  context: {cluster: none, user: u}\n");
    place.write(".kube/config", &both);
    assert_eq!(offered(&place, &["verify", "--context", ""]), ["nowhere", "here"]);
    assert_eq!(offered(&place, &["verify", "-n", ""]), [""; 0]);
    assert_eq!(offered(&place, &["verify", "--context", "here", "-n", "d"]), ["default"]);
}

#[test]
fn where_there_is_nothing_nothing_is_offered_and_nothing_said() {
    let place = Place::new();
    let looked_for: [&[&str]; 4] = [&["verify", "-n", ""], &["exec", ""], &["verify", "--client", ""], &["verify", "--context", ""]];
    for words in looked_for {
        assert_eq!(offered(&place, words), [""; 0], "{words:?}");
    }
    place.write("bad", "clusters: [");
    assert_eq!(offered(&place, &["verify", "--kubeconfig", "bad", "-n", ""]), [""; 0]);
    assert_eq!(offered(&place, &["nothing", "of", "--the", "kind"]), [""; 0]);
    place.is_clean();
}

#[test]
fn a_server_that_says_nothing_is_not_waited_for() {
    let place = Place::new();
    let _silent = place.silent_server();
    // What a person is promised is a second in all; the rest of it is for starting and answering.
    assert!(PATIENCE <= Duration::from_millis(950), "{PATIENCE:?}");
    let begun = Instant::now();
    assert_eq!(offered(&place, &["verify", "-n", ""]), [""; 0]);
    let took = begun.elapsed();
    // It was waited for as long as that, and not for the ten seconds of a command; a machine that is busy is given a little more.
    assert!(took >= PATIENCE && took < PATIENCE + BUSY, "{took:?}");
}

#[test]
fn ids_are_offered_with_what_they_are() {
    let place = Place::new();
    let ran = place.run(&["__complete", "--", "explain", "address-p"]);
    assert_eq!(ran.exits(0).stdout, "address-pool-empty\tthe endpoint has no addresses left\n");
    assert_eq!(offered(&place, &["verify", "--skip", "address,ping-"]), ["address,ping-endpoint", "address,ping-client"]);
}

/// A directory for a PATH in which nsmctl has its names.
fn path_of(place: &Place) -> String {
    let dir = place.path("bin");
    fs::create_dir_all(&dir).unwrap();
    for name in ["nsmctl", "kubectl-nsm"] {
        std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_nsmctl"), dir.join(name)).unwrap();
    }
    format!("{}:{}", dir.display(), std::env::var("PATH").unwrap())
}

fn script(name: &str) -> String {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("completions").join(name).display().to_string()
}

fn shell(place: &Place, program: &str, arguments: &[&str], text: &str) -> Vec<String> {
    let mut command = Command::new(program);
    command.args(arguments).arg(text).env_clear().env("HOME", place.path("")).env("PATH", path_of(place)).stdin(Stdio::null());
    command.current_dir(place.path("")).env("NSMCTL_RUNTIME_DIR", place.runtime());
    let ran = Ran::new(command.output().unwrap_or_else(|error| panic!("{program}, which this test is about: {error}")));
    assert_eq!(ran.exits(0).stderr, "", "{ran:?}");
    ran.stdout.lines().map(str::to_owned).collect()
}

/// What bash puts in: the words as bash cuts a line up, which is also at = and :.
fn bash(words: &[&str]) -> Vec<String> {
    let line = words.join(" ").replace(" = ", "=").replace(" =", "=").replace(" : ", ":");
    let quoted: Vec<String> = words.iter().map(|word| format!("'{word}'")).collect();
    let text = format!(
        "source {}; COMP_WORDBREAKS=$' \\t\\n\"\\'><=;|&(:'; COMP_LINE='{line}'; COMP_POINT=${{#COMP_LINE}}; COMP_WORDS=({}); COMP_CWORD={}; \
         _nsmctl; printf '%s\\n' \"${{COMPREPLY[@]}}\"",
        script("nsmctl.bash"),
        quoted.join(" "),
        words.len() - 1
    );
    shell(&Place::new(), "bash", &["--norc", "-c"], &text).into_iter().filter(|line| !line.is_empty()).collect()
}

#[test]
fn bash_offers_and_puts_in_only_what_follows_an_equals_sign() {
    assert_eq!(bash(&["nsmctl", "tro"]), ["troubleshoot"]);
    assert_eq!(bash(&["nsmctl", "explain", "address-p"]), ["address-pool-empty"]);
    assert_eq!(bash(&["nsmctl", "verify", "--select", "=", "address,ping-c"]), ["address,ping-client"]);
    assert_eq!(bash(&["nsmctl", "deploy", "--payload", "="]), ["ethernet", "ip"]);
    assert_eq!(bash(&["nsmctl", "verify", "--target", "local", "-n", ""]), [""; 0]);
    assert!(bash(&["kubectl-nsm", ""]).contains(&"deploy".to_owned()));
}

#[test]
fn kubectl_is_answered_as_it_asks_its_plugins() {
    let answer = |words: &str| shell(&Place::new(), "sh", &["-c"], &format!("{} {words}", script("kubectl_complete-nsm")));
    assert_eq!(answer("explain address-p"), ["address-pool-empty\tthe endpoint has no addresses left", ":4"]);
    assert!(answer("''").contains(&"deploy\tApply the manifests, wait until everything is ready, verify, and print the table".to_owned()));
    assert_eq!(answer("verify -n ''"), [":4"]);
}

// The shells below are not on every machine. `.ci/run` runs these tests where they are, and says loudly where they are not.

#[test]
#[ignore = "needs zsh"]
fn zsh_offers() {
    // What zsh would show is what is handed to _describe.
    let offered = |words: &str| {
        let count = words.split(' ').count();
        let text = format!(
            "compdef() {{ }}; _describe() {{ local name=${{@[3]}}; print -rl -- ${{(P)name}} }}; source {}; words=({words}); CURRENT={count}; _nsmctl || true",
            script("_nsmctl")
        );
        shell(&Place::new(), "zsh", &["-f", "-c"], &text)
    };
    assert_eq!(
        offered("nsmctl tro"),
        ["troubleshoot:Name the causes of what is broken, with evidence and fix, and walk the path of each connection"]
    );
    assert_eq!(offered("nsmctl explain address-p"), ["address-pool-empty:the endpoint has no addresses left"]);
    assert_eq!(offered("nsmctl verify -n ''"), [""; 0]);
}

#[test]
#[ignore = "needs fish"]
fn fish_offers() {
    let offered =
        |line: &str| shell(&Place::new(), "fish", &["--no-config", "-c"], &format!("source {}; complete -C '{line}'", script("nsmctl.fish")));
    assert_eq!(offered("nsmctl explain address-p"), ["address-pool-empty\tthe endpoint has no addresses left"]);
    assert!(offered("nsmctl tro")[0].starts_with("troubleshoot\t"));
    assert_eq!(offered("nsmctl verify -n "), [""; 0]);
    assert_eq!(offered("nsmctl deploy --payload="), ["--payload=ethernet\tEthernet frames", "--payload=ip\tIP packets"]);
}

#[test]
#[ignore = "needs elvish"]
fn elvish_offers() {
    // There is an editor only where a person types; what stands in for it shows what it is handed.
    let offered = |words: &str| {
        let text = format!(
            "var completion: = (ns [&arg-completer=[&]]); \
             var edit: = (ns [&completion:=$completion: &complex-candidate~={{|value &display='' &code-suffix=''| echo $value'|'$display'|'$code-suffix }}]); \
             eval &ns=(ns [&edit:=$edit:]) (slurp < {})'$edit:completion:arg-completer[nsmctl] {words}'",
            script("nsmctl.elv")
        );
        shell(&Place::new(), "elvish", &["-norc", "-c"], &text)
    };
    assert_eq!(offered("nsmctl explain address-p"), ["address-pool-empty|address-pool-empty (the endpoint has no addresses left)| "]);
    assert_eq!(offered("nsmctl deploy --payload=i"), ["--payload=ip|--payload=ip (IP packets)| "]);
    assert_eq!(offered("nsmctl verify -n \"\""), [""; 0]);
}
