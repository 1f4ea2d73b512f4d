//! A node that gives up a branch whose body does not come, and tries it again.

mod common;

use core::time::Duration;

use common::World;
use common::driver::{Driver, NOW, PEER, node};
use ledger_core::BlockId;
use ledger_core::node::{Accepted, Event, Progress};

/// How long a branch rests.
const REST: Duration = Duration::from_secs(120);

/// A node that has given up a branch heavier than its own.
struct GivenUp {
    driver: Driver,
    own: World,
    heavier: World,
    /// The first block of the heavier branch.
    first: BlockId,
    /// Its bytes. Of these the node has seen the header alone.
    withheld: Vec<u8>,
}

impl GivenUp {
    fn new() -> Self {
        let mut own = World::new();
        let mut driver = Driver::new(node(20));
        let mut heavier = own.clone();
        driver.blocks.grow(&mut own, 1, 1);
        driver.branch(own.chain.tip().id);
        let first = driver.blocks.grow(&mut heavier, 2, 2);
        let withheld = driver.blocks.0.remove(&first).expect("just made");
        driver.node.handle_header(NOW, PEER, &withheld).expect("its parent is known");
        driver.run();
        driver.node.give_up();
        assert_eq!(driver.node.needed(), None);
        assert_eq!(driver.node.poll_timeout(), Some(NOW + REST));
        Self { driver, own, heavier, first, withheld }
    }

    /// The body comes when the node asks for it: the heavier branch is followed.
    fn deliver(mut self) {
        assert_eq!(self.driver.node.needed(), Some(self.first), "nobody has to send it unasked");
        self.driver.blocks.0.insert(self.first, self.withheld);
        self.driver.run();
        assert_eq!(self.driver.node.tip(), self.heavier.chain.tip());
    }
}

/// A body that does not come is given up; the old branch goes on. Later the branch is tried again.
#[test]
fn a_branch_that_was_given_up_is_tried_again() {
    let mut it = GivenUp::new();
    it.driver.node.handle_timeout(NOW + Duration::from_secs(119));
    assert_eq!(it.driver.node.needed(), None);
    it.driver.node.handle_timeout(NOW + REST);
    it.deliver();
}

/// A peer that sends a header of the branch may have the body. The wait ends sooner, but not at once: a peer that withholds it
/// could send headers all the time.
#[test]
fn a_branch_that_was_given_up_and_is_offered_is_tried_again_sooner() {
    let mut it = GivenUp::new();
    let sooner = Duration::from_millis(7_500);
    it.driver.node.handle_header(NOW, PEER, &it.withheld).expect("it is known");
    assert_eq!(it.driver.node.needed(), None);
    assert_eq!(it.driver.node.poll_timeout(), Some(NOW + sooner));
    it.driver.node.handle_timeout(NOW + sooner);
    assert_eq!(it.driver.node.needed(), Some(it.first));

    // What follows a branch that was given up waits with it, and offers it as well.
    it.driver.node.give_up();
    assert_eq!(it.driver.node.poll_timeout(), Some(NOW + sooner + REST));
    let second = it.driver.blocks.grow(&mut it.heavier, 2, 2);
    assert_eq!(it.driver.header(second), Ok(Accepted::Header { id: second }));
    assert_eq!(it.driver.node.needed(), None);
    assert_eq!(it.driver.node.poll_timeout(), Some(NOW + sooner * 2));
    it.driver.node.handle_timeout(NOW + sooner * 2);
    it.deliver();
}

#[test]
fn a_header_of_another_branch_does_not_shorten_the_wait() {
    let mut it = GivenUp::new();
    it.driver.blocks.grow(&mut it.own, 1, 1);
    it.driver.branch(it.own.chain.tip().id);
    assert_eq!(it.driver.node.poll_timeout(), Some(NOW + REST));
}

#[test]
fn a_branch_without_bodies_is_given_up() {
    let mut world = World::new();
    let mut driver = Driver::new(node(20));
    let mut other = world.clone();
    driver.blocks.grow(&mut world, 1, 1);
    driver.branch(world.chain.tip().id);
    let first = driver.blocks.grow(&mut other, 2, 1);
    let second = driver.blocks.grow(&mut other, 2, 1);
    for id in [first, second] {
        let bytes = driver.blocks.0[&id].clone();
        driver.node.handle_header(NOW, PEER, &bytes).expect("its parent is known");
    }
    let withheld = driver.blocks.0.remove(&second).expect("just made");
    driver.run();
    assert!(driver.node.is_busy());
    assert_eq!(driver.node.tip(), world.chain.tip(), "not before all of it is executed");
    let deadline = driver.node.poll_timeout().expect("a body is missing");
    assert_eq!(deadline, NOW + Duration::from_secs(30));
    driver.node.handle_timeout(NOW + Duration::from_millis(29_999));
    assert!(driver.node.is_busy());
    driver.node.handle_timeout(deadline);
    assert_eq!(driver.node.poll_event(), Some(Event::Abandoned { id: second }));
    assert_eq!(driver.node.poll_timeout(), Some(deadline + Duration::from_secs(120)));
    assert_eq!(driver.node.needed(), None);
    driver.blocks.grow(&mut world, 1, 1);
    driver.branch(world.chain.tip().id);
    assert_eq!(driver.node.tip(), world.chain.tip(), "as heavy as the other one, and whole");

    driver.blocks.0.insert(second, withheld);
    let third = driver.blocks.grow(&mut other, 2, 1);
    assert_eq!(driver.header(third), Ok(Accepted::Header { id: third }));
    assert_eq!(driver.node.tip(), world.chain.tip(), "still given up");
    let bytes = driver.blocks.0[&second].clone();
    driver.node.handle_block(NOW, PEER, &bytes).expect("a good block");
    driver.run();
    assert_eq!(driver.node.tip(), other.chain.tip());
}

/// The journal holds the writes of three blocks of the largest size, one of which is the block that was taken back. A branch of
/// many small blocks that outgrows it before it is the heavier one is given up, once all of its blocks are saved.
#[test]
fn a_branch_that_outgrows_the_journal_is_given_up() {
    let mut own = World::new();
    let mut driver = Driver::new(node(1));
    let mut longer = own.clone();
    driver.blocks.grow(&mut own, 1, 200);
    driver.branch(own.chain.tip().id);
    for _ in 0..60 {
        driver.blocks.grow(&mut longer, 2, 4);
    }
    for id in driver.blocks.path(longer.chain.tip().id) {
        let bytes = driver.blocks.0[&id].clone();
        driver.node.handle_header(NOW, PEER, &bytes).expect("its parent is known");
    }
    let mut unsaved = None;
    let mut saved = 0;
    loop {
        while driver.node.work(100) == Progress::Pending {}
        match driver.node.poll_event() {
            Some(Event::Keep { id, .. }) => {
                if let Some(before) = unsaved.replace(id) {
                    driver.node.handle_saved(NOW, &before);
                    saved += 1;
                }
            }
            Some(event @ Event::Abandoned { .. }) => panic!("{event:?} with a block to be saved"),
            Some(event) => driver.serve(event),
            None => break,
        }
    }
    let last = unsaved.expect("blocks were executed");
    assert!(saved > 3 && driver.node.is_busy());
    assert_eq!(driver.node.tip(), own.chain.tip());
    // An event that was not polled yet is not lost.
    let mut side = World::new();
    let parent = driver.blocks.grow(&mut side, 3, 1);
    let child = driver.blocks.grow(&mut side, 3, 1);
    let mut wrong = driver.blocks.0[&child].clone();
    wrong[150] ^= 1; // the author
    let answer = driver.node.handle_header(NOW, PEER, &wrong);
    assert!(matches!(answer, Ok(Accepted::Orphan { .. })));
    let bytes = driver.blocks.0[&parent].clone();
    driver.node.handle_header(NOW, PEER, &bytes).expect("its parent is known");
    while driver.node.work(100) == Progress::Pending {}
    driver.node.handle_saved(NOW, &last);
    while driver.node.work(100) == Progress::Pending {}
    assert!(matches!(driver.node.poll_event(), Some(Event::Invalid { .. })));
    driver.run();
    let given_up = driver.events.iter().filter(|it| matches!(it, Event::Abandoned { .. }));
    assert_eq!((given_up.count(), driver.node.is_busy()), (1, false));
    driver.blocks.grow(&mut own, 1, 1);
    driver.branch(own.chain.tip().id);
    assert_eq!(driver.node.tip(), own.chain.tip(), "the old branch goes on");
}
