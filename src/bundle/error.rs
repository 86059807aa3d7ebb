use std::io;

use super::{INDEX, TOP, index::SCHEMA_VERSION, limits};

const MIB: u64 = 1 << 20;

/// Why a bundle cannot be written or read; each message fits after the file's name and a colon.
#[derive(Debug, thiserror::Error)]
pub enum BundleError {
    /// The system does not let it.
    #[error("it cannot be read: {0}")]
    Io(#[source] io::Error),
    /// There is nothing in it.
    #[error("it is empty")]
    Empty,
    /// Its first bytes are not gzip's.
    #[error("it is not gzip'ed, and a bundle is a .tgz")]
    NotGzip,
    /// It ends before its end, or was changed on its way.
    #[error("it is damaged: {0}")]
    Damaged(String),
    /// It is larger than any bundle.
    #[error("it is larger than {} MiB, and no bundle is", limits::COMPRESSED / MIB)]
    TooLarge,
    /// It unpacks to more than any bundle.
    #[error("it unpacks to more than {} MiB, and no bundle does", limits::UNPACKED / MIB)]
    TooMuch,
    /// There is more after the archive's end.
    #[error("it goes on after the archive's end")]
    Endless,
    /// A file in it is larger than any in a bundle.
    #[error("{path} in it is {size} bytes long, and no file of a bundle is longer than {} MiB", limits::FILE / MIB)]
    FileTooLarge {
        /// The file.
        path: String,
        /// What the archive says of its size.
        size: u64,
    },
    /// It has more files than any bundle.
    #[error("it has more than {} files, and no bundle has", limits::ENTRIES)]
    TooMany,
    /// A link, a device, or anything else that is neither a file nor a directory.
    #[error("{path} in it is {kind}, and a bundle has nothing but files and directories")]
    Special {
        /// Its name.
        path: String,
        /// What it is.
        kind: &'static str,
    },
    /// A name that leads out of the bundle, or is none.
    #[error("{path} in it {reason}")]
    Path {
        /// The name.
        path: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// Two files of one name.
    #[error("{0} is in it twice")]
    Twice(String),
    /// It has no index, so that it is another archive.
    #[error("it has no {TOP}/{INDEX}, so it is no bundle of nsmctl's")]
    NoIndex,
    /// It was packed again in another order, and is large.
    #[error("more than {} MiB of it stand before {INDEX}", limits::EARLY >> 20)]
    Late,
    /// A later nsmctl wrote it.
    #[error("its schema version is {version}, written by nsmctl {nsmctl}, and this nsmctl {} reads up to {SCHEMA_VERSION}", env!("CARGO_PKG_VERSION"))]
    Newer {
        /// Its schema version.
        version: u64,
        /// The nsmctl that wrote it.
        nsmctl: String,
    },
    /// A file in it is not what it should be.
    #[error("{file} in it cannot be read: {reason}")]
    Syntax {
        /// The file.
        file: String,
        /// What is wrong, and where.
        reason: String,
    },
    /// What is a name and could be something else in a shell.
    #[error("a name in it is none that Kubernetes takes: {0:?}")]
    Name(String),
    /// A part without which nothing can be judged is not there.
    #[error("it has no {0}, without which nothing can be judged")]
    Missing(&'static str),
    /// What was seen cannot be written.
    #[error("{file} cannot be written: {reason}")]
    Unwritable {
        /// The file.
        file: String,
        /// What is wrong.
        reason: String,
    },
}

impl BundleError {
    /// The next step.
    #[must_use]
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Io(_) => "name a file that you may read, or - for standard input, with --from",
            Self::Empty | Self::NotGzip | Self::NoIndex => "name a file that `nsmctl troubleshoot --bundle` has written",
            Self::Damaged(_) => "copy it once more from where it was written, or take another with `nsmctl troubleshoot --bundle`",
            Self::Late => "pack it with nsmctl-bundle/index.json first, as nsmctl does",
            Self::Newer { .. } => "read it with that nsmctl or a later one",
            Self::Syntax { .. } | Self::Missing(_) => {
                "was it changed by hand? take it from where it was written, or another with `nsmctl troubleshoot --bundle`"
            }
            Self::Unwritable { .. } => "this is more than a bundle can hold; ask about fewer workloads with --namespace or --manifests",
            Self::TooLarge
            | Self::TooMuch
            | Self::Endless
            | Self::FileTooLarge { .. }
            | Self::TooMany
            | Self::Special { .. }
            | Self::Path { .. }
            | Self::Twice(_)
            | Self::Name(_) => "nsmctl writes no such file; ask whoever sent it where it is from",
        }
    }
}
