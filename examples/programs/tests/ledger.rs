//! The program `ledger` as a person meets it: keys, payments, proofs for somebody without the chain, an audit, a log.

mod programs;

use std::fs;
use std::path::Path;

use programs::ledger::{done, fresh, ledger, word};

/// Runs a command that fails, and returns all that it printed.
fn fails(folder: &Path, words: &[&str]) -> String {
    let output = ledger(folder, words);
    assert_eq!(output.status.code(), Some(1), "{words:?}");
    String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned()
}

#[test]
fn a_payment_a_record_and_an_asset_are_proved_to_somebody_without_the_chain() {
    let folder = &fresh("ledger-proofs");
    done(folder, &["wallet", "ann.key"]);
    let ben = done(folder, &["wallet", "ben.key"]);
    let ben = word(&ben, "account");
    assert_eq!(word(&done(folder, &["wallet", "ben.key"]), "account"), ben, "not made again");
    done(folder, &["create", "chain", "--wallet", "ann.key", "--bits", "8"]);
    let said = "1,000 barrels left the harbour";
    done(folder, &["record", "chain", "--wallet", "ann.key", said]);
    let paid =
        done(folder, &["pay", "chain", "--wallet", "ann.key", "--to", ben, "--amount", "30"]);
    assert!(paid.contains("970 left"), "{paid}");
    fs::write(folder.join("song"), "la la").expect("it is written");
    let minted = done(folder, &["mint", "chain", "--wallet", "ben.key", "--file", "song"]);
    let asset = word(&minted, "asset");
    let tip = word(&minted, "block");
    let audited = done(folder, &["audit", "chain", "--tip", tip]);
    assert!(audited.contains("1000 coins"), "{audited}");

    let proofs = [
        (["--record", "1"], said),
        (["--record", "3"], "mint"),
        (["--balance", ben], "owns 30 coins"),
        (["--asset", asset], ben),
    ];
    for (what, expected) in proofs {
        done(folder, &["prove", "chain", what[0], what[1], "--output", "p"]);
        let proved = done(folder, &["verify", "p", "--tip", tip]);
        assert!(proved.to_lowercase().contains(expected), "{what:?}: {proved}");
        let other = tip.replace('0', "1");
        let refused = fails(folder, &["verify", "p", "--tip", &other]);
        assert!(refused.contains("not the trusted one"), "{refused}");
        // Any changed digit is found.
        let text = fs::read_to_string(folder.join("p")).expect("a file");
        for at in (0..text.len()).filter(|at| text.as_bytes()[*at].is_ascii_hexdigit()).step_by(97)
        {
            let mut changed = text.clone().into_bytes();
            changed[at] = if changed[at] == b'0' { b'1' } else { b'0' };
            fs::write(folder.join("q"), &changed).expect("it is written");
            let output = ledger(folder, &["verify", "q", "--tip", tip]);
            assert_eq!(output.status.code(), Some(1), "digit {at} of {text}");
        }
    }
    done(folder, &["prove", "chain", "--balance", &"ab".repeat(32), "--output", "p"]);
    assert!(done(folder, &["verify", "p", "--tip", tip]).contains("owns 0 coins"));
}

#[test]
fn a_changed_block_is_named_by_the_audit() {
    let folder = &fresh("ledger-audit");
    done(folder, &["wallet", "ann.key"]);
    done(folder, &["create", "chain", "--wallet", "ann.key", "--bits", "12"]);
    let mut lens = Vec::new();
    for n in 0..4 {
        done(folder, &["record", "chain", "--wallet", "ann.key", &format!("line {n}")]);
        lens.push(fs::metadata(folder.join("chain/blocks")).expect("a file").len() as usize);
    }
    let good = fs::read(folder.join("chain/blocks")).expect("a file");
    for victim in 1..4 {
        let mut bytes = good.clone();
        bytes[lens[victim] - 40] ^= 1;
        fs::write(folder.join("chain/blocks"), &bytes).expect("it is written");
        let report = fails(folder, &["audit", "chain"]);
        assert!(report.contains(&format!("block {} is invalid", victim + 1)), "{report}");
        let refused = fails(folder, &["record", "chain", "--wallet", "ann.key", "more"]);
        assert!(refused.contains(&format!("block {} is invalid", victim + 1)), "{refused}");
    }
    fs::write(folder.join("chain/blocks"), &good[..good.len() - 1]).expect("it is written");
    assert!(fails(folder, &["audit", "chain"]).contains("block 4 is invalid"));
    let poor =
        ["pay", "chain", "--wallet", "ann.key", "--to", &"ab".repeat(32), "--amount", "9999"];
    fs::write(folder.join("chain/blocks"), &good).expect("it is written");
    assert!(fails(folder, &poor).contains("9999 coins needed"));
}

#[cfg(unix)]
#[test]
fn a_key_is_for_its_owner_only_and_is_never_overwritten() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = &fresh("ledger-key");
    let output = ledger(folder, &["wallet", "k"]);
    assert!(String::from_utf8_lossy(&output.stderr).contains("warning: k holds a private key"));
    let mode = fs::metadata(folder.join("k")).expect("a file").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let before = fs::read(folder.join("k")).expect("a file");
    done(folder, &["wallet", "k"]);
    assert_eq!(fs::read(folder.join("k")).expect("a file"), before);
    fs::write(folder.join("broken"), "secret 12\n").expect("it is written");
    assert!(fails(folder, &["wallet", "broken"]).contains("64 digits are expected"));
}

#[test]
fn a_log_in_a_folder_proves_its_entries() {
    let folder = &fresh("ledger-log");
    done(folder, &["log", "create", "board", "--name", "example.com/board"]);
    done(folder, &["log", "verify", "board"]);
    let many: Vec<String> = (0..300).map(|n| format!("entry {n}")).collect();
    let mut words = vec!["log", "add", "board"];
    words.extend(many[..200].iter().map(String::as_str));
    done(folder, &words);
    let mut words = vec!["log", "add", "board"];
    words.extend(many[200..].iter().map(String::as_str));
    let added = done(folder, &words);
    assert!(added.contains("300 entries"), "{added}");
    assert!(done(folder, &["log", "verify", "board"]).starts_with("300 entries"));
    for index in [0, 199, 255, 256, 299] {
        done(folder, &["log", "prove", "board", &index.to_string(), "--output", "p"]);
        let verify = |entry: &str| {
            ledger(folder, &["log", "verify", "--proof", "p", "--key", "board/key", entry])
        };
        assert_eq!(verify(&many[index]).status.code(), Some(0), "entry {index}");
        assert_eq!(verify("entry x").status.code(), Some(1), "entry {index}");
    }
    let bundle = folder.join("board/tile/entries/000");
    let mut bytes = fs::read(&bundle).expect("a file");
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    fs::write(&bundle, bytes).expect("it is written");
    let report = fails(folder, &["log", "verify", "board"]);
    assert!(report.contains("not those that were signed"), "{report}");
}

/// Without a lock both runs would read the same end, and append two blocks of one height or two entries of one number.
#[test]
fn several_runs_at_once_in_one_folder_wait_for_each_other() {
    let folder = &fresh("ledger-at-once");
    done(folder, &["wallet", "ann.key"]);
    done(folder, &["create", "chain", "--wallet", "ann.key", "--bits", "8"]);
    done(folder, &["log", "create", "board", "--name", "example.com/board"]);
    std::thread::scope(|scope| {
        for said in ["a", "b", "c", "d"] {
            scope.spawn(move || done(folder, &["record", "chain", "--wallet", "ann.key", said]));
            scope.spawn(move || done(folder, &["log", "add", "board", said]));
        }
    });
    let audited = done(folder, &["audit", "chain"]);
    assert!(audited.contains("tip 4 "), "{audited}");
    let verified = done(folder, &["log", "verify", "board"]);
    assert!(verified.starts_with("4 entries"), "{verified}");
}

#[test]
fn a_block_that_was_not_written_to_its_end_is_named_by_an_audit_and_replaced_by_the_next() {
    let folder = &fresh("ledger-torn");
    done(folder, &["wallet", "ann.key"]);
    done(folder, &["create", "chain", "--wallet", "ann.key", "--bits", "8"]);
    done(folder, &["record", "chain", "--wallet", "ann.key", "first"]);
    done(folder, &["record", "chain", "--wallet", "ann.key", "second"]);
    let blocks = folder.join("chain/blocks");
    let content = fs::read(&blocks).expect("a file");
    fs::write(&blocks, &content[..content.len() - 3]).expect("it is written");
    let audited = fails(folder, &["audit", "chain"]);
    assert!(audited.contains("block 2 is invalid"), "{audited}");

    let output = ledger(folder, &["record", "chain", "--wallet", "ann.key", "third"]);
    let warned = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{warned}");
    assert!(warned.contains("that an interrupted run left"), "{warned}");
    let audited = done(folder, &["audit", "chain"]);
    assert!(audited.contains("first") && audited.contains("third"), "{audited}");
    assert!(!audited.contains("second"), "{audited}");
}
