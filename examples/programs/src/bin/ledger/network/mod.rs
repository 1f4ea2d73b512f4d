//! A chain among a few machines: `chain.toml` says what makes it and where its nodes listen.

pub mod client;
pub mod daemon;
mod db;
pub mod follow;
mod join;
pub mod node;
pub mod rule;
mod seal;
pub mod status;
mod trace;

use core::fmt::Write as _;
use core::net::SocketAddr;
use std::fs;
use std::path::Path;

use consensus::{
    Authorities, AuthoritySeal, AuthoritySlot, StakeSeal, ValidatorId, ValidatorSet, ValidatorVec,
};
use examples::cli::{self, failed, sentence};
use ledger_core::ledger::Standard;
use ledger_core::node::NodeConfig;
use ledger_core::{Account, Chain, ChainSpec, ChainVec, Rules};
use pow::{CompactTarget, Target, WorkSeal};
use rule::Rule;
use toml::{Table, Value};

use crate::hex;
use crate::store::FolderChain;

/// The file in the folder of a network.
pub const FILE: &str = "chain.toml";
/// Blocks that a node can take back.
const DEPTH: u32 = 16;
const MAX_NODES: usize = 32;

/// What makes a chain, and where its nodes listen.
#[derive(Debug, Clone)]
pub struct Network {
    pub name: String,
    pub time: u64,
    pub seal: Seal,
    pub owners: Vec<(Account, u64)>,
    pub nodes: Vec<SocketAddr>,
}

/// Who may make blocks.
#[derive(Debug, Clone)]
pub enum Seal {
    /// Everybody who finds a nonce with this many zero bits.
    Work { bits: u32 },
    /// These keys, with this many seconds between two blocks.
    Authority { period: u64, keys: Vec<ValidatorId> },
    /// The validator that is drawn by its stake. After this many seconds without its block another one is drawn.
    Stake { patience: u64, validators: Vec<(ValidatorId, u64)> },
}

impl Network {
    /// Returns whether a folder belongs to a network.
    pub fn is_in(folder: &Path) -> bool {
        folder.join(FILE).exists()
    }

    pub fn read(folder: &Path) -> cli::Result<Self> {
        let path = folder.join(FILE);
        let text = fs::read_to_string(&path).map_err(failed("read", &path))?;
        Self::parse(&text).map_err(|error| format!("{}: {error}", path.display()))
    }

    fn parse(text: &str) -> cli::Result<Self> {
        let table: Table =
            text.parse().map_err(|error: toml::de::Error| error.message().to_owned())?;
        let seal = match string(&table, "seal")? {
            "work" => Seal::Work { bits: number(&table, "bits")?.min(40) as u32 },
            "authority" => {
                let keys =
                    list(&table, "authorities")?.iter().map(|key| hash(key).map(ValidatorId));
                Seal::Authority {
                    period: number(&table, "period")?,
                    keys: keys.collect::<Result<_, _>>()?,
                }
            }
            "stake" => {
                let validator = |validator: &Value| {
                    let validator = validator.as_table().ok_or("a validator is a table")?;
                    let key = validator.get("key").ok_or("a validator has no key")?;
                    Ok::<_, String>((ValidatorId(hash(key)?), number(validator, "stake")?))
                };
                let validators = list(&table, "validator")?.iter().map(validator);
                Seal::Stake {
                    patience: number(&table, "patience")?,
                    validators: validators.collect::<Result<_, _>>()?,
                }
            }
            other => return Err(format!("seal is 'work', 'authority' or 'stake', not '{other}'")),
        };
        let owner = |owner: &Value| {
            let owner = owner.as_table().ok_or("an owner is a table")?;
            let account = owner.get("account").ok_or("an owner has no account")?;
            Ok::<_, String>((Account::from_bytes(hash(account)?), number(owner, "coins")?))
        };
        let address = |address: &Value| {
            let address = address.as_str().and_then(|text| text.parse().ok());
            address.ok_or_else(|| "nodes are addresses such as 127.0.0.1:4200".to_owned())
        };
        let owners = list(&table, "owner")?.iter().map(owner).collect::<Result<_, _>>()?;
        let nodes: Vec<_> = list(&table, "nodes")?.iter().map(address).collect::<Result<_, _>>()?;
        if nodes.len() > MAX_NODES {
            return Err(format!("at most {MAX_NODES} nodes are possible"));
        }
        let name = string(&table, "name")?.to_owned();
        Ok(Self { name, time: number(&table, "time")?, seal, owners, nodes })
    }

    pub fn to_text(&self) -> String {
        let mut text = format!(
            "# What makes the chain: all nodes need the same. Only 'nodes' may differ.\nname = {:?}\ntime = {}\n",
            self.name, self.time
        );
        let _ = match &self.seal {
            Seal::Work { bits } => writeln!(text, "seal = \"work\"\nbits = {bits}"),
            Seal::Authority { period, keys } => {
                let keys: Vec<String> = keys.iter().map(|key| hex::encode(&key.0)).collect();
                writeln!(text, "seal = \"authority\"\nperiod = {period}\nauthorities = {keys:?}")
            }
            Seal::Stake { patience, .. } => {
                writeln!(text, "seal = \"stake\"\npatience = {patience}")
            }
        };
        let nodes: Vec<String> = self.nodes.iter().map(ToString::to_string).collect();
        let _ = writeln!(text, "nodes = {nodes:?}");
        if let Seal::Stake { validators, .. } = &self.seal {
            for (key, stake) in validators {
                let key = hex::encode(&key.0);
                let _ = write!(text, "\n[[validator]]\nkey = \"{key}\"\nstake = {stake}\n");
            }
        }
        for (account, coins) in &self.owners {
            let _ = write!(text, "\n[[owner]]\naccount = \"{account}\"\ncoins = {coins}\n");
        }
        text
    }

    pub fn rules() -> Rules {
        let mut rules = Rules::DEFAULT;
        rules.max_writes = 256;
        rules.max_block_len = 1 << 17;
        rules
    }

    pub fn spec(&self) -> ChainSpec<'_> {
        ChainSpec {
            name: &self.name,
            rules: Self::rules(),
            time: self.time,
            allocation: &self.owners,
        }
    }

    pub fn config(seed: u64) -> NodeConfig {
        NodeConfig::new(DEPTH, seed)
    }

    pub fn target(bits: u32) -> CompactTarget {
        Target::from_zero_bits(bits).to_compact()
    }

    pub fn engine(&self) -> cli::Result<Rule> {
        match &self.seal {
            Seal::Work { bits } => {
                WorkSeal::new(Self::target(*bits)).map(Rule::Work).map_err(sentence)
            }
            Seal::Authority { period, keys } => {
                let mut authorities = Authorities::new(vec![AuthoritySlot::EMPTY; keys.len()]);
                for key in keys {
                    authorities.insert(*key).map_err(sentence)?;
                }
                Ok(Rule::Authority(AuthoritySeal::new((*period).max(1), authorities)))
            }
            Seal::Stake { patience, validators } => {
                let mut set = ValidatorSet::new(ValidatorVec::new(validators.len()));
                for (key, stake) in validators {
                    set.set_stake(*key, *stake).map_err(sentence)?;
                }
                Ok(Rule::Stake(StakeSeal::new((*patience).max(1), set)))
            }
        }
    }

    /// Returns the chain without its blocks.
    pub fn chain(&self) -> cli::Result<FolderChain> {
        let storage = ChainVec::new(&Self::rules());
        Chain::new(&self.spec(), self.engine()?, Standard, storage).map_err(sentence)
    }
}

fn string<'t>(table: &'t Table, name: &str) -> cli::Result<&'t str> {
    table.get(name).and_then(Value::as_str).ok_or_else(|| format!("'{name}' is to be a text"))
}

fn number(table: &Table, name: &str) -> cli::Result<u64> {
    let number = table.get(name).and_then(Value::as_integer).and_then(|n| u64::try_from(n).ok());
    number.ok_or_else(|| format!("'{name}' is to be a number"))
}

fn list<'t>(table: &'t Table, name: &str) -> cli::Result<&'t [Value]> {
    let list = table.get(name).and_then(Value::as_array).map(Vec::as_slice);
    list.ok_or_else(|| format!("'{name}' is to be a list"))
}

fn hash(value: &Value) -> cli::Result<[u8; 32]> {
    hex::decode32(value.as_str().ok_or("64 digits are expected")?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_is_read_as_it_was_written() {
        let authority = Seal::Authority { period: 2, keys: vec![ValidatorId([7; 32])] };
        let validators = vec![(ValidatorId([7; 32]), 30), (ValidatorId([8; 32]), 70)];
        let stake = Seal::Stake { patience: 3, validators };
        for seal in [authority, Seal::Work { bits: 12 }, stake] {
            let network = Network {
                name: "a \"harbour\"".into(),
                time: 1_700_000_000,
                seal,
                owners: vec![(Account::from_bytes([1; 32]), 5), (Account::from_bytes([2; 32]), 6)],
                nodes: vec![SocketAddr::from(([127, 0, 0, 1], 4200))],
            };
            let read = Network::parse(&network.to_text()).expect("it was written");
            assert_eq!(format!("{read:?}"), format!("{network:?}"));
        }
        for wrong in ["", "name = 1", "seal = \"luck\"", "= 3"] {
            assert!(Network::parse(wrong).is_err(), "{wrong}");
        }
    }
}
