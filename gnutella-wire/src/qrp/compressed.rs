//! Compressed patches into a table, with the crate's own inflater.

use super::error::QrpError;
use super::receiver::{Progress, TableReceiver};
use crate::deflate::Inflater;
use crate::wire::{Compressor, Patch};

impl<S: AsMut<[u8]> + ?Sized> TableReceiver<S> {
    /// Handles a message of a patch, compressed or not. `inflater` is the neighbour's: it restarts
    /// with each sequence, and keeps the stream between its messages.
    ///
    /// # Errors
    ///
    /// Any [`QrpError`] that is the neighbour's fault. After [`Overflow`](QrpError::Overflow),
    /// [`Short`](QrpError::Short) and [`Damaged`](QrpError::Damaged) some of the patch may be in the
    /// table.
    pub fn handle_compressed_patch<W: AsMut<[u8]> + ?Sized>(
        &mut self,
        patch: &Patch<'_>,
        inflater: &mut Inflater<W>,
    ) -> Result<Progress, QrpError> {
        if patch.compressor != Compressor::ZLIB {
            return self.handle_patch(patch);
        }
        self.begin_patch(patch)?;
        if patch.seq_no == 1 {
            inflater.restart();
        }
        let mut rest = patch.data;
        loop {
            let piece = inflater.inflate(rest).map_err(|_| QrpError::Damaged)?;
            self.handle_patch_entries(piece.bytes)?;
            rest = rest.get(piece.consumed..).unwrap_or_default();
            if piece.bytes.is_empty() {
                return self.end_patch();
            }
        }
    }
}
