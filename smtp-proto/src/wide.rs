//! The same code once more for each width of vectors, and the widest that the machine has is run.

/// Does `work` with the widest vectors that there are. What of it is not inlined is done as anywhere else.
///
/// Only the compiler's choice of instructions differs between the widths, so there is one text to be right.
#[inline]
pub(crate) fn wide<R>(work: impl FnOnce() -> R) -> R {
    #[cfg(feature = "std")]
    return fearless_simd::dispatch!(level(), _simd => work());
    #[cfg(not(feature = "std"))]
    work()
}

/// What the machine has.
#[cfg(feature = "std")]
#[inline]
pub(crate) fn level() -> fearless_simd::Level {
    use fearless_simd::Level;
    static LEVEL: std::sync::OnceLock<Level> = std::sync::OnceLock::new();
    *LEVEL.get_or_init(Level::new)
}
