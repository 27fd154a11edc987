//! The octets that are worked on: the same for us and for every peer.

/// MAIL with BODY alone, as most clients send it, and the RCPT behind it.
pub const BASIC: &[&[u8]] =
    &[b"MAIL FROM:<ann.miller@mail.example.org> BODY=8BITMIME\r\n", b"RCPT TO:<ben.smith@example.net>\r\n"];

/// MAIL and RCPT with every parameter of SIZE, 8BITMIME and DSN, and a chunk.
pub const FULL: &[&[u8]] = &[
    b"MAIL FROM:<ann.miller@mail.example.org> SIZE=123456 BODY=8BITMIME RET=HDRS ENVID=QQ314159\r\n",
    b"RCPT TO:<ben.smith@example.net> NOTIFY=SUCCESS,FAILURE ORCPT=rfc822;ben.smith@example.net\r\n",
    b"BDAT 86400 LAST\r\n",
];

/// Replies of one line, as they come in a session.
pub const REPLIES: &[&[u8]] = &[
    b"220 mx.example.net ESMTP ready\r\n",
    b"250 2.1.0 Ok\r\n",
    b"250 2.1.5 Ok\r\n",
    b"354 End data with <CR><LF>.<CR><LF>\r\n",
    b"250 2.0.0 Ok: queued as 4WxYz12Abc\r\n",
    b"550 5.1.1 <nobody@example.net>: Recipient address rejected: User unknown\r\n",
    b"221 2.0.0 Bye\r\n",
];

/// An EHLO response of ten keywords.
pub const EHLO: &[&[u8]] = &[b"250-mx.example.net\r\n250-PIPELINING\r\n250-SIZE 10240000\r\n250-ETRN\r\n250-STARTTLS\r\n\
250-AUTH PLAIN LOGIN CRAM-MD5\r\n250-ENHANCEDSTATUSCODES\r\n250-8BITMIME\r\n250-DSN\r\n250-SMTPUTF8\r\n250 CHUNKING\r\n"];

/// Lines of text as people write them, `len` octets of them at least.
pub fn text(len: usize) -> Vec<u8> {
    const LINES: &[&[u8]] = &[
        b"The quick brown fox jumps over the lazy dog, and then\r\n",
        b"it rests.\r\n",
        b"\r\n",
        b"> Whoever reads this far has read a line that is a little longer\r\n",
    ];
    LINES
        .iter()
        .cycle()
        .scan(0, |sum, line| {
            (*sum < len).then(|| {
                *sum += line.len();
                *line
            })
        })
        .flatten()
        .copied()
        .collect()
}

/// Base64 in lines of 76.
pub fn base64(len: usize) -> Vec<u8> {
    let line = b"TWFuIGlzIGRpc3Rpbmd1aXNoZWQsIG5vdCBvbmx5IGJ5IGhpcyByZWFzb24sIGJ1dCBieSB0aGlz\r\n";
    line.repeat(len / line.len())
}

/// A message of nothing but dots, as content: each line is one dot.
pub fn dots(len: usize) -> Vec<u8> {
    b".\r\n".repeat(len / 3)
}

/// Lines of 990 octets, as HTML in mail has them.
pub fn long_lines(len: usize) -> Vec<u8> {
    let mut line = vec![b'x'; 990];
    line.extend_from_slice(b"\r\n");
    line.repeat(len / line.len())
}

/// Mailboxes of all forms.
pub const ADDRESSES: &[&str] = &[
    "ann.miller@mail.example.org",
    "ben@example.net",
    "\"joe doe\"@example.com",
    "b\u{fc}cher@b\u{fc}cher.example",
    "postmaster@[192.0.2.1]",
    "a-rather-long.local-part+with.a.tag@a.host.far.down.example.org",
];

/// Who sends, and whom to.
pub const FROM: &str = "ann.miller@mail.example.org";

/// So many recipients.
pub fn recipients(count: usize) -> Vec<String> {
    (0..count).map(|n| format!("ben.smith{n}@example.net")).collect()
}

/// What is sent in sessions: a header, and lines of text to so many octets.
pub fn message(len: usize) -> Vec<u8> {
    let mut message =
        b"From: Ann <ann.miller@mail.example.org>\r\nTo: Ben <ben.smith@example.net>\r\nSubject: hello\r\n\r\n".to_vec();
    message.extend(text(len - message.len()));
    message
}

/// What comes ahead of a message.
pub const ENVELOPE: &[u8] =
    b"MAIL FROM:<ann.miller@mail.example.org>\r\nRCPT TO:<ben.smith@example.net>\r\nDATA\r\n";
