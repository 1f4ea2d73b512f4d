//! What validators sign, and what follows from it: quorums, evidence, and the guard before a signature.

pub(crate) mod detector;
pub(crate) mod evidence;
pub(crate) mod guard;
pub(crate) mod offence;
pub(crate) mod quorum;
pub(crate) mod statement;
pub(crate) mod verify;
