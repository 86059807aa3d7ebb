//! What was meant by a name that is none.

/// From here on two names look as if one was meant and the other typed (Jaro-Winkler, where 1 is the same).
const ALIKE: f64 = 0.8;

/// The name that was meant, probably: the most alike of those that are alike at all, whatever the case of its letters.
pub fn similar<'a>(typed: &str, names: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let typed = typed.to_lowercase();
    let likeness = names.into_iter().map(|name| (strsim::jaro_winkler(&typed, &name.to_lowercase()), name));
    likeness.filter(|(likeness, _)| *likeness >= ALIKE).max_by(|(one, _), (other, _)| one.total_cmp(other)).map(|(_, name)| name)
}

/// The beginning of a hint; empty where nothing is alike.
pub fn did_you_mean<'a>(typed: &str, names: impl IntoIterator<Item = &'a str>) -> String {
    similar(typed, names).map(|meant| format!("did you mean {meant}? ")).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_alike_is_meant() {
        let names = ["ping-endpoint", "ping-client", "address", "address-overlap", "alpine", "kernel2kernel"];
        let cases = [
            ("ping-endpont", Some("ping-endpoint")),
            ("adress", Some("address")),
            ("ADDRESS", Some("address")),
            ("alpin", Some("alpine")),
            ("kernel2kernal", Some("kernel2kernel")),
            ("qqq", None),
            ("", None),
        ];
        for (typed, meant) in cases {
            assert_eq!(similar(typed, names), meant, "{typed}");
        }
        assert_eq!(similar("a", []), None);
        assert_eq!(did_you_mean("alpin", names), "did you mean alpine? ");
        assert_eq!(did_you_mean("qqq", names), "");
    }
}
