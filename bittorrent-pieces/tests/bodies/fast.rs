//! Body of the fast extension.

use bittorrent_pieces::wire::fast::{AnswerRules, Fast, RuleSlot, allowed_fast};
use bittorrent_pieces::wire::{Message, Piece};
use bittorrent_pieces::{Block, InfoHash, PieceIndex};
use sim::laws::Input;

/// Any bytes are messages of the extension or not; the rules agree with a plain list of requests;
/// the allowed-fast set has as many pieces as fit, each once.
pub fn fast(bytes: &[u8]) {
    let decoded = bytes.split_first().map(|(id, payload)| Fast::decode(*id, payload));
    if let Some(Ok(Some(fast))) = decoded {
        let mut out = vec![0; fast.encoded_len()];
        assert_eq!(fast.encode(&mut out), Ok(out.len()));
        assert_eq!(out[4..], *bytes);
        assert!(!fast.to_string().is_empty());
    }
    let mut input = Input::new(bytes);
    let pieces = u32::from(input.byte());
    let k = input.below(20);
    let mut set = vec![PieceIndex(u32::MAX); k];
    let len = allowed_fast(input.u32().into(), InfoHash(input.array()), pieces, &mut set);
    assert_eq!(len, k.min(pieces as usize));
    set.truncate(len);
    set.sort_unstable();
    set.dedup();
    assert!(set.len() == len && set.iter().all(|piece| piece.0 < pieces));
    rules(&mut input);
}

fn rules(input: &mut Input<'_>) {
    let mut rules = AnswerRules::new(true, vec![RuleSlot::EMPTY; 3]);
    rules.answered_fast(Fast::HaveAll).expect("the first message");
    let mut model: Vec<Block> = Vec::new();
    while !input.is_empty() {
        let choice = input.below(5);
        let piece = PieceIndex(u32::from(input.byte() % 3));
        let block = Block { piece, begin: 0, len: 1 };
        let known = model.iter().position(|other| *other == block);
        match choice {
            0 => {
                assert_eq!(rules.asked(&Message::Request(block)).is_ok(), model.len() < 3);
                if model.len() < 3 {
                    model.push(block);
                }
            }
            1 => drop(rules.asked(&Message::Cancel(block)).expect("no fault")),
            2 => rules.answered(&Message::Choke).expect("no fault"),
            _ => {
                let answer = if choice == 3 {
                    rules.answered(&Message::Piece(Piece { piece, begin: 0, data: &[0] }))
                } else {
                    rules.answered_fast(Fast::Reject(block))
                };
                assert_eq!(answer.is_ok(), known.is_some(), "one answer for each request");
                known.map(|at| model.remove(at));
            }
        }
        let mut left: Vec<_> = rules.unanswered().collect();
        left.sort_unstable();
        model.sort_unstable();
        assert_eq!(left, model);
    }
}
