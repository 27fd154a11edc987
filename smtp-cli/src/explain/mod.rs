//! `smtp explain`: what a reply, a code, a command or a whole conversation says, and where it went wrong.

mod args;
pub(crate) mod fields;
mod input;
mod print;
mod replay;
#[cfg(test)]
mod tests;

use std::fs;
use std::io::{self, Read as _, Write as _};
use std::path::Path;
use std::process::ExitCode;

use serde_json::{Value, json};
use smtp_tokio::proto::address::Mailbox;
use smtp_tokio::proto::auth::Base64;
use smtp_tokio::proto::command::{Command, Options};
use smtp_tokio::proto::reply::Reply;
use smtp_tokio::proto::status::Enhanced;

pub use args::Args;
use input::{Kind, Line};
use replay::{Gravity, Judgement};

use crate::exit::{self, Failure};

/// Explains what is on the command line, in a file or on standard input.
///
/// # Errors
///
/// [`Failure`] if it can't be read.
pub fn run(args: &Args) -> Result<ExitCode, Failure> {
    let text = match &args.file {
        None if !args.text.is_empty() => args.text.join(" ").into_bytes(),
        file => read(file.as_deref().filter(|file| *file != Path::new("-")))?,
    };
    let lines = input::lines(&text);
    let judgement = replay::judge(&lines);
    let explained = explain(&lines, &judgement);
    let malformed = explained.iter().any(|line| line.get("error").is_some());
    let wrong = judgement.findings.iter().any(|finding| finding.gravity != Gravity::Warning);
    let mut out = crate::style::stdout();
    // Whether anybody reads it changes nothing.
    let _ = if args.json {
        explained.iter().try_for_each(|line| writeln!(out, "{line}"))
    } else {
        print::print(&lines, &explained, &judgement, &mut out)
    };
    let _ = out.flush();
    Ok(if malformed || wrong { ExitCode::from(exit::DATA) } else { ExitCode::SUCCESS })
}

fn read(file: Option<&Path>) -> Result<Vec<u8>, Failure> {
    let (name, read) = match file {
        Some(file) => (file.display().to_string(), fs::read(file)),
        None => {
            let mut text = Vec::new();
            ("standard input".into(), io::stdin().lock().read_to_end(&mut text).map(|_| text))
        }
    };
    read.map_err(|error| Failure::new(exit::NO_INPUT, format!("{name}: {error}")))
}

/// An object for each line.
fn explain(lines: &[Line<'_>], judgement: &Judgement) -> Vec<Value> {
    let mut reply = Vec::new();
    let explained = lines.iter().map(|line| {
        let mut fields = json!({ "line": line.number });
        let (side, kind) = match line.kind {
            Kind::Command => (Some("client"), "command"),
            Kind::Content => (Some("client"), "content"),
            Kind::End => (Some("client"), "end of data"),
            Kind::Response => (Some("client"), "auth response"),
            Kind::Reply => (Some("server"), "reply"),
            Kind::Status => (None, "status"),
            Kind::Note => (None, "note"),
        };
        fields["from"] = json!(side);
        fields["kind"] = json!(kind);
        fields["text"] = json!(shown(line));
        match line.kind {
            Kind::Command => explain_command(line.text, &mut fields),
            Kind::Response => {
                let octets = Base64::parse(line.text).map(|response| response.decode().len());
                fields["octets"] = json!(octets.ok());
            }
            Kind::Reply => {
                reply.extend_from_slice(line.text);
                reply.extend_from_slice(b"\r\n");
                if line.text.get(3) == Some(&b'-') {
                    fields["more"] = json!(true);
                } else {
                    let whole = std::mem::take(&mut reply);
                    explain_reply(&whole, &mut fields);
                }
            }
            Kind::Status => explain_status(line.text, &mut fields),
            Kind::Content | Kind::End | Kind::Note => {}
        }
        if let Some((_, stage)) = judgement.answers.iter().find(|(at, _)| *at == line.number) {
            fields["answers"] = json!(stage.to_string());
        }
        let findings = judgement.findings.iter().filter(|finding| finding.line == line.number);
        let findings: Vec<_> = findings
            .map(|found| json!({ "gravity": found.gravity.name(), "what": found.what, "next": found.next }))
            .collect();
        if !findings.is_empty() {
            fields["findings"] = findings.into();
        }
        fields
    });
    explained.collect()
}

fn explain_command(text: &[u8], fields: &mut Value) {
    match Command::parse(text, Options::default()) {
        Ok(command) => fields["command"] = fields::command(&command),
        Err(error) => {
            // Not a command; an address is worth explaining, too.
            let address = str::from_utf8(text.trim_ascii()).ok();
            let address = address.map(|text| text.trim_start_matches('<').trim_end_matches('>'));
            if let Some(mailbox) = address.and_then(|address| Mailbox::parse(address).ok()) {
                fields["from"] = Value::Null;
                fields["kind"] = json!("address");
                fields["address"] = fields::address(&mailbox);
                return;
            }
            fields["error"] = json!(error.to_string());
            fields["answer"] = json!(error.reply().to_string());
        }
    }
}

fn explain_reply(raw: &[u8], fields: &mut Value) {
    match Reply::parse(raw) {
        Ok(reply) => fields["reply"] = fields::reply(&reply),
        Err(error) => {
            fields["error"] = json!(error.to_string());
            if let Ok(reply) = Reply::parse_lenient(raw) {
                fields["reply"] = fields::reply(&reply);
            }
        }
    }
}

fn explain_status(text: &[u8], fields: &mut Value) {
    let word = str::from_utf8(text).ok().and_then(|text| text.split(' ').next());
    if let Some(status) = word.and_then(|word| word.parse::<Enhanced>().ok()) {
        fields["status"] = fields::enhanced(status);
    }
}

/// A line as it may be shown: what may be a secret stays out.
fn shown(line: &Line<'_>) -> String {
    let text = String::from_utf8_lossy(line.text);
    match line.kind {
        Kind::Response if line.text != b"*" => "…".into(),
        Kind::Command => {
            let mut words = text.splitn(3, ' ');
            match (words.next(), words.next(), words.next()) {
                (Some(verb), Some(mechanism), Some(initial))
                    if verb.eq_ignore_ascii_case("AUTH") && initial.trim() != "=" =>
                {
                    format!("{verb} {mechanism} …")
                }
                _ => text.into_owned(),
            }
        }
        _ => text.into_owned(),
    }
}
