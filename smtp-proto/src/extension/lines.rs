use bytes::BufMut;

use super::{Capabilities, Extension};
use crate::reply::{MAX_LINE, put_text};

/// The longest line without its code and CRLF.
pub(super) const MAX_TEXT: usize = MAX_LINE - "250-".len() - "\r\n".len();

impl Capabilities<'_> {
    /// Writes the response to EHLO: the first line, which begins with the server's domain, then a line for each
    /// extension, then the unknown keywords.
    ///
    /// Of the first line, what is not HT or SP to `~` is left out or becomes `?`, and what doesn't fit is cut off.
    pub fn write_ehlo(&self, first_line: &str, output: &mut impl BufMut) {
        let mut left = self.set().len() + self.unknown().count();
        let mut start_line = |output: &mut _| {
            put(output, if left == 0 { "250 " } else { "250-" });
            left = left.saturating_sub(1);
        };

        start_line(output);
        let first_line = first_line.as_bytes();
        put_text(&first_line[..first_line.len().min(MAX_TEXT)], false, output);
        put(output, "\r\n");
        for extension in self.set().iter() {
            start_line(output);
            put(output, extension.keyword());
            self.write_words(extension, output);
            put(output, "\r\n");
        }
        for (keyword, words) in self.unknown() {
            start_line(output);
            put(output, keyword);
            if !words.is_empty() {
                put_word(output, words);
            }
            put(output, "\r\n");
        }
    }

    fn write_words(&self, extension: Extension, output: &mut impl BufMut) {
        match extension {
            Extension::Size => put_number(self.size(), output),
            Extension::DeliverBy => put_number(self.deliver_by().map(u64::from), output),
            Extension::Limits => {
                for (name, limit) in self.limits().named() {
                    if let Some(limit) = limit {
                        put_word(output, name);
                        put(output, "=");
                        put_decimal(limit.into(), output);
                    }
                }
            }
            Extension::Auth => {
                // The strongest first, for clients that take the first that they know.
                let known = self.mechanisms();
                let mut room = MAX_TEXT - "AUTH".len();
                for name in known.iter().rev().map(|m| m.name()).chain(self.other_mechanisms()) {
                    if name.len() < room {
                        put_word(output, name);
                        room -= 1 + name.len();
                    }
                }
            }
            other => {
                if let Some(words) = self.words(other) {
                    put_word(output, words);
                }
            }
        }
    }
}

fn put(output: &mut impl BufMut, text: &str) {
    output.put_slice(text.as_bytes());
}

fn put_word(output: &mut impl BufMut, word: &str) {
    put(output, " ");
    put(output, word);
}

fn put_number(number: Option<u64>, output: &mut impl BufMut) {
    if let Some(number) = number {
        put(output, " ");
        put_decimal(number, output);
    }
}

fn put_decimal(mut number: u64, output: &mut impl BufMut) {
    let mut digits = [0; 20];
    let mut at = digits.len();
    loop {
        at -= 1;
        digits[at] = b'0' + (number % 10) as u8;
        number /= 10;
        if number == 0 {
            break;
        }
    }
    output.put_slice(&digits[at..]);
}
