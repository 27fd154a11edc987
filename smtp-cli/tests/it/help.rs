//! What the tool says of itself.

use clap::CommandFactory as _;
use smtp_cli::args::Args;

use crate::support::{code, err, out, run};

#[test]
fn help_shows_every_flag_at_work() {
    for (command, flags) in
        [("serve", 10), ("send", 6), ("explain", 1), ("probe", 3), ("bench load", 14), ("bench sink", 5)]
    {
        let output = run(command.split(' ').chain(["--help"]), "");
        assert_eq!(code(&output), Some(0));
        let help = out(&output);
        let (options, examples) = help.split_once("Examples:").expect("examples");
        let mut args = Args::command();
        let mut path = command.split(' ');
        let command =
            path.try_fold(&mut args, |args, name| args.find_subcommand_mut(name)).expect("the command");
        let longs: Vec<_> = command.get_arguments().filter_map(|arg| arg.get_long()).collect();
        assert!(longs.len() > flags, "{longs:?}");
        for long in longs {
            let flag = format!("--{long}");
            let shown = |text: &str| text.split([' ', '\n', ',']).any(|word| word == flag);
            assert!(shown(options), "{flag} is not listed");
            assert!(shown(examples), "{flag} has no example");
        }
    }
}

#[test]
fn examples_are_taken_as_they_stand() {
    use clap::Parser as _;

    let mut seen = 0;
    for command in ["serve", "send", "explain", "probe", "bench", "bench load", "bench sink"] {
        let help = out(&run(command.split(' ').chain(["--help"]), "")).replace("\\\n", " ");
        for line in help.lines().map(str::trim).filter(|line| line.starts_with("smtp ")) {
            Args::try_parse_from(words(line)).unwrap_or_else(|error| panic!("{line}: {error}"));
            seen += 1;
        }
    }
    assert!(seen > 10, "{seen} examples");
}

#[test]
fn completions_and_the_manual_know_every_command() {
    for shell in ["bash", "zsh", "fish"] {
        let output = run(["completions", shell], "");
        assert_eq!(code(&output), Some(0));
        let text = out(&output);
        assert!(text.contains("retry-wait") && text.contains("greylist"), "{text}");
    }
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("man").to_str().expect("UTF-8").to_owned();
    assert_eq!(code(&run(["manual", &path], "")), Some(0));
    for command in Args::command().get_subcommands() {
        let page = format!("{path}/smtp-{}.1", command.get_name());
        let page = std::fs::read_to_string(&page).unwrap_or_else(|error| panic!("{page}: {error}"));
        assert!(page.contains(".SH NAME"), "{page}");
    }
}

/// As a shell parts them, single quotes and all.
pub(crate) fn words(line: &str) -> Vec<String> {
    let mut words = vec![];
    let mut word: Option<String> = None;
    for (n, part) in line.split('\'').enumerate() {
        if n % 2 == 1 {
            word.get_or_insert_default().push_str(part);
            continue;
        }
        for c in part.chars() {
            match c {
                ' ' => words.extend(word.take()),
                c => word.get_or_insert_default().push(c),
            }
        }
    }
    words.extend(word);
    words
}

#[test]
fn a_wrong_command_line_is_64_and_shows_no_password() {
    let cases: [&[&str]; 8] = [
        &["fly"],
        &["serve", "--nonsense"],
        &["serve", "--user", "hidden"],
        &["serve", "--user", "ann:"],
        &["serve", "--implicit-tls", "127.0.0.1:0"],
        &["send", "--server", "ann:hidden@mx", "--from", "", "--to", "ben@example.net", "-"],
        &["send", "--server", "smtp://ann:hidden@mx:port", "--from", "", "--to", "ben@example.net", "-"],
        &["send", "--server", "smtp://mx", "--from", "no address", "--to", "ben@example.net", "-"],
    ];
    for case in cases {
        let output = run(case, "");
        assert_eq!(code(&output), Some(64), "{case:?}");
        let said = err(&output);
        assert!(!said.is_empty() && !said.contains("hidden"), "{case:?}: {said}");
    }
}
