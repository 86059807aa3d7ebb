/// How many names a person reads.
const FEW: usize = 10;

/// Names in one line: the first few, and how many more there are.
#[must_use]
pub fn few<S: AsRef<str>>(names: &[S]) -> String {
    let first: Vec<&str> = names.iter().take(FEW).map(AsRef::as_ref).collect();
    match names.len().saturating_sub(FEW) {
        0 => first.join(", "),
        more => format!("{} and {more} more", first.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_list_is_cut() {
        assert_eq!(few::<&str>(&[]), "");
        assert_eq!(few(&["a", "b"]), "a, b");
        let many: Vec<String> = (0..13).map(|n| n.to_string()).collect();
        assert_eq!(few(&many), "0, 1, 2, 3, 4, 5, 6, 7, 8, 9 and 3 more");
    }
}
