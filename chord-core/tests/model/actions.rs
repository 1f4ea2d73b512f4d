//! What can happen, and what the nodes make of it.
//!
//! In the reduced ring a first question, a sign of life and a join are one action each with their answers: a step
//! reads one node and happens when that one answers (Zave 2017), and until then nobody can read the asker, whose
//! list and predecessor stay as they are. What others can see of such a question is that the asker is busy, so in
//! the reduced ring any member may say that it is. The second question of a stabilization and every notification
//! stay actions of their own; a notification that the asker holds back is one that is still on its way.
//!
//! `rectify` has a second question too: a silent old predecessor may come back under its name before the notifying node
//! answers, and be read meanwhile as the predecessor that it was. With `joins_rectify` this is left out. Without,
//! the reduced ring of four identifiers reaches exactly the configurations that the full one does; see [`compare`](super::compare).

use core::cell::RefCell;
use std::collections::HashMap;
use std::vec::Vec;

use super::local::{Local, Mod, NOW, Text, new, pack, peer, sent, unpack};
use super::{Action, Mutation, Ring, State};
use crate::config::Config;
use crate::id::Identifier;

/// What one node does, given the peer it concerns: the same wherever it happens, so computed once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Step {
    Stabilize,
    Answer { by: u8, its: Local },
    Busy { by: u8, its: Local },
    Silence,
    Notify { from: u8 },
    Join { before: u8, its: Local },
}

/// The node afterwards, and the node it notifies. `None`: this cannot happen now.
type Outcome = Option<(Local, Option<u8>)>;

std::thread_local! {
    static DONE: RefCell<HashMap<(usize, u8, Mutation, bool, u8, Local, Step), Outcome>> = RefCell::default();
}

impl<const N: usize> Ring<N> {
    pub(super) fn list_actions(&self, state: &State<N>, actions: &mut Vec<Action>) {
        for id in 0..N as u8 {
            let local = state.nodes[usize::from(id)];
            let notified = |to: u8| state.notes >> self.note(id, to) & 1 == 1;
            let waits = |to: u8| self.reduced && state.nodes[usize::from(to)].asked().is_some();
            let notes = (0..N as u8).filter(|to| notified(*to) && !waits(*to));
            actions.extend(notes.map(|to| Action::Notify { from: id, to }));
            if !local.runs() {
                self.list_joins(state, id, actions);
                continue;
            }
            match local.asked() {
                None => actions.push(Action::Stabilize(id)),
                Some(_) if state.answers[usize::from(id)].runs() => {
                    actions.push(Action::Answer(id));
                }
                Some(asked) if !state.nodes[usize::from(asked)].runs() => {
                    actions.push(Action::Silence(id));
                }
                Some(_) if self.late_answers && !local.pings() => {
                    actions.extend([Action::Give(id), Action::Busy(id)]);
                }
                Some(_) => actions.extend([Action::Answer(id), Action::Busy(id)]),
            }
            if local.is_member() && self.may_fail(state, id) {
                actions.push(Action::Fail(id));
            }
        }
    }

    /// Lists the members that a lookup of `id` may name as the one before it.
    fn list_joins(&self, state: &State<N>, id: u8, actions: &mut Vec<Action>) {
        let under_way = (0..N as u8).any(|to| state.notes >> self.note(id, to) & 1 == 1);
        let held_back = state.nodes.iter().any(|local| local.notified() == Some(id));
        let asked = state.nodes.iter().any(|local| local.asked() == Some(id));
        if asked || (!self.reuses_at_once && (under_way || held_back)) {
            return;
        }
        for before in 0..N as u8 {
            let member = state.nodes[usize::from(before)];
            if member.is_member() {
                let first = member.fields().successors().first().copied().unwrap_or(before);
                if Mod::<N>(id).between(Mod(before), Mod(first)) {
                    actions.push(Action::Join { node: id, before });
                }
            }
        }
    }

    pub(super) fn act(&self, state: &State<N>, action: Action) -> Option<State<N>> {
        let mut next = self.act_once(state, action)?;
        let id = match action {
            Action::Stabilize(id)
            | Action::Join { node: id, .. }
            | Action::Notify { to: id, .. }
                if self.reduced =>
            {
                id
            }
            Action::Answer(id) | Action::Silence(id) | Action::Busy(id) if self.reduced => {
                next.nodes[usize::from(id)].forget_question();
                return Some(next);
            }
            _ => return Some(next),
        };
        // The old predecessor shows that it lives, or is silent; then the notifying node shows that it lives.
        for _ in 0..if self.joins_rectify { 2 } else { 1 } {
            let local = next.nodes[usize::from(id)];
            let again = local.is_stabilizing() && matches!(action, Action::Stabilize(_));
            let Some(asked) = local.asked().filter(|_| !again) else { break };
            let runs = next.nodes[usize::from(asked)].runs();
            let end = if runs { Action::Answer(id) } else { Action::Silence(id) };
            next = self.act_once(&next, end)?;
            if !next.nodes[usize::from(id)].pings() {
                break;
            }
        }
        next.nodes[usize::from(id)].forget_question();
        Some(next)
    }

    fn act_once(&self, state: &State<N>, action: Action) -> Option<State<N>> {
        let mut next = *state;
        let at = |id: u8| state.nodes[usize::from(id)];
        let (id, step) = match action {
            Action::Stabilize(id) => (id, Step::Stabilize),
            Action::Silence(id) => (id, Step::Silence),
            Action::Give(id) => {
                let by = at(id).asked()?;
                let its = at(by);
                self.step(id, at(id), Step::Answer { by, its })?; // it must not be waiting itself
                next.answers[usize::from(id)] = its;
                return Some(next);
            }
            Action::Answer(id) | Action::Busy(id) => {
                let by = at(id).asked()?;
                let late = core::mem::replace(&mut next.answers[usize::from(id)], Local::GONE);
                let its = if late.runs() { late } else { at(by) };
                let answers = matches!(action, Action::Answer(_));
                (id, if answers { Step::Answer { by, its } } else { Step::Busy { by, its } })
            }
            Action::Notify { from, to } => {
                next.notes &= !(1 << self.note(from, to));
                (to, Step::Notify { from })
            }
            Action::Join { node, before } => (node, Step::Join { before, its: at(before) }),
            Action::Fail(id) => {
                next.nodes[usize::from(id)] = Local::GONE;
                next.answers[usize::from(id)] = Local::GONE;
                for from in 0..N as u8 {
                    next.notes &= !(1 << self.note(from, id)); // nobody is there to hear them
                }
                return Some(next);
            }
        };
        let (local, notifies) = self.step(id, at(id), step)?;
        next.nodes[usize::from(id)] = local;
        if let Some(to) = notifies.filter(|to| next.nodes[usize::from(*to)].runs()) {
            next.notes |= 1 << self.note(id, to);
        }
        Some(next)
    }

    /// Returns the state in which all answers have arrived: their steps have happened, as nobody may read their askers.
    pub(super) fn after_answers(&self, state: &State<N>) -> State<N> {
        let mut after = *state;
        for id in (0..N as u8).filter(|id| state.answers[usize::from(*id)].runs()) {
            after = self.act_once(&after, Action::Answer(id)).expect("it was given");
        }
        after
    }

    pub(super) fn note(&self, from: u8, to: u8) -> u32 {
        u32::from(from) * N as u32 + u32::from(to)
    }

    /// Returns a member of the ideal ring of the beginning.
    pub(super) fn ideal(&self, id: u8) -> Local {
        let mut node = new::<N>(id, self.r, self.mutation);
        let members: Vec<_> = (0..self.start).map(peer).collect();
        if members.len() > usize::from(self.r) {
            node.create_base(NOW, &members).expect("enough members");
        } else {
            // A ring without a base, which the node itself would refuse.
            node.create(NOW).expect("new");
            node.with(|node, _| members.iter().for_each(|peer| node.table.successors.learn(*peer)));
            node.core.predecessor = peer((id + self.start - 1) % self.start);
        }
        pack(&node)
    }

    fn step(&self, id: u8, local: Local, step: Step) -> Outcome {
        let key = (N, self.r, self.mutation, self.reduced, id, local, step);
        if let Some(known) = DONE.with_borrow(|done| done.get(&key).copied()) {
            return known;
        }
        let outcome = self.compute(id, local, step);
        DONE.with_borrow_mut(|done| done.insert(key, outcome));
        outcome
    }

    /// Lets the real node do it.
    fn compute(&self, id: u8, local: Local, step: Step) -> Outcome {
        let (mut node, question) = unpack::<N>(id, local, self.r, self.mutation);
        let later = NOW + Config::DEFAULT.patience;
        match step {
            Step::Stabilize => {
                node.core.stabilize_at = node.core.now;
                node.handle_timeout(NOW);
            }
            Step::Silence => node.handle_timeout(later),
            Step::Answer { by, its } => {
                let answer = self.answers(by, its, id, &[&question])?;
                node.handle_datagram(NOW, Mod(by), &answer).expect("an answer");
            }
            Step::Busy { by, its } => {
                if self.mutation == Mutation::AnswerWhileReading {
                    return None; // it never is
                }
                // The first question waits until its step ends; the second one is answered.
                if its.pings() || !its.is_member() || local.pings() {
                    return None;
                }
                let its = if its.asked().is_some() {
                    its
                } else if self.reduced {
                    // Its own first question and the answer to that are one action, and this falls between.
                    self.step(by, its, Step::Stabilize)?.0
                } else {
                    return None;
                };
                let answer = self.answers(by, its, id, &[&question, &question])?;
                node.handle_datagram(NOW, Mod(by), &answer).expect("an answer");
            }
            Step::Notify { from } => {
                let mut buf = [0; 16];
                let note = Text::<N>::Notify { id: Mod(from) }.encode(&mut buf).expect("room");
                node.handle_datagram(NOW, Mod(from), &buf[..note]).expect("a message");
            }
            Step::Join { before, its } => {
                node = new(id, self.r, self.mutation);
                node.join(NOW, Mod(before)).expect("it is new");
                while !(node.core.saved.is_some() && node.core.question.is_some()) {
                    let (to, question) = sent(&mut node)?;
                    assert_eq!(to, before, "the contact is the one before");
                    let answer = self.answers(before, its, id, &[&question])?;
                    node.handle_datagram(NOW, Mod(before), &answer).expect("an answer");
                }
            }
        }
        self.drain(&mut node)
    }

    /// Takes what the node sends: a question is part of its state, and it notifies one node at most.
    fn drain(&self, node: &mut super::local::Machine<N>) -> Outcome {
        let mut notifies = None;
        while let Some((to, bytes)) = sent(node) {
            match Text::<N>::decode(&bytes).expect("its own").0 {
                Text::<N>::Notify { .. } => assert_eq!(notifies.replace(to), None, "one at a time"),
                // A nudge only makes the next stabilization come at once, and here any time is right.
                Text::<N>::Query { .. } | Text::<N>::Ping { .. } | Text::<N>::Nudge { .. } => {}
                other => panic!("{other}"),
            }
        }
        Some((pack(node), notifies))
    }

    /// Returns what a node answers to the last of these datagrams.
    fn answers(&self, by: u8, its: Local, to: u8, questions: &[&[u8]]) -> Option<Vec<u8>> {
        let (mut other, _) = unpack::<N>(by, its, self.r, self.mutation);
        for question in questions {
            other.handle_datagram(NOW, Mod(to), question).expect("a question");
        }
        let answer = sent(&mut other).filter(|(addressee, _)| *addressee == to)?;
        Some(answer.1)
    }
}
