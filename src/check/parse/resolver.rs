/// The name server that NSM has put in front of the cluster's, and the one that stood there before.
///
/// NSM's client comments out what was there and puts itself above it (upstream: cmd-nsc, its dnsconfigs):
///
/// ```text
/// #nameserver 10.96.0.10
/// nameserver 127.0.0.1
/// ```
#[must_use]
pub fn name_servers(text: &str) -> (Option<String>, Option<String>) {
    let server = |key: &str| {
        text.lines().find_map(|line| {
            let mut words = line.split_whitespace();
            (words.next() == Some(key)).then(|| words.next().map(str::to_owned)).flatten()
        })
    };
    (server("nameserver").filter(|server| server == "127.0.0.1"), server("#nameserver"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_nsm_has_put_there_is_told_from_what_was_there() {
        let text = "#search ns.svc.cluster.local\n#nameserver 10.96.0.10\n#options ndots:5\n#\n\nnameserver 127.0.0.1\noptions ndots:5";
        assert_eq!(name_servers(text), (Some("127.0.0.1".to_owned()), Some("10.96.0.10".to_owned())));
        assert_eq!(name_servers("nameserver 10.96.0.10\n"), (None, None));
        assert_eq!(name_servers("nameserver\n#nameserver"), (None, None));
    }
}
