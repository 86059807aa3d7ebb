//! Values of selectors with labels of the client in them: `{{ .nodeName }}`, as Go's `text/template` writes it.

use super::Labels;

/// What Go takes for a blank inside of a template.
const BLANKS: [char; 4] = [' ', '\t', '\r', '\n'];

/// A part of a value.
enum Piece<'a> {
    /// As it stands.
    Text(&'a str),
    /// The client's label of that name, and what stands for it where the client has none.
    Label(&'a str, &'static str),
}

/// Whether a label's value is the wanted one, or what the template in that comes to. What is no template that is understood is
/// taken as it stands. Nothing is built for it: what the client's labels come to can be very long.
pub(super) fn fits(value: &str, wanted: &str, client: &Labels) -> bool {
    let comes_to = |pieces: Vec<Piece<'_>>| {
        let text = |piece| match piece {
            Piece::Text(text) => text,
            Piece::Label(name, missing) => client.get(name).map_or(missing, String::as_str),
        };
        pieces.into_iter().map(text).try_fold(value, str::strip_prefix) == Some("")
    };
    value == wanted || (wanted.contains("{{") && pieces(wanted).is_some_and(comes_to))
}

/// The client's labels that a value names; `None` where it is a template that is not understood.
pub(super) fn labels(wanted: &str) -> Option<Vec<&str>> {
    let label = |piece| if let Piece::Label(name, _) = piece { Some(name) } else { None };
    Some(pieces(wanted)?.into_iter().filter_map(label).collect())
}

fn pieces(text: &str) -> Option<Vec<Piece<'_>>> {
    let (mut pieces, mut rest, mut trims) = (Vec::new(), text, false);
    let start = |text: &'_ str, trims: bool| if trims { text.len() - text.trim_start_matches(BLANKS).len() } else { 0 };
    while let Some((before, after)) = rest.split_once("{{") {
        let (action, after) = after.split_once("}}")?;
        let before = &before[start(before, trims)..];
        // A minus beside a brace takes the blanks on its other side away.
        let opened = action.strip_prefix('-').filter(|action| action.starts_with(BLANKS));
        let action = opened.unwrap_or(action);
        let closed = action.strip_suffix('-').filter(|action| action.ends_with(BLANKS));
        pieces.push(Piece::Text(if opened.is_some() { before.trim_end_matches(BLANKS) } else { before }));
        pieces.push(label(closed.unwrap_or(action).trim_matches(BLANKS))?);
        (rest, trims) = (after, closed.is_some());
    }
    pieces.push(Piece::Text(&rest[start(rest, trims)..]));
    Some(pieces)
}

/// `.name`, or `index . "name"` for a name with characters that the first cannot have.
fn label(action: &str) -> Option<Piece<'_>> {
    if let Some(name) = action.strip_prefix('.') {
        let is_first = |c: char| c.is_alphabetic() || c == '_';
        let is_name = name.starts_with(is_first) && name.chars().all(|c| is_first(c) || c.is_numeric());
        return is_name.then_some(Piece::Label(name, "<no value>"));
    }
    let operand = |text: &'_ str| text.starts_with(BLANKS).then(|| text.len() - text.trim_start_matches(BLANKS).len());
    let rest = action.strip_prefix("index")?;
    let rest = rest[operand(rest)?..].strip_prefix('.')?;
    let name = rest[operand(rest)?..].strip_prefix('"')?.strip_suffix('"')?;
    (!name.contains(['"', '\\'])).then_some(Piece::Label(name, ""))
}
