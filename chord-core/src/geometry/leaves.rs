//! The leaf set of Pastry: the first half of the slots holds the nearest numerically smaller nodes, the other
//! half the nearest larger ones, each from the nearest on.

use crate::id::Identifier;
use crate::peer::Peer;
use crate::wire::Address;

/// Returns whether the owner of `key` is sure to be among the leaves and `me`: if the key lies between the
/// farthest leaves, or a side that is not full has all known nodes, also those of the `table`, since then there are no
/// others. A side that is not full because a leaf has failed does not have all.
pub(super) fn cover<I: Identifier, A: Address>(
    leaves: &[Option<Peer<I, A>>],
    table: &[Option<Peer<I, A>>],
    me: I,
    key: I,
) -> bool {
    let (smaller, larger) = leaves.split_at(leaves.len() / 2);
    if smaller.is_empty() {
        return false; // without leaves nothing is sure
    }
    let has_all = |side: &[Option<Peer<I, A>>]| {
        let is_in = |peer: &Peer<I, A>| side.iter().flatten().any(|leaf| leaf.id == peer.id);
        let is_full = side.iter().all(Option::is_some);
        !is_full && leaves.iter().chain(table).flatten().all(is_in)
    };
    if has_all(smaller) || has_all(larger) {
        return true;
    }
    let farthest =
        |side: &[Option<Peer<I, A>>]| side.iter().flatten().last().map_or(me, |leaf| leaf.id);
    key.distance(me) <= farthest(smaller).distance(me)
        || me.distance(key) <= me.distance(farthest(larger))
}

pub(super) fn learn<I: Identifier, A: Address>(
    leaves: &mut [Option<Peer<I, A>>],
    me: I,
    peer: Peer<I, A>,
) {
    let (smaller, larger) = leaves.split_at_mut(leaves.len() / 2);
    insert(smaller, peer, |id| id.distance(me));
    insert(larger, peer, |id| me.distance(id));
}

pub(super) fn forget<I: Identifier, A: Address>(leaves: &mut [Option<Peer<I, A>>], id: I) {
    let (smaller, larger) = leaves.split_at_mut(leaves.len() / 2);
    for half in [smaller, larger] {
        let at = half.iter().position(|slot| slot.is_some_and(|peer| peer.id == id));
        if let Some(rest @ [_, ..]) = at.and_then(|at| half.get_mut(at..)) {
            rest.rotate_left(1);
            if let Some(last) = rest.last_mut() {
                *last = None;
            }
        }
    }
}

/// Inserts in the order of the distances; the farthest one gives way.
fn insert<I: Identifier, A: Address>(
    half: &mut [Option<Peer<I, A>>],
    peer: Peer<I, A>,
    distance: impl Fn(I) -> I,
) {
    let far = distance(peer.id);
    let at = half.partition_point(|slot| slot.is_some_and(|known| distance(known.id) < far));
    let Some(rest) = half.get_mut(at..).filter(|rest| !rest.is_empty()) else { return };
    if !matches!(rest, [Some(known), ..] if known.id == peer.id) {
        rest.rotate_right(1);
    }
    if let Some(slot) = rest.first_mut() {
        *slot = Some(peer); // one that was there may have moved to another address
    }
}
