//! Their machines, without I/O as ours.

use std::hint::black_box;

use super::sessions::IoSmtp;
use super::wire::{Bin, Canned, hello, process};
use super::{IO_SMTP, MAILIN};
use crate::inputs::message;
use crate::machines::{CLIENT, SERVER, says};
use crate::{Case, Unit};

pub fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for (group, recipients) in SERVER {
        let (mut session, mut said) = (hello(Bin::default()), Vec::new());
        let [envelope, body] = says(recipients);
        cases.push(Case::new(group, MAILIN, Unit::Items, 1, move || {
            for flight in [&envelope, &body] {
                said.clear();
                process(&mut session, black_box(flight), &mut said);
                black_box(&said);
            }
        }));
    }
    for (group, recipients) in CLIENT {
        let (message, client) = (message(1024), IoSmtp::new(recipients));
        let mut replies = vec!["250 2.1.5 Ok\r\n"; 1 + recipients];
        replies.extend(["354 End data with <CR><LF>.<CR><LF>\r\n", "250 2.0.0 Ok: queued as 4WxYz12Abc\r\n"]);
        let mut far = Canned::new(&[], &replies);
        cases.push(Case::new(group, IO_SMTP, Unit::Items, 1, move || {
            client.send(black_box(&message), &mut far)
        }));
    }
    cases
}
