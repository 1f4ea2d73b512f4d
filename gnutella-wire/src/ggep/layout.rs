//! The bytes of a block (GDF "GGEP" 0.51).

/// Begins a block.
pub const MAGIC: u8 = 0xC3;

// The flags byte before an id.
pub(super) const LAST: u8 = 0x80;
pub(super) const COBS: u8 = 0x40;
pub(super) const DEFLATED: u8 = 0x20;
pub(super) const RESERVED: u8 = 0x10;
pub(super) const ID_LEN: u8 = 0x0F;

// A length byte: six bits, and one of these two.
pub(super) const MORE: u8 = 0x80;
pub(super) const END: u8 = 0x40;
pub(super) const SIX_BITS: u8 = 0x3F;

/// The longest value, in bytes as they stand on the wire: three groups of six bits.
pub const MAX_LEN: usize = 0x3_FFFF;
