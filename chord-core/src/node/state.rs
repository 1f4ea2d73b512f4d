//! The states of a node and what leads where.

/// What a node is doing. The last three are those of a member of the ring (Zave 2017, "status").
///
/// ```
/// use chord_core::{State, transitions::Input};
///
/// assert_eq!(State::Outside.after(Input::Join), State::Joining);
/// assert_eq!(State::Joining.after(Input::Notified), State::Joining); // not a member yet
/// assert!(State::Joining.after(Input::Joined).is_member());
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[expect(clippy::exhaustive_enums, reason = "the states of the protocol")]
pub enum State {
    /// It has not started, or its join has failed.
    Outside,
    /// It looks for its place and copies the list of the node before it.
    Joining,
    /// Between two operations, or asking its successor.
    Idle,
    /// A better successor is known, and has yet to answer.
    Stabilizing,
    /// It has been notified and has yet to decide on its predecessor.
    Rectifying,
    /// It has left, for good.
    Gone,
}

/// What changes the state of a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[expect(clippy::exhaustive_enums, reason = "the inputs of the protocol")]
pub enum Input {
    /// The application founds a ring.
    Create,
    /// The application names a contact.
    Join,
    /// The list of the predecessor has been copied.
    Joined,
    /// There is no ring, or no place in it.
    Refused,
    /// The successor has answered with a predecessor that lies between the two.
    Closer,
    /// That one has answered, or is dead.
    Settled,
    /// A node has sent NOTIFY.
    Notified,
    /// The predecessor is decided on.
    Rectified,
    /// The application leaves the ring.
    Leave,
}

/// The life of a node: the only place that says what leads where. What is not listed changes
/// nothing; the picture on the crate's page is made from it.
pub const TRANSITIONS: &[(State, Input, State)] = &[
    (State::Outside, Input::Create, State::Idle),
    (State::Outside, Input::Join, State::Joining),
    (State::Joining, Input::Joined, State::Idle),
    (State::Joining, Input::Refused, State::Outside),
    (State::Idle, Input::Closer, State::Stabilizing),
    (State::Stabilizing, Input::Settled, State::Idle),
    (State::Idle, Input::Notified, State::Rectifying),
    (State::Stabilizing, Input::Notified, State::Rectifying),
    (State::Rectifying, Input::Rectified, State::Idle),
    (State::Idle, Input::Refused, State::Outside),
    (State::Joining, Input::Leave, State::Gone),
    (State::Idle, Input::Leave, State::Gone),
    (State::Stabilizing, Input::Leave, State::Gone),
    (State::Rectifying, Input::Leave, State::Gone),
];

impl State {
    /// Returns the next state; what the table does not list changes nothing.
    #[must_use]
    pub fn after(self, input: Input) -> Self {
        let row = TRANSITIONS.iter().find(|(from, by, _)| *from == self && *by == input);
        row.map_or(self, |(_, _, to)| *to)
    }

    /// Returns whether a node in this state belongs to the ring.
    #[must_use]
    pub fn is_member(self) -> bool {
        matches!(self, Self::Idle | Self::Stabilizing | Self::Rectifying)
    }
}
