//! Octets that a client has no business to send, over TCP to each adapter's server: the cases that testers of endpoints are made of, out of
//! the RFCs. No peer is needed.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpStream};

use libtest_mimic::Trial;

use crate::mail::short;
use crate::process::PATIENCE;
use crate::receiver::{Runtime, server};

const HELLO: &str = "EHLO client.example.test\r\n";
const ENVELOPE: &str = "MAIL FROM:<a@example.test>\r\nRCPT TO:<bob@example.test>\r\n";

/// What is said behind EHLO, and the codes that have to come; `-` stands for the end of the connection.
const CASES: [(&str, &str, &str); 58] = [
    ("RCPT without MAIL", "RCPT TO:<bob@example.test>\r\n", "503"),
    ("DATA without MAIL", "DATA\r\n", "503"),
    ("DATA without RCPT", "MAIL FROM:<a@example.test>\r\nDATA\r\n", "250 554"),
    (
        "BDAT without RCPT drains its octets",
        "MAIL FROM:<a@example.test>\r\nBDAT 6 LAST\r\nQUIT\r\nNOOP\r\n",
        "250 503 250",
    ),
    ("MAIL within a transaction", "MAIL FROM:<a@example.test>\r\nMAIL FROM:<a@example.test>\r\n", "250 503"),
    (
        "RSET ends a transaction",
        "MAIL FROM:<a@example.test>\r\nRSET\r\nRCPT TO:<bob@example.test>\r\n",
        "250 250 503",
    ),
    (
        "EHLO ends a transaction",
        "MAIL FROM:<a@example.test>\r\nEHLO x.test\r\nRCPT TO:<bob@example.test>\r\n",
        "250 250 503",
    ),
    (
        "everybody refused",
        "MAIL FROM:<a@example.test>\r\nRCPT TO:<nobody@example.test>\r\nDATA\r\n",
        "250 550 554",
    ),
    ("an unknown verb", "XYZZY\r\n", "500"),
    ("a verb of VERB's start", "MAI FROM:<a@example.test>\r\n", "500"),
    ("a longer verb", "MAILX FROM:<a@example.test>\r\n", "500"),
    ("an empty line", "\r\n", "500"),
    ("white space", "   \r\n", "500"),
    (
        "verbs in any case",
        "mAiL fRoM:<a@example.test>\r\nrcpt TO:<bob@example.test>\r\nrSeT\r\nnoop\r\n",
        "250 250 250 250",
    ),
    ("NOOP with words", "NOOP whatever it is\r\n", "250"),
    ("RSET with words", "RSET now\r\n", "501"),
    ("DATA with words", "DATA now\r\n", "501"),
    ("QUIT with words", "QUIT now\r\n", "501"),
    ("EHLO without a name", "EHLO\r\n", "501"),
    ("EHLO with a literal", "EHLO [127.0.0.1]\r\n", "250"),
    ("EHLO with a literal of IPv6", "EHLO [IPv6:::1]\r\n", "250"),
    ("HELO", "HELO client.example.test\r\n", "250"),
    ("VRFY", "VRFY bob\r\n", "252"),
    ("the null reverse-path", "MAIL FROM:<>\r\n", "250"),
    ("no path", "MAIL FROM:\r\n", "501"),
    ("no colon", "MAIL FROM <a@example.test>\r\n", "501"),
    ("no reverse-path's end", "MAIL FROM:<a@example.test\r\n", "501"),
    ("a path within a path", "MAIL FROM:<<a@example.test>>\r\n", "553"),
    ("two reverse-paths", "MAIL FROM:<a@example.test><b@example.test>\r\n", "501"),
    ("two at signs", "MAIL FROM:<a@b@example.test>\r\n", "553"),
    ("two dots", "MAIL FROM:<a..b@example.test>\r\n", "553"),
    ("no domain", "MAIL FROM:<a@>\r\n", "553"),
    ("a domain that begins with a hyphen", "MAIL FROM:<a@-example.test>\r\n", "553"),
    ("a quoted local part", "MAIL FROM:<\"a b\\\"<>\"@example.test>\r\n", "250"),
    ("an open quote", "MAIL FROM:<\"a@example.test>\r\n", "553"),
    ("a literal", "MAIL FROM:<a@[192.0.2.1]>\r\n", "250"),
    ("a literal that is none", "MAIL FROM:<a@[192.0.2.256]>\r\n", "553"),
    ("a source route", "MAIL FROM:<@x.test,@y.test:a@example.test>\r\n", "250"),
    ("postmaster", "MAIL FROM:<>\r\nRCPT TO:<PostMaster>\r\n", "250 250"),
    ("the null forward-path", "MAIL FROM:<>\r\nRCPT TO:<>\r\n", "250 553"),
    ("octets over 127 without SMTPUTF8", "MAIL FROM:<\u{fc}@example.test>\r\n", "550"),
    ("octets over 127 with it", "MAIL FROM:<\u{fc}@example.test> SMTPUTF8\r\n", "250"),
    ("an unknown parameter", "MAIL FROM:<a@example.test> XYZZY=1\r\n", "555"),
    ("a parameter twice", "MAIL FROM:<a@example.test> SIZE=1 SIZE=1\r\n", "501"),
    ("BODY of an unknown type", "MAIL FROM:<a@example.test> BODY=9BIT\r\n", "501"),
    ("SIZE that is too big", "MAIL FROM:<a@example.test> SIZE=99999999\r\n", "552"),
    ("SIZE of no number", "MAIL FROM:<a@example.test> SIZE=1k\r\n", "501"),
    (
        "BDAT of no number",
        "MAIL FROM:<a@example.test>\r\nRCPT TO:<bob@example.test>\r\nBDAT x\r\n",
        "250 250 421 -",
    ),
    ("AUTH in the clear", "AUTH PLAIN AGFsaWNlAHNlY3JldA==\r\n", "504"),
    ("a bare LF ends no line", "NOOP\nNOOP\r\nNOOP\r\n", "500 250"),
    ("a bare CR ends no line", "NOOP\rNOOP\r\nNOOP\r\n", "500 250"),
    ("a NUL", "NOOP \0\r\n", "500"),
    ("STARTTLS with words", "STARTTLS now\r\n", "501"),
    ("commands behind STARTTLS", "STARTTLS\r\nMAIL FROM:<a@example.test>\r\nQUIT\r\n", "-"),
    (
        "a group",
        "MAIL FROM:<a@example.test>\r\nRCPT TO:<nobody@example.test>\r\nRCPT TO:<bob@example.test>\r\nRSET\r\n",
        "250 550 250 250",
    ),
    ("QUIT ends it", "QUIT\r\nNOOP\r\n", "221 -"),
    ("GET", "GET / HTTP/1.1\r\n", "500"),
    (
        "a chunk holds no commands",
        "MAIL FROM:<>\r\nRCPT TO:<bob@example.test>\r\nBDAT 6\r\nQUIT\r\nRSET\r\n",
        "250 250 250 250",
    ),
];

/// What some server or other has taken for the end of a message.
const NO_ENDS: [&str; 14] = [
    "\n.\n",
    "\n.\r\n",
    "\r\n.\n",
    "\r.\r",
    "\r.\r\n",
    "\r\n.\r",
    "\n.\r",
    "\r.\n",
    "\r\n.\r\r\n",
    "\r\r\n.\n\r\n",
    "\n\n.\r\n",
    "\r\n\0.\r\n",
    "\r\n.\0\r\n",
    "\r\n..\r\n",
];

pub(crate) fn trials(trials: &mut Vec<Trial>) {
    for runtime in Runtime::ALL {
        let mut add = |name: &str, test: Box<dyn FnOnce() + Send>| {
            trials.push(Trial::test(format!("wire: {name}: {runtime}"), move || {
                test();
                Ok(())
            }));
        };
        for (name, said, codes) in CASES {
            add(name, Box::new(move || answers(runtime, said, codes)));
        }
        for end in NO_ENDS {
            add(&format!("{} is no end", end.escape_debug()), Box::new(move || is_no_end(runtime, end)));
        }
    }
}

/// All that a server says to this, once the client has nothing more to say.
fn heard(runtime: Runtime, said: &str) -> Vec<String> {
    let mut stream = TcpStream::connect(("127.0.0.1", server(runtime).plain)).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.write_all(said.as_bytes()).unwrap();
    stream.shutdown(Shutdown::Write).unwrap();
    let mut heard = Vec::new();
    // A connection that is reset has said what it had to.
    let _ = stream.read_to_end(&mut heard);
    let last = |line: &&str| line.as_bytes().get(3) == Some(&b' ');
    String::from_utf8(heard).unwrap().lines().filter(last).map(|line| line[..3].to_owned()).collect()
}

fn answers(runtime: Runtime, said: &str, codes: &str) {
    let open = !codes.ends_with('-');
    let mut wanted: Vec<&str> =
        ["220", "250"].into_iter().chain(codes.trim_end_matches('-').split_whitespace()).collect();
    // A session that goes on answers what comes last, too.
    wanted.extend(open.then_some("221"));
    assert_eq!(heard(runtime, &format!("{HELLO}{said}QUIT\r\n")), wanted);
}

/// What stands behind it is the same message, or none: never a second one.
fn is_no_end(runtime: Runtime, end: &str) {
    let (outer, inner) = (short(), short());
    let forged = String::from_utf8(inner.octets.clone()).unwrap();
    let said = format!(
        "{HELLO}{ENVELOPE}DATA\r\n{}body{end}{ENVELOPE}DATA\r\n{forged}\r\n.\r\nQUIT\r\n",
        outer.mark.clone() + "\r\n\r\n"
    );
    let heard = heard(runtime, &said);
    let one = |code: &str| ["220", "250", "250", "250", "354", code, "221"].map(String::from);
    assert!([one("250"), one("550"), one("554")].iter().any(|one| *one == heard[..]), "{heard:?}");
    assert!(!server(runtime).ledger.has(&inner), "a second message arrived");
}
