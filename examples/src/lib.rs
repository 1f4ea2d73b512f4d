//! What a person runs. The binary `tour` is the place to begin.
//!
//! This page is the README of the whole, so that its code is compiled.
#![doc = include_str!("../../README.md")]
#![forbid(unsafe_code)]

pub mod chart;
pub mod cli;
pub mod dht;
pub mod graph;
pub mod interrupt;
pub mod progress;
pub mod random;
pub mod svg;
