//! A private key in a file.

use std::fs::{self, OpenOptions};
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};

use examples::cli::{self, Exit, failed};
use ledger_core::KeyPair;

use crate::hex;

const HEAD: &str = "\
# PRIVATE KEY of an account of ledger-core. Anyone who can read this file owns what the account owns.
# Keep a copy in a safe place: a lost key cannot be recovered. Never send it, never put it into a repository.
# It is not encrypted. This software was not audited: do not guard money with it.
";

/// Make a key, or show the account of one
///
/// A new file is readable by its owner only, and no file is ever overwritten.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: ledger wallet ann.key")]
pub struct Args {
    /// The file with the private key
    file: PathBuf,
}

pub fn run(args: &Args) -> cli::Result {
    if args.file.exists() {
        println!("account {}", load(&args.file)?.account());
        return Ok(Exit::Success);
    }
    let secret = random_secret()?;
    let account = KeyPair::from_secret(&secret).account();
    let text = format!("{HEAD}account {account}\nsecret {}\n", hex::encode(&secret));
    save_secret(&args.file, &text)?;
    println!("account {account}");
    eprintln!(
        "warning: {} holds a private key that is not encrypted. Anyone who can read it owns the account; if it is \
         lost, so is what the account owns.",
        args.file.display()
    );
    Ok(Exit::Success)
}

/// Reads a key.
pub fn load(path: &Path) -> cli::Result<KeyPair> {
    let text = fs::read_to_string(path).map_err(failed("read", path))?;
    let secret = text.lines().find_map(|line| line.strip_prefix("secret "));
    let secret = secret.ok_or_else(|| format!("{} has no line 'secret'", path.display()))?;
    Ok(KeyPair::from_secret(&hex::decode32(secret.trim())?))
}

/// Returns the key of a file, which is made if it does not exist.
pub fn load_or_create(path: &Path) -> cli::Result<KeyPair> {
    if !path.exists() {
        let secret = random_secret()?;
        let account = KeyPair::from_secret(&secret).account();
        save_secret(path, &format!("{HEAD}account {account}\nsecret {}\n", hex::encode(&secret)))?;
    }
    load(path)
}

/// Returns 32 bytes of the system's random number generator.
pub fn random_secret() -> cli::Result<[u8; 32]> {
    let path = Path::new("/dev/urandom");
    let mut secret = [0; 32];
    let mut file = fs::File::open(path).map_err(failed("read", path))?;
    file.read_exact(&mut secret).map_err(failed("read", path))?;
    Ok(secret)
}

/// Creates a file that only its owner can read.
pub fn save_secret(path: &Path, text: &str) -> cli::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        options.mode(0o600);
    }
    let mut file = options.open(path).map_err(failed("create", path))?;
    file.write_all(text.as_bytes()).map_err(failed("write", path))?;
    file.sync_all().map_err(failed("write", path))
}
