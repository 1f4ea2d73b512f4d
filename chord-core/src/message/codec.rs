//! The messages as postcard spells them: the kind as a varint of one byte, tokens as four bytes in
//! network order, identifiers and addresses as their own bytes, lists behind a byte that counts.
//!
//! They are read by hand: a value that passes through the layers of a deserializer is on the stack once for each of them.

use postcard::ser_flavors::Slice;
use serde::ser::{Error as _, SerializeTuple};
use serde::{Serialize, Serializer};

use super::kinds::{AVOIDED, LAST_KIND, Message, UNPADDED, VERSION, WAY_BACK};
use crate::error::{BufferTooSmall, DecodeError};
use crate::id::Identifier;
use crate::list::List;
use crate::peer::Peer;
use crate::successors::MAX_SUCCESSORS;
use crate::wire::{Address, Wire};

/// The numbers of the kinds.
const PING: u8 = 0;
const PONG: u8 = 1;
const QUERY: u8 = 2;
const STATE: u8 = 3;
const BUSY: u8 = 4;
const ABSENT: u8 = 5;
const NOTIFY: u8 = 6;
const FIND: u8 = 7;
const CLOSER: u8 = 8;
const OWNER: u8 = 9;
const LEAVE: u8 = 10;
const ROUTE: u8 = 11;
const FOUND: u8 = 12;
const NUDGE: u8 = LAST_KIND;

/// The longest identifier or address.
const LONGEST: usize = 32;

impl<I: Identifier, A: Address> Message<I, A> {
    /// Reads a message; returns it and the bytes after it.
    ///
    /// # Errors
    ///
    /// [`DecodeError`]. Exactly the bytes that [`encode`](Self::encode) writes are accepted.
    pub fn decode(bytes: &[u8]) -> Result<(Self, &[u8]), DecodeError> {
        let kind = match *bytes {
            [] | [VERSION] => return Err(DecodeError::Incomplete { needed: 1 }),
            [VERSION, kind @ ..=LAST_KIND, ..] => kind,
            [VERSION, kind, ..] => return Err(DecodeError::Kind(kind)),
            [version, ..] => return Err(DecodeError::Version(version)),
        };
        let reader = Reader { kind, rest: bytes.get(2..).unwrap_or_default() };
        match kind {
            PING | QUERY => Self::read_question(kind, bytes),
            STATE => Self::read_state(reader),
            FIND => Self::read_find(reader),
            ROUTE | FOUND => Self::read_passed_on(reader),
            _ => Self::read_short(reader),
        }
    }

    #[inline(never)] // lists are large, so each kind that has one has a stack of its own
    fn read_state(reader: Reader<'_>) -> Result<(Self, &[u8]), DecodeError> {
        let mut reader = reader;
        let token = reader.value()?;
        let id = reader.value()?;
        let predecessor = reader.peer()?;
        let mut successors = List::new();
        reader.fill(&mut successors, Reader::peer)?;
        Ok((Self::State { token, id, predecessor, successors }, reader.rest))
    }

    #[inline(never)] // see `read_state`
    fn read_find(reader: Reader<'_>) -> Result<(Self, &[u8]), DecodeError> {
        let mut reader = reader;
        let token = reader.value()?;
        let key = reader.value()?;
        let mut avoid = List::new();
        reader.fill(&mut avoid, Reader::value)?;
        Ok((Self::Find { token, key, avoid }, reader.rest))
    }

    #[inline(never)] // see `read_state`
    fn read_passed_on(reader: Reader<'_>) -> Result<(Self, &[u8]), DecodeError> {
        let mut reader = reader;
        let token = reader.value()?;
        let mut back = List::new();
        if reader.kind == ROUTE {
            let key = reader.value()?;
            let hops = reader.byte()?;
            let direct = reader.flag()?;
            reader.fill(&mut back, Reader::value)?;
            return Ok((Self::Route { token, key, hops, direct, back }, reader.rest));
        }
        let id = reader.value()?;
        let peer = reader.peer()?;
        let hops = reader.byte()?;
        reader.fill(&mut back, Reader::value)?;
        Ok((Self::Found { token, id, peer, hops, back }, reader.rest))
    }

    #[inline(never)] // see `read_state`
    fn read_short(reader: Reader<'_>) -> Result<(Self, &[u8]), DecodeError> {
        let mut reader = reader;
        let has_token = !matches!(reader.kind, NOTIFY | LEAVE | NUDGE);
        let token = if has_token { reader.value()? } else { 0 };
        let message = match reader.kind {
            NOTIFY => Self::Notify { id: reader.value()? },
            LEAVE => Self::Leave { id: reader.value()? },
            NUDGE => Self::Nudge { id: reader.value()? },
            BUSY => Self::Busy { token },
            ABSENT => Self::Absent { token },
            PONG => Self::Pong { token, id: reader.value()? },
            CLOSER => Self::Closer { token, id: reader.value()?, peer: reader.peer()? },
            OWNER => Self::Owner { token, id: reader.value()?, peer: reader.peer()? },
            kind => return Err(DecodeError::Kind(kind)),
        };
        Ok((message, reader.rest))
    }

    /// Writes the message to the front of `out` and returns its length.
    ///
    /// # Errors
    ///
    /// [`BufferTooSmall`], never with [`MAX_LEN`](Self::MAX_LEN) bytes; `out` is then unchanged.
    pub fn encode(&self, out: &mut [u8]) -> Result<usize, BufferTooSmall> {
        let needed = self.encoded_len();
        let Some(out) = out.get_mut(..needed) else {
            return Err(BufferTooSmall { needed });
        };
        match *self {
            Self::Ping { token, .. } => write_question(PING, token, out),
            Self::Query { token, .. } => write_question(QUERY, token, out),
            _ => to_slice(self, out).map_err(|_| BufferTooSmall { needed })?,
        }
        Ok(needed)
    }

    /// Reads a PING or a QUERY: after the token two bytes, in network order, say how many zero bytes follow.
    fn read_question(kind: u8, bytes: &[u8]) -> Result<(Self, &[u8]), DecodeError> {
        let Some((head, rest)) = bytes.split_first_chunk::<UNPADDED>() else {
            return Err(DecodeError::Incomplete { needed: 1 });
        };
        let [_, _, t0, t1, t2, t3, high, low] = *head;
        let token = u32::from_be_bytes([t0, t1, t2, t3]);
        let padding = u16::from_be_bytes([high, low]);
        let len = usize::from(padding);
        if padding > Self::query_padding(MAX_SUCCESSORS) {
            return Err(DecodeError::Malformed(kind)); // longer than any ring needs
        }
        let (zeros, rest) = rest.split_at_checked(len).unwrap_or((rest, &[]));
        if zeros.iter().any(|byte| *byte != 0) {
            return Err(DecodeError::Malformed(kind));
        }
        if zeros.len() < len {
            return Err(DecodeError::Incomplete { needed: 1 });
        }
        let message = if kind == PING {
            Self::Ping { token, padding }
        } else {
            Self::Query { token, padding }
        };
        Ok((message, rest))
    }
}

/// Writes a PING or a QUERY whose padding fills `out`.
fn write_question(kind: u8, token: u32, out: &mut [u8]) {
    let Some((head, zeros)) = out.split_first_chunk_mut::<UNPADDED>() else { return };
    let [t0, t1, t2, t3] = token.to_be_bytes();
    let [high, low] = u16::try_from(zeros.len()).unwrap_or(u16::MAX).to_be_bytes();
    *head = [VERSION, kind, t0, t1, t2, t3, high, low];
    zeros.fill(0);
}

/// Reads the fields of a message in their order.
struct Reader<'a> {
    kind: u8,
    rest: &'a [u8],
}

impl Reader<'_> {
    fn value<T: Wire>(&mut self) -> Result<T, DecodeError> {
        let split = self.rest.split_at_checked(T::LEN);
        let (bytes, rest) = split.ok_or(DecodeError::Incomplete { needed: 1 })?;
        self.rest = rest;
        T::read(bytes).ok_or(DecodeError::Malformed(self.kind))
    }

    fn byte(&mut self) -> Result<u8, DecodeError> {
        let split = self.rest.split_first();
        let (byte, rest) = split.ok_or(DecodeError::Incomplete { needed: 1 })?;
        self.rest = rest;
        Ok(*byte)
    }

    fn flag(&mut self) -> Result<bool, DecodeError> {
        match self.byte()? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(DecodeError::Malformed(self.kind)),
        }
    }

    /// Reads an identifier, then an address.
    fn peer<I: Identifier, A: Address>(&mut self) -> Result<Peer<I, A>, DecodeError> {
        Ok(Peer { id: self.value()?, address: self.value()? })
    }

    /// Reads a list: a count that its capacity bounds, then its items.
    fn fill<T, const N: usize>(
        &mut self,
        list: &mut List<T, N>,
        item: impl Fn(&mut Self) -> Result<T, DecodeError>,
    ) -> Result<(), DecodeError> {
        let count = self.byte()?;
        if usize::from(count) > N {
            return Err(DecodeError::Malformed(self.kind));
        }
        for _ in 0..count {
            list.push(item(self)?).map_err(|_| DecodeError::Malformed(self.kind))?;
        }
        Ok(())
    }
}

fn to_slice<I: Identifier, A: Address>(
    message: &Message<I, A>,
    out: &mut [u8],
) -> postcard::Result<()> {
    let (version, body) = out.split_first_mut().ok_or(postcard::Error::SerializeBufferFull)?;
    *version = VERSION;
    let mut serializer = postcard::Serializer { output: Slice::new(body) };
    Mirror::serialize(message, &mut serializer)
}

/// [`Message`] again, so that no serde type shows in the public one. PING and QUERY, the most frequent ones, are
/// written without it.
#[derive(Serialize)]
#[serde(remote = "Message", bound = "I: Identifier, A: Address")]
enum Mirror<I, A> {
    Ping {
        #[serde(serialize_with = "write_value")]
        token: u32,
        #[serde(skip)]
        padding: u16,
    },
    Pong {
        #[serde(serialize_with = "write_value")]
        token: u32,
        #[serde(serialize_with = "write_value")]
        id: I,
    },
    Query {
        #[serde(serialize_with = "write_value")]
        token: u32,
        #[serde(skip)]
        padding: u16,
    },
    State {
        #[serde(serialize_with = "write_value")]
        token: u32,
        #[serde(serialize_with = "write_value")]
        id: I,
        #[serde(serialize_with = "write_peer")]
        predecessor: Peer<I, A>,
        #[serde(serialize_with = "write_peers")]
        successors: List<Peer<I, A>, MAX_SUCCESSORS>,
    },
    Busy {
        #[serde(serialize_with = "write_value")]
        token: u32,
    },
    Absent {
        #[serde(serialize_with = "write_value")]
        token: u32,
    },
    Notify {
        #[serde(serialize_with = "write_value")]
        id: I,
    },
    Find {
        #[serde(serialize_with = "write_value")]
        token: u32,
        #[serde(serialize_with = "write_value")]
        key: I,
        #[serde(serialize_with = "write_values")]
        avoid: List<I, AVOIDED>,
    },
    Closer {
        #[serde(serialize_with = "write_value")]
        token: u32,
        #[serde(serialize_with = "write_value")]
        id: I,
        #[serde(serialize_with = "write_peer")]
        peer: Peer<I, A>,
    },
    Owner {
        #[serde(serialize_with = "write_value")]
        token: u32,
        #[serde(serialize_with = "write_value")]
        id: I,
        #[serde(serialize_with = "write_peer")]
        peer: Peer<I, A>,
    },
    Leave {
        #[serde(serialize_with = "write_value")]
        id: I,
    },
    Route {
        #[serde(serialize_with = "write_value")]
        token: u32,
        #[serde(serialize_with = "write_value")]
        key: I,
        hops: u8,
        direct: bool,
        #[serde(serialize_with = "write_values")]
        back: List<A, WAY_BACK>,
    },
    Found {
        #[serde(serialize_with = "write_value")]
        token: u32,
        #[serde(serialize_with = "write_value")]
        id: I,
        #[serde(serialize_with = "write_peer")]
        peer: Peer<I, A>,
        hops: u8,
        #[serde(serialize_with = "write_values")]
        back: List<A, WAY_BACK>,
    },
    Nudge {
        #[serde(serialize_with = "write_value")]
        id: I,
    },
}

/// A value of fixed size: its bytes and nothing else.
struct Raw<T>(T);

impl<T: Wire> Serialize for Raw<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        const { assert!(T::LEN <= LONGEST, "`Wire::LEN` is at most 32") };
        let mut scratch = [0u8; LONGEST];
        let bytes = scratch.get_mut(..T::LEN).ok_or_else(|| S::Error::custom("too long"))?;
        self.0.write(bytes);
        let mut tuple = serializer.serialize_tuple(T::LEN)?;
        for byte in bytes {
            tuple.serialize_element(byte)?;
        }
        tuple.end()
    }
}

/// A peer: its identifier, then its address.
struct Both<I, A>(Peer<I, A>);

impl<I: Identifier, A: Address> Serialize for Both<I, A> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        (Raw(self.0.id), Raw(self.0.address)).serialize(serializer)
    }
}

fn serialize_items<S: Serializer, T: Serialize>(
    items: impl ExactSizeIterator<Item = T>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    let count = u8::try_from(items.len()).map_err(S::Error::custom)?;
    let mut tuple = serializer.serialize_tuple(items.len().saturating_add(1))?;
    tuple.serialize_element(&count)?;
    for item in items {
        tuple.serialize_element(&item)?;
    }
    tuple.end()
}

fn write_value<T: Wire, S: Serializer>(value: &T, serializer: S) -> Result<S::Ok, S::Error> {
    Raw(*value).serialize(serializer)
}

fn write_peer<I: Identifier, A: Address, S: Serializer>(
    peer: &Peer<I, A>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    Both(*peer).serialize(serializer)
}

fn write_peers<I: Identifier, A: Address, S: Serializer>(
    peers: &[Peer<I, A>],
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serialize_items(peers.iter().map(|peer| Both(*peer)), serializer)
}

fn write_values<T: Wire, S: Serializer>(values: &[T], serializer: S) -> Result<S::Ok, S::Error> {
    serialize_items(values.iter().map(|value| Raw(*value)), serializer)
}
