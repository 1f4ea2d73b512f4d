//! Finality, priorities, guards and stakes, each beside a plain model.

use consensus::aura::{CreditSlot, RollingFinality};
use consensus::guard::{CompleteGuard, MinimalGuard, Permit, RecordSlot};
use consensus::select::{Change, WeightedRoundRobin};
use consensus::stake::{BondSlot, BondState, StakeBook, StakeConfig};
use consensus::{Offence, OffenceKind, ValidatorId};
use sim::laws::Input;

use super::heap::heap;

fn id(n: usize) -> ValidatorId {
    ValidatorId([n as u8; 32])
}

/// Rolling finality as it is written: the first block is final while the different signers of the rest are over half. When
/// the slots are used up the oldest block loses its signers, and is final with the next one that has some.
pub fn aura(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let authorities = input.below(7);
    let capacity = [0, 1, 5, 16, 192][input.below(5)];
    let mut finality =
        RollingFinality::<_>::new(authorities as u64, vec![CreditSlot::EMPTY; capacity]);
    let mut model: Vec<(u64, Vec<ValidatorId>)> = Vec::new();
    let start = u64::from(input.u16());
    let mut number = start;
    let mut last = None;
    while number < start + 64 && !input.is_empty() {
        let signers: Vec<_> = (0..input.below(4)).map(|_| id(input.below(8))).collect();
        let before = finality.clone();
        assert!(number == start || finality.push(number ^ 1 << 40, &signers).is_err());
        let Ok(found) = finality.push(number, &signers) else {
            assert!(signers.is_empty() || signers.len() > capacity);
            assert_eq!(finality, before);
            continue;
        };
        let used = |model: &Vec<(u64, Vec<_>)>| model.iter().flat_map(|it| &it.1).count();
        while used(&model) + signers.len() > capacity {
            let oldest = model.iter_mut().find(|(_, signers)| !signers.is_empty());
            oldest.expect("one fits alone").1.clear();
        }
        model.push((number, signers));
        let mut expected = Vec::new();
        loop {
            let mut different: Vec<_> = model.iter().flat_map(|(_, signers)| signers).collect();
            different.sort();
            different.dedup();
            if authorities == 0 || different.len() * 2 <= authorities {
                break;
            }
            let first = model.iter().position(|(_, signers)| !signers.is_empty());
            let finals = model.drain(..=first.expect("there are signers"));
            expected.extend(finals.map(|(number, _)| number));
        }
        assert_eq!(found.collect::<Vec<_>>(), expected);
        last = expected.last().copied().or(last);
        assert_eq!(finality.finalized(), last);
        number += 1;
    }
}

/// The priorities of CometBFT with integers that are wide enough for everything.
#[derive(Debug, Clone, Default)]
struct Priorities(Vec<(ValidatorId, u64, i128)>);

impl Priorities {
    fn total(&self) -> i128 {
        self.0.iter().map(|(_, power, _)| i128::from(*power)).sum()
    }

    fn update(&mut self, changes: &[Change], capacity: usize) -> bool {
        if changes.is_empty() {
            return true;
        }
        let mut changes = changes.to_vec();
        changes.sort_by_key(|change| change.id);
        let mut next = self.clone();
        let max = i128::from(WeightedRoundRobin::MAX_POWER);
        let is_twice = changes.windows(2).any(|pair| pair[0].id == pair[1].id);
        let is_known = |change: &Change| self.0.iter().any(|(id, ..)| *id == change.id);
        let is_strange = changes.iter().any(|change| change.power == 0 && !is_known(change));
        let is_large = changes.iter().any(|change| i128::from(change.power) > max);
        if is_twice || is_strange || is_large {
            return false;
        }
        for change in changes.iter().filter(|change| change.power > 0) {
            match next.0.iter_mut().find(|(id, ..)| *id == change.id) {
                Some((_, power, _)) => *power = change.power,
                None => next.0.push((change.id, change.power, i128::MIN)),
            }
        }
        let before_removals = next.total();
        for (.., priority) in next.0.iter_mut().filter(|(.., priority)| *priority == i128::MIN) {
            *priority = -(before_removals + (before_removals >> 3));
        }
        next.0.retain(|(id, ..)| !changes.iter().any(|it| it.id == *id && it.power == 0));
        if next.0.is_empty() || next.total() > max || next.0.len() > capacity {
            return false;
        }
        next.settle();
        next.0.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(&b.0)));
        *self = next;
        true
    }

    /// Rescales and centres.
    fn settle(&mut self) {
        let window = 2 * self.total();
        let priorities = || self.0.iter().map(|(.., priority)| *priority);
        let greatest = priorities().max().expect("one");
        let distance = greatest - priorities().min().expect("one");
        if distance > window {
            let ratio = (distance + window - 1) / window;
            self.0.iter_mut().for_each(|(.., priority)| *priority /= ratio);
        }
        let sum: i128 = self.0.iter().map(|(.., priority)| *priority).sum();
        let average = sum.div_euclid(self.0.len() as i128);
        self.0.iter_mut().for_each(|(.., priority)| *priority -= average);
    }

    fn advance(&mut self, steps: usize) -> Option<ValidatorId> {
        if steps == 0 || self.0.is_empty() {
            return None;
        }
        self.settle();
        let total = self.total();
        let mut proposer = None;
        for _ in 0..steps {
            self.0.iter_mut().for_each(|(_, power, priority)| *priority += i128::from(*power));
            let best = self.0.iter_mut().max_by(|a, b| a.2.cmp(&b.2).then(b.0.cmp(&a.0)));
            let (id, _, priority) = best.expect("one");
            *priority -= total;
            proposer = Some(*id);
        }
        proposer
    }
}

/// Updates and steps in any order: the same refusals, priorities and proposers as the model.
pub fn weighted(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let capacity = input.below(6);
    let slots = heap(capacity);
    let mut set = WeightedRoundRobin::new(slots, &[]).expect("empty");
    let mut model = Priorities::default();
    while !input.is_empty() {
        if input.below(2) == 0 {
            let steps = input.below(5);
            assert_eq!(set.advance(steps as u32), model.advance(steps));
        } else {
            let change = |input: &mut Input<'_>| Change {
                id: id(input.below(7)),
                power: match input.below(4) {
                    0 => 0,
                    1 => input.u64() >> input.below(64),
                    2 => WeightedRoundRobin::MAX_POWER >> input.below(3),
                    _ => u64::from(input.byte()),
                },
            };
            let changes: Vec<_> = (0..input.below(4)).map(|_| change(&mut input)).collect();
            let before = set.clone();
            let is_ok = set.update(&changes).is_ok();
            assert_eq!(is_ok, model.update(&changes, capacity), "{changes:?}");
            assert!(is_ok || set == before);
        }
        let found = set.iter().map(|it| (it.id, it.power, i128::from(it.priority)));
        assert!(found.eq(model.0.iter().copied()), "{set:?} is not {model:?}");
    }
}

/// Guards beside the list of all that was signed (EIP-3076, conditions 1 to 5).
pub fn guard(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let mut complete = CompleteGuard::new(vec![RecordSlot::EMPTY; 128]);
    let mut minimal = MinimalGuard::EMPTY;
    let mut blocks: Vec<(u64, u8)> = Vec::new();
    let mut links: Vec<(u64, u64, u8)> = Vec::new();
    while !input.is_empty() && blocks.len() + links.len() < 120 {
        let source = input.below(12) as u64;
        let target = input.below(12) as u64;
        let digest = 1 + input.below(3) as u8;
        let mut strict = minimal;
        let (outcome, by_minimal, is_repeated, is_allowed);
        if input.below(2) == 0 {
            let slot = target;
            is_repeated = blocks.contains(&(slot, digest));
            let lowest = blocks.iter().map(|(slot, _)| *slot).min();
            let is_free = blocks.iter().all(|(used, _)| *used != slot);
            is_allowed = is_free && lowest.is_none_or(|lowest| slot > lowest);
            outcome = complete.sign_block(slot, [digest; 32]);
            by_minimal = strict.sign_block(slot).is_ok();
            if outcome == Ok(Permit::New) {
                blocks.push((slot, digest));
                minimal.import_block(slot);
            }
        } else {
            is_repeated = links.contains(&(source, target, digest));
            let lowest_source = links.iter().map(|(source, ..)| *source).min();
            let lowest_target = links.iter().map(|(_, target, _)| *target).min();
            let contradicts = |&(s, t, _): &(u64, u64, u8)| {
                t == target || (s < source && target < t) || (source < s && t < target)
            };
            is_allowed = source <= target
                && !links.iter().any(contradicts)
                && lowest_source.is_none_or(|lowest| source >= lowest)
                && lowest_target.is_none_or(|lowest| target > lowest);
            outcome = complete.sign_attestation(source, target, [digest; 32]);
            by_minimal = strict.sign_attestation(source, target).is_ok();
            if outcome == Ok(Permit::New) {
                links.push((source, target, digest));
                minimal.import_attestation(source, target);
            }
        }
        let expected = if is_repeated { Some(Permit::Repeated) } else { None };
        let expected = expected.or(is_allowed.then_some(Permit::New));
        assert_eq!(outcome.ok(), expected, "{source} to {target}: {blocks:?} {links:?}");
        assert!(!by_minimal || is_allowed, "the minimal form is laxer");
        assert_eq!(MinimalGuard::from_bytes(&minimal.to_bytes()), minimal);
    }
}

/// Any calls on the stakes: nothing is lost or made, and no stake is slashed twice.
pub fn stake(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let mut config = StakeConfig::new();
    config.churn = input.below(3) as u32;
    config.unbonding = input.below(5) as u64;
    config.slash_per_mille = input.u16();
    let mut book = StakeBook::new(config, vec![BondSlot::EMPTY; input.below(4)]);
    let mut expected = 0_u64;
    let mut epoch = 0_u64;
    while !input.is_empty() {
        let who = id(input.below(5));
        let before = book.clone();
        let number = match input.below(8) {
            0 => input.u64(),
            _ => input.below(9) as u64,
        };
        let is_ok = match input.below(5) {
            0 => book.bond(who, number).map(|()| expected += number).is_ok(),
            1 => book.unbond(&who).is_ok(),
            2 => book.withdraw(&who).map(|stake| expected -= stake).is_ok(),
            3 => {
                epoch = epoch.saturating_add(number);
                book.advance(epoch);
                true
            }
            _ => {
                let offence = Offence { author: who, kind: OffenceKind::DoubleVote, slot: number };
                let at = epoch.saturating_sub(number);
                let taken = book.slash(&offence, at);
                if taken.is_ok() {
                    let state = book.bond_of(&who).map(|(state, _)| state);
                    assert!(matches!(state, Some(BondState::Unbonding { .. })), "{state:?}");
                    assert!(book.slash(&offence, at).is_err(), "once");
                }
                taken.map(|taken| expected -= taken).is_ok()
            }
        };
        assert!(is_ok || book == before);
        assert_eq!(book.total(), expected);
        assert!(book.active().map(|(_, stake)| stake).sum::<u64>() <= expected);
    }
}
