use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::CustomiseArgs;

/// The arguments of `manifests`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  nsmctl manifests
  nsmctl manifests --clients 3 --cidr 10.0.0.0/29 --out my-service/
  nsmctl manifests --name-prefix blue- | kubectl diff -f -
  nsmctl manifests images
  nsmctl manifests rbac | kubectl apply -f -

Prints exactly what deploy would apply with the same options: YAML, or one List with -o json. No \
cluster is asked: what names no namespace goes into `default`, or where --namespace says.")]
pub struct ManifestsArgs {
    /// What to print instead.
    #[command(subcommand)]
    pub command: Option<ManifestsCommand>,
    /// Write a file for each object into this directory, which is made, and list them.
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// What is to be different from the manifests.
    #[command(flatten)]
    pub customise: CustomiseArgs,
}

/// What can be printed of manifests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Subcommand)]
pub enum ManifestsCommand {
    /// The images of all containers, one a line: what a cluster without access to their registries needs a mirror of.
    #[command(after_help = "\
Examples:
  nsmctl manifests images
  nsmctl manifests images -f my-service/ | xargs -n1 docker pull
  nsmctl manifests images --image-registry mirror.example.com/nsm")]
    Images,
    /// The least roles that the commands need for this deployment, for an administrator to grant.
    #[command(after_help = "\
Examples:
  nsmctl manifests rbac | kubectl apply -f -
  nsmctl manifests rbac --namespace demo

What is printed is a ClusterRole, and a Role for each namespace: the deployment's, nsm-system and spire. The namespaces must \
exist before, and the roles are to be bound afterwards:
  kubectl create namespace NAMESPACE
  kubectl create clusterrolebinding ROLE --clusterrole=ROLE --user=USER
  kubectl create rolebinding ROLE --role=ROLE --user=USER --namespace=NAMESPACE

-A, the namespaces of others and --debug-image (pods/ephemeralcontainers) need more.")]
    Rbac,
}
