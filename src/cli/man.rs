//! The man pages: one for nsmctl and one for each command, made from the same types as the help.

use std::{io, iter};

use clap::{Args, Command};
use clap_mangen::{
    Man,
    roff::{Inline, Roff, bold, roman},
};

use super::{
    program::{Program, command},
    reference::{ENVIRONMENT, EXIT_CODES, FILES},
};

/// The arguments of `man`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  nsmctl man /usr/local/share/man/man1
  nsmctl man man && man -l man/nsmctl-verify.1

Writes nsmctl.1 and a page for each command into the directory, which is made where it is not there.")]
pub struct ManArgs {
    /// The directory.
    #[arg(value_name = "DIR")]
    pub dir: std::path::PathBuf,
}

/// A table of ids that a page has at its end.
#[derive(Debug, Clone)]
pub struct Table {
    /// The page's file, as in `nsmctl-verify.1`.
    pub page: &'static str,
    /// The section's title, in capitals.
    pub title: &'static str,
    /// Each id, and what it is.
    pub rows: Vec<(String, String)>,
}

/// The pages, each with the name of its file.
///
/// # Errors
/// Never, as long as memory can be written to.
pub fn man_pages(tables: &[Table]) -> io::Result<Vec<(String, String)>> {
    let mut root = command(Program::Nsmctl).disable_help_subcommand(true);
    root.build();
    with_commands(&root).into_iter().map(|command| page(command, tables)).collect()
}

/// A command and all below it that are shown.
fn with_commands(command: &Command) -> Vec<&Command> {
    let below = command.get_subcommands().filter(|command| !command.is_hide_set()).flat_map(with_commands);
    iter::once(command).chain(below).collect()
}

fn page(command: &Command, tables: &[Table]) -> io::Result<(String, String)> {
    let version = env!("CARGO_PKG_VERSION");
    let man = Man::new(command.clone());
    let name = man.get_filename();
    let title = name.trim_end_matches(".1").to_uppercase();
    // Without a date, so that a page is the same whenever it is made.
    let mut bytes = format!(".TH {title} 1 \"\" \"nsmctl {version}\" \"nsmctl\"\n").into_bytes();
    man.render_name_section(&mut bytes)?;
    let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
    let Help { examples, notes } = Help::new(&help);
    let mut begin = Roff::new();
    section(&mut begin, "SYNOPSIS");
    let usage = command.clone().render_usage().to_string();
    begin.text([bold(usage.trim_start_matches("Usage: ").trim())]);
    section(&mut begin, "DESCRIPTION");
    let about = command.get_long_about().or(command.get_about()).map(ToString::to_string).unwrap_or_default();
    paragraphs(&mut begin, iter::once(about.as_str()).chain(notes));
    begin.to_writer(&mut bytes)?;
    man.render_options_section(&mut bytes)?;
    if command.has_subcommands() {
        man.render_subcommands_section(&mut bytes)?;
    }
    let mut end = Roff::new();
    if !examples.is_empty() {
        section(&mut end, "EXAMPLES");
        // As it is typed.
        end.control("EX", []);
        for line in &examples {
            end.text([roman(*line)]);
        }
        end.control("EE", []);
    }
    for table in tables.iter().filter(|table| table.page == name) {
        rows(&mut end, table.title, table.rows.iter().map(|(id, about)| (id.as_str(), about.as_str())));
    }
    rows(&mut end, "EXIT STATUS", EXIT_CODES);
    rows(&mut end, "ENVIRONMENT", ENVIRONMENT);
    rows(&mut end, "FILES", FILES);
    see_also(&mut end, &name);
    end.to_writer(&mut bytes)?;
    Ok((name, String::from_utf8_lossy(&bytes).into_owned()))
}

fn section(roff: &mut Roff, title: &str) {
    roff.control("SH", [title]);
}

fn paragraphs<'a>(roff: &mut Roff, texts: impl IntoIterator<Item = &'a str>) {
    for (index, text) in texts.into_iter().filter(|text| !text.is_empty()).enumerate() {
        if index > 0 {
            roff.control("PP", []);
        }
        let mut is_typed = false;
        for line in text.lines() {
            // What is indented is a command, and stays on a line of its own.
            let typed = line.strip_prefix("  ");
            if typed.is_some() != is_typed {
                is_typed = typed.is_some();
                roff.control(if is_typed { "EX" } else { "EE" }, []);
            }
            roff.text([roman(typed.unwrap_or(line.trim()))]);
        }
        if is_typed {
            roff.control("EE", []);
        }
    }
}

fn rows<'a>(roff: &mut Roff, title: &str, rows: impl IntoIterator<Item = (&'a str, &'a str)>) {
    section(roff, title);
    for (term, about) in rows {
        roff.control("TP", []);
        roff.text([bold(term)]);
        roff.text([roman(about)]);
    }
}

/// The page of nsmctl names all others; these name it and the pages that go with most of them.
fn see_also(roff: &mut Roff, own: &str) {
    section(roff, "SEE ALSO");
    let pages = ["nsmctl", "nsmctl-deploy", "nsmctl-verify", "nsmctl-troubleshoot", "nsmctl-cleanup", "kubectl"];
    let others: Vec<&str> = pages.into_iter().filter(|page| format!("{page}.1") != own).collect();
    let last = others.len().saturating_sub(1);
    let mut line: Vec<Inline> = Vec::new();
    for (index, page) in others.into_iter().enumerate() {
        line.extend([bold(page), roman(if index < last { "(1), " } else { "(1)" })]);
    }
    roff.text(line);
}

/// What stands below the options in the help: examples, and paragraphs of which some have sections of their own.
struct Help<'a> {
    examples: Vec<&'a str>,
    notes: Vec<&'a str>,
}

impl<'a> Help<'a> {
    fn new(text: &'a str) -> Self {
        let (mut examples, mut notes) = (Vec::new(), Vec::new());
        for part in text.split("\n\n") {
            match part.split_once('\n') {
                Some(("Examples:", lines)) => examples.extend(lines.lines().map(|line| line.strip_prefix("  ").unwrap_or(line))),
                // Told in full elsewhere on the page.
                Some(("Exit codes:" | "Environment:", _)) => {}
                _ => notes.push(part),
            }
        }
        Self { examples, notes }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_that_is_shown_has_a_page_with_all_its_sections() {
        let table = Table { page: "nsmctl-verify.1", title: "CHECKS", rows: vec![("an-id".into(), "what it is".into())] };
        let pages = man_pages(&[table]).unwrap();
        let mut root = command(Program::Nsmctl).disable_help_subcommand(true);
        root.build();
        let commands: Vec<String> = with_commands(&root).iter().map(|command| command.get_bin_name().unwrap().replace(' ', "-") + ".1").collect();
        assert_eq!(pages.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>(), commands);
        assert!(commands.contains(&"nsmctl-manifests-rbac.1".to_owned()) && commands.contains(&"nsmctl-engine-restart.1".to_owned()), "{commands:?}");
        assert!(!commands.contains(&"nsmctl-engine-manage.1".to_owned()), "{commands:?}");
        for (name, text) in &pages {
            for section in ["NAME", "SYNOPSIS", "DESCRIPTION", "OPTIONS", "EXAMPLES", "\"EXIT STATUS\"", "ENVIRONMENT", "FILES", "\"SEE ALSO\""] {
                assert!(text.contains(&format!("\n.SH {section}\n")), "{name} has no {section}: {text}");
            }
            assert_eq!(text.contains("\n.EX\nnsmctl completions kubectl"), name == "nsmctl-completions.1", "{name}");
            assert_eq!(text.contains(".SH CHECKS") && text.contains("\\fBan\\-id\\fR"), name == "nsmctl-verify.1", "{name}");
        }
    }
}
