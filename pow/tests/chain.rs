//! Bitcoin's headers: the real ones, byte for byte, and the chain that they make.

mod table;

use pow::chain::NotYet;
use pow::difficulty::{Difficulty, DifficultyError, HeaderInfo, History, Lwma};
use pow::{CompactTarget, Header, HeaderChain, HeaderError, HeaderId, Retarget, U256, Work};
use table::{public_file, rows};

fn decode(hex: &str) -> Header {
    let bytes = table::header(hex);
    let (header, rest) = Header::decode(&bytes).expect("80 bytes");
    assert!(rest.is_empty());
    assert_eq!(header.to_bytes(), bytes);
    header
}

/// A real header by its name in the table.
fn named(name: &str) -> Header {
    let table = rows(include_str!("data/headers.toml"), "header");
    let row = table.iter().find(|row| row("name") == Some(name)).expect("it is there");
    decode(row("hex").expect("a column"))
}

#[test]
fn real_headers_byte_for_byte() {
    for row in rows(include_str!("data/headers.toml"), "header") {
        let column = |key| row(key).expect("a column");
        let header = decode(column("hex"));
        assert_eq!(header.id().to_string(), column("id"));
        assert_eq!(format!("{:08x}", header.version), column("version"));
        assert_eq!(header.time.to_string(), column("time"));
        assert_eq!(header.bits.to_string(), column("bits"));
        assert_eq!(format!("{:08x}", header.nonce), column("nonce"));
        assert!(header.has_valid_work());
        let easy = header.bits == CompactTarget::REGTEST_LIMIT;
        assert!(easy || !Header { nonce: 1, ..header }.has_valid_work());
        assert!(header.to_string().starts_with(&format!("header {}", column("id"))));
    }
}

#[test]
fn the_first_two_headers_link_and_no_bit_of_the_second_can_change() {
    let genesis = named("0");
    let chain = HeaderChain::new(Retarget::MAINNET, &genesis, []).expect("a target");
    assert_eq!(chain.work().to_string(), "100010001");
    let second = named("1").to_bytes();
    for bit in 0..640 {
        let mut bytes = second;
        bytes[bit / 8] ^= 1 << (bit % 8);
        let (header, _) = Header::decode(&bytes).expect("80 bytes");
        let before = chain;
        let mut chain = chain;
        assert!(chain.append(u64::MAX, &header).is_err(), "bit {bit}");
        assert_eq!(chain, before);
    }
    let mut chain = chain;
    let id = chain.append(1_231_469_665, &named("1")).expect("the real one");
    assert_eq!((id, chain.tip()), (named("1").id(), named("1").id()));
    assert_eq!((chain.tip_info().height, chain.median_time()), (1, Some(1_231_469_665)));
    assert_eq!(chain.work().to_string(), "200020002");
    assert_eq!(
        chain.append(u64::MAX, &named("170")),
        Err(HeaderError::Unlinked(named("170").previous))
    );
}

#[test]
#[ignore = "needs VECTORS_DIR"]
fn the_first_600_headers_of_the_main_network() {
    let text = public_file("pow/mainnet-headers-1-600.hex");
    let headers: Vec<Header> =
        text.lines().filter(|line| !line.starts_with('#')).map(decode).collect();
    assert_eq!(headers.len(), 600);
    let table = rows(include_str!("data/mtp-chainwork.toml"), "at");
    let mut chain = HeaderChain::new(Retarget::MAINNET, &named("0"), []).expect("a target");
    let mut checked = 0;
    for height in 0..=600 {
        let height_text = height.to_string();
        if let Some(row) = table.iter().find(|row| row("height") == Some(&height_text)) {
            let column = |key| row(key).expect("a column");
            assert_eq!(chain.tip().to_string(), column("id"));
            assert_eq!(chain.work().to_string(), column("chain_work"));
            let median = chain.median_time().expect("from the first header on");
            assert_eq!(median.to_string(), column("median_time_past"));
            assert_eq!(chain.tip_info().time.to_string(), column("time"));
            checked += 1;
        }
        let Some(next) = headers.get(height) else { break };
        for bit in [0, 31, 32, 287, 288, 543, 544, 575, 576, 607, 608, 639] {
            let mut bytes = next.to_bytes();
            bytes[bit / 8] ^= 1 << (bit % 8);
            let (changed, _) = Header::decode(&bytes).expect("80 bytes");
            assert!({ chain }.append(u64::MAX, &changed).is_err(), "height {height} bit {bit}");
        }
        chain.append(next.time.into(), next).expect("the real one");
    }
    assert_eq!((checked, chain.tip_info().height), (table.len(), 600));
}

/// A chain that begins in the middle of a period says what it lacks at the next one.
#[test]
fn a_checkpoint_in_the_middle_of_a_period_lacks_its_first_header() {
    let before = Work::new(U256::from(5));
    let last = named("556415");
    let first = named("556416");
    let rule = Retarget::MAINNET;
    let mut chain =
        HeaderChain::from_checkpoint(rule, 556_415, before, &last, []).expect("a target");
    assert_eq!(chain.median_time(), None, "ten ancestors are unknown");
    let lost = HeaderError::Difficulty(DifficultyError::Missing(554_400));
    assert_eq!(chain.append(u64::MAX, &first), Err(lost));
    // Under a rule that looks nothing up the real link and the real work count.
    let fixed = pow::difficulty::Fixed(first.bits);
    let mut chain =
        HeaderChain::from_checkpoint(fixed, 556_415, before, &last, []).expect("a target");
    chain.append(u64::MAX, &first).expect("the real one");
    let sum = [last, first].map(|header| header.bits.to_target().expect("a target").work());
    assert_eq!(chain.work(), before.saturating_add(sum[0]).saturating_add(sum[1]));
}

/// Two branches of a regression test network: the longer one has more work, and a copy from before the fork
/// is all that it takes to follow it.
#[test]
fn two_branches_from_a_copy() {
    let genesis = named("regtest-0");
    let mine = |parent: &Header, time, merkle| {
        let header =
            Header { previous: parent.id(), merkle_root: [merkle; 32], time, nonce: 0, ..*parent };
        let nonces = 0..u32::MAX;
        let mut mined = nonces.map(|nonce| Header { nonce, ..header });
        mined.find(Header::has_valid_work).expect("every second hash")
    };
    let fork = HeaderChain::new(Retarget::REGTEST, &genesis, []).expect("a target");
    let mut ours = fork;
    let mut theirs = fork;
    let now = u64::from(genesis.time);
    let first = mine(&genesis, genesis.time + 1, 1);
    ours.append(now, &first).expect("mined");
    let other = mine(&genesis, genesis.time + 7200, 2);
    theirs.append(now, &other).expect("two hours ahead");
    assert_eq!(theirs.work(), ours.work());
    let late = mine(&other, genesis.time + 7201, 3);
    let latest = now + 7200;
    assert_eq!(theirs.append(now, &late), Err(HeaderError::TooLate { time: late.time, latest }));
    theirs.append(now + 1, &late).expect("legal later");
    assert!(theirs.work() > ours.work());
    let early = mine(&first, genesis.time + 1, 4);
    let earliest = i64::from(genesis.time) + 2;
    assert_eq!(ours.append(now, &early), Err(HeaderError::TooEarly { time: early.time, earliest }));
    let easy = Header { bits: CompactTarget(0x1d00_ffff), ..early };
    let expected = CompactTarget::REGTEST_LIMIT;
    let found = easy.bits;
    assert_eq!(ours.append(now, &easy), Err(HeaderError::WrongTarget { expected, found }));
}

/// Mines a header on the tip of a chain, with any valid nonce.
fn mined(parent: HeaderId, time: u32, bits: CompactTarget) -> Header {
    let header = Header { previous: parent, time, bits, ..Header::default() };
    let mut nonces = (0..u32::MAX).map(|nonce| Header { nonce, ..header });
    nonces.find(Header::has_valid_work).expect("the target is easy")
}

#[test]
fn a_template_time_is_accepted_or_the_error_names_when_one_is() {
    let genesis = Header { time: 1_000_000, ..named("regtest-0") };
    let mut chain = HeaderChain::new(Retarget::REGTEST, &genesis, []).expect("a target");
    assert_eq!(chain.next_time(2_000_000), Ok(2_000_000), "the clock");
    let now = 1_000_000;
    // Headers at the future limit, until their median is there.
    let limit = now + 7200;
    while chain.median_time() < Some(limit) {
        let bits = chain.required(limit).expect("a target");
        chain.append(now.into(), &mined(chain.tip(), limit, bits)).expect("at the limit");
    }
    let valid_from = u64::from(now) + 1;
    assert_eq!(chain.next_time(now.into()), Err(NotYet { valid_from }));
    let time = chain.next_time(valid_from).expect("named");
    let bits = chain.required(time).expect("a target");
    let next = mined(chain.tip(), time, bits);
    let latest = u64::from(limit);
    assert_eq!({ chain }.append(now.into(), &next), Err(HeaderError::TooLate { time, latest }));
    chain.append(valid_from, &next).expect("as promised");
}

/// LWMA with the future limit of Bitcoin.
struct TwoHours(Lwma);

impl Difficulty for TwoHours {
    fn required(
        &self,
        parent: &HeaderInfo,
        time: i64,
        history: &dyn History,
    ) -> Result<CompactTarget, DifficultyError> {
        self.0.required(parent, time, history)
    }
}

/// Runs a chain for a week of virtual time, at a constant hash rate, of which a share is that of a miner that
/// dates its headers as far ahead as it may. Returns the headers, as a part of those intended.
fn week(rule: impl Difficulty, spacing: f64, attacker_per_mille: u16) -> f64 {
    const WEEK: f64 = 604_800.0;
    let start = 1_000_000;
    let bits = CompactTarget(0x2004_0000); // 64 hashes
    let usual = bits.to_target().expect("a target").work().hashes().saturating_u128() as f64;
    let genesis = Header { time: start, bits, ..Header::default() };
    let ahead = rule.future_limit() as u32;
    let mut chain = HeaderChain::new(rule, &genesis, [HeaderInfo::EMPTY; 61]).expect("a target");
    let mut rng = sim::Rng::new(1);
    let mut passed = 0.0;
    loop {
        let now = start + passed as u32;
        let honest = chain.next_time(now.into()).unwrap_or(now);
        let time = if rng.chance(attacker_per_mille) { now + ahead } else { honest };
        let required = chain.required(time).expect("a target");
        let hashes = required.to_target().expect("a target").work().hashes().saturating_u128();
        let luck = 1.0 - (rng.next_u64() >> 11) as f64 / (1_u64 << 53) as f64;
        passed += -luck.ln() * spacing * hashes as f64 / usual;
        if passed > WEEK {
            return chain.tip_info().height as f64 * spacing / WEEK;
        }
        let _ = chain.append(now.into(), &mined(chain.tip(), time, required));
    }
}

/// A miner with 5 % of the hash rate that dates its headers ahead harms a chain under LWMA if it may date them
/// by two hours, and not within the limit of the rule.
#[test]
fn headers_dated_ahead_do_not_slow_lwma_within_its_own_limit() {
    let rule = Lwma { window: 60, spacing: 60, limit: CompactTarget::REGTEST_LIMIT };
    assert_eq!(rule.future_limit(), 180);
    let honest = week(rule, 60.0, 0);
    let attacked = week(rule, 60.0, 50);
    let two_hours = week(TwoHours(rule), 60.0, 50);
    println!("{honest:.3} without, {attacked:.3} with, {two_hours:.3} with two hours");
    assert!(attacked > 0.95 * honest, "{honest} {attacked}");
    assert!(two_hours < 0.5 * honest, "{two_hours}");
}

/// A batch gives what one header after the other gives, wherever the refused one stands.
#[test]
fn a_batch_stops_at_the_refused_header() {
    let genesis = named("regtest-0");
    let mut one_by_one = HeaderChain::new(Retarget::REGTEST, &genesis, []).expect("a target");
    let start = one_by_one;
    let mut headers = Vec::new();
    let mut states = vec![start];
    for n in 1..=70 {
        let time = genesis.time + n;
        let header = mined(one_by_one.tip(), time, genesis.bits);
        one_by_one.append(u64::MAX, &header).expect("mined");
        headers.push(header.to_bytes());
        states.push(one_by_one);
    }
    for len in [0, 1, 15, 16, 17, 33, 70] {
        let mut chain = start;
        chain.append_all(u64::MAX, &headers[..len]).expect("mined");
        assert_eq!(chain, states[len], "{len} headers");
    }
    for bad in 0..headers.len() {
        let mut changed = headers.clone();
        changed[bad][40] ^= 1; // the Merkle root
        let mut chain = start;
        let mut alone = states[bad];
        let (header, _) = Header::decode(&changed[bad]).expect("80 bytes");
        let result = chain.append_all(u64::MAX, &changed);
        match alone.append(u64::MAX, &header) {
            Err(error) => {
                assert_eq!(result, Err(pow::chain::BatchError { appended: bad, error }));
                assert_eq!(chain, states[bad]);
            }
            // The changed header has work as well: the next one does not follow it.
            Ok(_) if bad + 1 == headers.len() => assert_eq!((result, chain), (Ok(()), alone)),
            Ok(_) => {
                assert_eq!(result.expect_err("unlinked").appended, bad + 1);
                assert_eq!(chain, alone);
            }
        }
    }
}

/// The median of a header counts once all its ancestors are known, or ten of them.
#[test]
fn a_checkpoint_knows_its_median_if_it_is_the_first_header() {
    let genesis = named("regtest-0");
    let median = |height| {
        let chain =
            HeaderChain::from_checkpoint(Retarget::REGTEST, height, Work::ZERO, &genesis, []);
        chain.expect("a target").median_time()
    };
    assert_eq!([0, 1, 2].map(median), [Some(genesis.time), None, None]);
}
