//! What every adapter's public face does, from the destination to the stored message, over real sockets. Each adapter
//! includes this file and runs it: see [`conformance`].
//!
//! The far end is the adapter itself where both sides are right, and a script on a plain thread where one is wrong.

mod clerk;
mod faults;
mod handlers;
mod messages;
mod pool;
mod repeats;
mod script;
#[cfg(feature = "rustls")]
mod secure;
mod serving;
mod trusted;

use std::future::Future;
use std::io;
#[cfg(unix)]
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

pub(crate) use clerk::{Clerk, Letter, Post};
pub(crate) use faults::*;
pub(crate) use handlers::*;
pub(crate) use messages::*;
pub(crate) use pool::*;
pub(crate) use repeats::*;
use script::Script;
#[cfg(feature = "rustls")]
pub(crate) use secure::*;
pub(crate) use serving::*;
use smtp_driver::client::SendError;
use smtp_driver::pool::Limits;
use smtp_driver::proto::address::Domain;
use smtp_driver::proto::client;
use smtp_driver::proto::command::{Attributes, Command};
use smtp_driver::proto::reply::Reply;
use smtp_driver::proto::server::Config;
use smtp_driver::proto::session::{Envelope, Report, Transfer};
use smtp_driver::server::{Security, Turn};
use smtp_driver::{Connector, Destination, Error, Handler, Io, Message, Service, Shutdown};
pub(crate) use trusted::*;

use crate::suite::Runtime;

/// An adapter's public functions.
pub(crate) trait Adapter: Runtime {
    type Client: Client;
    #[cfg(unix)]
    type UnixClient: Client;
    /// A connection of the pull loop.
    type Server;

    fn client(to: &Destination) -> impl Future<Output = Result<Self::Client, Error>>;
    #[cfg(unix)]
    fn unix_client(path: &Path, to: &Destination) -> impl Future<Output = Result<Self::UnixClient, Error>>;
    fn serve<H: Handler + 'static>(
        listener: Self::Listener,
        service: Service,
        shutdown: &Shutdown,
        handler: impl Fn() -> H,
    ) -> impl Future<Output = io::Result<()>>;
    #[cfg(unix)]
    fn serve_unix<H: Handler + 'static>(
        listener: Self::UnixListener,
        service: Service,
        shutdown: &Shutdown,
        handler: impl Fn() -> H,
    ) -> impl Future<Output = io::Result<()>>;
    /// The adapter's `stream` over a reader of these octets, which then ends, or `fails`.
    fn stream(octets: Vec<u8>, fails: bool) -> impl Message;
    type Pool: Pool;
    fn pool(to: &Destination, limits: Limits) -> Self::Pool;
    /// Runs these beside each other, up to their ends.
    fn together(tasks: Vec<Pin<Box<dyn Future<Output = ()> + Send>>>) -> impl Future<Output = ()>;
    fn pull(io: Self::Socket, config: Arc<Config>, security: Security, shutdown: Shutdown) -> Self::Server;
    fn next(server: &mut Self::Server) -> impl Future<Output = Result<Option<Turn<'_>>, Error>>;
}

/// A client's connection, asynchronous where the adapter's is not.
pub(crate) trait Client {
    fn send(
        &mut self,
        envelope: &Envelope<'_>,
        message: impl Message,
    ) -> impl Future<Output = Result<Report, SendError>>;
    fn send_all<'m, M: Message>(
        &mut self,
        messages: Vec<(&'m Envelope<'m>, M)>,
        reported: impl FnMut(Report),
    ) -> impl Future<Output = Result<(), Error>>;
    fn command(&mut self, command: Command<'_>) -> impl Future<Output = Result<Reply<'static>, Error>>;
    fn xclient(&mut self, attributes: &Attributes<'_>)
    -> impl Future<Output = Result<Reply<'static>, Error>>;
    fn xforward(
        &mut self,
        attributes: &Attributes<'_>,
    ) -> impl Future<Output = Result<Reply<'static>, Error>>;
    fn noop(&mut self) -> impl Future<Output = Result<(), Error>>;
    fn quit(self) -> impl Future<Output = ()>;
    fn set_transfer(&mut self, transfer: Transfer);
    fn is_usable(&self) -> bool;
    fn is_tls(&self) -> bool;
}

/// An adapter's pool, asynchronous where the adapter's is not.
pub(crate) trait Pool: Clone + Send + Sync + 'static {
    fn send(
        &self,
        envelope: &Envelope<'_>,
        message: impl Message,
    ) -> impl Future<Output = Result<Report, SendError>> + Send;
    fn sweep(&self) -> impl Future<Output = ()> + Send;
    fn close(&self) -> impl Future<Output = ()> + Send;
    fn idle(&self) -> usize;
    fn waiting(&self) -> usize;
}

impl<C: Connector + 'static> Pool for smtp_driver::Pool<C> {
    async fn send(&self, envelope: &Envelope<'_>, message: impl Message) -> Result<Report, SendError> {
        self.send(envelope, message).await
    }
    async fn sweep(&self) {
        self.sweep().await;
    }
    async fn close(&self) {
        self.close().await;
    }
    fn idle(&self) -> usize {
        self.idle()
    }
    fn waiting(&self) -> usize {
        self.waiting()
    }
}

impl<I: Io> Client for smtp_driver::client::Connection<I> {
    async fn send(&mut self, envelope: &Envelope<'_>, message: impl Message) -> Result<Report, SendError> {
        self.send(envelope, message).await
    }
    async fn send_all<'m, M: Message>(
        &mut self,
        messages: Vec<(&'m Envelope<'m>, M)>,
        reported: impl FnMut(Report),
    ) -> Result<(), Error> {
        self.send_all(messages, reported).await
    }
    async fn command(&mut self, command: Command<'_>) -> Result<Reply<'static>, Error> {
        self.command(command).await
    }
    async fn xclient(&mut self, attributes: &Attributes<'_>) -> Result<Reply<'static>, Error> {
        self.xclient(attributes).await
    }
    async fn xforward(&mut self, attributes: &Attributes<'_>) -> Result<Reply<'static>, Error> {
        self.xforward(attributes).await
    }
    async fn noop(&mut self) -> Result<(), Error> {
        self.noop().await
    }
    async fn quit(self) {
        self.quit().await;
    }
    fn set_transfer(&mut self, transfer: Transfer) {
        self.set_transfer(transfer);
    }
    fn is_usable(&self) -> bool {
        self.is_usable()
    }
    fn is_tls(&self) -> bool {
        self.is_tls()
    }
}

/// The whole suite as tests of the adapter `$adapter`.
macro_rules! conformance {
    ($adapter:ty: $($(#[$attribute:meta])* $test:ident)*) => {
        $(#[test] $(#[$attribute])* fn $test() { crate::conformance::$test::<$adapter>() })*
    };
    ($adapter:ty) => {
        $crate::conformance::conformance! { $adapter:
            a_message_arrives_as_it_was_sent
            each_recipient_has_its_own_result
            a_connection_survives_every_kind_of_refusal
            five_mebibytes_arrive_octet_for_octet
            a_stream_is_sent_as_it_is_read
            a_stream_that_fails_is_delivered_to_nobody
            many_messages_go_one_behind_the_other
            chunks_carry_messages_too
            lmtp_answers_for_each_recipient
            #[cfg(unix)] lmtp_over_a_unix_socket
            a_greeting_that_refuses_is_told
            ehlo_goes_ahead_of_a_greeting_that_allows_it
            a_421_at_any_stage_ends_the_connection
            a_server_that_never_answers_times_out_at_that_stage
            a_server_that_hangs_up_within_a_message_did_not_take_it
            a_connection_that_breaks_at_any_stage_is_told
            a_server_that_hangs_up_behind_a_message_leaves_it_unknown
            a_server_that_does_not_listen_is_unreachable
            a_send_that_is_dropped_leaves_the_connection_unusable
            a_send_all_that_is_dropped_leaves_the_connection_unusable
            an_envelope_that_may_not_ride_goes_by_itself
            an_early_talker_is_turned_away
            recipients_of_a_refused_chunk_are_forgotten
            a_record_for_a_greeting_names_the_port
            a_client_that_drips_is_timed_out
            a_shutdown_waits_for_the_message_in_hand
            a_shutdown_has_its_time
            a_handler_has_mechanisms_of_its_own
            a_forgotten_responder_answers_451
            a_handler_that_waits_holds_no_reply_back
            connections_over_the_limit_wait
            a_proxy_header_tells_who_the_client_is
            a_trusted_connection_without_a_header_is_closed
            no_header_is_looked_for_from_others
            xclient_is_believed_from_whom_it_is_offered_to
            xclient_and_xforward_are_offered_to_nobody_else
            #[cfg(feature = "rustls")] a_proxy_header_stands_ahead_of_tls
            many_recipients_go_in_several_transactions
            a_stream_is_not_read_twice
            a_pool_uses_its_connections_again
            a_pool_keeps_to_what_a_session_takes
            a_pool_sees_that_the_server_hung_up
            a_pool_sees_a_421_on_an_idle_connection
            a_pool_asks_those_that_idled_long
            a_pool_closes_those_that_idle_too_long
            a_pool_tries_again_what_was_cut_short
            a_pool_tries_again_but_once
            a_pool_does_not_repeat_what_may_have_been_taken
            a_pool_does_not_repeat_what_was_decided
            a_pool_does_not_repeat_what_it_cannot_read_again
            a_pool_is_bounded
            a_pool_serves_in_the_order_of_arrival
            a_pool_that_closes_says_quit
            a_pool_is_whole_after_a_send_is_dropped
            #[cfg(feature = "rustls")] starttls_then_a_message
            #[cfg(feature = "rustls")] implicit_tls_then_a_message
            #[cfg(feature = "rustls")] five_mebibytes_arrive_through_tls
            #[cfg(all(feature = "rustls", feature = "scram"))] every_mechanism_logs_in
            #[cfg(feature = "rustls")] a_wrong_password_is_refused
            #[cfg(feature = "rustls")] a_password_does_not_go_in_the_clear
            #[cfg(feature = "rustls")] a_foreign_certificate_is_named
            #[cfg(feature = "rustls")] a_certificate_for_another_name_is_named
            #[cfg(feature = "rustls")] a_greeting_for_a_record_names_the_port
            #[cfg(feature = "rustls")] missing_starttls_ends_it_before_anything_is_said
            #[cfg(feature = "rustls")] octets_behind_the_220_are_not_taken
            #[cfg(feature = "rustls")] octets_behind_starttls_are_not_taken
        }
    };
}
pub(crate) use conformance;

/// No test waits longer.
const LONG: Duration = Duration::from_secs(10);
/// A timeout that a test waits for.
const SHORT: Duration = Duration::from_millis(150);

/// A server on a thread of its own.
pub(crate) struct Running {
    pub(crate) port: u16,
    pub(crate) shutdown: Shutdown,
    thread: JoinHandle<io::Result<()>>,
}

impl Running {
    pub(crate) fn plain(&self) -> Destination {
        Destination::plain("127.0.0.1", self.port)
    }

    /// Ends it, and sees that it does.
    pub(crate) fn end(self) {
        self.shutdown.begin();
        let started = Instant::now();
        while !self.thread.is_finished() {
            assert!(started.elapsed() < LONG, "the server does not end");
            thread::sleep(Duration::from_millis(2));
        }
        self.thread.join().expect("no panic").expect("no error");
    }
}

/// Serves with a handler of `handler`'s for each connection.
pub(crate) fn start_with<A: Adapter, H: Handler + 'static>(
    service: Service,
    handler: impl Fn() -> H + Send + 'static,
) -> Running {
    let shutdown = Shutdown::new();
    let (seen, (tell, told)) = (shutdown.clone(), std::sync::mpsc::channel());
    let thread = thread::spawn(move || {
        A::run(async {
            let (listener, address) = A::listen().await;
            tell.send(address.port()).expect("somebody asked");
            A::serve(listener, service, &seen, handler).await
        })
    });
    Running { port: told.recv().expect("it listens"), shutdown, thread }
}

/// Serves with a [`Clerk`] for each connection, who keep what they got in one `Post`.
pub(crate) fn start<A: Adapter>(service: Service) -> (Running, Post) {
    let post = Post::default();
    let clerk = post.clone();
    (start_with::<A, _>(service, move || Clerk::new(&clerk)), post)
}

pub(crate) fn config() -> Config {
    Config::new(Domain::parse("mx.example.org").expect("a domain"))
}

pub(crate) fn service() -> Service {
    Service::new(config().shared())
}

pub(crate) fn envelope<'a>(from: &'a str, to: &[&'a str]) -> Envelope<'a> {
    Envelope::parse(from, to.iter().copied()).expect("addresses")
}

/// A client that gives up soon.
pub(crate) fn impatient() -> client::Config {
    let mut config = client::Config::default();
    let timeouts = &mut config.timeouts;
    for time in [
        &mut timeouts.greeting,
        &mut timeouts.command,
        &mut timeouts.data,
        &mut timeouts.block,
        &mut timeouts.end_of_data,
        &mut timeouts.quit,
    ] {
        *time = SHORT;
    }
    config
}

/// What each recipient was answered, as a code; 0 where there is no reply.
pub(crate) fn codes(report: &Report) -> Vec<u16> {
    use smtp_driver::proto::session::Outcome;
    let code = |outcome| match outcome {
        Outcome::Replied { reply, .. } => reply.code().as_u16(),
        _ => 0,
    };
    report.outcomes().map(code).collect()
}

/// Lines of all lengths that tell their place, dots in front among them.
pub(crate) fn long_message(size: usize) -> Vec<u8> {
    const TEXT: [u8; 800] = [b'-'; 800];
    let mut message = b"Subject: long\r\n\r\n".to_vec();
    let mut line = 0;
    while message.len() < size {
        message.extend_from_slice(&b".."[..line % 7 % 3]);
        message.extend_from_slice(line.to_string().as_bytes());
        message.extend_from_slice(&TEXT[..line * 7 % 800]);
        message.extend_from_slice(b"\r\n");
        line += 1;
    }
    message
}
