//! The lookups of the lectures: each step is the pure decision of one routing table, without messages.
//!
//! `cargo run -p chord-core --example walk`

use chord_core::{FingerSlot, Peer, Route, RoutingTable, Word};

fn main() {
    // The ring of Tanenbaum and van Steen; addresses are of no interest here.
    let ring =
        [1, 4, 9, 11, 14, 18, 20, 21, 28].map(|id| Peer { id: Word::<5>::new(id), address: [] });
    for (start, key) in [(0, 26), (8, 12)] {
        print!("key {key:2} from node {:2}", ring[start].id);
        let mut at = ring[start];
        let owner = loop {
            let mut table = RoutingTable::new(at, [Peer::EMPTY; 1], [FingerSlot::EMPTY; 5]);
            table.learn(&ring);
            match table.route(Word::new(key)) {
                Route::Ask(next) => at = next,
                Route::Owner(owner) => break owner,
            }
            print!(", {:2}", at.id);
        };
        println!(": owned by {}", owner.id);
    }
}
