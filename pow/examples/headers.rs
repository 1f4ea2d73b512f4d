//! Mines a private chain of headers whose difficulty follows the hash rate, and prints it.

use pow::difficulty::{HeaderInfo, Lwma};
use pow::{CompactTarget, Header, HeaderChain, LittleEndian, Miner, Puzzle, Step};

fn main() -> Result<(), Box<dyn core::error::Error>> {
    let rule = Lwma { window: 5, spacing: 60, limit: CompactTarget(0x1f7f_ffff) };
    let genesis = Header { bits: rule.limit, ..Header::default() };
    let mut chain = HeaderChain::new(rule, &genesis, [HeaderInfo::EMPTY; 6])?;
    let mut header = genesis;
    for time in (20..=400).step_by(20) {
        // Three headers a minute, where one is intended: the target falls.
        header = Header { previous: chain.tip(), time, bits: chain.required(time)?, ..header };
        let target = header.bits.to_target()?;
        let mut miner =
            Miner::<LittleEndian>::new(Puzzle::of_header(&header), target, 0..=u64::MAX);
        header.nonce = loop {
            match miner.step(10_000) {
                Step::Found(nonce) => break u32::try_from(nonce)?,
                Step::Working => {}
                Step::Exhausted => return Err("2^32 nonces were tried".into()),
            }
        };
        chain.append(time.into(), &header)?;
        let height = chain.tip_info().height;
        println!(
            "{height:>3}  {:.16}  {} hashes",
            chain.tip(),
            target.work().hashes().saturating_u128()
        );
    }
    Ok(())
}
