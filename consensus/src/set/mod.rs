//! Sets of validators with a weight each.

pub(crate) mod guide;
pub(crate) mod storage;
pub(crate) mod ticket;
pub(crate) mod validators;
