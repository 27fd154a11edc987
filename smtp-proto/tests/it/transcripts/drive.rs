//! The client's machine under a transcript.

use core::time::Duration;

use bytes::{Buf, BytesMut};
use smtp_proto::auth::Base64;
use smtp_proto::client::{Client, Config, Step};
use smtp_proto::command::{Command, Options};
use smtp_proto::stage::{Protocol, Stage};

use super::script::{Line, Script, show};
use super::serve::Cut;

/// What came of a session: each reply with what it answers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Answers {
    pub(crate) events: Vec<(Stage, u16)>,
    pub(crate) output: Vec<u8>,
    pub(crate) closed: bool,
}

struct Run {
    client: Client,
    output: BytesMut,
    answers: Answers,
    /// Octets that the chunk in hand lacks.
    chunk: usize,
    challenged: bool,
}

/// Has the client say what the transcript's client says, and hear what its server says, cut so.
pub(crate) fn drive(script: &Script, cut: Cut) -> Result<Answers, String> {
    let mut config = Config::default();
    if script.has("lmtp") {
        config.protocol = Protocol::Lmtp;
    }
    let mut run = Run {
        client: Client::new(config.into()),
        output: BytesMut::new(),
        answers: Answers::default(),
        chunk: 0,
        challenged: false,
    };
    if script.has("implicit tls") {
        run.client.tls_established();
    }
    // Both sides by turns.
    let (mut said, mut heard, mut from) = (Vec::new(), Vec::new(), 0);
    for line in &script.lines {
        match line {
            Line::Client(octets) => {
                run.hear(&mut heard, cut, &mut from)?;
                said.extend_from_slice(octets);
            }
            Line::Server(reply) => {
                run.say(&mut said)?;
                heard.extend_from_slice(&reply.raw);
            }
            Line::Handshake => {
                run.hear(&mut heard, cut, &mut from)?;
                let step = run.client.step(Duration::ZERO, &[]);
                if !matches!(step, Ok(Step::StartTls)) {
                    return Err(format!("the client waits for no TLS: {step:?}"));
                }
                run.client.tls_established();
            }
            Line::Event(_) => {}
        }
    }
    run.say(&mut said)?;
    run.hear(&mut heard, cut, &mut from)?;
    run.answers.output = run.output.to_vec();
    run.answers.closed = run.client.is_closed();
    Ok(run.answers)
}

impl Run {
    fn hear(&mut self, heard: &mut Vec<u8>, cut: Cut, from: &mut usize) -> Result<(), String> {
        let mut input = BytesMut::new();
        for piece in cut.pieces(heard, *from) {
            input.extend_from_slice(piece);
            loop {
                match self.client.step(Duration::ZERO, &input).map_err(|error| error.to_string())? {
                    Step::Event(taken) => {
                        let answer = self.client.event(taken, &input);
                        let code = answer.reply.code().as_u16();
                        self.challenged = code == 334;
                        self.answers.events.push((answer.to, code));
                        input.advance(taken.len());
                    }
                    Step::Unsolicited(taken) => {
                        let answer = self.client.event(taken, &input);
                        return Err(format!("unasked: {}", answer.reply));
                    }
                    Step::Closed if !input.is_empty() => return Err("closed, and more is said".into()),
                    _ => break,
                }
            }
        }
        if !input.is_empty() {
            return Err(format!("the client did not take in {}", input.escape_ascii()));
        }
        *from += heard.len();
        heard.clear();
        Ok(())
    }

    fn say(&mut self, said: &mut Vec<u8>) -> Result<(), String> {
        let mut rest = &said[..];
        while !rest.is_empty() {
            if self.client.in_body() && self.chunk > 0 {
                let (octets, behind) = rest.split_at(self.chunk.min(rest.len()));
                self.client.body(octets, &mut self.output).map_err(|error| error.to_string())?;
                self.chunk -= octets.len();
                rest = behind;
                continue;
            }
            let end = rest.windows(2).position(|pair| pair == b"\r\n").ok_or("a line that doesn't end")?;
            let (line, behind) = rest.split_at(end + 2);
            rest = behind;
            let done = match line {
                b".\r\n" if self.client.in_body() => self.client.finish(&mut self.output),
                [b'.', line @ ..] | line if self.client.in_body() => self.client.body(line, &mut self.output),
                line => self.command(&line[..end])?,
            };
            done.map_err(|error| format!("{}: {error}", line.escape_ascii()))?;
        }
        said.clear();
        Ok(())
    }

    fn command(&mut self, line: &[u8]) -> Result<Result<(), smtp_proto::error::NotNow>, String> {
        let (client, output) = (&mut self.client, &mut self.output);
        if core::mem::take(&mut self.challenged) {
            return Ok(match line {
                b"*" => client.auth_cancel(output),
                _ => {
                    let response = Base64::parse(line).map_err(|error| error.to_string())?;
                    client.auth_response(&response.decode(), output)
                }
            });
        }
        let command = Command::parse(line, Options::default()).map_err(|error| error.to_string())?;
        Ok(match &command {
            Command::Ehlo(name) | Command::Lhlo(name) => client.ehlo(name, output),
            Command::Helo(name) => client.helo(name, output),
            Command::Mail(mail) => client.mail(&mail.from, &mail.params, output),
            Command::Rcpt(rcpt) => client.rcpt(&rcpt.to, &rcpt.params, output),
            Command::Data => client.data(output),
            Command::Bdat { size, last } => {
                self.chunk = usize::try_from(*size).map_err(|error| error.to_string())?;
                client.chunk(*size, *last, output)
            }
            Command::Rset => client.rset(output),
            Command::StartTls => client.starttls(output),
            Command::Auth { mechanism, initial } => {
                let mechanism = mechanism.known().ok_or("a mechanism that is not known")?;
                let initial = initial.as_ref().map(Base64::decode);
                client.auth(mechanism, initial.as_deref(), output)
            }
            command => client.command(command, output),
        })
    }
}

/// Compares a session with what the transcript says.
pub(crate) fn compare(script: &Script, answers: &Answers) -> Result<(), String> {
    let wanted = script.client_octets();
    if answers.output != wanted {
        return Err(format!("the client said\n{}  not\n{}", show(&answers.output), show(&wanted)));
    }
    let codes: Vec<u16> = script.replies().iter().map(|said| said.reply().code().as_u16()).collect();
    let heard: Vec<u16> = answers.events.iter().map(|(_, code)| *code).collect();
    if heard != codes { Err(format!("the client heard {heard:?}, not {codes:?}")) } else { Ok(()) }
}
