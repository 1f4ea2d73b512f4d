//! The messages as postcard spells them: the kind as a varint of one byte, tokens as four bytes in
//! network order, identifiers and addresses as their own bytes, lists behind a byte that counts.

use core::fmt;
use core::marker::PhantomData;

use postcard::ser_flavors::Slice;
use serde::de::{Error as _, SeqAccess, Visitor};
use serde::ser::{Error as _, SerializeTuple};
use serde::{Deserialize, Serialize};
use serde::{Deserializer, Serializer};

use super::kinds::{AVOIDED, LAST_KIND, Message, UNPADDED, VERSION, WAY_BACK};
use crate::error::{BufferTooSmall, DecodeError};
use crate::id::Identifier;
use crate::list::List;
use crate::peer::Peer;
use crate::successors::MAX_SUCCESSORS;
use crate::wire::{Address, Wire};

/// The numbers of the questions that carry a padding.
const PING: u8 = 0;
const QUERY: u8 = 2;
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
        if matches!(kind, PING | QUERY) {
            return Self::read_question(kind, bytes);
        }
        let body = bytes.get(1..).unwrap_or_default();
        from_bytes(body).map_err(|error| match error {
            postcard::Error::DeserializeUnexpectedEnd => DecodeError::Incomplete { needed: 1 },
            _ => DecodeError::Malformed(kind),
        })
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

fn from_bytes<I: Identifier, A: Address>(bytes: &[u8]) -> postcard::Result<(Message<I, A>, &[u8])> {
    let mut deserializer = postcard::Deserializer::from_bytes(bytes);
    let message = Mirror::deserialize(&mut deserializer)?;
    Ok((message, deserializer.finalize()?))
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

/// [`Message`] again, so that no serde type shows in the public one. PING and QUERY, the most frequent ones, are read and
/// written without it.
#[derive(Serialize, Deserialize)]
#[serde(remote = "Message", bound = "I: Identifier, A: Address")]
enum Mirror<I, A> {
    Ping {
        #[serde(with = "raw")]
        token: u32,
        #[serde(skip)]
        padding: u16,
    },
    Pong {
        #[serde(with = "raw")]
        token: u32,
        #[serde(with = "raw")]
        id: I,
    },
    Query {
        #[serde(with = "raw")]
        token: u32,
        #[serde(skip)]
        padding: u16,
    },
    State {
        #[serde(with = "raw")]
        token: u32,
        #[serde(with = "raw")]
        id: I,
        #[serde(with = "peer")]
        predecessor: Peer<I, A>,
        #[serde(with = "peers")]
        successors: List<Peer<I, A>, MAX_SUCCESSORS>,
    },
    Busy {
        #[serde(with = "raw")]
        token: u32,
    },
    Absent {
        #[serde(with = "raw")]
        token: u32,
    },
    Notify {
        #[serde(with = "raw")]
        id: I,
    },
    Find {
        #[serde(with = "raw")]
        token: u32,
        #[serde(with = "raw")]
        key: I,
        #[serde(with = "ids")]
        avoid: List<I, AVOIDED>,
    },
    Closer {
        #[serde(with = "raw")]
        token: u32,
        #[serde(with = "raw")]
        id: I,
        #[serde(with = "peer")]
        peer: Peer<I, A>,
    },
    Owner {
        #[serde(with = "raw")]
        token: u32,
        #[serde(with = "raw")]
        id: I,
        #[serde(with = "peer")]
        peer: Peer<I, A>,
    },
    Leave {
        #[serde(with = "raw")]
        id: I,
    },
    Route {
        #[serde(with = "raw")]
        token: u32,
        #[serde(with = "raw")]
        key: I,
        hops: u8,
        direct: bool,
        #[serde(with = "way")]
        back: List<A, WAY_BACK>,
    },
    Found {
        #[serde(with = "raw")]
        token: u32,
        #[serde(with = "raw")]
        id: I,
        #[serde(with = "peer")]
        peer: Peer<I, A>,
        hops: u8,
        #[serde(with = "way")]
        back: List<A, WAY_BACK>,
    },
    Nudge {
        #[serde(with = "raw")]
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

impl<'de, T: Wire> Deserialize<'de> for Raw<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Bytes<T>(PhantomData<T>);

        impl<'de, T: Wire> Visitor<'de> for Bytes<T> {
            type Value = T;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{} bytes", T::LEN)
            }

            fn visit_seq<S: SeqAccess<'de>>(self, mut seq: S) -> Result<T, S::Error> {
                let mut scratch = [0u8; LONGEST];
                let refused = || S::Error::custom("no such value");
                let bytes = scratch.get_mut(..T::LEN).ok_or_else(refused)?;
                for byte in &mut *bytes {
                    *byte = seq.next_element()?.ok_or_else(refused)?;
                }
                T::read(bytes).ok_or_else(refused)
            }
        }

        deserializer.deserialize_tuple(T::LEN, Bytes(PhantomData)).map(Self)
    }
}

/// What a value is read as.
trait StandsFor<T> {
    fn value(self) -> T;
}

impl<T> StandsFor<T> for Raw<T> {
    fn value(self) -> T {
        self.0
    }
}

impl<I, A> StandsFor<Peer<I, A>> for Both<I, A> {
    fn value(self) -> Peer<I, A> {
        self.0
    }
}

/// A peer: its identifier, then its address.
struct Both<I, A>(Peer<I, A>);

impl<I: Identifier, A: Address> Serialize for Both<I, A> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        (Raw(self.0.id), Raw(self.0.address)).serialize(serializer)
    }
}

impl<'de, I: Identifier, A: Address> Deserialize<'de> for Both<I, A> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let (Raw(id), Raw(address)) = Deserialize::deserialize(deserializer)?;
        Ok(Self(Peer { id, address }))
    }
}

/// A list: a count that its capacity bounds, then its items, each read as a `W`.
struct Items<T, W, const N: usize>(List<T, N>, PhantomData<W>);

impl<'de, T, W, const N: usize> Deserialize<'de> for Items<T, W, N>
where
    W: Deserialize<'de> + StandsFor<T>,
{
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Each<T, W, const N: usize>(PhantomData<(T, W)>);

        impl<'de, T, W, const N: usize> Visitor<'de> for Each<T, W, N>
        where
            W: Deserialize<'de> + StandsFor<T>,
        {
            type Value = List<T, N>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "at most {N} items")
            }

            fn visit_seq<S: SeqAccess<'de>>(self, mut seq: S) -> Result<Self::Value, S::Error> {
                let refused = || S::Error::custom("too many items");
                let count: u8 = seq.next_element()?.ok_or_else(refused)?;
                if usize::from(count) > N {
                    return Err(refused());
                }
                let mut list = List::new();
                for _ in 0..count {
                    let item: W = seq.next_element()?.ok_or_else(refused)?;
                    list.push(item.value()).map_err(|_| refused())?;
                }
                Ok(list)
            }
        }

        // A tuple of the longest list's length: postcard spells no length of its own for it.
        let each: Each<_, W, N> = Each(PhantomData);
        deserializer
            .deserialize_tuple(N.saturating_add(1), each)
            .map(|list| Self(list, PhantomData))
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

/// Makes a module that `#[serde(with = ..)]` takes: how to write a value, and how to read the
/// wrapper that stands for it.
macro_rules! with {
    (
        $name:ident<$($param:ident: $bound:ident),*>($type:ty),
        $value:ident => $write:expr,
        $wrap:ty => $read:expr
    ) => {
        mod $name {
            use super::*;

            pub(super) fn serialize<S: Serializer, $($param: $bound),*>(
                $value: &$type,
                serializer: S,
            ) -> Result<S::Ok, S::Error> {
                ($write)(serializer)
            }

            pub(super) fn deserialize<'de, D: Deserializer<'de>, $($param: $bound),*>(
                deserializer: D,
            ) -> Result<$type, D::Error> {
                <$wrap>::deserialize(deserializer).map($read)
            }
        }
    };
}

with!(raw<T: Wire>(T), value => |s| Raw(*value).serialize(s), Raw<T> => |raw| raw.0);
with!(
    peer<I: Identifier, A: Address>(Peer<I, A>),
    value => |s| Both(*value).serialize(s),
    Both<I, A> => |both| both.0
);
with!(
    ids<I: Identifier>(List<I, AVOIDED>),
    value => |s| serialize_items(value.iter().map(|id| Raw(*id)), s),
    Items<I, Raw<I>, AVOIDED> => |items| items.0
);
with!(
    way<A: Address>(List<A, WAY_BACK>),
    value => |s| serialize_items(value.iter().map(|address| Raw(*address)), s),
    Items<A, Raw<A>, WAY_BACK> => |items| items.0
);
with!(
    peers<I: Identifier, A: Address>(List<Peer<I, A>, MAX_SUCCESSORS>),
    value => |s| serialize_items(value.iter().map(|peer| Both(*peer)), s),
    Items<Peer<I, A>, Both<I, A>, MAX_SUCCESSORS> => |items| items.0
);
