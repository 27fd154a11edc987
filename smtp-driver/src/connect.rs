//! Connecting to a name that has several addresses.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// Tries each address in turn, for at most `timeout` in all, and gives the first connection made.
///
/// An address that does not answer may use its share of the time left, and the last one all of it, so that a network
/// that swallows IPv6 leaves time for IPv4.
///
/// # Errors
/// That of the last address; `TimedOut` when the time is over before, and `NotFound` when there is no address.
pub async fn connect_each<T, Fut>(
    addresses: &[SocketAddr],
    timeout: Duration,
    connect: impl Fn(SocketAddr, Duration) -> Fut,
) -> io::Result<T>
where
    Fut: Future<Output = io::Result<T>>,
{
    let started = Instant::now();
    let mut result = Err(io::Error::new(io::ErrorKind::NotFound, "the name has no address"));
    for (untried, &address) in (1..=addresses.len()).rev().zip(addresses) {
        let share = timeout.saturating_sub(started.elapsed()) / u32::try_from(untried).unwrap_or(u32::MAX);
        if share.is_zero() {
            return Err(io::ErrorKind::TimedOut.into());
        }
        result = connect(address, share).await;
        if result.is_ok() {
            break;
        }
    }
    result
}
