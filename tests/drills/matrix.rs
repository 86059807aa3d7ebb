//! What was injected against what was diagnosed.

use std::{collections::BTreeMap, time::Duration};

use crate::drill::{Diagnosed, Drill};

/// What came of one drill.
pub(crate) struct Row {
    pub(crate) drill: &'static Drill,
    /// What was said, or why there was nothing to be said about.
    pub(crate) diagnosed: Result<Diagnosed, String>,
    /// How long it took to inject and to look.
    pub(crate) looked: Duration,
    /// And with the restoring.
    pub(crate) took: Duration,
}

impl Row {
    pub(crate) fn is_right(&self) -> bool {
        self.diagnosed.as_ref().is_ok_and(|diagnosed| diagnosed.faults(self.drill.expects).is_empty())
    }

    fn said(&self) -> String {
        self.diagnosed.as_ref().map_or_else(|_| "(no fault)".to_owned(), Diagnosed::label)
    }

    /// A line that says it all.
    pub(crate) fn line(&self) -> String {
        let (name, expected) = (self.drill.name, self.drill.expects.label());
        let mark = if self.is_right() { "✓" } else { "✗" };
        let seconds = format!("{:4.1} + {:4.1} s", self.looked.as_secs_f64(), (self.took - self.looked).as_secs_f64());
        let said = match &self.diagnosed {
            Err(reason) => format!("the fault did not take effect: {reason}"),
            Ok(diagnosed) => {
                let code = diagnosed.code.map_or_else(|| "-".to_owned(), |code| code.to_string());
                let all = if diagnosed.causes.is_empty() { diagnosed.label() } else { diagnosed.causes.join(", ") };
                let beside = if diagnosed.consequences.is_empty() { String::new() } else { format!(" (→ {})", diagnosed.consequences.join(", ")) };
                format!("{code} {all}{beside}")
            }
        };
        format!("{mark} {name:<32} {expected:<30} {seconds}  {said}")
    }
}

/// Prints the lines, what is wrong about each, and the matrix: a row for what was injected, a column for what was diagnosed.
pub(crate) fn print(rows: &[Row], took: Duration) {
    println!("  {:<32} {:<30} INJECT+RESTORE  DIAGNOSED", "DRILL", "EXPECTED");
    for row in rows {
        println!("{}", row.line());
    }
    let mut labels: Vec<String> = rows.iter().map(|row| row.drill.expects.label().to_owned()).collect();
    labels.extend(rows.iter().map(Row::said));
    let mut seen = Vec::new();
    labels.retain(|label| {
        !seen.contains(label) && {
            seen.push(label.clone());
            true
        }
    });
    let mut counts: BTreeMap<(&str, String), usize> = BTreeMap::new();
    for row in rows {
        *counts.entry((row.drill.expects.label(), row.said())).or_default() += 1;
    }
    println!("\ninjected (rows) × diagnosed (columns)");
    println!("{:>34} {}", "", (1..=labels.len()).map(|number| format!("{number:>3}")).collect::<String>());
    for (number, injected) in labels.iter().enumerate() {
        let cell =
            |diagnosed: &String| counts.get(&(injected.as_str(), diagnosed.clone())).map_or_else(|| "  ·".to_owned(), |count| format!("{count:>3}"));
        println!("{:>3} {injected:<30} {}", number + 1, labels.iter().map(cell).collect::<String>());
    }
    let wrong: Vec<&Row> = rows.iter().filter(|row| !row.is_right()).collect();
    for row in &wrong {
        if let Ok(diagnosed) = &row.diagnosed {
            println!("\n✗ {}: expected {}, {}", row.drill.name, row.drill.expects.label(), diagnosed.faults(row.drill.expects).join("; "));
            diagnosed.told.iter().for_each(|line| println!("    {line}"));
        }
    }
    println!("\n{} of {} named right in {:.0} s", rows.len() - wrong.len(), rows.len(), took.as_secs_f64());
}
