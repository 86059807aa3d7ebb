use clap::{Args, Command, Parser, ValueEnum};

/// What is to be different from the manifests, without editing them.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Customisation")]
pub struct CustomiseArgs {
    /// The addresses of the endpoint (NSM_CIDR_PREFIX), as in 10.0.0.0/29 or 10.0.0.0/29,2001:db8::/125.
    #[arg(long, global = true, value_name = "PREFIX,...")]
    pub cidr: Option<String>,
    /// How many pods each client has; a Pod is copied, a Deployment or StatefulSet scaled.
    #[arg(long, global = true, value_parser = super::whole(1..=1000), value_name = "N")]
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

/// What says how objects are made, and nothing of which and how many there are.
const MADE: [&str; 4] = ["cross_node", "payload", "image_registry", "images"];

/// The customisation that makes no difference to a command. It is taken all the same, so that a line for `deploy` can be typed
/// again with another command in its place.
fn idle(command: &str) -> &'static [&'static str] {
    match command {
        // What is removed carries the label of the deployment, whose name the prefix is a part of.
        "cleanup" => &["cidr", "clients", "cross_node", "payload", "image_registry", "images"],
        // They look at what is there. How many clients there are to be says who is missing and who can be named, and the addresses must
        // suffice for them.
        "status" | "metrics" | "exec" | "logs" => &MADE,
        _ => &[],
    }
}

/// Leaves out of each command's help what makes no difference to it.
pub(super) fn without_idle(command: Command) -> Command {
    command.mut_subcommands(|command| {
        let idle = idle(command.get_name());
        command.mut_args(|arg| if idle.contains(&arg.get_id().as_str()) { arg.hide(true) } else { arg })
    })
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

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use crate::cli::{Cli, Program, command, man_pages, parse};

    const ALL: [&str; 7] =
        ["--cidr=10.0.0.0/29", "--clients=2", "--cross-node", "--payload=ip", "--name-prefix=a-", "--image-registry=a.b", "--image=a=b"];

    #[test]
    fn what_makes_no_difference_to_a_command_is_taken_and_not_told_of() {
        let cases: [(&[&str], &[&str]); 7] = [
            (&["deploy"], &["cidr", "clients", "cross-node", "payload", "name-prefix", "image-registry", "image"]),
            (&["verify"], &["cidr", "clients", "cross-node", "payload", "name-prefix", "image-registry", "image"]),
            (&["cleanup"], &["name-prefix"]),
            (&["status"], &["cidr", "clients", "name-prefix"]),
            (&["metrics"], &["cidr", "clients", "name-prefix"]),
            (&["logs"], &["cidr", "clients", "name-prefix"]),
            (&["exec", "--", "ip"], &["cidr", "clients", "name-prefix"]),
        ];
        let pages = man_pages(&[]).unwrap();
        for (line, told) in cases {
            let mut root = command(Program::Nsmctl);
            root.build();
            let sub = root.find_subcommand_mut(line[0]).unwrap();
            let helps = [sub.render_help().to_string(), sub.render_long_help().to_string()];
            let page = &pages.iter().find(|(name, _)| *name == format!("nsmctl-{}.1", line[0])).unwrap().1.replace("\\-", "-");
            for flag in ALL.map(|flag| flag.split('=').next().unwrap()) {
                let is_told = told.contains(&&flag[2..]);
                for help in &helps {
                    assert_eq!(help.contains(&format!(" {flag} ")) || help.contains(&format!(" {flag}\n")), is_told, "{flag}: {help}");
                }
                assert_eq!(page.contains(&format!("{flag}\\fR")), is_told, "{flag}: {page}");
            }
            assert!(parse(Program::Nsmctl, [&["nsmctl", line[0]], &ALL[..], &line[1..]].concat()).is_ok(), "{line:?}");
        }
    }

    #[test]
    fn what_is_hidden_is_an_option_that_there_is() {
        let root = Cli::command();
        for name in ["cleanup", "status"] {
            let sub = root.find_subcommand(name).unwrap();
            for id in super::idle(name) {
                assert!(sub.get_arguments().any(|arg| arg.get_id() == id), "{name}: {id}");
            }
        }
    }
}
