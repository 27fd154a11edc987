//! Programs that test a server from outside, against ours: what they find is asserted, not only that they end.

use std::fs;

use libtest_mimic::Trial;
use serde_json::Value;

use crate::clients;
use crate::matrix::{self, Table};
use crate::peer::{postfix, tool};
use crate::peers;
use crate::process::{Ended, PATIENCE, run, run_within};
use crate::room::room;
use crate::sender::Client as Ours;
use crate::targets::{Target, target};

const TITLE: &str = "Testers of endpoints, our servers";
const COLUMN: &str = "what they find";

type Suite = fn(&Target, Ours);

/// Each tester by name. Those that wait long stand first.
const SUITES: [(&str, Suite); 3] =
    [("testssl.sh", testssl), ("nmap's smtp scripts", nmap), ("posttls-finger", posttls_finger)];

/// A test for each tester and each of our servers.
pub(crate) fn trials(trials: &mut Vec<Trial>) -> Table {
    for (row, suite) in SUITES {
        // TLS is the same code in each of ours.
        let servers = if row == "testssl.sh" { 1 } else { Ours::ALL.len() };
        for of in Ours::ALL.into_iter().take(servers) {
            let test = move || suite(&target(of), of);
            trials.push(matrix::trial((TITLE, row, COLUMN), clients::to(of), of.letter(), test));
        }
    }
    Table { title: TITLE, rows: SUITES.map(|(name, _)| name).into(), columns: vec![COLUMN] }
}

/// No finding of the protocols and of the known attacks on TLS, behind STARTTLS, is grave.
fn testssl(target: &Target, of: Ours) {
    let report = room().folder("testssl").join(format!("{of}.json"));
    let mut command = tool("testssl");
    command.args(["-t", "smtp", "--ip", "127.0.0.1", "--nodns", "none", "--warnings", "batch", "--quiet"]);
    // An early ChangeCipherSpec, and renegotiation.
    command.args(["--protocols", "-I", "-R", "--jsonfile"]);
    // What it does most is wait.
    let ended = run_within(4 * PATIENCE, command.arg(&report).arg(format!("localhost:{}", target.plain)));
    let findings: Vec<Value> = serde_json::from_str(&fs::read_to_string(&report).unwrap()).unwrap();
    let grave = ["HIGH", "CRITICAL", "FATAL"];
    assert!(findings.iter().all(|one| !grave.contains(&one["severity"].as_str().unwrap())), "{findings:#?}");
    for (id, finding) in [
        ("SSLv3", "not offered"),
        ("TLS1_3", "offered with final"),
        ("CCS", "not vulnerable"),
        ("secure_client_renego", "not vulnerable"),
    ] {
        let found = findings.iter().find(|one| one["id"] == id).unwrap_or_else(|| panic!("{id}: {ended:#?}"));
        assert!(found["finding"].as_str().unwrap().starts_with(finding), "{found}");
    }
}

/// It hears what is offered, guesses users, tries to relay by sixteen kinds of addresses, and knows some attacks on servers.
fn nmap(target: &Target, _: Ours) {
    const SCRIPTS: &str =
        "+smtp-commands,+smtp-enum-users,+smtp-open-relay,+smtp-vuln-cve2010-4344,+smtp-vuln-cve2011-1720";
    let mut command = tool("nmap");
    command.args(["-n", "-p", &target.plain.to_string(), "--script", SCRIPTS]);
    let Ended { stdout, .. } =
        run(command.args(["--script-args", "smtp.domain=client.example.test", "127.0.0.1"]));
    assert!(
        stdout.contains("smtp-commands: ") && stdout.contains("PIPELINING") && stdout.contains("STARTTLS"),
        "{stdout}"
    );
    // Ours take mail for everybody, but not at addresses that are none.
    assert!(stdout.contains("smtp-enum-users") && stdout.contains("/16 tests)"), "{stdout}");
    assert!(
        !stdout.replace("NOT VULNERABLE", "").contains("VULNERABLE") && !stdout.contains("ERROR"),
        "{stdout}"
    );
}

/// The certificate is verified as Postfix would.
fn posttls_finger(target: &Target, _: Ours) {
    // It reads Postfix's configuration, which is written when that starts.
    peers::postfix();
    let mut command = postfix("sbin/posttls-finger");
    command
        .env("MAIL_CONFIG", room().folder("postfix/etc"))
        .args(["-c", "-l", "secure", "-F"])
        .arg(&room().ca);
    let ended = run(command.arg(format!("[127.0.0.1]:{}", target.plain)).arg("localhost"));
    assert!(ended.stdout.contains("Verified TLS connection established"), "{ended:#?}");
}
