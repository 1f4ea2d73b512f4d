//! Bytes between a socket or a file and a machine, without clearing memory or moving bytes for each read.

use core::ops::{Deref, DerefMut};
use std::io::{self, Read};

/// The room that an unused buffer makes for its first read.
const FIRST: usize = 4 << 10;

/// Bytes that are added at the end and used from the front. As a slice it is what is there.
///
/// It keeps its memory, which is cleared once: [`room`](Self::room) is memory to read into, and what is left of a message
/// moves to the front only if the room behind it is too short.
#[derive(Debug, Clone, Default)]
pub struct Buffer {
    memory: Vec<u8>,
    start: usize,
    end: usize,
}

impl Buffer {
    /// Creates an empty buffer without memory.
    #[must_use]
    pub const fn new() -> Self {
        Self { memory: Vec::new(), start: 0, end: 0 }
    }

    /// Returns room for `len` bytes behind what is there; [`fill`](Self::fill) says how many were put into it.
    pub fn room(&mut self, len: usize) -> &mut [u8] {
        self.reserve(len);
        &mut self.memory[self.end..][..len]
    }

    /// Adds the first `len` bytes of the room.
    pub fn fill(&mut self, len: usize) {
        self.end = (self.end + len).min(self.memory.len());
    }

    /// Removes the first `len` bytes, or all if there are fewer.
    pub fn consume(&mut self, len: usize) {
        self.start = (self.start + len).min(self.end);
        if self.start == self.end {
            self.start = 0;
            self.end = 0;
        }
    }

    /// Removes all bytes.
    pub fn clear(&mut self) {
        self.consume(usize::MAX - self.start);
    }

    /// Adds bytes.
    pub fn extend_from_slice(&mut self, bytes: &[u8]) {
        self.room(bytes.len()).copy_from_slice(bytes);
        self.fill(bytes.len());
    }

    /// Reads once, as much as there is room for. Memory that is nearly full grows to twice its size, at most `most` bytes.
    ///
    /// # Errors
    ///
    /// The error of `from`.
    pub fn read(&mut self, from: &mut impl Read, most: usize) -> io::Result<usize> {
        if self.memory.len() - self.end <= self.memory.len() / 4 {
            let len = (2 * self.memory.len()).clamp(FIRST.min(most), most);
            self.reserve(len.saturating_sub(self.len()).max(1));
        }
        let len = from.read(&mut self.memory[self.end..])?;
        self.fill(len);
        Ok(len)
    }

    /// Makes room for `len` bytes: behind what is there, or by moving that to the front, or in more memory.
    fn reserve(&mut self, len: usize) {
        if self.memory.len() - self.end >= len {
            return;
        }
        self.memory.copy_within(self.start..self.end, 0);
        self.end -= self.start;
        self.start = 0;
        if self.memory.len() - self.end < len {
            self.memory.resize(self.end + len, 0);
        }
    }
}

impl Deref for Buffer {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.memory[self.start..self.end]
    }
}

impl DerefMut for Buffer {
    fn deref_mut(&mut self) -> &mut [u8] {
        &mut self.memory[self.start..self.end]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_come_out_in_the_order_they_went_in_and_memory_stays_small() {
        let all: Vec<u8> = (0..=255).cycle().take(100_000).collect();
        let mut from = &all[..];
        let mut buffer = Buffer::new();
        let mut out = Vec::new();
        for step in 1.. {
            let read = buffer.read(&mut from, 10_000).unwrap();
            if read == 0 {
                break;
            }
            let used = buffer.len().min(step * 97 % 9_000);
            out.extend_from_slice(&buffer[..used]);
            buffer.consume(used);
            assert!(buffer.memory.len() <= 20_000, "{}", buffer.memory.len());
        }
        out.extend_from_slice(&buffer);
        assert!(out == all);
    }

    #[test]
    fn what_is_left_of_a_message_stays_in_front_of_the_next_bytes() {
        let mut buffer = Buffer::new();
        buffer.extend_from_slice(b"abcdef");
        buffer.consume(4);
        buffer.room(3)[..2].copy_from_slice(b"gh");
        buffer.fill(2);
        assert_eq!(&*buffer, b"efgh");
        buffer.consume(99);
        assert!(buffer.is_empty());
        buffer.extend_from_slice(b"i");
        buffer.clear();
        assert_eq!(&*buffer, b"");
    }
}
