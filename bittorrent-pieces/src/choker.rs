//! Whom to upload to.

use crate::ConnId;
use crate::rng::Rng;

/// How many rounds an optimistic unchoke lasts: 30 seconds.
const ROTATION: u8 = 3;
/// How much more likely than others a newcomer becomes the optimistic unchoke.
const NEWCOMER_WEIGHT: u32 = 3;

/// Decides every ten seconds who may ask for blocks (BEP 3, "choking"; Cohen 2003, section 3).
///
/// The interested peers of the best rates have a slot each, but one slot goes to an optimistic
/// unchoke, drawn at random every third round; newcomers are three times as likely. Peers that are
/// not interested but have a better rate than the last of them are unchoked too, and lose that, or
/// take a slot, when they become interested. Snubbed peers get a slot only by a draw.
///
/// ```
/// use bittorrent_pieces::{Candidate, Choker, ConnId};
///
/// let mut peers = [1, 2, 3].map(|n| Candidate::new(ConnId(n)));
/// peers[1].interested = true;
/// Choker::new(4, 0).round(&mut peers, |peer| Some(peer));
/// assert_eq!(peers.map(|peer| peer.unchoked), [false, true, false]);
/// ```
#[derive(Debug, Clone)]
pub struct Choker {
    slots: u8,
    rounds: u8, // since the optimistic unchoke was drawn
    optimistic: Option<ConnId>,
    rng: Rng,
}

/// What the choker knows of a peer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
pub struct Candidate {
    /// The peer.
    pub conn: ConnId,
    /// Whether it wants something of us.
    pub interested: bool,
    /// Whether it leaves us waiting: 60 seconds without a block. Always `false` for a seed.
    pub snubbed: bool,
    /// Whether it came a short while ago.
    pub newcomer: bool,
    /// Bytes that it gave us of late, or that it took if we are a seed.
    pub rate: u64,
    /// The decision.
    pub unchoked: bool,
    chosen: bool, // in this round
}

impl Candidate {
    /// Creates a peer that is choked, not interested, and gave nothing.
    #[must_use]
    pub const fn new(conn: ConnId) -> Self {
        Self {
            conn,
            interested: false,
            snubbed: false,
            newcomer: false,
            rate: 0,
            unchoked: false,
            chosen: false,
        }
    }
}

impl Choker {
    /// Creates a choker of so many slots (BEP 3: 4), the optimistic one included.
    #[must_use]
    pub const fn new(slots: u8, seed: u64) -> Self {
        Self { slots, rounds: 0, optimistic: None, rng: Rng::new(seed) }
    }

    /// Decides anew; to be called every ten seconds. `card` finds the candidate in each of `peers`,
    /// which may be slots of a larger table.
    pub fn round<T>(
        &mut self,
        peers: &mut [T],
        card: impl Fn(&mut T) -> Option<&mut Candidate> + Copy,
    ) {
        cards(peers, card).for_each(|peer| peer.chosen = false);
        let rotate = self.rounds == 0;
        self.rounds = self.rounds.saturating_add(1) % ROTATION;
        self.renew_optimistic(peers, card, rotate);
        let mut free = self.slots;
        if let Some(peer) = cards(peers, card).find(|peer| Some(peer.conn) == self.optimistic) {
            peer.chosen = true;
            free = free.saturating_sub(1);
        }
        let mut worst = 0;
        while free > 0 {
            let ranked = cards(peers, card).rev();
            let ranked = ranked.filter(|peer| peer.interested && !peer.snubbed && !peer.chosen);
            let Some(best) = ranked.max_by_key(|peer| (peer.rate, peer.unchoked)) else { break };
            (best.chosen, worst) = (true, best.rate);
            free = free.saturating_sub(1);
        }
        let full = free == 0;
        while free > 0 {
            // Slots that snubs left empty are drawn for.
            let waits = |peer: &Candidate| peer.interested && !peer.chosen;
            let keeps = |peer: &Candidate| waits(peer) && peer.unchoked && !rotate;
            let drawn = self.draw(peers, card, keeps).or_else(|| self.draw(peers, card, waits));
            let Some(conn) = drawn else { break };
            cards(peers, card).filter(|peer| peer.conn == conn).for_each(|peer| peer.chosen = true);
            free = free.saturating_sub(1);
        }
        let bar = if full { worst } else { 0 };
        for peer in cards(peers, card) {
            peer.unchoked = peer.chosen || (!peer.interested && peer.rate > bar && self.slots > 0);
        }
    }

    /// Mends the decision between two rounds, after a peer changed its interest, came or went: a
    /// slot too many is taken back from the worst, and a free one is given to the best.
    pub fn mend<T>(
        &mut self,
        peers: &mut [T],
        card: impl Fn(&mut T) -> Option<&mut Candidate> + Copy,
    ) {
        let unchoked = cards(peers, card).filter(|peer| peer.interested && peer.unchoked).count();
        let slots = usize::from(self.slots);
        for _ in slots..unchoked {
            let taken = cards(peers, card).filter(|peer| peer.interested && peer.unchoked);
            let worst = taken.min_by_key(|peer| (Some(peer.conn) == self.optimistic, peer.rate));
            if let Some(worst) = worst {
                worst.unchoked = false;
            }
        }
        for _ in unchoked..slots {
            let waiting = cards(peers, card).rev();
            let waiting = waiting.filter(|peer| peer.interested && !peer.unchoked && !peer.snubbed);
            let Some(best) = waiting.max_by_key(|peer| peer.rate) else { break };
            best.unchoked = true;
        }
    }

    /// Returns the peer that is unchoked whatever its rate.
    #[must_use]
    pub const fn optimistic(&self) -> Option<ConnId> {
        self.optimistic
    }

    fn renew_optimistic<T>(
        &mut self,
        peers: &mut [T],
        card: impl Fn(&mut T) -> Option<&mut Candidate> + Copy,
        rotate: bool,
    ) {
        let holder = self.optimistic;
        let stays = holder
            .filter(|conn| cards(peers, card).any(|peer| peer.conn == *conn && peer.interested));
        if rotate || stays.is_none() {
            // Whoever has a slot by its rate needs no luck.
            let drawn = self.draw(peers, card, |peer| peer.interested && !peer.unchoked);
            self.optimistic = drawn.or(stays).filter(|_| self.slots > 0);
        }
    }

    fn draw<T>(
        &mut self,
        peers: &mut [T],
        card: impl Fn(&mut T) -> Option<&mut Candidate> + Copy,
        may: impl Fn(&Candidate) -> bool,
    ) -> Option<ConnId> {
        let weight = |peer: &Candidate| if peer.newcomer { NEWCOMER_WEIGHT } else { 1 };
        let tickets = cards(peers, card).filter(|peer| may(peer)).map(|peer| weight(peer));
        let mut ticket = self.rng.below(tickets.fold(0, u32::saturating_add));
        cards(peers, card).filter(|peer| may(peer)).find_map(|peer| {
            let next = ticket.checked_sub(weight(peer));
            ticket = next.unwrap_or(0);
            next.is_none().then_some(peer.conn)
        })
    }
}

fn cards<T>(
    peers: &mut [T],
    card: impl Fn(&mut T) -> Option<&mut Candidate> + Copy,
) -> impl DoubleEndedIterator<Item = &mut Candidate> {
    peers.iter_mut().filter_map(card)
}
