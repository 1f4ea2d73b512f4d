//! A node of the ring and its store, without sockets and clock.
//!
//! | file | content |
//! |---|---|
//! | `member` | the machine: a node, its store, and the messages of others |
//! | `owner` | the owner's side of a member: answers, versions and copies |
//! | `command` | the client's side of a member: commands for the owner of a key |
//! | `sync` | how owners and those that keep copies agree |
//! | `stream` | entries on their way to others |
//! | `table` | the entries of one node, with limits and expiry |
//! | `report` | what a node says about itself |
//! | `cookies` | who has shown that it receives at its address |
//! | `transfer` | the messages, and their bytes in `codec` |
//! | `agree`, `churn`, `laws` | tests of all together |

#[cfg(test)]
mod agree;
#[cfg(test)]
mod churn;
mod codec;
mod command;
mod cookies;
#[cfg(test)]
mod laws;
mod member;
mod owner;
mod pending;
mod report;
mod stream;
mod sync;
mod table;
mod transfer;

pub use codec::{Letter, read_entry, write_entry};
pub use cookies::Cookies;
pub use member::{Answer, Member, MemberEvent, PATIENCE};
pub use report::{Report, read_fingers};
pub use table::{Limits, Saved, Store};
pub use transfer::{Change, Entry, FIRST, LONGEST, Transfer};
