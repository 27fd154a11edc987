//! Answers by rule: who is told what, and where.

use std::collections::HashMap;
use std::net::IpAddr;
use std::str::FromStr;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use smtp_tokio::proto::reply::Reply;
use smtp_tokio::proto::status::{Class, Code, Enhanced};

use super::steps::Step;

/// A rule: `STEP PATTERN: REPLY`.
#[derive(Clone, Debug)]
pub struct Rule {
    step: Step,
    /// `*` stands for anything, `?` for one character; letters in any case.
    pattern: String,
    reply: Reply<'static>,
}

impl FromStr for Rule {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let form = "not of the form 'STEP PATTERN: REPLY', as in 'rcpt full@*: 452 4.2.2 mailbox full'";
        let (which, reply) = text.split_once(": ").ok_or(form)?;
        let (step, pattern) = which.split_once(' ').ok_or(form)?;
        let step: Step = step.parse()?;
        if !matches!(step, Step::Mail | Step::Rcpt | Step::Data | Step::Message) {
            return Err("rules are for mail, rcpt, data and message".into());
        }
        let line = format!("{}\r\n", reply.trim());
        let reply = Reply::parse(line.as_bytes())
            .map_err(|error| format!("{:?} is no reply: {error}", reply.trim()))?
            .into_owned();
        match (step, reply.class()) {
            (_, Class::Transient | Class::Permanent) => {}
            (Step::Mail | Step::Rcpt | Step::Message, Class::Completed) => {}
            _ => return Err(format!("{} answers something else", reply.code())),
        }
        Ok(Self { step, pattern: pattern.trim().to_ascii_lowercase(), reply })
    }
}

/// All rules. The first that fits counts.
#[derive(Debug, Default)]
pub(super) struct Rules(pub(super) Vec<Rule>);

impl Rules {
    /// What is answered at this step for this address; the null reverse-path is `<>`.
    pub(super) fn reply(&self, step: Step, address: &str) -> Option<&Reply<'static>> {
        let address = if address.is_empty() { "<>" } else { address };
        let fits = |rule: &&Rule| rule.step == step && matches(rule.pattern.as_bytes(), address.as_bytes());
        self.0.iter().find(fits).map(|rule| &rule.reply)
    }
}

/// Whether `text` fits `pattern`, which is in lower case. Linear but for what `*` has to try, which is quadratic.
fn matches(pattern: &[u8], text: &[u8]) -> bool {
    let (mut p, mut t) = (0, 0);
    // Where to go on when what comes behind the last `*` doesn't fit.
    let mut again = None;
    while t < text.len() {
        match pattern.get(p) {
            Some(b'*') => {
                again = Some((p + 1, t));
                p += 1;
            }
            Some(b'?') => (p, t) = (p + 1, t + 1),
            Some(octet) if *octet == text[t].to_ascii_lowercase() => (p, t) = (p + 1, t + 1),
            _ => match again {
                Some((behind, from)) => {
                    (p, t) = (behind, from + 1);
                    again = Some((behind, from + 1));
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|octet| *octet == b'*')
}

/// Whoever sends to somebody for the first time is told to come back later.
#[derive(Debug)]
pub(super) struct Greylist {
    time: Duration,
    seen: Mutex<HashMap<Triple, Instant>>,
}

type Triple = (Option<IpAddr>, String, String);

/// Triples that are remembered. When there are more, all are forgotten.
const MOST: usize = 100_000;

impl Greylist {
    pub(super) fn new(time: Duration) -> Self {
        Self { time, seen: Mutex::default() }
    }

    /// What this client is told who sends from here to there, if it has to wait.
    pub(super) fn reply(&self, client: Option<IpAddr>, from: &str, to: &str) -> Option<Reply<'static>> {
        const LATER: Reply<'static> =
            Reply::fixed(Code::MAILBOX_BUSY, Some(Enhanced::fixed(4, 7, 1)), "greylisted: try again later");
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if seen.len() >= MOST {
            seen.clear();
        }
        let first = seen.entry((client, from.to_owned(), to.to_owned())).or_insert_with(Instant::now);
        (first.elapsed() < self.time).then_some(LATER)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_are_globs() {
        for (pattern, text) in [
            ("full@*", "Full@example.org"),
            ("*", "x"),
            ("*@*.example", "a@b.c.example"),
            ("?en@example.net", "ben@example.net"),
            ("<>", "<>"),
            ("*a*b*", "xxaxxbxab"),
            ("a**", "a"),
        ] {
            assert!(matches(pattern.as_bytes(), text.as_bytes()), "{pattern} {text}");
        }
        for (pattern, text) in
            [("full@*", "afull@x"), ("?@x", "@x"), ("*@x", "a@xy"), ("a", ""), ("", "a"), ("*a*b", "bxa")]
        {
            assert!(!matches(pattern.as_bytes(), text.as_bytes()), "{pattern} {text}");
        }
        // A star that has much to try takes no longer than it should.
        assert!(!matches("a*".repeat(50).as_bytes(), "b".repeat(10_000).as_bytes()));
    }

    #[test]
    fn rules_are_read_and_the_first_that_fits_counts() {
        let rules =
            ["rcpt ok@*: 250 2.1.5 fine", "rcpt *@example.org: 550 5.1.1 no", "mail <>: 550 no bounces"];
        let rules = Rules(rules.map(|rule| rule.parse().expect(rule)).into());
        let code = |step, address| rules.reply(step, address).map(|reply| reply.code().as_u16());
        assert_eq!(code(Step::Rcpt, "ok@example.org"), Some(250));
        assert_eq!(code(Step::Rcpt, "ben@example.org"), Some(550));
        assert_eq!(code(Step::Rcpt, "ben@example.net"), None);
        assert_eq!(code(Step::Message, "ok@example.org"), None);
        assert_eq!(code(Step::Mail, ""), Some(550));
    }

    #[test]
    fn what_is_no_rule_is_said_to_be_none() {
        for (rule, why) in [
            ("rcpt full@*", "STEP PATTERN: REPLY"),
            ("rcpt: 452 full", "STEP PATTERN: REPLY"),
            ("hello *: 550 no", "rules are for"),
            ("fly *: 550 no", "none of"),
            ("rcpt *: full", "is no reply"),
            ("rcpt *: 354 go", "answers something else"),
            ("data *: 250 ok", "answers something else"),
        ] {
            let said = rule.parse::<Rule>().expect_err(rule);
            assert!(said.contains(why), "{rule}: {said}");
        }
    }

    #[test]
    fn greylisting_is_by_client_sender_and_recipient() {
        let list = Greylist::new(Duration::from_millis(50));
        let client = Some(IpAddr::from([192, 0, 2, 1]));
        assert_eq!(list.reply(client, "a", "b").map(|reply| reply.code().as_u16()), Some(450));
        assert!(list.reply(client, "a", "b").is_some());
        std::thread::sleep(Duration::from_millis(60));
        assert!(list.reply(client, "a", "b").is_none());
        assert!(list.reply(client, "a", "c").is_some() && list.reply(None, "a", "b").is_some());
    }
}
