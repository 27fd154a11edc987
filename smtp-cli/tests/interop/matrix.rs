//! The matrix: a test for each cell, and what is printed of them in the end.

use std::collections::BTreeMap;
use std::fmt::{Display, Write as _};
use std::fs;
use std::panic::{self, AssertUnwindSafe};
use std::sync::Mutex;

use libtest_mimic::{Failed, Trial};

use crate::peer::{installed, interop};

/// One table: rows and columns by name.
#[derive(Debug)]
pub(crate) struct Table {
    pub(crate) title: &'static str,
    pub(crate) rows: Vec<&'static str>,
    pub(crate) columns: Vec<&'static str>,
}

/// A table's title, a row and a column.
type Cell = (&'static str, &'static str, &'static str);

/// What became of a cell's tests: each test's letter and whether it passed.
static CELLS: Mutex<BTreeMap<Cell, Vec<(char, bool)>>> = Mutex::new(BTreeMap::new());
/// Cells that are as they should not be, and why they are.
static NOTES: Mutex<Vec<(Cell, &str)>> = Mutex::new(Vec::new());

/// A test of the cell. `letter` says in the table who passed it.
pub(crate) fn trial(
    cell: Cell,
    who: impl Display,
    letter: char,
    test: impl FnOnce() + Send + 'static,
) -> Trial {
    let (_, row, column) = cell;
    let run = move || {
        let ended = panic::catch_unwind(AssertUnwindSafe(test));
        CELLS.lock().unwrap().entry(cell).or_default().push((letter, ended.is_ok()));
        ended.map_err(|panicked| {
            let text = panicked.downcast_ref::<String>().cloned();
            let text = text.or_else(|| panicked.downcast_ref::<&str>().map(|text| (*text).to_owned()));
            Failed::from(text.unwrap_or_default())
        })
    };
    Trial::test(format!("{column}: {row}: {who}"), run).with_ignored_flag(true)
}

/// Explains a cell.
pub(crate) fn note(cell: Cell, why: &'static str) {
    NOTES.lock().unwrap().push((cell, why));
}

/// The tables in Markdown, with what is to be said about them; nothing if no cell was run.
pub(crate) fn text(tables: &[Table]) -> Option<String> {
    let cells = CELLS.lock().unwrap();
    if cells.is_empty() {
        return None;
    }
    let notes = NOTES.lock().unwrap();
    // One that stands at several cells is said once.
    let mut whys: Vec<&str> = Vec::new();
    notes.iter().for_each(|(_, why)| {
        if !whys.contains(why) {
            whys.push(why)
        }
    });
    let mut text = String::new();
    for table in tables {
        let _ = writeln!(text, "### {}\n", table.title);
        let head: Vec<_> = table.columns.iter().map(|column| format!(" {column} |")).collect();
        let _ = writeln!(text, "| |{}\n|---|{}", head.concat(), "---|".repeat(table.columns.len()));
        for row in &table.rows {
            let _ = write!(text, "| {row} |");
            for column in &table.columns {
                let place = (table.title, *row, *column);
                let mut cell = cells.get(&place).cloned().unwrap_or_default();
                cell.sort_unstable();
                let failed: String =
                    cell.iter().filter(|(_, passed)| !passed).map(|(letter, _)| *letter).collect();
                let passed: String =
                    cell.iter().filter(|(_, passed)| *passed).map(|(letter, _)| *letter).collect();
                let failed = if failed.is_empty() { failed } else { format!("**{failed} FAILED**") };
                let noted = notes.iter().find(|(noted, _)| *noted == place);
                let mark = noted.and_then(|(_, why)| whys.iter().position(|one| one == why));
                let mark = mark.map(|number| format!(" ({})", number + 1)).unwrap_or_default();
                let _ = write!(text, " {passed}{failed}{mark} |");
            }
            text.push('\n');
        }
        text.push('\n');
    }
    for (number, why) in whys.iter().enumerate() {
        let _ = writeln!(text, "({}) {why}.\n", number + 1);
    }
    let versions = fs::read_to_string(installed("versions")).unwrap();
    let versions: Vec<&str> = versions.lines().collect();
    let _ = writeln!(text, "With {}.", versions.join(", "));
    Some(text)
}

/// Puts the tables where `interop/README.md` has them.
pub(crate) fn keep(tables: &str) {
    let path = interop("README.md");
    let page = fs::read_to_string(&path).unwrap();
    let (begin, end) = ("<!-- matrix -->\n", "<!-- end of matrix -->");
    let (before, rest) = page.split_once(begin).unwrap();
    let (_, behind) = rest.split_once(end).unwrap();
    fs::write(path, format!("{before}{begin}\n{tables}\n{end}{behind}")).unwrap();
}
