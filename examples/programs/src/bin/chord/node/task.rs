//! To store, find or delete a value, which may have parts: which entries to change and to ask for, in which order.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use chord_core::Id160;

use super::parts::{LONGEST_VALUE, Manifest, Root, read_list, read_part, read_root, split};
use super::store::{Answer, Change};

/// How many entries are on their way at a time.
const WINDOW: usize = 16;

/// What the user wants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Goal {
    /// The lifetime is in seconds; 0 means without limit.
    Put {
        value: Vec<u8>,
        lifetime: u32,
    },
    Get,
    Delete,
}

/// One command for one key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    pub key: Id160,
    /// `None` asks for what is there.
    pub change: Option<Change>,
}

/// How a task ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    Stored {
        version: u64,
        copies: u8,
        parts: usize,
    },
    Found {
        value: Vec<u8>,
        version: u64,
        copies: u8,
        lifetime: u32,
    },
    Deleted {
        copies: u8,
    },
    Nothing,
    /// A sentence.
    Failed(String),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// Asks what is under the key.
    Root,
    /// Asks for the lists of the manifest that was found.
    Lists,
    /// Asks for the parts, or stores them.
    Parts,
    /// Changes what is under the key.
    Change,
    /// Deletes parts that nothing names any more. Failures leave some of them behind.
    Cleanup,
}

/// A task for one key. Its memory is bounded by the longest value.
#[derive(Debug)]
pub struct Task {
    pub key: Id160,
    goal: Goal,
    stage: Stage,
    queue: VecDeque<Request>,
    waiting: BTreeSet<Id160>,
    manifest: Option<Manifest>,
    /// The lists of the manifest, and the keys of the parts that are named there, by their list.
    lists: BTreeMap<Id160, Vec<Id160>>,
    /// The parts that have been found.
    found: BTreeMap<Id160, Vec<u8>>,
    /// What goes under the key, and the keys of the new parts.
    root: Vec<u8>,
    new: BTreeSet<Id160>,
    version: u64,
    copies: u8,
    lifetime: u32,
    outcome: Option<Outcome>,
}

impl Task {
    pub fn new(key: Id160, goal: Goal) -> Self {
        let mut task = Self {
            key,
            goal,
            stage: Stage::Root,
            queue: VecDeque::from([Request { key, change: None }]),
            waiting: BTreeSet::new(),
            manifest: None,
            lists: BTreeMap::new(),
            found: BTreeMap::new(),
            root: vec![],
            new: BTreeSet::new(),
            version: 0,
            copies: u8::MAX,
            lifetime: 0,
            outcome: None,
        };
        if let Goal::Put { value, .. } = &task.goal
            && value.len() > LONGEST_VALUE
        {
            let text = format!("a value has {LONGEST_VALUE} bytes at most, not {}", value.len());
            task.fail(text);
        }
        task
    }

    /// Returns the next command, unless enough of them are on their way.
    pub fn next(&mut self) -> Option<Request> {
        if self.waiting.len() >= WINDOW || self.outcome.is_some() {
            return None;
        }
        let request = self.queue.pop_front()?;
        self.waiting.insert(request.key);
        Some(request)
    }

    /// Returns how the task has ended, once.
    pub fn outcome(&mut self) -> Option<Outcome> {
        self.outcome.take()
    }

    /// Returns how many entries are still to be stored, found or deleted in this stage.
    pub fn describe(&self) -> String {
        let left = self.queue.len() + self.waiting.len();
        match self.stage {
            Stage::Root => "looking the key up".into(),
            Stage::Lists => format!("{left} lists of parts left"),
            Stage::Parts => format!("{left} parts left"),
            Stage::Change => "storing the description of the parts".into(),
            Stage::Cleanup => format!("{left} old parts left to delete"),
        }
    }

    /// Handles the end of a command. One that this task has not asked for is ignored.
    pub fn handle(&mut self, key: Id160, answer: Answer) {
        if !self.waiting.remove(&key) || self.outcome.is_some() {
            return;
        }
        match self.stage {
            Stage::Root => self.handle_root(answer),
            Stage::Lists => self.handle_list(key, answer),
            Stage::Parts if self.goal == Goal::Get => self.handle_part(key, &answer),
            Stage::Parts | Stage::Change => self.handle_stored(&answer),
            Stage::Cleanup => {}
        }
        if self.outcome.is_none() && self.queue.is_empty() && self.waiting.is_empty() {
            self.advance();
        }
    }

    fn fail(&mut self, text: impl Into<String>) {
        self.outcome = Some(Outcome::Failed(text.into()));
    }

    fn handle_root(&mut self, answer: Answer) {
        let get = self.goal == Goal::Get;
        match answer {
            Answer::Found { entry, lifetime, copies } => {
                if get {
                    self.version = entry.version;
                    self.copies = copies;
                    self.lifetime = lifetime;
                }
                match read_root(&entry.value) {
                    Some(Root::Manifest(manifest)) => {
                        if manifest.has_lists() {
                            self.stage = Stage::Lists;
                            self.queue.extend(manifest.keys.iter().map(|key| ask(*key)));
                        }
                        self.manifest = Some(manifest);
                    }
                    Some(Root::Plain(value)) if get => self.finish_get(value),
                    None if get => {
                        self.fail("what is under this key is not a value of this program");
                    }
                    Some(Root::Plain(_)) | None => {}
                }
            }
            Answer::Nothing if matches!(self.goal, Goal::Put { .. }) => {}
            Answer::Nothing => self.outcome = Some(Outcome::Nothing),
            _ => self.fail("no answer from the owner of the key"),
        }
    }

    fn handle_list(&mut self, at: Id160, answer: Answer) {
        let keys = match answer {
            Answer::Found { entry, .. } => read_list(self.key, at, &entry.value),
            _ => None,
        };
        match keys {
            Some(keys) => drop(self.lists.insert(at, keys)),
            None if self.goal == Goal::Get => {
                let manifest = self.manifest.as_ref();
                let lists = manifest.map_or(&[][..], |manifest| &manifest.keys);
                let number = lists.iter().position(|key| *key == at).map_or(0, |at| at + 1);
                let text = format!("list {number} of {} of the parts is missing", lists.len());
                self.fail(text);
            }
            None => {} // its parts cannot be deleted
        }
    }

    fn handle_part(&mut self, at: Id160, answer: &Answer) {
        if let Answer::Found { entry, .. } = answer
            && let Some(bytes) = read_part(self.key, at, &entry.value)
        {
            self.found.insert(at, bytes.to_vec());
            return;
        }
        let keys = self.part_keys();
        let number = keys.iter().position(|key| *key == at).map_or(0, |at| at + 1);
        let what = match answer {
            Answer::Found { .. } => "is damaged",
            Answer::Nothing => "is missing",
            _ => "has no owner that answers",
        };
        self.fail(format!("part {number} of {} {what}", keys.len()));
    }

    fn handle_stored(&mut self, answer: &Answer) {
        match *answer {
            Answer::Stored { version, copies } => {
                self.version = version; // the last one is that of the key itself
                self.copies = self.copies.min(copies);
            }
            Answer::Nothing => self.outcome = Some(Outcome::Nothing), // deleted by another client meanwhile
            Answer::Refused => self
                .fail("no room: the store of the owner, or the share of this host there, is full"),
            _ => self.fail("no answer from the owner of the key"),
        }
    }

    /// Begins the next stage that has something to do.
    fn advance(&mut self) {
        while self.outcome.is_none() && self.queue.is_empty() {
            match self.stage {
                Stage::Root => self.stage = Stage::Lists,
                Stage::Lists => self.begin_parts(),
                Stage::Parts if self.goal == Goal::Get => self.join_parts(),
                Stage::Parts => self.begin_change(),
                Stage::Change => self.begin_cleanup(),
                Stage::Cleanup => self.finish(),
            }
        }
    }

    fn begin_parts(&mut self) {
        self.stage = Stage::Parts;
        match &self.goal {
            Goal::Put { value, lifetime } => {
                let split = split(self.key, value);
                self.root = split.root;
                self.new = split.parts.iter().map(|(key, _)| *key).collect();
                // A value may have the same part twice.
                let parts: BTreeMap<_, _> = split.parts.into_iter().collect();
                self.queue.extend(parts.into_iter().map(|(key, part)| Request {
                    key,
                    change: Some(Change { value: Some(part), lifetime: *lifetime }),
                }));
            }
            Goal::Get => {
                let keys: BTreeSet<Id160> = self.part_keys().into_iter().collect();
                self.queue.extend(keys.into_iter().map(ask));
            }
            Goal::Delete => {}
        }
    }

    fn begin_change(&mut self) {
        self.stage = Stage::Change;
        let change = match &self.goal {
            Goal::Put { lifetime, .. } => {
                Change { value: Some(core::mem::take(&mut self.root)), lifetime: *lifetime }
            }
            _ => Change { value: None, lifetime: 0 },
        };
        self.queue.push_back(Request { key: self.key, change: Some(change) });
    }

    fn begin_cleanup(&mut self) {
        self.stage = Stage::Cleanup;
        let lists = self.lists.keys().copied();
        let old: BTreeSet<Id160> = lists.chain(self.part_keys()).collect();
        self.queue.extend(
            old.difference(&self.new).map(|key| Request {
                key: *key,
                change: Some(Change { value: None, lifetime: 0 }),
            }),
        );
    }

    fn finish(&mut self) {
        let version = self.version;
        let copies = self.copies;
        self.outcome = Some(match &self.goal {
            Goal::Delete => Outcome::Deleted { copies },
            _ => Outcome::Stored { version, copies, parts: self.new.len().max(1) },
        });
    }

    fn join_parts(&mut self) {
        let keys = self.part_keys();
        let parts = keys.iter().filter_map(|key| self.found.get(key));
        let value: Vec<u8> = parts.flatten().copied().collect();
        let right = self.manifest.as_ref().is_some_and(|manifest| manifest.verify(&value));
        if right {
            self.finish_get(value);
        } else {
            self.fail("the parts do not have the SHA-256 value of the whole");
        }
    }

    fn finish_get(&mut self, value: Vec<u8>) {
        let version = self.version;
        let copies = self.copies;
        let lifetime = self.lifetime;
        self.outcome = Some(Outcome::Found { value, version, copies, lifetime });
    }

    /// Returns the keys of all parts that are known, in order.
    fn part_keys(&self) -> Vec<Id160> {
        let Some(manifest) = &self.manifest else { return vec![] };
        if !manifest.has_lists() {
            return manifest.keys.clone();
        }
        manifest.keys.iter().filter_map(|list| self.lists.get(list)).flatten().copied().collect()
    }
}

fn ask(key: Id160) -> Request {
    Request { key, change: None }
}

#[cfg(test)]
mod tests {
    use super::super::parts::place;
    use super::super::store::Entry;
    use super::*;

    /// Entries in memory: one owner of all keys.
    #[derive(Default)]
    struct Entries(BTreeMap<Id160, Entry>);

    impl Entries {
        fn run(&mut self, goal: Goal) -> Outcome {
            let mut task = Task::new(place("name"), goal);
            loop {
                if let Some(outcome) = task.outcome() {
                    return outcome;
                }
                let mut requests = vec![];
                requests.extend(core::iter::from_fn(|| task.next()));
                assert!((1..=WINDOW).contains(&requests.len()));
                for request in requests.into_iter().rev() {
                    let answer = self.answer(request.key, request.change);
                    task.handle(request.key, answer);
                }
            }
        }

        fn answer(&mut self, key: Id160, change: Option<Change>) -> Answer {
            let old = self.0.get(&key);
            match change {
                None => old.map_or(Answer::Nothing, |entry| Answer::Found {
                    entry: entry.clone(),
                    lifetime: 0,
                    copies: 2,
                }),
                Some(Change { value: Some(value), .. }) => {
                    let version = old.map_or(1, |entry| entry.version + 1);
                    self.0.insert(key, Entry { version, deleted: false, value });
                    Answer::Stored { version, copies: 3 }
                }
                Some(_) => match self.0.remove(&key) {
                    Some(_) => Answer::Stored { version: 9, copies: 1 },
                    None => Answer::Nothing,
                },
            }
        }
    }

    fn bytes(len: usize, seed: usize) -> Vec<u8> {
        (0..len).map(|n| (((n + seed) * (n + seed)) >> 6) as u8).collect()
    }

    #[test]
    fn a_value_is_stored_replaced_and_deleted_without_a_rest() {
        let mut entries = Entries::default();
        for (version, len) in
            [(1, 5), (2, 1_000_000), (3, 40_000), (4, 1_048_576), (5, 0), (6, 2_000)]
        {
            let value = bytes(len, version as usize);
            let stored = entries.run(Goal::Put { value: value.clone(), lifetime: 0 });
            assert!(
                matches!(stored, Outcome::Stored { version: v, copies: 3, .. } if v == version)
            );
            let found = entries.run(Goal::Get);
            let right = Outcome::Found { value, version, copies: 2, lifetime: 0 };
            assert!(found == right, "{len} bytes");
            let fewest = len.div_ceil(1023);
            assert!(entries.0.len() <= fewest + fewest / 50 + 3, "{len}: {}", entries.0.len());
        }
        assert_eq!(entries.run(Goal::Delete), Outcome::Deleted { copies: 1 });
        assert_eq!(entries.0.len(), 0);
        assert_eq!(entries.run(Goal::Get), Outcome::Nothing);
        assert_eq!(entries.run(Goal::Delete), Outcome::Nothing);
    }

    #[test]
    fn a_missing_or_damaged_part_is_named() {
        let mut entries = Entries::default();
        entries.run(Goal::Put { value: bytes(100_000, 0), lifetime: 0 });
        let keys: Vec<Id160> =
            entries.0.keys().copied().filter(|key| *key != place("name")).collect();
        let mut told = BTreeSet::new();
        for key in keys {
            let entry = entries.0.remove(&key).unwrap();
            match entries.run(Goal::Get) {
                Outcome::Failed(text) => assert!(told.insert(text)),
                other => panic!("{other:?}"),
            }
            let mut damaged = entry.clone();
            damaged.value[1] ^= 1;
            entries.0.insert(key, damaged);
            assert!(matches!(entries.run(Goal::Get), Outcome::Failed(_)));
            entries.0.insert(key, entry);
        }
        assert!(told.contains("part 1 of 98 is missing"), "{told:?}");
        assert!(told.contains("list 2 of 2 of the parts is missing"), "{told:?}");
        assert!(matches!(entries.run(Goal::Get), Outcome::Found { .. }));
    }

    #[test]
    fn too_long_a_value_is_refused_before_anything_is_sent() {
        let value = vec![0; LONGEST_VALUE + 1];
        let mut task = Task::new(place("name"), Goal::Put { value, lifetime: 0 });
        assert_eq!(task.next(), None);
        assert!(matches!(task.outcome(), Some(Outcome::Failed(text)) if text.contains("1048577")));
    }
}
