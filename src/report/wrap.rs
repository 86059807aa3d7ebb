//! Text laid out to a width, broken where a reader would break it.

use textwrap::{Options, WordSeparator, WordSplitter, core::Word};

/// Splits behind spaces, and also behind the commas, slashes and hyphens of flags, addresses and names.
fn words(line: &str) -> Box<dyn Iterator<Item = Word<'_>> + '_> {
    let mut rest = line;
    Box::new(std::iter::from_fn(move || {
        let end = rest.char_indices().find(|(_, c)| matches!(c, ' ' | ',' | '/' | '-')).map_or(rest.len(), |(at, c)| at + c.len_utf8());
        // Spaces belong to the word before them.
        let end = end + rest[end..].len() - rest[end..].trim_start_matches(' ').len();
        let (word, after) = rest.split_at(end);
        rest = after;
        (!word.is_empty()).then(|| Word::from(word))
    }))
}

/// The few characters beyond ASCII that texts of ours have in them, spelt out.
pub(super) fn ascii(text: &str) -> String {
    text.replace('→', "->").replace('↔', "<->").replace('…', "...").replace('·', "-")
}

/// The words of a text in a single line, without what moves a terminal's cursor.
pub(super) fn one_line(text: &str) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    words.join(" ").replace(char::is_control, "")
}

/// The lines of a table's cell: broken wherever [`words`] may end.
pub(super) fn cell(text: &str, width: usize) -> String {
    let options = Options::new(width).word_separator(WordSeparator::Custom(words)).word_splitter(WordSplitter::NoHyphenation);
    textwrap::wrap(text, options).join("\n")
}

/// A paragraph, indented, its further lines by two columns more; broken between words. `None` is a line without an end.
pub(super) fn paragraph(text: &str, indent: usize, width: Option<usize>) -> String {
    let space = " ".repeat(indent);
    let Some(width) = width else { return format!("{space}{text}\n") };
    let further = " ".repeat(indent + 2);
    let options = Options::new(width).initial_indent(&space).subsequent_indent(&further).word_separator(WordSeparator::AsciiSpace);
    format!("{}\n", textwrap::fill(text, options.word_splitter(WordSplitter::NoHyphenation).break_words(false)))
}

/// The lines of what is quoted: its own spaces stay, and what is too long goes on below.
pub(super) fn quoted(line: &str, width: Option<usize>) -> Vec<String> {
    let Some(width) = width else { return vec![line.to_owned()] };
    let options = Options::new(width).word_separator(WordSeparator::AsciiSpace).word_splitter(WordSplitter::NoHyphenation);
    textwrap::wrap(line, options).into_iter().map(std::borrow::Cow::into_owned).collect()
}

/// The widths of columns that together are no wider than `available`: the widest give way first, none below its longest
/// word as long as there is another way.
pub(super) fn column_widths(cells: &[Vec<String>], available: usize) -> Vec<usize> {
    let columns = cells.iter().map(Vec::len).max().unwrap_or(0);
    let widest = |column: usize, measure: &dyn Fn(&str) -> usize| {
        cells.iter().filter_map(|row| row.get(column)).flat_map(|cell| cell.lines()).map(measure).max().unwrap_or(0)
    };
    let longest_word = |text: &str| words(text).map(|word| textwrap::core::display_width(word.word)).max().unwrap_or(0);
    let mut widths: Vec<usize> = (0..columns).map(|column| widest(column, &textwrap::core::display_width)).collect();
    let least: Vec<usize> = (0..columns).map(|column| widest(column, &longest_word)).collect();
    while widths.iter().sum::<usize>() > available {
        let roomy = (0..columns).filter(|column| widths[*column] > least[*column]).max_by_key(|column| widths[*column]);
        let Some(column) = roomy.or_else(|| (0..columns).filter(|column| widths[*column] > 1).max_by_key(|column| widths[*column])) else { break };
        widths[column] -= 1;
    }
    widths
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_break_behind_commas_slashes_and_hyphens() {
        assert_eq!(cell("<BROADCAST,MULTICAST,UP> mtu 16000", 12), "<BROADCAST,\nMULTICAST,\nUP> mtu\n16000");
        assert_eq!(cell("nse-kernel-65794b6c65-vmxkl", 12), "nse-kernel-\n65794b6c65-\nvmxkl");
        assert_eq!(cell("short", 12), "short");
    }

    #[test]
    fn paragraphs_are_indented() {
        assert_eq!(paragraph("one two three four", 2, Some(10)), "  one two\n    three\n    four\n");
        assert_eq!(paragraph("one two three four", 1, None), " one two three four\n");
    }

    #[test]
    fn the_widest_column_gives_way() {
        let row = |texts: [&str; 3]| texts.map(str::to_owned).to_vec();
        let cells = [row(["check", "a b c d e f g h i j", "pass"])];
        assert_eq!(column_widths(&cells, 100), [5, 19, 4]);
        assert_eq!(column_widths(&cells, 15), [5, 6, 4]);
        assert_eq!(column_widths(&cells, 6).iter().sum::<usize>(), 6);
    }
}
