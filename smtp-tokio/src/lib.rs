//! SMTP and LMTP on tokio: its sockets, its clock and its listeners under [`smtp_driver`].

mod listener;
mod socket;

pub use listener::Listener;
pub use socket::Socket;
