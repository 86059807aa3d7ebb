//! Tells the program what it was built from: the commit, the target and the compiler. Needs neither git nor a network.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let root = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").unwrap_or_default());
    let commit = of_package(&root).or_else(|| of_repository(&root)).unwrap_or_else(|| "unknown".to_owned());
    println!("cargo::rustc-env=NSMCTL_BUILD_COMMIT={commit}");
    println!("cargo::rustc-env=NSMCTL_BUILD_TARGET={}", env::var("TARGET").unwrap_or_else(|_| "unknown".to_owned()));
    println!("cargo::rustc-env=NSMCTL_BUILD_RUSTC={}", compiler().unwrap_or_else(|| "unknown".to_owned()));
}

/// The commit that a package was made from, as `cargo package` notes it.
fn of_package(root: &Path) -> Option<String> {
    let path = root.join(".cargo_vcs_info.json");
    let text = read(&path)?;
    let (_, after) = text.split_once("\"sha1\"")?;
    after.split('"').nth(1).and_then(commit)
}

/// The commit that is checked out, read from git's own files (gitrepository-layout(5)).
fn of_repository(root: &Path) -> Option<String> {
    let dot_git = root.join(".git");
    // In a work tree of its own it is a file that says where.
    let dir = match read(&dot_git) {
        Some(text) => root.join(text.strip_prefix("gitdir:")?.trim()),
        None => dot_git,
    };
    let head = read(&dir.join("HEAD"))?;
    let Some(name) = head.trim().strip_prefix("ref: ") else { return commit(head.trim()) };
    // What all work trees share.
    let common = read(&dir.join("commondir")).map_or_else(|| dir.clone(), |text| dir.join(text.trim()));
    if let Some(id) = read(&dir.join(name)).or_else(|| read(&common.join(name))) {
        return commit(id.trim());
    }
    let packed = read(&common.join("packed-refs"))?;
    packed.lines().find_map(|line| line.strip_suffix(name)?.strip_suffix(' ')).and_then(commit)
}

/// A commit's id, of SHA-1 or SHA-256; nothing else gets into the program.
fn commit(text: &str) -> Option<String> {
    let is_id = matches!(text.len(), 40 | 64) && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_id.then(|| text.to_owned())
}

/// A file, whose change is a reason to run this again.
fn read(path: &Path) -> Option<String> {
    let text = fs::read_to_string(path).ok()?;
    println!("cargo::rerun-if-changed={}", path.display());
    Some(text)
}

fn compiler() -> Option<String> {
    let output = Command::new(env::var_os("RUSTC")?).arg("--version").output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    Some(text.trim().trim_start_matches("rustc ").to_owned())
}
