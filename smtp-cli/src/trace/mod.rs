//! What goes over a connection: counted, recorded, and printed for the eye without its secrets.

mod live;
pub(crate) mod record;
pub(crate) mod transcript;

pub(crate) use live::{Trace, Traced};
