//! The forms of the report, as CI systems take them: standard output, files, GitHub's annotations, the schema.

use std::{collections::BTreeSet, fs, net::TcpListener, path::Path};

use nix::sys::signal::Signal;
use nsmctl::check::{CATALOGUE, HEAL, TARGET};
use serde_json::{Value, json};

use crate::{
    exec::{client, pods},
    program::{Place, Ran, eventually},
    scripted::{Cluster, ok, silence, status},
};

/// A place whose cluster refuses every connection.
fn unreachable() -> Place {
    let place = Place::new();
    // Bound and closed: nobody listens there now.
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    place.kubeconfig(&format!("https://127.0.0.1:{port}"));
    place
}

/// What `verify --schema` prints, as a validator.
fn schema(place: &Place) -> jsonschema::Validator {
    let ran = place.run(&["verify", "--schema"]);
    ran.exits(0);
    let schema: Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema");
    jsonschema::draft202012::meta::validate(&schema).unwrap();
    jsonschema::draft202012::new(&schema).unwrap()
}

#[track_caller]
fn is_valid(schema: &jsonschema::Validator, document: &Value) {
    let errors: Vec<String> = schema.iter_errors(document).map(|error| format!("{}: {error}", error.instance_path())).collect();
    assert!(errors.is_empty(), "{errors:#?}: {document:#}");
}

/// The JSON and the JUnit file of a run, which say the same as its exit code.
#[track_caller]
fn both(place: &Place, ran: &Ran) -> (Value, quick_junit::Report) {
    let read = |name: &str| fs::read_to_string(place.path(name)).unwrap_or_else(|error| panic!("{name}: {error}: {ran:?}"));
    let document: Value = serde_json::from_str(&read("nsm.json")).unwrap();
    assert_eq!(document["exit_code"].as_i64(), ran.code.map(i64::from), "{document}");
    let junit = quick_junit::Report::deserialize_from_str(&read("nsm.xml")).unwrap();
    assert_eq!(junit.errors + junit.failures > 0, ran.code != Some(0), "{junit:?}");
    (document, junit)
}

const FILES: [&str; 4] = ["--json", "nsm.json", "--junit", "nsm.xml"];

#[test]
fn a_failing_run_writes_both_files_in_every_form() {
    let place = unreachable();
    let schema = schema(&place);
    for command in ["verify", "deploy"] {
        for form in ["table", "short", "json", "junit"] {
            let ran = place.run(&[&[command, "-o", form], &FILES[..]].concat());
            ran.exits(3).says(&["cannot reach the cluster", "next: "]);
            let (document, junit) = both(&place, &ran);
            is_valid(&schema, &document);
            assert!(document["error"]["message"].as_str().unwrap().contains("cannot reach the cluster"), "{document}");
            assert_eq!((junit.tests, junit.errors, junit.test_suites[0].name.as_str()), (1, 1, &*format!("nsmctl {command}")));
            let printed = match form {
                "json" => ran.json()["exit_code"] == 3,
                "junit" => quick_junit::Report::deserialize_from_str(&ran.stdout).unwrap().errors == 1,
                _ => ran.stdout.is_empty(),
            };
            assert!(printed, "{ran:?}");
            fs::remove_file(place.path("nsm.json")).unwrap();
            fs::remove_file(place.path("nsm.xml")).unwrap();
        }
    }
    place.is_clean();
}

#[test]
fn a_run_that_is_stopped_or_out_of_time_writes_both_files() {
    let place = Place::new();
    // Accepts, and says nothing.
    let _silent = place.silent_server();
    let ran = place.run(&[&["verify", "--timeout", "300ms"], &FILES[..]].concat());
    ran.exits(4);
    both(&place, &ran);

    let listener = place.silent_server();
    let running = place.start(&[&["verify"], &FILES[..]].concat());
    let _connection = listener.accept().unwrap();
    running.signal(Signal::SIGINT);
    let ran = running.end();
    ran.exits(130);
    let (document, _) = both(&place, &ran);
    assert_eq!(document["outcome"], "interrupted");
}

/// The pods of the example, as a cluster would show them.
fn example() -> Value {
    let mut endpoint = client();
    endpoint["metadata"] = json!({
        "name": "nse-kernel-x", "namespace": "ns-kernel2kernel", "uid": "v", "labels": {"app": "nse-kernel", "spiffe.io/spiffe-id": "true"}
    });
    let container = json!({"name": "nse", "image": "i", "imageID": "", "ready": true, "restartCount": 0, "state": {"running": {}}});
    endpoint["spec"] = json!({"nodeName": "n", "containers": [{"name": "nse"}]});
    endpoint["status"]["containerStatuses"] = json!([container]);
    endpoint["status"]["initContainerStatuses"] = json!([]);
    pods(&json!([client(), endpoint]))
}

const PODS: &str = "/api/v1/namespaces/ns-kernel2kernel/pods";

/// Whichever of two pods says nothing until the time is up, what the other has said is in the report, in each form.
#[test]
fn what_was_seen_when_the_time_was_up_is_written_in_every_form() {
    for (mute, other, check) in [("alpine", "nse-kernel-x", "ping-client"), ("nse-kernel-x", "alpine", "interface")] {
        let place = Place::new();
        let (mute, refusing) = (format!("{PODS}/{mute}/exec"), format!("{PODS}/{other}/exec"));
        let cluster = Cluster::new(move |_, path| match path {
            PODS => Some(ok(example())),
            path if path == mute => Some(silence()),
            path if path == refusing => Some(status(403, "Forbidden", "User \"jane\" cannot create resource \"pods/exec\"")),
            _ => None,
        });
        place.kubeconfig(&cluster.url());
        for form in ["table", "short", "json", "junit"] {
            let ran = place.run(&[&["verify", "--timeout", "2s", "-o", form], &FILES[..]].concat());
            assert!(ran.code == Some(4) || ran.code == Some(1), "{ran:?}");
            let (document, _) = both(&place, &ran);
            let is_seen = |finding: &Value| finding["check"] == check && finding["observed"].as_str().is_some_and(|seen| seen.contains("jane"));
            assert!(document["findings"].as_array().unwrap().iter().any(is_seen), "{check}: {document:#}");
            let files = fs::read_to_string(place.path("nsm.xml")).unwrap();
            assert!(ran.stdout.contains("jane") && files.contains("jane"), "{form}: {ran:?} {files}");
        }
    }
}

/// A server that is busy for a moment is asked again, also for a program in a pod (RFC 6585, section 4).
#[test]
fn a_program_that_a_busy_server_refuses_is_asked_for_again() {
    let place = Place::new();
    let asked = std::sync::atomic::AtomicU32::new(0);
    let cluster = Cluster::new(move |_, path| match path {
        PODS => Some(ok(example())),
        path if path.ends_with("/alpine/exec") => {
            let is_first = asked.fetch_add(1, std::sync::atomic::Ordering::Relaxed) == 0;
            let busy = || status(429, "TooManyRequests", "too many requests");
            Some(if is_first { busy() } else { status(403, "Forbidden", "User \"jane\" cannot create resource \"pods/exec\"") })
        }
        _ => None,
    });
    place.kubeconfig(&cluster.url());
    let ran = place.run(&["verify", "-o", "json"]);
    assert!(ran.stdout.contains("jane") && !ran.stdout.contains("too many requests"), "{ran:?}");
    let asked = cluster.seen().iter().filter(|request| request.ends_with("/alpine/exec")).count();
    assert!(asked >= 2, "{:?}", cluster.seen());
}

#[test]
fn a_file_that_cannot_be_written_is_found_before_anything_is_done() {
    let place = Place::new();
    let cluster = Cluster::new(|_, _| None);
    place.kubeconfig(&cluster.url());
    for flag in ["--json", "--junit"] {
        let file = place.path("missing/a");
        let ran = place.run(&["deploy", flag, file.to_str().unwrap()]);
        let directory = file.parent().unwrap().display().to_string();
        ran.exits(2).prints_nothing().says(&[
            &format!("error: {flag} {} cannot be written: the directory {directory} does not exist", file.display()),
            &format!("next: make it with mkdir -p {directory}"),
        ]);
        assert!(!ran.stderr.contains("target:"), "{ran:?}");
        place.run(&["deploy", flag, "."]).exits(2).prints_nothing().says(&["cannot be written: it is a directory"]);
        place.run(&["deploy", flag, "/dev/stdout"]).exits(2).prints_nothing();
        place.run(&["deploy", flag, "-"]).exits(2).prints_nothing().says(&[&format!("next: -o {} prints it", &flag[2..])]);
    }
    cluster.is_untouched();
}

#[test]
fn a_file_that_cannot_be_written_any_more_fails_the_run() {
    let place = Place::new();
    let listener = place.silent_server();
    fs::create_dir(place.path("out")).unwrap();
    let running = place.start(&["verify", "--json", "out/nsm.json", "-o", "json", "--timeout", "2s"]);
    let _connection = listener.accept().unwrap();
    fs::remove_dir(place.path("out")).unwrap();
    let ran = running.end();
    ran.exits(1).says(&["cannot write out/nsm.json: the directory out does not exist", "the time is up"]);
    // What is printed knows of it.
    ran.json();
}

#[test]
fn an_unknown_check_is_refused_with_what_was_meant() {
    let place = Place::new();
    for flag in ["--select", "--skip"] {
        let ran = place.run(&["verify", flag, "address,ping-endpont"]);
        ran.exits(2).prints_nothing().says(&[&format!("error: {flag}: there is no check \"ping-endpont\""), "next: did you mean ping-endpoint?"]);
    }
    place.run(&["verify", "--select", "address", "--skip", "address"]).exits(2).prints_nothing().says(&["leave no check"]);
}

#[test]
fn junit_is_for_commands_that_judge() {
    let place = Place::new();
    for command in ["cleanup", "manifests"] {
        let words = ["invalid value 'junit' for '--output <table|", "tip: 'nsmctl verify -o junit' has test cases"];
        place.run(&[command, "-o", "junit"]).exits(2).prints_nothing().says(&words);
    }
}

#[test]
fn each_command_has_its_own_forms() {
    let place = Place::new();
    let refused: [(&[&str], &str); 6] = [
        (&["verify", "-o", "xml"], "  [possible values: table, short, json, junit]\n"),
        (&["-o", "dot", "verify"], "  [possible values: table, short, json, junit]\n"),
        (&["manifests", "-o", "short"], "  [possible values: table, json]\n"),
        (&["manifests", "images", "-o", "short"], "  [possible values: table, json]\n"),
        (&["explain", "--list", "-o", "short"], "  [possible values: table, json]\n"),
        (&["version", "-o", "junit"], "  [possible values: table, json]\n"),
    ];
    for (arguments, values) in refused {
        place.run(arguments).exits(2).prints_nothing().says(&["error: invalid value '", values]);
    }
    // The variable is set for many commands. One that does without the form prints its own; whoever judges nothing says so.
    let with = |form: &str, arguments: &[&str]| Ran::new(place.command(arguments).env("NSMCTL_OUTPUT", form).output().unwrap());
    assert_eq!(with("short", &["manifests"]).exits(0).stdout, place.run(&["manifests"]).stdout);
    assert!(with("json", &["version"]).exits(0).stdout.starts_with('{'));
    assert_eq!(with("junit", &["version", "-o", "table"]).exits(0).stdout, place.run(&["version"]).stdout);
    with("junit", &["cleanup"]).exits(2).prints_nothing().says(&["--output junit: cleanup judges nothing", "next: use table or json"]);
    with("dot", &["verify"]).exits(2).prints_nothing().says(&["--output dot: verify draws no graph"]);
    with("prometheus", &["verify"]).exits(2).prints_nothing().says(&["--output prometheus: verify counts nothing"]);
}

#[test]
fn the_checks_are_listed_without_a_target() {
    let place = unreachable();
    let ran = place.run(&["verify", "--list-checks"]);
    ran.exits(0);
    assert_eq!(ran.stderr, "");
    let ids: BTreeSet<&str> = ran.stdout.lines().skip(2).filter_map(|line| line.split_whitespace().next()).collect();
    assert_eq!(ids, CATALOGUE.iter().map(|check| check.id).collect());
    let ran = place.run(&["verify", "--list-checks", "-o", "json"]);
    let document = ran.exits(0).json();
    is_valid(&schema(&place), &document);
    let listed: Vec<&Value> = document["checks"].as_array().unwrap().iter().map(|check| &check["id"]).collect();
    assert_eq!(listed, CATALOGUE.iter().map(|check| check.id).collect::<Vec<_>>());
}

#[test]
fn every_check_is_in_the_readme() {
    let readme = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")).unwrap();
    for check in &CATALOGUE {
        assert!(readme.lines().any(|line| line.starts_with(&format!("| `{}` |", check.id))), "README.md has no row for {}", check.id);
    }
    let beside = format!("Two more ids stand in reports and are chosen by their options: `{HEAL}` is what `--heal` has measured, `{TARGET}` is");
    assert!(readme.contains(&beside), "{beside}");
}

#[test]
fn github_is_told_and_nobody_else() {
    let place = unreachable();
    let on_github = |arguments: &[&str], value: &str| {
        let output = place.command(arguments).env("GITHUB_ACTIONS", value).output().unwrap();
        (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap())
    };
    for command in ["verify", "deploy"] {
        let (stdout, stderr) = on_github(&[command], "true");
        assert_eq!(stdout, "", "standard output stays the result");
        let at = |words: &str| stderr.find(words).unwrap_or_else(|| panic!("no {words}: {stderr}"));
        let group = at(&format!("::group::nsmctl {command}\n"));
        assert!(group == 0 && group < at("target: cluster") && at("target: cluster") < at("\n::endgroup::\n"), "{stderr}");
        assert!(at("\n::endgroup::\n") < at(&format!("\n::error title=nsmctl {command}::cannot reach the cluster")), "{stderr}");
        assert!(stderr.contains("\nerror: cannot reach the cluster"), "people are told as well: {stderr}");
    }
    for (arguments, value) in [(&["verify"][..], "false"), (&["verify"], ""), (&["troubleshoot"], "true"), (&["verify", "--list-checks"], "true")] {
        let (_, stderr) = on_github(arguments, value);
        assert!(!stderr.contains("::"), "{arguments:?} {value:?}: {stderr}");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn the_documents_of_a_whole_life_are_what_the_schema_says() {
    let place = Place::new();
    let schema = schema(&place);
    let run = |arguments: &[&str], code: i32| {
        let ran = place.run(&[arguments, &["-o", "json"]].concat());
        let document = ran.exits(code).json();
        is_valid(&schema, &document);
        document
    };
    assert!(run(&["deploy", "--timings"], 0)["applied"].is_array());
    assert!(run(&["verify"], 0)["findings"].is_array());
    assert!(run(&["troubleshoot"], 0)["path"].is_array());
    assert!(run(&["cleanup"], 0)["removed"]["gone"].is_array());
    // There is nothing any more.
    assert!(run(&["verify"], 3)["error"].is_object());
    place.is_clean();
    // That it refuses anything at all.
    assert!(!schema.is_valid(&json!({"schema_version": 2})));
}

#[cfg(target_os = "linux")]
#[test]
fn what_passed_and_what_was_left_out_is_in_both_files() {
    let place = Place::new();
    let ran = place.run(&[&["deploy", "-o", "short"], &FILES[..]].concat());
    ran.exits(0);
    assert_eq!(ran.stdout.lines().last(), Some("16 passed, 0 failed, 0 unknown, 0 warnings, 1 skipped"), "{ran:?}");
    assert_eq!(both(&place, &ran).1.tests, 17);

    let ran = place.run(&[&["verify", "-o", "short", "--select", "address", "--skip", "ping-client"], &FILES[..]].concat());
    ran.exits(0);
    assert!(ran.stdout.contains("skip ping-client all: skipped: --skip\n"), "{ran:?}");
    assert!(ran.stdout.contains("skip interface all: skipped: not selected by --select\n"), "{ran:?}");
    let (document, junit) = both(&place, &ran);
    assert_eq!(document["findings"].as_array().unwrap().iter().filter(|finding| finding["verdict"] == "pass").count(), 2);
    assert_eq!((junit.tests, junit.test_suites[0].skipped), (2 + CATALOGUE.len() - 1, CATALOGUE.len() - 1));
    let cases: Vec<_> = junit.test_suites[0].test_cases.iter().map(|case| (case.classname.clone(), case.name.clone())).collect();
    assert_eq!(cases.iter().collect::<BTreeSet<_>>().len(), cases.len(), "no two of one name: {cases:?}");
    assert!(junit.test_suites[0].test_cases.iter().all(|case| case.time.is_some() && case.classname.is_some()));

    place.run(&["cleanup"]).exits(0);
    eventually("an end of the engine", || place.engine().is_none());
}
