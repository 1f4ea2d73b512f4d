//! The life of a handshake: the only place that says what leads where.

/// Where a handshake stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
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
    /// The acceptor waits for the last word.
    AwaitingConfirmation,
    /// Both agreed: what follows is the binary stream.
    Open,
    /// One refused: close the connection.
    Closed,
}

/// What leads on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Input {
    /// This end greeted or agreed.
    Said,
    /// This end refused.
    SaidNo,
    /// The other end greeted or agreed, in 0.6.
    Heard,
    /// The other end greeted or agreed, in 0.4.
    Heard04,
    /// The other end refused.
    HeardNo,
}

/// All there is; what is not listed is not said in that state.
pub const TRANSITIONS: &[(State, Input, State)] = &[
    (State::Greeting, Input::Said, State::AwaitingReply),
    (State::AwaitingReply, Input::Heard, State::Confirming),
    (State::AwaitingReply, Input::Heard04, State::Open),
    (State::AwaitingReply, Input::HeardNo, State::Closed),
    (State::Confirming, Input::Said, State::Open),
    (State::Confirming, Input::SaidNo, State::Closed),
    (State::AwaitingGreeting, Input::Heard, State::Replying),
    (State::AwaitingGreeting, Input::Heard04, State::Replying04),
    (State::AwaitingGreeting, Input::SaidNo, State::Closed),
    (State::Replying, Input::Said, State::AwaitingConfirmation),
    (State::Replying, Input::SaidNo, State::Closed),
    (State::Replying04, Input::Said, State::Open),
    (State::Replying04, Input::SaidNo, State::Closed),
    (State::AwaitingConfirmation, Input::Heard, State::Open),
    (State::AwaitingConfirmation, Input::HeardNo, State::Closed),
];

impl State {
    /// Returns the next state, if `input` is legal in this one.
    #[must_use]
    pub fn after(self, input: Input) -> Option<Self> {
        let row = TRANSITIONS.iter().find(|(from, by, _)| *from == self && *by == input);
        row.map(|(_, _, to)| *to)
    }

    /// Returns `true` if it is the other end's turn.
    #[must_use]
    pub const fn listens(self) -> bool {
        matches!(self, Self::AwaitingReply | Self::AwaitingGreeting | Self::AwaitingConfirmation)
    }
}
