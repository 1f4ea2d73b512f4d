//! The map against one that is filled at once, and what its root costs.

use std::collections::BTreeMap;

use ledger_core::Hash;
use ledger_core::merkle::{HashPairs, OneByOne, TwoBlocks};
use ledger_core::state::{Key, Slot, Store, StoreError, Trie, Value};
use proptest::prelude::*;

type Map = Trie<Vec<Slot>>;

fn map(capacity: usize) -> Map {
    Trie::new(vec![Slot::EMPTY; capacity])
}

fn key(n: u32) -> Key {
    Key::new(64, &n.to_be_bytes())
}

fn value(n: u32) -> Value {
    Value::new(&n.to_be_bytes()).expect("four bytes")
}

/// Returns the root of a map that holds these entries and nothing else before.
fn root_of(model: &BTreeMap<u32, u32>) -> Hash {
    let mut map = map(2 * model.len() + 1);
    for (n, content) in model {
        map.replace(&key(*n), Some(&value(*content))).expect("there is room");
    }
    map.root()
}

/// Counts the messages that it hashes.
struct Counting(usize);

impl HashPairs for Counting {
    fn hash_messages(&mut self, messages: &[TwoBlocks], hashes: &mut [Hash]) {
        self.0 += messages.len();
        OneByOne.hash_messages(messages, hashes);
    }
}

/// The root after each of many writes is that of a map that is filled at once, also where a known node moves down.
#[test]
fn roots_between_writes_change_no_later_root() {
    for count in 2..40 {
        let mut map = map(80);
        let mut model = BTreeMap::new();
        for n in (0..count).map(|n| n * 7 % 41) {
            map.replace(&key(n), Some(&value(n))).expect("there is room");
            model.insert(n, n);
            assert_eq!(map.root(), root_of(&model), "{n} of {count}");
        }
        for n in (0..count).map(|n| n * 7 % 41) {
            map.replace(&key(n), None).expect("it is there");
            model.remove(&n);
            assert_eq!(map.root(), root_of(&model), "without {n} of {count}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// Changes together are the same as changes in turn, also of one key twice and of keys that are missing.
    #[test]
    fn changes_together_are_those_in_turn(
        entries in proptest::collection::btree_set(0_u32..60, 0..40),
        changes in proptest::collection::vec(0_u32..60, 0..70),
    ) {
        let mut one = map(40);
        for n in &entries {
            one.replace(&key(*n), Some(&value(1))).expect("there is room");
        }
        let mut other = one.clone();
        let keys: Vec<Key> = changes.iter().map(|n| key(*n)).collect();
        let mut seen = Vec::new();
        let count = one.update_each(&keys, |at, old| {
            seen.push((at, *old));
            value(2 + at as u32)
        });
        let mut expected = Vec::new();
        for (at, key) in keys.iter().enumerate() {
            if let Some(old) = other.value(key) {
                expected.push((at, old));
                other.replace(key, Some(&value(2 + at as u32))).expect("it exists");
            }
        }
        prop_assert_eq!(count, expected.len());
        prop_assert_eq!(seen, expected);
        prop_assert_eq!(one.root(), other.root());
        prop_assert!(keys.iter().all(|key| one.value(key) == other.value(key)));
    }

    #[test]
    fn the_root_depends_on_the_entries_alone(
        capacity in 0_usize..40,
        writes in proptest::collection::vec((0_u32..48, 0_u32..5, any::<bool>()), 0..200),
    ) {
        let mut map = map(capacity);
        let mut model = BTreeMap::new();
        for (n, content, is_root_asked) in writes {
            let before = model.get(&n).copied();
            let written = map.replace(&key(n), (content > 0).then(|| value(content)).as_ref());
            if content > 0 && before.is_none() && model.len() == capacity {
                prop_assert_eq!(written, Err(StoreError::Full { capacity }));
            } else {
                prop_assert_eq!(written, Ok(before.map(value)));
                if content > 0 { model.insert(n, content); } else { model.remove(&n); }
            }
            prop_assert_eq!(map.len(), model.len());
            if is_root_asked {
                prop_assert_eq!(map.root(), root_of(&model));
            }
        }
        let root = map.root();
        prop_assert_eq!(root, root_of(&model));
        let mut buf = [0; 66 + 33 * 40];
        for n in 0..48 {
            let proof = map.prove(&key(n), &mut buf).expect("at most 40 levels");
            let expected = model.get(&n).map(|content| value(*content).hash());
            prop_assert_eq!(proof.verify(&root, &key(n)), Ok(expected));
        }
    }
}

#[test]
fn many_changes_at_once_give_the_root_of_the_entries() {
    let mut map = map(3000);
    let mut model = BTreeMap::new();
    for round in 0..4 {
        for n in 0..3000_u32 {
            let number = n.wrapping_mul(2_654_435_761).wrapping_add(round) >> 3;
            let content = (number % 5 + round > 1).then(|| value(number));
            map.replace(&key(n), content.as_ref()).expect("there is room");
            match content {
                Some(_) => model.insert(n, number),
                None => model.remove(&n),
            };
        }
        assert_eq!(map.root(), root_of(&model), "round {round}");
    }
}

#[test]
fn each_changed_node_is_hashed_once() {
    let mut map = map(1000);
    for n in 0..1000 {
        map.replace(&key(n), Some(&value(n))).expect("there is room");
    }
    let mut all = Counting(0);
    map.root_with(&mut all);
    // 1,000 leaves and 999 inner nodes, of which the top is hashed apart.
    assert_eq!(all.0, 1998);
    for n in 0..10 {
        map.replace(&key(500), Some(&value(n))).expect("it exists");
    }
    let mut path = Counting(0);
    let root = map.root_with(&mut path);
    let mut buf = [0; 66 + 33 * 40];
    let steps = (map.prove(&key(500), &mut buf).expect("40 levels").as_bytes().len() - 66) / 33;
    assert_eq!(path.0, steps, "the leaf and the nodes above it but the top");
    let mut nothing = Counting(0);
    assert_eq!(map.root_with(&mut nothing), root);
    assert_eq!(nothing.0, 0);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn keys_looked_up_together_have_the_values_of_each(
        entries in proptest::collection::btree_map(0_u32..200, any::<u32>(), 0..120),
        asked in proptest::collection::vec(0_u32..200, 0..60),
        places in 0_usize..70,
    ) {
        let mut map = map(entries.len());
        for (n, content) in &entries {
            map.replace(&key(*n), Some(&value(*content))).expect("there is room");
        }
        let keys: Vec<Key> = asked.iter().map(|n| key(*n)).collect();
        let untouched = Value::new(b"untouched");
        let mut values = vec![untouched; places];
        map.values(&keys, &mut values);
        for (at, found) in values.iter().enumerate() {
            let expected = match asked.get(at) {
                Some(n) => entries.get(n).map(|content| value(*content)),
                None => untouched,
            };
            prop_assert_eq!(*found, expected, "place {}", at);
        }
    }
}
