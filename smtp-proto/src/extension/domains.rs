use alloc::collections::BTreeSet;
use alloc::string::String;

use crate::address::ForwardPath;

/// The distinct recipient domains of a session (RFC 9422, RCPTDOMAINMAX). Kept only where that limit is offered.
#[derive(Clone, Debug, Default)]
pub(crate) struct Domains(BTreeSet<String>);

impl Domains {
    /// Whether a recipient there is one domain too many. `<Postmaster>` has none.
    pub(crate) fn is_over(&self, to: &ForwardPath<'_>, max: u32) -> bool {
        let full = usize::try_from(max).is_ok_and(|max| self.0.len() >= max);
        full && Self::of(to).is_some_and(|domain| !self.0.contains(&domain))
    }

    /// The domain as it is compared: without regard to case (RFC 5321, 2.3.11).
    pub(crate) fn of(to: &ForwardPath<'_>) -> Option<String> {
        Some(to.mailbox()?.domain().as_str().to_ascii_lowercase())
    }

    pub(crate) fn add(&mut self, domain: Option<String>) {
        self.0.extend(domain);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_domain_counts_once_whatever_its_case_and_postmaster_has_none() {
        let mut domains = Domains::default();
        let to = |text| ForwardPath::parse(text).expect("a path");
        for path in ["<a@one.example>", "<b@ONE.example>", "<Postmaster>"] {
            assert!(!domains.is_over(&to(path), 1));
            domains.add(Domains::of(&to(path)));
        }
        assert!(domains.is_over(&to("<a@two.example>"), 1));
        assert!(!domains.is_over(&to("<a@two.example>"), 2));
    }
}
