//! Numbers and rules of the lectures, each computed by an item of the crates. See `learn slides --help`.

mod bittorrent;
mod chains;
mod chord;
mod consensus;
mod general;
mod gnutella;
mod hybrid;
mod ledger;
pub mod lesson;
mod measured;
mod overlays;
mod replicas;
mod rules;
mod seals;
mod servents;
mod sharing;
mod supply;
mod town;
mod transfers;
mod work;

use core::fmt::Debug;

use examples::cli::Exit;
use examples::progress;

/// Every number and rule of the lectures that a program can check, computed by the crates
///
/// One line each: its number, the verdict, what was computed, the item that computed it, and the slide. A verdict with
/// a number after it is one where the lecture is wrong or unclear: see ERRATA.md. Fails if a check does.
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = "Example: learn slides chord")]
pub struct Args {
    /// Only the facts of this topic
    #[arg(value_parser = TOPICS.map(|(name, _)| name))]
    topic: Option<String>,
}

/// What is computed, or what is wrong with it.
pub type Check = Result<String, String>;

/// A statement of a lecture.
pub struct Fact {
    /// Its number in the list of facts.
    pub number: &'static str,
    /// The lecture's statement.
    pub says: &'static str,
    /// The item of the crates that reproduces it.
    pub item: &'static str,
    /// The slide set and heading.
    pub slide: &'static str,
    /// Where the lecture is wrong or unclear: the number in ERRATA.md.
    pub erratum: Option<&'static str>,
    /// Computes it.
    pub check: fn() -> Check,
}

/// A statement that holds as the lecture has it.
pub const fn fact(
    number: &'static str,
    says: &'static str,
    item: &'static str,
    slide: &'static str,
    check: fn() -> Check,
) -> Fact {
    Fact { number, says, item, slide, erratum: None, check }
}

impl Fact {
    /// Names the erratum that the statement needs.
    pub const fn but(mut self, erratum: &'static str) -> Self {
        self.erratum = Some(erratum);
        self
    }
}

type Topic = (&'static str, &'static [&'static [Fact]]);

const TOPICS: [Topic; 8] = [
    ("general", &[general::FACTS, measured::GENERAL]),
    (
        "gnutella",
        &[
            gnutella::CENTRAL,
            gnutella::FLOODING,
            servents::FACTS,
            transfers::FACTS,
            hybrid::FACTS,
            measured::GNUTELLA,
        ],
    ),
    ("chord", &[chord::TABLES, chord::RING, rules::NETWORKS, overlays::FACTS]),
    ("bittorrent", &[bittorrent::FACTS, sharing::FACTS, measured::SWARM]),
    ("ledger", &[ledger::BLOCKS, ledger::OWNERSHIP, rules::LEDGER, chains::FACTS, measured::CHAIN]),
    ("supply", &[supply::FACTS]),
    ("work", &[work::FACTS, rules::WORK]),
    ("consensus", &[consensus::FACTS, rules::STAKE, seals::FACTS]),
];

/// Statements that nothing computes, and why.
const NOT_COMPUTED: [(&str, &str, &str); 4] = [
    (
        "C-GEN-21",
        "install, configure the firewall, connect, share, test",
        "steps of a person; what helps behind a firewall is C-GNU-24",
    ),
    (
        "C-OWN-11",
        "users are known by keys and not by names",
        "that a field does not exist is read in the format, not computed",
    ),
    (
        "C-BRD-07",
        "who maintains it, who pays, is it a fraud?",
        "questions; C-BRD-02 to C-BRD-06 are the answers",
    ),
    ("C-TOK-04", "ownership of a token is not copyright", "a statement about law"),
];

/// Runs the subcommand.
pub fn run(args: &Args) -> Exit {
    let mut right = 0;
    let mut wrong = 0;
    let mut errata = 0;
    for (topic, groups) in TOPICS {
        if args.topic.as_deref().is_some_and(|wanted| wanted != topic) {
            continue;
        }
        for fact in groups.iter().copied().flatten() {
            progress::show(|| format!("{}: {}", fact.number, fact.says));
            let computed = (fact.check)();
            progress::clear();
            right += usize::from(computed.is_ok());
            wrong += usize::from(computed.is_err());
            errata += usize::from(fact.erratum.is_some());
            println!("{}", line(fact, &computed));
        }
    }
    if args.topic.is_none() {
        println!();
        for (number, says, why) in NOT_COMPUTED {
            println!("{number:<9} not computed: {says}: {why}");
        }
    }
    println!("\n{right} OK, {errata} of them with an erratum; {wrong} FAIL");
    Exit::success_if(wrong == 0)
}

fn line(fact: &Fact, computed: &Check) -> String {
    let Fact { number, says, item, slide, erratum, .. } = fact;
    let (verdict, text) = match computed {
        Ok(text) => ("OK", text),
        Err(text) => ("FAIL", text),
    };
    let erratum = erratum.unwrap_or_default();
    format!("{number:<9} {verdict:<4} {erratum:<4} {says}: {text}  [{item}]  {slide}")
}

/// Compares what was computed with what the lecture has.
#[expect(clippy::needless_pass_by_value, reason = "numbers and short lists")]
pub fn equal<T: PartialEq + Debug>(computed: T, lecture: T) -> Check {
    if computed == lecture {
        Ok(format!("{computed:?}"))
    } else {
        Err(format!("{computed:?}, and the lecture has {lecture:?}"))
    }
}

/// Checks a rule; `computed` is what it was checked on.
pub fn holds(is: bool, computed: impl Into<String>) -> Check {
    if is { Ok(computed.into()) } else { Err(computed.into()) }
}

/// Returns an error as a failed check.
pub fn failed(error: impl core::fmt::Display) -> String {
    format!("did not run: {error}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_fact_holds_and_has_a_number_of_its_own() {
        let mut numbers = std::collections::BTreeSet::new();
        for fact in TOPICS.iter().flat_map(|(_, groups)| groups.iter().copied().flatten()) {
            assert!(numbers.insert(fact.number), "{} stands twice", fact.number);
            let computed = (fact.check)();
            assert!(computed.is_ok(), "{}", line(fact, &computed));
        }
    }

    /// How many statements of each kind the lectures have.
    const STATEMENTS: [(&str, usize); 16] = [
        ("GEN", 23),
        ("NAP", 8),
        ("GNU", 31),
        ("HYB", 14),
        ("DHT", 7),
        ("CHD", 18),
        ("OVL", 8),
        ("BIT", 11),
        ("STR", 7),
        ("BLK", 14),
        ("OWN", 12),
        ("SUP", 8),
        ("BRD", 7),
        ("POW", 11),
        ("CON", 16),
        ("TOK", 6),
    ];

    #[test]
    fn every_statement_is_computed_or_says_why_not() {
        let facts = TOPICS.iter().flat_map(|(_, groups)| groups.iter().copied().flatten());
        let computed: Vec<&str> = facts.map(|fact| fact.number).collect();
        let mut missing = Vec::new();
        for (kind, count) in STATEMENTS {
            let numbers = (1..=count).map(|nth| format!("C-{kind}-{nth:02}"));
            missing.extend(numbers.filter(|number| !computed.contains(&number.as_str())));
        }
        missing.sort();
        let mut excused = NOT_COMPUTED.map(|(number, ..)| number.to_owned());
        excused.sort();
        assert_eq!(missing, excused);
    }

    #[test]
    fn every_erratum_stands_on_the_page_of_errata() {
        let page = include_str!("../../../../../ERRATA.md");
        for fact in TOPICS.iter().flat_map(|(_, groups)| groups.iter().copied().flatten()) {
            if let Some(erratum) = fact.erratum {
                assert!(page.contains(&format!("| {erratum} |")), "{erratum} of {}", fact.number);
                assert!(page.contains(fact.number), "{} for {erratum}", fact.number);
            }
        }
    }

    #[test]
    fn a_wrong_number_is_a_failure() {
        assert!(equal(1, 2).is_err() && equal(2, 2).is_ok());
        assert!(holds(false, "x").is_err());
    }
}
