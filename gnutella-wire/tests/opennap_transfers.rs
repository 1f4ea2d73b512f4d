//! The central index between two users: requests of files, pushes, and what each side is told.

mod opennap_world;

use core::time::Duration;

use gnutella_wire::opennap::IndexConfig;
use opennap_world::{World, sent};

const IP_1: &str = "16777226"; // 10.0.0.1, the first byte the lowest
const IP_2: &str = "33554442";

#[test]
fn a_download_asks_the_sharer_first() {
    let mut world = World::of_two();
    assert_eq!(world.send(1, 100, "\"a b.mp3\" 0123 99 128 44100 60"), []);
    let asked = world.send(2, 203, "ann \"a b.mp3\"");
    assert_eq!(asked, sent(&[(1, 607, "ben \"a b.mp3\"")]));
    let there = world.send(1, 608, "ben \"a b.mp3\"");
    assert_eq!(there, sent(&[(2, 204, &format!("ann {IP_1} 6699 \"a b.mp3\" 0123 8"))]));
    assert_eq!(world.send(1, 608, "ben \"a b.mp3\""), [], "accepted once, for one request");
    assert_eq!(world.send(2, 218, ""), []);
    assert_eq!(world.send(2, 219, ""), []);
}

#[test]
fn a_sharer_without_free_uploads_answers_with_its_limit() {
    let mut world = World::of_two();
    world.send(1, 100, "\"a.mp3\" 0123 99 128 44100 60");
    world.send(2, 203, "ann \"a.mp3\"");
    let full = world.send(1, 619, "ben \"a.mp3\" 3");
    assert_eq!(full, sent(&[(2, 620, "ann \"a.mp3\" 99 3")]));
    world.send(2, 203, "ann \"a.mp3\"");
    let failed = world.send(1, 609, "ben \"a.mp3\"");
    assert_eq!(failed, sent(&[(2, 609, "ann \"a.mp3\"")]));
}

/// A sharer that does not answer: the user receives 609, once.
#[test]
fn a_sharer_that_stays_silent_fails_the_request() {
    let mut world = World::new(2, 2);
    world.enter(1, "ann", 6_699);
    world.enter(2, "ben", 6_699);
    world.send(1, 100, "\"a.mp3\" 00 1 128 44100 60");
    assert_eq!(world.send(2, 203, "ann \"a.mp3\"").len(), 1);
    let timeout = IndexConfig::CUSTOMARY.request_timeout;
    assert_eq!(world.0.poll_timeout(), Some(timeout));
    world.0.handle_timeout(timeout.saturating_sub(Duration::from_millis(1)));
    assert_eq!(world.drain(), []);
    world.0.handle_timeout(timeout);
    assert_eq!(world.drain(), sent(&[(2, 609, "ann \"a.mp3\"")]));
    assert_eq!(world.send(1, 608, "ben \"a.mp3\""), [], "too late");
    assert!(world.0.poll_timeout() > Some(timeout));
}

#[test]
fn nobody_accepts_what_was_not_asked_for() {
    let mut world = World::of_two();
    world.enter(3, "cat", 6701);
    world.send(1, 100, "\"a.mp3\" 0123 99 128 44100 60");
    world.send(3, 100, "\"a.mp3\" 4567 99 128 44100 60");
    assert_eq!(world.send(1, 608, "ben \"a.mp3\""), []);
    world.send(2, 203, "ann \"a.mp3\"");
    assert_eq!(world.send(3, 608, "ben \"a.mp3\""), [], "ben asked ann");
    world.send(1, 102, "\"a.mp3\"");
    assert_eq!(world.send(1, 608, "ben \"a.mp3\""), [], "no longer shared");
}

#[test]
fn a_missing_file_or_user_is_refused_with_206() {
    let mut world = World::of_two();
    assert_eq!(world.send(2, 203, "ann \"x.mp3\""), sent(&[(2, 206, "ann \"x.mp3\"")]));
    assert_eq!(world.send(2, 203, "dan \"x.mp3\""), sent(&[(2, 206, "dan \"x.mp3\"")]));
    assert_eq!(world.send(2, 500, "dan \"x.mp3\""), sent(&[(2, 206, "dan \"x.mp3\"")]));
}

#[test]
fn a_sharer_behind_a_firewall_is_asked_to_connect() {
    let mut world = World::new(4, 8);
    world.enter(1, "ann", 0);
    world.enter(2, "ben", 6700);
    world.enter(3, "cat", 0);
    world.send(1, 100, "\"a.mp3\" 0123 99 128 44100 60");
    let at_once = world.send(2, 203, "ann \"a.mp3\"");
    assert_eq!(at_once, sent(&[(2, 204, &format!("ann {IP_1} 0 \"a.mp3\" 0123 8"))]));
    let asked = world.send(2, 500, "ann \"a.mp3\"");
    assert_eq!(asked, sent(&[(1, 607, "ben \"a.mp3\"")]));
    let connect = world.send(1, 608, "ben \"a.mp3\"");
    assert_eq!(connect, sent(&[(1, 501, &format!("ben {IP_2} 6700 \"a.mp3\" 0123 8"))]));
    let both = world.send(3, 500, "ann \"a.mp3\"");
    assert_eq!(both, sent(&[(3, 204, &format!("ann {IP_1} 0 \"a.mp3\" firewallerror 8"))]));
    world.send(2, 100, "\"b.mp3\" 0123 99 128 44100 60");
    let reachable = world.send(3, 500, "ben \"b.mp3\"");
    assert_eq!(reachable, sent(&[(3, 404, "the sharer is not behind a firewall")]));
}

/// The sharer does not read: its replies are full after three. The others who ask it to push are refused.
#[test]
fn no_push_request_is_lost_when_the_reply_queue_is_full() {
    let mut world = World::new(8, 8);
    world.enter(1, "ann", 0);
    world.send(1, 100, "\"a.mp3\" 0123 99 128 44100 60");
    for conn in 2..=6 {
        world.enter(conn, &format!("user{conn}"), 6700);
    }
    for conn in 2..=6 {
        world.receive(conn, 500, "ann \"a.mp3\"");
    }
    let mut answers = world.drain();
    answers.sort();
    let expected = sent(&[
        (1, 607, "user2 \"a.mp3\""),
        (1, 607, "user3 \"a.mp3\""),
        (1, 607, "user4 \"a.mp3\""),
        (5, 206, "ann \"a.mp3\""),
        (6, 206, "ann \"a.mp3\""),
    ]);
    assert_eq!(answers, expected);
}

/// Three requests for its own file wait in the replies of an asker. Both answers to it are sent after them.
#[test]
fn an_asker_whose_reply_queue_is_full_receives_every_answer() {
    let mut world = World::new(8, 8);
    world.enter(1, "ann", 6699);
    world.enter(2, "ben", 6700);
    world.send(1, 100, "\"a.mp3\" 0123 99 128 44100 60");
    world.send(1, 100, "\"z.mp3\" 0123 99 128 44100 60");
    world.send(2, 100, "\"b.mp3\" 0123 99 128 44100 60");
    world.send(2, 203, "ann \"a.mp3\"");
    world.send(2, 203, "ann \"z.mp3\"");
    for conn in 3..=5 {
        world.enter(conn, &format!("user{conn}"), 6700);
    }
    for conn in 3..=5 {
        world.receive(conn, 203, "ben \"b.mp3\"");
    }
    world.receive(1, 608, "ben \"a.mp3\"");
    world.receive(1, 608, "ben \"z.mp3\"");
    let answers = world.drain();
    let source = |file| (2, 204, format!("ann {IP_1} 6699 \"{file}.mp3\" 0123 8"));
    assert_eq!(answers.len(), 5);
    assert_eq!(answers[3..], [source("a"), source("z")]);
    world.0.handle_timeout(IndexConfig::CUSTOMARY.request_timeout);
    assert_eq!(world.drain().iter().filter(|(_, kind, _)| *kind == 609).count(), 3, "ben's file");
}

#[test]
fn a_port_that_cannot_be_connected_to_is_reported_to_its_user() {
    let mut world = World::of_two();
    assert_eq!(world.send(2, 626, "ann"), sent(&[(1, 626, "ben")]));
    assert_eq!(world.send(2, 626, "dan"), sent(&[(2, 404, "no such user")]));
}
