//! What all connections of a server share.

use std::sync::atomic::AtomicU64;

use smtp_tokio::proto::address::Domain;
use smtp_tokio::proto::stage::Protocol;

use super::id::Ids;
use super::rules::{Greylist, Rules};
use super::steps::{Delay, Scissors, Step};
use super::store::Store;
use super::tell::Teller;
use super::users::Users;

/// What all connections share.
#[derive(Debug)]
pub(super) struct Shared {
    /// The server's name.
    pub(super) domain: Domain<'static>,
    /// SMTP or LMTP.
    pub(super) protocol: Protocol,
    /// Where messages go.
    pub(super) store: Store,
    /// What they are called.
    pub(super) ids: Ids,
    /// Who may log in, if anybody.
    pub(super) users: Option<Users>,
    /// What is answered to whom.
    pub(super) rules: Rules,
    /// Who has to come back later, if anybody.
    pub(super) greylist: Option<Greylist>,
    /// Where it waits.
    pub(super) delays: Vec<Delay>,
    /// Where it cuts the connection off.
    pub(super) cuts: Vec<Step>,
    /// Who is told.
    pub(super) teller: Teller,
    /// Messages that were taken, and their octets.
    pub(super) messages: AtomicU64,
    pub(super) octets: AtomicU64,
}

impl Shared {
    /// Waits here, or ends the connection here, as was asked for.
    pub(super) async fn pass(&self, step: Step, scissors: &Scissors) {
        for delay in self.delays.iter().filter(|delay| delay.step == step) {
            tokio::time::sleep(delay.time).await;
        }
        if self.cuts.contains(&step) {
            scissors.cut();
        }
    }
}
