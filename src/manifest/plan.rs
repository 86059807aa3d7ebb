use serde_json::{Map, Value, json};

use crate::model::{
    INSTANCE_LABEL, MANAGED_BY, MANAGED_BY_LABEL, Namespaced, NetworkServiceSpec, OPTIONS_ANNOTATION, ObjectRef, PART_OF_LABEL, Plan, PlannedObject,
    Workload,
};

use super::{
    Customisation, Document, ManifestError, Object,
    customise::{customise, instance},
    layout::Layout,
    programs::programs,
    promises::promises,
    visit::visit,
};

/// Decides what is to be applied, and what that promises.
///
/// `current_namespace` is where things go if neither the manifests nor the person says: the context's namespace.
///
/// # Errors
/// [`ManifestError`] where the documents contradict themselves, each other, or the customisation.
pub fn plan(documents: &[Document], customisation: &Customisation, current_namespace: &str) -> Result<Plan, ManifestError> {
    let documents = customise(documents, customisation, current_namespace)?;
    let layout = Layout::new(&documents, customisation, current_namespace);
    let namespace = layout.namespace.clone();
    let instance = instance(&documents, customisation, &namespace)?;

    let mut ordered: Vec<&Document> = documents.iter().collect();
    // Stable: objects of the same kind keep the order in which they were written.
    ordered.sort_by_key(|document| document.rank());

    let mut workloads = Vec::new();
    let mut made: Vec<(&Document, Workload)> = Vec::new();
    let mut services = Vec::new();
    let mut references = Vec::new();
    for document in &ordered {
        let place = layout.place(document)?;
        let reference = match &document.object {
            Object::Namespace(_) => ObjectRef::cluster(&document.kind, layout.renamed(document.name())),
            _ => ObjectRef::namespaced(&document.kind, &place, document.name()),
        };
        if references.contains(&reference) {
            return Err(ManifestError::Document { place: document.place.clone(), reason: format!("{reference} stands in the manifests twice") });
        }
        references.push(reference);
        if let Object::NetworkService(service) = &document.object {
            let payload = service.payload().map_err(|word| ManifestError::Document {
                place: document.place.clone(),
                reason: format!("payload {word:?} of NetworkService {}: NSM knows ETHERNET and IP", document.name()),
            })?;
            let matches = service.matches().map_err(|reason| ManifestError::Document {
                place: document.place.clone(),
                reason: format!("NetworkService {}: {reason}", document.name()),
            })?;
            services.push(NetworkServiceSpec { id: Namespaced::new(&place, document.name()), payload, matches });
        }
        if let Some(workload) = layout.workload(document)? {
            made.push((*document, workload.clone()));
            workloads.push(workload);
        }
    }

    let part_of = label_value(services.first().map_or(namespace.as_str(), |service| &service.id.name));
    let options = customisation.options();
    let labels = [(MANAGED_BY_LABEL, MANAGED_BY), (PART_OF_LABEL, &part_of), (INSTANCE_LABEL, &instance)];
    let objects = ordered
        .iter()
        .zip(references)
        .map(|(document, reference)| PlannedObject {
            body: body(document, &reference, &layout, &labels, options.as_deref()),
            reference,
            api_version: document.api_version.clone(),
            plural: document.plural().to_owned(),
            source: document.place.clone(),
        })
        .collect();
    for workload in &mut workloads {
        workload.pod_labels.extend(labels.map(|(key, value)| (key.to_owned(), value.to_owned())));
    }
    let expectations = promises(workloads, services);
    let programs = programs(&made, &customisation.programs)?;
    Ok(Plan { instance, part_of, namespace, options, objects, expectations, programs })
}

/// What is applied: the document as it was written, with its place and the deployment's labels, and with what was asked to be
/// different. The template of a workload is labelled as well, so that its pods can be found; its selector is not, because that
/// cannot be changed later.
fn body(document: &Document, reference: &ObjectRef, layout: &Layout, labels: &[(&str, &str)], options: Option<&str>) -> Value {
    let mut value = document.value.clone();
    for (key, text) in labels {
        note(&mut value, "", "labels", key, text);
        note(&mut value, "/spec/template", "labels", key, text);
    }
    // Not the template's: what is remembered is no reason to make pods anew.
    if let Some(options) = options {
        note(&mut value, "", "annotations", OPTIONS_ANNOTATION, options);
    }
    value["metadata"]["name"] = json!(reference.name);
    if let Some(namespace) = &reference.namespace {
        value["metadata"]["namespace"] = json!(namespace);
    }
    // Whom a role is bound to lives in a namespace as well.
    visit(&mut value, "subjects/*/namespace", &mut |name| {
        if let Some(renamed) = name.as_str().map(|name| layout.renamed(name).to_owned()) {
            *name = json!(renamed);
        }
    });
    value
}

/// Puts a label or an annotation onto an object, or onto the template in it where there is one.
fn note(object: &mut Value, holder: &str, what: &str, key: &str, text: &str) {
    let Some(Value::Object(holder)) = object.pointer_mut(holder) else { return };
    let Value::Object(metadata) = holder.entry("metadata").or_insert_with(|| Value::Object(Map::new())) else { return };
    if !matches!(metadata.get(what), Some(Value::Object(_))) {
        metadata.insert(what.to_owned(), Value::Object(Map::new()));
    }
    metadata[what][key] = json!(text);
}

/// A name cut to what Kubernetes takes for the value of a label: 63 characters, alphanumeric at both ends.
fn label_value(name: &str) -> String {
    let cut: String = name.chars().take(63).collect();
    cut.trim_matches(|c: char| !c.is_ascii_alphanumeric()).to_owned()
}

#[cfg(test)]
#[path = "plan_tests.rs"]
mod tests;
