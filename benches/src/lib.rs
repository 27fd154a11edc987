//! The benchmarks: each [`Case`] is one piece of work, done by us or by a peer on the same octets, and every program of this package
//! runs the same ones. `benches/` times them with criterion, `ratios` sets them beside each other, `counts` is for callgrind.

pub mod bodies;
pub mod inputs;
pub mod parsing;

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

    /// Does it once.
    pub fn run(&mut self) {
        (self.work)();
    }
}

/// Every case, group by group, ours first.
pub fn all() -> Vec<Case> {
    parsing::cases().into_iter().chain(bodies::cases()).collect()
}
