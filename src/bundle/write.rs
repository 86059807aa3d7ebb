use std::io::{self, Write};

use flate2::{Compression, write::GzEncoder};
use tar::{Builder, EntryType, Header};

use super::{
    INDEX, TOP,
    error::BundleError,
    index::{Index, Origin, Place, SCHEMA_VERSION},
    layout::Files,
    limits,
    redact::Redactor,
};
use crate::model::{RawObjects, Snapshot};

/// A bundle.
#[derive(Debug)]
pub struct Written {
    /// The file.
    pub bytes: Vec<u8>,
    /// How many things were taken out.
    pub redacted: u32,
    /// What is not in it, and why.
    pub notices: Vec<String>,
}

/// Writes a snapshot, and objects for people to read beside it, as a bundle.
///
/// # Errors
/// There is more than a bundle can hold. That logs or objects are too many is none: some are left out, and that is said.
pub fn write(snapshot: &Snapshot, objects: &[RawObjects], origin: &Origin) -> Result<Written, BundleError> {
    write_within(snapshot, objects, origin, limits::LOGS)
}

/// The same with so many bytes of logs at most.
pub(super) fn write_within(snapshot: &Snapshot, objects: &[RawObjects], origin: &Origin, logs: usize) -> Result<Written, BundleError> {
    let mut files = Files::default();
    files.snapshot(snapshot, logs)?;
    files.objects(objects);
    let Files { files, parts, notices, redactor, .. } = files;
    let (redacted, redacted_beyond, count) = redactor.list();
    let index = Index {
        schema_version: SCHEMA_VERSION,
        origin: &clean(origin),
        taken_at: snapshot.observation.taken_at,
        planned: snapshot.planned,
        parts: &parts,
        notices: &notices,
        redacted: &redacted,
        redacted_beyond,
    };
    let unwritable = |error: &dyn std::fmt::Display| BundleError::Unwritable { file: INDEX.to_owned(), reason: error.to_string() };
    let mut index = serde_json::to_vec_pretty(&index).map_err(|error| unwritable(&error))?;
    index.push(b'\n');
    let all = std::iter::once((INDEX, index.as_slice())).chain(files.iter().map(|(path, text)| (path.as_str(), text.as_bytes())));
    let bytes = pack(all, snapshot.observation.taken_at).map_err(|error| unwritable(&error))?;
    if bytes.len() as u64 > limits::COMPRESSED || index.len() as u64 > limits::FILE {
        return Err(unwritable(&"there is too much of it"));
    }
    Ok(Written { bytes, redacted: count, notices })
}

fn clean(origin: &Origin) -> Origin {
    let name = |text: &String| Redactor::name(text);
    let target = match &origin.target {
        Place::Cluster { server, context, version } => {
            Place::Cluster { server: name(server), context: context.as_ref().map(name), version: version.as_ref().map(name) }
        }
        Place::Local => Place::Local,
    };
    Origin { target, namespace: origin.namespace.as_ref().map(name), cut_short: origin.cut_short.as_ref().map(name), ..origin.clone() }
}

/// The archive: as it is, whoever writes it, but for the time.
fn pack<'a>(files: impl Iterator<Item = (&'a str, &'a [u8])>, time: i64) -> io::Result<Vec<u8>> {
    let mut archive = Builder::new(GzEncoder::new(Vec::new(), Compression::default()));
    for (path, bytes) in files {
        let mut header = Header::new_ustar();
        header.set_entry_type(EntryType::Regular);
        header.set_path(format!("{TOP}/{path}"))?;
        header.set_size(bytes.len() as u64);
        // What was on a cluster is for those who may look at it.
        header.set_mode(0o600);
        header.set_mtime(u64::try_from(time).unwrap_or_default());
        header.set_cksum();
        archive.append(&header, bytes)?;
    }
    let mut bytes = archive.into_inner()?.finish()?;
    bytes.flush()?;
    Ok(bytes)
}
