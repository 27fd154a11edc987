//! Every parsed field of commands, replies and codes, as JSON.

use serde_json::{Map, Value, json};
use smtp_tokio::proto::address::{Domain, ForwardPath, Literal, Mailbox, ReversePath};
use smtp_tokio::proto::command::{Command, Text};
use smtp_tokio::proto::extension::{Capabilities, Extension};
use smtp_tokio::proto::param::{DeliverByMode, Notify, Param, Params, Ret};
use smtp_tokio::proto::reply::Reply;
use smtp_tokio::proto::status::{Class, Code, Enhanced};

/// A command with its arguments. What may be secret is counted instead.
pub(crate) fn command(command: &Command<'_>) -> Value {
    let mut fields = Map::new();
    let verb = match command {
        Command::Other { verb, .. } => verb.as_str().to_owned(),
        known => known.verb().map_or("", |verb| verb.name()).to_owned(),
    };
    fields.insert("verb".into(), verb.into());
    let mut set = |name: &str, value: Value| fields.insert(name.into(), value);
    match command {
        Command::Ehlo(name) | Command::Helo(name) | Command::Lhlo(name) => {
            set("name", domain(name));
        }
        Command::Mail(mail) => {
            set("from", reverse_path(&mail.from));
            set("parameters", params(&mail.params));
        }
        Command::Rcpt(rcpt) => {
            set("to", forward_path(&rcpt.to));
            set("parameters", params(&rcpt.params));
        }
        Command::Bdat { size, last } => {
            set("size", json!(size));
            set("last", json!(last));
        }
        Command::Auth { mechanism, initial } => {
            set("mechanism", json!(mechanism.as_str()));
            set("known", json!(mechanism.known().is_some()));
            set("cleartext", json!(mechanism.known().map(|known| known.is_cleartext())));
            let initial = initial.as_ref().map(|initial| initial.decode());
            set("initial_octets", json!(initial.as_ref().map(Vec::len)));
            if mechanism.as_str().eq_ignore_ascii_case("PLAIN") {
                set("user", json!(initial.as_deref().and_then(plain_user)));
            }
        }
        Command::Noop(text)
        | Command::Vrfy(text)
        | Command::Expn(text)
        | Command::Help(text)
        | Command::Etrn(text) => {
            set("argument", argument(text));
        }
        Command::Xclient(attributes) | Command::Xforward(attributes) => {
            let each = attributes.iter().map(|(name, value)| (name.name().into(), lossy(&value.decode())));
            set("attributes", Value::Object(each.collect()));
        }
        Command::Other { args, .. } => {
            set("argument", argument(args));
            set("recognised", json!(command.verb().is_some()));
        }
        _ => {}
    }
    Value::Object(fields)
}

fn argument(text: &Text<'_>) -> Value {
    if text.is_empty() { Value::Null } else { text.as_str().into() }
}

fn lossy(octets: &[u8]) -> Value {
    String::from_utf8_lossy(octets).into()
}

/// The user's name in PLAIN's response: `authzid NUL authcid NUL password` (RFC 4616, 2).
fn plain_user(response: &[u8]) -> Option<String> {
    let user = response.split(|octet| *octet == 0).nth(1)?;
    String::from_utf8(user.to_vec()).ok()
}

fn domain(domain: &Domain<'_>) -> Value {
    let literal = domain.literal().map(|literal| match literal {
        Literal::V4(address) => json!({ "ipv4": address.to_string() }),
        Literal::V6(address) => json!({ "ipv6": address.to_string() }),
        Literal::General { tag, content } => json!({ "tag": tag, "content": content }),
    });
    let mut fields = json!({ "text": domain.as_str() });
    if let Some(literal) = literal {
        fields["literal"] = literal;
    }
    if !domain.is_ascii() {
        fields["ascii"] = false.into();
    }
    // A client's name may pass that is none by RFC 5321.
    if Domain::parse(domain.as_str()).is_err() {
        fields["conforming"] = false.into();
    }
    fields
}

fn reverse_path(path: &ReversePath<'_>) -> Value {
    match path.mailbox() {
        Some(mailbox) => address(mailbox),
        None => json!({ "text": "", "null": true }),
    }
}

fn forward_path(path: &ForwardPath<'_>) -> Value {
    match path.mailbox() {
        Some(mailbox) => address(mailbox),
        None => json!({ "text": path.as_str(), "postmaster": true }),
    }
}

/// A mailbox in its parts.
pub(crate) fn address(mailbox: &Mailbox<'_>) -> Value {
    let mut fields = json!({ "text": mailbox.as_str(), "local_part": mailbox.local_part() });
    if mailbox.local_part() != mailbox.local_part_raw() {
        fields["quoted"] = mailbox.local_part_raw().into();
    }
    fields["domain"] = mailbox.domain().as_str().into();
    if let Some(literal) = domain(&mailbox.domain()).get("literal") {
        fields["literal"] = literal.clone();
    }
    if !mailbox.is_ascii() {
        fields["ascii"] = false.into();
    }
    fields
}

fn params(params: &Params<'_>) -> Value {
    params.iter().map(|each| param(&each)).collect()
}

fn param(param: &Param<'_>) -> Value {
    let text = param.to_string();
    let mut fields = json!({ "keyword": param.keyword() });
    fields["value"] = text.split_once('=').map_or(Value::Null, |(_, value)| value.into());
    let mut set = |name: &str, value: Value| fields[name] = value;
    match param {
        Param::Size(size) => set("value", json!(size)),
        Param::HoldFor(seconds) => set("value", json!(seconds)),
        Param::MtPriority(priority) => set("value", json!(priority)),
        Param::Ret(Ret::Full) => set("means", json!("a report of failure returns the whole message")),
        Param::Ret(Ret::Hdrs) => set("means", json!("a report of failure returns the header")),
        Param::Envid(xtext) | Param::Auth(xtext) => set("decoded", lossy(&xtext.decode())),
        Param::By(by) => {
            set("seconds", json!(by.seconds));
            set("late", json!(if by.mode == DeliverByMode::Return { "return" } else { "notify" }));
            set("trace", json!(by.trace));
        }
        Param::Notify(notify) => {
            let all = [Notify::SUCCESS, Notify::FAILURE, Notify::DELAY];
            set("reports", all.iter().filter(|one| notify.contains(**one)).map(Notify::to_string).collect());
        }
        Param::Orcpt(orcpt) => {
            set("address_type", json!(orcpt.address_type()));
            set("address", json!(orcpt.address()));
        }
        Param::Rrvs { since, action } => {
            set("since", json!(since));
            set("otherwise", json!(action.map(|action| action.keyword())));
        }
        Param::Mtrk { certifier, timeout } => {
            set("certifier", json!(certifier));
            set("timeout", json!(timeout));
        }
        _ => {}
    }
    set("extension", json!(param.extension().map(Extension::keyword)));
    fields
}

/// A whole reply, and what it lists if it answers EHLO.
pub(crate) fn reply(reply: &Reply<'_>) -> Value {
    let advice = reply.advice();
    let lines = reply.lines().map(|line| line.text_lossy());
    let mut fields = json!({
        "code": reply.code().as_u16(),
        "class": class(reply.code()),
        "meaning": advice.meaning,
        "status": reply.status().map(enhanced),
        "lines": lines.collect::<Vec<_>>(),
        "next": advice.next,
    });
    if looks_like_hello(reply) {
        fields["capabilities"] = capabilities(&Capabilities::parse(reply));
    }
    fields
}

fn looks_like_hello(reply: &Reply<'_>) -> bool {
    let several = reply.lines().nth(1).is_some();
    reply.code() == Code::OK && several && !Capabilities::parse(reply).set().is_empty()
}

fn class(code: Code) -> &'static str {
    match code.class() {
        Class::Completed => "2yz: done",
        Class::Intermediate => "3yz: go on",
        Class::Transient => "4yz: not now",
        Class::Permanent => "5yz: no",
    }
}

/// An enhanced status code in its parts.
pub(crate) fn enhanced(status: Enhanced) -> Value {
    json!({
        "text": status.to_string(),
        "class": match status.class() {
            Class::Completed => "success",
            Class::Transient => "a failure that may pass",
            _ => "a failure for good",
        },
        "about": status.about(),
        "meaning": status.text(),
    })
}

/// What a server offers.
pub(crate) fn capabilities(offered: &Capabilities<'_>) -> Value {
    let mut fields = Map::new();
    for extension in offered.set().iter() {
        let words = match extension {
            Extension::Size => json!(offered.size()),
            Extension::DeliverBy => json!(offered.deliver_by()),
            Extension::Auth => {
                let known = offered.mechanisms();
                known.iter().map(|known| known.name()).chain(offered.other_mechanisms()).collect()
            }
            Extension::Limits => {
                let limits = offered.limits();
                let each = [
                    ("RCPTMAX", limits.rcpt_max),
                    ("MAILMAX", limits.mail_max),
                    ("RCPTDOMAINMAX", limits.rcpt_domain_max),
                ];
                let said =
                    each.into_iter().filter_map(|(name, limit)| Some((name.to_owned(), json!(limit?))));
                Value::Object(said.collect())
            }
            other => offered.words(other).map_or(json!(true), Value::from),
        };
        fields.insert(extension.keyword().into(), if words.is_null() { json!(true) } else { words });
    }
    for (keyword, words) in offered.unknown() {
        fields.insert(keyword.into(), if words.is_empty() { json!(true) } else { words.into() });
    }
    Value::Object(fields)
}
