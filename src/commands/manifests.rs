use std::{fs, io::ErrorKind, path::Path};

use serde_json::{Value, json};

use super::{
    directory,
    session::{DEFAULT_NAMESPACE, documents},
};
use crate::{
    cli::{ManifestsArgs, ManifestsCommand},
    manifest::{images, roles, write},
    model::{Failure, IntoFailure, Outcome, PlannedObject, Result},
    report::{Format, Report},
    settings::Settings,
    target::Ctx,
};

/// Prints what deploy would apply, or writes it into files, or lists its images. Asks no target.
pub(super) async fn run(arguments: &ManifestsArgs, settings: &Settings, ctx: &Ctx, report: &mut Report) -> Result<()> {
    let documents = documents(settings, ctx).await?;
    let plan = settings.plan(&documents, DEFAULT_NAMESPACE)?;
    let objects = &plan.objects;
    let text = match (&arguments.command, &arguments.out) {
        (Some(_), Some(_)) => {
            return Err(Failure::usage("--out writes manifests into files, and images and roles are only printed").hint("leave one of them out"));
        }
        (Some(ManifestsCommand::Images), None) => list(&images(objects), settings.output.format)?,
        (Some(ManifestsCommand::Rbac), None) => stream(&roles(&plan).iter().collect::<Vec<_>>(), settings.output.format)?,
        (None, Some(dir)) => list(&write_files(dir, objects)?, settings.output.format)?,
        (None, None) => stream(&bodies(objects), settings.output.format)?,
    };
    report.text = Some(text);
    Ok(())
}

/// One a line, or an array.
fn list(lines: &[String], format: Format) -> Result<String> {
    match format {
        Format::Json => json(&json!(lines)),
        _ => Ok(lines.iter().map(|line| format!("{line}\n")).collect()),
    }
}

/// Every object, in the order in which they must exist.
fn stream(objects: &[&Value], format: Format) -> Result<String> {
    match format {
        Format::Json => json(&json!({"apiVersion": "v1", "kind": "List", "items": objects})),
        _ => yaml(objects),
    }
}

fn bodies(objects: &[PlannedObject]) -> Vec<&Value> {
    objects.iter().map(|object| &object.body).collect()
}

fn json(value: &Value) -> Result<String> {
    let text = serde_json::to_string_pretty(value).or_fail(Outcome::Defect, "cannot write JSON")?;
    Ok(text + "\n")
}

fn yaml(bodies: &[&Value]) -> Result<String> {
    write(bodies).or_fail(Outcome::Defect, "cannot write YAML")
}

/// Writes a file for each object; says which. Either all can be written, or nothing is: a file that is there already stays
/// as it is, and has to be what it would become.
fn write_files(dir: &Path, objects: &[PlannedObject]) -> Result<Vec<String>> {
    let digits = objects.len().to_string().len();
    let mut files = Vec::new();
    for (index, object) in objects.iter().enumerate() {
        let path = dir.join(file_name(index + 1, digits, object));
        let text = yaml(&[&object.body])?;
        let there = match fs::read(&path) {
            Ok(there) if there == text.as_bytes() => true,
            Ok(_) => {
                let message = format!("{} is there already and differs; nothing was written", path.display());
                return Err(Failure::failed(message).hint("name another directory, or remove the file first"));
            }
            Err(error) if error.kind() == ErrorKind::NotFound => false,
            // A file on the way: that is told where the directory is made.
            Err(error) if error.kind() == ErrorKind::NotADirectory => false,
            Err(error) => return Err(directory::refused(&format!("--out: cannot read {}", path.display()), &error)),
        };
        files.push((path, text, there));
    }
    directory::make("--out", dir)?;
    for (path, text, _) in files.iter().filter(|(_, _, there)| !there) {
        // One that came into being meanwhile is somebody's too.
        let written = fs::File::create_new(path).and_then(|mut file| std::io::Write::write_all(&mut file, text.as_bytes()));
        written.map_err(|error| directory::refused(&format!("--out: cannot write {}", path.display()), &error))?;
    }
    Ok(files.into_iter().map(|(path, _, _)| path.display().to_string()).collect())
}

/// `1-namespace-demo.yaml`. Numbers are of equal width, so that files sort as the objects must exist; what is no part of a
/// plain file's name is left out.
fn file_name(number: usize, digits: usize, object: &PlannedObject) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() || "-._".contains(c) { c } else { '-' };
    let name: String = object.reference.name.chars().map(plain).collect();
    format!("{number:0digits$}-{}-{name}.yaml", object.reference.kind.to_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        manifest::{Customisation, Source, embedded, plan, read, sources},
        model::Plan,
    };

    fn planned(sources: &[Source]) -> Plan {
        plan(&read(sources).unwrap(), &Customisation::default(), "default").unwrap()
    }

    fn bodies(plan: &Plan) -> Vec<&Value> {
        super::bodies(&plan.objects)
    }

    #[test]
    fn a_directory_takes_a_file_an_object_and_gives_the_same_plan_back() {
        let parent = tempfile::tempdir().unwrap();
        let dir = parent.path().join("a/b");
        let plan = planned(&embedded());
        let files = write_files(&dir, &plan.objects).unwrap();
        let names: Vec<&str> = files.iter().map(|file| file.rsplit('/').next().unwrap()).collect();
        let expected =
            ["1-namespace-ns-kernel2kernel.yaml", "2-networkservice-kernel2kernel.yaml", "3-deployment-nse-kernel.yaml", "4-pod-alpine.yaml"];
        assert_eq!(names, expected);
        assert_eq!(bodies(&planned(&sources(&dir).unwrap())), bodies(&plan));
        assert_eq!(write_files(&dir, &plan.objects).unwrap(), files, "what is the same already is no obstacle");
    }

    #[test]
    fn nothing_is_overwritten() {
        let dir = tempfile::tempdir().unwrap();
        let theirs = dir.path().join("4-pod-alpine.yaml");
        fs::write(&theirs, "mine\n").unwrap();
        let failure = write_files(dir.path(), &planned(&embedded()).objects).unwrap_err();
        assert_eq!(failure.message(), format!("{} is there already and differs; nothing was written", theirs.display()));
        assert_eq!(fs::read_to_string(&theirs).unwrap(), "mine\n");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_name_leads_nowhere_else() {
        let mut object = planned(&embedded()).objects.remove(0);
        object.reference.name = "../../etc/x:y".to_owned();
        assert_eq!(file_name(3, 2, &object), "03-namespace-..-..-etc-x-y.yaml");
    }

    #[test]
    fn json_is_a_list_that_is_read_back() {
        let plan = planned(&embedded());
        let text = stream(&bodies(&plan), Format::Json).unwrap();
        assert_eq!(bodies(&planned(&[Source { name: "-".into(), text }])), bodies(&plan));
    }
}
