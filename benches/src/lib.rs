//! The benchmarks: each [`Case`] is one piece of work, done by us or by a peer on the same octets, and every program of this package
//! runs the same ones. `benches/` times them with criterion, `ratios` sets them beside each other, `counts` is for callgrind.
//!
//! Ours stand in a module for each storey, the peers' in [`peers`], which the feature of that name brings.

pub mod bodies;
pub mod inputs;
pub mod machines;
pub mod parsing;
#[cfg(feature = "peers")]
pub mod peers;
pub mod sessions;

use std::hint::black_box;

/// A piece of work.
pub struct Case {
    /// What is done: the cases of one group do the same.
    pub group: &'static str,
    /// Who does it.
    pub who: &'static str,
    /// How much it is, in `unit`s.
    pub amount: u64,
    /// What the amount counts.
    pub unit: Unit,
    work: Box<dyn FnMut()>,
}

/// What is counted of the work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Octets of a body.
    Octets,
    /// Commands, replies, addresses, messages.
    Items,
}

/// Who we are.
pub const OURS: &str = "ours";

/// What nobody passes who looks at every octet, or copies it.
const LIMITS: [&str; 2] = ["memcpy", "memchr"];

impl Case {
    fn new(
        group: &'static str,
        who: &'static str,
        unit: Unit,
        amount: usize,
        work: impl FnMut() + 'static,
    ) -> Self {
        Self { group, who, amount: amount as u64, unit, work: Box::new(work) }
    }

    /// For each of `items`.
    fn items<T: 'static>(
        group: &'static str,
        who: &'static str,
        items: &'static [T],
        mut work: impl FnMut(&'static T) + 'static,
    ) -> Self {
        Self::new(group, who, Unit::Items, items.len(), move || {
            for item in black_box(items) {
                work(item);
            }
        })
    }

    /// With the octets of a body.
    fn octets(
        group: &'static str,
        who: &'static str,
        octets: &[u8],
        mut work: impl FnMut(&[u8]) + 'static,
    ) -> Self {
        let octets = octets.to_vec();
        Self::new(group, who, Unit::Octets, octets.len(), move || work(black_box(&octets)))
    }

    /// The table that its group stands in.
    pub fn table(&self) -> &'static str {
        const TABLES: [&str; 6] = ["body in", "body out", "server", "client", "session, TLS", "session"];
        TABLES.into_iter().find(|table| self.group.starts_with(table)).unwrap_or("parsing")
    }

    /// Whether somebody else does it: neither we nor a limit.
    pub fn is_peer(&self) -> bool {
        !self.who.starts_with(OURS) && !LIMITS.contains(&self.who)
    }

    /// Does it once.
    pub fn run(&mut self) {
        (self.work)();
    }
}

/// Every case, group by group, ours first.
pub fn all() -> Vec<Case> {
    let ours = [parsing::cases(), bodies::cases(), machines::cases(), sessions::cases()];
    let mut cases: Vec<Case> = ours.into_iter().flatten().collect();
    #[cfg(feature = "peers")]
    cases.extend(peers::cases());
    let groups: Vec<_> = cases.iter().map(|case| case.group).collect();
    cases.sort_by_key(|case| groups.iter().position(|group| *group == case.group));
    cases
}
