//! The Tiger tree of a download: when it is asked for, and what becomes of one that ends too early.

mod one_download;

use gnutella_wire::ConnId;
use gnutella_wire::huge::TigerRoot;
use gnutella_wire::thex::Tree;
use gnutella_wire::transfer::{DownloadCloseReason, DownloadEvent};
use one_download::{BLOCK, SINGLE, T0, asked, connect, events, fetch, head, receive, requests};

/// A source names its tree.
fn offer() -> String {
    format!("X-Thex-URI: /uri-res/N2X?it;{}\r\n", TigerRoot([7; 24]))
}

/// The tree of a file of one block would tell nothing that the hash of the file does not.
#[test]
fn a_tree_is_asked_for_if_there_is_more_than_one_block() {
    for (blocks, is_asked) in [(1, false), (2, true)] {
        let size = blocks * BLOCK;
        let mut fetch = fetch(SINGLE, size);
        connect(&mut fetch, T0, 1);
        asked(&mut fetch);
        receive(&mut fetch, T0, 1, &head(size, 0, BLOCK - 1, &offer()));
        receive(&mut fetch, T0, 1, &vec![0; BLOCK as usize - 1]);
        let next = requests(&mut fetch).pop().unwrap().1;
        assert_eq!(next.starts_with("GET /uri-res/N2X?it "), is_asked, "{next}");
    }
}

/// A tree whose body ends before all nodes came: in the middle of a node, after whole nodes, or in the middle of the head of a
/// record. The connection ends at once, and the source is asked for the file alone.
#[test]
fn a_tree_that_ends_too_early_ends_the_connection() {
    let size = 4 * BLOCK;
    let nodes = [[7; 24]; 4];
    let tree = Tree { size, nodes: &nodes };
    let mut body = vec![0; tree.encoded_len()];
    tree.encode(&mut body).unwrap();
    for cut in [10, 24, 30, 48, body.len() - 5, body.len() - 20] {
        let body = &body[..body.len() - cut];
        let mut fetch = fetch(SINGLE, size);
        connect(&mut fetch, T0, 1);
        asked(&mut fetch);
        receive(&mut fetch, T0, 1, &head(size, 0, BLOCK, &offer()));
        receive(&mut fetch, T0, 1, &vec![0; BLOCK as usize]);
        assert!(requests(&mut fetch).pop().unwrap().1.starts_with("GET /uri-res/N2X?it "));
        let head = format!(
            "HTTP/1.1 200 OK\r\nContent-Type: application/dime\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        receive(&mut fetch, T0, 1, head.as_bytes());
        receive(&mut fetch, T0, 1, body);
        let reason = DownloadCloseReason::Malformed;
        let events = events(&mut fetch);
        assert_eq!(events[0], DownloadEvent::Closed { conn: ConnId(1), reason }, "{cut}");
        let DownloadEvent::Dial { source, .. } = events[1] else { panic!("{events:?}") };
        fetch.handle_connected(T0, source, ConnId(2)).unwrap();
        assert_eq!(asked(&mut fetch), [(2, BLOCK, 2 * BLOCK)], "without {cut} bytes");
    }
}
