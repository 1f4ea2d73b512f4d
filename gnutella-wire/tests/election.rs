//! Who may serve others: each requirement alone decides.

use core::time::Duration;

use gnutella_wire::election::{Candidate, Election};

fn hours(hours: u64) -> Duration {
    Duration::from_secs(hours * 3_600)
}

fn just_below(span: Duration) -> Duration {
    span.saturating_sub(Duration::from_nanos(1))
}

/// One that meets every requirement exactly.
fn just_fit(election: &Election) -> Candidate {
    Candidate {
        firewalled: false,
        datagrams: election.datagrams,
        uptime: election.uptime,
        average_uptime: election.average_uptime,
        upload: election.upload,
        download: election.download,
        spare_links: election.links,
    }
}

#[test]
fn a_candidate_that_meets_the_requirements_exactly_is_fit() {
    for election in [Election::GTKG, Election::LIMEWIRE] {
        assert!(election.is_fit(&just_fit(&election)));
    }
}

#[test]
fn each_requirement_that_is_missed_makes_a_candidate_unfit() {
    let mut election = Election::GTKG;
    election.upload = 10_000;
    election.download = 20_000;
    let spoil: [fn(&mut Candidate); 7] = [
        |candidate| candidate.firewalled = true,
        |candidate| candidate.datagrams = false,
        |candidate| candidate.uptime = just_below(hours(1)),
        |candidate| candidate.average_uptime = just_below(hours(3)),
        |candidate| candidate.upload = 9_999,
        |candidate| candidate.download = 19_999,
        |candidate| candidate.spare_links = 341,
    ];
    for (number, spoil) in spoil.iter().enumerate() {
        let mut candidate = just_fit(&election);
        spoil(&mut candidate);
        assert!(!election.is_fit(&candidate), "requirement {number}");
    }
}

#[test]
fn the_score_is_what_could_be_sent_in_an_average_run() {
    let mut candidate = just_fit(&Election::LIMEWIRE);
    assert_eq!(candidate.score(), 3_600 * 10_000);
    candidate.uptime = hours(2); // longer than the average
    assert_eq!(candidate.score(), 7_200 * 10_000);
    candidate.firewalled = true;
    assert_eq!(candidate.score(), 0);
}
