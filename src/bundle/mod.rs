//! A snapshot as a file that can be taken elsewhere: plain files in a `.tgz`, without secrets, judged anywhere.
//!
//! ```text
//!   Snapshot ─► layout ─► redact ─► YAML, logs, index.json ─► tar ─► gzip      write
//!   Snapshot ◄─ layout ◄──────────── within limits ◄───────── tar ◄─ gzip      read
//! ```
//!
//! Pure: it reads and writes nothing but what it is handed. A bundle comes from somebody else, so that reading bounds
//! everything: what is read, what it unpacks to, how many files there are and how much each may hold.
//!
//! # Decisions
//!
//! - **A bundle is what was judged, and comes from a stranger.** The snapshot goes out as YAML and logs, with the index that says what each
//!   file is, and comes back as the same value, so that it is judged by the same code. Every value passes redaction on its way into a file,
//!   also names; what was taken out is listed. Reading bounds what is unpacked, how many files, lines and YAML nodes there are, and takes
//!   nothing but plain files; nothing is ever unpacked onto a disk. The Kubernetes objects beside it are for people: no judgement reads them.

mod archive;
mod error;
mod index;
mod layout;
mod names;
mod pem;
mod read;
mod redact;
mod secrets;
mod text;
mod write;
mod yaml;

#[cfg(test)]
mod tests;

pub use error::BundleError;
pub use index::{Origin, Place, SCHEMA_VERSION};
pub use read::{Bundle, read};
pub use secrets::Reason;
pub use write::{Written, write};

/// The one directory at the top of the archive.
const TOP: &str = "nsmctl-bundle";
/// The file that says what the others are.
const INDEX: &str = "index.json";

/// What a bundle may take. What is written keeps within the same, so that it can be read.
mod limits {
    /// The file itself, in bytes: a hundred times what the example takes, and thousands of clients' logs.
    pub(super) const COMPRESSED: u64 = 64 << 20;
    /// All that it unpacks to, in bytes.
    pub(super) const UNPACKED: u64 = 256 << 20;
    /// One file in it, in bytes.
    pub(super) const FILE: u64 = 16 << 20;
    /// Files and directories.
    pub(super) const ENTRIES: usize = 20_000;
    /// The YAML nodes of all files: a client takes about 350. Each costs some fifty bytes of memory at most.
    pub(super) const NODES: usize = 2_000_000;
    /// How many bytes a node takes at least; what is written takes ten.
    pub(super) const NODE: usize = 5;
    /// The lines of all logs.
    pub(super) const LINES: usize = 2_000_000;
    /// What may stand before the index, in bytes, which is kept until it is known what it is. What is written begins with the index.
    pub(super) const EARLY: usize = 48 << 20;
    /// What may follow the archive's end, in bytes: tar fills up its last record, which is 10 KiB if nobody asks for more.
    pub(super) const PADDING: u64 = 1 << 20;
    /// The name of a file, in bytes.
    pub(super) const NAME: u64 = 4096;

    /// Where a list goes on in another file, in bytes.
    pub(super) const CHUNK: usize = 8 << 20;
    /// Logs, in bytes; the later ones are left out of a bundle that has more.
    pub(super) const LOGS: usize = 96 << 20;
    /// The objects for people to read, in bytes.
    pub(super) const OBJECTS: usize = 32 << 20;
}
