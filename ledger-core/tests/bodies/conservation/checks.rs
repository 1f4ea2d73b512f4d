//! What must hold of a node after every step.

use std::collections::HashSet;

use ledger_core::ledger::{EscrowCall, OutputCall};
use ledger_core::{Account, Action, SignedTransaction, Transaction, TxId};

use super::World;

/// What a transaction uses up. On one branch nothing is used up twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Spent {
    Transaction(TxId),
    Sequence(Account, u16, u64),
    Escrow(TxId),
    Output(TxId, u8),
}

impl World {
    /// At rest the state is that of the model. While a branch is under trial no coin is there that was not issued.
    pub(super) fn check(&self) {
        let state = self.node.state();
        if self.node.is_busy() {
            let coins = self.wallet.coins(&state, self.made[0].model.deposit());
            assert!(coins <= state.issued(), "{coins} of {} issued coins", state.issued());
            return;
        }
        let tip = &self.made[self.position(&self.node.tip().id)];
        tip.model.assert_is(&state, self.wallet.accounts(), self.wallet.ids());
    }

    /// Reads from the blocks of the chain alone what they use up.
    pub(super) fn check_spent(&mut self) {
        let mut spent = HashSet::new();
        let mut tally = self.tally;
        let mut spend = |what| assert!(spent.insert(what), "{what:?} is spent twice");
        for bytes in self.path.iter().flat_map(|at| &self.made[*at].transactions) {
            let (signed, _) = SignedTransaction::decode(bytes).expect("just signed");
            let Transaction { source, lane, sequence, action, .. } = *signed.transaction();
            spend(Spent::Transaction(signed.id(&self.genesis)));
            spend(Spent::Sequence(source, lane, sequence));
            match action {
                Action::Call { ledger: EscrowCall::LEDGER, payload } => {
                    match EscrowCall::decode(payload).expect("just encoded").0 {
                        EscrowCall::Release(id, _) | EscrowCall::Refund(id, _) => {
                            spend(Spent::Escrow(id));
                            tally.escrows_closed += 1;
                        }
                        _ => {}
                    }
                }
                Action::Call { payload, .. } => {
                    let (call, _) = OutputCall::decode(payload).expect("just encoded");
                    for [id @ .., index] in call.inputs {
                        spend(Spent::Output(TxId::from_bytes(*id), *index));
                        tally.outputs_spent += 1;
                    }
                }
                Action::Pay { .. } => tally.payments += 1,
                _ => tally.assets += 1,
            }
        }
        self.tally = tally;
    }
}
