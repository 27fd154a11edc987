//! What their clients deliver to: our servers of each adapter, and `smtp serve`.

use std::sync::{Arc, LazyLock};

use crate::peer::ours;
use crate::process;
use crate::receiver::{PASSWORD, USER, server};
use crate::room::room;
use crate::sender::Client;
use crate::store::{Files, Store};

/// A server of ours, in three forms that share where they store.
#[derive(Debug)]
pub(crate) struct Target {
    pub(crate) plain: u16,
    pub(crate) tls: u16,
    pub(crate) lmtp: u16,
    /// Puts off whoever sends to somebody at [`GREY`](crate::receiver::GREY) for the first time.
    pub(crate) grey: u16,
    pub(crate) store: Store,
}

pub(crate) fn target(of: Client) -> Target {
    match of {
        Client::Of(runtime) => {
            let server = server(runtime);
            let store = Store::Ours(Arc::clone(&server.ledger));
            Target { plain: server.plain, tls: server.tls, lmtp: server.lmtp, grey: server.plain, store }
        }
        Client::Tool => {
            static SERVE: LazyLock<[u16; 4]> = LazyLock::new(|| {
                let smtp = serve(&["--implicit-tls", "127.0.0.1:0", "--user", &format!("{USER}:{PASSWORD}")]);
                let lmtp = serve(&["--lmtp"]);
                let grey = serve(&["--greylist", "1"]);
                [smtp.0, smtp.1.unwrap(), lmtp.0, grey.0]
            });
            let [plain, tls, lmtp, grey] = *SERVE;
            Target { plain, tls, lmtp, grey, store: Store::Files(Files::whole(room().folder("serve"))) }
        }
    }
}

/// Starts `smtp serve` on ports that the system picks.
fn serve(more: &[&str]) -> (u16, Option<u16>) {
    let room = room();
    let mut command = ours();
    command.args(["serve", "--listen", "127.0.0.1:0", "--maildir"]).arg(room.folder("serve"));
    command.arg("--tls-cert").arg(&room.certificate).arg("--tls-key").arg(&room.key).args(more);
    let lines = process::serve(&mut command);
    let plain = lines.port("plain");
    (plain, more.contains(&"--implicit-tls").then(|| lines.port("tls")))
}
