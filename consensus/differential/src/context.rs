//! The smallest context of Malachite: one height, values that are a byte, and no signatures.

use core::fmt;
use core::time::Duration;

use malachitebft_core_types::{
    Address, Context, Height, NilOrVal, Proposal, ProposalPart, Round, SignedExtension,
    SigningScheme, Timeout, Timeouts, Validator, ValidatorSet, Value, Vote, VoteType,
};

/// The context.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Bytes;

/// A value, and its own id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Byte(pub u8);

/// A validator, its address, and the set of it alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Name(pub u8);

/// The only height.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OneHeight;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ByteProposal {
    pub round: Round,
    pub value: Byte,
    pub pol_round: Round,
    author: Name,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ByteVote {
    pub kind: VoteType,
    pub round: Round,
    pub value: NilOrVal<Byte>,
    author: Name,
}

/// A proposal of this value.
pub const fn proposal(round: u32, value: u8, pol_round: Round) -> ByteProposal {
    ByteProposal { round: Round::Some(round), value: Byte(value), pol_round, author: Name(1) }
}

impl Context for Bytes {
    type Address = Name;
    type Height = OneHeight;
    type ProposalPart = Byte;
    type Proposal = ByteProposal;
    type Validator = Name;
    type ValidatorSet = Name;
    type Timeouts = Bytes;
    type Value = Byte;
    type Vote = ByteVote;
    type Extension = ();
    type SigningScheme = Bytes;

    fn select_proposer<'a>(&self, set: &'a Name, _: OneHeight, _: Round) -> &'a Name {
        set
    }

    fn new_proposal(
        &self,
        _: OneHeight,
        round: Round,
        value: Byte,
        pol_round: Round,
        author: Name,
    ) -> ByteProposal {
        ByteProposal { round, value, pol_round, author }
    }

    fn new_prevote(
        &self,
        _: OneHeight,
        round: Round,
        value: NilOrVal<Byte>,
        author: Name,
    ) -> ByteVote {
        ByteVote { kind: VoteType::Prevote, round, value, author }
    }

    fn new_precommit(
        &self,
        _: OneHeight,
        round: Round,
        value: NilOrVal<Byte>,
        author: Name,
    ) -> ByteVote {
        ByteVote { kind: VoteType::Precommit, round, value, author }
    }
}

impl Height for OneHeight {
    const ZERO: Self = Self;
    const INITIAL: Self = Self;

    fn increment_by(&self, _: u64) -> Self {
        Self
    }

    fn decrement_by(&self, _: u64) -> Option<Self> {
        None
    }

    fn as_u64(&self) -> u64 {
        0
    }
}

impl Value for Byte {
    type Id = Self;

    fn id(&self) -> Self {
        *self
    }
}

impl Timeouts<Bytes> for Bytes {
    fn duration_for(&self, _: Timeout) -> Duration {
        Duration::from_secs(1)
    }
}

impl ProposalPart<Bytes> for Byte {
    fn is_first(&self) -> bool {
        true
    }

    fn is_last(&self) -> bool {
        true
    }
}

impl Proposal<Bytes> for ByteProposal {
    fn height(&self) -> OneHeight {
        OneHeight
    }

    fn round(&self) -> Round {
        self.round
    }

    fn value(&self) -> &Byte {
        &self.value
    }

    fn take_value(self) -> Byte {
        self.value
    }

    fn pol_round(&self) -> Round {
        self.pol_round
    }

    fn validator_address(&self) -> &Name {
        &self.author
    }
}

impl Vote<Bytes> for ByteVote {
    fn height(&self) -> OneHeight {
        OneHeight
    }

    fn round(&self) -> Round {
        self.round
    }

    fn value(&self) -> &NilOrVal<Byte> {
        &self.value
    }

    fn take_value(self) -> NilOrVal<Byte> {
        self.value
    }

    fn vote_type(&self) -> VoteType {
        self.kind
    }

    fn validator_address(&self) -> &Name {
        &self.author
    }

    fn extension(&self) -> Option<&SignedExtension<Bytes>> {
        None
    }

    fn take_extension(&mut self) -> Option<SignedExtension<Bytes>> {
        None
    }

    fn extend(self, _: SignedExtension<Bytes>) -> Self {
        self
    }
}

impl Address for Name {}

impl Validator<Bytes> for Name {
    fn address(&self) -> &Self {
        self
    }

    fn public_key(&self) -> &() {
        &()
    }

    fn voting_power(&self) -> u64 {
        1
    }
}

impl ValidatorSet<Bytes> for Name {
    fn count(&self) -> usize {
        1
    }

    fn total_voting_power(&self) -> u64 {
        1
    }

    fn get_by_address(&self, address: &Self) -> Option<&Self> {
        (address == self).then_some(self)
    }

    fn get_by_index(&self, index: usize) -> Option<&Self> {
        (index == 0).then_some(self)
    }
}

impl SigningScheme for Bytes {
    type DecodingError = &'static str;
    type Signature = ();
    type PublicKey = ();
    type PrivateKey = ();

    fn decode_signature(_: &[u8]) -> Result<(), &'static str> {
        Ok(())
    }

    fn encode_signature((): &()) -> Vec<u8> {
        Vec::new()
    }

    fn decode_public_key(_: &[u8]) -> Result<(), &'static str> {
        Ok(())
    }

    fn encode_public_key((): &()) -> Vec<u8> {
        Vec::new()
    }
}

macro_rules! impl_display {
    ($($name:ident),*) => {$(
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(self, f)
            }
        }
    )*};
}
impl_display!(Byte, Name, OneHeight);
