//! Programs of this machine that stand for images: which container each runs as, and with what around it.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

use k8s_openapi::api::core::v1::{Container, EnvVar};

use super::{Document, ManifestError, customise::refuse, workload::pod_spec};
use crate::model::{ContainerProgram, ContainerRole, Limits, Variable, VariableValue, Workload, is_nsm_client};

/// The containers that NSM's webhook puts into a client.
const INJECTED: [(&str, ContainerRole); 2] = [("cmd-nsc-init", ContainerRole::ClientInit), ("cmd-nsc", ContainerRole::Client)];
/// The fields of a pod that this machine's pods have.
const FIELDS: [&str; 10] = [
    "metadata.name",
    "metadata.namespace",
    "metadata.uid",
    "spec.nodeName",
    "spec.serviceAccountName",
    "status.hostIP",
    "status.hostIPs",
    "status.podIP",
    "status.podIPs",
    "metadata.annotations['networkservicemesh.io']",
];
/// How alike two names must be for one to be meant by the other, by Jaro and Winkler.
const ALIKE: f64 = 0.75;

/// The programs of a deployment, from its documents and the workload that each makes.
pub(super) fn programs(documents: &[(&Document, Workload)], given: &[(String, PathBuf)]) -> Result<Vec<ContainerProgram>, ManifestError> {
    let mut names = BTreeSet::new();
    let mut found = Vec::new();
    for (document, workload) in documents {
        let Some(spec) = pod_spec(&document.object) else { continue };
        let inits = spec.init_containers.iter().flatten().map(|container| (container, true));
        for (container, is_init) in inits.chain(spec.containers.iter().map(|container| (container, false))) {
            let name = base_name(container.image.as_deref().unwrap_or_default());
            names.insert(name.to_owned());
            if let Some((_, path)) = given.iter().find(|(given, _)| given == name) {
                found.push(program(document, workload, container, is_init, path)?);
            }
        }
        if workload.is_client() && !spec.containers.iter().any(|container| is_nsm_client(&container.name)) {
            for (name, role) in INJECTED {
                names.insert(name.to_owned());
                found.extend(given.iter().find(|(given, _)| given == name).map(|(_, path)| injected(workload, name, role, path)));
            }
        }
    }
    given.iter().try_for_each(|(name, path)| is_known(name, path, &names)).map(|()| found)
}

/// The last part of an image's name, without tag and digest.
fn base_name(image: &str) -> &str {
    let name = image.split('@').next().unwrap_or_default();
    let last = name.rsplit('/').next().unwrap_or_default();
    last.split(':').next().unwrap_or_default()
}

fn is_known(name: &str, path: &Path, names: &BTreeSet<String>) -> Result<(), ManifestError> {
    if names.contains(name) {
        return Ok(());
    }
    let likeness = |known: &&String| strsim::jaro_winkler(name, known);
    let nearest = names.iter().max_by(|a, b| likeness(a).total_cmp(&likeness(b))).filter(|known| likeness(known) >= ALIKE);
    let meant = nearest.map(|known| format!("did you mean {known}? ")).unwrap_or_default();
    let all = names.iter().map(String::as_str).collect::<Vec<_>>().join(", ");
    let reason = format!("no image in the manifests is called {name}");
    Err(refuse(format!("--program {name}={}", path.display()), reason, format!("{meant}there are: {all}")))
}

fn program(document: &Document, workload: &Workload, container: &Container, is_init: bool, path: &Path) -> Result<ContainerProgram, ManifestError> {
    let bad = |reason: String| ManifestError::Document { place: document.place.clone(), reason: format!("container {}: {reason}", container.name) };
    let environment = container.env.iter().flatten().filter_map(|variable| read_variable(variable).transpose());
    let offers = container.env.iter().flatten().any(|variable| variable.name == "NSM_SERVICE_NAMES");
    let requests = container.env.iter().flatten().any(|variable| variable.name == "NSM_NETWORK_SERVICES");
    let role = match (is_init, offers, requests) {
        (true, _, true) => ContainerRole::ClientInit,
        (true, ..) => ContainerRole::Init,
        (false, true, _) => ContainerRole::Endpoint,
        (false, _, true) => ContainerRole::Client,
        (false, ..) => ContainerRole::Other,
    };
    // The program takes the place of the first word; what else the manifest says is said to it.
    let command = container.command.iter().flatten().skip(1).chain(container.args.iter().flatten());
    Ok(ContainerProgram {
        kind: workload.kind,
        workload: workload.id.clone(),
        container: container.name.clone(),
        image: container.image.clone().unwrap_or_default(),
        role,
        path: path.to_owned(),
        arguments: command.cloned().collect(),
        environment: environment.collect::<Result<_, _>>().map_err(bad)?,
        directory: container.working_dir.clone(),
        limits: limits(container).map_err(bad)?,
    })
}

/// A variable of the manifest; `None` for one that may be missing, and is.
fn read_variable(variable: &EnvVar) -> Result<Option<Variable>, String> {
    let named = |value| Ok(Some(Variable { name: variable.name.clone(), value }));
    let Some(source) = &variable.value_from else { return named(VariableValue::Text(variable.value.clone().unwrap_or_default())) };
    if let Some(field) = &source.field_ref {
        let is_label = field.field_path.starts_with("metadata.labels['") && field.field_path.ends_with("']");
        if !is_label && !FIELDS.contains(&field.field_path.as_str()) {
            return Err(format!("{} is set from {}, which no pod on this machine has", variable.name, field.field_path));
        }
        return named(VariableValue::Field(field.field_path.clone()));
    }
    let config = source.config_map_key_ref.as_ref().map(|key| (key.optional, format!("ConfigMap {}", key.name)));
    let secret = source.secret_key_ref.as_ref().map(|key| (key.optional, format!("Secret {}", key.name)));
    match config.or(secret) {
        Some((Some(true), _)) => Ok(None),
        Some((_, what)) => Err(format!("{} is set from {what}, and there is none on this machine", variable.name)),
        None => Err(format!("{} is set from something that this machine does not have", variable.name)),
    }
}

fn limits(container: &Container) -> Result<Limits, String> {
    let limit = |name: &str| {
        let quantity = container.resources.as_ref().and_then(|resources| resources.limits.as_ref()?.get(name));
        let read = |text: &str| quantity_thousandths(text).ok_or_else(|| format!("its limit of {name} is {text:?}, which is no quantity"));
        quantity.map(|quantity| read(&quantity.0)).transpose()
    };
    Ok(Limits { memory_bytes: limit("memory")?.map(|thousandths| thousandths / 1000), cpu_millis: limit("cpu")? })
}

/// A Kubernetes quantity in thousandths: `200m`, `1.5`, `80Mi`, `1e3`.
fn quantity_thousandths(text: &str) -> Option<u64> {
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    let factor = match unit {
        "" => 1e3,
        "m" => 1.0,
        "k" => 1e6,
        "M" => 1e9,
        "G" => 1e12,
        "T" => 1e15,
        "Ki" => 1e3 * 1024.0,
        "Mi" => 1e3 * 1_048_576.0,
        "Gi" => 1e3 * 1_073_741_824.0,
        "Ti" => 1e3 * 1_099_511_627_776.0,
        exponent => 1e3 * 10_f64.powi(exponent.strip_prefix(['e', 'E'])?.parse().ok()?),
    };
    let thousandths = number.parse::<f64>().ok()? * factor;
    // Exact for what a machine has: a float counts whole numbers up to 2^53.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "checked")]
    (thousandths.is_finite() && (0.0..1e18).contains(&thousandths)).then_some(thousandths.round() as u64)
}

/// A container of NSM's webhook, with the environment that it gives it. Without a resolver of its own: that would take port 53
/// and the resolver's configuration.
fn injected(workload: &Workload, name: &str, role: ContainerRole, path: &Path) -> ContainerProgram {
    let requests = workload.requests.iter().map(ToString::to_string).collect::<Vec<_>>().join(",");
    let text = |name: &str, value: &str| Variable { name: name.to_owned(), value: VariableValue::Text(value.to_owned()) };
    let environment = vec![
        text("SPIFFE_ENDPOINT_SOCKET", "unix:///run/spire/sockets/agent.sock"),
        Variable { name: "POD_NAME".to_owned(), value: VariableValue::Field("metadata.name".to_owned()) },
        text("NSM_NAME", "$(POD_NAME)"),
        text("NSM_CONNECT_TO", "unix:///var/lib/networkservicemesh/nsm.io.sock"),
        text("NSM_LOG_LEVEL", "INFO"),
        text("NSM_LOCAL_DNS_SERVER_ENABLED", "false"),
        text("NSM_NETWORK_SERVICES", &requests),
    ];
    ContainerProgram {
        kind: workload.kind,
        workload: workload.id.clone(),
        container: name.to_owned(),
        image: name.to_owned(),
        role,
        path: path.to_owned(),
        arguments: Vec::new(),
        environment,
        directory: None,
        limits: Limits::default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        manifest::{Customisation, embedded, plan, read},
        model::ANNOTATION,
    };

    fn planned(given: &[(&str, &str)]) -> Result<Vec<ContainerProgram>, ManifestError> {
        let programs = given.iter().map(|(name, path)| ((*name).to_owned(), PathBuf::from(path))).collect();
        plan(&read(&embedded()).unwrap(), &Customisation { programs, ..Customisation::default() }, "default").map(|plan| plan.programs)
    }

    #[test]
    fn the_manifest_says_how_a_program_is_run() {
        let programs = planned(&[("cmd-nse-icmp-responder", "/x/nse"), ("alpine", "/bin/sh")]).unwrap();
        let [nse, alpine] = &programs[..] else { panic!("{programs:?}") };
        assert_eq!((nse.container.as_str(), nse.role, nse.workload.name.as_str()), ("nse", ContainerRole::Endpoint, "nse-kernel"));
        assert_eq!(nse.limits, Limits { memory_bytes: Some(80 * 1024 * 1024), cpu_millis: Some(200) });
        let variable = |name: &str| nse.environment.iter().find(|variable| variable.name == name).map(|variable| variable.value.clone());
        assert_eq!(variable("POD_NAME"), Some(VariableValue::Field("metadata.name".into())));
        assert_eq!(variable("NSM_NAME"), Some(VariableValue::Text("$(POD_NAME)".into())));
        assert_eq!((alpine.role, alpine.arguments[0].as_str(), alpine.arguments.len()), (ContainerRole::Other, "-c", 2));
    }

    #[test]
    fn the_client_is_given_what_the_webhook_gives_it() {
        let programs = planned(&[("cmd-nsc", "/x/nsc"), ("cmd-nsc-init", "/x/init")]).unwrap();
        assert_eq!(programs.iter().map(|program| program.role).collect::<Vec<_>>(), [ContainerRole::ClientInit, ContainerRole::Client]);
        let asked = programs[1].environment.iter().find(|variable| variable.name == "NSM_NETWORK_SERVICES").unwrap();
        assert_eq!(asked.value, VariableValue::Text("kernel://kernel2kernel/nsm-1".into()));
        assert!(
            programs[1].environment.contains(&Variable { name: "NSM_LOCAL_DNS_SERVER_ENABLED".into(), value: VariableValue::Text("false".into()) })
        );
    }

    #[test]
    fn a_name_that_no_image_has_is_refused_with_what_was_meant() {
        let error = planned(&[("cmd-nse-icmp-respnder", "/x")]).unwrap_err();
        let ManifestError::Customisation { reason, hint, flag } = error else { panic!("{error}") };
        assert_eq!(flag, "--program cmd-nse-icmp-respnder=/x");
        assert_eq!(reason, "no image in the manifests is called cmd-nse-icmp-respnder");
        assert_eq!(hint, "did you mean cmd-nse-icmp-responder? there are: alpine, cmd-nsc, cmd-nsc-init, cmd-nse-icmp-responder");
    }

    #[test]
    fn images_are_known_by_the_last_part_of_their_names() {
        for image in ["a/b/nse", "nse:v1", "localhost:5000/nse", "h/nse@sha256:00", "h/nse:v1@sha256:00"] {
            assert_eq!(base_name(image), "nse", "{image}");
        }
    }

    #[test]
    fn quantities_are_read_as_kubernetes_does() {
        let read = |text| quantity_thousandths(text);
        assert_eq!(["200m", "1", "0.5", "80Mi", "1e3", "2k"].map(read), [200, 1000, 500, 83_886_080_000, 1_000_000, 2_000_000].map(Some));
        assert_eq!(["", "x", "1Qx", "-1", "."].map(read), [None; 5]);
    }

    #[test]
    fn what_this_machine_cannot_give_is_refused() {
        let given = [("cmd-nse-icmp-responder".to_owned(), PathBuf::from("/x"))];
        let said = |source: &str| {
            let mut sources = embedded();
            let field = "fieldRef:\n                  fieldPath: metadata.name";
            sources.iter_mut().for_each(|one| one.text = one.text.replace(field, source));
            let asked = Customisation { programs: given.to_vec(), ..Customisation::default() };
            plan(&read(&sources).unwrap(), &asked, "default").map(|plan| plan.programs.len()).map_err(|error| error.to_string())
        };
        assert_eq!(said("configMapKeyRef: {name: c, key: k, optional: true}"), Ok(1));
        assert!(said("configMapKeyRef: {name: c, key: k}").unwrap_err().contains("POD_NAME is set from ConfigMap c, and there is none"));
        assert!(said("fieldRef: {fieldPath: status.startTime}").unwrap_err().contains("which no pod on this machine has"));
    }

    #[test]
    fn the_annotation_that_a_field_can_name_is_nsms() {
        assert!(FIELDS.contains(&format!("metadata.annotations['{ANNOTATION}']").as_str()));
    }
}
