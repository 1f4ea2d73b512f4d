//! How each client is started.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// A client that is there.
pub enum Client {
    Torrent {
        name: String,
        path: PathBuf,
    },
    Aria2,
    /// The library in a program of a few lines.
    Libtorrent {
        name: String,
        python: PathBuf,
    },
    Rqbit {
        path: PathBuf,
    },
}

/// What a client is to give or to fetch, and where it listens.
pub struct Job<'a> {
    pub metainfo: &'a Path,
    pub folder: &'a Path,
    pub port: u16,
}

/// Arguments: `seed` or `leech`, metainfo file, folder, port.
const LIBTORRENT: &str = "
import libtorrent as lt, sys, time
role, metainfo, folder, port = sys.argv[1:]
session = lt.session({
    'listen_interfaces': f'127.0.0.1:{port}', 'enable_dht': False, 'enable_lsd': False, 'enable_upnp': False,
    'enable_natpmp': False, 'enable_outgoing_utp': False, 'enable_incoming_utp': False, 'alert_mask': 0,
    'allow_multiple_connections_per_ip': True, 'out_enc_policy': 2, 'in_enc_policy': 2,
})
params = lt.add_torrent_params()
params.ti = lt.torrent_info(metainfo)
params.save_path = folder
if role == 'seed':
    params.flags |= lt.torrent_flags.seed_mode
handle = session.add_torrent(params)
while role == 'seed' or not handle.status().is_seeding:
    time.sleep(0.05)
session.pause()
";

/// Returns the clients beside our own, and why others are missing.
pub fn others(root: &Path) -> (Vec<Client>, Vec<String>) {
    let mut found = vec![];
    let mut missing = vec![];
    let builds = std::env::var("TORRENT_BUILDS").unwrap_or_default();
    for path in builds.split(':').filter(|path| !path.is_empty()) {
        found.push(Client::Torrent { name: path.to_owned(), path: path.into() });
    }
    match version("aria2c", &["--version"]) {
        Some(_) => found.push(Client::Aria2),
        None => missing.push("aria2c is not installed (`apt-get install aria2`)".into()),
    }
    let own = root.join("target/interop-venv/bin/python");
    let pythons = [own, "python3".into(), "/usr/bin/python3".into()];
    let script = "import libtorrent; print(libtorrent.__version__)";
    let python = pythons.into_iter().find_map(|python| {
        let version = version(&python.to_string_lossy(), &["-c", script])?;
        Some(Client::Libtorrent { name: format!("libtorrent {version}"), python })
    });
    match python {
        Some(client) => found.push(client),
        None => missing.push("no Python has libtorrent (`pip install libtorrent`)".into()),
    }
    let own = root.join("target/interop-rqbit/bin/rqbit");
    let rqbits =
        [std::env::var_os("INTEROP_RQBIT").map(PathBuf::from), Some(own), Some("rqbit".into())];
    let there = |path: &PathBuf| version(&path.to_string_lossy(), &["--version"]).is_some();
    match rqbits.into_iter().flatten().find(there) {
        Some(path) => found.push(Client::Rqbit { path }),
        None => missing.push("rqbit is not installed (`.ci/nightly.d/rqbit.sh` does that)".into()),
    }
    (found, missing)
}

/// Returns the first line that a program prints, if it is there and succeeds.
fn version(program: &str, args: &[&str]) -> Option<String> {
    let output = Command::new(program).args(args).stderr(Stdio::null()).output().ok()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    output.status.success().then(|| text.lines().next().unwrap_or_default().to_owned())
}

impl Client {
    pub fn name(&self) -> &str {
        match self {
            Self::Torrent { name, .. } | Self::Libtorrent { name, .. } => name,
            Self::Aria2 => "aria2",
            Self::Rqbit { .. } => "rqbit",
        }
    }

    /// Returns the command that gives the content without end.
    pub fn seed(&self, job: &Job<'_>) -> Command {
        match self {
            Self::Torrent { path, .. } => {
                let mut command = torrent(path, "seed", job);
                command.arg(job.folder.join("content"));
                command
            }
            Self::Aria2 => aria2(&["--seed-ratio=0.0", "--bt-seed-unverified=true"], job),
            Self::Libtorrent { python, .. } => libtorrent(python, "seed", job),
            Self::Rqbit { path } => rqbit(path, &[], job),
        }
    }

    /// Returns the command that fetches the content and ends.
    pub fn leech(&self, job: &Job<'_>) -> Command {
        match self {
            Self::Torrent { path, .. } => {
                let mut command = torrent(path, "get", job);
                command.arg("--into").arg(job.folder);
                command
            }
            Self::Aria2 => aria2(&["--seed-time=0"], job),
            Self::Libtorrent { python, .. } => libtorrent(python, "leech", job),
            Self::Rqbit { path } => rqbit(path, &["--exit-on-finish"], job),
        }
    }
}

fn torrent(path: &Path, subcommand: &str, job: &Job<'_>) -> Command {
    let mut command = Command::new(path);
    command.args([subcommand, "--listen", &format!("127.0.0.1:{}", job.port)]).arg(job.metainfo);
    command
}

fn aria2(more: &[&str], job: &Job<'_>) -> Command {
    let mut command = Command::new("aria2c");
    command.args(["--no-conf", "--quiet", "--file-allocation=none", "--enable-dht=false"]);
    command.args(["--enable-dht6=false", "--bt-enable-lpd=false", "--enable-peer-exchange=false"]);
    command.arg(format!("--listen-port={}", job.port)).args(more);
    command.arg("-d").arg(job.folder).arg(job.metainfo);
    command
}

fn libtorrent(python: &Path, role: &str, job: &Job<'_>) -> Command {
    let mut command = Command::new(python);
    command.args(["-c", LIBTORRENT, role]).arg(job.metainfo).arg(job.folder);
    command.arg(job.port.to_string());
    command
}

fn rqbit(path: &Path, more: &[&str], job: &Job<'_>) -> Command {
    let port = job.port.to_string();
    let mut command = Command::new(path);
    command.args(["--disable-dht", "--disable-lsd", "--disable-upnp-port-forward", "--ipv4-only"]);
    command.args(["--listen-ip", "127.0.0.1", "--listen-port", &port, "--announce-port", &port]);
    command.args(["download", "--disable-http-api", "--overwrite", "--output-folder"]);
    command.arg(job.folder).args(more).arg(job.metainfo);
    command
}
