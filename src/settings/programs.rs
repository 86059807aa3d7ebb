//! `--program`: programs of this machine, seen to be such before anything is done.

use std::{
    fs,
    path::{Path, PathBuf, absolute},
};

use super::{Choice, wrong};
use crate::model::Result;

/// Reads the flags.
///
/// # Errors
/// One is no name and file, a name is given twice, a file is no program, or the target is a cluster.
pub(super) fn programs(flags: &[String], target: Choice) -> Result<Vec<(String, PathBuf)>> {
    let mut programs: Vec<(String, PathBuf)> = Vec::new();
    for text in flags {
        let flag = format!("--program {text}");
        if let Choice::Cluster(by) = target {
            let why = format!("{by} names a cluster, which runs images");
            return Err(wrong(&flag, why, "leave it out, or use this machine with --target local; --image gives a cluster another image"));
        }
        let (name, file) = match text.split_once('=') {
            Some((name, file)) if !name.is_empty() && !file.is_empty() => (name, file),
            _ => return Err(wrong(&flag, "it is no image and program", "say it as in --program cmd-nse-icmp-responder=./my-endpoint")),
        };
        let path = absolute(file).unwrap_or_else(|_| PathBuf::from(file));
        check(&path).map_err(|why| wrong(&flag, why, "name a file that this user may execute"))?;
        if let Some((_, before)) = programs.iter().find(|(known, before)| known == name && *before != path) {
            let why = format!("{name} was given the program {} before", before.display());
            return Err(wrong(&flag, why, "give each image one program"));
        }
        programs.push((name.to_owned(), path));
    }
    Ok(programs)
}

/// Whether a file is a program, as far as can be told without running it.
fn check(path: &Path) -> Result<(), String> {
    let metadata = fs::metadata(path).map_err(|error| format!("cannot read {}: {error}", path.display()))?;
    if !metadata.is_file() {
        return Err(format!("{} is not a file", path.display()));
    }
    executable(path, &metadata.permissions())
}

/// Whether this user may execute it.
#[cfg(unix)]
fn executable(path: &Path, permissions: &fs::Permissions) -> Result<(), String> {
    use std::os::unix::fs::PermissionsExt;

    use rustix::fs::{Access, access};

    // Root may do everything but that: somebody must be allowed to execute it.
    let mode = permissions.mode();
    let may = mode & 0o111 != 0 && access(path, Access::EXEC_OK).is_ok();
    if may { Ok(()) } else { Err(format!("{} may not be executed (mode {:o})", path.display(), mode & 0o777)) }
}

/// Systems that know no such permission run no engine either: this machine is no target there.
#[cfg(not(unix))]
fn executable(_path: &Path, _permissions: &fs::Permissions) -> Result<(), String> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(flags: &[&str]) -> Result<Vec<(String, PathBuf)>, String> {
        let flags: Vec<String> = flags.iter().map(|flag| (*flag).to_owned()).collect();
        programs(&flags, Choice::Auto).map_err(|failure| {
            assert!(failure.outcome.code() == 2 && failure.hint.is_some());
            failure.message()
        })
    }

    #[test]
    #[cfg(unix)]
    fn what_is_no_program_is_refused() {
        use std::os::unix::fs::PermissionsExt;

        let dir = tempfile::tempdir().unwrap();
        let plain = dir.path().join("plain");
        fs::write(&plain, "x").unwrap();
        fs::set_permissions(&plain, fs::Permissions::from_mode(0o644)).unwrap();
        let plain = plain.display().to_string();
        assert_eq!(asked(&["a=/bin/sh", "b=/bin/sh", "a=/bin/sh"]).unwrap().len(), 3);
        for (flag, why) in [
            ("a", "it is no image and program".to_owned()),
            ("=x", "it is no image and program".to_owned()),
            ("a=", "it is no image and program".to_owned()),
            ("a=/nowhere/x", "cannot read /nowhere/x: No such file or directory (os error 2)".to_owned()),
            ("a=/", "/ is not a file".to_owned()),
            (&format!("a={plain}"), format!("{plain} may not be executed (mode 644)")),
        ] {
            assert_eq!(asked(&[flag]).unwrap_err(), format!("--program {flag}: {why}"));
        }
        assert_eq!(asked(&["a=/bin/sh", "a=/bin/cat"]).unwrap_err(), "--program a=/bin/cat: a was given the program /bin/sh before");
    }

    #[test]
    fn a_cluster_runs_images() {
        let failure = programs(&["a=/bin/sh".to_owned()], Choice::Cluster("--context")).unwrap_err();
        assert_eq!(failure.message(), "--program a=/bin/sh: --context names a cluster, which runs images");
    }
}
