/// Why parameters are refused. A server answers each of these with 501.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Not a keyword, or a keyword and a value, by the grammar of RFC 5321, 4.1.2.
    #[error("a parameter is malformed")]
    Malformed,
    /// The value is missing, malformed, out of range, or given where none belongs.
    #[error("the value of {0} is malformed")]
    BadValue(&'static str),
    /// A parameter that may stand once stands twice.
    #[error("{0} stands twice")]
    Twice(&'static str),
    /// HOLDFOR and HOLDUNTIL exclude each other (RFC 4865, 4).
    #[error("HOLDFOR and HOLDUNTIL exclude each other")]
    TwoHolds,
}
