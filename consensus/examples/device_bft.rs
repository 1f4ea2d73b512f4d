//! A validator of seven in static memory, as firmware has it. Built for a device this is a program without `std`; built
//! for a desk it prints.
#![cfg_attr(target_os = "none", no_std, no_main)]

use core::time::Duration;

use consensus::bft::{Bft, BftConfig, BftEvent, BftSetup, BftSlots, PeerSlot, VoteSlot};
use consensus::{ConfigError, Ed25519Key, RoundRobin, SignedStatement, ValidatorId};

const COUNT: usize = 7;
const STATE: usize = 1024; // bytes of the saved state

/// What the validator keeps.
pub type Validator = Bft<
    RoundRobin<[ValidatorId; COUNT]>,
    Ed25519Key,
    BftSlots<[PeerSlot; COUNT], [VoteSlot; COUNT * VoteSlot::PER_VALIDATOR]>,
>;

// On 32 bits and on 64.
const _: () = assert!(size_of::<Validator>() < 6 * 1024);

/// Creates the validator with this key.
///
/// # Errors
///
/// [`ConfigError`] if two ids are equal.
pub fn validator(keys: Ed25519Key, ids: [ValidatorId; COUNT]) -> Result<Validator, ConfigError> {
    let setup = BftSetup {
        config: BftConfig::new(Duration::from_millis(200)),
        genesis: [0xC0; 32],
        height: 1,
        validators: &ids.map(|id| (id, 1)),
        selector: RoundRobin::new(ids),
        keys,
    };
    let storage = BftSlots {
        validators: [PeerSlot::EMPTY; COUNT],
        votes: [VoteSlot::EMPTY; COUNT * VoteSlot::PER_VALIDATOR],
    };
    Bft::new(setup, storage)
}

/// Does what the validator asks for and returns the number of statements that it sends.
pub fn drive(validator: &mut Validator, now: Duration, flash: &mut [u8; STATE]) -> usize {
    while let Some(event) = validator.poll_event() {
        let _ = match event {
            BftEvent::Propose { height, .. } => {
                validator.propose(now, &[height.to_be_bytes()[7]; 32])
            }
            BftEvent::Save { token } if validator.encode_state(flash).is_ok() => {
                validator.handle_saved(now, token)
            }
            BftEvent::Check { value, .. } => {
                validator.handle_checked(now, &value, true);
                Ok(())
            }
            BftEvent::Decided { .. } => validator.next_height(now),
            _ => Ok(()),
        }; // refused only if it was not asked for
    }
    let mut datagram = [0; SignedStatement::LEN];
    let mut sent = 0;
    while let Ok(Some(_)) = validator.poll_transmit(&mut datagram) {
        sent += 1;
    }
    sent
}

#[cfg(not(target_os = "none"))]
fn main() -> Result<(), ConfigError> {
    use consensus::Keys as _;

    let keys = [1, 2, 3, 4, 5, 6, 7].map(|n| Ed25519Key::from_secret(&[n; 32]));
    let ids = [0, 1, 2, 3, 4, 5, 6].map(|n: usize| keys[n].id());
    let mut validator = validator(keys[1].clone(), ids)?;
    let sent = drive(&mut validator, Duration::ZERO, &mut [0; STATE]);
    println!("the proposer of block 1 of {COUNT} sends {sent} statements");
    println!("{} bytes", size_of::<Validator>());
    Ok(())
}

#[cfg(target_os = "none")]
mod device {
    use core::hint::black_box;
    use core::time::Duration;

    use consensus::{Ed25519Key, Keys as _, ValidatorId};

    #[panic_handler]
    fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
        loop {}
    }

    #[unsafe(no_mangle)]
    extern "C" fn _start() -> ! {
        let keys = Ed25519Key::from_secret(black_box(&[1; 32]));
        let mut ids = [2, 3, 4, 5, 6, 7, 8].map(|n| ValidatorId([n; 32]));
        ids[0] = keys.id();
        if let Ok(mut validator) = super::validator(keys, ids) {
            let mut flash = [0; super::STATE];
            black_box(super::drive(&mut validator, Duration::ZERO, &mut flash));
        }
        loop {}
    }
}
