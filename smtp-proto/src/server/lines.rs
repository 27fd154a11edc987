//! Lines: commands, the responses of AUTH, and what is too long to be either.

use core::time::Duration;

use bytes::BytesMut;

use super::event::{Event, Kind, Step, Taken};
use super::owed::Owed;
use super::receive::Chunk;
use super::{Phase, Server, answers as say, found};
use crate::auth::Base64;
use crate::command::Command;
use crate::error::Violation;
use crate::line;

impl Server {
    /// A command line, from the grammar to the rules of sequence.
    pub(super) fn command<'b>(
        &mut self,
        now: Duration,
        input: &'b [u8],
        output: &mut BytesMut,
    ) -> Result<Step<(Taken, Event<'b>)>, Violation> {
        // RFC 4954, 4: the initial response may be as long as any other.
        let auth = input.get(..AUTH.len()).is_some_and(|verb| verb.eq_ignore_ascii_case(AUTH));
        let limits = &self.config.limits;
        let (limit, too_long) = match auth {
            true => (limits.line.max(limits.auth_line + AUTH_NAME), say::AUTH_LINE_TOO_LONG),
            false => (limits.line, say::LINE_TOO_LONG),
        };
        let line = match self.lines.next(input, limit) {
            Ok(Some(line)) => line,
            Ok(None) => return Ok(self.need_input(now)),
            Err(_) => {
                self.phase = Phase::SkipLine(0);
                return self.reject(0, &too_long, output);
            }
        };
        self.deadline.clear();
        if line.flaw.is_some() {
            return self.reject(line.len, &say::BAD_LINE_END, output);
        }
        let command = match Command::parse(&input[..line.text], self.options()) {
            Ok(command) => command,
            Err(error) if error.is_undelimited() => return Err(self.fail(Violation::Undelimited)),
            Err(error) => return self.reject(line.len, &error.reply(), output),
        };
        let goes_on =
            matches!(command, Command::Rcpt(_) | Command::Data | Command::Bdat { .. } | Command::Quit);
        if self.shutting_down && !goes_on {
            // A transaction that is not brought to its end need not be waited for (RFC 5321, 3.8).
            self.close_with(&say::SHUTTING_DOWN, output);
            let code = say::SHUTTING_DOWN.code();
            return Ok(found(line.len, Kind::Rejected(code), Event::Rejected(code)));
        }
        let permitted = self.state.permit(&command, &self.config, &self.capabilities);
        if let Command::Bdat { size, last } = command {
            // To a client that was not offered CHUNKING, this need not be a chunk's beginning.
            if !self.state.may_chunk(&self.capabilities) {
                return Err(self.fail(Violation::Undelimited));
            }
            return self.chunk(Chunk { size, last, permitted, line: &line });
        }
        if let Err(refusal) = permitted {
            return match command {
                // Refused recipients are no errors (RFC 5321, 4.5.3.1.8 has them in the hundreds), nor is the DATA that
                // was sent along before they were known to be refused (RFC 2920, 3.1).
                Command::Rcpt(_) | Command::Data if self.state.hello.is_some() => {
                    Ok(self.answered(line.len, &refusal, output))
                }
                _ => self.reject(line.len, &refusal, output),
            };
        }
        if matches!(command, Command::StartTls) && input.len() > line.len {
            return Err(self.fail(Violation::BehindStartTls));
        }
        if let Command::Rcpt(rcpt) = &command {
            self.state.rcpt_asked(&rcpt.to, &self.capabilities);
        }
        self.owed = Owed::of(&command);
        let taken = Taken { len: line.len, kind: Kind::Command(line.text) };
        Ok(Step::Event((taken, Event::of(command))))
    }

    pub(super) fn auth_response<'b>(
        &mut self,
        now: Duration,
        input: &'b [u8],
        output: &mut BytesMut,
    ) -> Result<Step<(Taken, Event<'b>)>, Violation> {
        let line = match self.lines.next(input, self.config.limits.auth_line) {
            Ok(Some(line)) => line,
            Ok(None) => return Ok(self.need_input(now)),
            Err(_) => {
                self.phase = Phase::SkipLine(0);
                return self.reject(0, &say::AUTH_LINE_TOO_LONG, output);
            }
        };
        self.deadline.clear();
        self.phase = Phase::Commands;
        if line.flaw.is_some() {
            return self.reject(line.len, &say::BAD_LINE_END, output);
        }
        let text = &input[..line.text];
        if text == b"*" {
            self.write(&say::CANCELLED, output);
            return Ok(found(line.len, Kind::AuthCancelled, Event::AuthCancelled));
        }
        match Base64::parse(text) {
            Ok(response) => {
                self.owed = Owed::Auth;
                Ok(found(line.len, Kind::AuthResponse(line.text), Event::AuthResponse(response)))
            }
            Err(_) => self.reject(line.len, &say::NOT_BASE64, output),
        }
    }

    pub(super) fn skip_line<'b>(
        &mut self,
        skipped: usize,
        now: Duration,
        input: &'b [u8],
    ) -> Result<Step<(Taken, Event<'b>)>, Violation> {
        const CAP: usize = 1024 * 1024;
        if input.is_empty() {
            return Ok(self.need_input(now));
        }
        let line::Skipped { len, ended } = self.lines.skip(input);
        if skipped + len > CAP {
            return Err(self.fail(Violation::EndlessLine));
        }
        self.phase = if ended { Phase::Commands } else { Phase::SkipLine(skipped + len) };
        if ended {
            self.deadline.clear();
        }
        Ok(found(len, Kind::Discarded, Event::Discarded))
    }
}

/// The start of an AUTH command.
const AUTH: &[u8] = b"AUTH ";

/// Octets for `AUTH SCRAM-SHA-256-PLUS ` and some to spare.
const AUTH_NAME: usize = 64;
