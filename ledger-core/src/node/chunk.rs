//! A chunk of a snapshot: a run of entries, and the proof that the last one is in the state.

use crate::codec::Reader;
use crate::error::DecodeError;
use crate::state::{Key, MapProof, Value};

/// Entries in ascending order with the proof of the last one.
#[derive(Debug, Clone, Copy)]
pub(super) struct Chunk<'a> {
    entries: &'a [u8],
    pub(super) last: (Key, Value),
    pub(super) proof: MapProof<'a>,
}

/// The entries of a chunk.
#[derive(Debug, Clone)]
pub(super) struct ChunkEntries<'a>(Reader<'a>);

impl<'a> Chunk<'a> {
    pub(super) fn decode(bytes: &'a [u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader(bytes);
        let count = reader.u16()?;
        let start = reader.0;
        let mut last: Option<(Key, Value)> = None;
        for _ in 0..count {
            let entry = read_entry(&mut reader)?;
            if last.is_some_and(|(key, _)| key >= entry.0) {
                return Err(DecodeError::MalformedProof);
            }
            last = Some(entry);
        }
        let len = start.len().saturating_sub(reader.0.len());
        let entries = start.get(..len).unwrap_or_default();
        let last = last.ok_or(DecodeError::MalformedProof)?;
        let (proof, rest) = MapProof::decode(reader.0)?;
        if !rest.is_empty() {
            return Err(DecodeError::TrailingBytes(rest.len()));
        }
        Ok(Self { entries, last, proof })
    }

    pub(super) fn entries(&self) -> ChunkEntries<'a> {
        ChunkEntries(Reader(self.entries))
    }
}

impl Iterator for ChunkEntries<'_> {
    type Item = (Key, Value);

    fn next(&mut self) -> Option<(Key, Value)> {
        read_entry(&mut self.0).ok()
    }
}

fn read_entry(reader: &mut Reader<'_>) -> Result<(Key, Value), DecodeError> {
    let key = Key::from_bytes(reader.array()?);
    let len = usize::from(reader.u8()?);
    let value = Value::new(reader.slice(len)?).ok_or(DecodeError::MalformedProof)?;
    Ok((key, value))
}
