use kube::{Error, core::Status};

use crate::model::{Failure, Unavailable, UnavailableKind};

/// The next step where nobody answers.
pub(super) const WRONG_SERVER: &str = "is the server up, and the --context the right one?";

/// What a request's error says, in the server's words where it answered, else the innermost cause.
pub(super) fn describe(error: &Error) -> String {
    match error {
        Error::Api(status) => status_text(status),
        _ => innermost(error),
    }
}

fn status_text(status: &Status) -> String {
    match status.message.as_str() {
        "" => format!("the server answers {} {}", status.code, status.reason),
        message => message.to_owned(),
    }
}

fn innermost(error: &(dyn std::error::Error + 'static)) -> String {
    let mut cause = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}

/// Why something could not be seen.
pub(super) fn unavailable(error: &Error) -> Unavailable {
    let kind = match error {
        Error::Api(status) if status.code == 401 || status.code == 403 => UnavailableKind::Forbidden,
        Error::Api(status) if status.code == 404 => UnavailableKind::NotFound,
        _ => UnavailableKind::Transport,
    };
    Unavailable { kind, reason: describe(error) }
}

pub(super) fn code(error: &Error) -> Option<u16> {
    match error {
        Error::Api(status) => Some(status.code),
        _ => None,
    }
}

/// The failure that an error of a request amounts to; `what` was being done.
pub(super) fn failure(error: &Error, what: &str) -> Failure {
    let text = describe(error);
    let message = format!("cannot {what}: {text}");
    match code(error) {
        Some(401) => Failure::cannot_tell(message).hint("the server does not know these credentials: log in again, or choose another --context"),
        Some(403) if text.contains("exceeded quota") => Failure::failed(message).hint("free some of the quota, or choose another --namespace"),
        // RBAC's refusals say so; admission's are of the same code and are no matter of the user's rights.
        Some(403) if text.contains("cannot ") => Failure::cannot_tell(message).hint("ask for this permission, or use another --context"),
        _ if text.contains("failed calling webhook") => Failure::failed(message)
            .hint("a webhook refuses every pod while it is down: `kubectl get pods -n nsm-system` shows NSM's; `nsmctl troubleshoot` says more"),
        Some(409) => Failure::failed(message)
            .hint("the manager named there has set these fields; take them over with --force-conflicts, or leave them out of the manifests"),
        Some(_) => Failure::failed(message),
        None => Failure::cannot_tell(message).hint(WRONG_SERVER),
    }
}
