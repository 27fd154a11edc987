//! Every command in every document is run somewhere, and every recipe that is named exists: somebody follows these documents.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn read(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The documents, but those of the tool, whose examples are run by tests of their own and compared to the letter.
fn documents() -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut folders = vec![root()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            let name = path.file_name().expect("a name").to_string_lossy().into_owned();
            if path.is_dir() {
                let skipped = name.starts_with('.') || ["target", "smtp-cli", "run"].contains(&name.as_str());
                if !skipped {
                    folders.push(path);
                }
            } else if name.ends_with(".md") {
                let text = std::fs::read_to_string(&path).expect("a document");
                let path = path.strip_prefix(root()).expect("below it").to_string_lossy().into_owned();
                found.push((path, text));
            }
        }
    }
    assert!(found.len() >= 8, "{found:?}");
    found
}

/// The lines of its `sh` blocks, without comments.
fn blocks(text: &str) -> Vec<String> {
    let (mut commands, mut inside) = (Vec::new(), false);
    for line in text.lines() {
        match line.trim() {
            "```sh" => inside = true,
            "```" => inside = false,
            command if inside => {
                let command = command.split_once(" # ").map_or(command, |(command, _)| command).trim();
                if !command.is_empty() && !command.starts_with('#') {
                    commands.push(command.to_owned());
                }
            }
            _ => {}
        }
    }
    commands
}

/// What stands between backquotes and is a command of ours or cargo's.
fn inline(text: &str) -> Vec<String> {
    let mut commands = Vec::new();
    let mut fenced = false;
    let mut paragraph = String::new();
    for line in text.lines() {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
        } else if !fenced {
            // A command may be broken by the line's end; a row of a table is not.
            paragraph.push_str(line.trim());
            paragraph.push(if line.is_empty() || line.starts_with('|') { '\n' } else { ' ' });
        }
    }
    for paragraph in paragraph.lines() {
        let spans = paragraph.split('`').skip(1).step_by(2);
        let is_command = |span: &&str| {
            ["cargo ", "just ", ".ci/"].iter().any(|start| span.starts_with(start))
                || (span.contains("cargo ") && span.contains('='))
        };
        commands.extend(spans.filter(is_command).map(str::to_owned));
    }
    commands
}

/// Recipes of the justfile.
fn recipes() -> BTreeSet<String> {
    let text = read("justfile");
    let heads =
        text.lines().filter(|line| line.starts_with(|c: char| c.is_ascii_lowercase()) && line.contains(':'));
    heads.filter_map(|line| line.split([' ', ':']).next()).map(str::to_owned).collect()
}

#[test]
fn every_command_is_run_somewhere() {
    let (recipes, list) = (recipes(), read("smtp-cli/tests/documents.txt"));
    let (ci, contributing) = (read(".ci/run"), read("CONTRIBUTING.md"));
    let by_hand =
        contributing.split("run by hand before a release:").nth(1).expect("the list of what is run by hand");
    let by_hand = by_hand.split("\n\n").next().expect("its paragraph");
    // `command => where`, where that is `ci TEXT` (of .ci/run, or of the justfile), `test PATH NAME` or `hand WHY`.
    let mut listed: Vec<(&str, &str, bool)> = list
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .map(|line| line.split_once(" => ").unwrap_or_else(|| panic!("no `=>` in {line}")))
        .map(|(command, place)| (command, place, false))
        .collect();
    let mut wrong = Vec::new();
    let mut count = 0;
    for (document, text) in documents() {
        let readme = document == "README.md";
        let in_blocks = blocks(&text).into_iter().map(|command| (command, true));
        for (command, block) in in_blocks.chain(inline(&text).into_iter().map(|command| (command, false))) {
            count += 1;
            // README's blocks are run as they stand: `just walk`.
            if readme && block {
                continue;
            }
            if let Some(recipe) = command.strip_prefix("just ") {
                let recipe = recipe.split(' ').next().expect("a word");
                if !recipes.contains(recipe) {
                    wrong.push(format!("{document}: no recipe {recipe}"));
                } else if !ci.contains(&format!("just {recipe}"))
                    && !by_hand.contains(&format!("`just {recipe}`"))
                {
                    wrong.push(format!(
                        "{document}: `just {recipe}` is run neither by .ci/run nor by hand (CONTRIBUTING.md)"
                    ));
                }
                continue;
            }
            match listed.iter_mut().find(|(known, ..)| *known == command) {
                Some(entry) => entry.2 = true,
                None => wrong.push(format!("{document}: nobody runs {command}")),
            }
        }
    }
    for (command, place, used) in listed {
        if !used {
            wrong.push(format!("documents.txt: no document has {command}"));
        }
        let found = match place.split_once(' ') {
            Some(("ci", text)) => ci.contains(text) || read("justfile").contains(text),
            Some(("test", test)) => {
                test.split_once(' ').is_some_and(|(path, name)| read(path).contains(name))
            }
            Some(("hand", why)) => !why.is_empty(),
            _ => false,
        };
        if !found {
            wrong.push(format!("documents.txt: {command} is not run by {place}"));
        }
    }
    assert!(wrong.is_empty(), "{} of {count} commands:\n{}", wrong.len(), wrong.join("\n"));
    assert!(count > 40, "{count} commands: the documents were not read");
}

/// Links to files go somewhere.
#[test]
fn every_link_goes_somewhere() {
    let mut wrong = Vec::new();
    for (document, text) in documents() {
        let folder = root().join(&document).parent().expect("a folder").to_owned();
        for target in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let file = target.split('#').next().expect("a part");
            if !file.contains("://") && !file.is_empty() && !folder.join(file).exists() {
                wrong.push(format!("{document}: {target}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The check itself can fail.
#[test]
fn commands_are_found_where_they_stand() {
    let text = "a `cargo x\ny` b `just z`\n\n```sh\n# no\nls   # why\n```\n| `cargo t` | `word` |\n";
    assert_eq!(blocks(text), ["ls"]);
    assert_eq!(inline(text), ["cargo x y", "just z", "cargo t"]);
    assert!(recipes().contains("examples") && !recipes().contains("no-such-recipe"));
}
