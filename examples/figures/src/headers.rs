//! A chain of 80-byte headers, from bytes to total work, with all rules of Bitcoin's main network but an easy
//! first target and two seconds between headers: link, required target with its changes, median time, clock,
//! work. (rust-bitcoin cannot multiply an easier target by the seconds of a period: the product overflows.)

use std::collections::VecDeque;
use std::hint::black_box;

use bitcoin::CompactTarget as PeerTarget;
use bitcoin::block::Header as PeerHeader;
use bitcoin::consensus::deserialize;
use bitcoin::params::Params;
use pow::{
    CompactTarget, HashFunction, Header, HeaderChain, LittleEndian, Miner, NonceField, NonceFormat,
    Puzzle, Retarget, Step,
};

use crate::measure::{Contestant, NANOSECONDS, table};

const HEADERS: usize = 10_000;
const NOW: u64 = 2_000_000_000;
const PERIOD: usize = 2016;
const RULE: Retarget =
    Retarget { limit: CompactTarget(0x1f07_ffff), timespan: 4032, spacing: 2, ..Retarget::MAINNET };

/// The lengths of chains: less than the eleven headers of the median time, two periods, and five.
const LENGTHS: [usize; 3] = [10, 4_032, HEADERS];

pub fn measure() -> String {
    let headers = mine();
    let chains: Vec<String> = LENGTHS.iter().map(|length| chain(&headers[..*length])).collect();
    chains.join("\n") + "\n" + &refused(&headers)
}

fn chain(headers: &[[u8; 80]]) -> String {
    let genesis = Header::from_bytes(&headers[0]);
    let chain = HeaderChain::new(RULE, &genesis, []).expect("a valid target");
    let mut total = chain;
    total.append_all(NOW, &headers[1..]).expect("mined");
    let work = total.work().to_string();
    assert_eq!(
        by_peer(headers).to_string(),
        u128::from_str_radix(&work, 16).expect("hexadecimal").to_string()
    );
    let count = headers.len() - 1;
    table(
        &format!("a header with all rules, {} in a row", headers.len()),
        count,
        NANOSECONDS,
        15,
        vec![
            Contestant::new("rust-bitcoin 0.32", || {
                black_box(by_peer(headers));
            }),
            Contestant::new("`HeaderChain::append`", || {
                let mut chain = chain;
                for bytes in &headers[1..] {
                    chain.append(NOW, &Header::from_bytes(bytes)).expect("mined");
                }
                assert_eq!(chain, total);
            }),
            Contestant::new("`HeaderChain::append_all`", || {
                let mut chain = chain;
                chain.append_all(NOW, &headers[1..]).expect("mined");
                assert_eq!(chain, total);
            }),
        ],
    )
}

/// A header whose hash is above its target, which costs a sender nothing.
fn refused(headers: &[[u8; 80]]) -> String {
    let genesis = Header::from_bytes(&headers[0]);
    let mut bytes = headers[1];
    while Header::from_bytes(&bytes).has_valid_work() {
        bytes[76] += 1;
    }
    let peer_target = bitcoin::Target::from_compact(PeerTarget::from_consensus(RULE.limit.0));
    let repeat = HEADERS;
    table(
        "a header without work, refused",
        repeat,
        NANOSECONDS,
        15,
        vec![
            Contestant::new("rust-bitcoin 0.32", || {
                for _ in 0..repeat {
                    let header: PeerHeader = deserialize(black_box(&bytes)).expect("80 bytes");
                    assert!(header.validate_pow(peer_target).is_err());
                }
            }),
            Contestant::new("`HeaderChain::append`", || {
                let mut chain = HeaderChain::new(RULE, &genesis, []).expect("a valid target");
                for _ in 0..repeat {
                    let header = Header::from_bytes(black_box(&bytes));
                    assert!(chain.append(NOW, &header).is_err());
                }
            }),
        ],
    )
}

/// Mines a chain whose spacing goes up and down, so that targets change.
fn mine() -> Vec<[u8; 80]> {
    let genesis = Header { bits: RULE.limit, time: 1_600_000_000, ..Header::default() };
    let mut chain = HeaderChain::new(RULE, &genesis, []).expect("a valid target");
    let mut headers = vec![genesis.to_bytes()];
    let mut time = genesis.time;
    while headers.len() < HEADERS {
        let slow = headers.len() / PERIOD % 2 == 1;
        time += if slow { 3 } else { 1 };
        let bits = chain.required(time).expect("a target");
        let header = Header { previous: chain.tip(), time, bits, ..Header::default() };
        let field = NonceField { offset: 76, format: NonceFormat::U32Le };
        let puzzle =
            Puzzle::new(HashFunction::Sha256d, &header.to_bytes(), field).expect("80 bytes");
        let target = bits.to_target().expect("a valid target");
        let mut miner = Miner::<LittleEndian>::new(puzzle, target, 0..=u64::from(u32::MAX));
        let Step::Found(nonce) = miner.step(u32::MAX) else { panic!("the target is easy") };
        let header = Header { nonce: nonce as u32, ..header };
        chain.append(NOW, &header).expect("mined");
        headers.push(header.to_bytes());
    }
    headers
}

/// The same rules with the types of rust-bitcoin, which has no chain of its own.
fn by_peer(headers: &[[u8; 80]]) -> u128 {
    let mut params = Params::MAINNET.clone();
    params.pow_target_timespan = u64::from(RULE.timespan);
    params.max_attainable_target =
        bitcoin::Target::from_compact(PeerTarget::from_consensus(RULE.limit.0));
    let mut times: VecDeque<u32> = VecDeque::with_capacity(11);
    let first: PeerHeader = deserialize(&headers[0]).expect("80 bytes");
    let mut parent = first;
    let mut period_start = first;
    let mut tip = first.block_hash();
    let mut work = first.work();
    times.push_back(first.time);
    for (height, bytes) in headers.iter().enumerate().skip(1) {
        let header: PeerHeader = deserialize(bytes).expect("80 bytes");
        assert_eq!(header.prev_blockhash, tip);
        let required = if height % PERIOD == 0 {
            let spent = u64::from(parent.time - period_start.time);
            PeerTarget::from_next_work_required(parent.bits, spent, &params)
        } else {
            parent.bits
        };
        assert_eq!(header.bits, required);
        let mut sorted: Vec<u32> = times.iter().copied().collect();
        sorted.sort_unstable();
        assert!(header.time > sorted[sorted.len() / 2]);
        assert!(u64::from(header.time) <= NOW + 7200);
        tip = header.validate_pow(bitcoin::Target::from_compact(required)).expect("mined");
        work = work + header.work();
        if times.len() == 11 {
            times.pop_front();
        }
        times.push_back(header.time);
        if height % PERIOD == 0 {
            period_start = header;
        }
        parent = header;
    }
    u128::from_str_radix(&format!("{work:x}"), 16).expect("hexadecimal")
}
