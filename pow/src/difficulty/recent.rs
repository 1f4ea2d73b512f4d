//! The few headers of a chain that a rule looks up, in memory that the caller lends.

use crate::{Difficulty, History, Past};

/// A ring of the latest headers, and besides them the latest of either kind that [`Difficulty::marks`]
/// names.
///
/// How many slots a rule takes: [`Fixed`](crate::Fixed), [`Asert`](crate::Asert) and
/// [`Retarget`](crate::Retarget) none at all, [`Lwma`](crate::Lwma) its window and one more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Recent<S: ?Sized> {
    newest: Option<Past>,
    marks: [Option<Past>; 2],
    at: usize,  // of the newest in the slots
    len: usize, // of the slots in use
    slots: S,
}

impl<S: AsRef<[Past]> + AsMut<[Past]>> Recent<S> {
    /// Begins without headers; what the slots hold does not matter.
    pub const fn new(slots: S) -> Self {
        Self { newest: None, marks: [None; 2], at: 0, len: 0, slots }
    }
}

impl<S: AsRef<[Past]> + AsMut<[Past]> + ?Sized> Recent<S> {
    /// Appends a header, and forgets the oldest if the slots are full. One that does not follow the newest
    /// begins anew.
    pub fn push(&mut self, rule: &(impl Difficulty + ?Sized), past: Past) {
        let follows = self.newest.and_then(|newest| newest.height.checked_add(1));
        if follows != Some(past.height) {
            (self.len, self.marks) = (0, [None; 2]);
        }
        self.newest = Some(past);
        for (mark, marked) in self.marks.iter_mut().zip(rule.marks(&past)) {
            if marked {
                *mark = Some(past);
            }
        }
        let slots = self.slots.as_mut();
        self.at = self.at.saturating_add(1).checked_rem(slots.len()).unwrap_or(0);
        self.len = self.len.saturating_add(1).min(slots.len());
        if let Some(slot) = slots.get_mut(self.at) {
            *slot = past;
        }
    }

    /// Returns the latest header.
    #[must_use]
    pub const fn newest(&self) -> Option<Past> {
        self.newest
    }
}

impl<S: AsRef<[Past]>> History for Recent<S> {
    fn at(&self, height: u64) -> Option<Past> {
        let back = self.newest?.height.checked_sub(height)?;
        if back == 0 {
            return self.newest;
        }
        let slots = self.slots.as_ref();
        let in_slots =
            usize::try_from(back).ok().filter(|back| *back < self.len).and_then(|back| {
                let wrapped = if back > self.at { slots.len() } else { 0 };
                slots.get(self.at.saturating_add(wrapped).saturating_sub(back)).copied()
            });
        in_slots.or_else(|| self.marks.iter().flatten().find(|past| past.height == height).copied())
    }

    /// The latest mark of all is also the latest below `from`, unless it is above.
    fn latest(&self, from: u64, wanted: &dyn Fn(&Past) -> bool) -> Option<Past> {
        let [_, mark] = self.marks;
        mark.filter(|past| past.height <= from && wanted(past))
    }
}
