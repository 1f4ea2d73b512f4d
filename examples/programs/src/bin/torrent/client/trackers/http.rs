//! One announcement over HTTP.

use core::net::SocketAddr;
use core::time::Duration;
use std::io::{self, Read as _};

use bittorrent_pieces::Host;
use bittorrent_pieces::tracker::Announce;
use bittorrent_pieces::tracker::http::{Announced, Answer, MAX_ANSWER_LEN, RetryIn, announce_url};

use super::{Refused, Response, resolve};

#[cfg(test)]
mod tests;

/// The most names of peers that are resolved: each may take seconds.
const NAMES: usize = 16;
/// The most redirections that are followed.
const REDIRECTIONS: u32 = 5;

pub(super) fn ask(
    url: &str,
    announce: &Announce,
    id: Option<&[u8]>,
    patience: Duration,
) -> io::Result<Response> {
    let mut target = vec![0; url.len() + 600 + 3 * id.map_or(0, <[u8]>::len)];
    let len = announce_url(url.as_bytes(), announce, id, &mut target).map_err(io::Error::other)?;
    let target = core::str::from_utf8(&target[..len]).map_err(io::Error::other)?;
    let config = ureq::Agent::config_builder()
        .timeout_global(Some(patience))
        .max_redirects(REDIRECTIONS)
        .http_status_as_error(false)
        .user_agent(concat!("bittorrent-pieces/", env!("CARGO_PKG_VERSION")))
        .build();
    let mut response = ureq::Agent::new_with_config(config).get(target).call().map_err(named)?;
    let status = response.status();
    let mut body = Vec::new();
    let most = MAX_ANSWER_LEN as u64 + 1; // one more is an error of the decoder
    let read = response.body_mut().as_reader().take(most).read_to_end(&mut body);
    match Announced::decode(&body) {
        Ok(Answer::Failure(reason)) => {
            let reason = String::from_utf8_lossy(reason).into_owned();
            Err(io::Error::other(Refused { reason, retry: RetryIn::decode(&body) }))
        }
        Ok(Answer::Done(announced)) if status.is_success() => Ok(response_of(&announced)),
        _ if !status.is_success() => Err(io::Error::other(format!("HTTP status {status}"))),
        Ok(_) => Err(io::Error::other("no answer")),
        Err(error) => Err(read.err().unwrap_or_else(|| {
            io::Error::other(format!("the answer is not that of a tracker: {error}"))
        })),
    }
}

fn response_of(announced: &Announced<'_>) -> Response {
    let mut names = 0;
    let peers = announced.contacts().filter_map(|contact| match contact.host {
        Host::Ip(ip) => Some(SocketAddr::new(ip, contact.port)),
        Host::Name(name) => {
            names += 1;
            let resolved = (names <= NAMES).then(|| resolve(&format!("{name}:{}", contact.port)));
            resolved?.ok()
        }
    });
    Response {
        interval: announced.interval,
        min_interval: announced.min_interval,
        peers: peers.collect(),
        tracker_id: announced.tracker_id.map(<[u8]>::to_vec),
        external: announced.external,
        warning: announced.warning.map(<[u8]>::to_vec),
    }
}

/// Returns the error of the client; without TLS its text names the feature that adds it.
fn named(error: ureq::Error) -> io::Error {
    if cfg!(not(feature = "https")) && matches!(error, ureq::Error::TlsRequired) {
        return io::Error::other(
            "https:// needs TLS: cargo run --release -p programs --features https --bin torrent",
        );
    }
    io::Error::other(error)
}
