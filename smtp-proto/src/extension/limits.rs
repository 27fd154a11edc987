use nom::{
    IResult, Parser,
    bytes::complete::{tag, take_while1},
    combinator::{all_consuming, map_opt, recognize, rest},
    sequence::separated_pair,
};

/// How much a server takes in one session (RFC 9422); `None` where it doesn't say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct SessionLimits {
    /// RCPTMAX: RCPT commands in a transaction.
    pub rcpt_max: Option<u32>,
    /// MAILMAX: MAIL commands in a session.
    pub mail_max: Option<u32>,
    /// RCPTDOMAINMAX: distinct recipient domains in a session.
    pub rcpt_domain_max: Option<u32>,
}

impl SessionLimits {
    /// Sets RCPTMAX.
    #[must_use]
    pub const fn with_rcpt_max(mut self, most: u32) -> Self {
        self.rcpt_max = Some(most);
        self
    }

    /// Sets MAILMAX.
    #[must_use]
    pub const fn with_mail_max(mut self, most: u32) -> Self {
        self.mail_max = Some(most);
        self
    }

    /// Sets RCPTDOMAINMAX.
    #[must_use]
    pub const fn with_rcpt_domain_max(mut self, most: u32) -> Self {
        self.rcpt_domain_max = Some(most);
        self
    }

    /// Each limit with its name.
    pub(super) fn named(self) -> [(&'static str, Option<u32>); 3] {
        [("RCPTMAX", self.rcpt_max), ("MAILMAX", self.mail_max), ("RCPTDOMAINMAX", self.rcpt_domain_max)]
    }

    /// Takes in the parameters of a LIMITS line. What is not known, or not a number, is passed over by itself.
    pub(super) fn read(&mut self, words: &[u8]) {
        for word in words.split(|b| *b == b' ') {
            let Ok((_, (name, value))) = limit(word) else { continue };
            if name.eq_ignore_ascii_case(b"RCPTMAX") {
                self.rcpt_max = Some(value);
            } else if name.eq_ignore_ascii_case(b"MAILMAX") {
                self.mail_max = Some(value);
            } else if name.eq_ignore_ascii_case(b"RCPTDOMAINMAX") {
                self.rcpt_domain_max = Some(value);
            }
        }
    }
}

/// How long a server holds messages back (RFC 4865).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct FutureRelease<'r> {
    /// The longest delay in seconds.
    pub max_interval: u32,
    /// The latest time, as an RFC 3339 date-time.
    pub max_datetime: &'r str,
}

impl<'r> FutureRelease<'r> {
    /// "FUTURERELEASE" SP future-release-integer SP future-release-date-time (RFC 4865, 4)
    pub(super) fn read(words: &'r str) -> Option<Self> {
        let (interval, max_datetime) = words.split_once(' ')?;
        let max_interval = number(9, interval.as_bytes()).ok()?;
        Some(Self { max_interval, max_datetime })
    }

    /// Whether a message may be held until then; also if one of the two is no date-time.
    pub(crate) fn reaches(&self, until: &str) -> bool {
        match (instant(until), instant(self.max_datetime)) {
            (Some(until), Some(max)) => until <= max,
            _ => true,
        }
    }
}

/// Seconds of a date-time (RFC 3339, 5.6), counted from the year 0; fractions are left out.
fn instant(text: &str) -> Option<i64> {
    let field = |from: usize, len: usize| text.get(from..from + len)?.parse::<u32>().ok().map(i64::from);
    let (year, month, day) = (field(0, 4)?, field(5, 2)?, field(8, 2)?);
    // The year begins in March, so that its odd day comes last.
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let days = year * 365 + year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    let days = days + (153 * month + 2) / 5 + day;
    let seconds = field(11, 2)? * 3600 + field(14, 2)? * 60 + field(17, 2)?;
    let zone = text.get(19..)?.trim_start_matches(|c: char| c == '.' || c.is_ascii_digit());
    let offset = match zone.as_bytes() {
        [b'Z' | b'z'] => 0,
        [sign @ (b'+' | b'-'), ..] => {
            let at = text.len() - zone.len();
            let offset = field(at + 1, 2)? * 3600 + field(at + 4, 2)? * 60;
            if *sign == b'-' { -offset } else { offset }
        }
        _ => return None,
    };
    Some(days * 86400 + seconds - offset)
}

/// limits-param = limit-name-value ; limit-name "=" limit-value (RFC 9422, 3), of six digits, and not zero
fn limit(input: &[u8]) -> IResult<&[u8], (&[u8], u32), ()> {
    let name = take_while1(|b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'));
    let value = map_opt(rest, |digits| number(6, digits).ok().filter(|n: &u32| *n > 0));
    all_consuming(separated_pair(recognize(name), tag(&b"="[..]), value)).parse(input)
}

/// 1*`max`DIGIT and nothing behind it.
#[inline]
pub(super) fn number<N: TryFrom<u64>>(max: usize, input: &[u8]) -> Result<N, ()> {
    if input.is_empty() || input.len() > max {
        return Err(());
    }
    let mut number = 0_u64;
    for octet in input {
        let digit = octet.wrapping_sub(b'0');
        if digit > 9 {
            return Err(());
        }
        number = number.checked_mul(10).and_then(|ten| ten.checked_add(digit.into())).ok_or(())?;
    }
    number.try_into().map_err(|_| ())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bad_limits_are_passed_over_singly() {
        let mut limits = SessionLimits::default();
        limits.read(
            b"RCPTMAX=20 MAILMAX=x mailmax=5 FOO=3 RCPTDOMAINMAX=0 RCPTDOMAINMAX=1234567 RCPTMAX= =3 RCPTMAX",
        );
        assert_eq!(limits, SessionLimits { rcpt_max: Some(20), mail_max: Some(5), rcpt_domain_max: None });
    }

    #[test]
    fn a_date_is_a_point_in_time_in_any_zone() {
        let max = FutureRelease { max_interval: 1, max_datetime: "2024-03-01T00:00:00Z" };
        for (until, reached) in [
            ("2024-03-01T00:00:00Z", true),
            ("2024-02-29T23:59:59Z", true),
            ("2024-03-01T00:00:01z", false),
            ("2024-03-01T01:00:00+01:00", true),
            ("2024-03-01T01:00:01.25+01:00", false),
            ("2024-02-29T19:00:00-05:00", true),
            ("2024-02-29T19:00:01-05:00", false),
            ("2023-12-31T23:59:59Z", true),
            ("2025-01-01T00:00:00Z", false),
            ("nonsense", true),
        ] {
            assert_eq!(max.reaches(until), reached, "{until}");
        }
        let day = 86400;
        for (from, to, days) in [
            ("2023-02-28", "2023-03-01", 1),
            ("2024-02-28", "2024-03-01", 2),
            ("1900-02-28", "1900-03-01", 1),
            ("2000-02-28", "2000-03-01", 2),
            ("2023-01-01", "2024-01-01", 365),
            ("2024-01-01", "2025-01-01", 366),
            ("2023-12-31", "2024-01-01", 1),
        ] {
            let at = |date: &str| instant(&alloc::format!("{date}T00:00:00Z")).expect("a date");
            assert_eq!(at(to) - at(from), days * day, "{from} to {to}");
        }
    }

    #[test]
    fn numbers_do_not_wrap() {
        assert_eq!(number::<u64>(20, b"18446744073709551615"), Ok(u64::MAX));
        assert_eq!(number::<u64>(20, b"18446744073709551616"), Err(()));
        assert_eq!(number::<u64>(20, b""), Err(()));
        assert_eq!(number::<u32>(9, b"1234567890"), Err(()));
        assert_eq!(number::<u32>(20, b"4294967296"), Err(()));
    }
}
