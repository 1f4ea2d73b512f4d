//! How values and messages print: one line of a trace.

use core::net::{IpAddr, Ipv4Addr};

use bittorrent_pieces::dht::NodeId;
use bittorrent_pieces::dht::krpc;
use bittorrent_pieces::encryption::ObfuscatedHash;
use bittorrent_pieces::tracker::http::{Contact, HttpRequest};
use bittorrent_pieces::tracker::udp::{ConnectionId, Request, Response, TransactionId};
use bittorrent_pieces::tracker::{Announce, AnnounceEvent, UdpEvent};
use bittorrent_pieces::utp::{Extensions, Packet, PacketKind};
use bittorrent_pieces::wire::fast::Fast;
use bittorrent_pieces::wire::hashes::{HashMessage, HashRange};
use bittorrent_pieces::wire::{Handshake, Message, Piece, Reserved};
use bittorrent_pieces::{Block, ConnId, Family, Host, InfoHash, InfoHashV2, PeerId, PieceIndex};

/// The bytes 0, 1, 2 and so on.
fn counting<const N: usize>() -> [u8; N] {
    core::array::from_fn(|at| at as u8)
}

const BLOCK: Block = Block { piece: PieceIndex(7), begin: 16_384, len: 100 };

#[test]
fn names_and_hashes() {
    let twenty = "000102030405060708090a0b0c0d0e0f10111213";
    assert_eq!(ConnId(7).to_string(), "conn 7");
    assert_eq!(PieceIndex(7).to_string(), "7");
    assert_eq!(BLOCK.to_string(), "piece=7 begin=16384 len=100");
    assert_eq!(InfoHash(counting()).to_string(), twenty);
    assert_eq!(format!("{:.8}", InfoHash(counting())), "00010203");
    assert_eq!(PeerId(counting()).to_string(), twenty);
    assert_eq!(NodeId(counting()).to_string(), twenty);
    assert_eq!(ObfuscatedHash(counting()).to_string(), twenty);
    let all = format!("{twenty}1415161718191a1b1c1d1e1f");
    assert_eq!(InfoHashV2(counting()).to_string(), all);
    assert_eq!(TransactionId(0xab).to_string(), "000000ab");
    assert_eq!(ConnectionId(0xab).to_string(), "00000000000000ab");
}

#[test]
fn hosts_and_contacts() {
    let v6: IpAddr = "2001:db8::1".parse().expect("an address");
    for (host, text) in [
        (Host::Ip(Ipv4Addr::new(192, 0, 2, 1).into()), "192.0.2.1"),
        (Host::Ip(v6), "[2001:db8::1]"),
        (Host::Name("tracker.example"), "tracker.example"),
    ] {
        assert_eq!(host.to_string(), text);
        let contact = Contact { peer_id: None, host, port: 6881 };
        assert_eq!(contact.to_string(), format!("{text}:6881"));
    }
}

#[test]
fn messages_of_peers() {
    let piece = Piece { piece: PieceIndex(1), begin: 2, data: b"abc" };
    for (message, text) in [
        (Message::KeepAlive, "KEEPALIVE"),
        (Message::Choke, "CHOKE"),
        (Message::Unchoke, "UNCHOKE"),
        (Message::Interested, "INTERESTED"),
        (Message::NotInterested, "NOT INTERESTED"),
        (Message::Have(PieceIndex(3)), "HAVE piece=3"),
        (Message::Bitfield(&[1, 2]), "BITFIELD bytes=2"),
        (Message::Request(BLOCK), "REQUEST piece=7 begin=16384 len=100"),
        (Message::Piece(piece), "PIECE piece=1 begin=2 len=3"),
        (Message::Cancel(BLOCK), "CANCEL piece=7 begin=16384 len=100"),
        (Message::Port(6881), "PORT 6881"),
        (Message::Other { id: 99, payload: b"abcd" }, "MESSAGE id=99 bytes=4"),
    ] {
        assert_eq!(message.to_string(), text);
    }
    for (message, text) in [
        (Fast::Suggest(PieceIndex(3)), "SUGGEST piece=3"),
        (Fast::HaveAll, "HAVE ALL"),
        (Fast::HaveNone, "HAVE NONE"),
        (Fast::Reject(BLOCK), "REJECT piece=7 begin=16384 len=100"),
        (Fast::AllowedFast(PieceIndex(3)), "ALLOWED FAST piece=3"),
    ] {
        assert_eq!(message.to_string(), text);
    }
    let range = HashRange { root: counting(), base: 1, index: 4, length: 2, proof_layers: 3 };
    let numbers = "root=0001020304050607.. base=1 index=4 length=2 proof=3";
    for (message, text) in [
        (HashMessage::Request(range), format!("HASH REQUEST {numbers}")),
        (HashMessage::Reject(range), format!("HASH REJECT {numbers}")),
        (HashMessage::Hashes(range, &[[9; 32]; 3]), format!("HASHES {numbers} hashes=3")),
    ] {
        assert_eq!(message.to_string(), text);
    }
    let handshake = Handshake {
        reserved: Reserved([0, 0, 0, 0, 0, 0x10, 0, 5]),
        info_hash: InfoHash([0xab; 20]),
        peer_id: PeerId([0xcd; 20]),
    };
    let [torrent, peer] = ["ab".repeat(20), "cd".repeat(20)];
    let text = format!("HANDSHAKE torrent={torrent} peer={peer} reserved=0000000000100005");
    assert_eq!(handshake.to_string(), text);
}

#[test]
fn packets_of_utp() {
    for (kind, name) in [
        (PacketKind::Data, "DATA"),
        (PacketKind::Fin, "FIN"),
        (PacketKind::State, "STATE"),
        (PacketKind::Reset, "RESET"),
        (PacketKind::Syn, "SYN"),
    ] {
        let packet = Packet {
            kind,
            connection: 0xab,
            timestamp: 1,
            difference: 2,
            window: 3,
            seq: 4,
            ack: 5,
            extensions: Extensions::NONE,
            payload: b"123456",
        };
        let text = format!("{name} connection=00ab seq=4 ack=5 window=3 payload=6");
        assert_eq!(packet.to_string(), text);
    }
}

#[test]
fn packets_of_trackers() {
    let transaction = TransactionId(0x1234);
    let connect = Request::Connect { transaction };
    assert_eq!(connect.to_string(), "CONNECT transaction=00001234");
    let mut bytes = [0; 98];
    bytes[7] = 9; // connection
    bytes[11] = 1; // announce
    bytes[14..16].copy_from_slice(&[0x12, 0x34]);
    bytes[16..36].fill(0xab);
    bytes[71] = 5; // left
    bytes[83] = 2; // started
    bytes[96..].copy_from_slice(&6881_u16.to_be_bytes());
    let connection = "connection=0000000000000009";
    let hash = "ab".repeat(20);
    let announce = Request::decode(&bytes).expect("98 bytes");
    let text = format!(
        "ANNOUNCE transaction=00001234 {connection} torrent={hash} port=6881 left=5 event=Started"
    );
    assert_eq!(announce.to_string(), text);
    bytes[11] = 2; // scrape: what follows the head are hashes
    let scrape = Request::decode(&bytes[..56]).expect("two hashes");
    let text = format!("SCRAPE transaction=00001234 {connection} torrents=2");
    assert_eq!(scrape.to_string(), text);

    let response = |action: u8, body: &[u8]| {
        let bytes = [&[0, 0, 0, action, 0, 0, 0x12, 0x34], body].concat();
        Response::decode(&bytes, Family::V4).expect("long enough").to_string()
    };
    let text = "CONNECTED transaction=00001234 connection=0000000000000009";
    assert_eq!(response(0, &[0, 0, 0, 0, 0, 0, 0, 9]), text);
    let mut body = vec![0, 0, 0, 60, 0, 0, 0, 3, 0, 0, 0, 4];
    body.extend([192, 0, 2, 1, 0x1a, 0xe1, 192, 0, 2, 2, 0x1a, 0xe1]);
    let text = "ANNOUNCED transaction=00001234 interval=60s leechers=3 seeders=4 peers=2";
    assert_eq!(response(1, &body), text);
    assert_eq!(response(2, &[0; 36]), "SCRAPED transaction=00001234 torrents=3");
    assert_eq!(response(3, b"no \"tea\""), r#"ERROR transaction=00001234 text="no \"tea\"""#);
    let event = UdpEvent::TimedOut { request: transaction };
    assert_eq!(event.to_string(), "TIMED OUT transaction=00001234");
}

#[test]
fn requests_over_http() {
    let announce = Announce {
        info_hash: InfoHash([0xab; 20]),
        peer_id: PeerId([0xcd; 20]),
        port: 6881,
        uploaded: 0,
        downloaded: 0,
        left: 5,
        event: AnnounceEvent::Completed,
        num_want: None,
        key: 0,
    };
    let hash = "ab".repeat(20);
    let request = HttpRequest::Announce { announce, compact: true, ip: None };
    let text = format!("ANNOUNCE torrent={hash} port=6881 left=5 event=Completed");
    assert_eq!(request.to_string(), text);
}

#[test]
fn messages_of_the_dht() {
    let message =
        |bytes: &str| krpc::Message::decode(bytes.as_bytes()).expect("a message").to_string();
    let [id, target] = ["a", "m"].map(|letter| letter.repeat(20));
    let [id_hex, target_hex] = ["61", "6d"].map(|byte| byte.repeat(20));
    let query = |arguments: &str, name: &str| {
        let len = name.len();
        message(&format!("d1:ad2:id20:{id}{arguments}e1:q{len}:{name}1:t2:aa1:y1:qe"))
    };
    assert_eq!(query("", "ping"), format!("PING node={id_hex}"));
    let to = format!("6:target20:{target}");
    assert_eq!(query(&to, "find_node"), format!("FIND NODE target={target_hex}"));
    assert_eq!(query(&to, "get"), format!("GET target={target_hex}"));
    assert_eq!(query(&to, "sample_infohashes"), format!("SAMPLE INFOHASHES target={target_hex}"));
    let hash = format!("9:info_hash20:{target}");
    assert_eq!(query(&hash, "get_peers"), format!("GET PEERS torrent={target_hex}"));
    let announce =
        |implied: &str| query(&format!("{implied}{hash}4:porti6881e5:token2:ab"), "announce_peer");
    assert_eq!(announce(""), format!("ANNOUNCE PEER torrent={target_hex} port=6881"));
    let implied = announce("12:implied_porti1e");
    assert_eq!(implied, format!("ANNOUNCE PEER torrent={target_hex} port=implied"));
    assert_eq!(query("5:token2:ab1:v4:spam", "put"), "PUT immutable 6 bytes");
    let signed =
        format!("1:k32:{}3:seqi4e3:sig64:{}5:token2:ab1:v4:spam", "k".repeat(32), "s".repeat(64));
    assert_eq!(query(&signed, "put"), "PUT mutable seq=4 6 bytes");
    assert_eq!(query(&to, "dance"), "QUERY method=dance");

    let response = |results: &str| message(&format!("d1:rd2:id20:{id}{results}e1:t2:aa1:y1:re"));
    assert_eq!(response(""), format!("RESPONSE node={id_hex} nodes=0 peers=0"));
    let nodes = format!("5:nodes26:{target}192.0.");
    assert_eq!(response(&nodes), format!("RESPONSE node={id_hex} nodes=1 peers=0"));
    let peers = "5:token2:ab6:valuesl6:axje.u6:idhtnme";
    assert_eq!(response(peers), format!("RESPONSE node={id_hex} nodes=0 peers=2 token"));
    let item = "5:token2:ab1:v4:spam";
    assert_eq!(response(item), format!("RESPONSE node={id_hex} nodes=0 peers=0 token value=6"));
    let error = message("d1:eli201e5:a \"b\"e1:t2:aa1:y1:ee");
    assert_eq!(error, r#"ERROR code=201 text="a \"b\"""#);
}
