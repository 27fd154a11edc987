//! How an input says more than its octets: a first line for the harness, readable and quick to mutate.
//!
//! ```text
//! input   = options SP cuts SP answers SP damage LF octets      ; each part may be empty or missing
//! options = *letter      ; each turns something on
//! cuts    = *octet       ; the size of each read, "1" for one octet; repeated without end; none: all at once
//! answers = *octet       ; what the embedder says or does, one after the other; then whatever it does by default
//! damage  = *(gap what)  ; what becomes of the wire after so many octets
//! ```

/// An input, taken apart.
#[derive(Clone, Copy, Debug)]
pub struct Script<'i> {
    /// What is turned on.
    pub options: &'i [u8],
    /// The sizes of the reads.
    pub cuts: &'i [u8],
    /// What the embedder does.
    pub answers: &'i [u8],
    /// What becomes of the wire.
    pub damage: &'i [u8],
    /// What comes over it.
    pub octets: &'i [u8],
}

impl<'i> Script<'i> {
    /// Takes an input apart.
    pub fn read(input: &'i [u8]) -> Self {
        let end = input.iter().position(|octet| *octet == b'\n').unwrap_or(input.len());
        let (line, rest) = input.split_at(end);
        let mut parts = line.splitn(4, |octet| *octet == b' ');
        let mut part = || parts.next().unwrap_or_default();
        Script {
            options: part(),
            cuts: part(),
            answers: part(),
            damage: part(),
            octets: rest.get(1..).unwrap_or_default(),
        }
    }

    /// Whether an option is on.
    pub fn has(&self, option: u8) -> bool {
        self.options.contains(&option)
    }

    /// Where octets of this many are cut.
    pub fn cuts(&self, len: usize) -> Vec<usize> {
        let sizes = self.cuts.iter().map(|octet| usize::from(octet.wrapping_sub(b'0').max(1)));
        let ends = sizes.cycle().scan(0, |at, size| {
            *at += size;
            Some(*at)
        });
        ends.take_while(|end| *end < len).collect()
    }
}

/// A machine with an embedder of its own, as far as feeding it goes.
pub trait Party {
    /// One step on what stands in the input.
    fn step(&mut self, input: &[u8]) -> Went;
    /// What follows comes through TLS.
    fn tls_established(&mut self);
}

/// How a step went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Went {
    /// So many octets were taken: again.
    On(usize),
    /// More is needed.
    Wait,
    /// More is needed, through TLS.
    Tls,
    /// It is closed.
    Over,
}

/// Where this octet stands, TLS begins if it was asked for. It is plain octets behind it, too.
const TLS: u8 = 0xFE;

impl Script<'_> {
    /// Feeds the octets, cut by cut. What is left of them stays in `input`.
    pub fn feed(&self, party: &mut impl Party, input: &mut Vec<u8>) -> Went {
        let mut steps = 64 + 8 * (self.octets.len() + self.answers.len());
        let mut went = Went::Wait;
        for segment in self.octets.split(|octet| *octet == TLS) {
            let mut from = 0;
            for cut in self.cuts(segment.len()).into_iter().chain([segment.len()]) {
                input.extend_from_slice(&segment[from..cut]);
                from = cut;
                went = settle(party, input, &mut steps);
                if went == Went::Over {
                    return went;
                }
            }
            if went == Went::Tls {
                party.tls_established();
                went = settle(party, input, &mut steps);
            }
        }
        went
    }
}

/// Steps until more is needed.
pub fn settle(party: &mut impl Party, input: &mut Vec<u8>, steps: &mut usize) -> Went {
    loop {
        *steps = steps.checked_sub(1).expect("going round in circles");
        match party.step(input) {
            Went::On(len) => drop(input.drain(..len)),
            rest => return rest,
        }
    }
}
