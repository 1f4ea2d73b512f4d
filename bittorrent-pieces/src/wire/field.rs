//! Reading and writing the fields that messages are made of.

use super::DecodeError;
use crate::error::BufferTooSmall;

/// Writes fields one behind the other into room that was checked to suffice.
pub(crate) struct Out<'b>(&'b mut [u8]);

impl<'b> Out<'b> {
    pub(crate) fn new(out: &'b mut [u8], needed: usize) -> Result<Self, BufferTooSmall> {
        out.get_mut(..needed).map(Self).ok_or(BufferTooSmall { needed })
    }

    pub(crate) fn bytes(&mut self, bytes: &[u8]) {
        let room = core::mem::take(&mut self.0);
        if let Some((head, rest)) = room.split_at_mut_checked(bytes.len()) {
            head.copy_from_slice(bytes);
            self.0 = rest;
        }
    }

    pub(crate) fn u8(&mut self, value: u8) {
        self.bytes(&[value]);
    }

    pub(crate) fn u16(&mut self, value: u16) {
        self.bytes(&value.to_be_bytes());
    }

    pub(crate) fn u32(&mut self, value: u32) {
        self.bytes(&value.to_be_bytes());
    }

    pub(crate) fn u64(&mut self, value: u64) {
        self.bytes(&value.to_be_bytes());
    }
}

/// Returns a payload of exactly `N` bytes.
pub(crate) fn exactly<const N: usize>(id: u8, payload: &[u8]) -> Result<&[u8; N], DecodeError> {
    payload.try_into().map_err(|_| DecodeError::Payload { id, len: payload.len() })
}
