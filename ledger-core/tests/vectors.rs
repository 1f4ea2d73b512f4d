//! Published bytes: RFC 6962 tree heads and proof probes, RFC 8032 signatures, Bitcoin's supply,
//! Brownworth's demo, the supply-chain board of the lectures.

mod common;

use core::fmt::Write as _;

use common::json::field;
use common::{World, key};
use ledger_core::{
    Action, BadSignature, Block, Consistency, Hash, Inclusion, KeyPair, MerkleTree, PublicKey,
    Rules, Signable, Signature, TreeHead,
};

/// Bytes without a domain, to check published signatures.
struct Raw(Vec<u8>);

impl Signable for Raw {
    type Bytes = Vec<u8>;

    fn signing_bytes(&self) -> Vec<u8> {
        self.0.clone()
    }
}

fn bytes(hex: &str) -> Vec<u8> {
    (0..hex.len() / 2)
        .map(|i| u8::from_str_radix(&hex[2 * i..2 * i + 2], 16).expect("hexadecimal"))
        .collect()
}

/// `None` unless it is 32 bytes: a hash of another length is a refusal.
fn hash(hex: &str) -> Option<Hash> {
    bytes(hex).try_into().ok().map(Hash::from_bytes)
}

/// Source: the reference leaves of Certificate Transparency, RFC 6962 and RFC 9162.
#[test]
fn rfc_6962_tree_heads() {
    let inputs = [
        "",
        "00",
        "10",
        "2021",
        "3031",
        "40414243",
        "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    ];
    let leaves = [
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
        "0298d122906dcfc10892cb53a73992fc5b9f493ea4c9badb27b791b4127a7fe7",
        "07506a85fd9dd2f120eb694f86011e5bb4662e5c415a62917033d4a9624487e7",
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
        "4271a26be0d8a84f0bd54c8c302e7cb3a3b5d1fa6780a40bcce2873477dab658",
        "b08693ec2e721597130641e8211e7eedccb4c26413963eee6c1e2ed16ffb1a5f",
        "46f6ffadd3d06a09ff3c5860d2755c8b9819db7df44251788c7d8e3180de8eb1",
    ];
    let roots = [
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
        "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
        "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
        "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
        "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
    ];
    let mut tree = MerkleTree::new();
    assert_eq!(tree.root().to_string(), roots[0]);
    for ((input, leaf), root) in inputs.iter().zip(leaves).zip(&roots[1..]) {
        let hash = MerkleTree::leaf(&bytes(input));
        assert_eq!(hash.to_string(), leaf);
        tree.push(hash);
        assert_eq!(tree.root().to_string(), *root);
    }
}

/// Source: RFC 8032, section 7.1, tests 1 to 3.
#[test]
fn rfc_8032_signatures() {
    for (secret, public, message, signature) in [
        (
            "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
            "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
            "",
            "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e06522490155\
             5fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
        ),
        (
            "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
            "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
            "72",
            "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da\
             085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
        ),
        (
            "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
            "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
            "af82",
            "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac\
             18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a",
        ),
    ] {
        let pair = KeyPair::from_secret(&bytes(secret).try_into().expect("32 bytes"));
        let expected: [u8; 64] = bytes(signature).try_into().expect("64 bytes");
        assert_eq!(pair.public().to_string(), public);
        let message = Raw(bytes(message));
        assert_eq!(pair.sign(&message).as_bytes(), &expected);
        let signature = Signature::from_bytes(expected);
        assert_eq!(pair.public().verify(&message, &signature), Ok(()));
        assert_eq!(pair.public().verify(&Raw(b"else".to_vec()), &signature), Err(BadSignature));
    }
}

/// A key of small order with an all-zero signature scalar passes the loose rule for any message
/// ("Taming the many `EdDSAs`", case 0); the strict rule refuses it.
#[test]
fn a_small_order_key_signs_nothing() {
    let identity = PublicKey::from_bytes({
        let mut point = [0; 32];
        point[0] = 1;
        point
    });
    let mut signature = [0; 64];
    signature[0] = 1;
    let signature = Signature::from_bytes(signature);
    assert_eq!(identity.verify(&Raw(b"anything".to_vec()), &signature), Err(BadSignature));
}

/// Source: Bitcoin's rule; the lectures' figures; all recomputed.
#[test]
fn subsidy_and_supply_are_those_of_bitcoin() {
    let rules = Rules::BITCOIN_SUPPLY;
    for (height, satoshi) in [
        (0, 5_000_000_000),
        (209_999, 5_000_000_000),
        (210_000, 2_500_000_000),
        (419_999, 2_500_000_000),
        (420_000, 1_250_000_000),
        (629_999, 1_250_000_000),
        (630_000, 625_000_000), // 11 May 2020
        (840_000, 312_500_000),
        (1_050_000, 156_250_000),
        (6_719_999, 2),
        (6_720_000, 1),
        (6_929_999, 1), // the last reward
        (6_930_000, 0),
        (13_439_999, 0),
        (13_440_000, 0),
        (u64::MAX, 0),
    ] {
        assert_eq!(rules.subsidy_at(height), satoshi, "at {height}");
    }
    for (blocks, satoshi) in [
        (210_000, 1_050_000_000_000_000),
        (266_000, 1_190_000_000_000_000), // November 2013
        (420_000, 1_575_000_000_000_000),
        (630_000, 1_837_500_000_000_000),
        (840_000, 1_968_750_000_000_000),
        (1_050_000, 2_034_375_000_000_000),
        (6_929_999, 2_099_999_997_689_999),
        (6_930_000, 2_099_999_997_690_000),
        (13_440_000, 2_099_999_997_690_000),
        (u64::MAX, 2_099_999_997_690_000),
    ] {
        assert_eq!(rules.supply_before(blocks), Some(satoshi), "before {blocks}");
    }
}

/// Source: Anders Brownworth's public blockchain demo: SHA-256 of number, nonce, data, previous hash.
#[test]
fn brownworths_block_hashes() {
    let zeros = "0".repeat(64);
    let mut previous = zeros.clone();
    for (number, nonce, expected) in [
        (1, 11316, "000015783b764259d382017d91a36d206d0600e2cbb3567748f46a33fe9297cf"),
        (2, 35230, "000012fa9b916eb9078f8d98a7864e697ae83ed54f5146bd84452cdafd043c19"),
        (3, 12937, "0000b9015ce2a08b61216ba5a0778545bf4ddd7ceb7bbd85dd8062b29a9140bf"),
    ] {
        let hash = Hash::of(format!("{number}{nonce}{previous}").as_bytes());
        assert_eq!(hash.to_string(), expected);
        previous = hash.to_string();
    }
    // The page with a single block has no previous hash.
    let single = "0000f727854b50bb95c054b39c1fe5c92e5ebcfa4bcb5dc279f56aa96a365e5a";
    assert_eq!(Hash::of(b"172608").to_string(), single);
    // Data typed into block 1 breaks it and every block that builds on it.
    assert!(!Hash::of(format!("111316x{zeros}").as_bytes()).to_string().starts_with("0000"));
}

/// Source: the lectures' petroleum supply chain, "What is this Blockchain?", exact texts.
#[test]
fn the_records_of_the_petroleum_supply_chain_stay_in_order() {
    const RECORDS: [&str; 3] = [
        "10432 barrels produced in Thasos on Dec 26, 2022",
        "6327 barrels transported from Thasos to ELPE Refinery on Dec 26, 2022 at 2:30 pm",
        "Received 6327 barrels on Dec 26, 2022 at 8:48 pm",
    ];
    let mut world = World::new();
    for (author, record) in RECORDS.iter().enumerate() {
        world.act(author, 0, Action::Record(record.as_bytes()));
    }
    let block = world.seal_block();
    let mut replicas = vec![common::spec(3).chain(); 4];
    for replica in &mut replicas {
        replica.append(world.now, &block).expect("it is fine");
    }
    assert!(replicas.iter().all(|r| r.tip() == replicas[0].tip()));

    // One step of auditing: the first number of each record.
    let (stored, _) = Block::decode(&block).expect("it was accepted");
    let barrels: Vec<u64> = stored
        .body()
        .iter()
        .zip(0_u8..)
        .map(|(signed, author)| {
            assert_eq!(signed.transaction().source, key(author).account());
            assert_eq!(signed.verify(&world.genesis()), Ok(()), "its author cannot deny it");
            let Action::Record(text) = signed.transaction().action else { panic!("a record") };
            let text = core::str::from_utf8(text).expect("text");
            assert_eq!(text, RECORDS[usize::from(author)]);
            let digits = |word: &&str| word.chars().all(|c| c.is_ascii_digit());
            text.split(' ').find(digits).and_then(|word| word.parse().ok()).expect("a number")
        })
        .collect();
    assert_eq!(barrels[1], barrels[2], "what was sent has arrived");
    assert_eq!(barrels[0] - barrels[1], 4105, "what remains in Thasos");

    // An edit in one copy is found by that copy's owner and by nobody else.
    let mut edited = block.clone();
    let at = edited.windows(4).position(|w| w == b"6327").expect("it is there");
    edited[at..at + 4].copy_from_slice(b"6000");
    assert!(common::spec(3).chain().replay(world.now, [&edited]).is_err());
    assert!(common::spec(3).chain().replay(world.now, [&block]).is_ok());
}

/// The encoding of a transaction and of a block, field by field, and their ids.
#[test]
fn canonical_bytes_are_pinned() {
    let mut world = World::new();
    world.pay(0, 1, 0x0102, 0x0A);
    let signed = world.body.clone();
    let mut expected = String::from("01"); // version
    let _ = write!(expected, "{}0000", key(0).account()); // source, lane
    expected += "0000000000000000ffffffffffffffff000000000000000a"; // sequence, valid until, fee
    let _ = write!(expected, "01{}0000000000000102", key(1).account()); // pay, to, amount
    let body_len = expected.len() / 2;
    let _ = write!(expected, "01{}", key(0).public()); // one key
    assert_eq!(signed[..signed.len() - 64], bytes(&expected));
    let genesis = *world.chain.genesis_id();
    let (decoded, _) = ledger_core::SignedTransaction::decode(&signed).expect("just made");
    let preimage =
        [b"ledger-core/1 transaction\0", &genesis.as_bytes()[..], &signed[..body_len]].concat();
    assert_eq!(decoded.id(&genesis).as_bytes(), Hash::of(&preimage).as_bytes());

    let block = world.seal_block();
    let (decoded, _) = Block::decode(&block).expect("just made");
    let header = decoded.header();
    let mut expected = String::from("010000000000000001"); // version, height
    let _ = write!(expected, "{genesis}00000001{}", header.body_root); // parent, body
    let _ = write!(expected, "{}{}", header.state, header.history);
    let _ = write!(expected, "{:016x}{}090101", world.now, key(9).account()); // time, author, claim
    assert_eq!(block[..184], bytes(&expected));
    assert_eq!(header.encoded_len(), 184);
    let preimage = [b"ledger-core/1 block\0", &genesis.as_bytes()[..], &block[..184]].concat();
    assert_eq!(decoded.id(&genesis).as_bytes(), Hash::of(&preimage).as_bytes());
    // The history of block 1 is the tree of one leaf, the genesis id.
    assert_eq!(header.history, MerkleTree::leaf(genesis.as_bytes()));
}

/// Source: `transparency-dev/merkle`, `testdata`: inclusion and consistency probes, mostly negative.
#[test]
#[ignore = "needs VECTORS_DIR"]
fn rfc_6962_proof_probes() {
    let dir = std::env::var("VECTORS_DIR").expect("VECTORS_DIR names the folder of vectors");
    let read =
        |name| std::fs::read_to_string(format!("{dir}/ledger/{name}")).expect("the file is there");
    let mut probes = 0;
    for line in read("rfc6962-inclusion.json").lines().filter(|line| line.contains("wantErr")) {
        let proved = (|| {
            let path = field(line, "proof").split('"').skip(1).step_by(2).map(hash);
            let path: Vec<_> = path.collect::<Option<_>>()?;
            let inclusion = Inclusion { index: field(line, "leafIdx").parse().ok()?, path: &path };
            let size = field(line, "treeSize").parse().ok()?;
            let head = TreeHead { size, root: hash(field(line, "root"))? };
            inclusion.verify(&head, &hash(field(line, "leafHash"))?).ok()
        })();
        assert_eq!(proved.is_none(), field(line, "wantErr") == "true", "{line}");
        probes += 1;
    }
    for line in read("rfc6962-consistency.json").lines().filter(|line| line.contains("wantErr")) {
        let proved = (|| {
            let path = field(line, "proof").split('"').skip(1).step_by(2).map(hash);
            let path: Vec<_> = path.collect::<Option<_>>()?;
            let size = field(line, "size1").parse().ok()?;
            let one = TreeHead { size, root: hash(field(line, "root1"))? };
            let size = field(line, "size2").parse().ok()?;
            let two = TreeHead { size, root: hash(field(line, "root2"))? };
            Consistency { path: &path }.verify(&one, &two).ok()
        })();
        assert_eq!(proved.is_none(), field(line, "wantErr") == "true", "{line}");
        probes += 1;
    }
    assert_eq!(probes, 98);
}
