use std::{
    fs,
    io::{self, Write},
    path::{Path, PathBuf},
};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{
    file_lock::FileLock,
    model::{Failure, IntoFailure, Outcome, Result},
    runtime_dir,
};

/// Who holds a lock, as it stands in the file.
#[derive(Debug, Serialize, Deserialize)]
struct Holder {
    pid: u32,
    command: String,
    since: Timestamp,
}

/// The right to change a deployment. Dropping it gives it back and removes the file.
#[derive(Debug)]
pub(super) struct Lock {
    lock: Option<FileLock>,
    dir: PathBuf,
}

impl Drop for Lock {
    fn drop(&mut self) {
        // First the file, then the directory, which goes where nothing else is in it.
        self.lock = None;
        runtime_dir::tidy(&self.dir);
    }
}

/// Takes the right to change the deployment of that key; does not wait for it.
///
/// # Errors
/// Another nsmctl has it, which is named; or the lock cannot be made.
pub(super) fn take(dir: &Path, key: &str, command: &str) -> Result<Lock> {
    let path = dir.join(file_name(key));
    let taken = loop {
        runtime_dir::prepare(dir)?;
        match FileLock::take(&path) {
            // Another has let go of the last lock just now, and the directory went with it.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            taken => break taken.or_fail(Outcome::Failed, format!("cannot make the lock {}", path.display()))?,
        }
    };
    let Some(lock) = taken else { return Err(held(&path, command)) };
    let holder = Holder { pid: std::process::id(), command: command.to_owned(), since: Timestamp::now() };
    let text = serde_json::to_string(&holder).or_fail(Outcome::Defect, "cannot write the lock")?;
    let mut file = lock.file();
    let written = file.set_len(0).and_then(|()| file.write_all(text.as_bytes()));
    written.or_fail(Outcome::Failed, format!("cannot write the lock {}", path.display()))?;
    Ok(Lock { lock: Some(lock), dir: dir.to_owned() })
}

fn held(path: &Path, command: &str) -> Failure {
    // Between its taking the lock and its signing it there is a moment without a name.
    let holder = fs::read_to_string(path).ok().and_then(|text| serde_json::from_str::<Holder>(&text).ok());
    let (who, hint) = match holder {
        Some(Holder { pid, command, since }) => {
            (format!("nsmctl {command} (process {pid}, since {since:.0})"), format!("wait until it is done, or end it with `kill {pid}`"))
        }
        None => ("another nsmctl".to_owned(), "wait until it is done".to_owned()),
    };
    Failure::failed(format!("{who} is at work on the same deployment, so this {command} does nothing")).hint(hint)
}

/// A file's name for a key: readable, and different for different keys.
fn file_name(key: &str) -> String {
    /// What leaves room in a file's name of 255 bytes.
    const READABLE: usize = 120;
    let readable: String = key.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).take(READABLE).collect();
    // FNV-1a: two keys that look the same once made readable, or differ only where they are cut, stay different.
    let hash = key.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    format!("{readable}-{hash:016x}.lock")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_is_told_who_holds_it() {
        let parent = tempfile::tempdir().unwrap();
        let dir = parent.path().join("run");
        let first = take(&dir, "a", "deploy").unwrap();
        let failure = take(&dir, "a", "cleanup").unwrap_err();
        assert_eq!(failure.outcome, Outcome::Failed);
        let message = failure.message();
        let expected = format!("nsmctl deploy (process {}, since ", std::process::id());
        assert!(message.starts_with(&expected) && message.ends_with("so this cleanup does nothing"), "{message}");
        drop(take(&dir, "b", "deploy").unwrap());
        drop(first);
        assert!(!dir.exists(), "nothing is left");
    }

    #[test]
    fn different_keys_have_different_files() {
        assert_ne!(file_name("https://a ns"), file_name("https:--a-ns"));
        assert_ne!(file_name(&format!("{}a", "x".repeat(300))), file_name(&format!("{}b", "x".repeat(300))));
        assert!(file_name(&"x".repeat(300)).len() < 200);
    }
}
