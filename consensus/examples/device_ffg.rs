//! A gateway that attests to blocks as one of four validators, and knows which ones are final. Built for a device this is a
//! program without `std`; built for a desk it prints.
#![cfg_attr(target_os = "none", no_std, no_main)]

use core::time::Duration;

use consensus::slot::{AttesterSlot, Ffg, FfgConfig, FfgEvent, FfgSetup};
use consensus::{ConfigError, Ed25519Key, RoundRobin, SignedStatement, ValidatorId};

const COUNT: usize = 4;
const STATE: usize = 210; // bytes of the saved state

/// What the validator keeps.
pub type Validator = Ffg<RoundRobin<[ValidatorId; COUNT]>, Ed25519Key, [AttesterSlot; COUNT]>;

// On 32 bits and on 64.
const _: () = assert!(size_of::<Validator>() < 5 * 1024);

/// Creates the validator with this key.
///
/// # Errors
///
/// [`ConfigError`] if two ids are equal.
pub fn validator(keys: Ed25519Key, ids: [ValidatorId; COUNT]) -> Result<Validator, ConfigError> {
    let setup = FfgSetup {
        config: FfgConfig::new(Duration::from_secs(3)),
        genesis: [0xC0; 32],
        validators: &ids.map(|id| (id, 32)),
        selector: RoundRobin::new(ids),
        keys,
    };
    Ffg::new(setup, [AttesterSlot::EMPTY; COUNT])
}

/// Handles a datagram, does what the validator asks for, and returns the number of attestations that it sends.
pub fn drive(
    validator: &mut Validator,
    now: Duration,
    received: &[u8],
    flash: &mut [u8; STATE],
) -> usize {
    let _ = validator.handle_datagram(now, received); // dropped if it is malformed or forged
    validator.handle_timeout(now);
    while let Some(event) = validator.poll_event() {
        let _ = match event {
            FfgEvent::Propose { slot } => validator.propose(now, &[slot.to_be_bytes()[7]; 32]),
            FfgEvent::Save { token } if validator.encode_state(flash).is_ok() => {
                validator.handle_saved(now, token)
            }
            FfgEvent::Proposed { block, .. } => {
                validator.handle_head(now, &block.id);
                Ok(())
            }
            _ => Ok(()), // `Finalized`: show it
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

    let keys = [1, 2, 3, 4].map(|n| Ed25519Key::from_secret(&[n; 32]));
    let ids = [0, 1, 2, 3].map(|n: usize| keys[n].id());
    let mut validator = validator(keys[1].clone(), ids)?;
    let mut sent = 0;
    while let Some(now) = validator.poll_timeout().filter(|now| now.as_secs() < 15) {
        sent += drive(&mut validator, now, &[], &mut [0; STATE]);
    }
    println!("a validator of {COUNT} sends {sent} attestations in five slots");
    println!("{} bytes", size_of::<Validator>());
    Ok(())
}

#[cfg(target_os = "none")]
mod device {
    use core::hint::black_box;

    use consensus::{Ed25519Key, Keys as _, ValidatorId};

    #[panic_handler]
    fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
        loop {}
    }

    #[unsafe(no_mangle)]
    extern "C" fn _start() -> ! {
        let keys = Ed25519Key::from_secret(black_box(&[1; 32]));
        let mut ids = [2, 3, 4, 5].map(|n| ValidatorId([n; 32]));
        ids[0] = keys.id();
        if let Ok(mut validator) = super::validator(keys, ids) {
            let mut flash = [0; super::STATE];
            while let Some(now) = validator.poll_timeout() {
                black_box(super::drive(&mut validator, now, black_box(&[]), &mut flash));
            }
        }
        loop {}
    }
}
