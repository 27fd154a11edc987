//! Whole sessions, as the RFCs' examples have them and as rules that are easy to get wrong want them, through both machines:
//! the same events and the same octets whatever the cuts.

mod drive;
pub(crate) mod script;
pub(crate) mod serve;
mod settings;

use drive::{Answers, drive};
use script::{Script, show};
use serve::{Cut, Session, serve};

/// Where a stream of octets is cut: everywhere, or in long ones near their ends and now and then between.
fn cuts(stream: &[u8]) -> Vec<usize> {
    let len = stream.len();
    (1..len).filter(|at| len < 4096 || *at < 100 || len - at < 100 || at % 1021 == 0).collect()
}

/// Fails once, with all that is wrong in any of the transcripts.
fn each(check: impl Fn(&Script) -> Result<(), String>) {
    let all = Script::all();
    assert!(all.len() > 10, "the transcripts are gone");
    let wrong: Vec<String> = all
        .iter()
        .filter_map(|script| check(script).err().map(|error| format!("{}: {error}", script.name)))
        .collect();
    assert!(wrong.is_empty(), "{} of {}\n{}", wrong.len(), all.len(), wrong.join("\n"));
}

#[test]
fn the_server_says_what_the_transcript_says() {
    each(|script| serve::compare(script, &serve(script, Cut::Nowhere, b"")));
}

#[test]
fn the_client_says_what_the_transcript_says() {
    each(|script| match (drive(script, Cut::Nowhere), script.has("server only")) {
        (Ok(answers), false) => drive::compare(script, &answers),
        (Err(error), false) => Err(error),
        // What a well-behaved client never says.
        (Ok(answers), true) => match drive::compare(script, &answers) {
            Ok(()) => Err("the client manages: it is not for the server only".into()),
            Err(_) => Ok(()),
        },
        (Err(_), true) => Ok(()),
    });
}

pub(crate) fn same(whole: &Session, cut: &Session, how: &str) -> Result<(), String> {
    if whole == cut {
        return Ok(());
    }
    let told =
        |session: &Session| session.events.iter().map(|told| told.event.to_string()).collect::<Vec<_>>();
    Err(format!(
        "{how}\n  events {:#?}\n  not {:#?}\n  said\n{}  not\n{}  end {:?} left {}, not {:?} {}",
        told(cut),
        told(whole),
        show(&cut.output),
        show(&whole.output),
        cut.end,
        cut.left,
        whole.end,
        whole.left,
    ))
}

#[test]
fn the_server_sees_the_same_whatever_the_cuts() {
    each(|script| {
        let whole = serve(script, Cut::Nowhere, b"");
        let bytewise = serve(script, Cut::Everywhere, b"");
        same(&whole, &bytewise, "octet by octet")?;
        serve::compare(script, &bytewise)?;
        for len in [2, 3, 7] {
            same(&whole, &serve(script, Cut::Each(len), b""), &format!("{len} octets at a time"))?;
        }
        for at in cuts(&script.client_octets()) {
            same(&whole, &serve(script, Cut::At(at), b""), &format!("cut at {at}"))?;
        }
        Ok(())
    });
}

#[test]
fn the_client_hears_the_same_whatever_the_cuts() {
    each(|script| {
        if script.has("server only") {
            return Ok(());
        }
        let whole = drive(script, Cut::Nowhere)?;
        let check = |cut: Cut| -> Result<(), String> {
            let answers: Answers = drive(script, cut).map_err(|error| format!("{cut:?}: {error}"))?;
            if answers == whole { Ok(()) } else { Err(format!("{cut:?}: {answers:?}\n  not {whole:?}")) }
        };
        check(Cut::Everywhere)?;
        let stream: Vec<u8> = script.replies().into_iter().flat_map(|said| said.raw.clone()).collect();
        cuts(&stream).into_iter().try_for_each(|at| check(Cut::At(at)))
    });
}

/// What a client sends behind is left for its turn: it changes nothing of what came before.
#[test]
fn a_command_behind_changes_nothing() {
    each(|script| {
        let alone = serve(script, Cut::Nowhere, b"");
        let behind = serve(script, Cut::Nowhere, b"NOOP behind\r\n");
        let same_so_far =
            behind.events.starts_with(&alone.events) && behind.output.starts_with(&alone.output);
        if !same_so_far {
            return same(&alone, &behind, "with a NOOP behind");
        }
        let served = behind.events.len() > alone.events.len();
        match alone.end {
            serve::End::Open if !served => Err("NOOP was not served".into()),
            serve::End::Closed if served || behind.left != alone.left + 13 => Err("it was closed".into()),
            _ => Ok(()),
        }
    });
}
