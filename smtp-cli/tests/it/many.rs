//! `smtp send` of more than one message, and what is asked for them.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::support::{SMTP, Server, code, err, messages, out, run, scripted};

/// `smtp send` to this port, without TLS, from Ann to Ben.
fn args<'a>(url: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    let always = ["send", "--server", url, "--from", "ann@example.org", "--to", "ben@example.net"];
    [&always[..], more].concat()
}

fn json(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

fn bodies(maildir: &Path) -> Vec<String> {
    let body = |message: String| message.split_once(" +0000\r\n").expect("a trace").1.to_owned();
    let mut bodies: Vec<_> = messages(maildir, "new").into_iter().map(body).collect();
    bodies.sort();
    bodies
}

#[test]
fn files_directories_mboxes_and_standard_input_are_sent_and_named() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = |name: &str| folder.path().join(name).to_str().expect("UTF-8").to_owned();
    fs::write(path("one.eml"), "Subject: 1\n\nx\n").expect("room");
    fs::create_dir(path("box")).expect("room");
    fs::write(path("box/a"), "Subject: 2\n\nx\n").expect("room");
    fs::write(path("box/b.mbox"), "From x\nSubject: 3\n\n>From y\n\nFrom x\nSubject: 4\n\nx\n\n")
        .expect("room");
    let maildir = path("mail");
    let server = Server::start(&["--maildir", &maildir]);
    let url = format!("smtp://127.0.0.1:{}", server.plain[0]);
    let (one, folder) = (path("one.eml"), path("box"));
    let output = run(args(&url, &["--starttls", "off", &one, &folder, "-"]), "Subject: 5\n\nx\n");
    assert_eq!(code(&output), Some(0), "{}", err(&output));
    let names: Vec<String> =
        out(&output).lines().map(|line| line.split(' ').next().unwrap_or("").into()).collect();
    let mbox = format!("{folder}/b.mbox");
    assert_eq!(names, [one, format!("{folder}/a"), format!("{mbox}#1"), format!("{mbox}#2"), "-".into()]);
    assert!(err(&output).contains("5 messages for 5 recipients: 5 delivered, 0 refused"), "{}", err(&output));
    let sent =
        ["1\r\n\r\nx\r\n", "2\r\n\r\nx\r\n", "3\r\n\r\nFrom y\r\n", "4\r\n\r\nx\r\n", "5\r\n\r\nx\r\n"];
    assert_eq!(bodies(Path::new(&maildir)), sent.map(|text| format!("Subject: {text}")));
}

#[test]
#[cfg(unix)]
fn a_pipe_is_read_to_its_end() {
    let server = Server::start(&["--json"]);
    let url = format!("smtp://127.0.0.1:{}", server.plain[0]);
    // Standard input by its name, which is a pipe here.
    let output = run(args(&url, &["--starttls", "off", "/dev/stdin"]), "Subject: x\n\nthrough a pipe\n");
    assert_eq!(code(&output), Some(0), "{}", err(&output));
    let told: Value = serde_json::from_str(&server.line()).expect("JSON");
    assert_eq!(told["size"], 30);
}

#[test]
fn a_file_that_is_not_there_is_told_before_anything_is_sent() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("one.eml").to_str().expect("UTF-8").to_owned();
    fs::write(&file, "Subject: 1\n\nx\n").expect("room");
    let server = Server::start(&["--json"]);
    let url = format!("smtp://127.0.0.1:{}", server.plain[0]);
    let output = run(args(&url, &["--starttls", "off", &file, "/nonexistent"]), "");
    assert_eq!((code(&output), out(&output)), (Some(66), String::new()));
    server.terminate();
    let total: Value = serde_json::from_str(&server.line()).expect("JSON");
    assert_eq!(total["messages"], 0);
}

#[test]
fn an_mbox_comes_back_as_it_went() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = |name: &str| folder.path().join(name).to_str().expect("UTF-8").to_owned();
    let texts =
        ["Subject: a\n\nFrom one\n>From two\n\n\n", "Subject: b\n\n.\n..\n", "Subject: \u{e4}\n\nno end"];
    let (first, second, maildir) = (path("first.mbox"), path("second.mbox"), path("mail"));
    {
        let server = Server::start(&["--mbox", &first]);
        let url = format!("smtp://127.0.0.1:{}", server.plain[0]);
        for text in texts {
            assert_eq!(code(&run(args(&url, &["--starttls", "off", "-"]), text)), Some(0));
        }
        server.kill();
        // A second server finds the first one's messages, and one that was left half written.
        fs::OpenOptions::new()
            .append(true)
            .open(&first)
            .and_then(|mut mbox| mbox.write_all(b"From x\nSubject: half\n\nha"))
            .expect("room");
        let server = Server::start(&["--mbox", &first]);
        let url = format!("smtp://127.0.0.1:{}", server.plain[0]);
        assert_eq!(code(&run(args(&url, &["--starttls", "off", "-"]), "Subject: c\n\nlast\n")), Some(0));
    }
    // From mbox to mbox to Maildir: two more traces, and the same messages.
    let server = Server::start(&["--mbox", &second]);
    let url = format!("smtp://127.0.0.1:{}", server.plain[0]);
    assert_eq!(code(&run(args(&url, &["--starttls", "off", "--jobs", "3", &first]), "")), Some(0));
    let server = Server::start(&["--maildir", &maildir]);
    let url = format!("smtp://127.0.0.1:{}", server.plain[0]);
    let output = run(args(&url, &["--starttls", "off", &second]), "");
    assert_eq!((code(&output), out(&output).lines().count()), (Some(0), 5), "{}", err(&output));
    let contents = |text: &String| text.rsplit(" +0000\r\n").next().unwrap_or("").to_owned();
    let mut came: Vec<_> = messages(Path::new(&maildir), "new").iter().map(contents).collect();
    came.sort();
    let crlf = |text: &str| format!("{}\r\n", text.trim_end_matches('\n').replace('\n', "\r\n"));
    let mut sent: Vec<_> = texts.map(crlf).to_vec();
    sent[0].push_str("\r\n\r\n");
    sent.extend(["Subject: half\r\n\r\nha\r\n".into(), "Subject: c\r\n\r\nlast\r\n".into()]);
    sent.sort();
    assert_eq!(came, sent);
}

#[test]
fn what_is_asked_for_a_message_reaches_the_server() {
    let offer = ["--offer", "MT-PRIORITY", "--offer", "REQUIRETLS"];
    let server = Server::start(&[&["--tls-self-signed", "--json"], &offer[..]].concat());
    let ca = server.ca.as_ref().and_then(|ca| ca.to_str()).expect("a CA");
    let url = format!("smtp://127.0.0.1:{}", server.plain[0]);
    let asked = [
        "--dsn",
        "success,delay",
        "--dsn-ret",
        "hdrs",
        "--dsn-envid",
        "a+b",
        "--priority",
        "-2",
        "--requiretls",
    ];
    let all = [&["--ca", ca, "--trace"], &asked[..], &["-"]].concat();
    let output = run(args(&url, &all), "Subject: x\n\nx\n");
    assert_eq!(code(&output), Some(0), "{}", err(&output));
    let told: Value = serde_json::from_str(&server.line()).expect("JSON");
    assert_eq!(told["params"], "RET=HDRS ENVID=a+2Bb REQUIRETLS MT-PRIORITY=-2 SIZE=17");
    assert!(err(&output).contains("RCPT TO:<ben@example.net> NOTIFY=SUCCESS,DELAY"), "{}", err(&output));
    // Where it is not offered, nothing is sent without it, and another host may do (RFC 8689, 4.2.1).
    let output = run(args(&url, &["--starttls", "off", "--requiretls", "-"]), "Subject: x\n\nx\n");
    assert_eq!(code(&output), Some(75));
    assert!(out(&output).contains("unsent     the server does not offer REQUIRETLS"), "{}", out(&output));
}

#[test]
fn passwords_come_from_where_they_are_said_to_be_and_are_shown_nowhere() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = |name: &str| folder.path().join(name).to_str().expect("UTF-8").to_owned();
    fs::write(path("users"), "ann:s3cr3t word\nben:other\n").expect("room");
    fs::write(path("password"), "s3cr3t word\n").expect("room");
    let server = Server::start(&["--users", &path("users"), "--auth-in-clear", "--require-auth"]);
    let url = format!("smtp://ann@127.0.0.1:{}", server.plain[0]);
    let send = |more: &[&str], env: Option<(&str, &str)>| {
        let mut command = Command::new(SMTP);
        let all = [&["--starttls", "off", "--auth-in-clear", "--trace"], more, &["-"]].concat();
        command.args(args(&url, &all)).env_remove("SMTP_PASSWORD").envs(env).stdin(Stdio::null());
        let output = command.output().expect("it runs");
        let said = err(&output) + &out(&output);
        // As it is, or in base64, from wherever in a PLAIN message.
        for secret in ["s3cr3t", "czNjcjN0", "MzY3IzdC", "cDNjcj"] {
            assert!(!said.contains(secret), "{said}");
        }
        (code(&output), said)
    };
    let file = path("password");
    for mechanism in ["PLAIN", "LOGIN", "CRAM-MD5", "SCRAM-SHA-1", "SCRAM-SHA-256"] {
        let (code, said) = send(&["--password-file", &file, "--auth", mechanism], None);
        assert_eq!(code, Some(0), "{said}");
        assert!(said.contains(&format!("-> AUTH {mechanism} [not shown]\n")), "{said}");
    }
    assert_eq!(send(&["--password-env", "THE_PASSWORD"], Some(("THE_PASSWORD", "s3cr3t word"))).0, Some(0));
    assert_eq!(send(&[], Some(("SMTP_PASSWORD", "s3cr3t word"))).0, Some(0));
    let (code, said) = send(&[], Some(("SMTP_PASSWORD", "wrong")));
    assert!(code == Some(75) && said.contains("535"), "{said}");
    let (code, said) = send(&[], None);
    assert!(code == Some(64) && said.contains("--password-file"), "{said}");
    let (code, said) = send(&["--password-file", &file, "--auth", "XOAUTH2"], None);
    assert!(code == Some(75) && said.contains("AUTH"), "{said}");
    assert_eq!(send(&["--password-file", &file, "--auth", "ROT13"], None).0, Some(64));
}

#[test]
fn a_trace_sees_through_tls() {
    let server = Server::start(&["--tls-self-signed", "--user", "ann:s3cr3t"]);
    let ca = server.ca.as_ref().and_then(|ca| ca.to_str()).expect("a CA");
    let url = format!("smtp://ann:s3cr3t@127.0.0.1:{}", server.plain[0]);
    let output = run(args(&url, &["--ca", ca, "--trace", "--auth", "PLAIN", "-"]), "Subject: x\n\nx\n");
    assert_eq!(code(&output), Some(0));
    let said = err(&output);
    let at = |text: &str| said.find(text).unwrap_or_else(|| panic!("{text} in {said}"));
    let order =
        ["-> STARTTLS", "<- 220 2.0.0 go ahead", "-> AUTH PLAIN [not shown]", "<- 235", "-> MAIL", "closed"];
    assert!(order.map(at).is_sorted(), "{said}");
    assert_eq!(said.matches("-> EHLO").count(), 2, "{said}");
    assert!(!said.contains("s3cr3t") && !said.contains("czNjcjN0") && !said.contains("MzY3IzdC"), "{said}");
}

#[test]
fn what_is_refused_for_now_is_tried_again_and_nothing_else() {
    // Ben is served at the second try; Fay, who was one too many, at once, in a transaction of her own.
    let (mut bens, mut fays) = (0, 0);
    let port = scripted(move |line| match line {
        "RCPT TO:<ben@example.net>" => {
            bens += 1;
            if bens == 1 { "450 4.2.0 later\r\n" } else { "250 2.1.5 ok\r\n" }
        }
        "RCPT TO:<fay@example.com>" => {
            fays += 1;
            if fays == 1 { "452 4.5.3 too many\r\n" } else { "250 2.1.5 ok\r\n" }
        }
        "RCPT TO:<cat@example.com>" => "550 5.1.1 no\r\n",
        "RCPT TO:<dan@example.com>" => "451 4.3.0 never\r\n",
        "DATA" => "354 go on\r\n",
        "." => "250 2.0.0 taken\r\n",
        "QUIT" => "221 bye\r\n",
        line if ["EHLO ", "MAIL ", "RCPT ", "RSET"].iter().any(|verb| line.starts_with(verb)) => {
            "250 2.1.0 ok\r\n"
        }
        _ => "",
    });
    let url = format!("smtp://127.0.0.1:{port}");
    let to = ["cat", "dan", "eve", "fay"].map(|name| format!("{name}@example.com"));
    let to: Vec<_> = to.iter().flat_map(|to| ["--to", to]).collect();
    let retry = ["--json", "--retry", "3", "--retry-wait", "0.01", "-"];
    let output = run(args(&url, &[&to[..], &retry].concat()), "Subject: x\n\nx\n");
    let rows = json(&out(&output));
    let outcomes: Vec<_> = rows.iter().filter_map(|row| row["outcome"].as_str()).collect();
    assert_eq!(outcomes, ["delivered", "refused", "deferred", "delivered", "delivered"], "{}", err(&output));
    let summary = &rows.last().expect("a summary")["summary"];
    assert_eq!((&summary["retries"], &summary["delivered"]), (&4.into(), &3.into()));
    assert_eq!(code(&output), Some(69));
}

#[test]
#[cfg(unix)]
fn who_is_told_to_end_deals_with_the_message_in_hand_and_says_how_far_it_came() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("x.mbox").to_str().expect("UTF-8").to_owned();
    fs::write(&file, "From x\nSubject: 1\n\nx\n\n".repeat(200)).expect("room");
    let server = Server::start(&["--delay", "message=0.3", "--json"]);
    let url = format!("smtp://127.0.0.1:{}", server.plain[0]);
    let mut command = Command::new(SMTP);
    command.args(args(&url, &["--starttls", "off", "--json", &file])).stdout(Stdio::piped());
    let mut child = command.spawn().expect("it starts");
    let mut rows = BufReader::new(child.stdout.take().expect("a pipe")).lines().map_while(Result::ok);
    assert!(rows.next().expect("a row").contains("delivered"));
    let signal = Command::new("kill").args(["-INT", &child.id().to_string()]).status();
    assert!(signal.expect("kill").success());
    let rows: Vec<_> = rows.collect();
    let summary = &json(rows.last().expect("a summary"))[0]["summary"];
    let sent = summary["messages"].as_u64().expect("a number");
    assert!((1..100).contains(&sent), "{summary}");
    assert_eq!((&summary["delivered"], rows.len() as u64), (&sent.into(), sent));
    assert_eq!(child.wait().expect("it ends").code(), Some(75));
}

#[test]
fn an_error_that_is_for_all_ends_it() {
    let server = Server::start(&["--user", "ann:s3cr3t", "--require-auth"]);
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("x.mbox").to_str().expect("UTF-8").to_owned();
    fs::write(&file, "From x\nSubject: 1\n\nx\n\n".repeat(50)).expect("room");
    let url = format!("smtp://ann:wrong@127.0.0.1:{}", server.plain[0]);
    let output = run(args(&url, &["--starttls", "off", "--retry", "5", &file]), "");
    assert_eq!((code(&output), out(&output).lines().count()), (Some(75), 1), "{}", out(&output));
    assert!(err(&output).contains("the other messages were not tried"), "{}", err(&output));
}

#[test]
#[cfg(target_os = "linux")]
fn a_large_message_takes_no_more_memory_than_a_small_one() {
    const SIZE: u64 = 32 * 1024 * 1024;
    let folder = tempfile::tempdir().expect("a folder");
    let path = |name: &str| folder.path().join(name).to_str().expect("UTF-8").to_owned();
    let mut file = std::io::BufWriter::new(fs::File::create(path("large.mbox")).expect("a file"));
    file.write_all(b"From x\nSubject: large\n\n").expect("room");
    for _ in 0..SIZE / 512 {
        file.write_all(&[b'x'; 511]).and_then(|()| file.write_all(b"\n")).expect("room");
    }
    file.flush().expect("room");
    let server = Server::start(&["--max-size", "0", "--mbox", &path("stored.mbox")]);
    let url = format!("smtp://127.0.0.1:{}", server.plain[0]);
    let mut child = Command::new(SMTP)
        .args(args(&url, &["--starttls", "off", &path("large.mbox")]))
        .spawn()
        .expect("it starts");
    let peak = |process: u32| {
        let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        line.and_then(|line| line.trim().strip_suffix(" kB")?.parse::<u64>().ok()).unwrap_or(0) * 1024
    };
    let mut largest = 0;
    let status = loop {
        largest = largest.max(peak(child.id()));
        if let Some(status) = child.try_wait().expect("a state") {
            break status;
        }
        std::thread::sleep(std::time::Duration::from_millis(5));
    };
    assert!(status.success());
    assert!((1..SIZE / 2).contains(&largest), "the client had {largest} octets");
    let served = peak(server.process());
    assert!((1..SIZE / 2).contains(&served), "the server had {served} octets");
}

/// Runs the tool at a terminal, by script(1), with this typed; gives its exit code and what the terminal showed.
#[cfg(target_os = "linux")]
fn at_a_terminal(args: &[&str], typed: &str, no_color: bool) -> (Option<i32>, String) {
    let line: Vec<_> =
        std::iter::once(SMTP).chain(args.iter().copied()).map(|arg| format!("'{arg}'")).collect();
    let mut command = Command::new("script");
    command.args(["--quiet", "--return", "--command", &line.join(" "), "/dev/null"]);
    command.env_remove("NO_COLOR").env_remove("SMTP_PASSWORD").env("TERM", "xterm");
    if no_color {
        command.env("NO_COLOR", "1");
    }
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("script(1)");
    let mut keyboard = child.stdin.take().expect("a pipe");
    keyboard.write_all(typed.as_bytes()).expect("it listens");
    let output = child.wait_with_output().expect("it ends");
    drop(keyboard);
    (code(&output), String::from_utf8_lossy(&output.stdout).into_owned())
}

#[test]
#[cfg(target_os = "linux")]
fn at_a_terminal_there_are_colours_a_bar_and_a_prompt() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("x.mbox").to_str().expect("UTF-8").to_owned();
    fs::write(&file, "From x\nSubject: 1\n\nx\n\n".repeat(20)).expect("room");
    let server = Server::start(&["--user", "ann:s3cr3t", "--require-auth", "--quiet"]);
    let url = format!("smtp://ann@127.0.0.1:{}", server.plain[0]);
    let args = args(&url, &["--starttls", "off", &file]);
    let (code, shown) = at_a_terminal(&args, "s3cr3t\n", false);
    assert_eq!(code, Some(0), "{shown}");
    assert!(shown.contains("Password of ann at 127.0.0.1: "), "{shown}");
    assert!(shown.contains("\x1b[32mdelivered"), "{shown}");
    assert!(shown.contains(" % ") && shown.contains("/s  ") && shown.contains(" left"), "{shown}");
    let (code, shown) = at_a_terminal(&args, "s3cr3t\n", true);
    assert_eq!(code, Some(0), "{shown}");
    assert!(shown.contains("  delivered  ") && !shown.contains("\x1b[3"), "{shown}");
    // Elsewhere there is neither, and nobody to ask.
    let output = run(&args, "");
    assert_eq!(crate::support::code(&output), Some(64));
}
