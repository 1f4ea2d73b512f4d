//! The trace: one line of JSON for each message and event. Views and comparisons read it.

use core::fmt::{Display, Write as _};
use core::time::Duration;
use std::fs::File;
use std::io::{self, BufWriter, Write as _};
use std::path::Path;

use crate::net::NodeId;

pub struct Trace {
    out: BufWriter<File>,
    stage: &'static str,
    line: String,
    text: String,
}

impl Trace {
    pub fn create(path: &Path) -> io::Result<Self> {
        let out = BufWriter::new(File::create(path)?);
        Ok(Self { out, stage: "", line: String::new(), text: String::new() })
    }

    pub fn begin(&mut self, stage: &'static str) {
        self.stage = stage;
    }

    pub fn message(
        &mut self,
        at: Duration,
        from: NodeId,
        to: NodeId,
        protocol: &str,
        bytes: usize,
        say: &dyn Display,
    ) -> io::Result<()> {
        self.open(at);
        let _ = write!(
            self.line,
            r#""from":{},"to":{},"in":"{protocol}","bytes":{bytes},"say":"#,
            from.0, to.0
        );
        self.close(say)
    }

    pub fn note(&mut self, at: Duration, node: NodeId, what: &dyn Display) -> io::Result<()> {
        self.open(at);
        let _ = write!(self.line, r#""node":{},"note":"#, node.0);
        self.close(what)
    }

    pub fn finish(&mut self) -> io::Result<()> {
        self.out.flush()
    }

    fn open(&mut self, at: Duration) {
        self.line.clear();
        let _ = write!(self.line, r#"{{"t":{},"stage":"{}","#, at.as_micros(), self.stage);
    }

    fn close(&mut self, text: &dyn Display) -> io::Result<()> {
        self.text.clear();
        let _ = write!(self.text, "{text}");
        quote(&self.text, &mut self.line);
        self.line.push_str("}\n");
        self.out.write_all(self.line.as_bytes())
    }
}

/// Appends `text` as a JSON string.
pub fn quote(text: &str, out: &mut String) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '<' => out.push_str("\\u003c"), // so that it can stand in a page
            c if c.is_control() => {
                let _ = write!(out, "\\u{:04x}", c as u32);
            }
            c => out.push(c),
        }
    }
    out.push('"');
}
