//! Banned addresses.

use core::net::SocketAddr;
use core::time::Duration;

use super::event::CloseReason;
use super::inner::View;
use super::slots::{Ban, Conn, Phase};
use crate::network::Network;

/// The most that a ban grows: 2^6 times the first.
const GROWTH: u8 = 6;

impl View<'_> {
    pub(super) fn is_banned(&self, addr: SocketAddr, now: Duration) -> bool {
        let bans = self.parts.bans.iter().filter_map(|slot| slot.0);
        bans.into_iter().any(|ban| ban.until > now && ban.covers(addr))
    }

    /// Bans the address of a connection that is out of its slot. Of a local address, behind which there may be
    /// several peers, only the port is banned.
    pub(super) fn ban(&mut self, ended: &Conn) {
        let local = Network::of(ended.addr.ip()).is_local();
        let addr = ended.listening().unwrap_or(ended.addr);
        let port = local.then_some(addr.port());
        self.add_ban(addr, port);
        for slot in self.parts.addresses.iter_mut() {
            slot.0 = slot.0.filter(|entry| !covers(addr, port, entry.addr));
        }
        for conn in self.parts.conns.iter_mut().filter_map(|slot| slot.0.as_mut()) {
            let end = conn.listening().unwrap_or(conn.addr);
            if conn.is_connected() && covers(addr, port, end) {
                let reason = CloseReason::Banned;
                let displaced = conn.displaced;
                *conn = Conn::new(Phase::Closed(reason), conn.id, conn.addr, self.core.now);
                conn.displaced = displaced;
            }
        }
    }

    fn add_ban(&mut self, addr: SocketAddr, port: Option<u16>) {
        let now = self.core.now;
        let same = |ban: &Ban| ban.ip == addr.ip() && ban.port == port && ban.forget_at > now;
        let known = self.parts.bans.iter().position(|slot| slot.0.as_ref().is_some_and(same));
        // An unused slot sorts first, then the ban that is forgotten first.
        let slots = self.parts.bans.iter().enumerate();
        let oldest = slots.min_by_key(|(_, slot)| slot.0.map(|ban| ban.forget_at));
        let Some(index) = known.or(oldest.map(|(index, _)| index)) else { return };
        let Some(slot) = self.parts.bans.get_mut(index) else { return };
        let before = slot.0.filter(same).map_or(0, |ban| ban.strikes);
        let factor = 1_u32.checked_shl(before.min(GROWTH).into()).unwrap_or(1);
        let span = self.core.config.ban.saturating_mul(factor);
        let until = now.saturating_add(span);
        slot.0 = Some(Ban {
            ip: addr.ip(),
            port,
            until,
            forget_at: until.saturating_add(span),
            strikes: before.saturating_add(1),
        });
    }
}

fn covers(banned: SocketAddr, port: Option<u16>, addr: SocketAddr) -> bool {
    banned.ip() == addr.ip() && port.is_none_or(|port| port == addr.port())
}
