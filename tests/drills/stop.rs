//! Ctrl-C and `kill`: what was broken is restored first, then the run leaves.

use std::{
    panic::resume_unwind,
    process::exit,
    sync::atomic::{AtomicBool, AtomicI32, Ordering},
    thread,
    time::{Duration, Instant},
};

use nix::sys::signal::{SigSet, Signal};

/// The first signal that has come; 0 where none has.
static ASKED: AtomicI32 = AtomicI32::new(0);
/// What runs now must not be stopped.
static RESTORING: AtomicBool = AtomicBool::new(false);
/// Between two looks: an exec or a get costs a node of two cores a tenth of a second of CPU.
const PAUSE: Duration = Duration::from_millis(100);

/// What a drill unwinds with when it is stopped; no message is printed for it.
pub(crate) struct Stopped;

/// Takes the signals away from this process and, since the mask is inherited, from the nsmctl that it starts: a Ctrl-C in a
/// terminal goes to that too, and what is ended while it restores something has restored nothing. kubectl takes them back, so
/// that it is in a process group of its own.
pub(crate) fn listen() {
    let signals: SigSet = [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP].into_iter().collect();
    signals.thread_block().expect("a mask of signals");
    thread::spawn(move || {
        loop {
            let signal = signals.wait().expect("a signal");
            if ASKED.swap(signal as i32, Ordering::SeqCst) != 0 {
                leave(128 + signal as i32);
            }
            say("stopping: what is broken is restored first; once more to leave at once, with the cluster as it is");
        }
    });
}

#[allow(clippy::exit, reason = "the second signal asks for just that")]
fn leave(code: i32) {
    exit(code);
}

pub(crate) fn is_asked() -> bool {
    ASKED.load(Ordering::SeqCst) != 0
}

/// The exit code of a run that a signal has ended, as shells have it.
pub(crate) fn code() -> Option<u8> {
    u8::try_from(ASKED.load(Ordering::SeqCst)).ok().filter(|signal| *signal != 0).map(|signal| 128 + signal)
}

/// Unwinds to the drill, which restores, where a signal has come.
pub(crate) fn check() {
    if is_asked() && !RESTORING.load(Ordering::SeqCst) {
        resume_unwind(Box::new(Stopped));
    }
}

/// Runs what a signal must not stop.
pub(crate) fn unstoppable<T>(work: impl FnOnce() -> T) -> T {
    RESTORING.store(true, Ordering::SeqCst);
    let done = work();
    RESTORING.store(false, Ordering::SeqCst);
    done
}

/// Whether something comes to hold within a time.
pub(crate) fn comes(limit: Duration, holds: impl Fn() -> bool) -> bool {
    let begun = Instant::now();
    loop {
        check();
        if holds() {
            return true;
        }
        if begun.elapsed() > limit {
            return false;
        }
        thread::sleep(PAUSE);
    }
}

/// Waits until something holds; where it does not, the drill has no fault to show.
#[track_caller]
pub(crate) fn wait(what: &str, limit_seconds: u64, holds: impl Fn() -> bool) {
    assert!(comes(Duration::from_secs(limit_seconds), holds), "{what}: not within {limit_seconds} s");
}

/// What a person who watches the run is told.
pub(crate) fn say(text: &str) {
    eprintln!("{text}");
}
