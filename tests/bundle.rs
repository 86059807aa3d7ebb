//! Bundles, as they are written, carried elsewhere and judged there; and those that nobody should have sent.

use std::{
    collections::BTreeMap,
    fs,
    io::{self, Read, Write},
    os::unix::fs::PermissionsExt,
    path::Path,
    process::{Command, Stdio},
};

use flate2::{Compression, read::GzDecoder, write::GzEncoder};
use serde_json::{Value, json};
use wiremock::ResponseTemplate;

use crate::{
    program::{Place, Ran},
    scripted::{Cluster, ok, status},
};

/// The files of a bundle below its directory.
fn files(path: &Path) -> BTreeMap<String, String> {
    let mut archive = tar::Archive::new(GzDecoder::new(fs::File::open(path).unwrap()));
    let entries = archive.entries().unwrap().map(|entry| {
        let mut entry = entry.unwrap();
        let mut text = String::new();
        entry.read_to_string(&mut text).unwrap();
        (entry.path().unwrap().strip_prefix("nsmctl-bundle").unwrap().display().to_string(), text)
    });
    entries.collect()
}

/// What was found: all that does not depend on when and from where it was looked.
fn found(ran: &Ran) -> Value {
    let mut document = ran.json();
    let strip = |finding: &mut Value| {
        // The commands in a fix name the target, where that was named.
        finding.as_object_mut().unwrap().remove("hint");
    };
    for list in ["causes", "path", "unseen"] {
        document[list].as_array_mut().unwrap_or_else(|| panic!("{ran:?}")).iter_mut().for_each(strip);
    }
    json!([document["causes"], document["path"], document["unseen"], document["namespace"], document["outcome"]])
}

#[cfg(target_os = "linux")]
#[test]
fn a_bundle_of_this_machine_tells_the_same_when_all_is_gone() {
    let place = Place::new();
    place.run(&["deploy"]).exits(0);
    let bundle = place.path("b.tgz");
    place.run(&["troubleshoot", "--bundle", "b.tgz"]).exits(0).says(&["wrote b.tgz (", "look through it before you share it"]);
    let engine = place.engine().expect("an engine");
    let script = format!("for n in /proc/{engine}/fd/*; do nsenter --net=$n ip link set nsm-1 down 2>/dev/null; done; true");
    assert!(Command::new("sh").args(["-c", &script]).stderr(Stdio::null()).status().expect("nsenter, this test's means").success());

    let there = place.run(&["troubleshoot", "--target", "local", "--bundle", "b.tgz", "-o", "json"]);
    there.exits(1);
    assert_eq!(fs::metadata(&bundle).unwrap().permissions().mode() & 0o777, 0o600);
    place.run(&["cleanup"]).exits(0);
    place.is_clean();

    // Elsewhere, where there is nothing but the file.
    let other = Place::new();
    fs::copy(&bundle, other.path("copy.tgz")).unwrap();
    let here = other.run(&["troubleshoot", "--from", "copy.tgz", "-o", "json"]);
    here.exits(1).says(&["target: bundle copy.tgz of a machine, written 20", "by nsmctl"]);
    assert_eq!(found(&here), found(&there));
    assert!(!found(&here)[0].as_array().unwrap().is_empty(), "{here:?}");
    let target = &here.json()["target"];
    assert_eq!((&target["kind"], &target["file"], &target["nsmctl"]), (&json!("bundle"), &json!("copy.tgz"), &json!(env!("CARGO_PKG_VERSION"))));
    other.is_clean();

    let mut piped = other.command(&["troubleshoot", "--from", "-", "-o", "json"]);
    let output = piped.stdin(fs::File::open(&bundle).unwrap()).output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(String::from_utf8_lossy(&output.stderr).contains("target: bundle - of a machine"), "{output:?}");
    // Nobody is asked where the person has said where not to.
    let output = other.command(&["troubleshoot", "--from", "copy.tgz"]).env("NSMCTL_TARGET", "cluster").output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{output:?}");
}

fn list(items: &[Value]) -> ResponseTemplate {
    ok(json!({"kind": "List", "apiVersion": "v1", "metadata": {"resourceVersion": "1"}, "items": items}))
}

/// A client with secrets wherever a pod can have them.
fn talkative() -> Value {
    let jwt = "eyJhbGciOiJSUzI1NiJ9.c2VjcmV0LXBheWxvYWQ.c2VjcmV0LXNpZ25hdHVyZQ";
    let env = json!([{"name": "DB", "value": "hidden-1"}, {"name": "NSM_NETWORK_SERVICES", "value": "kernel://s/nsm-1"}]);
    let annotations = json!({
        "networkservicemesh.io": "kernel://s/nsm-1", "kubectl.kubernetes.io/last-applied-configuration": "{\"hidden-2\":1}",
        "example.com/token": "hidden-3", "note": format!("use {jwt}")
    });
    let metadata = json!({
        "name": "web", "namespace": "shop", "labels": {"app": "web"}, "annotations": annotations, "managedFields": [{"manager": "hidden-4"}]
    });
    let own = json!({"name": "own", "image": "i", "env": env, "args": ["--password=hidden-5", "--api-token", "hidden-6", "--verbose"]});
    let message = "cannot log in at https://me:hidden-7@registry.example.com/v2";
    let state = json!({"waiting": {"reason": "ImagePullBackOff", "message": message}});
    let status = json!({"name": "own", "image": "i", "imageID": "", "ready": false, "restartCount": 0, "state": state});
    let spec = json!({"nodeName": "n", "imagePullSecrets": [{"name": "regcred"}], "containers": [own, {"name": "cmd-nsc"}]});
    json!({"metadata": metadata, "spec": spec, "status": {"phase": "Pending", "containerStatuses": [status]}})
}

#[test]
fn no_secret_of_a_cluster_is_in_its_bundle() {
    let log = "Nov 23 12:00:00.123 [INFO] [cmd:/bin/app] connected\nAuthorization: Bearer hidden-8\n-----BEGIN EC PRIVATE KEY-----\naGlkZGVuLTkaGlkZGVuLTk=\n-----END EC PRIVATE KEY-----\n";
    let cluster = Cluster::new(move |method, path| match (method, path) {
        ("GET", "/api/v1/pods" | "/api/v1/namespaces/shop/pods") => Some(list(&[talkative()])),
        ("GET", "/api/v1/namespaces/shop/events") => {
            let object = json!({"kind": "Pod", "namespace": "shop", "name": "web"});
            Some(list(&[
                json!({"metadata": {"name": "e"}, "involvedObject": object, "type": "Warning", "reason": "Failed", "message": "--password hidden-10"}),
            ]))
        }
        ("GET", path) if path.ends_with("/log/cmd-nsc") => Some(ResponseTemplate::new(200).set_body_string(log)),
        ("GET", "/apis/apps/v1/namespaces/shop/statefulsets") => {
            Some(status(403, "Forbidden", "statefulsets.apps is forbidden: User \"u\" cannot list"))
        }
        _ => None,
    });
    let place = Place::new();
    place.kubeconfig(&cluster.url());
    let there = place.run(&["troubleshoot", "-A", "--bundle", "b.tgz", "-o", "json"]);
    there.says(&["wrote b.tgz (", "not in the bundle: statefulsets in shop could not be listed (list statefulsets): statefulsets.apps is forbidden"]);
    cluster.is_untouched();
    assert!(!cluster.seen().iter().any(|request| request.contains("secrets")), "{:?}", cluster.seen());

    let files = files(&place.path("b.tgz"));
    for (name, text) in &files {
        for secret in ["hidden", "aGlkZGVu", "c2VjcmV0", "managedFields"] {
            assert!(!text.contains(secret), "{secret} in {name}:\n{text}");
        }
    }
    let pods = &files["objects/shop/pods.yaml"];
    for kept in ["regcred", "kernel://s/nsm-1", "--verbose", "ImagePullBackOff", "https://REDACTED@registry.example.com/v2"] {
        assert!(pods.contains(kept), "{kept}: {pods}");
    }
    assert!(
        files["logs/shop/web/cmd-nsc.log"].starts_with("Nov 23 12:00:00.123 [INFO] [cmd:/bin/app] connected\nAuthorization: REDACTED\n"),
        "{files:?}"
    );
    let index: Value = serde_json::from_str(&files["index.json"]).unwrap();
    let redacted = index["redacted"].as_array().unwrap();
    let is_listed =
        |file: &str, place: &str, reason: &str| redacted.iter().any(|r| r["file"] == file && r["where"] == place && r["reason"] == reason);
    assert!(is_listed("objects/shop/pods.yaml", "web.spec.containers[0].env[DB].value", "environment"), "{index}");
    assert!(is_listed("logs/shop/web/cmd-nsc.log", "line 2", "authorization") && is_listed("logs/shop/web/cmd-nsc.log", "line 4", "pem"), "{index}");

    let here = Place::new().run(&["troubleshoot", "--from", place.path("b.tgz").to_str().unwrap(), "-o", "json"]);
    assert_eq!(here.code, there.code);
    let ids = |ran: &Ran| ran.json()["causes"].as_array().unwrap().iter().map(|cause| cause["check"].clone()).collect::<Vec<_>>();
    assert_eq!(ids(&here), ids(&there));
    assert_eq!(here.json()["target"]["server"], cluster.url());
}

#[test]
fn a_look_that_was_cut_short_is_written_as_well() {
    let cluster = Cluster::new(|method, path| match (method, path) {
        ("GET", "/api/v1/pods" | "/api/v1/namespaces/shop/pods") => Some(list(&[talkative()])),
        ("GET", path) if path.contains("/log/") || path.contains("/apis/apps/v1/namespaces/shop") => Some(crate::scripted::silence()),
        _ => None,
    });
    let place = Place::new();
    place.kubeconfig(&cluster.url());
    place.run(&["troubleshoot", "-A", "--bundle", "b.tgz", "--timeout", "3s"]).says(&["wrote b.tgz (", "not in the bundle: "]);
    assert!(files(&place.path("b.tgz")).contains_key("pods/shop.yaml"));
    // Where nothing answers there is nothing to write.
    let silent = Cluster::new(|_, path| (path != "/version").then(crate::scripted::silence));
    place.kubeconfig(&silent.url());
    let ran = place.run(&["troubleshoot", "--bundle", "c.tgz", "--timeout", "1s"]);
    ran.exits(4).says(&["c.tgz is not written: nothing was seen"]);
    assert!(!place.path("c.tgz").exists());
}

#[test]
fn what_is_no_bundle_is_refused() {
    let place = Place::new();
    place.write("empty.tgz", "");
    place.write("text.tgz", "apiVersion: v1\n");
    let mut other = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::fast()));
    let mut header = tar::Header::new_gnu();
    header.set_size(1);
    header.set_mode(0o644);
    other.append_data(&mut header, "other/file", b"x".as_slice()).unwrap();
    let other = other.into_inner().unwrap().finish().unwrap();
    fs::write(place.path("other.tgz"), &other).unwrap();
    fs::write(place.path("half.tgz"), &other[..other.len() / 2]).unwrap();
    for (name, reason) in [
        ("nowhere.tgz", "there is no such file"),
        (".", "it is a directory"),
        ("empty.tgz", "it is empty"),
        ("text.tgz", "it is not gzip'ed, and a bundle is a .tgz"),
        ("half.tgz", "it is damaged: it ends early"),
        ("other.tgz", "it has no nsmctl-bundle/index.json, so it is no bundle of nsmctl's"),
        ("/dev/zero", "it is not gzip'ed, and a bundle is a .tgz"),
        ("-", "it is empty"),
    ] {
        let ran = place.run(&["troubleshoot", "--from", name]);
        ran.exits(2).prints_nothing().says(&[&format!("error: --from {name}: {reason}"), "next: "]);
        let ran = place.run(&["troubleshoot", "--from", name, "-o", "json"]);
        assert_eq!(ran.exits(2).json()["error"]["message"], format!("--from {name}: {reason}"));
    }
    place.run(&["troubleshoot", "--from", "a", "--bundle", "b"]).exits(2).prints_nothing();
    place.run(&["troubleshoot", "--from", "a", "--context", "b"]).exits(2).prints_nothing();
    place.run(&["troubleshoot", "--bundle", "-"]).exits(2).prints_nothing().says(&["--bundle takes a file, and - is none"]);
    place.run(&["troubleshoot", "--bundle", "nowhere/b.tgz"]).exits(2).prints_nothing().says(&["the directory nowhere does not exist"]);
}

/// The most memory that the program may map while it reads what follows, in KiB: what it maps by itself, and 64 MiB.
fn memory(place: &Place) -> u64 {
    let least = |kib: u64| !limited(place, kib, &["--version"], io::empty()).0;
    let mut kib = 16 * 1024;
    while least(kib) {
        kib += 8 * 1024;
    }
    // The runtime and its threads map address space that they never touch.
    kib + 64 * 1024 + 64 * 1024
}

/// Runs nsmctl within so much memory, with this on standard input; whether it ran, and what it said.
fn limited(place: &Place, kib: u64, arguments: &[&str], mut input: impl Read) -> (bool, Option<i32>, String) {
    let script = format!("ulimit -v {kib} && exec \"$0\" \"$@\"");
    let mut command = Command::new("sh");
    command.args(["-c", &script, env!("CARGO_BIN_EXE_nsmctl")]).args(arguments).current_dir(place.path("."));
    command.env("NSMCTL_RUNTIME_DIR", place.runtime()).env("MALLOC_ARENA_MAX", "1");
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("a shell");
    let mut stdin = child.stdin.take().expect("a pipe");
    // Who has read enough reads no more.
    let _ = io::copy(&mut input, &mut stdin).and_then(|_| stdin.flush());
    drop(stdin);
    let output = child.wait_with_output().expect("its output");
    (output.status.success(), output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
}

#[test]
fn a_bomb_takes_no_memory() {
    let place = Place::new();
    let kib = memory(&place);
    let header = |name: &str, size: u64| {
        let mut header = tar::Header::new_gnu();
        header.set_path(name).unwrap();
        header.set_size(size);
        header.set_mode(0o644);
        header.set_cksum();
        io::Cursor::new(header.as_bytes().to_vec())
    };
    let zeroes = |bytes: u64| io::repeat(0).take(bytes);
    let many = (0..20).fold(Box::new(io::empty()) as Box<dyn Read>, |all, number| {
        Box::new(all.chain(header(&format!("nsmctl-bundle/logs/{number}"), 16 << 20)).chain(zeroes(16 << 20)))
    });
    let index = "{\"schema_version\":1,\"nsmctl\":\"1\",\"written\":\"\",\"target\":{\"kind\":\"local\"},\"taken_at\":1,\"parts\":[]}";
    let padded = format!("{index:<512}");
    let early = (0..20).fold(Box::new(io::empty()) as Box<dyn Read>, |all, number| {
        Box::new(all.chain(header(&format!("nsmctl-bundle/logs/{number}"), 16 << 20)).chain(zeroes(16 << 20)))
    });
    let bombs: [(Box<dyn Read>, &str); 5] = [
        (early, "more than 48 MiB of it stand before index.json"),
        (Box::new(zeroes(4 << 30)), "it goes on after the archive's end"),
        (Box::new(header("nsmctl-bundle/big.yaml", 4 << 30).chain(zeroes(4 << 30))), "nsmctl-bundle/big.yaml in it is 4294967296 bytes long"),
        (Box::new(header("nsmctl-bundle/index.json", 512).chain(io::Cursor::new(padded)).chain(many)), "it unpacks to more than 256 MiB"),
        (Box::new(header("nsmctl-bundle/index.json", 16 << 20).chain(io::repeat(b'[').take(16 << 20))), "index.json in it cannot be read: "),
    ];
    for (bomb, says) in bombs {
        let (_, code, stderr) = limited(&place, kib, &["troubleshoot", "--from", "-"], flate2::read::GzEncoder::new(bomb, Compression::fast()));
        assert!(code == Some(2) && stderr.contains(says), "within {kib} KiB: {code:?} {stderr}");
    }
}
