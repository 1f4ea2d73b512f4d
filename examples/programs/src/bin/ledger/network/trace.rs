//! A trace of a node: one line for each message, block and connection, each a list of `name=value`.

use core::fmt::Display;
use core::time::Duration;
use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::path::Path;

use examples::cli::{self, failed};
use ledger_core::ConnId;
use ledger_core::gossip::Message;

/// Where the lines go, if anywhere. Several nodes may share a file: a line is written at once.
#[derive(Debug, Default)]
pub struct Trace(Option<(File, usize)>);

impl Trace {
    /// Appends to a file. `number` is that of the node.
    pub fn open(path: &Path, number: usize) -> cli::Result<Self> {
        let file = OpenOptions::new().append(true).create(true).open(path);
        Ok(Self(Some((file.map_err(failed("open", path))?, number))))
    }

    /// Notes a message that was received.
    pub fn received(&mut self, now: Duration, conn: ConnId, message: &Message<'_>) {
        self.line(now, format_args!("conn={} dir=in msg={message}", conn.0));
    }

    /// Notes the bytes of a message that is sent.
    pub fn sent(&mut self, now: Duration, conn: ConnId, bytes: &[u8]) {
        if self.0.is_some()
            && let Ok((message, _)) = Message::decode(bytes)
        {
            self.line(now, format_args!("conn={} dir=out msg={message}", conn.0));
        }
    }

    /// Notes an event.
    pub fn event(&mut self, now: Duration, what: impl Display) {
        self.line(now, what);
    }

    fn line(&mut self, now: Duration, what: impl Display) {
        let Some((file, number)) = &mut self.0 else { return };
        let seconds = now.as_secs_f64();
        // A trace that cannot be written stops no node.
        let _ = file.write_all(format!("time={seconds:.3} node={number} {what}\n").as_bytes());
    }
}
