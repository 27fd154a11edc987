//! Terms of time that a client asks for with MAIL, held against what was advertised.

use super::answers as say;
use crate::command::Mail;
use crate::extension::{Capabilities, Extension};
use crate::param::DeliverByMode;
use crate::reply::Reply;

/// Whether the server has said that it keeps such terms; otherwise what to answer.
pub(super) fn kept(mail: &Mail<'_>, capabilities: &Capabilities<'static>) -> Result<(), Reply<'static>> {
    let needs = mail.declared.needs;
    if needs.contains(Extension::DeliverBy)
        && let (Some(by), Some(min)) = (mail.params.by(), capabilities.deliver_by())
        // RFC 2852, 4: what is only to be told of may be as late as it likes.
        && by.mode == DeliverByMode::Return
        && i64::from(by.seconds) < i64::from(min)
    {
        return Err(say::TOO_SOON);
    }
    if needs.contains(Extension::FutureRelease)
        && let Some(max) = capabilities.future_release()
    {
        let too_long = mail.params.hold_for().is_some_and(|seconds| seconds > max.max_interval);
        if too_long || mail.params.hold_until().is_some_and(|until| !max.reaches(until)) {
            return Err(say::TOO_LATE);
        }
    }
    Ok(())
}
