//! The PROXY protocol, versions 1 and 2 (HAProxy's proxy-protocol.txt): who a load balancer speaks for.
//!
//! The header stands ahead of the greeting, and ahead of TLS. Look for it only on connections from a balancer of one's
//! own: whoever sends one says who the client is.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use core::str::FromStr;

use bytes::BufMut;
use nom::bytes::complete::{tag, take, take_till1};
use nom::character::complete::char;
use nom::combinator::{all_consuming, map_res, verify};
use nom::multi::length_data;
use nom::number::complete::{be_u8, be_u16};
use nom::sequence::preceded;
use nom::{IResult, Parser};

/// What a header says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Proxied {
    /// The balancer speaks for this client.
    For {
        /// The client.
        source: SocketAddr,
        /// Where the client connected to.
        destination: SocketAddr,
    },
    /// The balancer speaks for itself, as in a health check; or for a client of which it says nothing that is known
    /// here. The connection's own addresses hold.
    Local,
}

/// Octets that are no PROXY header: the connection has to be closed, since who speaks is not known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a PROXY header")]
#[non_exhaustive]
pub struct Malformed;

const V1: &[u8] = b"PROXY ";
const V2: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";

/// The longest header of version 1 with its CRLF (section 2.1).
const V1_MAX: usize = 107;

/// The longest header of version 2 that is taken: addresses and a kilobyte of what else may stand there.
const V2_MAX: usize = 16 + 1024;

impl Proxied {
    /// Reads the header at the start of `input`: what it says, and its length. `None`: more is needed.
    ///
    /// ```
    /// use smtp_proto::proxy::Proxied;
    ///
    /// let input = b"PROXY TCP4 192.0.2.1 198.51.100.2 56324 25\r\nEHLO client.example\r\n";
    /// let Some((Proxied::For { source, .. }, len)) = Proxied::parse(input)? else { panic!("no header") };
    /// assert_eq!(source.to_string(), "192.0.2.1:56324");
    /// assert_eq!(&input[len..len + 4], b"EHLO");
    /// # Ok::<(), smtp_proto::proxy::Malformed>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Malformed`], as soon as it can be told.
    pub fn parse(input: &[u8]) -> Result<Option<(Self, usize)>, Malformed> {
        if starts(input, V2) {
            return Self::parse_v2(input);
        }
        if !starts(input, V1) {
            return Err(Malformed);
        }
        let window = &input[..input.len().min(V1_MAX)];
        let Some(end) = memchr::memchr(b'\n', window) else {
            return if window.len() == V1_MAX { Err(Malformed) } else { Ok(None) };
        };
        let line = window[..end].strip_suffix(b"\r").ok_or(Malformed)?;
        let (_, proxied) = all_consuming(v1).parse(line).map_err(|_| Malformed)?;
        Ok(Some((proxied, end + 1)))
    }

    fn parse_v2(input: &[u8]) -> Result<Option<(Self, usize)>, Malformed> {
        let Some((head, rest)) = input.split_at_checked(16) else { return Ok(None) };
        let (_, (command, family, len)) = v2_head(head).map_err(|_| Malformed)?;
        let len = usize::from(len);
        if 16 + len > V2_MAX {
            return Err(Malformed);
        }
        let Some(body) = rest.get(..len) else { return Ok(None) };
        let proxied = match (command, family) {
            (0, _) => Self::Local,
            (_, 0x11) => v2_addresses(v4)(body).map_err(|_| Malformed)?.1,
            (_, 0x21) => v2_addresses(v6)(body).map_err(|_| Malformed)?.1,
            // Unix sockets, datagrams, and what is yet to come.
            _ => Self::Local,
        };
        Ok(Some((proxied, 16 + len)))
    }

    /// What else a header says that [`parse`](Self::parse) has taken: type and value of each field (section 2.2), such as 0x02,
    /// the name that the client asked for in TLS, and 0x20, what became of that. A header of version 1 has none.
    ///
    /// ```
    /// # use smtp_proto::proxy::Proxied;
    /// let header = b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\x0d\x02\0\x0amx.example";
    /// assert!(Proxied::tlvs(&header[..]).eq([(0x02, &b"mx.example"[..])]));
    /// ```
    pub fn tlvs(header: &[u8]) -> impl Iterator<Item = (u8, &[u8])> {
        let body = header.strip_prefix(V2).and_then(|rest| match rest {
            [_, family, _, _, body @ ..] => body.get(addresses_len(*family)?..),
            _ => None,
        });
        let mut rest = body.unwrap_or_default();
        core::iter::from_fn(move || {
            let (behind, field) = tlv(rest).ok()?;
            rest = behind;
            Some(field)
        })
    }

    /// Writes a header of version 2.
    pub fn write(&self, output: &mut impl BufMut) {
        output.put_slice(V2);
        let Self::For { source, destination } = self else {
            return output.put_slice(&[0x20, 0, 0, 0]);
        };
        match (source.ip(), destination.ip()) {
            (IpAddr::V4(from), IpAddr::V4(to)) => {
                output.put_slice(&[0x21, 0x11, 0, 12]);
                output.put_slice(&from.octets());
                output.put_slice(&to.octets());
            }
            (from, to) => {
                output.put_slice(&[0x21, 0x21, 0, 36]);
                output.put_slice(&mapped(from).octets());
                output.put_slice(&mapped(to).octets());
            }
        }
        output.put_u16(source.port());
        output.put_u16(destination.port());
    }
}

/// Octets of the addresses of a family (section 2.2): none, IPv4, IPv6, Unix.
const fn addresses_len(family: u8) -> Option<usize> {
    match family >> 4 {
        0 => Some(0),
        1 => Some(12),
        2 => Some(36),
        3 => Some(216),
        _ => None,
    }
}

/// `pp2_tlv`: a type, a length of two octets, a value (section 2.2).
fn tlv(input: &[u8]) -> IResult<&[u8], (u8, &[u8])> {
    (be_u8, length_data(be_u16)).parse(input)
}

const fn mapped(address: IpAddr) -> Ipv6Addr {
    match address {
        IpAddr::V4(address) => address.to_ipv6_mapped(),
        IpAddr::V6(address) => address,
    }
}

/// Whether `input` begins with `prefix`, or may come to.
fn starts(input: &[u8], prefix: &[u8]) -> bool {
    let len = input.len().min(prefix.len());
    input[..len] == prefix[..len]
}

/// ```text
/// PROXY (TCP4 / TCP6) SP source SP destination SP source-port SP destination-port    ; section 2.1
/// PROXY UNKNOWN *any
/// ```
fn v1(line: &[u8]) -> IResult<&[u8], Proxied> {
    let (rest, _) = tag(V1)(line)?;
    if rest.starts_with(b"UNKNOWN") {
        return Ok((&[], Proxied::Local));
    }
    let (rest, family) = nom::branch::alt((tag(&b"TCP4"[..]), tag(&b"TCP6"[..]))).parse(rest)?;
    let fits = |address: &IpAddr| address.is_ipv4() == (family == b"TCP4");
    let (rest, from) = verify(word::<IpAddr>, fits).parse(rest)?;
    let (rest, to) = verify(word::<IpAddr>, fits).parse(rest)?;
    let (rest, from_port) = word::<u16>(rest)?;
    let (rest, to_port) = word::<u16>(rest)?;
    let source = SocketAddr::new(from, from_port);
    Ok((rest, Proxied::For { source, destination: SocketAddr::new(to, to_port) }))
}

/// A space and a value in its usual form. What Rust takes beyond it, a sign ahead of a number, is not in it.
fn word<T: FromStr>(input: &[u8]) -> IResult<&[u8], T> {
    let text = verify(take_till1(|octet| octet == b' '), |text: &[u8]| text[0] != b'+');
    let value = map_res(text, |text| core::str::from_utf8(text).ok().and_then(|t| t.parse().ok()).ok_or(()));
    preceded(char(' '), value).parse(input)
}

/// Signature, version 2 and command, family and protocol, length (section 2.2).
fn v2_head(head: &[u8]) -> IResult<&[u8], (u8, u8, u16)> {
    let command = verify(be_u8, |octet| matches!(octet, 0x20 | 0x21)).map(|octet| octet & 0x0F);
    preceded(tag(V2), (command, be_u8, be_u16)).parse(head)
}

fn v2_addresses<'i>(
    address: impl Fn(&'i [u8]) -> IResult<&'i [u8], IpAddr> + Copy,
) -> impl Fn(&'i [u8]) -> IResult<&'i [u8], Proxied> {
    move |body| {
        let (rest, (from, to, from_port, to_port)) = (address, address, be_u16, be_u16).parse(body)?;
        let source = SocketAddr::new(from, from_port);
        Ok((rest, Proxied::For { source, destination: SocketAddr::new(to, to_port) }))
    }
}

fn v4(input: &[u8]) -> IResult<&[u8], IpAddr> {
    let address = |octets: &[u8]| <[u8; 4]>::try_from(octets).map(|octets| Ipv4Addr::from(octets).into());
    map_res(take(4_usize), address).parse(input)
}

fn v6(input: &[u8]) -> IResult<&[u8], IpAddr> {
    let address = |octets: &[u8]| <[u8; 16]>::try_from(octets).map(|octets| Ipv6Addr::from(octets).into());
    map_res(take(16_usize), address).parse(input)
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use super::*;

    fn client(header: &[u8]) -> Option<SocketAddr> {
        match Proxied::parse(header) {
            Ok(Some((Proxied::For { source, .. }, len))) if len == header.len() => Some(source),
            _ => None,
        }
    }

    #[test]
    fn version_1_is_its_grammar_and_nothing_else() {
        let good = b"PROXY TCP6 2001:db8::1 2001:db8::2 1 65535\r\n";
        assert_eq!(client(good), "[2001:db8::1]:1".parse().ok());
        assert_eq!(Proxied::parse(b"PROXY UNKNOWN\r\n"), Ok(Some((Proxied::Local, 15))));
        assert_eq!(Proxied::parse(b"PROXY UNKNOWN ffff:f 1 2\r\n"), Ok(Some((Proxied::Local, 26))));
        for bad in [
            &b"EHLO client.example\r\n"[..],
            b"PROXY TCP4 2001:db8::1 2001:db8::2 1 2\r\n",
            b"PROXY TCP4 192.0.2.1 192.0.2.2 1 65536\r\n",
            b"PROXY TCP4 192.0.2.1 192.0.2.2 +1 2\r\n",
            b"PROXY TCP4 192.0.2.1 192.0.2.2 1 2\n",
            b"PROXY TCP4 192.0.2.1  192.0.2.2 1 2\r\n",
            b"PROXY TCP4 192.0.2.1 192.0.2.2 1 2 3\r\n",
            &[b'P'; 200],
        ] {
            assert_eq!(Proxied::parse(bad), Err(Malformed), "{}", bad.escape_ascii());
        }
    }

    #[test]
    fn a_prefix_is_never_an_answer_and_an_endless_one_an_error() {
        let mut v2 = Vec::new();
        let source = SocketAddr::from(([192, 0, 2, 1], 25));
        Proxied::For { source, destination: source }.write(&mut v2);
        for header in [&b"PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n"[..], &v2] {
            for cut in 0..header.len() {
                assert_eq!(Proxied::parse(&header[..cut]), Ok(None), "{cut}");
            }
        }
        let endless = [&b"PROXY UNKNOWN "[..], &[b'x'; 200]].concat();
        assert_eq!(Proxied::parse(&endless), Err(Malformed));
        assert_eq!(Proxied::parse(&[V2, &[0x21, 0x11, 0xFF, 0xFF]].concat()), Err(Malformed));
        assert_eq!(Proxied::parse(&[V2, &[0x31, 0x11, 0, 12]].concat()), Err(Malformed));
    }

    #[test]
    fn version_2_is_read_as_it_was_written() {
        for (source, destination) in
            [("192.0.2.1:1", "192.0.2.2:25"), ("[2001:db8::1]:65535", "[2001:db8::2]:587")]
        {
            let header =
                Proxied::For { source: source.parse().unwrap(), destination: destination.parse().unwrap() };
            let mut wire = Vec::new();
            header.write(&mut wire);
            assert_eq!(Proxied::parse(&wire), Ok(Some((header, wire.len()))));
        }
        let mut local = Vec::new();
        Proxied::Local.write(&mut local);
        assert_eq!(Proxied::parse(&local), Ok(Some((Proxied::Local, 16))));
    }

    #[test]
    fn what_else_is_said_is_given_out_as_far_as_it_is_whole() {
        let fields = [&[2, 0, 2][..], b"mx", &[4, 0, 0], &[0xE0, 0, 1, 7]].concat();
        let said = [(2, &b"mx"[..]), (4, b""), (0xE0, &[7])];
        for (family, addresses) in [(0x11, 12), (0x21, 36), (0x31, 216), (0x00, 0)] {
            let header = |fields: &[u8]| {
                let len = u16::try_from(addresses + fields.len()).unwrap().to_be_bytes();
                [V2, &[0x21, family], &len, &alloc::vec![1; addresses], fields].concat()
            };
            let whole = header(&fields);
            assert!(
                Proxied::parse(&whole).is_ok_and(|parsed| parsed.is_some_and(|(_, len)| len == whole.len()))
            );
            assert_eq!(Proxied::tlvs(&whole).collect::<Vec<_>>(), said, "{family:#x}");
            assert_eq!(Proxied::tlvs(&header(b"")).count(), 0);
            // A field that is cut short, and all behind it, is none.
            assert_eq!(Proxied::tlvs(&header(&fields[..fields.len() - 1])).collect::<Vec<_>>(), said[..2]);
        }
        let unknown = [V2, &[0x21, 0x41, 0, 3, 1, 0, 0]].concat();
        for none in [&b"PROXY UNKNOWN\r\n"[..], &unknown, V2, b""] {
            assert_eq!(Proxied::tlvs(none).count(), 0, "{}", none.escape_ascii());
        }
    }
}
