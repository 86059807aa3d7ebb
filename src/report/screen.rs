//! Keeps a terminal from taking orders out of what a cluster says: a pod's words may hold any byte.

/// A text in which nothing moves the cursor, changes colours or does worse; what would is shown as it is written in Rust.
pub(super) fn harmless(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    for c in text.chars() {
        push(&mut plain, c);
    }
    plain
}

/// The same for a text that has colours of ours in it, which stay, and lines.
pub(super) fn harmless_but_for_styles(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let style = style_length(rest);
        let (piece, after) = rest.split_at(style.unwrap_or(c.len_utf8()));
        if style.is_some() || c == '\n' {
            plain.push_str(piece);
        } else {
            push(&mut plain, c);
        }
        rest = after;
    }
    plain
}

fn push(plain: &mut String, c: char) {
    if c.is_control() && c != '\t' {
        plain.extend(c.escape_default());
    } else {
        plain.push(c);
    }
}

/// The length of a style at the beginning of a text, of those that are used here: bold, dimmed, underlined, a colour of the sixteen, and
/// none (ECMA-48, SGR). What hides a text is none of them.
fn style_length(text: &str) -> Option<usize> {
    let body = text.strip_prefix("\u{1b}[")?;
    let end = body.find('m')?;
    let known = |code: &str| matches!(code, "" | "0" | "1" | "2" | "4") || code.parse().is_ok_and(|code: u8| matches!(code, 31..=37 | 90..=97));
    body[..end].split(';').all(known).then_some("\u{1b}[".len() + end + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn styles_of_ours_stay_and_nothing_else() {
        assert_eq!(harmless_but_for_styles("a\u{1b}[1m\u{1b}[31mb\u{1b}[0m\n\tc é"), "a\u{1b}[1m\u{1b}[31mb\u{1b}[0m\n\tc é");
        for hostile in ["\u{1b}]0;title\u{7}", "\u{1b}[2J", "\u{1b}[8m", "\u{1b}[30m", "\u{9b}2J", "\r", "\u{8}", "\u{1b}[", "\u{1b}"] {
            let shown = harmless_but_for_styles(&format!("a{hostile}b"));
            assert!(!shown.contains(char::is_control) && shown.contains('\\'), "{hostile:?}: {shown:?}");
            assert_eq!(shown, harmless(&format!("a{hostile}b")));
        }
    }
}
