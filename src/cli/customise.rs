use clap::{Args, Parser, ValueEnum};

/// What is to be different from the manifests, without editing them.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Customisation")]
pub struct CustomiseArgs {
    /// The addresses of the endpoint (NSM_CIDR_PREFIX), as in 10.0.0.0/29 or 10.0.0.0/29,2001:db8::/125.
    #[arg(long, global = true, value_name = "PREFIX,...")]
    pub cidr: Option<String>,
    /// How many pods each client has; a Pod is copied, a Deployment or StatefulSet scaled.
    #[arg(long, global = true, value_parser = clap::value_parser!(u32).range(1..=1000), value_name = "N")]
    pub clients: Option<u32>,
    /// Keep clients off the nodes of their endpoints, so that the connection crosses the network.
    #[arg(long, global = true)]
    pub cross_node: bool,
    /// What travels over every network service.
    #[arg(long, global = true, value_enum, hide_possible_values = true, value_name = "ethernet|ip")]
    pub payload: Option<PayloadArg>,
    /// What all names begin with, so that a second deployment stands beside the first.
    #[arg(long, global = true, value_name = "PREFIX")]
    pub name_prefix: Option<String>,
    /// The registry that all images come from, as in mirror.example.com/nsm.
    #[arg(long, global = true, value_name = "HOST[/PATH]")]
    pub image_registry: Option<String>,
    /// The image of a container; may be given several times, and takes precedence over --image-registry.
    #[arg(long = "image", global = true, value_name = "CONTAINER=IMAGE")]
    pub images: Vec<String>,
}

#[derive(Debug, Parser)]
#[command(name = "options", no_binary_name = true, disable_help_flag = true)]
struct Remembered {
    #[command(flatten)]
    customise: CustomiseArgs,
}

impl CustomiseArgs {
    /// Reads options as they are remembered with a deployment: a line of flags.
    ///
    /// # Errors
    /// One is not known, and what clap has to say about it.
    pub fn remembered(options: &str) -> Result<Self, String> {
        let read = Remembered::try_parse_from(options.split_whitespace());
        // The first line says what is the matter; the rest is usage.
        read.map(|remembered| remembered.customise).map_err(|error| error.to_string().lines().next().unwrap_or_default().replace("error: ", ""))
    }
}

/// What travels over a network service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum PayloadArg {
    /// Ethernet frames.
    Ethernet,
    /// IP packets.
    Ip,
}
