//! Messages as lines.

use core::net::SocketAddr;
use examples::report;

use bittorrent_pieces::wire::extended::EXTENDED;
use bittorrent_pieces::wire::fast::Fast;
use bittorrent_pieces::wire::hashes::HashMessage;
use bittorrent_pieces::wire::{Handshake, Message};

/// Prints a message as one line.
pub fn trace(on: bool, way: &str, addr: SocketAddr, bytes: &[u8]) {
    if !on {
        return;
    }
    let line = match (Handshake::decode(bytes), Message::decode(bytes, u32::MAX)) {
        (Ok((handshake, _)), _) => handshake.to_string(),
        (_, Ok((Message::Other { id: EXTENDED, payload }, _))) => {
            format!("EXTENDED {}", payload[..payload.len().min(120)].escape_ascii())
        }
        (_, Ok((message, _))) => match (Fast::of(&message), HashMessage::of(&message)) {
            (Ok(Some(fast)), _) => fast.to_string(),
            (_, Ok(Some(hashes))) => hashes.to_string(),
            _ => message.to_string(),
        },
        (_, Err(error)) => error.to_string(),
    };
    report!("{way} {addr} {line}");
}
