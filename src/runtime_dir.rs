//! The directory for what lives no longer than the machine runs: the engine's socket, and locks.

use std::{
    env,
    fs::{self, DirBuilder},
    io,
    path::{Path, PathBuf},
};

#[cfg(unix)]
use nix::unistd::{Uid, User, geteuid};

use crate::model::{Failure, Result};

/// The environment variable that names the directory.
pub const VARIABLE: &str = "NSMCTL_RUNTIME_DIR";

/// Where it is: `$NSMCTL_RUNTIME_DIR`; else `nsmctl` in `$XDG_RUNTIME_DIR`, as the XDG Base Directory Specification has it;
/// else `/run/nsmctl` for root and `/tmp/nsmctl-UID` for others.
#[must_use]
pub fn locate() -> PathBuf {
    let set = |name: &str| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    #[cfg(unix)]
    return from(set(VARIABLE), set("XDG_RUNTIME_DIR"), geteuid().as_raw());
    // Windows has a directory for each user there.
    #[cfg(not(unix))]
    return set(VARIABLE).unwrap_or_else(|| env::temp_dir().join("nsmctl"));
}

#[cfg(unix)]
fn from(own: Option<PathBuf>, xdg: Option<PathBuf>, user: u32) -> PathBuf {
    match (own, xdg, user) {
        (Some(own), ..) => own,
        // Root keeps to its own place: sudo passes on the directory of the user, who could stand in the way there.
        (None, _, 0) => PathBuf::from("/run/nsmctl"),
        // The specification wants an absolute path and has others ignored.
        (None, Some(xdg), _) if xdg.is_absolute() => xdg.join("nsmctl"),
        (None, ..) => PathBuf::from(format!("/tmp/nsmctl-{user}")),
    }
}

/// Makes a directory, or sees that it is ours alone: whoever may write in it could stand between nsmctl and its engine.
///
/// # Errors
/// It cannot be made, or others have a right in it.
pub fn prepare(dir: &Path) -> Result<()> {
    let mut builder = DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.recursive(true).create(dir).map_err(|error| failed("make the directory", dir, &error))?;
    check(dir)
}

/// Sees that a directory is ours alone.
///
/// # Errors
/// It does not exist, or others have a right in it.
pub fn check(dir: &Path) -> Result<()> {
    let metadata = fs::symlink_metadata(dir).map_err(|error| failed("read", dir, &error))?;
    if !metadata.is_dir() {
        return Err(refuse(dir, "is not a directory", CHOOSE));
    }
    is_ours(dir, &metadata)
}

const CHOOSE: &str = "choose another with NSMCTL_RUNTIME_DIR";

fn refuse(dir: &Path, what: &str, hint: &str) -> Failure {
    Failure::failed(format!("the directory {} {what}", dir.display())).hint(hint)
}

/// What is in a user's own directory is for that user: Windows sees to it.
#[cfg(not(unix))]
fn is_ours(_: &Path, _: &fs::Metadata) -> Result<()> {
    Ok(())
}

#[cfg(unix)]
fn is_ours(dir: &Path, metadata: &fs::Metadata) -> Result<()> {
    use std::os::unix::fs::MetadataExt;
    if metadata.uid() != geteuid().as_raw() {
        let owner = format!("belongs to the user {}", user_name(metadata.uid()));
        return Err(refuse(dir, &owner, &format!("{CHOOSE}, or become that user")));
    }
    if metadata.mode() & 0o077 != 0 {
        let hint = format!("close it with `chmod 700 {}`, or {CHOOSE}", dir.display());
        return Err(refuse(dir, &format!("is open to others (mode {:o})", metadata.mode() & 0o777), &hint));
    }
    Ok(())
}

/// Whether there is something at a path in the directory.
///
/// # Errors
/// The directory, or one above it, may not be entered: what it holds cannot be told then.
pub fn holds(path: &Path) -> Result<bool> {
    match fs::metadata(path) {
        Ok(_) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Err(closed(path, &error)),
        Err(_) => Ok(false),
    }
}

#[cfg(not(unix))]
fn closed(path: &Path, error: &io::Error) -> Failure {
    Failure::cannot_tell(format!("cannot read {}: {error}", path.display())).hint(CHOOSE)
}

/// Of the directories that lead to a path, the innermost that can be seen is the one that cannot be entered.
#[cfg(unix)]
fn closed(path: &Path, error: &io::Error) -> Failure {
    use std::os::unix::fs::MetadataExt;
    let seen = path.ancestors().skip(1).find_map(|dir| Some((dir, fs::metadata(dir).ok()?.uid())));
    let Some((dir, owner)) = seen else { return Failure::cannot_tell(format!("cannot read {}: {error}", path.display())) };
    let name = user_name(owner);
    Failure::cannot_tell(format!("the directory {} belongs to the user {name} and may not be entered: {error}", dir.display()))
        .hint(format!("become the user {name}, or choose another directory with {VARIABLE}"))
}

/// The user's name, or the number where there is none.
#[cfg(unix)]
fn user_name(user: u32) -> String {
    User::from_uid(Uid::from_raw(user)).ok().flatten().map_or_else(|| user.to_string(), |user| user.name)
}

/// Removes the directory if nothing is in it.
pub fn tidy(dir: &Path) {
    // Where something is in it, or it is not there, nothing is to be done.
    let _ = fs::remove_dir(dir);
}

fn failed(what: &str, path: &Path, error: &io::Error) -> Failure {
    Failure::failed(format!("cannot {what} {}: {error}", path.display())).hint(format!("choose another directory with {VARIABLE}"))
}

#[cfg(test)]
mod tests {
    use std::{fs::Permissions, os::unix::fs::PermissionsExt};

    use super::*;

    #[test]
    fn what_is_nearest_is_taken() {
        let path = |text: &str| Some(PathBuf::from(text));
        assert_eq!(from(path("/a"), path("/run/user/1"), 0), PathBuf::from("/a"));
        assert_eq!(from(None, path("/run/user/1"), 1), PathBuf::from("/run/user/1/nsmctl"));
        assert_eq!(from(None, path("/run/user/1"), 0), PathBuf::from("/run/nsmctl"));
        assert_eq!(from(None, path("relative"), 1), PathBuf::from("/tmp/nsmctl-1"));
        assert_eq!(from(None, None, 1), PathBuf::from("/tmp/nsmctl-1"));
    }

    #[test]
    fn a_directory_that_others_can_use_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        fs::set_permissions(dir.path(), Permissions::from_mode(0o755)).unwrap();
        let failure = prepare(dir.path()).unwrap_err();
        assert!(failure.message().ends_with("is open to others (mode 755)"), "{}", failure.message());
        fs::set_permissions(dir.path(), Permissions::from_mode(0o700)).unwrap();
        prepare(dir.path()).unwrap();
        prepare(&dir.path().join("deeper/still")).unwrap();
    }
}
