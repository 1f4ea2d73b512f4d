//! Ctrl-C as a flag, so that the tour can say where it was.

use core::sync::atomic::{AtomicBool, Ordering};

static INTERRUPTED: AtomicBool = AtomicBool::new(false);

/// Returns whether Ctrl-C was pressed.
pub fn interrupted() -> bool {
    INTERRUPTED.load(Ordering::Relaxed)
}

/// Notes the first Ctrl-C; a second one ends the program as usual.
#[cfg(unix)]
pub fn install() {
    const SIGINT: i32 = 2;
    const DEFAULT: usize = 0;
    unsafe extern "C" {
        fn signal(number: i32, handler: usize) -> usize;
    }
    extern "C" fn note(_: i32) {
        INTERRUPTED.store(true, Ordering::Relaxed);
        // SAFETY: `signal` of POSIX with a number and the default action; it may be called in a handler.
        unsafe { signal(SIGINT, DEFAULT) };
    }
    // SAFETY: `signal` of POSIX; the handler stores to an atomic and calls `signal`, both allowed there.
    unsafe { signal(SIGINT, note as extern "C" fn(i32) as usize) };
}

/// Elsewhere Ctrl-C ends the program at once.
#[cfg(not(unix))]
pub fn install() {}
