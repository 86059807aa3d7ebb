use crate::{
    manifest::{Document, deployed},
    model::{Failure, IntoFailure, Outcome, Plan, Result, Scope, few},
    report::{Report, TargetInfo},
    settings::{Choice, Settings},
    target::{
        Ctx, Target,
        cluster::{Cluster, Lookup, lookup},
    },
};

/// What every command begins with: the target, and what is or should be deployed on it.
pub(super) struct Session {
    pub(super) target: Target,
    pub(super) plan: Plan,
    /// Whether it is the example that nsmctl carries in itself.
    pub(super) is_example: bool,
    /// Whether what is there was made from manifests that are not at hand, so that what it promises is read off the objects.
    pub(super) is_of_others: bool,
    documents: Vec<Document>,
}

/// The namespace of a plan that names none, where there is no context to name one.
pub(super) const DEFAULT_NAMESPACE: &str = "default";

/// Reads the manifests.
pub(super) async fn documents(settings: &Settings, ctx: &Ctx) -> Result<Vec<Document>> {
    let settings = settings.clone();
    // Standard input may take its time, and a signal must get through meanwhile.
    let read = async { tokio::task::spawn_blocking(move || settings.documents()).await.or_fail(Outcome::Defect, "cannot read the manifests")? };
    ctx.run("reading the manifests", read).await
}

impl Session {
    /// Reads the manifests, chooses the target and says which and why, then connects.
    pub(super) async fn open(settings: &Settings, ctx: &Ctx, report: &mut Report) -> Result<Self> {
        let documents = documents(settings, ctx).await?;
        report.namespace = settings.known_namespace(&documents);
        let why = match settings.target {
            Choice::Local => "--target local",
            Choice::Cluster(flag) => flag,
            Choice::Auto => "a kubeconfig was found",
        };
        if settings.target == Choice::Local {
            return Self::local(settings, documents, ctx, report, why);
        }
        match lookup(&settings.access).await? {
            Lookup::Found(found) => {
                let context = found.context().map(|context| format!(", context {context}")).unwrap_or_default();
                // Only what a kubeconfig says is said of a context.
                let why = if found.context().is_none() && settings.target == Choice::Auto { "there is no kubeconfig" } else { why };
                let (server, origin) = (found.server(), found.origin.clone());
                let namespace = report.namespace.as_ref().map(|namespace| format!(", namespace {namespace}")).unwrap_or_default();
                ctx.events.info(format!("target: cluster {server}{context}{namespace} ({why}: {origin})"));
                let context = found.context().map(str::to_owned);
                report.target = Some(TargetInfo::Cluster { server: server.clone(), context: context.clone(), version: None });
                let cluster = Cluster::connect(ctx, *found).await?;
                report.target = Some(TargetInfo::Cluster { server, context, version: Some(cluster.version().to_owned()) });
                let plan = settings.plan(&documents, cluster.namespace())?;
                report.namespace = Some(plan.namespace.clone());
                Ok(Self::new(Target::Cluster(Box::new(cluster)), plan, settings, documents))
            }
            Lookup::Absent(reason) if settings.target == Choice::Auto => Self::local(settings, documents, ctx, report, &reason),
            Lookup::Absent(reason) => Err(Failure::cannot_tell(format!("{why} asks for a cluster, and {reason}"))
                .hint("name a kubeconfig with --kubeconfig or KUBECONFIG, or use this machine with --target local")),
        }
    }

    /// The same for whoever looks at what is there: where the person names no options, those that it was deployed with count.
    pub(super) async fn look(settings: &Settings, ctx: &Ctx, report: &mut Report) -> Result<Self> {
        // How many clients there are, and from which addresses, can only be planned with what is remembered.
        let mut session = Self::open(&settings.name_only(), ctx, report).await?;
        let others = session.others(settings, ctx).await?;
        if !others.is_empty() {
            let (instance, names) = (&session.plan.instance, few(&others));
            ctx.events.info(format!(
                "the deployment {instance} was made from other manifests ({names}): it is held against its objects; --manifests names what it was made from"
            ));
            let scope = Scope { namespace: Some(session.plan.namespace.clone()), ..Scope::default() };
            session.plan.expectations = deployed(&session.target.discover(ctx, &scope).await?, &scope);
            (session.is_example, session.is_of_others) = (false, true);
            return Ok(session);
        }
        let options = session.target.options(ctx, &session.plan).await?;
        let deployed = options.as_deref().map(|options| settings.as_deployed(options)).transpose()?.flatten();
        let (Some(options), Some(deployed)) = (options, deployed) else {
            let plan = settings.plan(&session.documents, &session.plan.namespace)?;
            return Ok(Self { plan, ..session });
        };
        let plan = match deployed.plan(&session.documents, &session.plan.namespace) {
            // They went with other manifests, which only the person can name; what stands in the cluster can be looked at all the same.
            Err(failure) if settings.manifests.is_none() && settings.customisation.options().is_none() => {
                let instance = &session.plan.instance;
                let why = failure.message();
                ctx.events.warn(format!(
                    "the deployment {instance} was made with {options}, of other manifests than the example's ({why}): name them with --manifests"
                ));
                return Ok(session);
            }
            plan => plan?,
        };
        ctx.events.info(format!("the deployment {} was made with {options}", plan.instance));
        report.options = Some(options);
        Ok(Self { plan, ..session })
    }

    fn new(target: Target, plan: Plan, settings: &Settings, documents: Vec<Document>) -> Self {
        Self { target, plan, is_example: settings.manifests.is_none(), is_of_others: false, documents }
    }

    /// What there is in the place of the example, where a person names a namespace and no manifests.
    ///
    /// # Errors
    /// The target cannot be asked.
    pub(super) async fn others(&self, settings: &Settings, ctx: &Ctx) -> Result<Vec<String>> {
        if settings.manifests.is_some() || settings.customisation.namespace.is_none() {
            return Ok(Vec::new());
        }
        let others = self.target.other_workloads(ctx, &self.plan).await?;
        Ok(others.iter().map(ToString::to_string).collect())
    }

    #[cfg(target_os = "linux")]
    fn local(settings: &Settings, documents: Vec<Document>, ctx: &Ctx, report: &mut Report, why: &str) -> Result<Self> {
        let plan = settings.plan(&documents, DEFAULT_NAMESPACE)?;
        let local = super::local_target().with_svid_ttl(settings.svid_ttl.as_ref().map(|ttl| ttl.duration));
        ctx.events.info(format!("target: this machine, namespace {} ({why})", plan.namespace));
        report.target = Some(TargetInfo::Local { directory: local.dir().display().to_string() });
        report.namespace = Some(plan.namespace.clone());
        Ok(Self::new(Target::Local(local), plan, settings, documents))
    }

    #[cfg(not(target_os = "linux"))]
    fn local(_: &Settings, _: Vec<Document>, _: &Ctx, _: &mut Report, why: &str) -> Result<Self> {
        let message = format!("this machine cannot be the target ({why}): it takes Linux's network namespaces");
        Err(Failure::cannot_tell(message).hint("name a cluster with --kubeconfig or --context"))
    }

    /// Sees that there is something to connect.
    pub(super) fn has_workloads(&self) -> Result<()> {
        if self.plan.expectations.workloads.is_empty() {
            return Err(Failure::usage("the manifests have no Pod, Deployment, StatefulSet or DaemonSet, so there is nothing to connect")
                .hint("name those of the client and the endpoint with --manifests"));
        }
        Ok(())
    }

    /// The failure that says that there is nothing of the deployment, and what else there is; `purpose` is what it was wanted for.
    pub(super) async fn absent(&self, ctx: &Ctx, purpose: &str) -> Failure {
        let failure = Failure::cannot_tell(format!("nothing of the deployment {} is there{purpose}", self.plan.instance));
        let others = self.target.deployments(ctx).await;
        match others.as_slice() {
            [] => failure.hint("`nsmctl deploy` makes it"),
            others => failure.hint(format!("`nsmctl deploy` makes it; there is {}, which --namespace and --manifests name", others.join(", "))),
        }
    }

    /// What a lock on the deployment is called: two that differ in it do not disturb each other.
    pub(super) fn key(&self) -> String {
        match &self.target {
            Target::Cluster(cluster) => format!("{} {}", cluster.server(), self.plan.instance),
            #[cfg(target_os = "linux")]
            Target::Local(_) => format!("this machine {}", self.plan.instance),
        }
    }
}
