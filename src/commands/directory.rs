//! The directory that files are to be written into.

use std::{fs, io, path::Path};

use crate::model::{Failure, Result};

/// Makes it where it is not there; `option` is what names it on the command line.
pub(super) fn make(option: &str, dir: &Path) -> Result<()> {
    if dir.is_file() {
        return Err(Failure::failed(format!("{option} {} is a file", dir.display())).hint("name a directory; it is created if it does not exist"));
    }
    fs::create_dir_all(dir).map_err(|error| refused(&format!("{option} {} cannot be made", dir.display()), &error))
}

/// What the system does not let be done there.
pub(super) fn refused(what: &str, error: &io::Error) -> Failure {
    Failure::failed(format!("{what}: {error}")).hint("name a directory that you may write to and that has room")
}
