//! One run at a time changes what is in a folder.

use core::time::Duration;
use std::fs::{File, TryLockError};
use std::path::Path;
use std::thread;

use examples::cli::{self, failed};
use examples::interrupt::{self, interrupted};
use examples::progress;

/// How long a run waits before it tries again.
const PAUSE: Duration = Duration::from_millis(20);

/// Waits until no other run has locked the file. It stays locked until the result is dropped.
pub fn lock(path: &Path) -> cli::Result<File> {
    interrupt::install();
    let file = File::open(path).map_err(failed("read", path))?;
    loop {
        match file.try_lock() {
            Ok(()) => break,
            Err(TryLockError::WouldBlock) if interrupted() => return Err(cli::INTERRUPTED.into()),
            Err(TryLockError::WouldBlock) => {
                progress::show(|| {
                    format!("waiting for another run to end with {}", path.display())
                });
                thread::sleep(PAUSE);
            }
            Err(TryLockError::Error(error)) => return Err(failed("lock", path)(error)),
        }
    }
    progress::clear();
    Ok(file)
}
