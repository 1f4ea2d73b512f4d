//! What a session begins with: the files, what is right of them, and the machine.

use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::path::Path;

use bittorrent_pieces::merkle::MerkleHash;
use bittorrent_pieces::metainfo::File;
use bittorrent_pieces::picker::Order;
use bittorrent_pieces::{
    Bitfield, Config, Geometry, Metainfo, Padding, PeerId, PieceHashes, PieceIndex, Priority,
    Torrent, TorrentContent, TorrentLimits, TorrentSetup, TorrentVec,
};
use examples::buffer::Buffer;
use examples::progress::size;
use examples::random::random;

use super::args::{Item, Share};
use super::finder::{Finder, PEERS};
use super::json::Json;
use super::net::Net;
use super::open_files::TorrentFiles;
use super::parts::Parts;
use super::relays::Relays;
use super::report::Report;
use super::selection::{self, Numbers};
use super::session::{Session, left};
use super::shared::Shared;
use super::storage::{Allocate, Storage, empty_bitfield, printable, safe_name};
use super::trees::Trees;
use super::web;

/// Requests at a time to each, and from each.
const PIPELINE: u16 = 250;

/// What a session is made of.
pub struct Setup<'a, 'm> {
    pub args: &'a Share,
    /// Its place on the command line.
    pub number: usize,
    /// Which files are wanted; `None` for all.
    pub files: Option<&'m Numbers>,
    pub metainfo: &'a Metainfo<'a>,
    pub trees: &'a Trees<'a>,
    pub peer_id: PeerId,
}

/// What was found on the disk.
struct Found<'a> {
    storage: Storage,
    parts: Parts<'a>,
    have: Bitfield<Vec<u8>>,
    leaves: Vec<MerkleHash>,
    wanted: Option<Bitfield<Vec<u8>>>,
}

impl<'a> Setup<'a, '_> {
    /// Opens and checks the files, and starts the machine. `finder` gets the number of missing bytes.
    pub fn session(
        self,
        shared: &Shared,
        report: Report,
        finder: impl FnOnce(u64) -> Result<Finder, String>,
    ) -> Result<Session<'a>, String> {
        let args = self.args;
        let (geometry, hashes) = self.trees.borrow()?;
        let found = self.open(shared, &report, geometry, hashes)?;
        let Found { storage, parts, have, leaves, wanted } = found;
        let mut torrent = self.torrent(&shared.net, geometry, hashes, &have, &leaves)?;
        if let Some(wanted) = &wanted {
            for piece in (0..geometry.pieces()).map(PieceIndex) {
                if !wanted.has(piece) {
                    torrent.set_priority(Duration::ZERO, piece, Priority::SKIP);
                }
            }
        }
        let kept = parts.blocks().filter(|block| torrent.restore_block(*block)).count();
        self.report_start(&report, geometry, &have, kept);
        let mut finder = finder(left(&torrent))?;
        finder.restore(shared.net.now(), parts.peers());
        Ok(Session {
            args,
            number: self.number,
            conns: BTreeSet::new(),
            progressed: shared.net.now(),
            torrent,
            storage,
            parts,
            wanted,
            finder,
            report,
            checks: VecDeque::new(),
            ahead: BTreeMap::new(),
            buffer: Buffer::new(),
            sent: 0,
            received: 0,
            checked_at: None,
            complete_since: None,
            enough_since: None,
            metainfo: self.metainfo,
            web_seeds: Vec::new(),
            relays: Relays::default(),
        })
    }

    fn open(
        &self,
        shared: &Shared,
        report: &Report,
        geometry: Geometry<'a>,
        hashes: PieceHashes<'_>,
    ) -> Result<Found<'a>, String> {
        let args = self.args;
        let name = safe_name(self.metainfo).map_err(|error| error.to_string())?;
        let Item { path, in_folder, .. } = &args.items[self.number];
        let root = if *in_folder { path.join(name) } else { path.clone() };
        let selected = selection::files(self.metainfo, self.files)?;
        let wanted = selection::pieces(self.metainfo, geometry, &selected)?;
        let files = TorrentFiles::new(&shared.open, self.number, !args.seeds);
        let storage = Storage::open(self.metainfo, &root, &selected, !args.seeds, files);
        let mut storage = storage.map_err(|error| error.to_string())?;
        if let Some(path) = storage.missing().filter(|_| args.seeds) {
            return Err(format!("{}: there is no such file", path.display()));
        }
        for (path, more) in storage.too_long() {
            let path = path.display();
            let advice = if args.truncate { "cut" } else { "--truncate cuts it" };
            let more = size(more);
            report.warning(&format!("{path} is {more} longer than in the torrent; {advice}"));
        }
        let mut parts = Parts::new(&root, self.metainfo.info_hash(), geometry);
        let resumed = !args.seeds && parts.load();
        if !root.exists() {
            parts.clear();
        }
        let unchanged = parts.have(&storage.stamps()).filter(|_| resumed && !args.check);
        let (have, leaves) = if let Some(have) = unchanged {
            let text = "the files are unchanged since the last run, and not checked again";
            report.event("resumed", Vec::new(), || text.into());
            (have, Vec::new())
        } else {
            let none = empty_bitfield(geometry).map_err(|error| error.to_string())?;
            let checked = storage.check(geometry, hashes, none);
            checked.map_err(|error| format!("{}: {error}", root.display()))?
        };
        parts.retain_missing(have.as_view());
        if args.seeds && !have.is_full() {
            let ones = have.count_ones();
            let all = have.len();
            return Err(format!("only {ones} of {all} pieces of {} are right", root.display()));
        }
        if !args.seeds && !args.overwrite && !resumed && have.count_ones() == 0 {
            refuse_to_overwrite(&storage)?;
        }
        if args.truncate {
            storage.truncate().map_err(|error| error.to_string())?;
        }
        if !args.seeds && args.allocate != Allocate::None && !have.is_full() {
            parts.begin();
            storage.allocate(args.allocate).map_err(|error| error.to_string())?;
        }
        Ok(Found { storage, parts, have, leaves, wanted })
    }

    fn torrent(
        &self,
        net: &Net,
        geometry: Geometry<'a>,
        hashes: PieceHashes<'a>,
        have: &Bitfield<Vec<u8>>,
        leaves: &[MerkleHash],
    ) -> Result<Torrent<TorrentVec>, String> {
        let args = self.args;
        let public = !self.metainfo.is_private();
        let mut config = Config::new(self.metainfo.info_hash(), self.peer_id);
        config.seed = u64::from_le_bytes(random());
        config.super_seeding = args.super_seed;
        config.holepunch = args.utp;
        config.peer_exchange = public;
        // Both versions, if the hashes of both are known.
        let both = !hashes.as_bytes().is_empty() && !hashes.layer().is_empty();
        config.info_hash_v2 =
            self.metainfo.info_hash_v2().filter(|_| both).map(|v2| v2.truncated());
        config.port = Some(net.address().port());
        config.dht_port = config.port.filter(|_| args.runs_dht() && !args.utp && public);
        let runs: Vec<_> = hashes.runs(geometry).collect();
        let files = self.metainfo.files().filter(File::is_padding);
        let padding = files.flat_map(|file| Padding::of(geometry, file.offset(), file.len()));
        let padding: Vec<_> = padding.collect();
        let mut content = TorrentContent::new(geometry, hashes);
        content.info = self.metainfo.info().as_raw();
        content.leaves = leaves;
        content.runs = &runs;
        content.padding = &padding;
        let peers = (PEERS + web::MOST) as u16;
        let limits = TorrentLimits { peers, open_pieces: 2 * peers, pipeline: PIPELINE };
        let mut setup = TorrentSetup::new(config);
        setup.have = Some(have.as_view());
        if args.sequential {
            setup.policy.order = Order::Sequential;
        }
        let torrent = Torrent::new(setup, TorrentVec::new(&content, limits));
        torrent.map_err(|error| error.to_string())
    }

    fn report_start(
        &self,
        report: &Report,
        geometry: Geometry<'_>,
        have: &Bitfield<Vec<u8>>,
        kept: usize,
    ) {
        let name = printable(self.metainfo.name());
        let pieces = geometry.pieces();
        let here = have.count_ones();
        let fields = vec![
            ("name", Json::text(&name)),
            ("info_hash", Json::text(self.metainfo.info_hash())),
            ("bytes", Json::Number(geometry.total())),
            ("pieces", Json::Number(pieces.into())),
            ("have", Json::Number(here.into())),
            ("blocks_of_others", Json::Number(kept as u64)),
        ];
        report.event("torrent", fields, || {
            let more =
                if kept > 0 { format!(", and {kept} blocks of others") } else { String::new() };
            format!("{name}: {here} of {pieces} pieces are here{more}")
        });
    }
}

fn refuse_to_overwrite(storage: &Storage) -> Result<(), String> {
    let named = |path: &Path| {
        format!(
            "{} exists and has nothing of this torrent; --overwrite writes over it",
            path.display()
        )
    };
    storage.occupied().map_or(Ok(()), |path| Err(named(path)))
}
