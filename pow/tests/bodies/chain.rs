//! Headers, and chains of them against a model that keeps everything.

use pow::chain::MedianTime;
use pow::difficulty::{Difficulty, HeaderInfo};
use pow::{
    BufferTooSmall, CompactTarget, DecodeError, Header, HeaderChain, HeaderError, HeaderId,
    Retarget, Work,
};
use sim::laws::Input;

/// Any 80 bytes are a header that encodes to the same bytes; fewer are incomplete.
pub fn header(bytes: &[u8]) {
    match Header::decode(bytes) {
        Ok((header, rest)) => {
            let (used, expected) = bytes.split_at(80);
            assert_eq!((&header.to_bytes()[..], rest), (used, expected));
            let mut buf = [0; 81];
            assert_eq!(header.encode(&mut buf), Ok(header.encoded_len()));
            assert_eq!(&buf[..80], used);
            assert_eq!(header.encode(&mut buf[..79]), Err(BufferTooSmall { needed: 80 }));
            assert!(header.to_string().contains(&header.id().to_string()));
            let _ = header.has_valid_work();
        }
        Err(DecodeError::Incomplete { needed }) => assert_eq!(bytes.len() + needed, 80),
        Err(error) => panic!("{error}"),
    }
}

/// Good and bad headers of an easy chain: taken or refused as a model says that keeps all of them.
pub fn chain(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let flags = input.byte();
    let rule = Retarget {
        limit: CompactTarget::REGTEST_LIMIT,
        timespan: 6000,
        spacing: 600,
        minimum_difficulty: flags & 1 != 0,
        no_retargeting: flags & 2 != 0,
        bip94: flags & 4 != 0,
    };
    let mut tip = Header {
        version: 1,
        previous: HeaderId::default(),
        merkle_root: [7; 32],
        time: 1_300_000_000,
        bits: [CompactTarget(0x2040_0000), CompactTarget(0x2007_ffff)][usize::from(flags & 8) / 8],
        nonce: 0,
    };
    let mut chain = HeaderChain::new(rule, &tip, []).expect("a target");
    let mut all = vec![past(0, &tip)];
    let mut work = chain.work();
    while !input.is_empty() && all.len() < 40 {
        let kind = input.byte();
        let step = i32::from(input.u16() as i16);
        let time = tip.time.saturating_add_signed(step);
        let parent = all[all.len() - 1];
        let bits = rule.required(&parent, time.into(), &&all[..]).expect("all is kept");
        let mut next = Header { previous: tip.id(), time, bits, nonce: 0, ..tip };
        match kind % 8 {
            0 => next.bits = CompactTarget(input.u32()),
            1 => next.previous.0[usize::from(input.byte() % 32)] ^= 1,
            _ => {}
        }
        next.nonce =
            (0..100).find(|nonce| Header { nonce: *nonce, ..next }.has_valid_work()).unwrap_or(0);
        let now = if kind & 64 == 0 { u64::MAX } else { u64::from(tip.time) };
        let before = chain;
        let result = chain.append(now, &next);
        assert_eq!(result.map(|_| ()), model(&rule, &all, &tip, now, &next, bits));
        match result {
            Err(_) => assert_eq!(chain, before, "refused: nothing changed"),
            Ok(id) => {
                all.push(past(parent.height + 1, &next));
                work = work.saturating_add(next.bits.to_target().expect("a target").work());
                tip = next;
                assert_eq!((chain.tip(), id), (tip.id(), tip.id()));
            }
        }
        assert_eq!((chain.tip_info(), chain.work()), (all[all.len() - 1], work));
        assert_eq!(chain.median_time(), Some(median(&all)));
        assert!(chain.work() > Work::ZERO);
    }
    let mut window = MedianTime::default();
    for (n, header) in all.iter().enumerate() {
        window.push(header.time as u32);
        assert_eq!(window.median(), Some(median(&all[..=n])));
    }
}

fn past(height: u64, header: &Header) -> HeaderInfo {
    HeaderInfo { height, time: header.time.into(), bits: header.bits }
}

/// The median of the last eleven, by sorting.
fn median(all: &[HeaderInfo]) -> u32 {
    let mut times: Vec<_> = all.iter().rev().take(11).map(|past| past.time as u32).collect();
    times.sort_unstable();
    times[times.len() / 2]
}

fn model(
    rule: &Retarget,
    all: &[HeaderInfo],
    tip: &Header,
    now: u64,
    next: &Header,
    expected: CompactTarget,
) -> Result<(), HeaderError> {
    let time = next.time;
    let found = next.bits;
    let mut earliest = i64::from(median(all)) + 1;
    if rule.bip94 && all.len().is_multiple_of(10) {
        earliest = earliest.max(i64::from(tip.time) - 600);
    }
    let latest = now.saturating_add(7200);
    if next.previous != tip.id() {
        Err(HeaderError::Unlinked(next.previous))
    } else if found != expected {
        Err(HeaderError::WrongTarget { expected, found })
    } else if i64::from(time) < earliest {
        Err(HeaderError::TooEarly { time, earliest })
    } else if u64::from(time) > latest {
        Err(HeaderError::TooLate { time, latest })
    } else if !next.has_valid_work() {
        Err(HeaderError::NotEnoughWork(next.id()))
    } else {
        Ok(())
    }
}
