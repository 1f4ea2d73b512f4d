//! What validators sign, and what follows from it: evidence of contradictions.

pub(crate) mod detector;
pub(crate) mod evidence;
pub(crate) mod offence;
pub(crate) mod statement;
pub(crate) mod verify;
