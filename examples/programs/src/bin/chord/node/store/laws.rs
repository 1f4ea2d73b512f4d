//! A member keeps the laws whatever reaches it.

use core::time::Duration;

use chord_core::{Config, Id160, KeyRange, Message, Peer};
use sim::Rng;
use sim::laws::{Input, Machine, Outcome, check};

use super::codec::Letter;
use super::cookies::Cookies;
use super::member::Member;
use super::table::Limits;
use super::transfer::{Change, Entry, LONGEST_DATAGRAM, Transfer};

struct Tested(Member<u32>, u64);

fn id(input: &mut Input<'_>) -> Id160 {
    Id160::from([input.byte() / 32 * 32; 20])
}

/// Mostly what the store speaks; tokens are small, so that some are awaited.
fn transfer(input: &mut Input<'_>) -> Transfer {
    let token = u32::from(input.byte() % 8);
    let key = id(input);
    let range = KeyRange { after: key, through: id(input) };
    let value = input.bytes(3).to_vec();
    let version = if input.byte() == 0 { u64::MAX } else { u64::from(input.byte() % 4) };
    let lifetime = u32::from(input.byte() % 4);
    let deleted = input.byte().is_multiple_of(4);
    let value = if deleted { vec![] } else { value };
    let entry = Entry { version, deleted, value: value.clone() };
    let value = Some(value).filter(|_| !deleted);
    let digest = u128::from(input.byte() % 2);
    match input.byte() % 16 {
        0 => Transfer::Put { token, key, change: Change { value, lifetime } },
        1 => Transfer::Done { token, version, copies: 1 },
        2 => Transfer::Get { token, key },
        3 => Transfer::Value { token, copies: 1, entry, lifetime },
        4 => Transfer::Nothing { token },
        5 => Transfer::Later { token },
        6 => Transfer::Copy { token, key, entry, lifetime },
        7 => Transfer::Kept { token },
        8 => Transfer::Compare { range, digest },
        9 => Transfer::Same { range, digest },
        10 => Transfer::Cookie { token },
        11 => Transfer::Refused { token },
        12 => Transfer::Check { range, digest },
        13 => Transfer::Status { token, part: input.byte() % 2 },
        14 => Transfer::Report { token, part: 0, bytes: vec![] },
        _ => Transfer::Differs { range },
    }
}

/// Three of four senders have shown that they receive.
fn letter(input: &mut Input<'_>, seed: u64, from: u32) -> Vec<u8> {
    let cookies = Cookies::new(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    let yours = if input.byte().is_multiple_of(4) { 7 } else { cookies.of(from) };
    Letter { transfer: transfer(input), yours, mine: input.byte().into() }.encode()
}

impl Machine for Tested {
    fn call(&mut self, now: Duration, input: &mut Input<'_>) -> Outcome {
        let from = u32::from(input.byte() % 8);
        match input.byte() % 16 {
            0 => Outcome::of(self.0.create(now)),
            1 => Outcome::of(self.0.join(now, from)),
            2 => {
                let value = Some(input.bytes(4).to_vec());
                self.0.put(now, id(input), Change { value, lifetime: u32::from(input.byte() % 4) });
                Outcome::Done(String::new())
            }
            3 => {
                self.0.get(now, id(input));
                Outcome::Done(String::new())
            }
            4 if input.byte() < 16 => {
                self.0.leave(now);
                Outcome::Done(String::new())
            }
            5..8 => {
                let len = input.below(60);
                Outcome::of(self.0.handle_datagram(now, from, input.bytes(len)))
            }
            8 | 9 => {
                let note = Message::<Id160, u32>::Notify { id: id(input) };
                let mut bytes = [0; 32];
                let len = note.encode(&mut bytes).unwrap();
                Outcome::of(self.0.handle_datagram(now, from, &bytes[..len]))
            }
            _ => {
                let bytes = letter(input, self.1, from);
                Outcome::of(self.0.handle_datagram(now, from, &bytes))
            }
        }
    }

    fn handle_timeout(&mut self, now: Duration) {
        self.0.handle_timeout(now);
    }

    fn poll_timeout(&self) -> Option<Duration> {
        self.0.poll_timeout()
    }

    fn poll_transmit(&mut self, buf: &mut [u8]) -> Result<Option<(String, usize)>, usize> {
        let sent = self.0.poll_transmit(buf).map_err(|error| error.needed)?;
        Ok(sent.map(|(to, len)| (to.to_string(), len)))
    }

    fn poll_event(&mut self) -> Option<String> {
        self.0.poll_event().map(|event| format!("{event:?}"))
    }

    fn state(&self) -> String {
        format!("{:?}", self.0)
    }
}

#[test]
fn a_member_keeps_the_laws() {
    for seed in 0..300 {
        let mut bytes = vec![0; 400];
        Rng::new(seed).fill(&mut bytes);
        let peers: Vec<_> =
            (0..8).map(|n| Peer { id: Id160::from([n as u8 * 32; 20]), address: n }).collect();
        let mut config = Config::default();
        config.seed = seed;
        let new = || {
            // The second store has room for a few entries only.
            let total = if seed % 2 == 0 { 1 << 20 } else { 2000 };
            let mut member = Member::new(config, 4, peers[3], Limits::of(total));
            if seed % 4 != 0 {
                member.create_base(Duration::ZERO, &peers).unwrap();
            }
            Tested(member, seed)
        };
        println!("seed {seed}"); // shown if it fails
        check(new, LONGEST_DATAGRAM, &bytes);
    }
}

#[test]
fn any_bytes_decode_to_none_or_to_a_letter_that_encodes_to_them() {
    let mut rng = Rng::new(1);
    let mut read = 0;
    for _ in 0..20_000 {
        let mut bytes = vec![0; 14 + rng.below(80) as usize];
        rng.fill(&mut bytes);
        (bytes[0], bytes[1]) = (b'S', bytes[1] % 17);
        if let Some(letter) = Letter::decode(&bytes) {
            assert_eq!(letter.encode(), bytes);
            read += 1;
        }
    }
    assert!(read > 1000, "{read}");
}

#[test]
fn every_letter_is_read_as_it_was_written() {
    for seed in 0..2000 {
        let mut bytes = vec![0; 200];
        Rng::new(seed).fill(&mut bytes);
        let input = &mut Input::new(&bytes);
        let letter = Letter { transfer: transfer(input), yours: 1, mine: 2 };
        assert!(!letter.transfer.to_string().is_empty());
        assert_eq!(Letter::decode(&letter.encode()), Some(letter));
    }
}

/// A question whose sender is forged has a short answer, and nothing is kept.
#[test]
fn an_unproven_sender_receives_a_cookie_and_nothing_else() {
    let mut member = Member::new(
        Config::default(),
        4,
        Peer { id: Id160::from([9; 20]), address: 1 },
        Limits::of(1 << 20),
    );
    member.create(Duration::ZERO).unwrap();
    let key = Id160::from([1; 20]);
    let entry = Entry { version: 1, deleted: false, value: vec![7; 1000] };
    member.restore(key, entry.clone(), 0, 1);
    member.handle_timeout(Duration::from_secs(1));
    let range = KeyRange { after: key, through: key };
    let change = Change { value: Some(vec![8]), lifetime: 0 };
    for transfer in [
        Transfer::Get { token: 5, key },
        Transfer::Put { token: 5, key, change },
        Transfer::Copy { token: 5, key, entry: Entry { version: 9, ..entry.clone() }, lifetime: 0 },
        Transfer::Compare { range, digest: 1 },
        Transfer::Check { range, digest: 1 },
        Transfer::Differs { range },
        Transfer::Status { token: 5, part: 0 },
    ] {
        let question = Letter { transfer, yours: 3, mine: 4 }.encode();
        member.handle_datagram(Duration::from_secs(2), 6, &question).unwrap();
        let mut buf = [0; LONGEST_DATAGRAM];
        let mut sent = 0;
        while let Some((to, len)) = member.poll_transmit(&mut buf).unwrap() {
            let answer = Letter::decode(&buf[..len]).unwrap();
            assert!(to == 6 && matches!(answer.transfer, Transfer::Cookie { .. }));
            assert_eq!(answer.yours, 4);
            sent += len;
        }
        assert!(sent > 0 && sent <= question.len(), "{sent}");
        assert_eq!(member.store.find(key), Some(&entry));
    }
}
