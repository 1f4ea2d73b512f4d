//! The web seeds of a session: what they and the torrent send to each other.

use std::io;

use bittorrent_pieces::web_seed::WebSeedEvent;
use bittorrent_pieces::{ConnId, Side};

use super::json::Json;
use super::session::Session;
use super::shared::Shared;
use super::web::{Part, Web, WebPart, urls};

impl Session<'_> {
    /// Starts the web seeds of the torrent and of the link that named it.
    pub fn start_web_seeds(&mut self, shared: &Shared, linked: &[String]) -> Result<(), String> {
        if !self.args.web_seeds || self.torrent.is_complete() {
            return Ok(());
        }
        let now = shared.net.now();
        for (nth, seed) in urls(self.metainfo, linked).into_iter().enumerate() {
            let geometry = self.torrent.geometry();
            let mailbox = shared.net.mailbox();
            let web = Web::start(self.number, nth, seed, self.metainfo, geometry, mailbox)?;
            if self.torrent.handle_connected(now, web.conn, Side::Dialled).is_ok() {
                let fields = vec![("url", Json::text(&web.url))];
                self.report.event("web_seed", fields, || format!("web seed {}", web.url));
                self.web_seeds.push(web);
            }
        }
        Ok(())
    }

    /// Keeps a part of a response.
    pub fn web_arrived(&mut self, part: WebPart) {
        let Some(web) = self.web_seeds.iter_mut().find(|web| web.conn == part.conn) else { return };
        if let Part::End(Some(error)) = &part.part {
            let fields = vec![("url", Json::text(&web.url)), ("error", Json::text(error))];
            self.report.event("web_seed_failed", fields, || format!("{}: {error}", web.url));
        }
        web.arrived(part);
    }

    /// Removes a web seed.
    pub fn end_web_seed(&mut self, conn: ConnId, reason: &dyn core::fmt::Display) {
        let Some(at) = self.web_seeds.iter().position(|web| web.conn == conn) else { return };
        let web = self.web_seeds.remove(at);
        let fields = vec![("url", Json::text(&web.url)), ("reason", Json::text(reason))];
        self.report.event("web_seed_closed", fields, || format!("{}: closed: {reason}", web.url));
    }

    /// Passes on what torrent and web seeds have for each other, and what the servers sent.
    pub fn turn_web_seeds(&mut self, shared: &mut Shared) -> io::Result<()> {
        let conns: Vec<ConnId> = self.web_seeds.iter().map(|web| web.conn).collect();
        for conn in conns {
            // The web seed may end meanwhile.
            while let Some(at) = self.web_seeds.iter().position(|web| web.conn == conn) {
                if !self.turn_web_seed(shared, at)? {
                    break;
                }
                while let Some(event) = self.torrent.poll_event() {
                    self.react(shared, event)?;
                }
            }
        }
        Ok(())
    }

    /// Passes on what there is; returns whether anything moved.
    fn turn_web_seed(&mut self, shared: &mut Shared, at: usize) -> io::Result<bool> {
        let now = shared.net.now();
        let Some(web) = self.web_seeds.get_mut(at) else { return Ok(false) };
        let conn = web.conn;
        if web.machine.poll_timeout().is_some_and(|due| due <= now) {
            web.machine.handle_timeout(now);
        }
        let mut moved = shared.down.allows(now) && web.advance(now).is_some();
        let mut buf = vec![0; web.machine.transmit_len()];
        while let Some(sent) =
            self.torrent.poll_transmit_to(conn, &mut buf).map_err(io::Error::other)?
        {
            web.pending.extend_from_slice(&buf[..sent.len]);
            moved = true;
        }
        let used = web.machine.handle_bytes(now, &web.pending).map_err(io::Error::other)?;
        web.pending.drain(..used);
        let sent = web.machine.poll_transmit(&mut buf).map_err(io::Error::other)?;
        let event = web.machine.poll_event();
        match event {
            Some(WebSeedEvent::Get(get)) => web.get(&get, self.metainfo),
            Some(WebSeedEvent::Abort { .. }) => web.abort(),
            _ => {}
        }
        moved |= sent.is_some() || event.is_some();
        if let Some(len) = sent {
            self.accept(shared, conn, &buf[..len])?;
        }
        if let Some(WebSeedEvent::Closed { reason }) = event {
            self.torrent.handle_closed(now, conn);
            self.end_web_seed(conn, &reason);
        }
        Ok(moved)
    }
}
