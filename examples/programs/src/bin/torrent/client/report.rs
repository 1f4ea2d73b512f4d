//! What seed and get print: sentences, or lines of JSON.

use core::net::SocketAddr;
use core::time::Duration;
use std::io::IsTerminal as _;

use bittorrent_pieces::InfoHash;
use examples::progress::{self, size, span};

use super::json::Json;

/// Prints events.
#[derive(Debug)]
pub struct Report {
    json: bool,
    quiet: bool,
    terminal: bool, // standard error is one
    torrent: Option<Label>,
    shown: Duration, // when the progress was last printed
    counted: [u64; 2],
}

/// The torrent that an event is about, if there are several.
#[derive(Debug)]
struct Label {
    info_hash: InfoHash,
    name: String,
}

/// How far a torrent is.
#[derive(Debug, Clone, Copy)]
pub struct Progress {
    pub pieces: u32,
    pub have: u32,
    /// The bytes of the selected files, and those that are there.
    pub wanted: u64,
    pub here: u64,
    pub peers: usize,
    pub received: u64,
    pub sent: u64,
    /// How often the content was sent, for a seed.
    pub ratio: Option<f64>,
}

impl Report {
    pub fn new(json: bool, quiet: bool) -> Self {
        let terminal = std::io::stderr().is_terminal();
        Self { json, quiet, terminal, torrent: None, shown: Duration::ZERO, counted: [0; 2] }
    }

    /// Names the torrent in all events.
    pub fn label(&mut self, info_hash: InfoHash, name: String) {
        self.torrent = Some(Label { info_hash, name });
    }

    /// Replaces the name of the torrent, if events name it.
    pub fn rename(&mut self, name: String) {
        if let Some(label) = &mut self.torrent {
            label.name = name;
        }
    }

    /// Returns a text that names the torrent if there are several.
    fn labelled(&self, text: String) -> String {
        match &self.torrent {
            Some(Label { name, .. }) => format!("{name}: {text}"),
            None => text,
        }
    }

    /// Prints an event: its name and fields as JSON, or a sentence.
    pub fn event(
        &self,
        event: &'static str,
        fields: Vec<(&'static str, Json)>,
        sentence: impl FnOnce() -> String,
    ) {
        progress::clear();
        if self.json {
            let mut all = vec![("event", Json::text(event))];
            let torrent = self.torrent.as_ref().map(|label| Json::text(label.info_hash));
            all.extend(torrent.map(|torrent| ("torrent", torrent)));
            all.extend(fields);
            println!("{}", Json::Object(all));
        } else {
            println!("{}", self.labelled(sentence()));
        }
    }

    pub fn listening(&self, address: SocketAddr) {
        let fields = vec![("address", Json::text(address))];
        self.event("listening", fields, || format!("listening on {address}"));
    }

    pub fn found(&self, source: &str, peers: usize) {
        let fields = vec![("source", Json::text(source)), ("peers", Json::Number(peers as u64))];
        self.event("found", fields, || format!("{source} knows {peers} peers"));
    }

    pub fn closed(&self, addr: SocketAddr, reason: &impl core::fmt::Display) {
        let fields = vec![("peer", Json::text(addr)), ("reason", Json::text(reason))];
        self.event("closed", fields, || format!("{addr}: closed: {reason}"));
    }

    pub fn gave_up(&self, after: Duration) {
        let seconds = after.as_secs();
        self.event("gave_up", vec![("seconds", Json::Number(seconds))], || {
            format!("gave up: nothing arrived for {seconds} s")
        });
    }

    /// Prints a warning on standard error, or as an event.
    pub fn warning(&self, text: &str) {
        if self.json {
            self.event("warning", vec![("text", Json::text(text))], String::new);
        } else {
            progress::clear();
            eprintln!("warning: {}", self.labelled(text.to_owned()));
        }
    }

    /// Returns whether the progress is a line of a terminal that is written again and again: that of one torrent is.
    fn is_live(&self) -> bool {
        self.torrent.is_none() && self.terminal
    }

    /// Returns whether it is time for the next line of progress: on a terminal and as JSON every second, else every
    /// ten.
    pub fn is_due(&self, now: Duration) -> bool {
        let often = self.json || self.is_live();
        let interval = Duration::from_secs(if often { 1 } else { 10 });
        now.saturating_sub(self.shown) >= interval
    }

    /// Prints how far it is.
    pub fn progress(&mut self, now: Duration, state: &Progress, last: bool) {
        let since = now.saturating_sub(self.shown);
        let seconds = since.as_secs_f64().max(0.001);
        let rate = |all: u64, counted: u64| (all.saturating_sub(counted) as f64 / seconds) as u64;
        let down = rate(state.received, self.counted[0]);
        let up = rate(state.sent, self.counted[1]);
        self.shown = now;
        self.counted = [state.received, state.sent];
        if self.json {
            self.event("progress", state.fields(down, up), String::new);
        } else if self.is_live() && !last {
            progress::show(|| state.line(down, up));
        } else if !self.quiet {
            progress::clear();
            eprintln!("{}", self.labelled(state.line(down, up)));
        }
    }
}

impl Progress {
    /// Returns the time left at this rate, in bytes per second.
    fn left(&self, rate: u64) -> Option<Duration> {
        let missing = self.wanted.saturating_sub(self.here);
        (missing > 0).then(|| missing.checked_div(rate)).flatten().map(Duration::from_secs)
    }

    fn fields(&self, down: u64, up: u64) -> Vec<(&'static str, Json)> {
        vec![
            ("pieces", Json::Number(self.pieces.into())),
            ("have", Json::Number(self.have.into())),
            ("wanted_bytes", Json::Number(self.wanted)),
            ("here_bytes", Json::Number(self.here)),
            ("peers", Json::Number(self.peers as u64)),
            ("received_bytes", Json::Number(self.received)),
            ("sent_bytes", Json::Number(self.sent)),
            ("down_per_second", Json::Number(down)),
            ("up_per_second", Json::Number(up)),
            ("seconds_left", Json::option(self.left(down), |left| Json::Number(left.as_secs()))),
            ("ratio", Json::option(self.ratio, Json::Float)),
        ]
    }

    fn line(&self, down: u64, up: u64) -> String {
        let percent = self.here as f64 * 100.0 / self.wanted.max(1) as f64;
        let percent = if self.wanted == 0 { 100.0 } else { percent };
        let left = self.left(down).map(|left| format!("  {} left", span(left)));
        let ratio = self.ratio.map(|ratio| format!("  ratio {ratio:.2}"));
        format!(
            "{percent:5.1} % of {}  {}/{} pieces  {} peers  {}/s down  {}/s up{}{}",
            size(self.wanted),
            self.have,
            self.pieces,
            self.peers,
            size(down),
            size(up),
            left.unwrap_or_default(),
            ratio.unwrap_or_default(),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_has_sizes_and_the_time_left() {
        let mut state = Progress {
            pieces: 20,
            have: 5,
            wanted: 4 << 20,
            here: 1 << 20,
            peers: 3,
            received: 0,
            sent: 0,
            ratio: None,
        };
        let line = state.line(1 << 15, 0);
        assert_eq!(
            line,
            " 25.0 % of 4.0 MiB  5/20 pieces  3 peers  32.0 KiB/s down  0 bytes/s up  1 min 36 s left"
        );
        assert!(!state.line(0, 0).contains("left"));
        state.here = state.wanted;
        state.ratio = Some(1.5);
        assert!(state.line(5, 0).ends_with("up  ratio 1.50"));
    }
}
