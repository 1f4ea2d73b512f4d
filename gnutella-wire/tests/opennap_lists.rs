//! Searches and lists of an index over files that come and go.

mod opennap_world;

use gnutella_wire::opennap::{Index, IndexVec};
use opennap_world::{World, sent};

fn two(files: usize) -> World {
    let mut world = World::new(4, files);
    world.enter(1, "ann", 6699);
    world.enter(2, "ben", 6700);
    world
}

fn share(world: &mut World, name: &str) {
    let file = format!("\"{name}\" 00 1 128 44100 60");
    assert_eq!(world.send(1, 100, &file), [], "{name}");
}

fn unshare(world: &mut World, name: &str) {
    assert_eq!(world.send(1, 102, &format!("\"{name}\"")), [], "{name}");
}

/// The names of a list, and whether it ends.
fn browsed(messages: &[(u32, u16, String)]) -> (Vec<&str>, bool) {
    let names = messages.iter().filter(|message| message.1 == 212);
    let names = names.map(|message| message.2.split('"').nth(1).unwrap()).collect();
    (names, messages.last().is_some_and(|message| message.1 == 213))
}

/// A file that is found and removed leaves nothing behind, however often.
#[test]
fn files_that_were_found_make_room() {
    let mut world = two(2);
    for _ in 0..1_000 {
        share(&mut world, "one two three.mp3");
        let found = world.send(2, 200, "FILENAME CONTAINS \"two\"");
        assert_eq!(found.iter().map(|message| message.1).collect::<Vec<_>>(), [201, 202]);
        unshare(&mut world, "one two three.mp3");
    }
    assert_eq!(world.0.files(), 0);
}

/// All words of a search have to be in one name.
#[test]
fn a_search_is_for_all_its_words() {
    let mut world = two(8);
    share(&mut world, "hey you.mp3");
    share(&mut world, "jude law.mp3");
    for (words, rows) in [("hey jude", 0), ("law  jude", 1), ("YOU", 1), ("you law", 0), ("mp3", 2)]
    {
        let found = world.send(2, 200, &format!("FILENAME CONTAINS \"{words}\""));
        let kinds: Vec<_> = found.iter().map(|message| message.1).collect();
        let mut expected = vec![201; rows];
        expected.push(202);
        assert_eq!(kinds, expected, "{words}");
    }
}

/// The list of a user is whole after any of its files was removed.
#[test]
fn a_list_is_whole_without_a_file() {
    for removed in ["a.mp3", "b.mp3", "c.mp3"] {
        let mut world = two(8);
        let names = ["a.mp3", "b.mp3", "c.mp3"];
        for name in names {
            share(&mut world, name);
        }
        unshare(&mut world, removed);
        share(&mut world, "d.mp3");
        let messages = world.send(2, 211, "ann");
        let mut expected: Vec<_> = names.into_iter().filter(|name| *name != removed).collect();
        expected.push("d.mp3");
        expected.reverse();
        assert_eq!(browsed(&messages), (expected, true), "without {removed}");
        assert_eq!(world.0.files(), 3);
    }
}

/// A list goes on with the next older file if the one where it stands is removed.
#[test]
fn a_list_goes_on_behind_a_removed_file() {
    let mut world = two(8);
    for name in ["a.mp3", "b.mp3", "c.mp3"] {
        share(&mut world, name);
    }
    world.receive(2, 211, "ann");
    let mut buf = [0; Index::<IndexVec>::MAX_TRANSMIT_LEN];
    let first = world.0.poll_transmit(&mut buf).unwrap().unwrap();
    assert!(buf[..first.len].windows(5).any(|part| part == b"c.mp3"));
    world.receive(1, 102, "\"b.mp3\"");
    let rest = world.drain();
    assert_eq!(browsed(&rest), (vec!["a.mp3"], true));
}

/// A file that is removed before its address is sent is reported.
#[test]
fn a_file_that_is_removed_meanwhile_is_reported() {
    let mut world = two(8);
    share(&mut world, "a.mp3");
    world.receive(2, 203, "ann \"a.mp3\"");
    world.receive(1, 608, "ben \"a.mp3\"");
    world.receive(1, 102, "\"a.mp3\"");
    let expected = sent(&[(2, 404, "the file is no longer shared")]);
    let messages = world.drain();
    assert!(messages.ends_with(&expected), "{messages:?}");
}
