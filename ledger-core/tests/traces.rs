//! Values and messages in a trace: one line each, with the fields that tell them apart.

mod common;

use common::key;
use ledger_core::gossip::{
    BlockIds, CloseReason, Hello, Message, NotFound, SnapshotPlace, Status, TxIds,
};
use ledger_core::log::{ProofFile, write_proof_file};
use ledger_core::state::{Key, Value};
use ledger_core::{
    Account, Action, AssetId, Block, BlockId, Body, Claim, ClaimKind, GenesisId, Hash, Header,
    Height, Signature, Transaction, TxId, Weight,
};

fn header() -> Header {
    Header {
        height: Height(7),
        parent: BlockId::from_bytes([0xAA; 32]),
        body_root: Body::default().head().root,
        body_size: 0,
        state: Hash::from_bytes([0xCC; 32]),
        time: 1_700_000_000,
        author: Account::from_bytes([0xDD; 32]),
        claim: Claim::new(ClaimKind::STAKE, &[1, 2]).expect("short"),
        ..common::World::new()
            .chain
            .propose(
                common::GENESIS_TIME + 1,
                Account::default(),
                &Body::default(),
                common::claim(1),
            )
            .expect("nothing in it")
    }
}

#[test]
fn a_block_prints_its_header() {
    let header = header();
    let root = format!("{:.8}", header.body_root);
    let expected = format!(
        "BLOCK height=7 parent=aaaaaaaa body={root} transactions=0 state=cccccccc time=1700000000 \
         author=dddddddd claim=stake"
    );
    assert_eq!(header.to_string(), expected);
    let block = Block::new(header, &[], Body::default()).expect("its body");
    assert_eq!(block.to_string(), expected);
    for (kind, name) in [
        (ClaimKind::NONE, "none"),
        (ClaimKind::WORK, "work"),
        (ClaimKind::STAKE, "stake"),
        (ClaimKind::AUTHORITY, "authority"),
        (ClaimKind(77), "77"),
    ] {
        assert_eq!(kind.to_string(), name);
    }
    assert_eq!(format!("{:?}", header.claim), "Claim(stake, 0102)");
    assert_eq!(Weight(12).to_string(), "weight 12");
    assert_eq!(format!("{:>3}", Height(5)), "  5");
}

#[test]
fn a_transaction_prints_what_it_does() {
    let source = Account::from_bytes([0x11; 32]);
    let to = Account::from_bytes([0x22; 32]);
    let asset = AssetId::from_bytes([0x33; 32]);
    for (action, text) in [
        (Action::Pay { to, amount: 30 }, "PAY 30 to 22222222"),
        (Action::Mint { salt: [0x44; 32] }, "MINT salt=44444444"),
        (Action::Transfer { asset, to }, "TRANSFER 33333333 to 22222222"),
        (Action::Burn { asset }, "BURN 33333333"),
        (Action::Record(b"a\n"), "RECORD \"a\\n\""),
        (Action::Call { ledger: 70, payload: b"abc" }, "CALL ledger=70 (3 bytes)"),
    ] {
        let transaction = Transaction { fee: 2, ..Transaction::new(source, 5, action) };
        assert_eq!(transaction.to_string(), format!("11111111 #5 {text} fee=2"));
        let transaction = Transaction { lane: 3, ..transaction };
        assert_eq!(transaction.to_string(), format!("11111111 #5 lane=3 {text} fee=2"));
    }
    let owner = key(0);
    let record = Transaction::new(owner.account(), 0, Action::Record(b"x"));
    let mut buf = [0; Transaction::MAX_LEN];
    let signed = record.sign(&GenesisId::default(), &owner, &mut buf).expect("its own key");
    assert_eq!(signed.to_string(), record.to_string());
    let signature: Signature = owner.sign(&header_statement());
    assert_eq!(signature.to_string().len(), 128);
    assert_eq!(format!("{signature:.8}"), signature.to_string()[..8]);
}

/// Anything that can be signed.
fn header_statement() -> ledger_core::TransactionStatement {
    let record = Transaction::new(key(0).account(), 0, Action::Record(b"x"));
    let mut buf = [0; Transaction::MAX_LEN];
    record.statement(&GenesisId::default(), &mut buf).expect("short")
}

#[test]
fn messages_print_their_fields() {
    let tip = BlockId::from_bytes([0xAA; 32]);
    let status = Status { height: Height(4), tip };
    let ids = [[0xBB; 32], [0xCC; 32]];
    let place = SnapshotPlace { block: tip, from: Key::from_bytes([0xDD; 32]) };
    let genesis = GenesisId::from_bytes([0xEE; 32]);
    let tx = TxId::from_bytes([0xBB; 32]);
    for (message, text) in [
        (
            Message::Hello(Hello { genesis, nonce: 7, status }),
            "HELLO genesis=eeeeeeee height=4 tip=aaaaaaaa",
        ),
        (Message::Status(status), "STATUS height=4 tip=aaaaaaaa"),
        (Message::GetHeaders(BlockIds::new(&ids)), "GET_HEADERS after=bbbbbbbb ids=2"),
        (Message::GetBlock(tip), "GET_BLOCK id=aaaaaaaa"),
        (Message::Block(b"12345"), "BLOCK len=5"),
        (Message::HaveTransactions(TxIds::new(&ids)), "HAVE_TRANSACTIONS ids=2"),
        (Message::GetTransaction(tx), "GET_TRANSACTION id=bbbbbbbb"),
        (Message::Transaction(b"123"), "TRANSACTION len=3"),
        (Message::NotFound(NotFound::Block(tip)), "NOT_FOUND block=aaaaaaaa"),
        (Message::NotFound(NotFound::Transaction(tx)), "NOT_FOUND transaction=bbbbbbbb"),
        (Message::NotFound(NotFound::Snapshot(tip)), "NOT_FOUND snapshot=aaaaaaaa"),
        (Message::HaveSnapshot(status), "HAVE_SNAPSHOT height=4 block=aaaaaaaa"),
        (Message::GetSnapshot(place), "GET_SNAPSHOT block=aaaaaaaa from=dddddddd"),
        (Message::Snapshot(place, b"12"), "SNAPSHOT block=aaaaaaaa from=dddddddd len=2"),
        (Message::MoreTransactions, "MORE_TRANSACTIONS"),
    ] {
        assert_eq!(message.to_string(), text);
    }
}

#[test]
fn reasons_say_what_a_peer_did() {
    for (reason, text, is_misbehaviour) in [
        (CloseReason::NoHello, "no hello", false),
        (CloseReason::WrongChain, "another chain or version", false),
        (CloseReason::Itself, "connected to itself", false),
        (CloseReason::Malformed, "malformed message", true),
        (CloseReason::Invalid, "invalid data", true),
        (CloseReason::Unsolicited, "unsolicited data", true),
        (CloseReason::Stalled, "requests not answered", false),
        (CloseReason::Silent, "silent", false),
    ] {
        assert_eq!(reason.to_string(), text);
        assert_eq!(reason.is_misbehaviour(), is_misbehaviour, "{text}");
    }
}

#[test]
fn a_proof_file_prints_its_leaf() {
    let mut buf = [0; 512];
    let path = [Hash::from_bytes([1; 32]), Hash::from_bytes([2; 32])];
    let note = b"example.com/log\n5\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n\n";
    let len = write_proof_file(41, &path, note, &mut buf).expect("it fits");
    let file = ProofFile::parse(&buf[..len]).expect("just written");
    assert_eq!(file.to_string(), "proof of leaf 41 by 2 hashes");
    assert_eq!(file.index(), 41);
    assert_eq!(file.path(), path);
    assert_eq!(file.extra(), None);
    assert_eq!(format!("{:?}", Value::new(&[0xAB, 1]).expect("short")), "ab01");
}
