//! A member keeps the laws whatever reaches it.

use core::time::Duration;

use chord_core::{Config, Id160, KeyRange, Message, Peer};
use sim::Rng;
use sim::laws::{Input, Machine, Outcome, check};

use super::member::Member;
use super::transfer::{Entry, LONGEST, Transfer};

struct Tested(Member<u32>);

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
    let entry = Entry { version, value: value.clone() };
    let digest = input.array();
    match input.byte() % 11 {
        0 => Transfer::Put { token, key, value },
        1 => Transfer::Done { token },
        2 => Transfer::Get { token, key },
        3 => Transfer::Value { token, entry },
        4 => Transfer::Nothing { token },
        5 => Transfer::Later { token },
        6 => Transfer::Copy { token, key, entry },
        7 => Transfer::Kept { token },
        8 => Transfer::Compare { range, digest },
        9 => Transfer::Same { range, digest },
        _ => Transfer::Differs { range },
    }
}

impl Machine for Tested {
    fn call(&mut self, now: Duration, input: &mut Input<'_>) -> Outcome {
        let from = u32::from(input.byte() % 8);
        match input.byte() % 16 {
            0 => Outcome::of(self.0.create(now)),
            1 => Outcome::of(self.0.join(now, from)),
            2 => {
                self.0.put(now, id(input), input.bytes(4).to_vec());
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
            _ => Outcome::of(self.0.handle_datagram(now, from, &transfer(input).encode())),
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
            let mut member = Member::new(config, 4, peers[3]);
            if seed % 4 != 0 {
                member.create_base(Duration::ZERO, &peers).unwrap();
            }
            Tested(member)
        };
        println!("seed {seed}"); // shown if it fails
        check(new, LONGEST + 100, &bytes);
    }
}

#[test]
fn any_bytes_decode_to_none_or_to_a_transfer_that_encodes_to_them() {
    let mut rng = Rng::new(1);
    let mut read = 0;
    for _ in 0..20_000 {
        let mut bytes = vec![0; 6 + rng.below(70) as usize];
        rng.fill(&mut bytes);
        (bytes[0], bytes[1]) = (b'S', bytes[1] % 12);
        if let Some(transfer) = Transfer::decode(&bytes) {
            assert_eq!(transfer.encode(), bytes);
            read += 1;
        }
    }
    assert!(read > 1000, "{read}");
}
