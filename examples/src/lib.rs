//! The library that the programs share. The binary `tour` is the place to begin; the others are in the package `programs`.
//!
//! | module | use |
//! |---|---|
//! | [`tcp`], [`udp`] | drivers: the loop around a stream machine, and around a datagram machine |
//! | [`buffer`] | bytes on their way between a socket or a file and a machine |
//! | [`storage`] | files that are replaced as a whole |
//! | [`cli`], [`progress`], [`interrupt`] | arguments, exit codes and errors; progress; signals |
//! | [`chart`], [`svg`] | charts |
//! | [`rules`] | the error of chains that mix work with stake or authority |
//! | [`overtake`] | how likely a double spend is |
//! | [`random`] | random bytes |
//!
//! This page is the README of the whole, so that its code is compiled.
#![doc = include_str!("../../README.md")]
#![forbid(unsafe_code)]

pub mod buffer;
pub mod chart;
pub mod cli;
pub mod interrupt;
pub mod overtake;
pub mod progress;
pub mod random;
pub mod rules;
pub mod storage;
pub mod svg;
pub mod tcp;
pub mod udp;
