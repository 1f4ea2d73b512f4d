//! Messages of an index at the end of what a frame holds: 65,535 bytes of data.

use gnutella_wire::opennap::{File, Frame, Kind, Message, NapError};
use gnutella_wire::{BufferTooSmall, Text};

const MOST: usize = 65_535;

fn encoded(message: &Message<'_>) -> Vec<u8> {
    let mut out = vec![0; message.encoded_len()];
    assert_eq!(message.encode(&mut out), Ok(out.len()));
    let needed = out.len();
    let mut short = vec![0; needed - 1];
    assert_eq!(message.encode(&mut short), Err(BufferTooSmall { needed }));
    out
}

/// The length of the header must cover all that is sent, or the rest would be read as further messages.
#[test]
fn what_goes_beyond_a_frame_is_left_out() {
    let long = vec![b'x'; 70_000];
    let text = Text::new(&long).unwrap();
    let nick = Text::new(b"ann").unwrap();
    let file = File { name: text, md5: nick, size: 1, bitrate: 2, frequency: 3, seconds: 4 };
    let messages = [
        Message::Notice(text),
        Message::Private(nick, text),
        Message::Share(file),
        Message::Browsed(nick, file),
        Message::Other(Frame { kind: Kind(999), data: &long }),
    ];
    for message in messages {
        let bytes = encoded(&message);
        assert_eq!(bytes.len(), 4 + MOST, "{:?}", message.kind());
        let (frame, rest) = Frame::decode(&bytes, u16::MAX).unwrap();
        assert_eq!((frame.kind, frame.data.len(), rest), (message.kind(), MOST, &b""[..]));
    }
}

#[test]
fn what_fills_a_frame_to_its_end_comes_back() {
    let nick = Text::new(b"ann").unwrap();
    let long = vec![b'x'; MOST - 4];
    let whole = Message::Private(nick, Text::new(&long).unwrap());
    let bytes = encoded(&whole);
    assert_eq!(Message::decode(&bytes, u16::MAX), Ok((whole, &b""[..])));
    let too_long = Message::decode(&bytes, u16::MAX - 1).unwrap_err();
    let (kind, len, limit) = (Kind::PRIVATE, u16::MAX, u16::MAX - 1);
    assert_eq!(too_long, NapError::TooLong { kind, len, limit });
}
