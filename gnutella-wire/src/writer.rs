//! Writes into a caller-provided buffer and keeps counting beyond its end.

use core::fmt;

use crate::error::BufferTooSmall;

/// One description of a message serves both its length and its bytes.
pub(crate) struct Writer<'b> {
    out: &'b mut [u8],
    len: usize,
}

impl<'b> Writer<'b> {
    /// Returns how many bytes `write` writes.
    pub(crate) fn measure(write: impl FnOnce(&mut Writer<'_>)) -> usize {
        let mut writer = Writer { out: &mut [], len: 0 };
        write(&mut writer);
        writer.len
    }

    /// Lets `write` write into `out` and returns how many bytes.
    pub(crate) fn fill(
        out: &'b mut [u8],
        write: impl FnOnce(&mut Self),
    ) -> Result<usize, BufferTooSmall> {
        let room = out.len();
        let mut writer = Self { out, len: 0 };
        write(&mut writer);
        if writer.len > room {
            return Err(BufferTooSmall { needed: writer.len });
        }
        Ok(writer.len)
    }

    /// Returns how many bytes were written, those beyond the end included.
    pub(crate) const fn len(&self) -> usize {
        self.len
    }

    #[cfg_attr(target_os = "none", inline(never))] // once in the image of a device
    pub(crate) fn bytes(&mut self, bytes: &[u8]) {
        let end = self.len.saturating_add(bytes.len());
        if let Some(room) = self.out.get_mut(self.len..end) {
            copy(room, bytes);
        }
        self.len = end;
    }

    pub(crate) fn u8(&mut self, value: u8) {
        self.bytes(&[value]);
    }

    /// Little-endian, as all numbers of the protocol but addresses.
    pub(crate) fn u16(&mut self, value: u16) {
        self.bytes(&value.to_le_bytes());
    }

    /// Little-endian, as all numbers of the protocol but addresses.
    pub(crate) fn u32(&mut self, value: u32) {
        self.bytes(&value.to_le_bytes());
    }

    /// Formatted text.
    pub(crate) fn text(&mut self, args: fmt::Arguments<'_>) {
        // Writing here cannot fail, and the types of this crate format without errors.
        let _ = fmt::Write::write_fmt(self, args);
    }
}

impl fmt::Write for Writer<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.bytes(text.as_bytes());
        Ok(())
    }
}

/// Copies the bytes that both have. `copy_from_slice` would panic where the lengths differ.
pub(crate) fn copy(to: &mut [u8], from: &[u8]) {
    for (to, from) in to.iter_mut().zip(from) {
        *to = *from;
    }
}
