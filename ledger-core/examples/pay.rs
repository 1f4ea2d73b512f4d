//! A payment, a proof of the new balance, and a device that checks it with nothing but a header.
//!
//! `cargo run -p ledger-core --example pay`

use core::convert::Infallible;

use ledger_core::ledger::{Standard, owner_key};
use ledger_core::{
    Action, Ancestry, AssetId, Block, Body, Chain, ChainSlots, ChainSpec, Claim, Engine, Hash,
    Header, JournalSlot, KeyPair, Refused, Rules, Slot, Transaction, Weight,
};

#[derive(Clone)]
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

fn main() -> Result<(), Box<dyn core::error::Error>> {
    let ann = KeyPair::from_secret(&[1; 32]);
    let allocation = &[(ann.account(), 100)];
    let spec = ChainSpec { name: "pay", rules: Rules::SMALL, time: 0, allocation };
    let storage = ChainSlots { entries: [Slot::EMPTY; 16], journal: [JournalSlot::EMPTY; 65] };
    let mut chain = Chain::new(&spec, Open, Standard, storage)?;

    let salt = *Hash::of(b"a picture").as_bytes();
    let mint = Transaction::new(ann.account(), 0, Action::Mint { salt });
    let mut buf = [0; Transaction::MAX_LEN];
    let signed = mint.sign(chain.genesis_id(), &ann, &mut buf)?;
    let body = Body::from_bytes(signed.as_bytes())?;
    let header = chain.propose(60, ann.account(), &body, Claim::NONE)?;
    let mut bytes = [0; 1024];
    let len = Block::new(header, &[], body)?.encode(&mut bytes)?;
    println!("{}", chain.append(60, &bytes[..len])?.id);

    // The device has the header and gets a proof.
    let key = owner_key(&AssetId::new(chain.genesis_id(), &ann.account(), &salt));
    let mut proof = [0; 512];
    let proof = chain.prove(&key, &mut proof)?;
    println!(
        "{} bytes prove: value {:?}",
        proof.as_bytes().len(),
        proof.verify(&header.state, &key)?
    );
    Ok(())
}
