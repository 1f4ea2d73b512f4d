//! The greetings by which a connection is opened (`gnutella_wire::handshake`).

use gnutella_wire::handshake::{Handshake, State};

/// Each state that one end was in, and the next.
pub(super) type Steps = Vec<(State, State)>;

/// Lets both ends of a connection greet each other; returns the steps of the one that dials and of the other.
pub(super) fn shake_hands(modern: bool) -> Result<[Steps; 2], String> {
    let mut dialler = if modern { Handshake::dialler_06() } else { Handshake::dialler_04() };
    let mut acceptor = Handshake::acceptor();
    let mut steps = [Steps::new(), Steps::new()];
    let mut buf = [0; 512];
    let mut len = dialler.greet(&[], &mut buf).map_err(|error| error.to_string())?;
    steps[0].push((State::Greeting, dialler.state()));
    let mut receiver = 1;
    loop {
        let end = if receiver == 0 { &mut dialler } else { &mut acceptor };
        let mut rest = &buf[..len];
        while !rest.is_empty() {
            let before = end.state();
            let received = end.handle_bytes(rest).map_err(|error| error.to_string())?;
            if end.state() != before {
                steps[receiver].push((before, end.state()));
            }
            if received.consumed == 0 {
                return Err("a greeting is incomplete".into());
            }
            rest = &rest[received.consumed..];
        }
        if end.state() == State::Open {
            return Ok(steps);
        }
        let before = end.state();
        len = end.agree(&[], &mut buf).map_err(|error| error.to_string())?;
        steps[receiver].push((before, end.state()));
        receiver = 1 - receiver;
    }
}
