//! What is known of a connection, a bit for each fact.

/// Declares a set of flags: a getter and a setter for each bit.
macro_rules! flags {
    ($($(#[$meta:meta])* $get:ident, $set:ident: $bit:literal;)*) => {
        impl Flags {
            $(
                $(#[$meta])*
                pub(crate) const fn $get(self) -> bool {
                    self.0 & (1 << $bit) != 0
                }

                pub(crate) const fn $set(&mut self, on: bool) {
                    self.0 = if on { self.0 | (1 << $bit) } else { self.0 & !(1 << $bit) };
                }
            )*
        }
    };
}

/// What was sent, what is due, and what was negotiated, a bit for each; and a small number.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Flags(u32);

flags! {
    dialled, set_dialled: 0;
    /// The event is due.
    connected_due, set_connected_due: 1;
    handshake_sent, set_handshake_sent: 2;
    bitfield_sent, set_bitfield_sent: 3;
    extended_handshake_sent, set_extended_handshake_sent: 4;
    port_sent, set_port_sent: 5;
    fast, set_fast: 6;
    extended, set_extended: 7;
    dht, set_dht: 8;
    /// It is counted as having all pieces.
    seed, set_seed: 9;
    /// Our interest, as sent.
    interested, set_interested: 10;
    /// Our unchoke, as sent.
    unchoked, set_unchoked: 11;
    unchokes_us, set_unchokes_us: 12;
    keepalive_due, set_keepalive_due: 13;
    pex_due, set_pex_due: 14;
    pex_received, set_pex_received: 15;
    snubbed, set_snubbed: 16;
    /// We super-seed to it.
    super_seeding, set_super_seeding: 17;
    /// The piece of super-seeding is to be announced.
    offer_due, set_offer_due: 18;
    /// It sent a part of a piece that failed.
    parole, set_parole: 19;
    /// It rejected a request, and gets none before the next round.
    rejected_until_round, set_rejected_until_round: 20;
    /// It sent a bitfield, have-all or have-none.
    pieces_received, set_pieces_received: 21;
    /// The picker had nothing for it, in its current generation.
    exhausted, set_exhausted: 22;
    /// It downloads nothing (BEP 21).
    upload_only, set_upload_only: 23;
    /// The connection uses version 2 of a hybrid torrent (BEP 52).
    version2, set_version2: 24;
}

impl Flags {
    pub(super) const NONE: Self = Self(0);

    /// Returns what is left of this round for hash requests, in units of 1,024 nodes: the top seven bits.
    pub(crate) const fn hash_budget(self) -> u8 {
        let [top, ..] = self.0.to_be_bytes();
        top >> 1
    }

    /// Sets it; at most 127.
    pub(crate) const fn set_hash_budget(&mut self, budget: u8) {
        let [top, a, b, c] = self.0.to_be_bytes();
        self.0 = u32::from_be_bytes([budget << 1 | top & 1, a, b, c]);
    }
}

#[cfg(test)]
mod tests {
    use super::Flags;

    #[test]
    fn the_flags_and_the_budget_share_a_word() {
        for version2 in [false, true] {
            let mut flags = Flags::NONE;
            flags.set_version2(version2); // next to the budget
            flags.set_dialled(true);
            for budget in [127, 1, 64, 0] {
                flags.set_hash_budget(budget);
                assert_eq!(flags.hash_budget(), budget);
                assert_eq!((flags.version2(), flags.dialled()), (version2, true));
            }
            flags.set_hash_budget(99);
            flags.set_version2(!version2);
            flags.set_upload_only(true);
            assert_eq!((flags.hash_budget(), flags.version2()), (99, !version2));
        }
    }
}
