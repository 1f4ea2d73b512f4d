//! An optional value in a slot.

/// A value, or none. Unlike in an `Option`, none is the byte 0 and nothing else, so that a static of empty slots
/// takes no bytes of a program's image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Place<T> {
    Empty = 0,
    Taken(T) = 1,
}

impl<T> Place<T> {
    pub(crate) const fn as_ref(&self) -> Option<&T> {
        match self {
            Self::Taken(value) => Some(value),
            Self::Empty => None,
        }
    }

    pub(crate) const fn as_mut(&mut self) -> Option<&mut T> {
        match self {
            Self::Taken(value) => Some(value),
            Self::Empty => None,
        }
    }

    pub(crate) const fn is_empty(&self) -> bool {
        matches!(self, Self::Empty)
    }
}
