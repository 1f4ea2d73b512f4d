//! A car stereo that looks up songs at a central index. Built for a device this is a program without `std`; built for
//! a desk it prints.
#![cfg_attr(target_os = "none", no_std, no_main)]

use core::time::Duration;

use gnutella_wire::Text;
use gnutella_wire::opennap::{Client, ClientEvent, LinkType, Login, Message, Search};

/// The client has no tables; this is what it sends and receives through.
type Buffer = [u8; 512];

/// Lies in a `static` if the program has a way to hand out `&mut`, such as a cell of its runtime.
const BUFFER: Buffer = [0; 512];

/// Logs in and searches, with what the socket received. Returns the number of files found.
fn search(buf: &mut Buffer, mut received: &[u8]) -> Option<u32> {
    let mut client = Client::new(Duration::from_secs(10)).ok()?;
    let login = Login {
        nick: Text::new(b"ann")?,
        password: Text::new(b"none")?,
        port: 0, // shares nothing
        client: Text::new(b"stereo")?,
        link: LinkType(8),
    };
    let mut now = Duration::ZERO; // a timer of the device
    client.login(now, login, buf).ok()?; // write that many bytes of `buf` to the socket
    let mut found = 0_u32;
    loop {
        let read = client.handle_bytes(now, received);
        match read.outcome {
            Some(Message::Found(_)) => found = found.saturating_add(1), // show it
            Some(Message::SearchEnd) => return Some(found),
            _ => {}
        }
        received = received.get(read.consumed..)?;
        while client.poll_transmit(buf).ok()?.is_some() {} // pongs
        while let Some(event) = client.poll_event() {
            match event {
                ClientEvent::LoggedIn => {
                    let words = Search::new(Text::new(b"hey jude")?);
                    client.send(now, &Message::Search(words), buf).ok()?;
                }
                _ => return Some(found), // close the socket
            }
        }
        if read.consumed == 0 {
            now = client.poll_timeout()?; // sleep until then, or until bytes arrive
            client.handle_timeout(now);
        }
    }
}

/// The index accepts the login, and finds nothing.
const RECEIVED: &[u8] = b"\x07\0\x03\0unknown\0\0\xCA\0";

#[cfg(not(target_os = "none"))]
fn main() {
    static STORED: std::sync::Mutex<Buffer> = std::sync::Mutex::new(BUFFER);
    let found = search(&mut STORED.lock().expect("not poisoned"), RECEIVED);
    println!("{found:?} files with {} bytes", size_of::<Buffer>() + size_of::<Client>());
}

#[cfg(target_os = "none")]
mod device {
    use core::hint::black_box;

    #[panic_handler]
    fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
        loop {}
    }

    #[unsafe(no_mangle)]
    extern "C" fn _start() -> ! {
        let mut buf = super::BUFFER;
        black_box(super::search(black_box(&mut buf), black_box(super::RECEIVED)));
        loop {}
    }
}
