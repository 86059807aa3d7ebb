//! Bundles that nobody would send who means well.

use std::{
    cell::Cell,
    io::{self, Read, Write},
    rc::Rc,
};

use flate2::{Compression, write::GzEncoder};
use tar::{Builder, EntryType, Header};

use super::{super::limits, *};

/// An archive of these, written as it comes: the library that writes archives would refuse half of them.
fn archive(entries: &[(&str, EntryType, &[u8])]) -> Vec<u8> {
    let mut archive = Builder::new(GzEncoder::new(Vec::new(), Compression::fast()));
    for (name, kind, bytes) in entries {
        archive.append(&header(name, *kind, bytes.len() as u64), *bytes).unwrap();
    }
    archive.into_inner().unwrap().finish().unwrap()
}

fn header(name: &str, kind: EntryType, size: u64) -> Header {
    let mut header = Header::new_gnu();
    header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
    header.set_entry_type(kind);
    header.set_size(size);
    header.set_mode(0o644);
    header.set_cksum();
    header
}

fn refused(bytes: &[u8]) -> String {
    let error = read(bytes).unwrap_err();
    assert!(!error.hint().is_empty());
    error.to_string()
}

const FILE: EntryType = EntryType::Regular;

#[test]
fn what_is_no_archive_is_refused() {
    let good = written(&healthy()).bytes;
    for length in [10, 100, good.len() / 2, good.len() - 9, good.len() - 1] {
        assert_eq!(refused(&good[..length]), "it is damaged: it ends early", "{length} of {}", good.len());
    }
    let mut changed = good.clone();
    let last = changed.len() - 6;
    changed[last] ^= 1;
    assert!(refused(&changed).starts_with("it is damaged: "), "the checksum counts");
    assert_eq!(refused(b""), "it is empty");
    assert_eq!(refused(b"apiVersion: v1"), "it is not gzip'ed, and a bundle is a .tgz");
    assert_eq!(refused(&[0x1f]), "it is not gzip'ed, and a bundle is a .tgz");
    let mut text = GzEncoder::new(Vec::new(), Compression::fast());
    text.write_all(&b"no archive".repeat(100)).unwrap();
    assert!(refused(&text.finish().unwrap()).starts_with("it is damaged: "));
    assert_eq!(refused(&archive(&[("other/a", FILE, b"x")])), "it has no nsmctl-bundle/index.json, so it is no bundle of nsmctl's");
}

#[test]
fn names_that_lead_elsewhere_are_refused() {
    for (name, says) in [
        ("../evil", "../evil in it leads out of the bundle"),
        ("nsmctl-bundle/../../evil", "nsmctl-bundle/../../evil in it leads out of the bundle"),
        ("nsmctl-bundle\\..\\evil", "nsmctl-bundle\\\\..\\\\evil in it leads out of the bundle"),
        ("/etc/passwd", "/etc/passwd in it has an absolute path"),
        ("C:/evil", "C:/evil in it has an absolute path"),
        ("nsmctl-bundle/\u{1b}[31m", "nsmctl-bundle/\\u{1b}[31m in it has a control character in its name"),
    ] {
        assert_eq!(refused(&archive(&[(name, FILE, b"x")])), says);
        assert_eq!(refused(&archive(&[(name, EntryType::Directory, b"")])), says);
        let long = archive(&[("long", EntryType::GNULongName, name.as_bytes()), ("nsmctl-bundle/a", FILE, b"x")]);
        assert_eq!(refused(&long), says);
    }
    let twice = archive(&[("nsmctl-bundle/a", FILE, b"x"), ("./nsmctl-bundle/a", FILE, b"y")]);
    assert_eq!(refused(&twice), "a is in it twice");
}

#[test]
fn links_and_devices_are_refused() {
    for (kind, says) in [
        (EntryType::Symlink, "a link"),
        (EntryType::Link, "a link"),
        (EntryType::GNULongLink, "a link"),
        (EntryType::Char, "a device"),
        (EntryType::Block, "a device"),
        (EntryType::Fifo, "a pipe"),
        (EntryType::GNUSparse, "of an unknown kind"),
    ] {
        let refused = refused(&archive(&[("nsmctl-bundle/index.json", kind, b"")]));
        assert_eq!(refused, format!("nsmctl-bundle/index.json in it is {says}, and a bundle has nothing but files and directories"));
    }
}

/// Counts what is read of something that has no end.
struct Counted<R>(R, Rc<Cell<u64>>);

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.0.read(buffer)?;
        self.1.set(self.1.get() + read as u64);
        Ok(read)
    }
}

/// A gzip stream of bytes that are made while they are read.
fn streamed(bytes: impl Read) -> (impl Read, Rc<Cell<u64>>) {
    let count = Rc::new(Cell::new(0));
    (flate2::read::GzEncoder::new(Counted(bytes, count.clone()), Compression::fast()), count)
}

#[test]
fn a_bomb_is_left_early() {
    // Gigabytes of zeroes: to tar an archive that has ended.
    let (stream, made) = streamed(io::repeat(0).take(8 << 30));
    assert!(matches!(read(stream), Err(BundleError::Endless)));
    assert!(made.get() < 64 << 20, "{}", made.get());
    // A file that says that it has them.
    let (stream, made) = streamed(io::Cursor::new(header("nsmctl-bundle/big", FILE, 8 << 30).as_bytes().to_vec()).chain(io::repeat(0)));
    let error = read(stream).unwrap_err();
    assert_eq!(error.to_string(), "nsmctl-bundle/big in it is 8589934592 bytes long, and no file of a bundle is longer than 16 MiB");
    assert!(made.get() < 16 << 20, "{}", made.get());
    // The same outside of the bundle's directory, and as a name.
    for (name, kind) in [("big", FILE), ("x", EntryType::GNULongName), ("x", EntryType::XHeader), ("x", EntryType::XGlobalHeader)] {
        let (stream, made) = streamed(io::Cursor::new(header(name, kind, 8 << 30).as_bytes().to_vec()).chain(io::repeat(0)));
        assert!(matches!(read(stream), Err(BundleError::FileTooLarge { .. })), "{name}");
        assert!(made.get() < 16 << 20, "{}", made.get());
    }
    // Many that are as large as they may be.
    let one = header("other", FILE, limits::FILE).as_bytes().to_vec();
    let files: Vec<Box<dyn Read>> = (0..20).map(|_| Box::new(io::Cursor::new(one.clone()).chain(io::repeat(0).take(limits::FILE))) as _).collect();
    let (stream, made) = streamed(files.into_iter().fold(Box::new(io::empty()) as Box<dyn Read>, |all, next| Box::new(all.chain(next))));
    assert!(matches!(read(stream), Err(BundleError::TooMuch)));
    assert!(made.get() < limits::UNPACKED + (8 << 20), "{}", made.get());
}

#[test]
fn a_stream_that_does_not_end_is_left() {
    struct Noise(u64);
    impl Read for Noise {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            for byte in &mut *buffer {
                self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                *byte = (self.0 >> 56) as u8;
            }
            Ok(buffer.len())
        }
    }
    let file = || io::Cursor::new(header("other", FILE, limits::FILE).as_bytes().to_vec()).chain(Noise(1).take(limits::FILE));
    let (stream, _) = streamed((0..5).fold(Box::new(io::empty()) as Box<dyn Read>, |all, _| Box::new(all.chain(file()))));
    assert!(matches!(read(stream), Err(BundleError::TooLarge)));
}

#[test]
fn as_many_files_as_nobody_has_are_refused() {
    // Made once: two blocks, over and over.
    let block = [header("nsmctl-bundle", EntryType::Directory, 0).as_bytes().to_vec()].concat();
    let bytes = block.repeat(limits::ENTRIES + 1);
    let (stream, _) = streamed(bytes.as_slice());
    assert!(matches!(read(stream), Err(BundleError::TooMany)));
}

/// A bundle in which one file is something else.
fn with(file: &str, text: &[u8]) -> Vec<u8> {
    let files = files(&written(&healthy()).bytes);
    let mut entries: Vec<(&str, EntryType, &[u8])> = files.iter().map(|(name, text)| (name.as_str(), FILE, text.as_bytes())).collect();
    let name = format!("nsmctl-bundle/{file}");
    entries.iter_mut().find(|(known, ..)| *known == name).unwrap().2 = text;
    archive(&entries)
}

#[test]
fn broken_files_are_named() {
    let says = |file: &str, text: &str| {
        let refused = refused(&with(file, text.as_bytes()));
        assert!(refused.starts_with(&format!("{file} in it cannot be read: ")), "{refused}");
        refused
    };
    for text in
        ["", "{", "[]", "{}", "{\"schema_version\": 1}", "{\"schema_version\": -1}", "nonsense", &"[".repeat(100_000), &"{\"a\":".repeat(100_000)]
    {
        says("index.json", text);
    }
    for text in ["[", "a: [", "- a\n b", "just words", &"[".repeat(100_000), &"- ".repeat(100_000), "- {id: {namespace: a}}\n"] {
        says("endpoints.yaml", text);
        says("system/events.yaml", text);
    }
    let deep: String = (0..5000).map(|depth| format!("{}a:\n", " ".repeat(depth))).collect();
    says("expectations.yaml", &deep);
    assert_eq!(refused(&with("deployed.yaml", &[b'-', b' ', 0xff, b'\n'])), "deployed.yaml in it cannot be read: it is not UTF-8");
    // Ten to the tenth of them.
    let mut bomb = "a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n".to_owned();
    for level in 1..10 {
        bomb.push_str(&format!("a{level}: &a{level} [{}]\n", vec![format!("*a{}", level - 1); 10].join(",")));
    }
    says("expectations.yaml", &bomb);
    says("system/nodes.yaml", "- &a {name: x, ready: true, schedulable: true}\n- *a\n");
    // More nodes than all of a bundle may have.
    let many = format!("- {{id: {{namespace: a, name: b}}, services: [{}]}}\n", "a,".repeat(limits::NODES + 1));
    says("endpoints.yaml", &many);
}

#[test]
fn a_later_version_is_named_with_this_one() {
    let text = "{\"schema_version\": 9, \"nsmctl\": \"7.0.0\", \"parts\": {\"quite\": \"different\"}}";
    let says = format!("its schema version is 9, written by nsmctl 7.0.0, and this nsmctl {} reads up to 1", env!("CARGO_PKG_VERSION"));
    assert_eq!(refused(&with("index.json", text.as_bytes())), says);
}

#[test]
fn what_a_later_nsmctl_adds_is_passed_over() {
    let bytes = written(&healthy()).bytes;
    let mut index: Value = serde_json::from_str(&files(&bytes)["nsmctl-bundle/index.json"]).unwrap();
    index["news"] = json!({"a": 1});
    index["parts"].as_array_mut().unwrap().push(json!({"holds": "dreams", "path": "dreams.yaml", "vivid": true}));
    let bundle = read(with("index.json", index.to_string().as_bytes()).as_slice()).unwrap();
    assert_eq!(bundle.snapshot, healthy());
}

#[test]
fn what_the_system_says_is_not_the_files_fault() {
    struct Broken;
    impl Read for Broken {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(io::Error::from_raw_os_error(21))
        }
    }
    assert!(matches!(read(Broken), Err(BundleError::Io(_))));
    let good = written(&healthy()).bytes;
    let error = read(good[..200].chain(Broken)).unwrap_err();
    assert!(matches!(&error, BundleError::Io(_)), "{error}");
}
