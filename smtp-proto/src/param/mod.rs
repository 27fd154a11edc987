//! Parameters of MAIL and RCPT (RFC 5321, 4.1.2; the extensions' own RFCs): the text as it stood, checked once and read as typed
//! values on demand.

mod error;
pub(crate) mod grammar;
mod params;
mod value;
pub(crate) mod xtext;

pub use error::Error;
pub use params::{Declared, Params};
pub use value::{BodyType, DeliverBy, DeliverByMode, Notify, Param, Ret, RrvsAction};
pub use xtext::{Orcpt, Xtext};
