//! Who gives identities, as deploy sees to it and says it.

use std::time::Duration;

use super::{
    Local,
    connection::{Connection, unexpected},
};
use crate::{
    engine::{
        AGENT_VARIABLE, agent_url,
        protocol::{Identities, Reply, Request},
    },
    model::{Failure, Result},
    target::Ctx,
};

impl Local {
    /// Has X.509 SVIDs be valid for so long, from the engine's start or from now on.
    #[must_use]
    pub fn with_svid_ttl(self, svid_ttl: Option<Duration>) -> Self {
        Self { svid_ttl, ..self }
    }

    /// Sees before anything is done that the engine gives identities as it is asked to; the result is who gives them.
    pub(super) async fn identities(&self, connection: &mut Connection, ctx: &Ctx) -> Result<Option<Identities>> {
        let Some(told) = ask(connection, ctx, None).await? else { return Ok(None) };
        match (&told.agent, self.svid_ttl) {
            (Some(agent), Some(_)) => {
                Err(Failure::usage(format!("--svid-ttl: identities come from the SPIRE agent at {agent}, whose server says that"))
                    .hint("leave it out; the registration entries' -x509SVIDTTL, or the server's default_x509_svid_ttl, is how long they are valid"))
            }
            _ => Ok(Some(told)),
        }
    }

    /// Has them be valid for as long as is asked for, and says what is not as the person may think.
    pub(super) async fn settle_identities(&self, connection: &mut Connection, ctx: &Ctx, told: &Identities) -> Result<()> {
        if let Some(agent) = &told.agent {
            ctx.events.info(format!("identities: by the SPIRE agent at {agent}, trust domain {}", told.domain));
        }
        let asked = std::env::var(AGENT_VARIABLE).ok().filter(|url| !url.is_empty());
        if let Some(url) = asked.filter(|url| agent_url(url).ok() != told.agent) {
            let gives = told.agent.as_ref().map_or_else(|| "gives identities itself".to_owned(), |agent| format!("has them from {agent}"));
            ctx.events.warn(format!(
                "{AGENT_VARIABLE} names {url}, and the engine that was running already {gives}: it is asked for when an engine starts, which \
                 ends with its last deployment (`nsmctl cleanup`)"
            ));
        }
        let Some(ttl) = self.svid_ttl.filter(|ttl| Some(*ttl) != told.svid_ttl) else { return Ok(()) };
        if let Some(Identities { before: Some(before), .. }) = ask(connection, ctx, Some(ttl)).await? {
            ctx.events.info(format!("every X.509 SVID of this machine is valid for {ttl:?} from now on, not for {before:?}: all are renewed"));
        }
        Ok(())
    }
}

async fn ask(connection: &mut Connection, ctx: &Ctx, svid_ttl: Option<Duration>) -> Result<Option<Identities>> {
    match connection.ask(&Request::Identities { svid_ttl }, &ctx.events).await? {
        Some(Reply::Identities(told)) => Ok(Some(told)),
        Some(Reply::Ending | Reply::Restarting) | None => Ok(None),
        Some(reply) => Err(unexpected(&reply)),
    }
}
