use std::{
    fs::File,
    io::{self, ErrorKind},
    path::Path,
};

use jiff::Timestamp;

use crate::{
    bundle::{Bundle, BundleError, Origin, Place, Written, read, write},
    cli::TroubleshootArgs,
    model::{Failure, IntoFailure, Outcome, RawObjects, Result, Snapshot},
    report::{Report, TargetInfo, save_private},
    target::Ctx,
};

/// Writes what was seen, where that was asked for, and says what became of it; what cut the look short goes before what went
/// wrong here.
pub(super) fn save(
    arguments: &TroubleshootArgs,
    snapshot: &Snapshot,
    objects: &[RawObjects],
    cut_short: Option<Failure>,
    ctx: &Ctx,
    report: &Report,
) -> Option<Failure> {
    let Some(path) = &arguments.bundle else { return cut_short };
    let origin = Origin {
        nsmctl: env!("CARGO_PKG_VERSION").to_owned(),
        written: Timestamp::now().round(jiff::Unit::Second).unwrap_or_default().to_string(),
        target: place(report),
        namespace: report.namespace.clone(),
        cut_short: cut_short.as_ref().map(Failure::message),
    };
    let done =
        write(snapshot, objects, &origin).map_err(|error| Failure::failed(format!("cannot write {}: {error}", path.display())).hint(error.hint()));
    let done = done.and_then(|written| {
        save_private(path, &written.bytes)
            .map(|()| written)
            .map_err(|error| Failure::failed(format!("cannot write {}: {error}", path.display())).hint(error.hint()))
    });
    match done {
        Ok(written) => {
            tell(path, &written, ctx);
            cut_short
        }
        Err(failure) => match cut_short {
            Some(first) => {
                ctx.events.warn(failure.message());
                Some(first)
            }
            None => Some(failure),
        },
    }
}

/// Says that there is no bundle, where one was asked for and nothing could be seen.
pub(super) fn none(arguments: &TroubleshootArgs, ctx: &Ctx) {
    if let Some(path) = &arguments.bundle {
        ctx.events.warn(format!("{} is not written: nothing was seen", path.display()));
    }
}

fn tell(path: &Path, Written { bytes, redacted, notices }: &Written, ctx: &Ctx) {
    for notice in notices {
        ctx.events.info(format!("not in the bundle: {notice}"));
    }
    let size = bytes.len().div_ceil(1024);
    ctx.events.info(format!("wrote {} ({size} KiB, {redacted} redacted): look through it before you share it", path.display()));
}

fn place(report: &Report) -> Place {
    match &report.target {
        Some(TargetInfo::Cluster { server, context, version }) => {
            Place::Cluster { server: server.clone(), context: context.clone(), version: version.clone() }
        }
        _ => Place::Local,
    }
}

/// Reads a bundle; the report's target is what it is of.
///
/// # Errors
/// It cannot be read, or is none.
pub(super) async fn open(path: &Path, ctx: &Ctx, report: &mut Report) -> Result<Snapshot> {
    let file = path.to_owned();
    // Standard input may take its time, and a signal must get through meanwhile.
    let reading = async { tokio::task::spawn_blocking(move || from(&file)).await.or_fail(Outcome::Defect, "cannot read the bundle")? };
    let Bundle { snapshot, origin, notices } = ctx.run("reading the bundle", reading).await?;
    let Origin { nsmctl, written, target, namespace, cut_short } = origin;
    let (server, context, version) = match target {
        Place::Cluster { server, context, version } => (Some(server), context, version),
        Place::Local => (None, None, None),
    };
    let of = server.as_ref().map_or_else(|| "a machine".to_owned(), |server| format!("cluster {server}"));
    let of = format!("target: bundle {} of {of}, written {written} by nsmctl {nsmctl}", path.display());
    ctx.events.info(plain(&of));
    for notice in cut_short.map(|reason| format!("the look was cut short: {reason}")).iter().chain(&notices) {
        ctx.events.warn(plain(notice));
    }
    report.namespace = namespace;
    report.target = Some(TargetInfo::Bundle { file: path.display().to_string(), written, nsmctl, server, context, version });
    Ok(snapshot)
}

fn from(path: &Path) -> Result<Bundle> {
    let refuse = |reason: &dyn std::fmt::Display, hint: &str| Failure::usage(format!("--from {}: {reason}", path.display())).hint(hint);
    let name = "name a file that `nsmctl troubleshoot --bundle` has written, or - for standard input";
    let bundle = if path == Path::new("-") {
        read(io::stdin())
    } else {
        let file = File::open(path).map_err(|error| match error.kind() {
            ErrorKind::NotFound => refuse(&"there is no such file", name),
            kind => refuse(&format!("it cannot be read: {kind}"), name),
        })?;
        if file.metadata().is_ok_and(|file| file.is_dir()) {
            return Err(refuse(&"it is a directory", name));
        }
        read(file)
    };
    bundle.map_err(|error: BundleError| refuse(&error, error.hint()))
}

/// A line from elsewhere, which must not draw on the person's terminal.
fn plain(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}
