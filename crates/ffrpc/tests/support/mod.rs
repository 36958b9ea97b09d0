//! What the tests of the pair channel share.

pub(crate) mod end;
pub(crate) mod random;
