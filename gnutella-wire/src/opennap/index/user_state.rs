//! How far a user of an index is.

/// The state of a user of an [`Index`](super::Index).
///
/// | state | what changes it | next |
/// |---|---|---|
/// | `Connected` | a login with a free nick | `LoggedIn` |
/// | `Connected` | no login in time | removed |
/// | `LoggedIn` | a search or list | `Listing` |
/// | `Listing` | its last row is sent | `LoggedIn` |
/// | `LoggedIn`, `Listing` | silence | `Pinged` |
/// | `Pinged` | any message | `LoggedIn`, or `Listing` if rows are due |
/// | `Pinged` | no message in time | removed |
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum UserState {
    /// The connection is open; the user is to log in.
    Connected,
    /// The user is logged in.
    LoggedIn,
    /// The user is logged in, and rows of a search or list are due to it.
    Listing,
    /// The user is logged in, and is to answer a ping. Rows may be due to it.
    Pinged,
}
