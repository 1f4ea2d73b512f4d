//! The join of a node in the five steps of the lectures, read off the pointers of the nodes.

use core::time::Duration;

use crate::Json;

/// The pointers of a member.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Pointers {
    pub(super) predecessor: Option<u32>,
    pub(super) successor: Option<u32>,
}

/// A join and when each of its steps was done.
#[derive(Debug)]
pub(super) struct Join {
    /// The new node.
    pub(super) node: u32,
    contact: u32,
    /// The nodes on both sides of it, once it has found them.
    between: Option<(u32, u32)>,
    done: Vec<Duration>,
}

impl Join {
    /// The new node has asked `contact` for its own identifier.
    pub(super) fn new(now: Duration, node: u32, contact: u32) -> Self {
        Self { node, contact, between: None, done: vec![now] }
    }

    pub(super) fn is_done(&self) -> bool {
        self.done.len() == 5
    }

    /// Marks the next step if the pointers show it, and returns a sentence about it.
    pub(super) fn observe(
        &mut self,
        now: Duration,
        pointers: impl Fn(u32) -> Option<Pointers>,
    ) -> Option<String> {
        let own = pointers(self.node)?;
        if self.between.is_none() {
            let after = own.successor?;
            self.between = Some((pointers(after)?.predecessor?, after));
        }
        let (before, after) = self.between?;
        let is_done = match self.done.len() {
            1 => own.successor == Some(after),
            2 => pointers(after)?.predecessor == Some(self.node),
            3 => pointers(before)?.successor == Some(self.node),
            4 => own.predecessor == Some(before),
            _ => return None,
        };
        is_done.then(|| {
            let text =
                format!("join, step {}: {}", self.done.len() + 1, self.step(self.done.len()));
            self.done.push(now);
            text
        })
    }

    /// Describes a step, from 0 on.
    fn step(&self, step: usize) -> String {
        let Self { node, contact, .. } = self;
        let name = |side: Option<u32>, otherwise: &str| {
            side.map_or(otherwise.to_owned(), |id| id.to_string())
        };
        let before = name(self.between.map(|(before, _)| before), "the node before it");
        let after = name(self.between.map(|(_, after)| after), "the node that is named");
        match step {
            0 => format!("{node} asks {contact} for the owner of {node}"),
            1 => format!("{node} takes {after} as its successor"),
            2 => format!("{after} learns of {node} and takes it as its predecessor"),
            3 => format!("{before} stabilizes and takes {node} as its successor"),
            _ => format!("{node} learns of {before} and takes it as its predecessor"),
        }
    }

    pub(super) fn view(&self) -> Json {
        let steps = (0..5).map(|step| {
            let done = self.done.get(step).map(Duration::as_secs_f64);
            Json::object([("text", self.step(step).into()), ("done", done.into())])
        });
        Json::object([("node", self.node.into()), ("steps", Json::list(steps))])
    }
}
