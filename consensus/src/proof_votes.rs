//! The votes in the proof of a block: for each the index of its validator in the order of ids (u16, big-endian) and its
//! signature, in ascending order of the indices.

use crate::error::take;
use crate::id::ValidatorId;
use crate::set::storage::ValidatorStorage;
use crate::set::validators::ValidatorSet;

pub(crate) const VOTE_LEN: usize = 2 + 64;

/// A vote whose signature was not checked.
pub(crate) struct ProofVote<'a> {
    pub(crate) author: ValidatorId,
    pub(crate) stake: u64,
    pub(crate) signature: &'a [u8; 64],
}

/// Why bytes are not a list of votes.
pub(crate) enum VotesError {
    Malformed,
    OutOfOrder(u16),
    UnknownValidator(u16),
}

/// Decodes votes, one at a time.
pub(crate) fn decode_votes<'a, S: ValidatorStorage>(
    bytes: &'a [u8],
    validators: &'a ValidatorSet<S>,
) -> Result<impl Iterator<Item = Result<ProofVote<'a>, VotesError>>, VotesError> {
    let (votes, []) = bytes.as_chunks::<VOTE_LEN>() else { return Err(VotesError::Malformed) };
    let mut last = None;
    Ok(votes.iter().map(move |vote| {
        let (index, signature) = take(vote).map_err(|_| VotesError::Malformed)?;
        let (signature, _) = take(signature).map_err(|_| VotesError::Malformed)?;
        let index = u16::from_be_bytes(*index);
        if last >= Some(index) {
            return Err(VotesError::OutOfOrder(index));
        }
        last = Some(index);
        let validator = validators.iter().nth(usize::from(index));
        let (author, stake) = validator.ok_or(VotesError::UnknownValidator(index))?;
        Ok(ProofVote { author, stake, signature })
    }))
}

/// Returns the bytes of votes.
pub(crate) fn vote_bytes(votes: impl Iterator<Item = (u16, [u8; 64])>) -> impl Iterator<Item = u8> {
    votes.flat_map(|(index, signature)| index.to_be_bytes().into_iter().chain(signature))
}
