//! `torrent seed` and `torrent get`: from the command line to the torrents.

use core::cell::OnceCell;
use std::fs;

use bittorrent_pieces::PeerId;
use examples::cli::Exit;
use examples::interrupt;
use examples::random::random;
use examples::warning;

use super::args::{Item, Share};
use super::report::Report;
use super::shared::Shared;
use super::show;
use super::storage::text;
use super::torrents::{Cells, Torrents};
use super::trees::{is_v2_alone, lacks_layers};

/// A torrent as the command line names it.
pub enum Source {
    /// The content of a metainfo file.
    File(Vec<u8>),
    /// What is known before peers send the info dictionary.
    Link {
        link: String,
        /// Tiers of trackers besides those of the link.
        tiers: Vec<Vec<String>>,
        /// Peers come from the trackers alone.
        private: bool,
        /// The info dictionary of a metainfo file that lacks piece layers.
        info: Option<Vec<u8>>,
    },
}

/// Runs `torrent seed` or `torrent get`.
pub fn share(args: &Share, quiet: bool) -> Result<Exit, String> {
    interrupt::install();
    let report = Report::new(args.json, quiet);
    let shared = Shared::open(args)?;
    report.listening(shared.net.address());
    let mut id = *b"-BP0100-............";
    id[8..].copy_from_slice(&random::<12>());
    let sources = args.items.iter().map(|item| Source::read(args, item));
    let sources = sources.collect::<Result<Vec<_>, _>>()?;
    let infos: Vec<_> = sources.iter().map(|_| OnceCell::new()).collect();
    let cells: Vec<_> = sources.iter().map(|_| Cells::default()).collect();
    let mut torrents = Torrents::new(args, quiet, PeerId(id), shared, &infos, &cells);
    let started = sources.iter().enumerate().try_for_each(|(n, source)| torrents.start(n, source));
    match started.and_then(|()| torrents.run()) {
        // What was given up because of a signal is not a failure.
        Err(error) if interrupt::interrupted() => {
            warning!("{error}");
            Ok(Exit::Stopped)
        }
        done => done,
    }
}

impl Source {
    fn read(args: &Share, item: &Item) -> Result<Self, String> {
        let name = &item.torrent;
        if show::is_magnet(name) {
            let link = name.clone();
            return Ok(Self::Link { link, tiers: Vec::new(), private: false, info: None });
        }
        let bytes = fs::read(name).map_err(|error| format!("{name}: {error}"))?;
        let metainfo = show::read(name, &bytes)?;
        if !lacks_layers(&metainfo) {
            return Ok(Self::File(bytes));
        }
        if args.seeds && !is_v2_alone(&metainfo) {
            return Ok(Self::File(bytes)); // by version 1
        }
        if args.seeds {
            return Err(format!("{name}: no piece layers; make it again"));
        }
        // Peers have them, as with a link.
        let tiers = metainfo.tiers().map(|tier| tier.map(text).collect()).collect();
        let private = metainfo.is_private();
        let info = Some(metainfo.info().as_raw().to_vec());
        Ok(Self::Link { link: show::link_of(&metainfo)?, tiers, private, info })
    }
}
