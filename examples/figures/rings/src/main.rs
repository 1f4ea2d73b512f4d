//! Times `FingerTable::closest_predecessor` of rings-core.
//!
//! `rings FILE`: the file has a line for each node (`node ID`), behind it one for each of its fingers (`finger INDEX ID`), and
//! then the keys (`key ID`). Each line of standard input is a number of keys. As many are looked up, key `n` by
//! node `n % nodes`, and the nanoseconds for each are printed. The next line continues with the keys behind them.

#[path = "../../src/cpu.rs"]
mod cpu;

use std::error::Error;
use std::hint::black_box;
use std::io::{Write as _, stdin, stdout};

use rings_core::dht::{Did, FingerTable};

fn main() -> Result<(), Box<dyn Error>> {
    let path = std::env::args().nth(1).ok_or("usage: rings FILE")?;
    let mut nodes: Vec<FingerTable> = vec![];
    let mut keys: Vec<Did> = vec![];
    for line in std::fs::read_to_string(path)?.lines() {
        match *line.split(' ').collect::<Vec<_>>() {
            ["node", id] => nodes.push(FingerTable::new(id.parse()?, 160)),
            ["finger", index, id] => {
                let node = nodes.last_mut().ok_or("a finger of no node")?;
                node.set(index.parse()?, id.parse()?);
            }
            ["key", id] => keys.push(id.parse()?),
            _ => return Err(format!("what is `{line}`?").into()),
        }
    }
    let mut rest = &keys[..];
    for line in stdin().lines() {
        let (now, later) = rest.split_at_checked(line?.trim().parse()?).ok_or("too few keys")?;
        rest = later;
        let start = cpu::seconds();
        for (n, key) in now.iter().enumerate() {
            black_box(nodes[n % nodes.len()].closest_predecessor(*key));
        }
        println!("{}", (cpu::seconds() - start) * 1e9 / now.len() as f64);
        stdout().flush()?;
    }
    Ok(())
}
