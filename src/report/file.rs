//! Reports in files: a reader sees the whole one, or the one before, never a part.

use std::{
    fs,
    io::{self, ErrorKind, Write},
    path::{Path, PathBuf},
};

use tempfile::{Builder, NamedTempFile};

/// What a new file may be, before the process's umask takes its part.
const MODE: u32 = 0o666;
/// The same where what is in it is not for everybody.
const PRIVATE: u32 = 0o600;

/// Why a report cannot be written into a file.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// There is no such directory.
    #[error("the directory {} does not exist", .0.display())]
    NoDirectory(PathBuf),
    /// It names a directory.
    #[error("it is a directory")]
    Directory,
    /// It names a device, a pipe or a socket, which a file must not take the place of.
    #[error("it is no regular file")]
    Special,
    /// The system does not let it.
    #[error("{}", .0.kind())]
    Io(#[from] io::Error),
}

impl FileError {
    /// The next step.
    #[must_use]
    pub fn hint(&self) -> String {
        match self {
            Self::NoDirectory(dir) => format!("make it with mkdir -p {}, or name another file", dir.display()),
            Self::Directory => "name a file in it".to_owned(),
            Self::Special => "name a file; -o says what is printed on standard output".to_owned(),
            Self::Io(_) => "name a file in a directory that you may write to and that has room".to_owned(),
        }
    }
}

/// Sees that a report can be written into a file, and leaves everything as it is.
///
/// # Errors
/// It cannot. That it is there already is no error: it is replaced.
pub fn check_writable(path: &Path) -> Result<(), FileError> {
    prepare(path, MODE).map(|_| ())
}

/// Writes a text into a file beside its place, then puts it there.
pub(super) fn write(path: &Path, text: &str) -> Result<(), FileError> {
    put(path, text.as_bytes(), MODE)
}

/// Writes what is not for everybody into a file that only its owner may read, whole or not at all.
///
/// # Errors
/// The file cannot be written.
pub fn save_private(path: &Path, bytes: &[u8]) -> Result<(), FileError> {
    put(path, bytes, PRIVATE)
}

fn put(path: &Path, bytes: &[u8], mode: u32) -> Result<(), FileError> {
    let (mut file, place) = prepare(path, mode)?;
    file.write_all(bytes)?;
    file.persist(place).map_err(|error| error.error)?;
    Ok(())
}

/// A file beside the place where the report is to be, which goes by itself, and that place.
fn prepare(path: &Path, mode: u32) -> Result<(NamedTempFile, PathBuf), FileError> {
    let place = match fs::metadata(path) {
        Ok(there) if there.is_dir() => return Err(FileError::Directory),
        Ok(there) if !there.is_file() => return Err(FileError::Special),
        // Through a symbolic link, so that it stays one.
        Ok(_) => fs::canonicalize(path)?,
        Err(_) => path.to_owned(),
    };
    let dir = match place.parent() {
        Some(dir) if dir.as_os_str().is_empty() => Path::new("."),
        Some(dir) => dir,
        None => return Err(FileError::Directory),
    };
    match beside(dir, mode) {
        Ok(file) => Ok((file, place)),
        Err(error) if error.kind() == ErrorKind::NotFound => Err(FileError::NoDirectory(dir.to_owned())),
        Err(error) => Err(error.into()),
    }
}

#[cfg(unix)]
fn beside(dir: &Path, mode: u32) -> io::Result<NamedTempFile> {
    use std::os::unix::fs::PermissionsExt;
    Builder::new().prefix(".nsmctl-").permissions(fs::Permissions::from_mode(mode)).tempfile_in(dir)
}

/// The directory says who may read what is in it.
#[cfg(not(unix))]
fn beside(dir: &Path, _: u32) -> io::Result<NamedTempFile> {
    Builder::new().prefix(".nsmctl-").tempfile_in(dir)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_file_is_replaced_whole_and_nothing_else_is_left() {
        let dir = tempfile::tempdir().unwrap();
        let (path, link) = (dir.path().join("a.json"), dir.path().join("link"));
        check_writable(&path).unwrap();
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0, "to look leaves nothing behind");
        write(&path, "one").unwrap();
        std::os::unix::fs::symlink(&path, &link).unwrap();
        write(&link, "two").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "two");
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 2);
    }

    #[test]
    fn what_is_private_is_its_owners() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.tgz");
        write(&path, "open").unwrap();
        save_private(&path, b"closed").unwrap();
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!((fs::read(&path).unwrap().as_slice(), mode & 0o777), (b"closed".as_slice(), 0o600), "also where it was open before");
    }

    #[test]
    fn what_cannot_be_written_says_why() {
        let dir = tempfile::tempdir().unwrap();
        let reason = |path: &Path| check_writable(path).unwrap_err().to_string();
        let nowhere = dir.path().join("nowhere");
        assert_eq!(reason(&nowhere.join("a.xml")), format!("the directory {} does not exist", nowhere.display()));
        assert_eq!(reason(dir.path()), "it is a directory");
        assert_eq!(reason(Path::new("/dev/null")), "it is no regular file", "nothing takes the place of a device");
        assert_eq!(reason(Path::new("")), "it is a directory");
        let file = dir.path().join("file");
        fs::write(&file, "").unwrap();
        assert_eq!(reason(&file.join("a.xml")), "not a directory");
    }
}
