//! Byzantine fault tolerant consensus in rounds (Tendermint): blocks are final at once.
//!
//! [`Bft`] is the engine of one validator. [`RoundState`] is the rule of one round by itself.
//!
//! ```
//! use consensus::bft::*;
//! use consensus::{Ed25519Key, Keys, RoundRobin};
//! use core::time::Duration;
//!
//! let keys = Ed25519Key::from_secret(&[1; 32]);
//! let me = keys.id();
//! let setup = BftSetup {
//!     config: BftConfig::new(Duration::from_millis(200)),
//!     genesis: [0xC0; 32],
//!     height: 1,
//!     validators: &[(me, 1)], // a chain with one validator
//!     selector: RoundRobin::new([me]),
//!     keys,
//! };
//! let storage = BftSlots { validators: [PeerSlot::EMPTY; 1], votes: [VoteSlot::EMPTY; 6] };
//! let mut bft = Bft::new(setup, storage)?;
//! let mut flash = [0; 512];
//! let mut datagram = [0; 183];
//! let now = Duration::ZERO;
//! let decided = loop {
//!     match bft.poll_event().expect("one validator waits for nobody") {
//!         BftEvent::Propose { .. } => bft.propose(now, &[0xAB; 32])?,
//!         BftEvent::Save { token } => {
//!             bft.encode_state(&mut flash)?; // write it to durable memory, then:
//!             bft.handle_saved(now, token)?;
//!         }
//!         BftEvent::Decided { value, .. } => break value,
//!         other => panic!("{other}"),
//!     }
//!     while let Some(transmit) = bft.poll_transmit(&mut datagram)? {
//!         println!("{} bytes to every other validator", transmit.len);
//!     }
//! };
//! assert_eq!(decided, [0xAB; 32]);
//! assert_eq!(bft.certificate().count(), 1);
//! bft.next_height(now)?;
//! # Ok::<(), Box<dyn core::error::Error>>(())
//! ```
//!
//! # Differences from the paper
//!
//! - A decision needs a quorum of precommits and not the proposal (line 49): the application fetches the block.
//! - A round is skipped when more than a third of the weight is in it or in a later one (line 55: in it).
//! - A validator in a later round counts for the timeouts of this one (lines 34 and 47: its votes of this round), so that
//!   no faulty validator can stop a round with votes that it sends to some nodes only.
//! - A proposer also has a propose timeout.
//! - Six statements are kept of each validator: those of the current round, the prevotes that justify a value, and the
//!   latest others. A validator that sends more displaces its own. Statements are sent again until there is a decision.
//! - Of two votes that contradict each other the later one counts. The paper counts both; a quorum holds either way.
//! - Statements of the next height are kept; those of later ones only count as [`BftEvent::Behind`].

mod advance;
mod config;
mod engine;
mod event;
mod events;
mod machine;
#[cfg(test)]
#[path = "../../tests/bft_model/mod.rs"]
mod model;
#[cfg(test)]
mod mutation;
#[cfg(test)]
mod mutation_tests;
mod receive;
mod round;
mod saved;
#[cfg(feature = "ledger")]
mod seal;
mod storage;
mod timers;
mod votes;

pub use config::{BftConfig, BftSetup, ResumeError};
pub use event::{BftEvent, CallError, DatagramError};
pub use machine::{Bft, Certificate};
pub use round::{NotApplicable, RoundInput, RoundOutput, RoundState, RoundValue, Step};
#[cfg(feature = "ledger")]
pub use seal::{BftSeal, BftSealError};
#[cfg(feature = "alloc")]
pub use storage::{BftLimits, BftVec};
pub use storage::{BftParts, BftPartsRef, BftSlots, BftStorage, PeerSlot, VoteSlot};
pub use timers::Timer;
