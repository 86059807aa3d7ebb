use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::refuse;
use crate::{
    manifest::{
        Document, ManifestError,
        visit::{containers, pod},
    },
    model::PlannedObject,
};

/// The images that a plan's pods are made of, each once, sorted.
#[must_use]
pub fn images(objects: &[PlannedObject]) -> Vec<String> {
    let mut images = BTreeSet::new();
    for object in objects {
        let mut body = object.body.clone();
        let pod = pod(&object.reference.kind, &mut body);
        images.extend(pod.into_iter().flat_map(containers).filter_map(|container| container["image"].as_str().map(str::to_owned)));
    }
    images.into_iter().collect()
}

/// Takes every image from this registry.
pub(super) fn mirror(documents: &mut [Document], registry: &str) -> Result<(), ManifestError> {
    each(documents, &mut |container| {
        if let Some(image) = container["image"].as_str().filter(|image| !image.is_empty()) {
            container["image"] = json!(mirrored(image, registry));
        }
    })
}

/// An image of another registry. The first part of a name is a host if it has a dot or a port, or is `localhost`.
fn mirrored(image: &str, registry: &str) -> String {
    if image.strip_prefix(registry).is_some_and(|rest| rest.starts_with('/')) {
        return image.to_owned();
    }
    let path = match image.split_once('/') {
        Some((host, path)) if host.contains(['.', ':']) || host == "localhost" => path,
        _ => image,
    };
    format!("{registry}/{path}")
}

/// Sets the images of the containers that are named.
pub(super) fn replace(documents: &mut [Document], images: &[(String, String)]) -> Result<(), ManifestError> {
    if images.is_empty() {
        return Ok(());
    }
    let mut there = BTreeSet::new();
    each(documents, &mut |container| {
        let name = container["name"].as_str().unwrap_or_default().to_owned();
        if let Some((_, image)) = images.iter().find(|(container, _)| *container == name) {
            container["image"] = json!(image);
        }
        there.insert(name);
    })?;
    for (at, (name, image)) in images.iter().enumerate() {
        let flag = format!("--image {name}={image}");
        if !there.contains(name) {
            let there: Vec<&str> = there.iter().map(String::as_str).collect();
            let reason = format!("no container in the manifests is called {name}");
            let hint = if there.is_empty() { "there is none at all".to_owned() } else { format!("there are: {}", there.join(", ")) };
            return Err(refuse(flag, reason, hint));
        }
        if let Some((_, other)) = images[..at].iter().find(|(container, other)| container == name && other != image) {
            return Err(refuse(flag, format!("container {name} was given the image {other} before"), "give each container one image"));
        }
    }
    Ok(())
}

/// Changes every container of every pod.
fn each(documents: &mut [Document], change: &mut dyn FnMut(&mut Value)) -> Result<(), ManifestError> {
    for document in documents {
        let kind = document.kind.clone();
        *document = document.changed(|value| pod(&kind, value).into_iter().flat_map(containers).for_each(&mut *change))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_registry_is_replaced() {
        let mirrored = |image| mirrored(image, "mirror.example.com/nsm");
        assert_eq!(mirrored("ghcr.io/a/b:t"), "mirror.example.com/nsm/a/b:t");
        assert_eq!(mirrored("alpine:3.15.0"), "mirror.example.com/nsm/alpine:3.15.0");
        assert_eq!(mirrored("networkservicemesh/cmd-nsc"), "mirror.example.com/nsm/networkservicemesh/cmd-nsc");
        assert_eq!(mirrored("localhost/a"), "mirror.example.com/nsm/a");
        assert_eq!(mirrored("localhost:5000/a:t"), "mirror.example.com/nsm/a:t");
        assert_eq!(mirrored("ghcr.io/a@sha256:0123"), "mirror.example.com/nsm/a@sha256:0123");
        assert_eq!(mirrored("a@sha256:0123"), "mirror.example.com/nsm/a@sha256:0123");
        assert_eq!(mirrored("mirror.example.com/nsm/a:t"), "mirror.example.com/nsm/a:t", "it comes from there already");
        assert_eq!(mirrored("mirror.example.com/nsmx/a:t"), "mirror.example.com/nsm/nsmx/a:t");
    }
}
