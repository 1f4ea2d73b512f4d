//! The few headers of a chain that a rule looks up.

use super::rule::{Difficulty, HeaderInfo, History};

/// A ring of the latest headers, and the latest header of either kind that [`Difficulty::marks`] reports.
///
/// | rule | slots that it needs |
/// |---|---|
/// | [`Fixed`](super::Fixed), [`Asert`](super::Asert), [`Retarget`](super::Retarget) | 0 |
/// | [`Lwma`](super::Lwma) | its window + 1 |
///
/// Any `AsRef<[HeaderInfo]> + AsMut<[HeaderInfo]>` serves as storage: an array, a slice or a vector.
///
/// ```
/// use pow::CompactTarget;
/// use pow::difficulty::{Fixed, HeaderInfo, History, Recent};
///
/// let bits = CompactTarget::BITCOIN_LIMIT;
/// let mut recent = Recent::new([HeaderInfo::EMPTY; 2]);
/// for height in 1..=3 {
///     recent.push(&Fixed(bits), HeaderInfo { height, time: 600 * height as i64, bits });
/// }
/// assert_eq!(recent.at(3).map(|header| header.time), Some(1800));
/// assert_eq!(recent.at(1), None); // only two slots
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Recent<S: ?Sized> {
    newest: Option<HeaderInfo>,
    marks: [Option<HeaderInfo>; 2],
    at: usize,  // the slot of the newest
    len: usize, // slots in use
    slots: S,
}

impl<S: AsRef<[HeaderInfo]> + AsMut<[HeaderInfo]>> Recent<S> {
    /// Creates an empty ring and clears the slots.
    pub fn new(mut slots: S) -> Self {
        slots.as_mut().fill(HeaderInfo::EMPTY);
        Self { newest: None, marks: [None; 2], at: 0, len: 0, slots }
    }

    /// Returns the slots.
    pub fn into_storage(self) -> S {
        self.slots
    }
}

impl<S: AsRef<[HeaderInfo]> + AsMut<[HeaderInfo]> + ?Sized> Recent<S> {
    /// Appends a header. It replaces the oldest if all slots are in use. A header that does not follow the
    /// newest replaces all.
    pub fn push(&mut self, rule: &(impl Difficulty + ?Sized), header: HeaderInfo) {
        let follows = self.newest.and_then(|newest| newest.height.checked_add(1));
        if follows != Some(header.height) {
            self.len = 0;
            self.marks = [None; 2];
        }
        self.newest = Some(header);
        for (mark, marked) in self.marks.iter_mut().zip(rule.marks(&header)) {
            if marked {
                *mark = Some(header);
            }
        }
        let slots = self.slots.as_mut();
        self.at = self.at.saturating_add(1).checked_rem(slots.len()).unwrap_or(0);
        self.len = self.len.saturating_add(1).min(slots.len());
        if let Some(slot) = slots.get_mut(self.at) {
            *slot = header;
        }
    }

    /// Returns the number of slots.
    #[cfg(feature = "ledger")]
    pub(crate) fn capacity(&self) -> usize {
        self.slots.as_ref().len()
    }

    /// Returns the latest header.
    #[must_use]
    pub const fn newest(&self) -> Option<HeaderInfo> {
        self.newest
    }
}

impl<S: AsRef<[HeaderInfo]>> History for Recent<S> {
    fn at(&self, height: u64) -> Option<HeaderInfo> {
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
        let marked = || self.marks.iter().flatten().find(|header| header.height == height).copied();
        in_slots.or_else(marked)
    }

    /// The latest mark of all is also the latest below `from`, unless it is above.
    fn latest(&self, from: u64, wanted: &dyn Fn(&HeaderInfo) -> bool) -> Option<HeaderInfo> {
        let [_, mark] = self.marks;
        mark.filter(|header| header.height <= from && wanted(header))
    }
}
