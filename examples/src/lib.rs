//! What a person runs. The binary `tour` is the place to begin.
//!
//! The programs share this library:
//!
//! | module | use |
//! |---|---|
//! | [`tcp`], [`udp`] | drivers: the loop around a stream machine, and around a datagram machine |
//! | [`dht`] | a node of the DHT over [`udp`] |
//! | [`storage`] | files that are replaced as a whole |
//! | [`cli`], [`progress`], [`interrupt`] | arguments, exit codes and errors; progress; signals |
//! | [`chart`], [`svg`] | charts |
//! | [`rules`] | the error of chains that mix work with stake or authority |
//! | [`overtake`] | how likely a double spend is |
//! | [`graph`], [`random`] | random graphs, the same for the same seed; random bytes |
//!
//! This page is the README of the whole, so that its code is compiled.
#![doc = include_str!("../../README.md")]
#![forbid(unsafe_code)]

pub mod chart;
pub mod cli;
pub mod dht;
pub mod interrupt;
pub mod overtake;
pub mod progress;
pub mod random;
pub mod rules;
pub mod storage;
pub mod svg;
pub mod tcp;
pub mod udp;

pub use web::graph;
