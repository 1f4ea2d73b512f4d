//! Which peers to unchoke.

use crate::id::ConnId;
use crate::rng::Rng;

/// How many rounds an optimistic unchoke lasts: 30 seconds.
const ROTATION: u8 = 3;
/// How much more likely than others a newcomer becomes the optimistic unchoke.
const NEWCOMER_WEIGHT: u32 = 3;

/// Decides every ten seconds which peers may request blocks (BEP 3, "choking"; Cohen 2003, section 3).
///
/// The interested peers of the best rates have a slot each, but one slot goes to an optimistic
/// unchoke, drawn at random every third round; newcomers are three times as likely. Peers that are
/// not interested but have a better rate than the last of them are unchoked too, and lose that, or
/// take a slot, when they become interested. Snubbed peers get a slot only by a draw, unfair ones get none.
///
/// ```
/// use bittorrent_pieces::choker::Candidate;
/// use bittorrent_pieces::{Choker, ConnId};
///
/// let mut peers = [1, 2, 3].map(|n| Candidate::new(ConnId(n)));
/// peers[1].interested = true;
/// Choker::new(4, 0).round(&mut peers, |peer| Some(peer));
/// assert_eq!(peers.map(|peer| peer.unchoked), [false, true, false]);
/// ```
///
/// That is [`ChokerPolicy::new`]; other policies rank and draw as libtorrent does.
#[derive(Debug, Clone, PartialEq)]
pub struct Choker {
    rules: Rules,
    state: State,
}

/// What the choker goes by.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Rules {
    pub(crate) policy: ChokerPolicy,
    pub(crate) slots: u8,
}

/// What the choker remembers from round to round.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct State {
    rounds: u8, // since the optimistic unchoke was drawn
    optimistic: Option<ConnId>,
    rng: Rng,
}

/// How a [`Choker`] decides. [`ChokerPolicy::new`] has the rules of BEP 3.
///
/// ```
/// use bittorrent_pieces::ChokerPolicy;
/// use bittorrent_pieces::choker::{OptimisticUnchoke, UnchokeOrder};
///
/// let mut seed = ChokerPolicy::new();
/// seed.order = UnchokeOrder::RoundRobin { quota: 20 << 18, rounds: 6 };
/// seed.optimistic = OptimisticUnchoke::LongestWaiting;
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct ChokerPolicy {
    /// Which peer is best.
    pub order: UnchokeOrder,
    /// Which peer gets the optimistic unchoke.
    pub optimistic: OptimisticUnchoke,
    /// How many of the slots are used.
    pub slots: Slots,
}

impl ChokerPolicy {
    /// For a seed: all interested peers in turn, three rounds each, however much they take.
    pub const SEED: Self = Self {
        order: UnchokeOrder::RoundRobin { quota: 0, rounds: 3 },
        optimistic: OptimisticUnchoke::Draw,
        slots: Slots::Fixed,
    };

    /// Returns the rules of BEP 3.
    #[must_use]
    pub const fn new() -> Self {
        Self { order: UnchokeOrder::Rate, optimistic: OptimisticUnchoke::Draw, slots: Slots::Fixed }
    }
}

impl Default for ChokerPolicy {
    fn default() -> Self {
        Self::new()
    }
}

/// Which peer is best; all but the first are for seeds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum UnchokeOrder {
    /// The highest [`rate`](Candidate::rate): of a peer's upload to us, or if we are a seed of its download, which
    /// is libtorrent's `fastest_upload`. Those without a rate take turns.
    Rate,
    /// All in turn: a peer goes behind those that wait once it downloaded `quota` bytes and was served for
    /// `rounds` rounds (libtorrent's default as a seed: 20 pieces and a minute, 4 rounds of 15 s).
    RoundRobin {
        /// Bytes.
        quota: u32,
        /// Rounds.
        rounds: u16,
    },
    /// Those that have least or most of the content: a beginner has nothing to upload yet, and a
    /// peer about to finish becomes a seed (libtorrent's `anti_leech`).
    AntiLeech,
}

/// Which peer gets the optimistic unchoke.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum OptimisticUnchoke {
    /// A draw, in which newcomers count three times (BEP 3).
    Draw,
    /// The one that has waited longest (libtorrent).
    LongestWaiting,
}

/// How many of the slots are used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum Slots {
    /// All.
    Fixed,
    /// One more than there are peers that take their share: the fastest at least `first` bytes a
    /// round, each other `step` more than the one before (libtorrent's rate-based choker: 1 KiB/s and
    /// 2 KiB/s).
    ByRate {
        /// Bytes of a round.
        first: u32,
        /// Bytes of a round.
        step: u32,
    },
}

/// What the choker knows of a peer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
pub struct Candidate {
    /// The peer.
    pub conn: ConnId,
    /// Whether it is interested in our pieces.
    pub interested: bool,
    /// Whether it leaves us waiting: 60 seconds without a block. Always `false` for a seed.
    pub snubbed: bool,
    /// Whether it came a short while ago.
    pub newcomer: bool,
    /// Recent bytes that it uploaded to us, or that it downloaded if we are a seed.
    pub rate: u32,
    /// Bytes that it took since the last round.
    pub sent: u32,
    /// Whether it requested what it cannot need since the last round: a block that it was sent, or a piece that was
    /// not announced to it. It gets no slot in the next round.
    pub unfair: bool,
    /// How much of the content it has, in thousandths.
    pub progress: u16,
    /// The decision.
    pub unchoked: bool,
    chosen: bool, // in this round
    waited: u16,  // rounds since it was unchoked
    served: u16,  // rounds that it is unchoked
    taken: u32,   // bytes, since it is unchoked
}

impl Candidate {
    /// Creates a peer that is choked, not interested, and has uploaded nothing.
    #[must_use]
    pub const fn new(conn: ConnId) -> Self {
        Self {
            conn,
            interested: false,
            snubbed: false,
            newcomer: false,
            rate: 0,
            sent: 0,
            unfair: false,
            progress: 0,
            unchoked: false,
            chosen: false,
            waited: 0,
            served: 0,
            taken: 0,
        }
    }
}

impl Candidate {
    /// Returns whether it may have a slot for which interested peers compete.
    const fn competes(&self) -> bool {
        self.interested && !self.unfair
    }

    /// Begins a round.
    fn count(&mut self) {
        self.chosen = false;
        if self.unchoked {
            self.served = self.served.saturating_add(1);
            self.taken = self.taken.saturating_add(self.sent);
            self.waited = 0;
        } else {
            self.waited = self.waited.saturating_add(1);
            self.served = 0;
            self.taken = 0;
        }
    }

    /// The higher, the better.
    fn score(&self, order: UnchokeOrder) -> (u32, u32, u16) {
        match order {
            // Of those that gave nothing, none keeps a slot for having it: else the first to ask would.
            UnchokeOrder::Rate if self.rate == 0 => (0, 0, self.waited),
            UnchokeOrder::Rate => (self.rate, u32::from(self.unchoked), 0),
            UnchokeOrder::RoundRobin { quota, rounds } => {
                let done = self.served >= rounds && self.taken >= quota;
                (u32::from(!done), u32::from(self.unchoked), self.waited)
            }
            UnchokeOrder::AntiLeech => {
                let from_half = self.progress.saturating_mul(2).abs_diff(1000);
                (u32::from(from_half), self.rate, self.waited)
            }
        }
    }
}

impl Choker {
    /// Creates a choker of `slots` slots (BEP 3: 4), the optimistic one included.
    #[must_use]
    pub const fn new(slots: u8, seed: u64) -> Self {
        Self::with_policy(ChokerPolicy::new(), slots, seed)
    }

    /// Creates a choker of at most `slots` slots with another policy.
    #[must_use]
    pub const fn with_policy(policy: ChokerPolicy, slots: u8, seed: u64) -> Self {
        Self { rules: Rules { policy, slots }, state: State::new(seed) }
    }

    /// Changes how it decides, from the next round on: a download that became complete ranks as a
    /// seed does.
    pub fn set_policy(&mut self, policy: ChokerPolicy) {
        self.rules.policy = policy;
    }

    /// Decides again; to be called every ten seconds. `candidate` finds the candidate in each of `peers`,
    /// which may be slots of a larger table.
    pub fn round<T>(
        &mut self,
        peers: &mut [T],
        candidate: impl Fn(&mut T) -> Option<&mut Candidate> + Copy,
    ) {
        self.state.round(self.rules, peers, candidate);
    }

    /// Adapts the decision between two rounds, after a peer changed its interest, connected or left:
    /// a slot too many is taken from the worst, and a free one goes to the best.
    pub fn rebalance<T>(
        &mut self,
        peers: &mut [T],
        candidate: impl Fn(&mut T) -> Option<&mut Candidate> + Copy,
    ) {
        self.state.rebalance(self.rules, peers, candidate);
    }

    /// Returns the peer that is unchoked whatever its rate.
    #[must_use]
    pub const fn optimistic(&self) -> Option<ConnId> {
        self.state.optimistic
    }
}

impl State {
    pub(crate) const fn new(seed: u64) -> Self {
        Self { rounds: 0, optimistic: None, rng: Rng::new(seed) }
    }

    /// See [`Choker::optimistic`].
    pub(crate) const fn optimistic(&self) -> Option<ConnId> {
        self.optimistic
    }

    /// See [`Choker::round`].
    pub(crate) fn round<T>(
        &mut self,
        rules: Rules,
        peers: &mut [T],
        candidate: impl Fn(&mut T) -> Option<&mut Candidate> + Copy,
    ) {
        candidates(peers, candidate).for_each(Candidate::count);
        let rotate = self.rounds == 0;
        self.rounds = self.rounds.saturating_add(1) % ROTATION;
        self.renew_optimistic(rules, peers, candidate, rotate);
        let mut free = open(rules, peers, candidate);
        if let Some(peer) =
            candidates(peers, candidate).find(|peer| Some(peer.conn) == self.optimistic)
        {
            peer.chosen = true;
            free = free.saturating_sub(1);
        }
        let mut worst = 0;
        while free > 0 {
            let ranked = candidates(peers, candidate).rev();
            let ranked = ranked.filter(|peer| peer.competes() && !peer.snubbed && !peer.chosen);
            let Some(best) = ranked.max_by_key(|peer| peer.score(rules.policy.order)) else {
                break;
            };
            best.chosen = true;
            worst = best.rate;
            free = free.saturating_sub(1);
        }
        let full = free == 0;
        while free > 0 {
            // Slots that snubs left empty are drawn for.
            let waits = |peer: &Candidate| peer.competes() && !peer.chosen;
            let keeps = |peer: &Candidate| waits(peer) && peer.unchoked && !rotate;
            let drawn =
                self.draw(peers, candidate, keeps).or_else(|| self.draw(peers, candidate, waits));
            let Some(conn) = drawn else { break };
            candidates(peers, candidate)
                .filter(|peer| peer.conn == conn)
                .for_each(|peer| peer.chosen = true);
            free = free.saturating_sub(1);
        }
        let bar = if full { worst } else { 0 };
        let by_rate = rules.policy.order == UnchokeOrder::Rate && rules.slots > 0;
        for peer in candidates(peers, candidate) {
            let better = by_rate && !peer.interested && peer.rate > bar;
            peer.unchoked = peer.chosen || better;
        }
    }

    /// See [`Choker::rebalance`].
    pub(crate) fn rebalance<T>(
        &mut self,
        rules: Rules,
        peers: &mut [T],
        candidate: impl Fn(&mut T) -> Option<&mut Candidate> + Copy,
    ) {
        let unchoked =
            candidates(peers, candidate).filter(|peer| peer.interested && peer.unchoked).count();
        let slots = usize::from(open(rules, peers, candidate));
        for _ in slots..unchoked {
            let taken =
                candidates(peers, candidate).filter(|peer| peer.interested && peer.unchoked);
            let worst = taken.min_by_key(|peer| (Some(peer.conn) == self.optimistic, peer.rate));
            if let Some(worst) = worst {
                worst.unchoked = false;
            }
        }
        for _ in unchoked..slots {
            let waiting = candidates(peers, candidate).rev();
            let waiting = waiting.filter(|peer| peer.competes() && !peer.unchoked && !peer.snubbed);
            let Some(best) = waiting.max_by_key(|peer| peer.rate) else { break };
            best.unchoked = true;
        }
    }

    fn renew_optimistic<T>(
        &mut self,
        rules: Rules,
        peers: &mut [T],
        candidate: impl Fn(&mut T) -> Option<&mut Candidate> + Copy,
        rotate: bool,
    ) {
        let holder = self.optimistic;
        let stays = holder.filter(|conn| {
            candidates(peers, candidate).any(|peer| peer.conn == *conn && peer.competes())
        });
        if rotate || stays.is_none() {
            // A peer that has a slot by its rate does not need another.
            let waits = |peer: &Candidate| peer.competes() && !peer.unchoked;
            let drawn = match rules.policy.optimistic {
                OptimisticUnchoke::Draw => self.draw(peers, candidate, waits),
                OptimisticUnchoke::LongestWaiting => {
                    let waiting = candidates(peers, candidate).rev().filter(|peer| waits(peer));
                    waiting.max_by_key(|peer| peer.waited).map(|peer| peer.conn)
                }
            };
            self.optimistic = drawn.or(stays).filter(|_| rules.slots > 0);
        }
    }

    fn draw<T>(
        &mut self,
        peers: &mut [T],
        candidate: impl Fn(&mut T) -> Option<&mut Candidate> + Copy,
        may: impl Fn(&Candidate) -> bool,
    ) -> Option<ConnId> {
        let weight = |peer: &Candidate| u64::from(if peer.newcomer { NEWCOMER_WEIGHT } else { 1 });
        let tickets =
            candidates(peers, candidate).filter(|peer| may(peer)).map(|peer| weight(peer));
        let mut ticket = self.rng.below(tickets.fold(0, u64::saturating_add));
        candidates(peers, candidate).filter(|peer| may(peer)).find_map(|peer| {
            let next = ticket.checked_sub(weight(peer));
            ticket = next.unwrap_or(0);
            next.is_none().then_some(peer.conn)
        })
    }
}

fn candidates<T>(
    peers: &mut [T],
    candidate: impl Fn(&mut T) -> Option<&mut Candidate> + Copy,
) -> impl DoubleEndedIterator<Item = &mut Candidate> {
    peers.iter_mut().filter_map(candidate)
}

/// Returns how many slots are used in this round.
fn open<T>(
    rules: Rules,
    peers: &mut [T],
    candidate: impl Fn(&mut T) -> Option<&mut Candidate> + Copy,
) -> u8 {
    let Slots::ByRate { first, step } = rules.policy.slots else { return rules.slots };
    let mut earned = 0_u8;
    while earned < rules.slots {
        let share = step.saturating_mul(u32::from(earned)).saturating_add(first);
        let taking = candidates(peers, candidate).filter(|peer| peer.sent >= share).count();
        if taking <= usize::from(earned) {
            break;
        }
        earned = earned.saturating_add(1);
    }
    earned.saturating_add(1).min(rules.slots)
}
