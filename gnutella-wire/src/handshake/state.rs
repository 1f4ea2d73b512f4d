//! The state table of a handshake.

/// The state of a handshake.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[expect(clippy::exhaustive_enums, reason = "the states of the two specifications")]
pub enum State {
    /// The dialler is to greet.
    Greeting,
    /// The dialler waits for the answer.
    AwaitingReply,
    /// The dialler is to agree or refuse.
    Confirming,
    /// The acceptor waits for the greeting.
    AwaitingGreeting,
    /// The acceptor is to agree or refuse.
    Replying,
    /// The acceptor is to agree or refuse, in 0.4.
    Replying04,
    /// The acceptor waits for the last step.
    AwaitingConfirmation,
    /// Both agreed: what follows is the binary stream.
    Open,
    /// One refused: close the connection.
    Closed,
}

/// What changes the state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "the steps of the two specifications")]
pub enum Input {
    /// This end greeted or agreed.
    Sent,
    /// This end refused.
    SentRefusal,
    /// The other end greeted or agreed, in 0.6.
    Received,
    /// The other end greeted or agreed, in 0.4.
    Received04,
    /// The other end refused.
    ReceivedRefusal,
}

/// All transitions; an input that is not listed for a state is not valid in it.
pub const TRANSITIONS: &[(State, Input, State)] = &[
    (State::Greeting, Input::Sent, State::AwaitingReply),
    (State::AwaitingReply, Input::Received, State::Confirming),
    (State::AwaitingReply, Input::Received04, State::Open),
    (State::AwaitingReply, Input::ReceivedRefusal, State::Closed),
    (State::Confirming, Input::Sent, State::Open),
    (State::Confirming, Input::SentRefusal, State::Closed),
    (State::AwaitingGreeting, Input::Received, State::Replying),
    (State::AwaitingGreeting, Input::Received04, State::Replying04),
    (State::AwaitingGreeting, Input::SentRefusal, State::Closed),
    (State::Replying, Input::Sent, State::AwaitingConfirmation),
    (State::Replying, Input::SentRefusal, State::Closed),
    (State::Replying04, Input::Sent, State::Open),
    (State::Replying04, Input::SentRefusal, State::Closed),
    (State::AwaitingConfirmation, Input::Received, State::Open),
    (State::AwaitingConfirmation, Input::ReceivedRefusal, State::Closed),
];

impl State {
    /// Returns the next state, if `input` is valid in this one.
    #[must_use]
    pub fn after(self, input: Input) -> Option<Self> {
        let row = TRANSITIONS.iter().find(|(from, by, _)| *from == self && *by == input);
        row.map(|(_, _, to)| *to)
    }

    /// Returns whether it is the other end's turn.
    #[must_use]
    pub const fn is_waiting(self) -> bool {
        matches!(self, Self::AwaitingReply | Self::AwaitingGreeting | Self::AwaitingConfirmation)
    }
}
