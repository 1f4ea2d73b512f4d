//! Where a node keeps the song.

use std::fs::File;
use std::io::{self, Seek as _, SeekFrom, Write as _};

use crate::song::read_at;

pub enum Storage {
    /// The original, to read only.
    Shared(File),
    /// A copy that grows.
    Own(File),
}

impl Storage {
    pub fn read(&mut self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let (Self::Shared(file) | Self::Own(file)) = self;
        read_at(file, offset, out)
    }

    pub fn write(&mut self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        match self {
            Self::Shared(_) => Ok(()),
            Self::Own(file) => {
                file.seek(SeekFrom::Start(offset))?;
                file.write_all(bytes)
            }
        }
    }
}
