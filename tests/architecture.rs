//! The arrows between the rooms, as ARCHITECTURE.md draws them, and what may stand in which room.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

/// Each room, and the rooms that it may use. What is not in the list may be used by nobody and use nothing.
const ARROWS: [(&str, &[&str]); 18] = [
    ("model", &[]),
    ("file_lock", &[]),
    ("cli", &[]),
    ("cancel", &["model"]),
    ("terminal", &["model"]),
    ("runtime_dir", &["model"]),
    ("manifest", &["model"]),
    ("check", &["model"]),
    ("diagnose", &["model", "check"]),
    ("status", &["model", "check"]),
    ("bundle", &["model"]),
    ("prometheus", &["model"]),
    ("report", &["model", "prometheus"]),
    ("net", &["model"]),
    ("engine", &["model", "net", "file_lock", "runtime_dir", "prometheus"]),
    ("target", &["model", "cancel", "engine", "runtime_dir", "prometheus"]),
    ("settings", &["model", "cli", "manifest", "check", "report", "target"]),
    (
        "commands",
        &[
            "model",
            "cli",
            "manifest",
            "check",
            "diagnose",
            "status",
            "bundle",
            "report",
            "settings",
            "target",
            "runtime_dir",
            "file_lock",
            "cancel",
            "terminal",
        ],
    ),
];

/// Crates that only these rooms may use.
const CRATES: [(&str, &[&str]); 19] = [
    ("clap", &["cli"]),
    ("kube", &["target"]),
    ("tokio_tungstenite", &["target"]),
    ("k8s_openapi", &["target", "manifest"]),
    ("tabled", &["report"]),
    ("indicatif", &["report"]),
    ("quick_junit", &["report"]),
    ("hyper", &["engine"]),
    ("prost", &["engine"]),
    ("rcgen", &["engine"]),
    ("ring", &["engine"]),
    ("tokio_rustls", &["engine"]),
    ("tonic", &["engine"]),
    ("webpki", &["engine"]),
    ("rtnetlink", &["net"]),
    ("surge_ping", &["net"]),
    ("serde_saphyr", &["manifest", "bundle", "target"]),
    ("flate2", &["bundle"]),
    ("tar", &["bundle"]),
];

fn sources(dir: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(dir).expect("the sources").flatten().map(|entry| entry.path());
    entries
        .flat_map(|path| if path.is_dir() { sources(&path) } else { vec![path] })
        .filter(|path| path.extension().is_some_and(|e| e == "rs"))
        .collect()
}

/// The room of a file, and its text without tests and comments.
fn rooms() -> Vec<(String, PathBuf, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let files = sources(&root).into_iter().map(|path| path.strip_prefix(&root).expect("below src").to_owned());
    let files = files.filter(|path| !["main.rs", "lib.rs"].iter().any(|name| path == Path::new(name)));
    let is_test = |path: &Path| {
        path.components().any(|part| part.as_os_str() == "tests")
            || ["tests.rs", "fixture.rs"].iter().any(|end| path.to_string_lossy().ends_with(end))
    };
    let files = files.filter(|path| !is_test(path));
    files
        .map(|path| {
            let room = path.components().next().expect("a room").as_os_str().to_string_lossy().trim_end_matches(".rs").to_owned();
            let text = fs::read_to_string(root.join(&path)).expect("a source");
            let text = text.split("#[cfg(test)]\nmod tests").next().unwrap_or_default();
            let code = text.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n");
            (room, path, code)
        })
        .collect()
}

/// The names that follow `crate::`, also in braces.
fn used(code: &str) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for (at, found) in code.match_indices("crate::") {
        let rest = &code[at + found.len()..];
        let word = |text: &str| text.trim_start().chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect::<String>();
        let Some(group) = rest.strip_prefix('{') else {
            names.insert(word(rest));
            continue;
        };
        let mut depth = 0;
        let mut start = 0;
        for (index, c) in group.char_indices() {
            match c {
                '{' => depth += 1,
                ',' if depth == 0 => {
                    names.insert(word(&group[start..]));
                    start = index + 1;
                }
                '}' if depth == 0 => {
                    names.insert(word(&group[start..]));
                    break;
                }
                '}' => depth -= 1,
                _ => {}
            }
        }
    }
    names.remove("");
    names
}

#[test]
fn arrows_point_down_only() {
    let mut wrong = Vec::new();
    let mut seen = BTreeSet::new();
    for (room, path, code) in rooms() {
        let allowed =
            ARROWS.iter().find(|(name, _)| *name == room).unwrap_or_else(|| panic!("{room} is in no arrow: add it here and to ARCHITECTURE.md"));
        for name in used(&code).into_iter().filter(|name| *name != room) {
            seen.insert((room.clone(), name.clone()));
            if !allowed.1.contains(&name.as_str()) {
                wrong.push(format!("{}: {room} uses {name}", path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    // That the test sees anything at all.
    assert!(seen.contains(&("commands".to_owned(), "target".to_owned())) && seen.contains(&("engine".to_owned(), "net".to_owned())), "{seen:?}");
}

#[test]
fn crates_stay_in_their_rooms() {
    let mut wrong = Vec::new();
    for (room, path, code) in rooms() {
        for (krate, allowed) in CRATES {
            let used = [format!("use {krate}::"), format!(" {krate}::"), format!("({krate}::"), format!("<{krate}::"), format!("&{krate}::")];
            if used.iter().any(|used| code.contains(used.as_str())) && !allowed.contains(&room.as_str()) {
                wrong.push(format!("{}: {room} uses {krate}", path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn the_page_draws_every_arrow() {
    let page = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("ARCHITECTURE.md")).expect("the page");
    for (room, uses) in ARROWS {
        let row =
            page.lines().find(|line| line.starts_with(&format!("| `{room}` |"))).unwrap_or_else(|| panic!("ARCHITECTURE.md has no row for {room}"));
        let drawn: BTreeSet<&str> = row.split('|').nth(3).unwrap_or_default().split(',').map(str::trim).filter(|name| *name != "—").collect();
        assert_eq!(drawn, uses.iter().copied().collect(), "{row}");
    }
}

/// The names below the headings of Cargo.toml that end so.
fn dependencies(heading: &str) -> BTreeSet<String> {
    let manifest = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml")).expect("Cargo.toml");
    let sections = manifest.split("\n[").filter(|section| section.split(']').next().is_some_and(|name| name.rsplit('.').next() == Some(heading)));
    sections.flat_map(|section| section.lines().skip(1)).filter_map(|line| Some(line.split_once(" = ")?.0.to_owned())).collect()
}

#[test]
fn every_dependency_is_used_and_has_its_line() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let text = |dir: &str| sources(&root.join(dir)).iter().map(|path| fs::read_to_string(path).expect("a source")).collect::<String>();
    let (code, tests) = (text("src"), text("tests"));
    let uses = |code: &str, name: &str| {
        // The one crate whose library has another name.
        let path = format!("{}::", if name == "rustls-webpki" { "webpki" } else { name }.replace('-', "_"));
        // Not as the end of another name, nor as a module of ours.
        code.match_indices(&path).any(|(at, _)| !code[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == ':'))
    };
    let page = fs::read_to_string(root.join("ARCHITECTURE.md")).expect("the page");
    let section = page.split("## Dependencies").nth(1).and_then(|rest| rest.split("\n## ").next()).expect("the section");
    let (table, for_tests) = section.split_once("For tests alone:").expect("a word about those of tests");
    let rows = table.lines().filter_map(|line| line.strip_prefix("| ")?.split(" |").next());
    let rows: BTreeSet<String> = rows.filter(|row| *row != "crate").flat_map(|row| row.split(", ")).map(str::to_owned).collect();
    let shipped = dependencies("dependencies");
    assert!(shipped.len() > 30, "the test sees {shipped:?} only");
    assert_eq!(rows, shipped, "the table of ARCHITECTURE.md, and Cargo.toml");
    let unused: Vec<&String> = shipped.iter().filter(|name| !uses(&code, name)).collect();
    assert!(unused.is_empty(), "{unused:?}");
    for name in dependencies("dev-dependencies").difference(&shipped) {
        assert!(uses(&code, name) || uses(&tests, name), "{name} is not used");
        assert!(for_tests.split(|c: char| !c.is_alphanumeric() && c != '-').any(|word| word == name), "ARCHITECTURE.md: {name}");
    }
}

#[test]
fn the_oldest_compiler_is_said() {
    let readme = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")).expect("README.md");
    assert!(readme.contains(&format!("[Rust](https://rustup.rs) {} or newer", env!("CARGO_PKG_RUST_VERSION"))));
}

#[test]
fn files_and_functions_can_be_read() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut wrong = Vec::new();
    let mut functions = 0;
    for path in ["src", "tests"].into_iter().flat_map(|dir| sources(&root.join(dir))).chain([root.join("build.rs")]) {
        let text = fs::read_to_string(&path).expect("a source");
        let lines: Vec<&str> = text.lines().collect();
        if lines.len() > 600 {
            wrong.push(format!("{}: {} lines", path.display(), lines.len()));
        }
        // Also where its arguments take more than one line.
        let begins = |line: &&str| line.contains("fn ") && (line.ends_with('{') || line.ends_with('('));
        for (index, line) in lines.iter().enumerate().filter(|(_, line)| begins(line)) {
            // rustfmt puts the end of a function below its beginning.
            let indent = &line[..line.len() - line.trim_start().len()];
            let length = lines[index..].iter().position(|line| line.strip_prefix(indent) == Some("}")).unwrap_or_default() + 1;
            functions += 1;
            if length > 70 {
                wrong.push(format!("{}:{}: {length} lines", path.display(), index + 1));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(functions > 1000, "the test sees {functions} functions only");
}
