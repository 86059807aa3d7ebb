use clap::Args;

/// How `cleanup` removes.
#[derive(Debug, Clone, Default, Args)]
pub struct RemoveArgs {
    /// Only say what would be removed.
    #[arg(long)]
    pub dry_run: bool,
    /// Take the finalizers off what does not go by itself, after saying so.
    #[arg(long)]
    pub force: bool,
}
