//! How the tool prints: in colour on a terminal, and never with NO_COLOR.

use std::io::{self, StdoutLock};

use anstream::AutoStream;
use anstyle::{AnsiColor, Style};

/// What is wrong.
pub(crate) const BAD: Style = AnsiColor::Red.on_default().bold();
/// What may be wrong.
pub(crate) const WARN: Style = AnsiColor::Yellow.on_default();
/// What is well.
pub(crate) const GOOD: Style = AnsiColor::Green.on_default();
/// Names of what stands beside them.
pub(crate) const LABEL: Style = AnsiColor::Cyan.on_default();
/// What matters less.
pub(crate) const DIM: Style = Style::new().dimmed();

/// Standard output, which takes colours away where they don't belong.
pub(crate) fn stdout() -> AutoStream<StdoutLock<'static>> {
    AutoStream::auto(io::stdout().lock())
}
