//! The values for serde (feature `serde`): written as their text, and read by their parsers, so that what was stored or sent on is
//! checked as what comes over the wire is.

use alloc::borrow::Cow;
use alloc::string::String;
use alloc::vec::Vec;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::address::{Domain, ForwardPath, Mailbox, ReversePath};
use crate::auth::Mechanism;
use crate::command::{Text, Word};
use crate::param::{Orcpt, Params, Xtext};
use crate::reply::Reply;
use crate::session::{Envelope, Recipient};
use crate::status::{Code, Enhanced};

/// Types that are written as a text, and read from one by a parser.
macro_rules! texts {
    ($($type:ty: $text:ident, $read:expr;)*) => {$(
        impl Serialize for $type {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.$text())
            }
        }

        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = String::deserialize(deserializer)?;
                let read: fn(&str) -> Result<Self, _> = $read;
                read(&text).map_err(D::Error::custom)
            }
        }
    )*};
}

texts! {
    Domain<'_>: as_str, |text| Domain::parse(text).map(Domain::into_owned);
    Mailbox<'_>: as_str, |text| Mailbox::parse(text).map(Mailbox::into_owned);
    ReversePath<'_>: as_str, |text| text.parse();
    ForwardPath<'_>: as_str, |text| text.parse();
    Xtext<'_>: as_str, |text| Xtext::parse(text).map(Xtext::into_owned);
    Orcpt<'_>: as_str, |text| Orcpt::parse(text).map(Orcpt::into_owned);
    Text<'_>: as_str, |text| Text::new(text).map(Text::into_owned);
    Word<'_>: as_str, |text| Word::new(text).map(Word::into_owned);
    Params<'_>: as_str, |text| Params::parse_either(text).map(Params::into_owned);
    Mechanism: name, |text| Mechanism::from_name(text).ok_or("not the name of a mechanism");
}

impl Serialize for Enhanced {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Enhanced {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

/// As a number.
impl Serialize for Code {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u16(self.as_u16())
    }
}

impl<'de> Deserialize<'de> for Code {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::try_from(u16::deserialize(deserializer)?)
            .map_err(|code| D::Error::custom(format_args!("{code} is no reply code")))
    }
}

/// How a reply is stored: its lines parted by LF, without their enhanced codes. What is not UTF-8 is U+FFFD, and a further line's
/// enhanced code is the first one's.
#[derive(Serialize, Deserialize)]
#[serde(rename = "Reply")]
struct StoredReply<'a> {
    code: Code,
    #[serde(default)]
    status: Option<Enhanced>,
    text: Cow<'a, str>,
}

impl Serialize for Reply<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        // A peer's text may have what none can be made with.
        let text: String =
            self.text().chars().filter(|c| !c.is_control() || matches!(c, '\t' | '\n')).collect();
        StoredReply { code: self.code(), status: self.status(), text: text.into() }.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Reply<'_> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let StoredReply { code, status, text } = StoredReply::deserialize(deserializer)?;
        let reply = Reply::new(code, text.into_owned()).map_err(D::Error::custom)?;
        match status {
            None => Ok(reply),
            Some(status) if status.fits(code) => Ok(reply.with_status(status)),
            Some(status) => Err(D::Error::custom(format_args!("{status} is no status of a {code}"))),
        }
    }
}

/// How an envelope is stored: each part of it by its own parser.
#[derive(Serialize, Deserialize)]
#[serde(rename = "Envelope")]
struct StoredEnvelope<'a> {
    from: ReversePath<'a>,
    #[serde(default, skip_serializing_if = "Params::is_empty")]
    params: Params<'a>,
    to: Vec<StoredRecipient<'a>>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename = "Recipient")]
struct StoredRecipient<'a> {
    path: ForwardPath<'a>,
    #[serde(default, skip_serializing_if = "Params::is_empty")]
    params: Params<'a>,
}

impl Recipient<'_> {
    fn stored(&self) -> StoredRecipient<'_> {
        StoredRecipient { path: self.path.as_borrowed(), params: self.params.as_borrowed() }
    }
}

impl<'a> StoredRecipient<'a> {
    fn restored(self) -> Recipient<'a> {
        let mut recipient = Recipient::from(self.path);
        recipient.params = self.params;
        recipient
    }
}

impl Serialize for Recipient<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.stored().serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Recipient<'_> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        StoredRecipient::deserialize(deserializer).map(StoredRecipient::restored)
    }
}

impl Serialize for Envelope<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let to = self.to.iter().map(Recipient::stored).collect();
        StoredEnvelope { from: self.from.as_borrowed(), params: self.params.as_borrowed(), to }
            .serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Envelope<'_> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let StoredEnvelope { from, params, to } = StoredEnvelope::deserialize(deserializer)?;
        let mut envelope = Self::new(from, to.into_iter().map(StoredRecipient::restored));
        envelope.params = params;
        Ok(envelope)
    }
}
