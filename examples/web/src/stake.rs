//! Proof of stake: who proposes, and what a validator risks that signs two branches (`consensus`).

use core::time::Duration;

use consensus::select::{Change, WeightedRoundRobin};
use consensus::stake::{BondSlot, BondState, StakeBook, StakeConfig};
use consensus::{
    EquivocationDetector, Offence, SignedStatement, Statement, StatementSlot, ValidatorId,
    ValidatorSet, ValidatorVec, validator_id,
};
use ledger_core::{Hash, KeyPair};

use crate::options::number;
use crate::post::Post;
use crate::{Json, Options, World};

/// One proposal a second.
const SLOT: Duration = Duration::from_secs(1);
/// A branch that nobody has extended for this many slots is dead.
const PATIENCE: u64 = 12;
/// The blocks that a picture shows.
const SHOWN: usize = 40;
const NAMES: [&str; 8] = ["ann", "ben", "cat", "dan", "eve", "fay", "gus", "hal"];
/// Statements that the detector remembers.
const STATEMENTS: usize = 64;
/// The epoch of all that happens: every stake is active from its beginning.
const EPOCH: u64 = 1;

/// Validators that extend a chain slot by slot.
///
/// An honest validator extends the longest branch only. A greedy one extends every living branch, because a signature costs
/// nothing: whichever branch wins, its block is on it.
pub struct Stake {
    post: Post,
    seed: [u8; 32],
    slashes: bool,
    set: ValidatorSet<ValidatorVec>,
    book: StakeBook<Vec<BondSlot>>,
    turns: WeightedRoundRobin<ValidatorVec>,
    detector: EquivocationDetector<Vec<StatementSlot>>,
    validators: Vec<Validator>,
    /// All blocks in the order of their making; the first is block 0.
    blocks: Vec<Block>,
    slot: u64,
    /// The next proposer makes two blocks, be it honest or greedy: a fork as it also happens by accident.
    forks: bool,
}

struct Validator {
    id: ValidatorId,
    key: KeyPair,
    stake: u64,
    greedy: bool,
    drawn: u64,
    in_turn: u64,
    /// Blocks that it has made.
    blocks: u64,
    /// The slot in which it lost its stake.
    slashed: Option<u64>,
}

struct Block {
    parent: usize,
    height: u64,
    slot: u64,
    by: Option<usize>,
    digest: Hash,
}

impl Stake {
    /// Builds the validators. Options: `stakes` (`10,20,30,40`: two to eight numbers), `greedy`: the numbers of those that
    /// sign every branch, from 1 on (`2,3,4`), `slash` (`on`, `off`), `seed`.
    ///
    /// # Errors
    ///
    /// A sentence that says which option is wrong.
    pub fn new(options: &Options) -> Result<Self, String> {
        let stakes = options.list("stakes")?.unwrap_or_else(|| vec![10_u64, 20, 30, 40]);
        if !(2..=NAMES.len()).contains(&stakes.len()) || stakes.iter().any(|stake| *stake > 10_000)
        {
            return Err(format!("stakes are 2 to {} numbers up to 10000", NAMES.len()));
        }
        let greedy: Vec<usize> = options.list("greedy")?.unwrap_or_else(|| vec![2, 3, 4]);
        let slashes = match options.get("slash").unwrap_or("off") {
            "on" => true,
            "off" => false,
            other => return Err(format!("slash is on or off, not {other:?}")),
        };
        let mut set = ValidatorSet::new(ValidatorVec::new(stakes.len()));
        let mut rules = StakeConfig::new();
        rules.churn = NAMES.len() as u32;
        rules.slash_per_mille = 1_000;
        let mut book = StakeBook::new(rules, vec![BondSlot::EMPTY; stakes.len()]);
        let mut validators = Vec::new();
        for (at, stake) in stakes.iter().enumerate() {
            let key = KeyPair::from_secret(&[at as u8 + 1; 32]);
            let id = validator_id(&key);
            set.set_stake(id, *stake).map_err(|error| error.to_string())?;
            if *stake > 0 {
                book.bond(id, *stake).map_err(|error| error.to_string())?;
            }
            validators.push(Validator {
                id,
                key,
                stake: *stake,
                greedy: greedy.contains(&(at + 1)),
                drawn: 0,
                in_turn: 0,
                blocks: 0,
                slashed: None,
            });
        }
        let changes: Vec<Change> = validators
            .iter()
            .filter(|one| one.stake > 0)
            .map(|one| Change { id: one.id, power: one.stake })
            .collect();
        book.advance(EPOCH);
        let turns = WeightedRoundRobin::new(ValidatorVec::new(stakes.len()), &changes);
        let seed = options.number("seed", 1, 0, u64::MAX)?;
        let genesis = Block { parent: 0, height: 0, slot: 0, by: None, digest: Hash::ZERO };
        Ok(Self {
            post: Post::new(seed, Duration::ZERO, Duration::ZERO),
            seed: *Hash::of(&seed.to_be_bytes()).as_bytes(),
            slashes,
            set,
            book,
            turns: turns.map_err(|error| error.to_string())?,
            detector: EquivocationDetector::new(vec![StatementSlot::EMPTY; STATEMENTS]),
            validators,
            blocks: vec![genesis],
            slot: 0,
            forks: false,
        })
    }

    fn position(&self, id: ValidatorId) -> Option<usize> {
        self.validators.iter().position(|one| one.id == id)
    }

    /// Returns the ends of the living branches, the longest first and of equal ones the older.
    fn tips(&self) -> Vec<usize> {
        let mut is_parent = vec![false; self.blocks.len()];
        for block in self.blocks.iter().skip(1) {
            is_parent[block.parent] = true;
        }
        let lives = |at: &usize| !is_parent[*at] && self.blocks[*at].slot + PATIENCE >= self.slot;
        let mut tips: Vec<usize> = (0..self.blocks.len()).filter(lives).collect();
        tips.sort_by_key(|at| (u64::MAX - self.blocks[*at].height, *at));
        tips
    }

    /// One slot: a validator is drawn and makes a block, or several.
    fn propose(&mut self) {
        self.slot += 1;
        if let Some(id) = self.turns.advance(1)
            && let Some(at) = self.position(id)
        {
            self.validators[at].in_turn += 1;
        }
        let drawn = self.set.draw(&self.seed, self.slot, 0);
        let Some(proposer) = drawn.and_then(|id| self.position(id)) else { return };
        self.validators[proposer].drawn += 1;
        let mut parents = self.tips();
        if parents.is_empty() {
            parents.push(self.longest());
        }
        if !self.validators[proposer].greedy {
            parents.truncate(1);
        }
        if core::mem::take(&mut self.forks) {
            parents = vec![parents[0]; 2];
        }
        for (nth, parent) in parents.into_iter().enumerate() {
            self.make(proposer, parent, nth as u64);
        }
    }

    fn longest(&self) -> usize {
        let best = (0..self.blocks.len()).rev().max_by_key(|at| self.blocks[*at].height);
        best.unwrap_or(0)
    }

    /// Signs a block and shows it to all; they compare it with what they have seen.
    fn make(&mut self, proposer: usize, parent: usize, nth: u64) {
        let slot = self.slot;
        let before = &self.blocks[parent];
        let height = before.height + 1;
        let content = [&before.digest.as_bytes()[..], &slot.to_be_bytes(), &nth.to_be_bytes()];
        let digest = Hash::of(&content.concat());
        let statement = Statement::propose([0xC0; 32], slot, 0, *digest.as_bytes());
        let validator = &mut self.validators[proposer];
        validator.blocks += 1;
        let signature = *validator.key.sign(&statement).as_bytes();
        let signed = SignedStatement { statement, author: validator.id, signature };
        let number = self.blocks.len();
        let name = NAMES[proposer];
        self.blocks.push(Block { parent, height, slot, by: Some(proposer), digest });
        let text = format!("{name} signs block {number} on {parent}: {statement}");
        self.post.note(proposer as u32, "block", text);
        let set = &self.set;
        let observed = self.detector.observe(&signed, |id| set.stake(id) > 0);
        if let Ok(Some(evidence)) = observed {
            let offence = evidence.offence();
            let text = format!("{name} has signed twice: {offence}");
            self.post.note(proposer as u32, "evidence", text);
            self.punish(proposer, &offence);
        }
    }

    fn punish(&mut self, proposer: usize, offence: &Offence) {
        let validator = &mut self.validators[proposer];
        if !self.slashes || validator.slashed.is_some() {
            return;
        }
        let removed = [Change { id: validator.id, power: 0 }];
        // The last validator stays: without one there is no chain to show.
        if self.turns.update(&removed).is_err() || self.set.set_stake(validator.id, 0).is_err() {
            return;
        }
        validator.slashed = Some(self.slot);
        let taken = self.book.slash(offence, EPOCH).unwrap_or(0);
        let text = format!("{} loses {taken} coins and is not drawn again", NAMES[proposer]);
        self.post.note(proposer as u32, "slashed", text);
    }

    fn validator(&self, word: Option<&&str>) -> Result<usize, String> {
        let known = &NAMES[..self.validators.len()];
        let found = known.iter().position(|name| word == Some(name));
        found.ok_or_else(|| format!("the validators are {}, not {word:?}", known.join(", ")))
    }

    /// Describes a validator: what it was drawn for, beside what its stake lets it expect.
    fn describe(&self, at: usize) -> Json {
        let one = &self.validators[at];
        let total: u64 = self.validators.iter().map(|one| one.stake).sum();
        let share = one.stake as f64 / total.max(1) as f64;
        Json::object([
            ("name", NAMES[at].into()),
            ("id", format!("{:.8}", one.id).into()),
            ("stake", one.stake.into()),
            ("share", share.into()),
            ("drawn", one.drawn.into()),
            ("turns", one.in_turn.into()),
            ("blocks", one.blocks.into()),
            ("greedy", one.greedy.into()),
            ("slashed", one.slashed.into()),
        ])
    }

    fn details(&self, at: usize) -> Json {
        let bond = self.book.bond_of(&self.validators[at].id);
        let bonded = bond.map_or(0, |(_, stake)| stake);
        self.describe(at).with("bonded", bonded).with("transitions", self.states(at))
    }

    /// Describes the life of a stake, with its present state marked.
    fn states(&self, at: usize) -> Json {
        let bond = self.book.bond_of(&self.validators[at].id);
        let present = bond.map(|(state, _)| match state {
            BondState::Waiting => "Waiting",
            BondState::Active { .. } => "Active",
            _ => "Unbonding",
        });
        let rows = [
            ("Waiting", "the next epoch", "Active"),
            ("Active", "it leaves, or signs twice", "Unbonding"),
            ("Unbonding", "enough epochs pass", "withdrawn"),
        ];
        Json::list(rows.map(|(state, input, next)| {
            let cells = Json::list([state, input, next]);
            Json::object([("cells", cells), ("here", (present == Some(state)).into())])
        }))
    }

    /// Returns the height of the longest branch and of the next one that has left it before, both living.
    #[must_use]
    pub fn heights(&self) -> (u64, u64) {
        let tips = self.tips();
        let height = |nth: usize| tips.get(nth).map_or(0, |at| self.blocks[*at].height);
        (height(0), height(1))
    }
}

impl World for Stake {
    fn command(&mut self, words: &[&str]) -> Result<String, String> {
        match words.first().copied() {
            Some("fork") => {
                self.forks = true;
                Ok("the next proposer makes two blocks in one slot".into())
            }
            Some("greedy") => {
                let at = self.validator(words.get(1))?;
                let validator = &mut self.validators[at];
                validator.greedy = !validator.greedy;
                let branches =
                    if validator.greedy { "every branch" } else { "the longest branch only" };
                Ok(format!("{} signs {branches} from now on", NAMES[at]))
            }
            Some("slots") => {
                let slots = number::<u64>("the number of slots", words.get(1))?;
                if slots > 10_000 {
                    return Err("at most 10000 slots at once".into());
                }
                self.draw_only(slots);
                Ok(format!("{slots} more slots are drawn, without blocks"))
            }
            other => Err(format!("a stake has no command {other:?}")),
        }
    }

    fn next_at(&self) -> Option<Duration> {
        let at = SLOT.checked_mul(u32::try_from(self.slot).ok()?.checked_add(1)?)?;
        (self.blocks.len() < 4_000).then_some(at.max(self.post.now()))
    }

    fn advance(&mut self, until: Duration) {
        while let Some(at) = self.next_at().filter(|at| *at <= until) {
            self.post.set_now(at);
            self.propose();
        }
        self.post.set_now(until);
    }

    fn view(&self, selected: Option<u32>) -> Json {
        let first = self.blocks.len().saturating_sub(SHOWN);
        let tips = self.tips();
        let longest = self.longest();
        let mut best = vec![false; self.blocks.len()];
        let mut at = longest;
        while at != 0 {
            best[at] = true;
            at = self.blocks[at].parent;
        }
        best[0] = true;
        let blocks = (first..self.blocks.len()).map(|at| {
            let block = &self.blocks[at];
            Json::object([
                ("number", at.into()),
                ("parent", block.parent.into()),
                ("height", block.height.into()),
                ("slot", block.slot.into()),
                ("by", block.by.map(|by| NAMES[by]).into()),
                ("best", best[at].into()),
            ])
        });
        let selected = selected.map(|at| at as usize).filter(|at| *at < self.validators.len());
        let (high, second) = self.heights();
        Json::object([
            ("slot", self.slot.into()),
            ("slash", self.slashes.into()),
            ("validators", Json::list((0..self.validators.len()).map(|at| self.describe(at)))),
            ("blocks", Json::list(blocks)),
            ("total", self.blocks.len().into()),
            ("living", tips.len().into()),
            ("longest", longest.into()),
            ("high", high.into()),
            ("second", second.into()),
            ("selected", selected.map(|at| self.details(at)).into()),
        ])
    }

    fn post(&self) -> &Post {
        &self.post
    }
}

impl Stake {
    /// Draws slots without making blocks, for the frequencies. The slots of blocks come after them.
    fn draw_only(&mut self, slots: u64) {
        // Far away from the slots of the clock, so that no slot is drawn twice.
        let from = 1 << 40 | self.validators.iter().map(|one| one.drawn).sum::<u64>();
        for slot in from..from + slots {
            if let Some(at) = self.set.draw(&self.seed, slot, 0).and_then(|id| self.position(id)) {
                self.validators[at].drawn += 1;
            }
            if let Some(at) = self.turns.advance(1).and_then(|id| self.position(id)) {
                self.validators[at].in_turn += 1;
            }
        }
    }
}
