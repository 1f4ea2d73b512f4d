//! The crates at work in virtual time, for a page and for lessons.
//!
//! Five [worlds](World) run the crates of the family: [`flood`], [`ring`], [`swarm`], [`chain`] and [`stake`]. A world is a
//! function of its setup, its commands and the time, so the [`Player`] can go back, and the same seed gives the same
//! trace in a browser and in a native test. Nothing here decides what a protocol does: a world carries bytes between
//! machines, calls them when a deadline is due, and describes what they are.
//!
//! The module `ffi`, in builds for WebAssembly, is what the page calls. Elsewhere its exported functions would keep all of
//! this in every program.
#![forbid(unsafe_op_in_unsafe_fn)]
#![deny(missing_docs)]

pub mod chain;
#[cfg(target_family = "wasm")]
pub mod ffi;
pub mod flood;
pub mod json;
pub mod options;
pub mod player;
pub mod post;
pub mod ring;
pub mod stake;
pub mod swarm;

pub use json::Json;
pub use options::Options;
pub use player::Player;

use core::time::Duration;

/// A world of machines in virtual time.
pub trait World {
    /// Carries out a command of the user, such as `kill 8`; returns a sentence about it.
    ///
    /// # Errors
    ///
    /// A sentence that says what is wrong with the command. The world is unchanged.
    fn command(&mut self, words: &[&str]) -> Result<String, String>;

    /// Returns when the next thing happens: a message arrives or a deadline is due.
    fn next_at(&self) -> Option<Duration>;

    /// Lets everything happen that is due at or before `until`, and sets the clock to it.
    fn advance(&mut self, until: Duration);

    /// Describes the world. `selected` is the node whose state the user wants to see.
    fn view(&self, selected: Option<u32>) -> Json;

    /// Returns the messages under way and those that have arrived.
    fn post(&self) -> &post::Post;
}
