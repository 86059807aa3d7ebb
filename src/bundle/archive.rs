//! The files of an archive that anybody may have made.

use std::{
    cell::Cell,
    collections::HashSet,
    io::{self, Read},
    rc::Rc,
};

use flate2::read::GzDecoder;
use tar::{Archive, Entry, EntryType};

use super::{TOP, error::BundleError, limits};

/// How gzip begins (RFC 1952).
const MAGIC: [u8; 2] = [0x1f, 0x8b];

/// Passes on so many bytes, and then says that there are more.
struct Limited<R> {
    inner: R,
    left: u64,
    exceeded: Rc<Cell<bool>>,
}

impl<R> Limited<R> {
    fn new(inner: R, left: u64) -> (Self, Rc<Cell<bool>>) {
        let exceeded = Rc::new(Cell::new(false));
        (Self { inner, left, exceeded: exceeded.clone() }, exceeded)
    }
}

impl<R: Read> Read for Limited<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        // One more than is left tells the end of what is allowed from the end of what there is.
        let room = usize::try_from(self.left.saturating_add(1)).unwrap_or(usize::MAX).min(buffer.len());
        let read = self.inner.read(&mut buffer[..room])?;
        match self.left.checked_sub(read as u64) {
            Some(left) => self.left = left,
            None => {
                self.exceeded.set(true);
                return Err(io::Error::other("there is more than is read"));
            }
        }
        Ok(read)
    }
}

/// Remembers what the system says, which is told from what is wrong with the file.
struct Source<R> {
    inner: R,
    error: Rc<Cell<Option<io::Error>>>,
}

impl<R: Read> Read for Source<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.inner.read(buffer).inspect_err(|error| {
            if error.kind() != io::ErrorKind::Interrupted {
                let same = error.raw_os_error().map_or_else(|| io::Error::new(error.kind(), error.to_string()), io::Error::from_raw_os_error);
                self.error.set(Some(same));
            }
        })
    }
}

/// Hands each file of an archive to `take`, with its path below the top directory. What is outside of that is passed over.
pub(super) fn files(from: impl Read, mut take: impl FnMut(&str, Vec<u8>) -> Result<(), BundleError>) -> Result<(), BundleError> {
    let error = Rc::new(Cell::new(None));
    let mut source = Source { inner: from, error: error.clone() };
    let mut magic = Vec::new();
    (&mut source).take(MAGIC.len() as u64).read_to_end(&mut magic).map_err(BundleError::Io)?;
    match magic.as_slice() {
        [] => return Err(BundleError::Empty),
        magic if *magic != MAGIC => return Err(BundleError::NotGzip),
        _ => {}
    }
    let (compressed, too_large) = Limited::new(magic.chain(source), limits::COMPRESSED);
    let (unpacked, too_much) = Limited::new(GzDecoder::new(compressed), limits::UNPACKED);
    let damage = |reason: io::Error| match error.take() {
        Some(error) => BundleError::Io(error),
        None if too_large.get() => BundleError::TooLarge,
        None if too_much.get() => BundleError::TooMuch,
        None if reason.kind() == io::ErrorKind::UnexpectedEof => BundleError::Damaged("it ends early".to_owned()),
        None => BundleError::Damaged(reason.to_string()),
    };
    let mut archive = Archive::new(unpacked);
    let mut names = Names::default();
    // Raw: what says how the next one is called is read here, within limits.
    for (count, entry) in archive.entries().map_err(damage)?.raw(true).enumerate() {
        let mut entry = entry.map_err(damage)?;
        if count >= limits::ENTRIES {
            return Err(BundleError::TooMany);
        }
        // Whatever it is: it has to be unpacked to come to the next.
        let size = entry.header().entry_size().map_err(damage)?;
        if size > limits::FILE {
            return Err(BundleError::FileTooLarge { path: entry.path_bytes().escape_ascii().to_string(), size });
        }
        let Some(path) = names.of(&mut entry, damage)? else { continue };
        let path = match inside(&path)? {
            Some(path) if entry.header().entry_type() != EntryType::Directory => path.to_owned(),
            _ => continue,
        };
        names.once(&path)?;
        let bytes = content(&mut entry, &path, limits::FILE, damage)?;
        take(&path, bytes)?;
    }
    // To the end: gzip's checksum stands there, and there is nothing else.
    let rest = io::copy(&mut archive.into_inner().take(limits::PADDING + 1), &mut io::sink()).map_err(damage)?;
    if rest > limits::PADDING { Err(BundleError::Endless) } else { Ok(()) }
}

fn content(entry: &mut Entry<'_, impl Read>, path: &str, most: u64, damage: impl Fn(io::Error) -> BundleError) -> Result<Vec<u8>, BundleError> {
    let size = entry.header().entry_size().map_err(&damage)?;
    if size > most {
        return Err(BundleError::FileTooLarge { path: path.escape_debug().to_string(), size });
    }
    // As much as it says, which is not more than is allowed.
    let mut bytes = Vec::with_capacity(usize::try_from(size).unwrap_or_default());
    entry.read_to_end(&mut bytes).map_err(&damage)?;
    if bytes.len() as u64 == size { Ok(bytes) } else { Err(damage(io::ErrorKind::UnexpectedEof.into())) }
}

/// The names so far, and the one that was said before its file.
#[derive(Default)]
struct Names {
    next: Option<String>,
    taken: HashSet<String>,
}

impl Names {
    /// The name of a file or directory; none for what only says something of the next.
    fn of(&mut self, entry: &mut Entry<'_, impl Read>, damage: impl Fn(io::Error) -> BundleError) -> Result<Option<String>, BundleError> {
        let text = |bytes: &[u8]| {
            let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
            let wrong = || BundleError::Path { path: bytes[..end].escape_ascii().to_string(), reason: "has a name that is not UTF-8" };
            std::str::from_utf8(&bytes[..end]).map(str::to_owned).map_err(|_| wrong())
        };
        let kind = match entry.header().entry_type() {
            EntryType::Regular | EntryType::Continuous | EntryType::Directory => {
                let own = text(&entry.path_bytes())?;
                return Ok(Some(self.next.take().unwrap_or(own)));
            }
            // GNU tar's and bsdtar's ways of saying a long name: whoever has packed it again may have used them.
            EntryType::GNULongName => {
                self.next = Some(text(&content(entry, "a name", limits::NAME, damage)?)?);
                return Ok(None);
            }
            EntryType::XHeader => {
                let said = content(entry, "an extended header", 16 * limits::NAME, damage)?;
                self.next = path_of_pax(&said).map(text).transpose()?.or(self.next.take());
                return Ok(None);
            }
            EntryType::XGlobalHeader => return Ok(None),
            EntryType::Symlink | EntryType::Link | EntryType::GNULongLink => "a link",
            EntryType::Char | EntryType::Block => "a device",
            EntryType::Fifo => "a pipe",
            _ => "of an unknown kind",
        };
        let path = entry.path_bytes().escape_ascii().to_string();
        Err(BundleError::Special { path, kind })
    }

    fn once(&mut self, path: &str) -> Result<(), BundleError> {
        if self.taken.insert(path.to_owned()) { Ok(()) } else { Err(BundleError::Twice(path.escape_debug().to_string())) }
    }
}

/// The path that pax's records say, `LENGTH path=NAME\n` each.
fn path_of_pax(mut records: &[u8]) -> Option<&[u8]> {
    let mut path = None;
    while let Some(space) = records.iter().position(|byte| *byte == b' ') {
        let length: usize = std::str::from_utf8(&records[..space]).ok()?.parse().ok()?;
        let record = records.get(space + 1..length)?;
        path = record.strip_prefix(b"path=").map(|path| path.strip_suffix(b"\n").unwrap_or(path)).or(path);
        records = &records[length..];
    }
    path
}

/// The path below the top directory; none for what is outside of it and does no harm there.
fn inside(path: &str) -> Result<Option<&str>, BundleError> {
    let wrong = |reason| Err(BundleError::Path { path: path.escape_debug().to_string(), reason });
    if path.starts_with(['/', '\\']) || path.as_bytes().get(1) == Some(&b':') {
        return wrong("has an absolute path");
    }
    if path.split(['/', '\\']).any(|part| part == "..") {
        return wrong("leads out of the bundle");
    }
    if path.chars().any(char::is_control) {
        return wrong("has a control character in its name");
    }
    // `tar czf b.tgz ./nsmctl-bundle` writes them so.
    let path = path.trim_start_matches("./");
    Ok(path.strip_prefix(TOP).and_then(|rest| rest.strip_prefix('/')).filter(|rest| !rest.is_empty()))
}
