use super::{
    Customisation, Document, ManifestError, Object,
    workload::{Origin, workload},
};
use crate::model::{ANNOTATION, Workload};

/// Where the objects of a set of manifests go.
pub(super) struct Layout {
    /// The namespace of everything that names none.
    pub(super) namespace: String,
    /// The name of the one Namespace object, where there is one.
    own: Option<String>,
    /// The namespace that the person asked for.
    asked: Option<String>,
    /// The annotation of that namespace, which counts for workloads that have none.
    inherited: Option<String>,
}

/// The namespace that the manifests themselves ask for: that of their one Namespace object.
#[must_use]
pub(super) fn own_namespace(documents: &[Document]) -> Option<&str> {
    let mut namespaces = documents.iter().filter(|document| matches!(document.object, Object::Namespace(_)));
    match (namespaces.next(), namespaces.next()) {
        (Some(only), None) => Some(only.name()),
        _ => None,
    }
}

impl Layout {
    /// `current` is where things go if neither the manifests nor the person says.
    pub(super) fn new(documents: &[Document], customisation: &Customisation, current: &str) -> Self {
        let own = own_namespace(documents);
        let asked = customisation.namespace.clone();
        let namespace = asked.as_deref().or(own).unwrap_or(current).to_owned();
        let mut layout = Self { namespace, own: own.map(str::to_owned), asked, inherited: None };
        let inherited = documents.iter().find(|d| matches!(d.object, Object::Namespace(_)) && layout.renamed(d.name()) == layout.namespace);
        layout.inherited = inherited.and_then(|d| d.metadata().annotations.as_ref()?.get(ANNOTATION).cloned());
        layout
    }

    /// What a namespace is called in the end.
    pub(super) fn renamed<'a>(&'a self, name: &'a str) -> &'a str {
        if self.own.as_deref() == Some(name) { &self.namespace } else { name }
    }

    /// Where an object goes. One that names its own namespace keeps it, and `--namespace` may not contradict that.
    pub(super) fn place(&self, document: &Document) -> Result<String, ManifestError> {
        match document.metadata().namespace.as_deref().filter(|n| !n.is_empty()) {
            None => Ok(self.namespace.clone()),
            Some(written) if self.own.as_deref() == Some(written) => Ok(self.namespace.clone()),
            Some(written) if self.asked.as_deref().is_some_and(|asked| asked != written) => Err(ManifestError::Document {
                place: document.place.clone(),
                reason: format!("{} {} is written for namespace {written}, and --namespace says {}", document.kind, document.name(), self.namespace),
            }),
            Some(written) => Ok(written.to_owned()),
        }
    }

    /// What a document means for connections; `None` where it makes no pods.
    pub(super) fn workload(&self, document: &Document) -> Result<Option<Workload>, ManifestError> {
        let place = self.place(document)?;
        workload(document, &place, self.inherited.as_deref().filter(|_| place == self.namespace), Origin::Written)
    }

    /// The workloads among the documents, each with the index of its document.
    pub(super) fn workloads(&self, documents: &[Document]) -> Result<Vec<(usize, Workload)>, ManifestError> {
        let workloads = documents.iter().enumerate().map(|(index, document)| Ok(self.workload(document)?.map(|workload| (index, workload))));
        workloads.filter_map(Result::transpose).collect()
    }
}
