use std::path::PathBuf;

use clap::Args;

/// Where the report goes besides standard output.
#[derive(Debug, Clone, Default, Args)]
pub struct ReportArgs {
    /// Write the findings into this file too, as JUnit's XML, however the command ends.
    #[arg(long, value_name = "FILE")]
    pub junit: Option<PathBuf>,
    /// Write the report into this file too, as JSON, however the command ends.
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
}
