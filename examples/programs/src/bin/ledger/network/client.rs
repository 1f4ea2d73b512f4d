//! A client of a node: it fetches all blocks, checks them, and hands over transactions. It trusts no node.

use core::net::SocketAddr;
use core::time::Duration;
use std::io::{ErrorKind, Read as _, Write as _};
use std::net::TcpStream;
use std::time::Instant;

use examples::cli::{self, sentence};
use examples::interrupt::interrupted;
use examples::progress;
use examples::random::random;
use ledger_core::gossip::{
    BlockIds, Headers, HeadersWriter, Hello, Message, MessageError, NotFound, SnapshotPlace,
    Status, TxIds,
};
use ledger_core::{Account, Block, BlockId, Body, Claim, GenesisId, Height, SealedHeader, TxId};

use super::Network;
use crate::store::{FolderChain, unix_time};

/// How long a node may take for an answer.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long a transaction may take to be in a block.
const CONFIRMATION: Duration = Duration::from_secs(60);
/// How often a transaction is announced until it is in a block.
const ANNOUNCEMENT: Duration = Duration::from_secs(5);
const READ_TIMEOUT: Duration = Duration::from_millis(100);
const MAX_RECEIVED: usize = 1 << 20;

/// A connection to a node, which has sent its hello.
pub struct Client {
    pub address: SocketAddr,
    pub status: Status,
    pub snapshot: Option<Status>, // the block whose state it hands out
    network: Network,
    genesis: GenesisId,
    stream: TcpStream,
    received: Vec<u8>,
    offered: Option<(TxId, Vec<u8>)>,
}

/// A message that owns its bytes.
enum Answer {
    /// The whole message.
    Headers(Vec<u8>),
    Block(Vec<u8>),
    Chunk(Vec<u8>),
    Other,
}

impl Client {
    /// Connects to a node.
    pub fn connect(
        network: &Network,
        address: SocketAddr,
        genesis: GenesisId,
    ) -> cli::Result<Self> {
        let named = |error| format!("cannot connect to {address}: {error}");
        let stream = TcpStream::connect_timeout(&address, PATIENCE).map_err(named)?;
        stream.set_read_timeout(Some(READ_TIMEOUT)).map_err(named)?;
        let status = Status { height: Height(0), tip: genesis.block_id() };
        let network = network.clone();
        let received = Vec::new();
        let offered = None;
        let snapshot = None;
        let mut client =
            Self { address, status, snapshot, network, genesis, stream, received, offered };
        let nonce = u64::from_le_bytes(random());
        client.send(&Message::Hello(Hello { genesis, nonce, status }))?;
        let height = Height(u64::MAX);
        client.status.height = height; // until its hello comes
        let start = Instant::now();
        while client.status.height == height {
            client.receive(start, PATIENCE)?;
        }
        Ok(client)
    }

    /// Connects to the first node of a network that answers.
    pub fn connect_any(network: &Network, genesis: GenesisId) -> cli::Result<Self> {
        let mut complaint = "the network has no nodes".to_owned();
        for address in &network.nodes {
            match Self::connect(network, *address, genesis) {
                Ok(client) => return Ok(client),
                Err(error) => complaint = error,
            }
        }
        Err(complaint)
    }

    fn send(&mut self, message: &Message<'_>) -> cli::Result<()> {
        let out = encoded(message)?;
        self.write(&out)
    }

    fn write(&mut self, bytes: &[u8]) -> cli::Result<()> {
        let named = |error| format!("{} is gone: {error}", self.address);
        self.stream.write_all(bytes).map_err(named)
    }

    /// Returns the next message, or an error if none comes in time.
    fn receive(&mut self, start: Instant, patience: Duration) -> cli::Result<Answer> {
        loop {
            let received = core::mem::take(&mut self.received);
            match Message::decode(&received) {
                Ok((message, rest)) => {
                    let answer = self.answer(message)?;
                    self.received = rest.to_vec();
                    return Ok(answer);
                }
                Err(MessageError::Incomplete { .. }) if received.len() < MAX_RECEIVED => {}
                Err(error) => return Err(format!("{} sent a {error}", self.address)),
            }
            self.received = received;
            if start.elapsed() > patience {
                return Err(format!("{} does not answer", self.address));
            }
            if interrupted() {
                return Err(cli::INTERRUPTED.into());
            }
            let mut buf = [0; 16 << 10];
            match self.stream.read(&mut buf) {
                Ok(0) => return Err(format!("{} closed the connection", self.address)),
                Ok(len) => self.received.extend_from_slice(&buf[..len]),
                Err(error)
                    if matches!(
                        error.kind(),
                        ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted
                    ) => {}
                Err(error) => return Err(format!("{} is gone: {error}", self.address)),
            }
        }
    }

    /// Notes what a message says. A client has no headers, and at most one transaction.
    fn answer(&mut self, message: Message<'_>) -> cli::Result<Answer> {
        Ok(match message {
            Message::Hello(hello) if hello.genesis == self.genesis => {
                self.status = hello.status;
                Answer::Other
            }
            Message::Hello(_) => return Err(format!("{} follows another chain", self.address)),
            Message::Status(status) => {
                self.status = status;
                self.send(&Message::Status(status))?; // has nothing else, and is still there
                Answer::Other
            }
            Message::GetHeaders(_) => {
                let mut out = [0; 6];
                let writer = HeadersWriter::new(&mut out).map_err(sentence)?;
                let len = writer.finish(false);
                self.write(&out[..len])?;
                Answer::Other
            }
            Message::Headers(headers) => Answer::Headers(encoded(&Message::Headers(headers))?),
            Message::Block(bytes) => Answer::Block(bytes.to_vec()),
            Message::Snapshot(_, chunk) => Answer::Chunk(chunk.to_vec()),
            Message::HaveSnapshot(offer) => {
                self.snapshot = Some(offer);
                Answer::Other
            }
            // A node that could not use it asks again.
            Message::GetTransaction(id) => {
                let answer = match &self.offered {
                    Some((offered, bytes)) if *offered == id => Message::Transaction(bytes),
                    _ => Message::NotFound(NotFound::Transaction(id)),
                };
                let out = encoded(&answer)?;
                self.write(&out)?;
                Answer::Other
            }
            Message::NotFound(_) => return Err(format!("{} has lost a block", self.address)),
            _ => Answer::Other,
        })
    }

    /// Fetches and checks the blocks after the end of a chain, and adds them to `blocks`. If the node has changed over to
    /// another branch, both begin anew.
    pub fn fetch(&mut self, chain: &mut FolderChain, blocks: &mut Vec<Vec<u8>>) -> cli::Result<()> {
        let mut more = true;
        while more {
            let message = self.headers_after(&chain.tip().id)?;
            let headers = headers_of(&message)?;
            more = headers.has_more() && !headers.is_empty();
            let decoded = headers.iter().filter_map(|bytes| SealedHeader::decode(bytes).ok());
            let decoded: Vec<_> = decoded.map(|(sealed, _)| sealed.header).collect();
            let parent = decoded.first().map(|header| header.parent);
            let ids: Vec<_> = decoded.iter().map(|header| header.id(&self.genesis)).collect();
            if parent.is_some_and(|parent| parent != chain.tip().id) {
                *chain = self.network.chain()?;
                blocks.clear();
            }
            for id in ids {
                let bytes = self.block(id)?;
                chain.append(unix_time().saturating_add(5), &bytes).map_err(|refused| {
                    format!("{} sent block {id:.16}, which is refused: {refused}", self.address)
                })?;
                blocks.push(bytes);
                let height = chain.tip().height;
                progress::show(|| format!("block {height} of {}", self.status.height));
            }
        }
        let tip = chain.tip();
        self.status = Status { height: tip.height, tip: tip.id };
        Ok(())
    }

    /// Returns a message with the headers after a block, or after block 0 if the node does not have that one.
    pub fn headers_after(&mut self, id: &BlockId) -> cli::Result<Vec<u8>> {
        let locator = [*id.as_bytes(), *self.genesis.block_id().as_bytes()];
        self.send(&Message::GetHeaders(BlockIds::new(&locator)))?;
        let start = Instant::now();
        loop {
            if let Answer::Headers(message) = self.receive(start, PATIENCE)? {
                return Ok(message);
            }
        }
    }

    /// Returns a chunk of a snapshot.
    pub fn chunk(&mut self, place: SnapshotPlace) -> cli::Result<Vec<u8>> {
        self.send(&Message::GetSnapshot(place))?;
        let start = Instant::now();
        loop {
            if let Answer::Chunk(chunk) = self.receive(start, PATIENCE)? {
                return Ok(chunk);
            }
        }
    }

    fn block(&mut self, id: BlockId) -> cli::Result<Vec<u8>> {
        self.send(&Message::GetBlock(id))?;
        let start = Instant::now();
        loop {
            if let Answer::Block(bytes) = self.receive(start, PATIENCE)? {
                return Ok(bytes);
            }
        }
    }

    /// Waits until the node reports another block than `tip`, or the time is over.
    pub fn wait(&mut self, tip: BlockId, patience: Duration) -> cli::Result<bool> {
        let start = Instant::now();
        while self.status.tip == tip {
            if start.elapsed() > patience {
                return Ok(false);
            }
            // Nothing to read for a while is no error here.
            let slice = Instant::now();
            let _ = self.receive_some(slice)?;
        }
        Ok(true)
    }

    /// Waits until the node announces a snapshot, or the time is over.
    pub fn wait_for_snapshot(&mut self, patience: Duration) -> cli::Result<Option<Status>> {
        let start = Instant::now();
        while self.snapshot.is_none() && start.elapsed() < patience {
            self.receive_some(Instant::now())?;
        }
        Ok(self.snapshot)
    }

    /// Returns whether a message came within a moment.
    fn receive_some(&mut self, start: Instant) -> cli::Result<bool> {
        match self.receive(start, READ_TIMEOUT) {
            Ok(_) => Ok(true),
            Err(error) if error.ends_with("does not answer") => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Hands over a transaction of an account, and waits until it is in a block. Adds the blocks up to that. `sign` gets
    /// the sequence number: once more if a block brings another transaction of the account with the same number.
    pub fn submit(
        &mut self,
        chain: &mut FolderChain,
        blocks: &mut Vec<Vec<u8>>,
        account: &Account,
        sign: impl Fn(u64) -> cli::Result<(TxId, Vec<u8>)>,
    ) -> cli::Result<()> {
        let start = Instant::now();
        let mut sequence = chain.state().sequence(account);
        let mut id = self.offer(chain, account, sign(sequence)?)?;
        let mut announce_at = Duration::ZERO;
        while start.elapsed() < CONFIRMATION {
            if start.elapsed() >= announce_at {
                announce_at = start.elapsed() + ANNOUNCEMENT;
                self.send(&Message::HaveTransactions(TxIds::new(&[*id.as_bytes()])))?;
            }
            self.wait(chain.tip().id, Duration::from_secs(1))?;
            self.fetch(chain, blocks)?;
            if blocks.iter().rev().any(|block| contains(block, &id, &self.genesis)) {
                return Ok(());
            }
            let next = chain.state().sequence(account);
            if next > sequence {
                sequence = next;
                id = self.offer(chain, account, sign(sequence)?)?;
                announce_at = Duration::ZERO;
            }
        }
        Err(format!("transaction {id} is in no block after {} seconds", CONFIRMATION.as_secs()))
    }

    /// Keeps a transaction for nodes that ask for it. One that no block could contain is refused here.
    fn offer(
        &mut self,
        chain: &mut FolderChain,
        account: &Account,
        (id, bytes): (TxId, Vec<u8>),
    ) -> cli::Result<TxId> {
        let body = Body::from_bytes(&bytes).map_err(sentence)?;
        let time = unix_time().max(chain.median_time() + 1);
        chain.propose(time, *account, &body, Claim::NONE).map_err(sentence)?;
        self.offered = Some((id, bytes));
        Ok(id)
    }
}

/// Returns the headers in a message.
pub fn headers_of(message: &[u8]) -> cli::Result<Headers<'_>> {
    match Message::decode(message) {
        Ok((Message::Headers(headers), _)) => Ok(headers),
        _ => Err("headers were expected".into()),
    }
}

fn encoded(message: &Message<'_>) -> cli::Result<Vec<u8>> {
    let mut out = vec![0; message.encoded_len()];
    message.encode(&mut out).map_err(sentence)?;
    Ok(out)
}

fn contains(block: &[u8], id: &TxId, genesis: &GenesisId) -> bool {
    let Ok((block, _)) = Block::decode(block) else { return false };
    block.body().iter().any(|signed| signed.id(genesis) == *id)
}
