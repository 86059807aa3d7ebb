use tabled::{
    builder::Builder,
    settings::{Padding, Settings, Style, Width, object::Columns, peaker::Priority, style::HorizontalLine},
};

use super::Look;

/// A table that fits the width, wrapped between words where it must be.
pub(super) fn table(header: &[&str], rows: impl IntoIterator<Item = Vec<String>>, look: Look) -> String {
    let mut builder = Builder::default();
    builder.push_record(header.iter().copied());
    for row in rows {
        builder.push_record(row);
    }
    let mut table = builder.build();
    // A gap between columns and a rule under the header: at 80 columns a frame would cost a fifth of the width.
    let rule = if look.unicode { '─' } else { '-' };
    table.with(Style::empty().horizontals([(1, HorizontalLine::new(rule))]));
    table.modify(Columns::new(..), Padding::new(0, 2, 0, 0));
    if let Some(width) = look.width {
        table.with(Settings::new(Width::wrap(width).keep_words(true).priority(Priority::max(true)), Width::increase(0)));
    }
    let text = table.to_string();
    let lines = text.lines().map(str::trim_end);
    lines.collect::<Vec<_>>().join("\n")
}
