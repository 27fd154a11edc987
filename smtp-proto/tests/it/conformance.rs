//! The table of what of the protocol is here: each item names the tests that show it, and these exist.
//!
//! `tests/conformance.txt` says how a row is written.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

const TABLE: &str = include_str!("../conformance.txt");

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Whether this test exists, else why not.
fn find(test: &str) -> Result<(), String> {
    let (place, name) = test.split_once("::").ok_or("a test is PLACE::NAME")?;
    match place {
        "transcript" => match root().join(format!("smtp-proto/tests/transcripts/{name}.txt")).is_file() {
            true => Ok(()),
            false => Err("no such transcript".into()),
        },
        "it" => rust("smtp-proto/tests/it", name),
        "unit" => rust("smtp-proto/src", name),
        "driver" => rust("smtp-driver/tests/it", name),
        "cli" => rust("smtp-cli/tests/it", name),
        "tool" => rust("smtp-cli/src", name),
        "interop" => rust("smtp-cli/tests/interop", name),
        "suite" => suite("conformance", name).or_else(|_| suite("suite", name)),
        _ => Err("no such place".into()),
    }
}

/// `modules::name`, the modules being files, directories, or stand in the file of the one around them.
fn rust(folder: &str, path: &str) -> Result<(), String> {
    let mut modules: Vec<&str> = path.split("::").collect();
    let name = modules.pop().ok_or("a test has a name")?;
    let mut inline = Vec::new();
    loop {
        let stem = root().join(folder).join(modules.join("/"));
        let files = [stem.with_extension("rs"), stem.join("mod.rs"), stem.join("lib.rs")];
        if let Some(text) = files.iter().find_map(|file| fs::read_to_string(file).ok()) {
            let around = inline.iter().all(|module| text.contains(&format!("mod {module} {{")));
            return match around && is_test(&text, name) {
                true => Ok(()),
                false => Err(format!("no such test in {}", stem.display())),
            };
        }
        inline.push(modules.pop().ok_or("no such module")?);
    }
}

/// Whether the text has `fn name(` below `#[test]`, or in a block of proptest's, which adds that by itself.
fn is_test(text: &str, name: &str) -> bool {
    let lines: Vec<&str> = text.lines().collect();
    let begins = format!("fn {name}(");
    let mut places = (0..lines.len()).filter(|n| lines[*n].trim_start().starts_with(&begins));
    places.any(|n| {
        let mut above = lines[..n].iter().rev();
        let block = above.clone().find(|line| **line == "}" || **line == "proptest! {");
        let attributes = above.by_ref().map(|line| line.trim());
        let mut attributes = attributes.take_while(|line| line.starts_with("#[") || line.starts_with("//"));
        block == Some(&"proptest! {") || attributes.any(|line| line == "#[test]")
    })
}

/// A test that every adapter runs: it stands in the list, and is written.
fn suite(folder: &str, name: &str) -> Result<(), String> {
    let folder = root().join("smtp-driver/tests").join(folder);
    let list = fs::read_to_string(folder.join("mod.rs")).map_err(|error| error.to_string())?;
    if !list.lines().any(|line| line.split_whitespace().next_back() == Some(name)) {
        return Err("the adapters do not run it".into());
    }
    let written = fs::read_dir(&folder).map_err(|error| error.to_string())?.any(|file| {
        let text = file.and_then(|file| fs::read_to_string(file.path())).unwrap_or_default();
        text.contains(&format!("fn {name}<"))
    });
    if written { Ok(()) } else { Err("nobody wrote it".into()) }
}

#[test]
fn every_item_has_a_test_that_shows_it() {
    let (mut rows, mut tests, mut wrong, mut section) = (0, 0, Vec::new(), "");
    let mut rules = [false; 35];
    for (n, line) in TABLE.lines().enumerate() {
        let mut complain = |why: &str| wrong.push(format!("conformance.txt:{}: {why}: {line}", n + 1));
        if let Some(title) = line.strip_prefix("== ") {
            section = title;
            continue;
        }
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let [item, source, named] = line.split('|').map(str::trim).collect::<Vec<_>>()[..] else {
            complain("a row is: item | source | tests");
            continue;
        };
        if item.is_empty() || source.is_empty() || section.is_empty() {
            complain("the item, its source or its section is missing");
        }
        if section == "rules" {
            let number = item.split(['.', ' ']).next().and_then(|number| number.parse::<usize>().ok());
            match number.and_then(|number| rules.get_mut(number.wrapping_sub(1))) {
                Some(rule) => *rule = true,
                None => complain("a rule has a number from 1 to 35"),
            }
        }
        if named.is_empty() {
            complain("no test shows it");
        }
        for test in named.split_whitespace() {
            tests += 1;
            if let Err(why) = find(test) {
                complain(&format!("{test}: {why}"));
            }
        }
        rows += 1;
    }
    wrong.extend((1..).zip(rules).filter(|(_, seen)| !seen).map(|(n, _)| format!("rule {n} has no row")));
    assert!(wrong.is_empty(), "{} faults in {rows} rows\n{}", wrong.len(), wrong.join("\n"));
    assert!(rows > 150 && tests > rows, "{rows} rows, {tests} tests: the table was cut short");
    println!("{rows} items, shown by {tests} tests");
}

/// The tests that `SECURITY.md` names exist, and each class of faults has some.
#[test]
fn what_security_is_shown_by_exists() {
    let document = fs::read_to_string(root().join("SECURITY.md")).expect("SECURITY.md");
    let (mut classes, mut wrong) = (0, Vec::new());
    for line in document.lines() {
        let row = line.strip_prefix("| ").and_then(|line| line.strip_suffix(" |")).unwrap_or_default();
        let [number, class, tests] = row.split(" | ").collect::<Vec<_>>()[..] else { continue };
        if number.parse() != Ok(classes + 1) {
            continue;
        }
        classes += 1;
        let named: Vec<&str> = tests.split_whitespace().map(|test| test.trim_matches('`')).collect();
        assert!(named.len() > 2, "{class}");
        wrong.extend(
            named.into_iter().filter_map(|test| find(test).err().map(|why| format!("{test}: {why}"))),
        );
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!(classes, 15);
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !c.is_ascii_alphanumeric() && c != '-')
}

/// README's table promises nothing that is not an item here, and leaves out no RFC that is one.
#[test]
fn the_readme_says_the_same() {
    const README: &str = include_str!("../../../README.md");
    let table = README.split("## What of SMTP is here").nth(1).and_then(|rest| rest.split("\n## ").next());
    let rows: Vec<(&str, &str)> = table
        .expect("the table")
        .lines()
        .filter_map(|line| line.strip_prefix("| ")?.split_once(" | "))
        .filter_map(|(what, rest)| Some((what, rest.split(" |").next()?)))
        .filter(|(what, _)| !what.starts_with(['|', '-']))
        .collect();
    assert!(rows.len() > 30, "{rows:?}");
    let items: Vec<(&str, &str)> = TABLE
        .lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| {
            line.split_once(" | ").and_then(|(item, rest)| Some((item, rest.split_once(" | ")?.0)))
        })
        .collect();
    let known: BTreeSet<&str> = items.iter().flat_map(|(item, _)| words(item)).collect();
    let rfcs = |sources: &[(&'static str, &'static str)]| -> BTreeSet<&'static str> {
        let all = sources.iter().flat_map(|(_, source)| words(source));
        all.filter(|word| word.len() == 4 && word.bytes().all(|octet| octet.is_ascii_digit())).collect()
    };
    let (readme_rfcs, table_rfcs) = (rfcs(&rows), rfcs(&items));
    let mut wrong = Vec::new();
    for (what, _) in &rows {
        let keyword = |word: &&str| {
            word.len() > 2 && word.chars().all(|c| !c.is_ascii_lowercase()) && !word.starts_with('-')
        };
        for word in words(what).filter(keyword) {
            if !known.contains(word) {
                wrong.push(format!("README.md names {word}, of which there is no item"));
            }
        }
    }
    wrong.extend(readme_rfcs.difference(&table_rfcs).map(|rfc| format!("no item is by RFC {rfc}")));
    wrong.extend(table_rfcs.difference(&readme_rfcs).map(|rfc| format!("README.md lacks RFC {rfc}")));
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The check itself can fail.
#[test]
fn what_does_not_exist_is_not_found() {
    for test in [
        "it::values::no_such_test",
        "it::no_such_module::canonical_lines_are_written_back",
        "it::values::parse",
        "it::logins::no_such_module::starttls_then_auth",
        "unit::status::no_such_test",
        "suite::no_such_test",
        "suite::service",
        "transcript::no-such-transcript",
        "nowhere::values::canonical_lines_are_written_back",
        "values",
    ] {
        assert!(find(test).is_err(), "{test}");
    }
}
