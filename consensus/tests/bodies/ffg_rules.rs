//! The FFG machine beside a plain model: Casper's rules (arXiv 1710.09437) over lists of all attestations, which grow.

use core::time::Duration;
use std::collections::BTreeSet;

use consensus::slot::{Checkpoint, FfgEvent};
use consensus::{Keys as _, SaveToken, SignedStatement, Statement, StatementKind};
use sim::laws::Input;

use super::bft::{GENESIS, id};
use super::ffg::{Engine, engine};
use super::name_keys::NameKeys;

/// The length of a slot.
const SLOT: u64 = 90;

/// A link from one checkpoint to another, by its author.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Link {
    author: usize,
    source: u64,
    target: Checkpoint,
}

#[derive(Debug)]
struct Plain {
    count: usize,
    me: Option<usize>,
    now: u64,
    slot: u64,
    head: [u8; 32],
    links: Vec<Link>,
    justified: Checkpoint,
    before: Checkpoint,
    finalized: Checkpoint,
    /// The greatest slot proposed for, source and target (EIP-3076, minimal).
    proposed: Option<u64>,
    attested: Option<(u64, u64)>,
    wish: Option<u64>,
    pending: Option<(Option<u64>, Checkpoint)>,
    offended: BTreeSet<usize>,
}

impl Plain {
    fn new(count: usize, me: usize) -> Self {
        let start = Checkpoint { slot: 0, id: GENESIS };
        Self {
            count,
            me: (me < count).then_some(me),
            now: 0,
            slot: 0,
            head: GENESIS,
            links: Vec::new(),
            justified: start,
            before: start,
            finalized: start,
            proposed: None,
            attested: None,
            wish: None,
            pending: None,
            offended: BTreeSet::new(),
        }
    }

    /// Begins the slot of the clock, and attests in its second and last third.
    fn advance(&mut self, now: u64) {
        self.now = self.now.max(now);
        let slot = self.now / SLOT;
        if slot > self.slot {
            self.slot = slot;
            let is_mine = self.me == Some((slot % self.count as u64) as usize);
            self.wish = is_mine.then_some(slot);
        }
        let source = self.justified.slot;
        let is_late = self.now % SLOT >= SLOT / 3;
        let is_safe = self.attested.is_none_or(|(s, t)| source >= s && slot > t);
        if is_late && self.me.is_some() && self.pending.is_none() && source < slot && is_safe {
            self.attested = Some((source, slot));
            self.pending = Some((Some(source), Checkpoint { slot, id: self.head }));
        }
    }

    fn propose(&mut self, now: u64, id: [u8; 32]) -> bool {
        let now = self.now.max(now);
        let slot = now / SLOT;
        let is_safe = self.proposed.is_none_or(|last| slot > last);
        if self.wish != Some(slot) || self.pending.is_some() || !is_safe {
            return false;
        }
        self.proposed = Some(slot);
        self.wish = None;
        self.pending = Some((None, Checkpoint { slot, id }));
        self.advance(now);
        true
    }

    /// Returns what is signed.
    fn saved(&mut self, now: u64) -> Option<(Option<u64>, Checkpoint)> {
        let (source, target) = self.pending.take()?;
        if let Some(source) = source
            && let Some(author) = self.me
        {
            self.links.push(Link { author, source, target });
            self.count(&Link { author, source, target });
        }
        self.advance(now);
        Some((source, target))
    }

    /// Two thirds of the stake behind one link justify its target; a link over one slot finalizes its source.
    fn count(&mut self, link: &Link) {
        if link.target.slot <= self.justified.slot {
            return;
        }
        let same = |it: &&Link| it.source == link.source && it.target == link.target;
        let authors: BTreeSet<_> = self.links.iter().filter(same).map(|it| it.author).collect();
        if authors.len() * 3 < self.count * 2 {
            return;
        }
        let known = [self.justified, self.before].into_iter().find(|it| it.slot == link.source);
        self.before = self.justified;
        self.justified = link.target;
        self.head = link.target.id;
        if let Some(source) = known
            && source.slot + 1 == link.target.slot
            && source.slot > self.finalized.slot
        {
            self.finalized = source;
        }
    }

    /// Handles a link, and returns whether it is not refused, and whether it proves an offence.
    fn receive(&mut self, now: u64, link: &Link) -> (bool, bool) {
        let Link { author, source, target } = *link;
        let now = self.now.max(now);
        if source >= target.slot || target.slot > now / SLOT || author >= self.count {
            return (false, false);
        }
        let of_author = self.links.iter().filter(|it| it.author == author);
        let is_known = of_author.clone().any(|it| it == link);
        let contradicts = |it: &Link| {
            let s = it.source;
            let t = it.target.slot;
            let surrounds = (s < source && target.slot < t) || (source < s && t < target.slot);
            t == target.slot || surrounds
        };
        let is_offence =
            !is_known && of_author.clone().any(contradicts) && !self.offended.contains(&author);
        self.advance(now);
        if is_offence {
            self.offended.insert(author);
        }
        if !is_known {
            self.links.push(*link);
            self.count(link);
        }
        (true, is_offence)
    }
}

/// A machine and its model.
struct Pair {
    engine: Engine,
    plain: Plain,
    token: SaveToken,
    now: u64,
}

/// Any calls: the same answers, events and checkpoints as the model. The machine keeps the latest attestations only, so these
/// are of the present slot, and an author that contradicted itself sends no more.
pub fn ffg_rules(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let count = 1 + input.below(4);
    let me = input.below(5);
    let engine = engine(count, me);
    let mut pair = Pair { engine, plain: Plain::new(count, me), token: SaveToken(0), now: 0 };
    for _ in 0..400 {
        if input.is_empty() {
            return;
        }
        pair.step(&mut input);
    }
}

impl Pair {
    fn now(&self) -> Duration {
        Duration::from_millis(self.now)
    }

    fn step(&mut self, input: &mut Input<'_>) {
        self.now += 10 * input.below(4) as u64;
        if self.plain.pending.is_some_and(|(_, block)| block.slot < self.now / SLOT) {
            return self.save(false); // later, the attestations of others to that slot may be forgotten
        }
        match input.below(12) {
            0 => {
                self.now += SLOT / 2;
                self.engine.handle_timeout(self.now());
                self.plain.advance(self.now);
            }
            1 => {
                let id = [1 + input.below(3) as u8; 32];
                let expected = self.plain.propose(self.now, id);
                assert_eq!(self.engine.propose(self.now(), &id).is_ok(), expected);
            }
            2 => {
                self.plain.head = [1 + input.below(2) as u8; 32];
                self.engine.handle_head(self.now(), &self.plain.head);
                self.plain.advance(self.now);
            }
            3..=5 => return self.save(input.below(8) == 0),
            6..=8 => {
                let link = self.link(input);
                for author in 0..self.plain.count {
                    self.receive(&Link { author, ..link }, false);
                }
            }
            _ => {
                let link = self.link(input);
                self.receive(&link, input.below(16) == 0);
            }
        }
        self.compare(&[]);
    }

    /// A link of the present, mostly from the justified checkpoint.
    fn link(&self, input: &mut Input<'_>) -> Link {
        let justified = self.plain.justified.slot;
        let source = match input.below(8) {
            0 => justified.saturating_sub(1),
            1 => self.plain.before.slot,
            _ => justified,
        };
        let present = (self.now / SLOT).max(self.plain.slot);
        let slot = if input.below(8) == 0 { present + input.below(3) as u64 } else { present };
        let id = [1 + u8::from(input.below(4) == 0); 32];
        Link { author: input.below(5), source, target: Checkpoint { slot, id } }
    }

    fn receive(&mut self, link: &Link, is_forged: bool) {
        // Nobody else has this key.
        let is_mine = Some(link.author) == self.plain.me;
        if is_mine || self.plain.offended.contains(&link.author) {
            return;
        }
        let kind = StatementKind::Attest { source: link.source };
        let statement = Statement::new(GENESIS, kind, link.target.slot, 0, link.target.id);
        let mut signature = NameKeys(id(link.author)).sign(&[]);
        signature[0] ^= u8::from(is_forged);
        let signed = SignedStatement { statement, author: id(link.author), signature };
        let mut bytes = [0; SignedStatement::LEN];
        signed.encode(&mut bytes).expect("LEN suffices");
        let found = self.engine.handle_datagram(self.now(), &bytes);
        if is_forged {
            // Not checked if it would change nothing.
            found.is_ok().then(|| self.plain.advance(self.now));
            return self.compare(&[]);
        }
        let (is_taken, is_offence) = self.plain.receive(self.now, link);
        assert_eq!(found.is_ok(), is_taken, "{link:?}: {found:?}");
        let offender = is_offence.then_some(link.author);
        self.compare(offender.as_slice());
    }

    fn save(&mut self, is_wrong: bool) {
        let SaveToken(token) = self.token;
        let token = SaveToken(if is_wrong { token.wrapping_add(1) } else { token });
        let is_pending = self.plain.pending.is_some() && !is_wrong;
        assert_eq!(self.engine.handle_saved(self.now(), token).is_ok(), is_pending);
        if is_pending {
            self.plain.saved(self.now);
        }
        self.compare(&[]);
    }

    /// Compares all that can be seen.
    fn compare(&mut self, offenders: &[usize]) {
        let mut found = Vec::new();
        while let Some(event) = self.engine.poll_event() {
            match event {
                FfgEvent::Save { token } => {
                    self.token = token;
                    assert!(self.plain.pending.is_some());
                }
                FfgEvent::Propose { slot } => assert_eq!(Some(slot), self.plain.wish),
                FfgEvent::Justified(checkpoint) => assert_eq!(checkpoint, self.plain.justified),
                FfgEvent::Finalized(checkpoint) => assert_eq!(checkpoint, self.plain.finalized),
                FfgEvent::Equivocated(evidence) => {
                    found.push(usize::from(evidence.offender().0[0]) - 1);
                }
                _ => {}
            }
        }
        assert_eq!(found, offenders, "{:?}", self.plain);
        assert_eq!(self.engine.justified(), self.plain.justified, "{:?}", self.plain);
        assert_eq!(self.engine.finalized(), self.plain.finalized, "{:?}", self.plain);
        let mut buf = [0; SignedStatement::LEN];
        while self.engine.poll_transmit(&mut buf).expect("LEN suffices").is_some() {
            let (signed, _) = SignedStatement::decode(&buf).expect("its own");
            let StatementKind::Attest { source } = signed.statement.kind else { panic!("a block") };
            let Statement { slot, digest, .. } = signed.statement;
            let author = usize::from(signed.author.0[0]) - 1;
            let link = Link { author, source, target: Checkpoint { slot, id: digest } };
            assert!(self.plain.links.contains(&link), "{link:?} was never made");
        }
    }
}
