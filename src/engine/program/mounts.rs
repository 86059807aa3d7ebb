//! What of this machine's files a sandbox sees otherwise: folders that are not there, and a file of its own.

use std::{
    fs::{self, File, OpenOptions},
    io,
    os::{
        fd::AsRawFd,
        unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt, symlink},
    },
    path::{Path, PathBuf},
};

use super::TEMPORARY;
use rustix::{
    fs::OFlags,
    mount::{MountFlags, MountPropagationFlags, mount, mount_bind, mount_bind_recursive, mount_change},
};

/// The file that says how names are resolved. NSM's client writes to it.
const RESOLVER: &str = "/etc/resolv.conf";

/// Makes folders appear where a program expects them, gives it a copy of the resolver's configuration, and covers the engine's
/// own directory. Nothing on a disk is changed: where a folder is missing, its nearest parent is covered by one in memory, in
/// which everything else of it is shown again.
///
/// Must be called in a mount namespace of one's own.
///
/// # Errors
/// The kernel refused a mount.
pub(super) fn arrange(shown: &[(PathBuf, PathBuf)], hidden: &Path) -> io::Result<()> {
    let because = |what: String| move |error: io::Error| io::Error::new(error.kind(), format!("{what}: {error}"));
    mount_change("/", MountPropagationFlags::PRIVATE | MountPropagationFlags::REC).map_err(|error| because("mounts".to_owned())(error.into()))?;
    // All of them before the first mount, which may cover them.
    let sources = shown.iter().map(|(source, at)| Ok((look(source)?, at))).collect::<io::Result<Vec<_>>>()?;
    let resolver = fs::read(RESOLVER).unwrap_or_default();
    cover(hidden).map_err(because(hidden.display().to_string()))?;
    // What is to be seen within it has its place there already: nothing has to be covered for that once more.
    sources.iter().filter(|(_, at)| at.starts_with(hidden)).try_for_each(|(_, at)| fs::create_dir_all(at))?;
    let copy = hidden.join("resolv.conf");
    fs::write(&copy, resolver)?;
    let copy = look(&copy)?;
    let temporary = hidden.join(TEMPORARY);
    fs::create_dir(&temporary)?;
    fs::set_permissions(&temporary, fs::Permissions::from_mode(0o1777))?;
    for (source, at) in sources.iter().map(|(source, at)| (source, at.as_path())).chain([(&copy, Path::new(RESOLVER))]) {
        show(source, at).map_err(because(at.display().to_string()))?;
    }
    Ok(())
}

/// Puts a /proc here that shows the processes of this PID namespace.
///
/// # Errors
/// The kernel refused.
pub(super) fn own_proc() -> io::Result<()> {
    Ok(mount("proc", "/proc", "proc", MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC, None)?)
}

/// A file or folder, found again whatever covers its path later.
fn look(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).custom_flags(i32::try_from(OFlags::PATH.bits()).unwrap_or_default()).open(path)
}

fn again(file: &File) -> PathBuf {
    PathBuf::from(format!("/proc/self/fd/{}", file.as_raw_fd()))
}

/// An empty folder in memory over another.
fn cover(dir: &Path) -> io::Result<()> {
    let mode = fs::metadata(dir)?.permissions().mode();
    mount("sandbox", dir, "tmpfs", MountFlags::NOSUID | MountFlags::NODEV, None)?;
    fs::set_permissions(dir, fs::Permissions::from_mode(mode & 0o7777))
}

/// Shows a file or folder at a path, where nothing need be yet.
fn show(source: &File, at: &Path) -> io::Result<()> {
    if fs::metadata(at).is_err() {
        let parent = at.ancestors().skip(1).find(|dir| dir.is_dir()).unwrap_or(Path::new("/"));
        let rest = at.strip_prefix(parent).map_err(io::Error::other)?.to_owned();
        let parent = parent.canonicalize()?;
        open_up(&parent)?;
        let at = parent.join(rest);
        place(&at, source.metadata()?.is_dir())?;
        return Ok(mount_bind(again(source), &at)?);
    }
    Ok(mount_bind(again(source), at)?)
}

/// Something to mount on.
fn place(at: &Path, is_dir: bool) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true).mode(0o755);
    if is_dir {
        return builder.create(at);
    }
    at.parent().map_or(Ok(()), |parent| builder.create(parent))?;
    // What is there already will do as well; it may be a link that leads nowhere.
    if fs::symlink_metadata(at).is_ok_and(|found| found.is_symlink()) {
        fs::remove_file(at)?;
    }
    File::create(at).map(drop)
}

/// Covers a folder by one in memory in which something can be made, and shows everything else of it there again.
fn open_up(dir: &Path) -> io::Result<()> {
    let before = look(dir)?;
    let entries: Vec<fs::DirEntry> = fs::read_dir(dir)?.collect::<io::Result<_>>()?;
    cover(dir)?;
    for entry in entries {
        let (from, to) = (again(&before).join(entry.file_name()), dir.join(entry.file_name()));
        let kind = entry.file_type()?;
        // What cannot be shown again, because it went meanwhile or is closed to this user, is left out.
        let _ = match () {
            () if kind.is_symlink() => fs::read_link(&from).and_then(|target| symlink(target, &to)),
            () if kind.is_dir() => fs::create_dir(&to).and_then(|()| Ok(mount_bind_recursive(&from, &to)?)),
            () => File::create(&to).and_then(|_| Ok(mount_bind(&from, &to)?)),
        };
    }
    Ok(())
}
