//! What the person asked to be different, done to the documents before anything is derived from them: what is applied and
//! what is expected cannot disagree about it.

mod addresses;
mod clients;
mod images;
mod labels;
mod names;
mod placement;

use std::path::PathBuf;

use serde_json::json;

use super::{Document, ManifestError, Object, layout::Layout, layout::own_namespace};
use crate::model::{Payload, PrefixGroups};

pub use images::images;

/// What the person asked to be different from the manifests.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Customisation {
    /// `--namespace`: where everything goes that names no namespace; a Namespace in the manifests takes this name.
    pub namespace: Option<String>,
    /// `--cidr`: what the endpoint gives addresses from.
    pub cidr: Option<PrefixGroups>,
    /// `--clients`: how many pods each client has.
    pub clients: Option<u32>,
    /// `--cross-node`: clients run on other nodes than their endpoints.
    pub cross_node: bool,
    /// `--payload`: what travels over every NetworkService.
    pub payload: Option<Payload>,
    /// `--name-prefix`: what the names of all objects begin with.
    pub name_prefix: Option<String>,
    /// `--image-registry`: where all images come from, instead of the registry that each names.
    pub image_registry: Option<String>,
    /// `--image`: names of containers, and the image of each.
    pub images: Vec<(String, String)>,
    /// `--program`: names of images, and the program of this machine that stands for each.
    pub programs: Vec<(String, PathBuf)>,
}

impl Customisation {
    /// What is to be different within the deployment, as flags of the command line. What says which deployment is meant, its
    /// namespace and the prefix of its names, is none of it.
    #[must_use]
    pub fn flags(&self) -> Vec<(&'static str, Option<String>)> {
        let with_value = [
            ("--cidr", self.cidr.as_ref().map(ToString::to_string)),
            ("--clients", self.clients.map(|count| count.to_string())),
            ("--payload", self.payload.map(|payload| payload.to_string().to_lowercase())),
            ("--image-registry", self.image_registry.clone()),
        ];
        let mut flags: Vec<_> = with_value.into_iter().filter_map(|(flag, value)| Some((flag, Some(value?)))).collect();
        flags.extend(self.images.iter().map(|(container, image)| ("--image", Some(format!("{container}={image}")))));
        flags.extend(self.cross_node.then_some(("--cross-node", None)));
        flags
    }

    /// The same as one line; `None` where nothing is different. None of the values has a blank in it.
    #[must_use]
    pub fn options(&self) -> Option<String> {
        let words = self.flags().into_iter().map(|(flag, value)| value.map_or_else(|| flag.to_owned(), |value| format!("{flag}={value}")));
        Some(words.collect::<Vec<_>>().join(" ")).filter(|options| !options.is_empty())
    }

    /// What says which deployment is meant, without what is to be different within it.
    #[must_use]
    pub fn name_only(&self) -> Self {
        Self { namespace: self.namespace.clone(), name_prefix: self.name_prefix.clone(), ..Self::default() }
    }

    /// With what is remembered of a deployment, where nothing is said about it here. Which deployment is meant is never remembered.
    #[must_use]
    pub fn over(self, remembered: Self) -> Self {
        let of_others = remembered.images.into_iter().filter(|(container, _)| !self.images.iter().any(|(own, _)| own == container));
        Self {
            cidr: self.cidr.or(remembered.cidr),
            clients: self.clients.or(remembered.clients),
            cross_node: self.cross_node || remembered.cross_node,
            payload: self.payload.or(remembered.payload),
            image_registry: self.image_registry.or(remembered.image_registry),
            images: of_others.chain(self.images.iter().cloned()).collect(),
            ..self
        }
    }

    /// The namespace of the deployment, where the manifests or the person name one.
    #[must_use]
    pub fn namespace_of(&self, documents: &[Document]) -> Option<String> {
        let own = || own_namespace(documents).map(|own| format!("{}{own}", self.name_prefix.as_deref().unwrap_or_default()));
        self.namespace.clone().or_else(own)
    }
}

/// The documents as the person wants them. `current` is the namespace where neither they nor the person name one.
///
/// # Errors
/// [`ManifestError::Customisation`] where the manifests do not have what is to be changed, or where the result could not work.
pub(super) fn customise(documents: &[Document], asked: &Customisation, current: &str) -> Result<Vec<Document>, ManifestError> {
    let layout = Layout::new(documents, asked, current);
    let mut documents = documents.to_vec();
    if let Some(prefixes) = &asked.cidr {
        addresses::give(&mut documents, &layout, prefixes)?;
    }
    if let Some(count) = asked.clients {
        clients::multiply(&mut documents, &layout, count)?;
    }
    match (&asked.clients, &asked.cidr) {
        (Some(count), _) => addresses::suffice(&documents, &layout, &format!("--clients {count}"))?,
        (None, Some(prefixes)) => addresses::suffice(&documents, &layout, &format!("--cidr {prefixes}"))?,
        (None, None) => {}
    }
    if asked.cross_node {
        placement::part(&mut documents, &layout)?;
    }
    if let Some(payload) = asked.payload {
        carry(&mut documents, payload)?;
    }
    if let Some(registry) = &asked.image_registry {
        images::mirror(&mut documents, registry)?;
    }
    images::replace(&mut documents, &asked.images)?;
    // The last, so that everything above goes by the names in the manifests.
    match &asked.name_prefix {
        Some(prefix) => names::prefix(&documents, prefix, asked.namespace.is_none()),
        None => Ok(documents),
    }
}

/// The deployment's identity. A namespace is used by one deployment, unless names were prefixed and it was not: then others
/// may be in it.
pub(super) fn instance(documents: &[Document], asked: &Customisation, namespace: &str) -> Result<String, ManifestError> {
    let shared = asked.namespace.is_some() || own_namespace(documents).is_none();
    let Some(prefix) = asked.name_prefix.as_deref().filter(|_| shared) else { return Ok(namespace.to_owned()) };
    // With a dot, which the name of a namespace cannot have: no other deployment is called so.
    let instance = format!("{namespace}.{}", prefix.trim_end_matches('-'));
    // The value of a label, as Kubernetes has it.
    if instance.len() > 63 {
        return Err(names::too_much(prefix, &format!("the deployment would be called {instance}, which is longer than 63 characters")));
    }
    Ok(instance)
}

fn carry(documents: &mut [Document], payload: Payload) -> Result<(), ManifestError> {
    let mut services = documents.iter_mut().filter(|document| matches!(document.object, Object::NetworkService(_))).peekable();
    if services.peek().is_none() {
        return Err(refuse("--payload", "there is no NetworkService in the manifests", "add one, or set its payload where it is made"));
    }
    services.try_for_each(|service| {
        *service = service.changed(|value| value["spec"]["payload"] = json!(payload.to_string()))?;
        Ok(())
    })
}

pub(super) fn refuse(flag: impl Into<String>, reason: impl Into<String>, hint: impl Into<String>) -> ManifestError {
    ManifestError::Customisation { flag: flag.into(), reason: reason.into(), hint: hint.into() }
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
