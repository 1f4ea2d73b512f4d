//! Blocks and the ledger: hashes, changes, forks, proofs.

use super::*;

#[test]
fn the_five_blocks_have_the_hashes_of_the_demonstration() {
    // Source: Anders Brownworth's public demonstration of a block chain.
    let chain = web::chain::Chain::new(&web::Options::parse("")).expect("a chain");
    let published = [
        (11316, "000015783b764259d382017d91a36d206d0600e2cbb3567748f46a33fe9297cf"),
        (35230, "000012fa9b916eb9078f8d98a7864e697ae83ed54f5146bd84452cdafd043c19"),
        (12937, "0000b9015ce2a08b61216ba5a0778545bf4ddd7ceb7bbd85dd8062b29a9140bf"),
        (35990, "0000ae8bbc96cf89c68be6e10a865cc47c6c48a9ebec3c6cad729646cefaef83"),
        (56265, "0000e4b9052fd8aae92a8afda42e2ea0f17972ea67cead67352e74dd6f7d217c"),
    ];
    assert_eq!(chain.hashes(), published.map(|(nonce, hash)| (nonce, hash.to_owned())));
}

#[test]
fn a_changed_block_breaks_those_behind_it_until_all_are_mined_again() {
    let mut chain = open("chain", "");
    let valid = |chain: &mut Player| -> String {
        let view = view(chain);
        let Json::List(blocks) = field(&view, "blocks") else { panic!("a list") };
        let letter = |block| if *field(block, "valid") == Json::Flag(true) { 'v' } else { 'x' };
        blocks.iter().map(letter).collect()
    };
    assert_eq!(valid(&mut chain), "vvvvv");
    chain.command("data 2 ten coins to ben").expect("a block");
    assert_eq!(valid(&mut chain), "vxxxx");
    for (block, state) in [(2, "vvxxx"), (3, "vvvxx"), (4, "vvvvx"), (5, "vvvvv")] {
        chain.command(&format!("mine {block}")).expect("a block");
        assert_eq!(valid(&mut chain), state);
    }
}

#[test]
fn a_ledger_refuses_forgery_and_double_spending_and_follows_the_heavier_branch() {
    let mut chain = open("chain", "");
    let balances = |chain: &mut Player| -> Vec<String> {
        let view = view(chain);
        let Json::List(people) = field(field(&view, "ledger"), "people") else { panic!("a list") };
        people.iter().map(|one| field(one, "balance").to_string()).collect()
    };
    let said = chain.command("forge ann ben 10").expect("people");
    assert!(said.starts_with("refused"), "{said}");
    chain.command("pay ann ben 60").expect("people");
    chain.command("again ann cat 60").expect("people");
    let said = chain.command("block").expect("a tip");
    assert!(said.contains("refused") && said.contains("sequence"), "{said}");
    let said = chain.command("block").expect("a tip");
    assert!(said.contains("block 1 is the tip at height 1"), "{said}");
    assert_eq!(balances(&mut chain), ["40", "60", "0", "0"]);

    // The same coins on another branch; once it weighs more, the first payment never was.
    chain.command("block 0").expect("block 0");
    let said = chain.command("block 2").expect("block 2");
    assert!(said.contains("reorganisation took 1 blocks back and connected 2"), "{said}");
    assert_eq!(balances(&mut chain), ["100", "0", "0", "0"]);
}

#[test]
fn a_transaction_is_proved_by_its_path() {
    let mut chain = open("chain", "bits=0");
    for _ in 0..5 {
        chain.command("pay ann ben 1").expect("people");
    }
    chain.command("block").expect("a tip");
    chain.command("prove 1 3").expect("five transactions");
    let view = view(&mut chain);
    let proof = field(field(&view, "ledger"), "proof");
    assert_eq!(field(proof, "right"), &Json::Flag(true));
    assert_eq!(
        (field(proof, "size").to_string(), field(proof, "steps").to_string()),
        ("5".into(), "3".into())
    );
    let Json::List(nodes) = field(proof, "nodes") else { panic!("a list") };
    assert_eq!(nodes.len(), 9, "five leaves and four above them");
    assert_eq!(nodes.iter().filter(|node| *field(node, "proof") == Json::Flag(true)).count(), 3);
    assert!(chain.command("prove 1 5").is_err());
}
