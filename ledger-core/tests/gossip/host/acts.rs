//! What a host does of its own accord: it pays, makes blocks, hands out its state.

use ledger_core::node::SnapshotSource;
use ledger_core::{Account, Action, Body, ConnId, Slot, Transaction};
use sim::Network;

use super::{Host, unix};
use crate::common;

impl Host {
    /// Hands out the state after the newest final block from now on.
    pub fn offer_snapshot(&mut self, net: &mut Network) {
        let mut bytes = Vec::new();
        let written = self.node.snapshot(|piece| {
            bytes.extend_from_slice(piece);
            Ok::<(), ()>(())
        });
        written.expect("a block is final");
        let rules = common::rules();
        let slots = vec![Slot::EMPTY; rules.max_entries as usize];
        let source = SnapshotSource::new(self.node.genesis_id(), &rules, &bytes, slots);
        let source = source.expect("its own snapshot");
        let offer = (source.header().height, source.id());
        self.source = Some(source);
        self.gossip.offer_snapshot(unix(net.now()), Some(offer));
        self.run(net);
    }

    /// Makes a block of what waits, with this weight.
    pub fn mine(&mut self, net: &mut Network, weight: u8) {
        let clock = unix(net.now());
        let mut body = vec![0; 4096];
        let len = self.mempool.template(&mut body);
        let body = Body::from_bytes(&body[..len]).expect("transactions");
        let claim = common::claim(weight);
        let author = Account::default();
        // Without transactions if one does not fit any more; later if a branch is under trial.
        let mut propose = |body| {
            let header = self.node.propose(clock.as_secs(), author, &body, claim);
            header.ok().map(|header| (header, body))
        };
        let proposed = propose(body).or_else(|| propose(Body::default()));
        let Some((header, body)) = proposed else { return };
        let bytes = common::seal(self.node.genesis_id(), &header, &body);
        let id = header.id(self.node.genesis_id());
        self.store.insert(id, (ConnId(u32::MAX), bytes.clone()));
        let _ = self.node.handle_header(clock, ConnId(u32::MAX), &bytes);
        self.run(net);
    }

    /// Pays from an account of the tests, and announces it.
    pub fn pay(&mut self, net: &mut Network, from: u8, to: u8) {
        self.pay_silently(net, from, to);
        self.run(net);
    }

    /// Pays, and sends nothing yet.
    pub fn pay_silently(&mut self, net: &Network, from: u8, to: u8) {
        if self.node.is_busy() {
            return;
        }
        let key = common::key(from);
        let source = key.account();
        let sequence = self.node.state().sequence(&source);
        let action = Action::Pay { to: common::key(to).account(), amount: 1 };
        let mut buf = [0; Transaction::MAX_LEN];
        for sequence in sequence..sequence + 20 {
            let transaction = Transaction::new(source, sequence, action);
            let signed = transaction.sign(self.node.genesis_id(), &key, &mut buf).expect("its key");
            let id = signed.id(self.node.genesis_id());
            if self.mempool.contains(&id) {
                continue;
            }
            let tip = self.node.tip().height;
            if self.mempool.insert(&signed, &self.node.state(), tip).is_ok() {
                self.gossip.announce_transaction(unix(net.now()), &id);
            }
            break;
        }
    }
}
