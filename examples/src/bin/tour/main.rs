//! One song, from search to settlement: the six crates carry a file over real sockets, or over a simulated
//! network. See `tour --help`.

mod args;
mod audit;
mod ctx;
mod http;
mod net;
mod overlay;
mod pcap;
mod report;
mod ring;
mod rules;
mod settle;
mod sim_net;
mod socket_net;
mod song;
mod storage;
mod swarm;
mod table;
mod trace;

use core::time::Duration;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{SystemTime, UNIX_EPOCH};

use bittorrent_pieces::Metainfo;
use bittorrent_pieces::bencode::Mode;
use examples::cli::{self, Exit};

use args::Args;
use audit::{TAMPERED, all_equal, audit, clean_up, names};
use ctx::{Ctx, Failure};
use net::Net;
use overlay::Overlay;
use report::Report;
use ring::Ring;
use rules::{ALLOWANCE, Constitution, Keys, LAST_HEIGHT};
use settle::Settlement;
use sim_net::SimNet;
use socket_net::SocketNet;
use song::{Cast, Song};
use swarm::Swarm;
use table::Table;

const PATIENCE: Duration = Duration::from_secs(120);
/// Sharing a large file over slow virtual uplinks takes long, also in virtual time.
const SHARE_PATIENCE: Duration = Duration::from_secs(24 * 3600);

fn main() -> ExitCode {
    cli::run(|args: &Args| args.common, run)
}

fn run(args: Args) -> cli::Result {
    examples::interrupt::install();
    let path = choose_file(&args)?;
    match tour(args, &path) {
        Ok(holds) => Ok(Exit::success_if(holds)),
        Err(failure @ Failure::Interrupted { .. }) => {
            eprintln!("{failure}");
            Ok(Exit::Stopped)
        }
        Err(failure) => Err(failure.to_string()),
    }
}

/// Returns the file to share, which must exist and not be empty.
fn choose_file(args: &Args) -> Result<PathBuf, String> {
    let path = match &args.file {
        Some(path) => path.clone(),
        None => std::env::current_exe()
            .map_err(|error| format!("cannot find the own executable: {error}"))?,
    };
    let name = path.display();
    let metadata = fs::metadata(&path)
        .map_err(|error| format!("cannot read {name}: {error}; name a file that exists"))?;
    if !metadata.is_file() {
        return Err(format!("{name} is not a file; name a single file to share"));
    }
    if metadata.len() == 0 {
        return Err(format!(
            "{name} is empty: there is nothing to share; name a file of at least one byte"
        ));
    }
    Ok(path)
}

fn open_net(args: &Args) -> io::Result<Box<dyn Net>> {
    Ok(if args.sim {
        Box::new(SimNet::new(args.seed, args.nodes, args.loss_percent))
    } else {
        Box::new(SocketNet::new(args.seed, args.nodes, args.loss_percent)?)
    })
}

/// Goes through all stages; returns whether every check holds.
fn tour(args: Args, path: &Path) -> Result<bool, Failure> {
    let named = cli::failed("create the folder", &args.out);
    fs::create_dir_all(&args.out).map_err(|error| io::Error::other(named(error)))?;
    let cast = Cast { nodes: args.nodes };
    let net = open_net(&args)?;
    let ctx = &mut Ctx::new(args, net)?;
    let song = Song::read(path)?;
    let how = if ctx.args.sim { "the simulated network" } else { "sockets on 127.0.0.1" };
    ctx.heading(&format!("{} ({} bytes), {} nodes over {how}", song.name, song.size, cast.nodes));
    let mut table = Table::new();
    let mut report = Report::new(&song, cast, how);

    let fetched = {
        let mut overlay = Overlay::new(ctx, &song, cast);
        boot(ctx, &mut overlay, &mut table)?;
        lookup(ctx, &mut overlay, &song, cast, &mut table)?;
        report.overlay(&overlay);
        overlay.leave(ctx);
        overlay.fetched().unwrap_or(&song.metainfo).to_vec()
    };
    let mut ring = Ring::new(ctx, &song, cast);
    form_ring(ctx, &mut ring, cast, &mut table)?;
    report.ring(&ring);

    let metainfo = Metainfo::decode(&fetched, Mode::Strict).map_err(io::Error::other)?;
    let mut swarm = Swarm::new(ctx, &song, &metainfo, cast)?;
    share(ctx, &mut swarm, cast, &mut table)?;
    report.swarm(&swarm, metainfo.geometry().pieces());

    let time = if ctx.args.sim { 1_800_000_000 } else { unix_now() };
    let keys: Vec<Keys> = cast.all().map(|_| Keys::new(&mut ctx.rng)).collect();
    let constitution = Constitution::new(time, &keys, cast);
    let deliveries = core::mem::take(&mut swarm.deliveries);
    let mut settlement = Settlement::new(ctx, &keys, &constitution, cast, &deliveries)?;
    settle(ctx, &mut settlement, &mut table)?;
    report.settlement(&settlement);

    let fault = look_back(ctx, &settlement, &constitution, cast, &song, &mut table)?;
    report.audit(fault);
    clean_up(ctx, cast);
    ctx.finish()?;
    report.write(&ctx.out().join("report.html"), &table)?;
    print!("{table}");
    ctx.heading(&format!("see {}", ctx.out().join("report.html").display()));
    Ok(table.all_ok())
}

fn boot(ctx: &mut Ctx, overlay: &mut Overlay<'_>, table: &mut Table) -> Result<(), Failure> {
    ctx.heading("1. BOOT: Gnutella 0.6 handshakes");
    let mut row = table.begin(ctx, "BOOT");
    overlay.dial(ctx);
    ctx.drive(overlay, PATIENCE)?;
    let open = overlay.open_links();
    let wanted = overlay.edges.len();
    row.check(ctx, open == wanted, format!("{open} of {wanted} handshakes done"));
    let least = overlay.least_known();
    row.check(ctx, least > 0, format!("by pongs every node knows at least {least} other hosts"));
    table.end(ctx, row);
    Ok(())
}

fn lookup(
    ctx: &mut Ctx,
    overlay: &mut Overlay<'_>,
    song: &Song,
    cast: Cast,
    table: &mut Table,
) -> Result<(), Failure> {
    ctx.heading("2. LOOKUP: one floods the query, the hits come back along the reverse path");
    let mut row = table.begin(ctx, "LOOKUP");
    let duplicates_before = overlay.duplicates();
    overlay.search(ctx)?;
    ctx.drive(overlay, PATIENCE)?;
    let duplicates = overlay.duplicates() - duplicates_before;
    let reached = overlay.nodes_reached();
    row.check(ctx, reached + 1 >= usize::from(cast.nodes), format!("the query reached {reached} nodes in {} copies, {duplicates} of them duplicates that were dropped", overlay.flood.len()));
    let holders: Vec<_> =
        overlay.hits.iter().map(|(node, hops)| format!("{node} over {hops} links")).collect();
    row.check(
        ctx,
        overlay.hits.len() == cast.seeds().count(),
        format!("hits: {}", holders.join(", ")),
    );
    overlay.fetch(ctx);
    if !overlay.hits.is_empty() {
        ctx.drive(overlay, PATIENCE)?;
    }
    let equal = overlay.fetched() == Some(&song.metainfo);
    row.check(
        ctx,
        equal,
        format!(
            "metainfo of {} bytes fetched over HTTP, info-hash {}",
            song.metainfo.len(),
            song.info_hash
        ),
    );
    table.end(ctx, row);
    Ok(())
}

fn form_ring(
    ctx: &mut Ctx,
    ring: &mut Ring<'_>,
    cast: Cast,
    table: &mut Table,
) -> Result<(), Failure> {
    ctx.heading("3. RING: Chord over UDP, the file's hash leads to its holders");
    let mut row = table.begin(ctx, "RING");
    let start = ctx.now();
    ring.start(ctx)?;
    ctx.drive(ring, PATIENCE)?;
    let ideal = ring.ideal_at().map(|at| at.saturating_sub(start).as_millis());
    row.check(
        ctx,
        ideal.is_some(),
        format!(
            "{} nodes joined through one, the ring was ideal after {} ms",
            cast.nodes,
            ideal.unwrap_or(0)
        ),
    );
    let path = names(ring.path.iter().copied());
    let owner = ring.owner.map_or_else(|| "nobody".into(), |owner| owner.to_string());
    row.check(
        ctx,
        ring.owner_is_right(),
        format!("key {:.16} asked along {path}; its owner is {owner}", ring.key().to_string()),
    );
    let fetched = ring.fetched();
    row.check(
        ctx,
        fetched == cast.leeches().count(),
        format!("{fetched} leeches found the holders there and fetched the metainfo"),
    );
    table.end(ctx, row);
    Ok(())
}

fn share(ctx: &mut Ctx, swarm: &mut Swarm, cast: Cast, table: &mut Table) -> Result<(), Failure> {
    ctx.heading("4. SHARE: BitTorrent, rarest first, with a saboteur and a sudden death");
    let mut row = table.begin(ctx, "SHARE");
    swarm.start(ctx);
    ctx.drive(swarm, SHARE_PATIENCE)?;
    let rate = swarm.rate(ctx.now());
    row.check(
        ctx,
        swarm.all_complete(),
        format!("{} leeches complete, {rate:.1} MiB/s together", cast.leeches().count()),
    );
    row.check(ctx, swarm.was_killed(), format!("{} was killed half-way", cast.victim()));
    let saboteur = cast.saboteur();
    let caught = swarm.banned.iter().any(|(by, _)| *by == cast.searcher());
    let only = swarm.banned.iter().all(|(_, peer)| *peer == saboteur);
    let by: Vec<_> = swarm.banned.iter().map(|(by, _)| by.0.to_string()).collect();
    row.check(
        ctx,
        caught && only,
        format!(
            "{} corrupt pieces caught; {saboteur} was dropped by {}, nobody else was",
            swarm.failed_pieces,
            by.join(", ")
        ),
    );
    let wasted = swarm.wasted();
    row.check(ctx, true, format!("{wasted} bytes came twice"));
    for line in report::who_gave_what(&swarm.deliveries, cast) {
        ctx.tell(line);
    }
    swarm.leave(ctx);
    table.end(ctx, row);
    Ok(())
}

fn settle(
    ctx: &mut Ctx,
    settlement: &mut Settlement<'_>,
    table: &mut Table,
) -> Result<(), Failure> {
    ctx.heading("5. LEDGER: receipts in blocks by work, by stake, by authority");
    let mut row = table.begin(ctx, "LEDGER");
    settlement.start(ctx);
    ctx.drive(settlement, PATIENCE)?;
    let receipts = settlement.receipts;
    let hashes = settlement.hashes;
    row.check(ctx, settlement.tips_agree(), format!("{receipts} signed receipts in {LAST_HEIGHT} blocks, the same on all nodes; {hashes} hashes for the mined ones"));
    let guilty = settlement.evidence.map(|evidence| evidence.offender());
    let signer = settlement.double_signer;
    let named = guilty
        .and_then(|id| settlement.node_of(&ledger_core::PublicKey::from_bytes(id.0).account()));
    let forfeit = settlement.living().all(|(_, node)| {
        guilty.is_some_and(|id| node.chain.engine().stake.validators().stake(&id) == 0)
    });
    let name = named.map_or_else(|| "nobody".into(), |node| node.to_string());
    row.check(ctx, signer.is_some() && named == signer && forfeit, format!("{name} signed two blocks for one height; the evidence is on record, its stake is forfeit"));
    let settled = settlement.living().all(|(node, ledger)| {
        let (earned, spent) = settlement.earned_and_spent(node);
        let account = ledger.chain.state().balance(&settlement.account(node));
        account == ALLOWANCE + earned - spent + settlement.rewards(node)
    });
    row.check(ctx, settled, "every balance is what was given minus what was taken".into());
    table.end(ctx, row);
    Ok(())
}

fn look_back(
    ctx: &mut Ctx,
    settlement: &Settlement<'_>,
    constitution: &Constitution,
    cast: Cast,
    song: &Song,
    table: &mut Table,
) -> Result<Option<(u64, String)>, Failure> {
    ctx.heading("6. AUDIT: every tip, every copy, and one flipped bit");
    let mut row = table.begin(ctx, "AUDIT");
    let audit = audit(ctx, settlement, constitution, cast, song)?;
    ctx.messages = audit.blocks;
    ctx.bytes = audit.bytes;
    let nodes = settlement.living().count();
    row.check(
        ctx,
        all_equal(&audit.tips, nodes),
        format!("{nodes} stored chains prove the same tip"),
    );
    let (equal, copies) = audit.equal_copies;
    row.check(
        ctx,
        equal == copies && copies > 0,
        format!("{equal} of {copies} copies of the file are equal to the original"),
    );
    let found = audit.fault.as_ref().is_some_and(|(height, _)| *height == TAMPERED);
    let (height, why) = audit.fault.clone().unwrap_or((0, "nothing".into()));
    row.check(
        ctx,
        found,
        format!("a bit of block {TAMPERED} was flipped on disk; found at height {height}: {why}"),
    );
    table.end(ctx, row);
    Ok(audit.fault)
}

fn unix_now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}
