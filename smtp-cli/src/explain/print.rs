//! An explanation for the eye.

use std::io::{self, Write};

use serde_json::{Map, Value};

use super::input::{Kind, Line};
use super::replay::{Finding, Gravity, Judgement};
use crate::style::{BAD, DIM, GOOD, LABEL, WARN};

/// One line in full; of several, what each is and what is to be said of it.
pub(super) fn print(
    lines: &[Line<'_>],
    explained: &[Value],
    judgement: &Judgement,
    out: &mut impl Write,
) -> io::Result<()> {
    let said = lines.iter().zip(explained).filter(|(line, _)| line.kind != Kind::Note);
    let conversation = !judgement.answers.is_empty() || judgement.findings.iter().any(|found| found.line > 0);
    if !conversation {
        return said.map(|(_, fields)| fields).try_for_each(|fields| in_full(fields, out));
    }
    let width = lines.last().map_or(1, |line| line.number.to_string().len());
    for (line, fields) in said {
        let who = match line.kind {
            Kind::Reply => "S:",
            Kind::Status | Kind::Note => "  ",
            _ => "C:",
        };
        let text = visible(fields["text"].as_str().unwrap_or_default());
        writeln!(out, "{DIM}{:>width$}{DIM:#} {LABEL}{who}{LABEL:#} {text}", line.number)?;
        for found in judgement.findings.iter().filter(|found| found.line == line.number) {
            print_finding(found, width, out)?;
        }
    }
    summary(judgement, out)
}

fn print_finding(found: &Finding, width: usize, out: &mut impl Write) -> io::Result<()> {
    let style = if found.gravity == Gravity::Warning { WARN } else { BAD };
    writeln!(out, "{:width$}    {style}^ {}{style:#}", "", visible(&found.what))?;
    match &found.next {
        Some(next) => writeln!(out, "{:width$}      {}", "", visible(next)),
        None => Ok(()),
    }
}

fn summary(judgement: &Judgement, out: &mut impl Write) -> io::Result<()> {
    let first = |gravity| judgement.findings.iter().find(|found| found.gravity == gravity);
    writeln!(out)?;
    match (first(Gravity::Fault), first(Gravity::Refusal), first(Gravity::Warning)) {
        (Some(fault), ..) => {
            writeln!(out, "{BAD}It went wrong at line {}{BAD:#}: {}.", fault.line, visible(&fault.what))
        }
        (None, Some(refusal), _) => {
            let what = visible(&refusal.what);
            writeln!(out, "{BAD}The server says no at line {}{BAD:#}: {what}.", refusal.line)
        }
        (None, None, Some(warning)) => {
            let what = visible(&warning.what);
            writeln!(out, "{WARN}Nothing went wrong, but at line {}{WARN:#}: {what}.", warning.line)
        }
        (None, None, None) => writeln!(out, "{GOOD}Nothing went wrong.{GOOD:#}"),
    }
}

fn in_full(fields: &Value, out: &mut impl Write) -> io::Result<()> {
    if fields.get("more").is_some() {
        return writeln!(out, "{}", visible(fields["text"].as_str().unwrap_or_default()));
    }
    writeln!(out, "{}", visible(fields["text"].as_str().unwrap_or_default()))?;
    for (name, label) in [("error", BAD), ("answer", LABEL), ("octets", LABEL)] {
        if let Some(value) = fields.get(name).filter(|value| !value.is_null()) {
            let name = if name == "answer" { "a server answers" } else { name };
            writeln!(out, "  {label}{name}{label:#}: {}", plain(value))?;
        }
    }
    for name in ["command", "reply", "status", "address"] {
        if let Some(Value::Object(parts)) = fields.get(name) {
            // The text is there already.
            let told = |name: &str| !matches!(name, "code" | "lines" | "text");
            let parts: Vec<_> = parts.iter().filter(|(name, value)| told(name) && !is_empty(value)).collect();
            let width = parts.iter().map(|(name, _)| name.len()).max().unwrap_or_default();
            for (name, value) in parts {
                let name = name.replace('_', " ");
                let values = match value {
                    Value::Array(values) if values.iter().any(Value::is_object) => {
                        values.iter().map(inline).collect()
                    }
                    Value::Object(parts) if name == "capabilities" => {
                        parts.iter().map(|(name, value)| pair(name, value)).collect()
                    }
                    value => vec![inline(value)],
                };
                for (at, value) in values.iter().enumerate() {
                    let name = if at == 0 { &name } else { "" };
                    writeln!(out, "  {LABEL}{name:width$}{LABEL:#}  {value}")?;
                }
            }
        }
    }
    Ok(())
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(values) => values.is_empty(),
        Value::Object(parts) => parts.is_empty(),
        _ => false,
    }
}

/// A value in one line: of an object, the first field, and the others by their names.
fn inline(value: &Value) -> String {
    let Value::Object(parts) = value else { return plain(value) };
    let rest = |parts: &Map<String, Value>, skip| {
        let parts = parts.iter().skip(skip).filter(|(_, value)| !is_empty(value));
        parts.map(|(name, value)| pair(name, value)).collect::<Vec<_>>().join(", ")
    };
    match parts.iter().next() {
        Some((name, first)) if matches!(name.as_str(), "text" | "keyword") => {
            let rest = rest(parts, 1);
            let first = if name == "text" && first == "" { "<>".into() } else { plain(first) };
            if rest.is_empty() { first } else { format!("{first}: {rest}") }
        }
        _ => rest(parts, 0),
    }
}

fn pair(name: &str, value: &Value) -> String {
    match value {
        Value::Bool(true) => name.replace('_', " "),
        Value::Bool(false) => format!("not {}", name.replace('_', " ")),
        value => format!("{} {}", name.replace('_', " "), inline(value)),
    }
}

fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => visible(text),
        Value::Bool(true) => "yes".into(),
        Value::Bool(false) => "no".into(),
        Value::Array(values) => values.iter().map(plain).collect::<Vec<_>>().join(", "),
        value => value.to_string(),
    }
}

/// What was pasted may hold what moves a terminal's cursor.
fn visible(text: &str) -> String {
    text.chars().map(|c| if c.is_control() && c != '\t' { '\u{FFFD}' } else { c }).collect()
}
