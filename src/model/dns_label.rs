/// Whether a name is a DNS label (RFC 1123), which is what Kubernetes takes for namespaces and, part by part, for most names.
///
/// # Errors
/// What is wrong with it, as a fragment that fits after a colon.
pub fn check_dns_label(name: &str) -> Result<(), &'static str> {
    let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if name.is_empty() {
        Err("it is empty")
    } else if name.len() > 63 {
        Err("it is longer than 63 characters")
    } else if !name.chars().all(allowed) {
        Err("it may have lower-case letters, digits and - only")
    } else if name.starts_with('-') || name.ends_with('-') {
        Err("it must begin and end with a letter or digit")
    } else {
        Ok(())
    }
}
