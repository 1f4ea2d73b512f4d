//! A chain without its state beside one with it, whatever the blocks and the witnesses.

use ledger_core::StatelessChain;
use ledger_core::ledger::Standard;
use sim::laws::Input;

use super::node::{Open, blocks, chain, with_spec};

const MOST_STEPS: usize = 12;

/// With the witness of the chain, the device answers as the chain does. With any other one it accepts nothing that the chain
/// does not accept. What it refuses leaves it as it was.
pub fn stateless(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let mut chain = chain();
    let state = chain.tip().state;
    let device = with_spec(|spec| StatelessChain::new(spec, Open, Standard, state));
    let mut device = device.expect("the name fits");
    for _ in 0..MOST_STEPS {
        if input.is_empty() {
            break;
        }
        let now = 1000 + u64::from(input.byte() % 64);
        let mut block = blocks()[input.below(blocks().len())].clone();
        if input.below(4) == 0 {
            let at = usize::from(input.u16()) % block.len();
            block[at] ^= input.byte();
        }
        let mut buf = [0; 4000];
        let made = chain.witness(&block, &mut buf).map(<[u8]>::to_vec);
        let good = made.clone().unwrap_or_default();
        let witness = changed(&mut input, good.clone());
        let tip = *device.tip();
        let answer = device.append(now, &block, &witness);
        if answer.is_ok() || (made.is_ok() && witness == good) {
            assert_eq!(answer, chain.append(now, &block));
        }
        assert_eq!(device.tip(), chain.tip());
        assert!(answer.is_ok() || *device.tip() == tip);
    }
}

fn changed(input: &mut Input<'_>, mut witness: Vec<u8>) -> Vec<u8> {
    for _ in 0..input.below(3) {
        let at = usize::from(input.u16()) % (witness.len() + 1);
        match input.below(4) {
            0 => witness.truncate(at),
            1 => witness.splice(at..at, input.bytes(33).iter().copied()).for_each(drop),
            _ if at < witness.len() => witness[at] ^= input.byte(),
            _ => {}
        }
    }
    witness
}
