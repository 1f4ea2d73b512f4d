//! `torrent show`: prints what a metainfo file or a magnet link contains.

use std::fs;

use bittorrent_pieces::Metainfo;
use bittorrent_pieces::bencode::{Limits, Mode, Value};
use bittorrent_pieces::magnet::{Escaped, Magnet, MagnetBuilder};
use bittorrent_pieces::metainfo::Tier;
use examples::progress::size;

use super::json::Json;
use super::storage::{printable, text};

/// A folder of more files than this is not listed to the end.
const LISTED: usize = 50;

pub fn show(torrent: &str, json: bool) -> Result<(), String> {
    if is_magnet(torrent) {
        return show_magnet(torrent, json);
    }
    let bytes = fs::read(torrent).map_err(|error| format!("{torrent}: {error}"))?;
    let metainfo = read(torrent, &bytes)?;
    let link = link_of(&metainfo)?;
    if json {
        println!("{}", as_json(&metainfo, &bytes, link));
        return Ok(());
    }
    let geometry = metainfo.geometry();
    println!("name       {}", printable(metainfo.name()));
    println!("info-hash  {}", metainfo.info_hash());
    if let Some(hash) = metainfo.info_hash_v2() {
        println!("version 2  {hash}");
    }
    let total = total(&metainfo);
    println!(
        "content    {total} bytes ({}), {} pieces of {}",
        size(total),
        geometry.pieces(),
        geometry.full_piece_len()
    );
    if metainfo.is_private() {
        println!("private    peers only from the trackers");
    }
    for (nth, tier) in metainfo.tiers().enumerate() {
        for url in tier {
            println!("tracker    {} (tier {nth})", printable(url));
        }
    }
    for (label, text) in extras(&metainfo, &bytes) {
        println!("{label:<10} {}", printable(&text));
    }
    for (number, file) in metainfo.files().take(LISTED).enumerate() {
        let path: Vec<_> = file.raw_path().map(printable).collect();
        let padding = if file.is_padding() { " (padding)" } else { "" };
        println!("file {number:<5} {:>12} bytes {}{padding}", file.len(), path.join("/"));
    }
    let more = metainfo.files().count().saturating_sub(LISTED);
    if more > 0 {
        println!("           and {more} more");
    }
    println!("magnet     {link}");
    Ok(())
}

fn total(metainfo: &Metainfo<'_>) -> u64 {
    metainfo.files().map(|file| file.len()).sum()
}

/// Returns whether a word is a link, in whatever letters (RFC 3986, section 3.1).
pub fn is_magnet(word: &str) -> bool {
    word.get(..7).is_some_and(|scheme| scheme.eq_ignore_ascii_case("magnet:"))
}

/// Returns the magnet link of a torrent.
pub fn link_of(metainfo: &Metainfo<'_>) -> Result<String, String> {
    let v1 = metainfo.info().find(b"pieces").map(|_| metainfo.info_hash());
    let draft = MagnetBuilder { v1, v2: metainfo.info_hash_v2(), ..MagnetBuilder::default() };
    let mut link = [0; 200];
    let len = draft.encode(&mut link).map_err(|error| error.to_string())?;
    Ok(text(&link[..len]))
}

fn text_of(value: Option<Value<'_>>) -> Option<&[u8]> {
    value.and_then(|value| value.as_bytes())
}

/// Returns the texts that a client does not need.
fn extras(metainfo: &Metainfo<'_>, bytes: &[u8]) -> Vec<(&'static str, Vec<u8>)> {
    let mut extras = Vec::new();
    let top = Value::decode(bytes, Mode::Lenient, Limits::DEFAULT).ok().map(|(top, _)| top);
    let of_top = |key: &[u8]| top.as_ref().and_then(|top| top.find(key));
    for (label, value) in [
        ("comment", text_of(of_top(b"comment"))),
        ("made by", text_of(of_top(b"created by"))),
        ("source", text_of(metainfo.info().find(b"source"))),
    ] {
        extras.extend(value.map(|text| (label, text.to_vec())));
    }
    let seeds = of_top(b"url-list");
    let listed = seeds.into_iter().flat_map(|seeds| seeds.items()).map(|url| url.as_bytes());
    let single = text_of(seeds);
    extras.extend(listed.chain([single]).flatten().map(|url| ("web seed", url.to_vec())));
    extras
}

fn as_json(metainfo: &Metainfo<'_>, bytes: &[u8], link: String) -> Json {
    let geometry = metainfo.geometry();
    let raw = |text: &[u8]| Json::Text(String::from_utf8_lossy(text).into_owned());
    let files = metainfo.files().map(|file| {
        let path = file.raw_path().map(raw).collect();
        let len = Json::Number(file.len());
        let padding = Json::Switch(file.is_padding());
        Json::Object(vec![("path", Json::List(path)), ("bytes", len), ("padding", padding)])
    });
    let tier = |tier: Tier<'_>| Json::List(tier.map(raw).collect());
    let mut fields = vec![
        ("name", raw(metainfo.name())),
        ("info_hash", Json::text(metainfo.info_hash())),
        ("info_hash_v2", Json::option(metainfo.info_hash_v2(), Json::text)),
        ("bytes", Json::Number(total(metainfo))),
        ("pieces", Json::Number(geometry.pieces().into())),
        ("piece_bytes", Json::Number(geometry.full_piece_len().into())),
        ("private", Json::Switch(metainfo.is_private())),
        ("tiers", Json::List(metainfo.tiers().map(tier).collect())),
        ("files", Json::List(files.collect())),
        ("magnet", Json::Text(link)),
    ];
    let extras = extras(metainfo, bytes);
    for (label, key) in [("comment", "comment"), ("made by", "created_by"), ("source", "source")] {
        let value = extras.iter().find(|(name, _)| *name == label);
        fields.extend(value.map(|(_, text)| (key, raw(text))));
    }
    let seeds = extras.iter().filter(|(label, _)| *label == "web seed");
    fields.push(("web_seeds", Json::List(seeds.map(|(_, url)| raw(url)).collect())));
    Json::Object(fields)
}

/// Reads a metainfo file, or returns what is wrong with it.
pub fn read<'b>(name: &str, bytes: &'b [u8]) -> Result<Metainfo<'b>, String> {
    Metainfo::decode(bytes, Mode::Lenient)
        .map_err(|error| format!("{name} is not a valid metainfo file: {error}"))
}

fn show_magnet(link: &str, json: bool) -> Result<(), String> {
    let magnet = Magnet::parse(link.as_bytes())
        .map_err(|error| format!("not a valid magnet link: {error}"))?;
    let unescaped = |value: Escaped<'_>| printable(&value.bytes().collect::<Vec<_>>());
    if json {
        let trackers = magnet.trackers().map(|url| Json::Text(unescaped(url))).collect();
        let peers = magnet.peers().map(Json::text).collect();
        let fields = vec![
            ("name", Json::option(magnet.name(), |name| Json::Text(unescaped(name)))),
            ("info_hash", Json::option(magnet.v1(), Json::text)),
            ("info_hash_v2", Json::option(magnet.v2(), Json::text)),
            ("trackers", Json::List(trackers)),
            ("peers", Json::List(peers)),
        ];
        println!("{}", Json::Object(fields));
        return Ok(());
    }
    if let Some(name) = magnet.name() {
        println!("name       {}", unescaped(name));
    }
    if let Some(hash) = magnet.v1() {
        println!("info-hash  {hash}");
    }
    if let Some(hash) = magnet.v2() {
        println!("version 2  {hash}");
    }
    for tracker in magnet.trackers() {
        println!("tracker    {}", unescaped(tracker));
    }
    for peer in magnet.peers() {
        println!("peer       {peer}");
    }
    for range in magnet.select_only().into_iter().flatten().flatten() {
        println!("files      {} to {}", range.start(), range.end());
    }
    Ok(())
}
