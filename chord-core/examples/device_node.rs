//! A node whose memory lies in a `static`: compiled for a microcontroller in CI, and run here against a second one.
//!
//! `cargo run -p chord-core --example device_node`
#![cfg_attr(target_os = "none", no_std, no_main)]

use chord_core::{Config, ConfigError, Id160, Node, NodeArrays, NodeStorage, Peer};
use core::net::{Ipv4Addr, SocketAddrV4};

/// r = 4, eight fingers, one lookup of the node itself and one of the application, two contacts.
pub type Slots = NodeArrays<Id160, SocketAddrV4, 4, 8, 2, 2>;

/// All zero bytes, so that a `static` of it lies in `.bss`.
pub const MEMORY: Slots = Slots::EMPTY;

/// Starts the node of a device. Its driver then calls `handle_datagram`, `handle_timeout` and the polls.
///
/// # Errors
///
/// [`ConfigError`], never with these numbers.
pub fn start<S: NodeStorage<Id160, SocketAddrV4>>(
    serial: [u8; 20],
    address: SocketAddrV4,
    contact: Option<SocketAddrV4>,
    memory: S,
) -> Result<Node<Id160, SocketAddrV4, S>, ConfigError> {
    let me = Peer { id: Id160::from(serial), address };
    let mut node = Node::new(Config::DEFAULT, me, memory)?;
    let started = match contact {
        Some(contact) => node.join(core::time::Duration::ZERO, contact),
        None => node.create(core::time::Duration::ZERO),
    };
    debug_assert!(started.is_ok(), "a new node starts");
    Ok(node)
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
        let mut memory = super::MEMORY;
        let address = super::SocketAddrV4::new(super::Ipv4Addr::LOCALHOST, 4000);
        let started = super::start([1; 20], address, Some(address), &mut memory);
        let mut buf = [0; 600];
        if let Ok(mut node) = started {
            loop {
                let now = black_box(core::time::Duration::ZERO);
                let received = buf.get(..black_box(0)).unwrap_or_default();
                let _ = black_box(node.handle_datagram(now, address, received));
                node.handle_timeout(now);
                while let Ok(Some(sent)) = node.poll_transmit(&mut buf) {
                    black_box(sent);
                }
                black_box((node.poll_event(), node.poll_timeout()));
            }
        }
        loop {}
    }
}

#[cfg(not(target_os = "none"))]
fn main() -> Result<(), ConfigError> {
    use core::time::Duration;
    use std::sync::Mutex;

    static FIRST: Mutex<Slots> = Mutex::new(MEMORY);
    static SECOND: Mutex<Slots> = Mutex::new(MEMORY);

    let address = |port| SocketAddrV4::new(Ipv4Addr::LOCALHOST, port);
    let (mut first, mut second) = (FIRST.lock().unwrap(), SECOND.lock().unwrap());
    let mut nodes = [
        start([1; 20], address(0), None, &mut *first)?,
        start([2; 20], address(1), Some(address(0)), &mut *second)?,
    ];
    let mut buf = [0; 600];
    for second in (0..20).map(Duration::from_secs) {
        for at in 0..2 {
            nodes[at].handle_timeout(second);
            while let Some((from, sent)) =
                (0..2).find_map(|from| Some((from, nodes[from].poll_transmit(&mut buf).ok()??)))
            {
                let to = usize::from(sent.to.port());
                let _ = nodes[to].handle_datagram(second, address(from as u16), &buf[..sent.len]);
            }
        }
    }
    for node in &nodes {
        println!("node {:.4} owns the keys after {:.4}", node.me().id, node.keys().after);
    }
    Ok(())
}
