//! What the tool `smtp` is made of.

pub mod tour;
