use bytes::BufMut;

use super::Command;
use crate::param::Params;

impl Command<'_> {
    /// Appends the line with its CRLF.
    ///
    /// # Panics
    /// If `output` is one that doesn't grow, and is too small.
    pub fn write(&self, output: &mut impl BufMut) {
        if let Self::Other { verb, .. } = self {
            put(output, verb.as_str());
        } else if let Some(verb) = self.verb() {
            put(output, verb.name());
        }
        match self {
            Self::Ehlo(name) | Self::Helo(name) | Self::Lhlo(name) => put_word(output, name.as_str()),
            Self::Mail(mail) => put_path(output, " FROM:<", mail.from.as_str(), &mail.params),
            Self::Rcpt(rcpt) => put_path(output, " TO:<", rcpt.to.as_str(), &rcpt.params),
            Self::Bdat { size, last } => {
                put(output, " ");
                put_decimal(output, *size);
                put(output, if *last { " LAST" } else { "" });
            }
            Self::Noop(text) | Self::Vrfy(text) | Self::Expn(text) | Self::Help(text) | Self::Etrn(text) => {
                put_word(output, text.as_str());
            }
            Self::Auth { mechanism, initial } => {
                put_word(output, mechanism.as_str());
                put_word(output, initial.as_ref().map_or("", |initial| initial.as_initial()));
            }
            Self::Xclient(attributes) | Self::Xforward(attributes) => put_word(output, attributes.as_str()),
            Self::Other { args, .. } => put_word(output, args.as_str()),
            Self::Data | Self::Rset | Self::Quit | Self::StartTls => {}
        }
        put(output, "\r\n");
    }
}

fn put(output: &mut impl BufMut, text: &str) {
    output.put_slice(text.as_bytes());
}

/// A space and `text`, or nothing.
fn put_word(output: &mut impl BufMut, text: &str) {
    if !text.is_empty() {
        put(output, " ");
        put(output, text);
    }
}

fn put_path(output: &mut impl BufMut, before: &str, path: &str, params: &Params<'_>) {
    put(output, before);
    put(output, path);
    put(output, ">");
    params.words().for_each(|word| put_word(output, word));
}

fn put_decimal(output: &mut impl BufMut, mut number: u64) {
    let mut digits = [b'0'; 20];
    let mut start = digits.len();
    for digit in digits.iter_mut().rev() {
        *digit = b'0' + (number % 10) as u8;
        number /= 10;
        start -= 1;
        if number == 0 {
            break;
        }
    }
    output.put_slice(&digits[start..]);
}
