use super::Source;

/// The four manifests of the kernel2kernel example, in the order in which its script applies them.
#[must_use]
pub fn embedded() -> Vec<Source> {
    [
        ("namespace.yaml", include_str!("../../manifests/namespace.yaml")),
        ("netsvc.yaml", include_str!("../../manifests/netsvc.yaml")),
        ("nse-base.yaml", include_str!("../../manifests/nse-base.yaml")),
        ("client.yaml", include_str!("../../manifests/client.yaml")),
    ]
    .map(|(name, text)| Source { name: name.to_owned(), text: text.to_owned() })
    .into()
}
