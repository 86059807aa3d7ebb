use anstyle::Style;
use tabled::{
    builder::Builder,
    settings::{Padding, Style as Frame, object::Columns, style::HorizontalLine},
};

use super::{
    Look,
    wrap::{ascii, cell, column_widths},
};

/// The columns between two columns.
const GAP: usize = 2;

/// Narrower than this a table is stacked unless the whole of it fits; from here on where words would have to be cut.
const NARROW: usize = 45;

/// The rows below each other, each with its first cell on a line of its own and the others, with their titles, under it.
fn stacked(cells: &[Vec<String>], paint: impl Fn(usize, usize) -> Style, look: Look, width: usize) -> String {
    let Some((titles, rows)) = cells.split_first() else { return String::new() };
    let label = titles.iter().skip(1).map(|title| title.chars().count()).max().unwrap_or(0);
    let room = width.saturating_sub(2 * GAP + label).max(1);
    let mut lines = Vec::new();
    for (index, row) in rows.iter().enumerate() {
        for (column, (text, title)) in row.iter().zip(titles).enumerate() {
            let painted = |line: &str| look.paint(line, paint(index, column));
            match column {
                0 => lines.extend(cell(&text.replace('\n', " "), width).lines().map(painted)),
                _ => lines.extend(cell(&text.replace('\n', " "), room).lines().enumerate().map(|(number, line)| {
                    let title = if number == 0 { title.as_str() } else { "" };
                    format!("{:GAP$}{title:label$}{:GAP$}{}", "", "", painted(line))
                })),
            }
        }
    }
    lines.join("\n")
}

/// A table that fits the width. The cells are plain; `paint` gives the style of a row's cell.
pub(super) fn table(header: &[&str], rows: Vec<Vec<String>>, paint: impl Fn(usize, usize) -> Style, look: Look) -> String {
    let mut cells = vec![header.iter().map(|title| (*title).to_owned()).collect::<Vec<_>>()];
    cells.extend(rows);
    if !look.unicode {
        // Before anything is measured.
        cells.iter_mut().flatten().for_each(|text| *text = ascii(text));
    }
    if let Some(width) = look.width {
        let gaps = GAP * (header.len() - 1);
        let Some(widths) = column_widths(&cells, width.saturating_sub(gaps)) else { return stacked(&cells, paint, look, width) };
        if width < NARROW && widths != column_widths(&cells, usize::MAX).unwrap_or_default() {
            return stacked(&cells, paint, look, width);
        }
        for row in &mut cells {
            for (text, width) in row.iter_mut().zip(&widths) {
                *text = cell(text, *width);
            }
        }
    }
    let mut builder = Builder::default();
    for (index, row) in cells.into_iter().enumerate() {
        // The header is nobody's verdict.
        let styled = |(column, text): (usize, String)| match index.checked_sub(1) {
            Some(row) => text.lines().map(|line| look.paint(line, paint(row, column))).collect::<Vec<_>>().join("\n"),
            None => text,
        };
        builder.push_record(row.into_iter().enumerate().map(styled));
    }
    let mut table = builder.build();
    // A gap between columns and a rule under the header: at 80 columns a frame would cost a fifth of the width.
    let rule = if look.unicode { '─' } else { '-' };
    table.with(Frame::empty().horizontals([(1, HorizontalLine::new(rule))]));
    table.modify(Columns::new(..header.len() - 1), Padding::new(0, GAP, 0, 0));
    table.modify(Columns::last(), Padding::zero());
    let text = table.to_string();
    text.lines().map(str::trim_end).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drawn(width: usize) -> String {
        let row = |cells: [&str; 4]| cells.map(str::to_owned).to_vec();
        let rows =
            vec![row(["interface up", "alpine nsm-1", "nsm-1 UP, LOWER_UP", "pass"]), row(["address", "nse-kernel-2zz27-0", "172.16.1.100", "fail"])];
        let look = Look { width: Some(width), colour: false, unicode: false };
        table(&["CHECK", "SUBJECT", "SEEN", "RESULT"], rows, |_, _| Style::new(), look)
    }

    #[test]
    fn what_is_too_narrow_for_columns_is_stacked() {
        let expected = "interface up\n  SUBJECT  alpine nsm-1\n  SEEN     nsm-1 UP, LOWER_UP\n  RESULT   pass\n\
                        address\n  SUBJECT  nse-kernel-2zz27-0\n  SEEN     172.16.1.100\n  RESULT   fail";
        assert_eq!(drawn(40), expected);
        assert!(drawn(22).lines().all(|line| line.chars().count() <= 22), "{}", drawn(22));
        for width in [45, 60, 80] {
            assert!(drawn(width).starts_with("CHECK "), "{}", drawn(width));
        }
    }
}
