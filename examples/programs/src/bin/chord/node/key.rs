//! The file of the shared key.

use std::fs;
use std::path::Path;

use chord_core::SharedKey;
use examples::cli::{self, failed};

/// A shorter key can be guessed.
const SHORTEST: usize = 16;

/// Reads the key: all bytes of the file, without line breaks at its end.
///
/// # Errors
///
/// A sentence that names the file.
pub fn read(path: &Path) -> cli::Result<SharedKey> {
    let bytes = fs::read(path).map_err(failed("read", path))?;
    let key = bytes.trim_ascii_end();
    if key.len() < SHORTEST {
        return Err(format!(
            "the key in {} has {} bytes, less than {SHORTEST}",
            path.display(),
            key.len()
        ));
    }
    Ok(SharedKey::new(key))
}
