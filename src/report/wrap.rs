//! Text laid out to a width, broken where a reader would break it.

use textwrap::{
    Options, WordSeparator, WordSplitter,
    core::{Word, break_words, display_width},
    wrap_algorithms::wrap_first_fit,
};

/// A word up to this width, as a pod's name is on this machine, is kept whole as long as there is another way.
const WHOLE: usize = 18;

/// What stays with the word before it: it leads on to the next line.
const ARROWS: [&str; 4] = ["→", "↔", "->", "<->"];

/// What stays with the number before it.
const UNITS: [&str; 11] = ["%", "s", "ms", "min", "h", "d", "B", "kB", "MB", "GB", "TB"];

/// Splits behind spaces, but for those before an arrow, and between a number and its unit.
fn words(line: &str) -> Vec<&str> {
    let mut words = Vec::new();
    let mut start = 0;
    let mut end = 0;
    for part in line.split_inclusive(' ') {
        let next = part.trim_end_matches([' ', ',', ';', ')']).trim_end_matches("/s");
        let is_unit = UNITS.contains(&next) && line[start..end].trim_end().ends_with(|c: char| c.is_ascii_digit());
        // Spaces belong to the word before them.
        if end > start && !is_unit && !ARROWS.contains(&next) && part != " " {
            words.push(&line[start..end]);
            start = end;
        }
        end += part.len();
    }
    words.extend((end > start).then(|| &line[start..end]));
    words
}

/// The same, as textwrap asks for it.
fn separated(line: &str) -> Box<dyn Iterator<Item = Word<'_>> + '_> {
    Box::new(words(line).into_iter().map(Word::from))
}

/// Splits a word behind the commas, slashes and hyphens of flags, addresses and names, and behind its spaces.
fn pieces(word: &str) -> impl Iterator<Item = &str> {
    let mut rest = word;
    std::iter::from_fn(move || {
        let end = rest.find([' ', ',', '/', '-']).map_or(rest.len(), |at| at + 1);
        let end = end + rest[end..].len() - rest[end..].trim_start_matches(' ').len();
        let (piece, after) = rest.split_at(end);
        rest = after;
        (!piece.is_empty()).then_some(piece)
    })
}

/// The parts between which a text may be broken: words, and of those that are wider than `whole` their pieces.
fn parts(text: &str, whole: usize) -> impl Iterator<Item = Word<'_>> {
    words(text).into_iter().flat_map(move |word| {
        let is_whole = display_width(word.trim_end()) <= whole;
        let whole = is_whole.then_some(word);
        let pieces = (!is_whole).then(|| pieces(word));
        whole.into_iter().chain(pieces.into_iter().flatten()).map(Word::from)
    })
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

/// The lines of a table's cell: broken between words, within a word only if it does not fit the width.
pub(super) fn cell(text: &str, width: usize) -> String {
    let lines = text.lines().flat_map(|line| {
        let parts = break_words(parts(line, width), width);
        let lines = wrap_first_fit(&parts, &[width as f64]).into_iter().map(|line| {
            let mut text: String = line.iter().map(|part| [part.word, part.whitespace].concat()).collect();
            text.truncate(text.trim_end().len());
            text
        });
        lines.collect::<Vec<_>>()
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// A paragraph, indented, its further lines by two columns more; broken between words. `None` is a line without an end.
pub(super) fn paragraph(text: &str, indent: usize, width: Option<usize>) -> String {
    hanging(&" ".repeat(indent), text, indent + 2, width)
}

/// A paragraph that begins with what is not broken, its further lines indented.
pub(super) fn hanging(begin: &str, text: &str, indent: usize, width: Option<usize>) -> String {
    let Some(width) = width else { return format!("{begin}{text}\n") };
    let further = " ".repeat(indent);
    let options = Options::new(width).initial_indent(begin).subsequent_indent(&further).word_separator(WordSeparator::Custom(separated));
    format!("{}\n", textwrap::fill(text, options.word_splitter(WordSplitter::NoHyphenation).break_words(false)))
}

/// The lines of what is quoted: its own spaces stay, and what is too long goes on below.
pub(super) fn quoted(line: &str, width: Option<usize>) -> Vec<String> {
    let Some(width) = width else { return vec![line.to_owned()] };
    let options = Options::new(width).word_separator(WordSeparator::AsciiSpace).word_splitter(WordSplitter::NoHyphenation);
    textwrap::wrap(line, options).into_iter().map(std::borrow::Cow::into_owned).collect()
}

/// The least widths of columns: that of their widest part, where words up to `whole` are kept whole.
fn least_widths(cells: &[Vec<String>], whole: usize) -> Vec<usize> {
    let widest = |text: &str| parts(text, whole).map(|part| display_width(part.word)).max().unwrap_or(0);
    measured(cells, &widest)
}

/// The greatest measure of a line in each column.
fn measured(cells: &[Vec<String>], measure: &dyn Fn(&str) -> usize) -> Vec<usize> {
    let columns = cells.iter().map(Vec::len).max().unwrap_or(0);
    let greatest = |column: usize| cells.iter().filter_map(|row| row.get(column)).flat_map(|cell| cell.lines()).map(measure).max().unwrap_or(0);
    (0..columns).map(greatest).collect()
}

/// The widths of columns that together are no wider than `available`: the widest give way first, none below its longest
/// word as long as there is another way. `None` where words would have to be cut.
pub(super) fn column_widths(cells: &[Vec<String>], available: usize) -> Option<Vec<usize>> {
    let mut widths = measured(cells, &display_width);
    for least in [least_widths(cells, WHOLE), least_widths(cells, 0)] {
        while widths.iter().sum::<usize>() > available {
            let roomy = (0..widths.len()).filter(|column| widths[*column] > least[*column]);
            let Some(column) = roomy.max_by_key(|column| widths[*column]) else { break };
            widths[column] -= 1;
        }
    }
    (widths.iter().sum::<usize>() <= available).then_some(widths)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_break_behind_commas_slashes_and_hyphens_of_what_is_too_wide() {
        assert_eq!(cell("<BROADCAST,MULTICAST,UP> mtu 16000", 12), "<BROADCAST,\nMULTICAST,\nUP> mtu\n16000");
        assert_eq!(cell("nse-kernel-65794b6c65-vmxkl", 12), "nse-kernel-\n65794b6c65-\nvmxkl");
        assert_eq!(cell("short", 12), "short");
        assert_eq!(cell("172.16.1.100/32 on kernel2ker-qLfs", 15), "172.16.1.100/32\non\nkernel2ker-qLfs");
        assert_eq!(cell("172.16.1.100/32 on kernel2ker-qLfs", 14), "172.16.1.100/\n32 on\nkernel2ker-\nqLfs");
    }

    #[test]
    fn a_number_keeps_its_unit_and_a_line_ends_with_the_arrow() {
        assert_eq!(cell("172.16.1.101 ↔ 172.16.1.100", 14), "172.16.1.101 ↔\n172.16.1.100");
        // But where that would take more than there is.
        assert_eq!(cell("172.16.1.101 ↔ 172.16.1.100", 12), "172.16.1.101\n↔\n172.16.1.100");
        assert_eq!(cell("4/4 received, 0 % loss, 0.1/0.2/0.3 ms", 15), "4/4 received,\n0 % loss,\n0.1/0.2/0.3 ms");
        assert_eq!(words("on 2 nodes, 12.2 kB/s (5 s)"), ["on ", "2 ", "nodes, ", "12.2 kB/s ", "(5 s)"]);
    }

    #[test]
    fn paragraphs_are_indented() {
        assert_eq!(paragraph("one two three four", 2, Some(10)), "  one two\n    three\n    four\n");
        assert_eq!(paragraph("one two three four", 1, None), " one two three four\n");
        assert_eq!(paragraph("lost 12 ms", 0, Some(8)), "lost\n  12 ms\n", "a number keeps its unit");
    }

    #[test]
    fn the_widest_column_gives_way() {
        let row = |texts: [&str; 3]| texts.map(str::to_owned).to_vec();
        let cells = [row(["check", "a b c d e f g h i j", "pass"])];
        assert_eq!(column_widths(&cells, 100), Some(vec![5, 19, 4]));
        assert_eq!(column_widths(&cells, 15), Some(vec![5, 6, 4]));
        assert_eq!(column_widths(&cells, 9), None);
        // Names are broken at their hyphens only where nothing else gives way.
        let cells = [row(["nse-kernel-2zz27-0", "a b c d e f g h i j", "pass"])];
        assert_eq!(column_widths(&cells, 28), Some(vec![18, 6, 4]));
        assert_eq!(column_widths(&cells, 20), Some(vec![15, 1, 4]));
    }
}
