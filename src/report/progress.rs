use std::{
    collections::HashSet,
    io,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::{
    Look, complain, is_ci, is_lively, phases,
    screen::harmless,
    text::{BOLD, DIM, GREEN, RED, YELLOW, is_utf8, seconds},
    wrap::{ascii, paragraph},
};
use crate::model::{Event, Failure, Notice, ObjectRef, ObjectState, Sink};

/// How often a spinner turns: often enough to look alive, seldom enough for a slow line.
const TICK: Duration = Duration::from_millis(120);

/// Shows on standard error what a command does: on a terminal a line an object that is drawn over, else a line a change.
#[derive(Clone)]
pub struct Progress(Arc<Mutex<State>>);

struct State {
    bars: Option<MultiProgress>,
    lines: Vec<Line>,
    /// Of what nothing is drawn over: who has been told to be ready.
    ready: HashSet<ObjectRef>,
    doing: Option<ProgressBar>,
    unicode: bool,
    started: Instant,
    /// While lines are drawn over.
    quiet: Option<Quiet>,
}

/// An object's line.
struct Line {
    object: ObjectRef,
    bar: ProgressBar,
    /// What stays when the bar goes.
    last: String,
}

impl Default for Progress {
    fn default() -> Self {
        Self::new()
    }
}

impl Progress {
    /// What standard error can show.
    #[must_use]
    pub fn new() -> Self {
        // What is drawn over is noise in a log, also where a CI system gives it a terminal.
        let lively = is_lively(&io::stderr()) && !is_ci(std::env::var_os("CI").as_deref());
        let bars = lively.then(MultiProgress::new);
        Self(Arc::new(Mutex::new(State {
            bars,
            lines: Vec::new(),
            ready: HashSet::new(),
            doing: None,
            unicode: is_utf8(),
            started: Instant::now(),
            quiet: None,
        })))
    }

    /// Where events go to be shown.
    #[must_use]
    pub fn sink(&self) -> Sink {
        let shared = self.clone();
        Sink::new(move |event| shared.with(|state| state.show(event)))
    }

    /// Leaves the lines as they are, so that other text can follow.
    pub fn finish(&self) {
        self.with(|state| {
            state.stop_doing();
            if let Some(bars) = state.bars.take() {
                // What indicatif has drawn it may draw again; only what it has forgotten stays as it is.
                let _ = bars.clear();
                bars.set_draw_target(ProgressDrawTarget::hidden());
                for line in &state.lines {
                    complain(&line.last);
                }
                if !state.lines.is_empty() {
                    complain("");
                }
            }
            state.lines.clear();
            state.quiet = None;
        });
    }

    /// Says what ended the command, and the next step.
    pub fn error(&self, failure: &Failure) {
        self.finish();
        complain(paragraph(&format!("{RED}error:{RED:#} {}", failure.message()), 0, width()).trim_end());
        if let Some(hint) = &failure.hint {
            complain(paragraph(&format!("{BOLD}next:{BOLD:#} {hint}"), 0, width()).trim_end());
        }
    }

    fn with(&self, change: impl FnOnce(&mut State)) {
        // A panic elsewhere is no reason to stop telling.
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

impl State {
    fn show(&mut self, event: Event) {
        match event {
            Event::Notice(Notice::Info(text)) => self.say(&text),
            Event::Notice(Notice::Warning(text)) => self.say(&format!("{YELLOW}warning:{YELLOW:#} {text}")),
            Event::Doing(text) => self.doing(&text),
            Event::Object(object, state) => self.object(&object, &state),
            Event::Phase(phase) => {
                let look = Look { width: width(), colour: is_lively(&io::stderr()), unicode: self.unicode };
                let text = phases::text(&phase, jiff::Timestamp::now(), look);
                self.put(&if self.unicode { text } else { ascii(&text) });
            }
        }
    }

    fn say(&self, text: &str) {
        self.put(&paragraph(text, 0, width()));
    }

    fn put(&self, text: &str) {
        match &self.bars {
            // The bars are moved out of the way.
            Some(bars) => bars.suspend(|| complain(text.trim_end())),
            None => complain(text.trim_end()),
        }
    }

    fn stop_doing(&mut self) {
        if let Some(line) = self.doing.take() {
            line.finish_and_clear();
        }
    }

    fn doing(&mut self, text: &str) {
        self.stop_doing();
        if let Some(bars) = self.bars.as_ref().filter(|_| !text.is_empty()) {
            self.quiet.get_or_insert_with(Quiet::new);
            let line = spinner(bars, self.unicode);
            line.set_message(harmless(text));
            self.doing = Some(line);
        }
    }

    fn object(&mut self, object: &ObjectRef, state: &ObjectState) {
        let text = match state {
            ObjectState::Applied(applied) => applied.to_string(),
            ObjectState::Waiting(what) => format!("waiting: {what}"),
            ObjectState::Ready => format!("ready after {}", seconds(self.started.elapsed())),
            ObjectState::Deleting(why) if why.is_empty() => "being deleted".to_owned(),
            ObjectState::Deleting(why) => format!("being deleted: {why}"),
            ObjectState::Gone => format!("gone after {}", seconds(self.started.elapsed())),
        };
        let Some(bars) = &self.bars else {
            // Those who make it and those who wait for it may both say so.
            let is_ready = matches!(state, ObjectState::Ready);
            if is_ready && !self.ready.insert(object.clone()) {
                return;
            }
            if !is_ready {
                self.ready.remove(object);
            }
            complain(&format!("{object}: {text}"));
            return;
        };
        self.quiet.get_or_insert_with(Quiet::new);
        let index = self.lines.iter().position(|line| line.object == *object).unwrap_or_else(|| {
            self.lines.push(Line { object: object.clone(), bar: spinner(bars, self.unicode), last: String::new() });
            self.lines.len() - 1
        });
        let line = &mut self.lines[index];
        let done = match state {
            ObjectState::Ready | ObjectState::Gone => true,
            ObjectState::Applied(_) => !matches!(object.kind.as_str(), "Pod" | "Deployment" | "StatefulSet" | "DaemonSet"),
            ObjectState::Waiting(_) | ObjectState::Deleting(_) => false,
        };
        let mark = match (done, self.unicode) {
            (true, true) => format!("{GREEN}✓{GREEN:#}"),
            (true, false) => format!("{GREEN}+{GREEN:#}"),
            (false, _) => format!("{YELLOW}?{YELLOW:#}"),
        };
        let message = format!("{object} {DIM}{}{DIM:#}", harmless(&text));
        line.last = format!("{mark} {message}");
        if done {
            line.bar.set_style(style(&format!("{mark} {{wide_msg}}")));
            line.bar.finish_with_message(message);
        } else {
            line.bar.set_message(message);
        }
    }
}

/// Keeps the terminal from writing `^C` itself, behind the end of the last line that was drawn: it would be on the next line,
/// and every line that is drawn over from then on a line too low.
struct Quiet(#[cfg(unix)] Option<rustix::termios::Termios>);

impl Quiet {
    #[cfg(unix)]
    fn new() -> Self {
        use rustix::{
            process::getpgrp,
            termios::{LocalModes, OptionalActions, tcgetattr, tcgetpgrp, tcsetattr},
        };
        // A job in the background would be stopped for it, and Ctrl-C is not for that.
        if tcgetpgrp(io::stderr()).ok() != Some(getpgrp()) {
            return Self(None);
        }
        let Ok(before) = tcgetattr(io::stderr()) else { return Self(None) };
        let mut quiet = before.clone();
        quiet.local_modes.remove(LocalModes::ECHOCTL);
        // Where it cannot be, a line may be seen twice.
        let set = tcsetattr(io::stderr(), OptionalActions::Now, &quiet);
        Self(set.ok().map(|()| before))
    }

    #[cfg(not(unix))]
    fn new() -> Self {
        Self()
    }
}

#[cfg(unix)]
impl Drop for Quiet {
    fn drop(&mut self) {
        use rustix::termios::{OptionalActions, tcsetattr};
        if let Some(before) = &self.0 {
            // A terminal that is gone needs nothing any more.
            let _ = tcsetattr(io::stderr(), OptionalActions::Now, before);
        }
    }
}

/// The width of standard error's terminal.
fn width() -> Option<usize> {
    terminal_size::terminal_size_of(io::stderr()).map(|(terminal_size::Width(width), _)| usize::from(width))
}

fn spinner(bars: &MultiProgress, unicode: bool) -> ProgressBar {
    let ticks = if unicode { "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏" } else { "|/-\\" };
    let line = bars.add(ProgressBar::new_spinner().with_style(style("{spinner} {wide_msg}").tick_chars(ticks)));
    // Only now: a spinner that turns before it is among the others draws a line of its own.
    line.enable_steady_tick(TICK);
    line
}

/// A template that does not parse would be a slip of ours; the line is then shown without it.
fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_spinner())
}
