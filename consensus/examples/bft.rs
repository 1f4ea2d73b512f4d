//! Four validators agree on three blocks, one of them silent. Run with `cargo run -p consensus --example bft`.

use core::time::Duration;
use std::collections::VecDeque;

use consensus::bft::{Bft, BftConfig, BftEvent, BftSetup, BftSlots, PeerSlot, VoteSlot};
use consensus::{Ed25519Key, Keys as _, RoundRobin, SignedStatement, ValidatorId};

type Storage = BftSlots<[PeerSlot; 4], [VoteSlot; 24]>;
type Engine = Bft<RoundRobin<[ValidatorId; 4]>, Ed25519Key, Storage>;

fn main() -> Result<(), Box<dyn core::error::Error>> {
    let keys = [1, 2, 3, 4].map(|n| Ed25519Key::from_secret(&[n; 32]));
    let ids = [0, 1, 2, 3].map(|n: usize| keys[n].id());
    let mut engines = Vec::new();
    for keys in keys.into_iter().take(3) {
        let setup = BftSetup {
            config: BftConfig::new(Duration::from_millis(100)),
            genesis: [0xC0; 32],
            height: 1,
            validators: &ids.map(|id| (id, 1)),
            selector: RoundRobin::new(ids),
            keys,
        };
        let storage = Storage { validators: [PeerSlot::EMPTY; 4], votes: [VoteSlot::EMPTY; 24] };
        engines.push(Engine::new(setup, storage)?);
    }
    let mut now = Duration::ZERO;
    let mut network = VecDeque::new();
    while engines.iter().any(|engine| engine.height() < 4) {
        for engine in &mut engines {
            drive(engine, now, &mut network)?;
        }
        if let Some(bytes) = network.pop_front() {
            for engine in &mut engines {
                let _ = engine.handle_datagram(now, &bytes); // its own come back, and are dropped
            }
            continue;
        }
        // Nothing is under way: the next timer fires.
        let deadlines = engines.iter().filter_map(Engine::poll_timeout);
        now = deadlines.min().ok_or("nothing is due")?;
        println!("{now:?}: a timer");
        for engine in &mut engines {
            engine.handle_timeout(now);
        }
    }
    Ok(())
}

/// Does what an engine asks for, and takes what it sends.
fn drive(
    engine: &mut Engine,
    now: Duration,
    network: &mut VecDeque<Vec<u8>>,
) -> Result<(), Box<dyn core::error::Error>> {
    let mut disk = [0; 1024];
    while let Some(event) = engine.poll_event() {
        match event {
            BftEvent::Save { token } => {
                engine.encode_state(&mut disk)?;
                engine.handle_saved(now, token)?;
            }
            BftEvent::Propose { height, round } => {
                engine.propose(now, &[height as u8 * 16 + round as u8; 32])?;
            }
            BftEvent::Check { value, .. } => engine.handle_checked(now, &value, true),
            BftEvent::Decided { .. } => {
                println!("{now:?}: {event}, {} signatures", engine.certificate().count());
                engine.next_height(now)?;
            }
            other => println!("{now:?}: {other}"),
        }
    }
    let mut buf = [0; SignedStatement::LEN];
    while engine.poll_transmit(&mut buf)?.is_some() {
        network.push_back(buf.to_vec());
    }
    Ok(())
}
