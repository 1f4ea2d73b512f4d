//! The mempool under any calls: what is kept fits together, and a block made of it is valid.

use core::convert::Infallible;
use std::sync::OnceLock;

use ledger_core::ledger::Standard;
use ledger_core::mempool::{
    ChunkSlot, Insertion, Mempool, MempoolConfig, MempoolSlot, MempoolSlots,
};
use ledger_core::{
    Action, Ancestry, Block, Body, Chain, ChainSlots, ChainSpec, Claim, Engine, Hash, Header,
    Height, JournalSlot, KeyPair, Refused, Rules, SignedTransaction, Slot, Transaction, Weight,
};
use sim::laws::Input;

#[derive(Debug, Clone)]
struct Open;

impl Engine for Open {
    type Error = Infallible;

    fn digest(&self) -> Hash {
        Hash::of(b"open")
    }

    fn check(
        &self,
        _: &dyn Ancestry,
        _: &Header,
        _: &[u8],
        _: u64,
    ) -> Result<Weight, Refused<Infallible>> {
        Ok(Weight(1))
    }
}

type TestChain = Chain<Open, Standard, ChainSlots<[Slot; 16], [JournalSlot; 65]>>;

fn key(n: usize) -> KeyPair {
    KeyPair::from_secret(&[n as u8 + 1; 32])
}

fn chain() -> TestChain {
    let allocation = [(key(0).account(), 100), (key(1).account(), 60)];
    let rules = Rules::SMALL;
    let spec = ChainSpec { name: "mempool", rules, time: 0, allocation: &allocation };
    let storage = ChainSlots { entries: [Slot::EMPTY; 16], journal: [JournalSlot::EMPTY; 65] };
    Chain::new(&spec, Open, Standard, storage).expect("it fits")
}

/// Transactions of two accounts and two lanes, with sequence numbers below four and three fees each; one is forged.
fn transactions() -> &'static Vec<Vec<u8>> {
    static ALL: OnceLock<Vec<Vec<u8>>> = OnceLock::new();
    ALL.get_or_init(|| {
        let genesis = *chain().genesis_id();
        let mut all = Vec::new();
        for n in 0..48_usize {
            let signer = n % 2;
            let text = [n as u8; 300];
            let action = match n % 5 {
                0 => Action::Record(&text),
                _ => Action::Pay { to: key(2).account(), amount: n as u64 / 2 },
            };
            let mut transaction = Transaction::new(key(signer).account(), n as u64 / 4 % 4, action);
            transaction.lane = n as u16 / 2 % 2;
            transaction.fee = n as u64 / 16 * 7 + 1;
            transaction.valid_until = Height(if n % 7 == 0 { 2 } else { 100 });
            let mut buf = [0; Transaction::MAX_LEN];
            let signed = transaction.sign(&genesis, &key(signer), &mut buf);
            all.push(signed.expect("its own key").as_bytes().to_vec());
        }
        let mut forged = all[0].clone();
        let last = forged.len() - 1;
        forged[last] ^= 1;
        all.push(forged);
        all
    })
}

/// Inserts, removes, builds blocks and follows them.
pub fn mempool(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let mut chain = chain();
    let slots = input.below(7);
    let storage = MempoolSlots {
        slots: vec![MempoolSlot::EMPTY; slots],
        chunks: vec![ChunkSlot::EMPTY; slots + 1],
    };
    let mut config = MempoolConfig::new(*chain.genesis_id(), input.u64());
    config.max_per_account = 1 + u16::from(input.byte() % 4);
    let mut pool = Mempool::new(config, storage).expect("a good configuration");
    for _ in 0..60 {
        if input.is_empty() {
            break;
        }
        let bytes = &transactions()[input.below(transactions().len())];
        let (signed, _) = SignedTransaction::decode(bytes).expect("just signed");
        let id = signed.id(chain.genesis_id());
        match input.below(8) {
            0 => {
                let was_there = pool.contains(&id);
                assert_eq!(pool.remove(&id), was_there);
                assert!(!pool.contains(&id));
            }
            1 => connect(&mut chain, &mut pool),
            _ => {
                let before = pool.clone();
                match pool.insert(&signed, &chain.state(), chain.tip().height) {
                    Ok(Insertion::Added) => assert_eq!(pool.len(), before.len() + 1),
                    Ok(_) => assert_eq!(pool.len(), before.len()),
                    Err(_) => assert_eq!(pool, before, "unchanged"),
                }
            }
        }
        assert!(pool.len() <= slots);
        for account in [key(0).account(), key(1).account()] {
            assert!(pool.reserved(&account) <= chain.state().balance(&account));
        }
    }
    connect(&mut chain, &mut pool);
}

/// Makes a block of the best transactions, appends it, and lets the mempool follow.
fn connect(
    chain: &mut TestChain,
    pool: &mut Mempool<MempoolSlots<Vec<MempoolSlot>, Vec<ChunkSlot>>>,
) {
    let mut out = [0; 1500];
    let len = pool.template(&mut out);
    let body = Body::from_bytes(&out[..len]).expect("whole transactions");
    let now = chain.median_time() + 1;
    let header =
        chain.propose(now, key(3).account(), &body, Claim::NONE).expect("all fit together");
    let block = Block::new(header, &[], body).expect("the header names the body");
    let mut bytes = vec![0; block.encoded_len()];
    block.encode(&mut bytes).expect("encoded_len suffices");
    chain.append(now, &bytes).expect("it was proposed");
    pool.update(&chain.state(), chain.tip().height);
    for signed in &body {
        assert!(!pool.contains(&signed.id(chain.genesis_id())));
    }
}
