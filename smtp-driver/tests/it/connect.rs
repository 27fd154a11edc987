//! The sharing of time among the addresses of a name.

use std::cell::RefCell;
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::thread;
use std::time::Duration;

use futures_lite::future::block_on;
use smtp_driver::connect_each;

const LONG: Duration = Duration::from_secs(60);

fn addresses(count: u16) -> Vec<SocketAddr> {
    (1..=count).map(|port| ([127, 0, 0, 1], port).into()).collect()
}

/// Connects to none but port `open`, and says in what order and with what time it was asked.
fn tried(count: u16, open: u16, time: Duration) -> (io::Result<u16>, Vec<(u16, Duration)>) {
    let tried = RefCell::default();
    let result = block_on(connect_each(&addresses(count), time, |address, share| {
        Vec::push(&mut tried.borrow_mut(), (address.port(), share));
        async move { if address.port() == open { Ok(open) } else { Err(ErrorKind::ConnectionRefused.into()) } }
    }));
    (result, tried.into_inner())
}

#[test]
fn each_address_gets_its_share_of_what_is_left() {
    let (result, tried) = tried(3, 2, LONG);
    assert_eq!(result.expect("the second answers"), 2);
    let [(1, first), (2, second)] = tried[..] else { panic!("{tried:?}") };
    // The first failed at once, so the second and the third have nearly half of all each.
    assert!((LONG / 4..=LONG / 3).contains(&first), "{first:?}");
    assert!((LONG / 3..=LONG / 2).contains(&second), "{second:?}");
}

#[test]
fn the_error_is_that_of_the_last_address() {
    let (result, tried) = tried(3, 9, LONG);
    assert_eq!(result.expect_err("none answers").kind(), ErrorKind::ConnectionRefused);
    assert_eq!(tried.len(), 3);
}

#[test]
fn a_name_without_an_address_is_an_error() {
    assert_eq!(tried(0, 1, LONG).0.expect_err("nothing to try").kind(), ErrorKind::NotFound);
}

#[test]
fn no_address_is_tried_when_the_time_is_over() {
    let time = Duration::from_millis(10);
    let result: io::Result<()> = block_on(connect_each(&addresses(2), time, |address, _| async move {
        assert_eq!(address.port(), 1);
        thread::sleep(time);
        Err(ErrorKind::ConnectionRefused.into())
    }));
    assert_eq!(result.expect_err("too late").kind(), ErrorKind::TimedOut);
}
