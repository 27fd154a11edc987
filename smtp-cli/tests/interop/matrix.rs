//! The matrix: a test for each cell, and what is printed of them in the end.

use std::collections::BTreeMap;
use std::panic::{self, AssertUnwindSafe};
use std::sync::Mutex;

use libtest_mimic::{Failed, Trial};

use crate::peers;
use crate::sender::Client;
use crate::servers::{COMMON, Case, ROWS, Row};

/// What came of each cell: by row and column, who passed and who failed.
static CELLS: Mutex<BTreeMap<(usize, usize), Vec<(Client, bool)>>> = Mutex::new(BTreeMap::new());

pub(crate) fn trials(trials: &mut Vec<Trial>) {
    for (column, (name, peer)) in peers::ALL.into_iter().enumerate() {
        for (number, row) in ROWS.iter().enumerate() {
            for client in Client::ALL {
                if client == Client::Tool && !row.by_tool {
                    continue;
                }
                let test = move || cell(row, Case { client, peer: peer() }, (number, column));
                let title = format!("to {name}: {}: {client}", row.name);
                trials.push(Trial::test(title, test).with_ignored_flag(true));
            }
        }
    }
}

fn cell(row: &Row, case: Case, place: (usize, usize)) -> Result<(), Failed> {
    if !case.has(row) {
        return Ok(());
    }
    let ended = panic::catch_unwind(AssertUnwindSafe(|| (row.run)(&case)));
    CELLS.lock().unwrap().entry(place).or_default().push((case.client, ended.is_ok()));
    ended.map_err(|panicked| {
        let text = panicked.downcast_ref::<String>().cloned();
        text.or_else(|| panicked.downcast_ref::<&str>().map(|text| (*text).to_owned()))
            .unwrap_or_default()
            .into()
    })
}

impl Case {
    fn has(&self, row: &Row) -> bool {
        let rows = self.peer.rows;
        COMMON.contains(&row.name)
            || rows.contains(&row.name)
            || row.name == "AUTH, the strongest"
                && self.client == Client::Tool
                && rows.contains(&"AUTH PLAIN")
    }
}

pub(crate) fn print() {
    let cells = CELLS.lock().unwrap();
    println!("{cells:?}");
}
