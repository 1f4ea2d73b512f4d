//! Hits: the files that answer a query or are listed, and what others answer.

use core::net::SocketAddrV4;
use core::sync::atomic::Ordering;
use std::sync::Arc;

use gnutella_wire::ggep::{Block, GgepWriter, Known, MAGIC};
use gnutella_wire::huge::{Part, Urn};
use gnutella_wire::wire::{
    HitData, HitFlags, HitParts, Limits, Message, Payload, Query, QueryHit, Record, Records, Vendor,
};
use gnutella_wire::{Guid, Text};

use super::ctx::{Ctx, Found};
use super::fetch;
use super::node::Node;
use super::share::Shared;

const VENDOR: Vendor = Vendor(*b"GWIR");
/// How many files one hit names: some servents read no hit with more.
const MAX_RECORDS: usize = 10;
/// How many hits answer one query.
pub const MAX_HITS: usize = 5;
/// How many push proxies a hit names, as in LimeWire.
const MAX_PROXIES: usize = 4;
/// The longest hit: ten records, whose names come from a file system.
pub const MAX_LEN: usize = 16_384;

impl Node {
    /// Answers a query that came over a link.
    pub(super) fn answer(&mut self, guid: Guid, query: &Query<'_>) {
        let ctx = Arc::clone(&self.ctx);
        let library = ctx.library();
        let files = library.find(query);
        self.servent.set_busy(ctx.busy.load(Ordering::Relaxed));
        let data = self.hit_data();
        let mut buf = vec![0; MAX_LEN];
        for_each_hit(&files, MAX_HITS, |records| {
            match self.servent.answer(self.now(), guid, records, HitData::new(&data), &mut buf) {
                Ok(hit) => self.send(hit.to, &buf[..hit.len]),
                Err(error) => ctx.trace(|| format!("   no answer: {error}")),
            }
        });
    }

    /// Returns what stands in hits behind the files: flags, and the neighbours that pass on pushes.
    pub(super) fn hit_data(&self) -> Vec<u8> {
        let proxies = self.links.values().filter_map(|link| link.proxy);
        data(self.servent.hit_flags(), proxies)
    }

    /// Handles a hit that came over a link: of an own search, or of a query that came by datagram.
    pub(super) fn receive_hit(&mut self, guid: Guid, hit: &QueryHit<'_>) {
        if !self.relay_hit(guid, hit) {
            self.collect(hit);
        }
    }

    /// Remembers the files of a hit.
    pub(super) fn collect(&mut self, hit: &QueryHit<'_>) {
        for record in &hit.records {
            let found = Found::of_record(hit, &record);
            let known = |old: &Found| (old.servent, old.index) == (found.servent, found.index);
            if self.found.iter().any(known) || self.found.len() >= 1_000 {
                continue;
            }
            let push = if found.push { ", behind a firewall" } else { "" };
            let busy = if found.busy { ", busy" } else { "" };
            println!(
                "{:4}  {} ({} bytes) at {}{push}{busy}",
                self.found.len() + 1,
                found.name,
                found.size,
                found.address
            );
            self.feed(&found);
            self.found.push(found);
        }
    }

    /// Remembers what a servent shares, whose answer to a request is hits one after the other.
    pub(super) fn collect_listing(&mut self, from: SocketAddrV4, hits: &[u8]) {
        let mut rest = hits;
        let mut files = 0;
        while let Ok((message, after)) = Message::decode(rest, Limits::GTKG) {
            rest = after;
            if let Payload::QueryHit(hit) = message.payload {
                files += usize::from(hit.records.len());
                self.collect(&hit);
            }
        }
        println!("{from} shares {files} files");
    }

    /// Adds a source to the download of the same file, if there is one.
    fn feed(&mut self, found: &Found) {
        self.downloads.retain(|(sha1, download)| {
            let is_same = Some(*sha1) == found.sha1;
            !is_same || download.send(fetch::Input::Source(found.clone())).is_ok()
        });
    }
}

impl Found {
    fn of_record(hit: &QueryHit<'_>, record: &Record<'_>) -> Self {
        let flags = hit.data.flags().unwrap_or_default();
        let urn = record.parts().find_map(|part| match part {
            Ok(Part::Gem(gem)) => Urn::parse(gem.as_bytes()),
            _ => None,
        });
        Self {
            servent: hit.servent,
            address: hit.address,
            push: flags.push == Some(true),
            proxy: proxy_of(hit),
            busy: flags.busy == Some(true),
            index: record.index,
            size: record.file_size(),
            name: record.name.to_string(),
            sha1: urn.map(|urn| urn.sha1()),
            root: match urn {
                Some(Urn::Bitprint(_, root)) => Some(root),
                _ => None,
            },
        }
    }
}

/// Calls a function with the records of each hit that names these files, at most so many.
pub fn for_each_hit(files: &[&Shared], most: usize, mut each: impl FnMut(Records<'_>)) {
    for files in files.chunks(MAX_RECORDS).take(most) {
        let areas: Vec<_> = files.iter().map(|file| file.extensions()).collect();
        let records: Vec<_> = files.iter().zip(&areas).map(record_of).collect();
        if let Some(records) = Records::from_slice(&records) {
            each(records);
        }
    }
}

/// Returns all files as hits one after the other: what a servent that browses receives.
pub fn listing(ctx: &Ctx) -> Vec<u8> {
    let library = ctx.library();
    let files: Vec<_> = library.0.iter().collect();
    let busy = Some(ctx.busy.load(Ordering::Relaxed));
    let flags = HitFlags { push: Some(ctx.firewalled), busy, ..HitFlags::default() };
    let data = data(flags, core::iter::empty());
    let mut body = Vec::new();
    let mut buf = vec![0; MAX_LEN];
    for_each_hit(&files, usize::MAX, |records| {
        let payload = Payload::QueryHit(QueryHit {
            address: ctx.address,
            speed: 0,
            records,
            data: HitData::new(&data),
            servent: ctx.servent,
        });
        let message = Message { guid: Guid(ctx.servent.0), ttl: 1, hops: 0, payload };
        if let Ok(len) = message.encode(&mut buf) {
            body.extend_from_slice(&buf[..len]);
        }
    });
    body
}

fn data(flags: HitFlags, proxies: impl Iterator<Item = SocketAddrV4>) -> Vec<u8> {
    let proxies: Vec<u8> =
        proxies.take(MAX_PROXIES).flat_map(gnutella_wire::ggep::Endpoints::to_bytes).collect();
    if proxies.is_empty() {
        return flags.to_data(VENDOR).to_vec();
    }
    let mut block = [0; 64];
    let mut writer = GgepWriter::new(&mut block);
    writer.push(b"PUSH", &proxies).expect("four addresses fit");
    let len = writer.finish();
    let flags = HitFlags { ggep: Some(true), ..flags };
    let parts = HitParts { vendor: VENDOR, flags, private: &block[..len], xml: &[] };
    let mut data = vec![0; parts.encoded_len()];
    parts.encode(&mut data).expect("long enough");
    data
}

/// Returns the first servent that passes on pushes to the one that sent a hit.
fn proxy_of(hit: &QueryHit<'_>) -> Option<SocketAddrV4> {
    let private = hit.data.private()?;
    let at = private.iter().position(|byte| *byte == MAGIC)?;
    let (block, _) = Block::decode(&private[at..]).ok()?;
    let mut buf = [0; 64];
    let extension = block.find(b"PUSH")?;
    match Known::read(b"PUSH", extension.value(&mut buf).ok()?)? {
        Known::PushProxies(proxies) => proxies.iter().next(),
        _ => None,
    }
}

fn record_of<'a>((file, area): (&&'a Shared, &'a Vec<u8>)) -> Record<'a> {
    Record {
        index: file.index,
        size: file.size.try_into().unwrap_or(u32::MAX),
        name: Text::new(file.name.as_bytes()).unwrap_or_default(),
        extensions: Text::new(area).unwrap_or_default(),
    }
}
