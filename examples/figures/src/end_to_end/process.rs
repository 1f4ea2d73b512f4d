//! A program that runs, and what it uses.

use std::fs::{self, File};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// How often memory is looked at.
const SAMPLE: Duration = Duration::from_millis(10);
/// Times of the system are in this unit, whatever the machine (`man 5 proc`).
const TICKS_PER_SECOND: f64 = 100.0;

/// A program, which is ended when this is dropped.
pub struct Process {
    child: Child,
    name: String,
    resident: f64,
}

/// What a program used until it ended by itself.
pub struct Ended {
    pub cpu: f64,
    pub wall: f64,
    pub resident: f64,
}

impl Process {
    /// Starts a program in `folder`, where its output is kept in a file.
    ///
    /// # Errors
    ///
    /// A sentence that names the program.
    pub fn start(mut command: Command, name: &str, folder: &Path) -> Result<Self, String> {
        let named = |error| format!("{name} does not start: {error}");
        let log = File::create(folder.join("output")).map_err(named)?;
        let errors = log.try_clone().map_err(named)?;
        command.current_dir(folder).stdin(Stdio::null()).stdout(log).stderr(errors);
        let child = command.spawn().map_err(named)?;
        Ok(Self { child, name: name.to_owned(), resident: 0.0 })
    }

    /// Returns the seconds of all threads on a processor so far.
    pub fn cpu(&self) -> f64 {
        stat(self.child.id().to_string(), 11).unwrap_or_default()
    }

    /// Looks at the memory.
    pub fn sample(&mut self) {
        let path = format!("/proc/{}/status", self.child.id());
        let text = fs::read_to_string(path).unwrap_or_default();
        // What is mapped of files is the system's, which gives it to others when it is needed.
        let line = text.lines().find_map(|line| line.strip_prefix("RssAnon:"));
        let kib = line.and_then(|line| line.split_whitespace().next()?.parse::<f64>().ok());
        self.resident = self.resident.max(kib.unwrap_or_default() / 1024.0);
    }

    /// Returns the most memory of its own that was seen, in MiB.
    pub fn resident(&self) -> f64 {
        self.resident
    }

    /// Waits until the program used no processor for a while.
    ///
    /// # Errors
    ///
    /// A sentence if it ends, or takes too long.
    pub fn wait_until_quiet(&mut self, quiet: Duration, patience: Duration) -> Result<(), String> {
        let start = Instant::now();
        let mut since = start;
        let mut before = self.cpu();
        while since.elapsed() < quiet {
            sleep(SAMPLE);
            self.check(start, patience)?;
            let cpu = self.cpu();
            if cpu > before {
                before = cpu;
                since = Instant::now();
            }
        }
        Ok(())
    }

    /// Waits until the program has ended, and calls `meanwhile` now and then.
    ///
    /// # Errors
    ///
    /// A sentence if it fails or takes too long.
    pub fn wait_until_ended(
        mut self,
        start: Instant,
        patience: Duration,
        mut meanwhile: impl FnMut(),
    ) -> Result<Ended, String> {
        let before = stat("self".into(), 13).unwrap_or_default();
        loop {
            self.sample();
            meanwhile();
            if let Some(status) = self.child.try_wait().map_err(|error| error.to_string())? {
                if !status.success() {
                    return Err(format!("{} failed: {status}", self.name));
                }
                let cpu = stat("self".into(), 13).unwrap_or_default() - before;
                let wall = start.elapsed().as_secs_f64();
                return Ok(Ended { cpu, wall, resident: self.resident });
            }
            if start.elapsed() > patience {
                return Err(format!("{} takes longer than {patience:?}", self.name));
            }
            sleep(SAMPLE);
        }
    }

    fn check(&mut self, start: Instant, patience: Duration) -> Result<(), String> {
        match self.child.try_wait() {
            Ok(None) if start.elapsed() <= patience => Ok(()),
            Ok(None) => Err(format!("{} is busy for longer than {patience:?}", self.name)),
            Ok(Some(status)) => Err(format!("{} ended: {status}", self.name)),
            Err(error) => Err(format!("{}: {error}", self.name)),
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill(); // it may have ended
        let _ = self.child.wait();
    }
}

/// Returns the sum of two fields in a row of `/proc/PROCESS/stat`, in seconds; the first is counted from 0 behind the name.
fn stat(process: String, field: usize) -> Option<f64> {
    let text = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    let (_, fields) = text.rsplit_once(") ")?;
    let two = fields.split(' ').skip(field).take(2);
    let ticks: Option<f64> = two.map(|ticks| ticks.parse::<f64>().ok()).sum();
    Some(ticks? / TICKS_PER_SECOND)
}
