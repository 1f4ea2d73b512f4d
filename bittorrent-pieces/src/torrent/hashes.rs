//! Messages about hashes (BEP 52).

use super::cursor::PeerMut;
use super::error::PeerError;
use super::queue::RequestSlot;
use crate::wire::Message;
use crate::wire::hashes::HashMessage;

impl PeerMut<'_> {
    /// Processes a message about hashes; returns whether it was one.
    pub(super) fn hash_message(&mut self, message: &Message<'_>) -> Result<bool, PeerError> {
        let Some(message) = HashMessage::of(message)? else { return Ok(false) };
        let trees = self.trees();
        if let HashMessage::Request(range) = message
            && !trees.content.hashes.layer().is_empty()
        {
            // A reject names the root, which is not stored: a request for another file is ignored.
            if let Some(file) = trees.find(&range.root).filter(|_| range.is_valid()) {
                self.uploads.push(RequestSlot::hashes(&range, file)); // there is room: `is_busy`
            }
        }
        Ok(true)
    }
}
