//! Messages, and what becomes of them for each recipient.

use smtp_driver::proto::session::Outcome;

use super::*;

const HELLO: &str = "Subject: hello\r\n\r\n.\r\n..dots\r\nHello, Ben.\r\n";

pub(crate) fn a_message_arrives_as_it_was_sent<A: Adapter>() {
    let (server, post) = start::<A>(service());
    A::run(async {
        let mut client = A::client(&server.plain()).await.expect("a connection");
        assert!(client.is_usable() && !client.is_tls());
        let report = client.send(&envelope("ann@example.org", &["ben@example.net"]), HELLO).await;
        assert!(report.expect("a report").all_delivered());
        client.noop().await.expect("still there");
        let noop = Command::Noop("again".try_into().expect("a text"));
        assert_eq!(client.command(noop).await.expect("a reply").code().as_u16(), 250);
        client.quit().await;
    });
    let (from, to) = ("ann@example.org".to_owned(), vec!["ben@example.net".to_owned()]);
    assert_eq!(post.letters(), [Letter { from, to, body: HELLO.into() }]);
    server.end();
    assert_eq!(post.ended(), [None]);
}

pub(crate) fn each_recipient_has_its_own_result<A: Adapter>() {
    let (server, post) = start::<A>(service());
    A::run(async {
        let mut client = A::client(&server.plain()).await.expect("a connection");
        let to = ["550-a@example.net", "ben@example.net", "450-c@example.net", "251-d@example.net"];
        let report = client.send(&envelope("ann@example.org", &to), HELLO).await.expect("a report");
        assert_eq!(codes(&report), [550, 250, 450, 250]);
        assert_eq!((report.delivered(), report.all_delivered()), (2, false));
        let permanent: Vec<_> = report.outcomes().map(|outcome| outcome.is_permanent()).collect();
        assert_eq!(permanent, [true, false, false, false]);
        client.quit().await;
    });
    assert_eq!(post.letters()[0].to, ["ben@example.net", "251-d@example.net"]);
    server.end();
}

pub(crate) fn a_connection_survives_every_kind_of_refusal<A: Adapter>() {
    let (server, post) = start::<A>(service());
    A::run(async {
        for transfer in [Transfer::Data, Transfer::Chunks, Transfer::ChunksInFlight] {
            let mut client = A::client(&server.plain()).await.expect("a connection");
            client.set_transfer(transfer);
            for (from, to, code) in [
                ("mail-550-x@example.org", ["ben@example.net", "cat@example.net"], [550, 550]),
                ("ann@example.org", ["550-b@example.net", "450-c@example.net"], [550, 450]),
                ("data-554-x@example.org", ["ben@example.net", "cat@example.net"], [554, 554]),
                ("body-552-x@example.org", ["ben@example.net", "550-c@example.net"], [552, 550]),
                ("end-451-x@example.org", ["ben@example.net", "cat@example.net"], [451, 451]),
                ("mail-451-x@example.org", ["550-b@example.net", "cat@example.net"], [451, 451]),
                ("ann@example.org", ["ben@example.net", "cat@example.net"], [250, 250]),
            ] {
                let sent = client.send(&envelope(from, &to), HELLO).await;
                let report = sent.unwrap_or_else(|error| panic!("{transfer:?} {from}: {error}"));
                assert_eq!(codes(&report), code, "{transfer:?} {from}");
                assert!(client.is_usable(), "{transfer:?} {from}");
            }
            client.quit().await;
        }
    });
    // The good one of each round, and no other.
    assert_eq!(post.letters().len(), 3);
    assert!(post.letters().iter().all(|letter| letter.body == HELLO.as_bytes() && letter.to.len() == 2));
    server.end();
    assert_eq!(post.ended(), [None, None, None]);
}

pub(crate) fn five_mebibytes_arrive_octet_for_octet<A: Adapter>() {
    let (server, post) = start::<A>(service());
    let message = long_message(5 << 20);
    A::run(async {
        for transfer in [Transfer::Data, Transfer::Chunks] {
            let mut client = A::client(&server.plain()).await.expect("a connection");
            client.set_transfer(transfer);
            let envelope = envelope("ann@example.org", &["ben@example.net"]);
            assert!(client.send(&envelope, &message).await.expect("a report").all_delivered());
            client.quit().await;
        }
    });
    let letters = post.letters();
    assert!(letters.len() == 2 && letters.iter().all(|letter| letter.body == message), "it differs");
    server.end();
}

pub(crate) fn a_stream_is_sent_as_it_is_read<A: Adapter>() {
    let (server, post) = start::<A>(service());
    let message = long_message(300_000);
    A::run(async {
        let mut client = A::client(&server.plain()).await.expect("a connection");
        let envelope = envelope("ann@example.org", &["ben@example.net"]);
        for transfer in [Transfer::Data, Transfer::Chunks] {
            client.set_transfer(transfer);
            let report = client.send(&envelope, A::stream(message.clone(), false)).await.expect("a report");
            assert_eq!(codes(&report), [250]);
        }
        client.quit().await;
    });
    let letters = post.letters();
    assert!(letters.len() == 2 && letters.iter().all(|letter| letter.body == message), "it differs");
    server.end();
}

pub(crate) fn a_stream_that_fails_is_delivered_to_nobody<A: Adapter>() {
    for transfer in [Transfer::Data, Transfer::Chunks] {
        let (server, post) = start::<A>(service());
        A::run(async {
            let mut client = A::client(&server.plain()).await.expect("a connection");
            client.set_transfer(transfer);
            let envelope = envelope("ann@example.org", &["ben@example.net"]);
            let failed = client.send(&envelope, A::stream(long_message(300_000), true)).await;
            let failed = failed.expect_err("it cannot be sent");
            assert!(failed.to_string().contains("the disk is gone"), "{failed}");
            assert_eq!(failed.error.stage(), smtp_driver::proto::stage::Stage::Body);
            let outcomes: Vec<_> = failed.report.outcomes().collect();
            assert!(matches!(outcomes[..], [Outcome::NotSent(_)]), "{outcomes:?}");
            assert!(!client.is_usable());
            client.noop().await.expect_err("not usable");
            client.quit().await;
        });
        server.end();
        assert_eq!(post.letters(), [], "{transfer:?}");
        assert!(matches!(&post.ended()[..], [Some(_)]), "{:?}", post.ended());
    }
}

pub(crate) fn many_messages_go_one_behind_the_other<A: Adapter>() {
    let (server, post) = start::<A>(service());
    A::run(async {
        let mut client = A::client(&server.plain()).await.expect("a connection");
        let envelopes: Vec<_> = (0..60)
            .map(|number| match number % 5 {
                0 => envelope("ann@example.org", &["550-a@example.net"]),
                1 => envelope("mail-550-x@example.org", &["ben@example.net"]),
                2 => envelope("end-451-x@example.org", &["ben@example.net"]),
                _ => envelope("ann@example.org", &["ben@example.net", "450-b@example.net"]),
            })
            .collect();
        let mut message = 0;
        let messages = envelopes.iter().map(|envelope| {
            message += 1;
            (envelope, format!("Subject: {message}\r\n\r\n"))
        });
        let mut reports = Vec::new();
        let messages = messages.collect();
        client.send_all(messages, |report| reports.push(codes(&report))).await.expect("all were tried");
        let expected = [vec![550], vec![550], vec![451], vec![250, 450], vec![250, 450]];
        assert_eq!(reports, Vec::from_iter(expected.into_iter().cycle().take(60)));
        assert!(client.is_usable());
        client.quit().await;
    });
    let letters = post.letters();
    let numbers = (1..=60).filter(|number| matches!(number % 5, 4 | 0));
    let subjects: Vec<_> = numbers.map(|number| format!("Subject: {number}\r\n\r\n").into_bytes()).collect();
    assert_eq!(Vec::from_iter(letters.into_iter().map(|letter| letter.body)), subjects);
    server.end();
}

pub(crate) fn chunks_carry_messages_too<A: Adapter>() {
    let (server, post) = start::<A>(service());
    // BDAT stuffs nothing and ends no line.
    let messages = ["Subject: x\r\n\r\n.\r\nno end of line", "", "x"];
    A::run(async {
        let mut client = A::client(&server.plain()).await.expect("a connection");
        let envelope = envelope("ann@example.org", &["550-a@example.net", "ben@example.net"]);
        for transfer in [Transfer::Chunks, Transfer::ChunksInFlight] {
            client.set_transfer(transfer);
            for message in messages {
                let report = client.send(&envelope, message).await.expect("a report");
                assert_eq!(codes(&report), [550, 250], "{transfer:?} {message:?}");
            }
            let mut reports = Vec::new();
            let all = messages.map(|message| (&envelope, message)).into();
            client.send_all(all, |report| reports.push(codes(&report))).await.expect("all");
            assert_eq!(reports, [[550, 250]; 3]);
        }
        client.quit().await;
    });
    let got: Vec<_> = post.letters().into_iter().map(|letter| letter.body).collect();
    assert_eq!(got, [messages; 4].concat().into_iter().map(str::as_bytes).collect::<Vec<_>>());
    server.end();
}

async fn lmtp(client: &mut impl Client) {
    let to = ["full-a@example.net", "550-b@example.net", "cat@example.net", "cat@example.net"];
    for transfer in [Transfer::Data, Transfer::Chunks] {
        client.set_transfer(transfer);
        let report = client.send(&envelope("ann@example.org", &to), HELLO).await.expect("a report");
        assert_eq!(codes(&report), [452, 550, 250, 250]);
        let report =
            client.send(&envelope("end-554-x@example.org", &to[2..]), HELLO).await.expect("a report");
        assert_eq!(codes(&report), [554, 554]);
        let report = client.send(&envelope("ann@example.org", &to[1..2]), HELLO).await.expect("a report");
        assert_eq!(codes(&report), [550]);
    }
    let (one, two) = (envelope("ann@example.org", &to), envelope("ann@example.org", &to[2..]));
    let mut reports = Vec::new();
    let all = vec![(&one, HELLO), (&two, HELLO)];
    client.send_all(all, |report| reports.push(codes(&report))).await.expect("both");
    assert_eq!(reports, [vec![452, 550, 250, 250], vec![250, 250]]);
}

pub(crate) fn lmtp_answers_for_each_recipient<A: Adapter>() {
    let (server, post) = start::<A>(Service::new(config().lmtp().shared()));
    A::run(async {
        let to = Destination::lmtp("127.0.0.1", server.port);
        let mut client = A::client(&to).await.expect("a connection");
        lmtp(&mut client).await;
        client.quit().await;
        // EHLO is not LMTP's (RFC 2033, 4.1).
        let refused = A::client(&server.plain()).await.err().expect("it speaks LMTP");
        assert_eq!(refused.refusal().expect("a reply").code().as_u16(), 500);
    });
    assert_eq!(post.letters().len(), 4);
    server.end();
}

#[cfg(unix)]
pub(crate) fn lmtp_over_a_unix_socket<A: Adapter>() {
    let path = crate::suite::Socket::new();
    let (shutdown, post) = (Shutdown::new(), Post::default());
    let (tell, told) = std::sync::mpsc::channel();
    let thread = thread::spawn({
        let (path, shutdown, post) = (path.0.clone(), shutdown.clone(), post.clone());
        move || {
            A::run(async {
                let listener = A::listen_unix(&path).await;
                tell.send(()).expect("somebody asked");
                let service = Service::new(config().lmtp().shared());
                A::serve_unix(listener, service, &shutdown, || Clerk::new(&post)).await
            })
        }
    });
    told.recv().expect("it listens");
    A::run(async {
        let to = Destination::lmtp("localhost", 24);
        let mut client = A::unix_client(&path.0, &to).await.expect("a connection");
        lmtp(&mut client).await;
        client.quit().await;
        let nowhere = path.0.with_extension("gone");
        let error = A::unix_client(&nowhere, &to).await.err().expect("nobody is there");
        assert_eq!(error.stage(), smtp_driver::proto::stage::Stage::Connect);
    });
    assert_eq!(post.letters().len(), 4);
    Running { port: 0, shutdown, thread }.end();
}
