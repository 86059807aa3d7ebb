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

/// A table that fits the width. The cells are plain; `paint` gives the style of a row's cell.
pub(super) fn table(header: &[&str], rows: Vec<Vec<String>>, paint: impl Fn(usize, usize) -> Style, look: Look) -> String {
    let mut cells = vec![header.iter().map(|title| (*title).to_owned()).collect::<Vec<_>>()];
    cells.extend(rows);
    if !look.unicode {
        // Before anything is measured.
        cells.iter_mut().flatten().for_each(|text| *text = ascii(text));
    }
    if let Some(width) = look.width {
        let widths = column_widths(&cells, width.saturating_sub(GAP * (header.len() - 1)));
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
