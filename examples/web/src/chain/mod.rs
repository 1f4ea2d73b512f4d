//! Blocks: five that a person types into, and a ledger with branches.

mod blocks;
mod ledger;

use core::time::Duration;

use crate::options::number;
use crate::post::Post;
use crate::{Json, Options, World};

use blocks::Blocks;
use ledger::Ledger;

/// Both parts of the lesson. Nothing happens by itself: each command has its effect at once.
pub struct Chain {
    post: Post,
    blocks: Blocks,
    ledger: Ledger,
}

impl Chain {
    /// Builds the five blocks, mined, and a ledger of one block. Options: `bits` of zeros that the id of a block of the
    /// ledger begins with (0 to 16).
    ///
    /// # Errors
    ///
    /// A sentence that says which option is wrong.
    pub fn new(options: &Options) -> Result<Self, String> {
        let bits = options.number("bits", 8, 0, 16)?;
        Ok(Self {
            post: Post::new(0, Duration::ZERO, Duration::ZERO),
            blocks: Blocks::mined(),
            ledger: Ledger::new(bits)?,
        })
    }

    /// Returns the five blocks.
    #[must_use]
    pub fn hashes(&self) -> Vec<(u64, String)> {
        self.blocks.hashes()
    }
}

impl World for Chain {
    fn command(&mut self, words: &[&str]) -> Result<String, String> {
        let block = || number::<usize>("the block", words.get(1));
        let text = || words.get(2..).unwrap_or_default().join(" ");
        match words.first().copied() {
            Some("data") => self.blocks.set_data(block()?, text()),
            Some("nonce") => self.blocks.set_nonce(block()?, number("the nonce", words.get(2))?),
            Some("mine") => {
                let said = self.blocks.mine(block()?)?;
                self.post.note(block()? as u32, "work", said.clone());
                Ok(said)
            }
            _ => self.ledger.command(words, &mut self.post),
        }
    }

    fn next_at(&self) -> Option<Duration> {
        None
    }

    fn advance(&mut self, until: Duration) {
        self.post.set_now(until);
    }

    fn view(&self, selected: Option<u32>) -> Json {
        let selected = selected.and_then(|block| self.ledger.details(block as usize));
        Json::object([
            ("blocks", self.blocks.view()),
            ("ledger", self.ledger.view()),
            ("selected", selected.into()),
        ])
    }

    fn post(&self) -> &Post {
        &self.post
    }
}
