//! Messages of the DHT (BEP 5, 32, 33, 42, 43, 44, 51): each key, written and read, and what is missing or malformed.

use core::net::SocketAddr;
use core::time::Duration;

use bittorrent_pieces::bencode::WriteError;
use bittorrent_pieces::dht::krpc::{
    Body, CompactNodes, KrpcError, Message, Method, Put, Query, Response, Samples, Values, Want,
};
use bittorrent_pieces::dht::*;
use bittorrent_pieces::{BufferTooSmall, CompactPeers, Family, InfoHash};

/// The ids in the examples of BEP 5.
const ID: NodeId = NodeId(*b"abcdefghij0123456789");
const TARGET: NodeId = NodeId(*b"mnopqrstuvwxyz123456");

/// Checks that a message has these bytes, and that they are read as the same message.
fn check(message: &Message<'_>, bytes: &[u8]) {
    let mut out = vec![0; bytes.len()];
    assert_eq!(message.encode(&mut out), Ok(bytes.len()), "{message}");
    assert_eq!(out.escape_ascii().to_string(), bytes.escape_ascii().to_string());
    assert_eq!(Message::decode(bytes).as_ref(), Ok(message));
    let short = message.encode(&mut out[1..]);
    assert_eq!(short, Err(WriteError::Buffer(BufferTooSmall { needed: bytes.len() })));
}

#[test]
fn queries_have_the_keys_of_their_beps() {
    let info_hash = InfoHash(TARGET.0);
    let get = |noseed, scrape| Method::GetPeers { info_hash, noseed, scrape };
    let announce = |port, seed| Method::AnnouncePeer { info_hash, port, seed, token: b"aoeusnth" };
    let target = TARGET;
    for (method, arguments, name) in [
        (Method::Ping, "", "4:ping"),
        (Method::FindNode { target }, "6:target20:mnopqrstuvwxyz123456", "9:find_node"),
        (get(false, false), "9:info_hash20:mnopqrstuvwxyz123456", "9:get_peers"),
        (get(true, false), "9:info_hash20:mnopqrstuvwxyz1234566:noseedi1e", "9:get_peers"),
        (get(false, true), "9:info_hash20:mnopqrstuvwxyz1234566:scrapei1e", "9:get_peers"),
        (
            announce(Some(6_881), true),
            "9:info_hash20:mnopqrstuvwxyz1234564:porti6881e4:seedi1e5:token8:aoeusnth",
            "13:announce_peer",
        ),
        (
            announce(None, false),
            "12:implied_porti1e9:info_hash20:mnopqrstuvwxyz1234564:porti1e5:token8:aoeusnth",
            "13:announce_peer",
        ),
        (Method::Get { target, seq: None }, "6:target20:mnopqrstuvwxyz123456", "3:get"),
        (Method::Get { target, seq: Some(7) }, "3:seqi7e6:target20:mnopqrstuvwxyz123456", "3:get"),
        (
            Method::SampleInfohashes { target },
            "6:target20:mnopqrstuvwxyz123456",
            "17:sample_infohashes",
        ),
        (Method::Other { name: b"vote", target: None }, "", "4:vote"),
        (
            Method::Other { name: b"vote", target: Some(target) },
            "6:target20:mnopqrstuvwxyz123456",
            "4:vote",
        ),
    ] {
        let message = Message::new(b"aa", Body::Query(Query::new(ID, method)));
        let bytes = format!("d1:ad2:id20:abcdefghij0123456789{arguments}e1:q{name}1:t2:aa1:y1:qe");
        check(&message, bytes.as_bytes());
    }
}

#[test]
fn puts_have_the_keys_of_bep_44() {
    let public_key = [b'K'; 32];
    let signature = [b'S'; 64];
    let put = |salt: &'static [u8], cas| Put {
        token: b"tok",
        value: b"4:spam",
        signed: Some(Signed { public_key, signature, seq: 4, salt }),
        cas,
    };
    let [key, sig] = ["K".repeat(32), "S".repeat(64)];
    let signed = format!("1:k32:{key}3:seqi4e3:sig64:{sig}");
    let salted = format!("1:k32:{key}4:salt3:nut3:seqi4e3:sig64:{sig}");
    for (put, before, arguments) in [
        (Put { signed: None, ..put(b"", None) }, "", String::new()),
        (put(b"", None), "", signed.clone()),
        (put(b"nut", None), "", salted),
        (put(b"", Some(3)), "3:casi3e", signed),
    ] {
        let message = Message::new(b"aa", Body::Query(Query::new(ID, Method::Put(put))));
        let bytes = format!(
            "d1:ad{before}2:id20:abcdefghij0123456789{arguments}5:token3:tok1:v4:spame1:q3:put1:t2:aa1:y1:qe"
        );
        check(&message, bytes.as_bytes());
    }
}

/// BEP 32 (`want`), 42 (`ip`), 43 (`ro`), and the version of the program.
#[test]
fn optional_keys_are_written_and_read() {
    let query = |v4, v6| Query { want: Want { v4, v6 }, ..Query::new(ID, Method::Ping) };
    for (query, want) in [
        (query(true, false), "4:wantl2:n4e"),
        (query(false, true), "4:wantl2:n6e"),
        (query(true, true), "4:wantl2:n42:n6e"),
    ] {
        let message = Message { read_only: true, ..Message::new(b"aa", Body::Query(query)) };
        let message = Message { version: Some(b"BP01"), ..message };
        let bytes = format!(
            "d1:ad2:id20:abcdefghij0123456789{want}e1:q4:ping2:roi1e1:t2:aa1:v4:BP011:y1:qe"
        );
        check(&message, bytes.as_bytes());
    }
    for (ip, written) in [
        ("97.98.99.100:25958", "6:abcdef"),
        ("[6162:6364:6566:6768:696a:6b6c:6d6e:6f70]:29042", "18:abcdefghijklmnopqr"),
    ] {
        let body = Body::Response(Response::new(ID));
        let message = Message { ip: Some(ip.parse().unwrap()), ..Message::new(b"aa", body) };
        let bytes = format!("d2:ip{written}1:rd2:id20:abcdefghij0123456789e1:t2:aa1:y1:re");
        check(&message, bytes.as_bytes());
    }
    let error = Message::new(b"aa", Body::Error { code: 201, text: b"A Generic Error Ocurred" });
    check(&error, b"d1:eli201e23:A Generic Error Ocurrede1:t2:aa1:y1:ee");
}

#[test]
fn responses_have_the_keys_of_their_beps() {
    let [seeds, leechers] = [[b's'; 256], [b'p'; 256]];
    let public_key = [b'K'; 32];
    let signature = [b'S'; 64];
    let nodes = [b'n'; 52];
    let nodes6 = [b'm'; 38];
    let hashes = [[b'h'; 20], [b'i'; 20]];
    let peers = CompactPeers::new(Family::V4, b"axje.uidhtnm").unwrap();
    let mut full = Response::new(ID);
    full.nodes = CompactNodes::new(Family::V4, &nodes);
    full.nodes6 = CompactNodes::new(Family::V6, &nodes6);
    full.token = Some(b"aoeusnth");
    full.values = Some(Values::new(peers));
    full.seeds = Some(&seeds);
    full.leechers = Some(&leechers);
    full.samples = Some(Samples::new(&hashes, 1_000, Duration::from_secs(3_600)));
    full.value = Some(b"4:spam");
    full.public_key = Some(&public_key);
    full.signature = Some(&signature);
    full.seq = Some(-5);
    let of = |letter: &str, count| format!("{count}:{}", letter.repeat(count));
    let bytes = format!(
        "d1:rd4:BFpe{}4:BFsd{}2:id20:abcdefghij01234567898:intervali3600e1:k{}5:nodes{}6:nodes6{}3:numi1000e\
         7:samples40:{}{}3:seqi-5e3:sig{}5:token8:aoeusnth1:v4:spam6:valuesl6:axje.u6:idhtnmee1:t2:aa1:y1:re",
        of("p", 256),
        of("s", 256),
        of("K", 32),
        of("n", 52),
        of("m", 38),
        "h".repeat(20),
        "i".repeat(20),
        of("S", 64),
    );
    let mut out = vec![0; 2_000];
    let len = Message::new(b"aa", Body::Response(full)).encode(&mut out).unwrap();
    assert_eq!(out[..len].escape_ascii().to_string(), bytes.as_bytes().escape_ascii().to_string());
    let Body::Response(mut read) = Message::decode(&out[..len]).unwrap().body else { panic!() };
    assert!(read.values.unwrap().iter().eq(peers.iter()));
    read.values = full.values;
    assert_eq!(read, full);
    assert_eq!(read.filters(), Some((BloomFilter(seeds), BloomFilter(leechers))));
    let samples = read.samples.unwrap();
    assert!(
        samples.iter().eq(hashes.map(InfoHash)) && samples.into_iter().eq(hashes.map(InfoHash))
    );
}

#[test]
fn a_key_that_is_missing_or_malformed_is_named() {
    let query = |arguments: &str, name: &str| {
        let bytes = format!("d1:ad2:id20:abcdefghij0123456789{arguments}e1:q{name}1:t2:aa1:y1:qe");
        Message::decode(bytes.as_bytes()).map(|_| ()).err()
    };
    let hash = "9:info_hash20:mnopqrstuvwxyz123456";
    let missing = |key| Some(KrpcError::Key(key));
    assert_eq!(query("", "9:find_node"), missing("target"));
    assert_eq!(query("6:target19:mnopqrstuvwxyz12345", "9:find_node"), missing("target"));
    assert_eq!(query("", "9:get_peers"), missing("info_hash"));
    assert_eq!(query("", "3:get"), missing("target"));
    assert_eq!(query("", "17:sample_infohashes"), missing("target"));
    assert_eq!(query("4:porti1e5:token1:t", "13:announce_peer"), missing("info_hash"));
    assert_eq!(query(&format!("{hash}5:token1:t"), "13:announce_peer"), missing("port"));
    assert_eq!(
        query(&format!("{hash}4:porti65536e5:token1:t"), "13:announce_peer"),
        missing("port")
    );
    assert_eq!(query(&format!("{hash}4:porti65535e5:token1:t"), "13:announce_peer"), None);
    assert_eq!(query(&format!("{hash}4:porti1e"), "13:announce_peer"), missing("token"));
    let implied = format!("12:implied_porti1e{hash}5:token1:t");
    assert_eq!(query(&implied, "13:announce_peer"), None, "the port is that of the datagram");
    let implied = format!("12:implied_porti0e{hash}5:token1:t");
    assert_eq!(query(&implied, "13:announce_peer"), missing("port"));
    assert_eq!(query("5:token1:t", "3:put"), missing("v"));
    assert_eq!(query("1:vi1e", "3:put"), missing("token"));
    let [key, sig] = [format!("1:k32:{}", "K".repeat(32)), format!("3:sig64:{}", "S".repeat(64))];
    let put = |signed: &str| query(&format!("{signed}5:token1:t1:vi1e"), "3:put");
    assert_eq!(put(&format!("{key}3:seqi1e{sig}")), None);
    assert_eq!(put(&format!("{key}{sig}")), missing("seq"));
    assert_eq!(put(&format!("{key}3:seqi1e")), missing("sig"));
    assert_eq!(put(&format!("{key}3:seqi1e3:sig3:SSS")), missing("sig"));
    assert_eq!(put(&format!("1:k3:KKK3:seqi1e{sig}")), missing("k"));
    for (bytes, key) in [
        ("d1:ad2:id19:abcdefghij012345678e1:q4:ping1:t2:aa1:y1:qe", "id"),
        ("d1:ad2:id20:abcdefghij0123456789e1:q4:ping1:y1:qe", "t"),
        ("d1:ad2:id20:abcdefghij0123456789e1:t2:aa1:y1:qe", "q"),
        ("d1:q4:ping1:t2:aa1:y1:qe", "a"),
        ("d1:rde1:t2:aa1:y1:re", "id"),
        ("d1:t2:aa1:y1:re", "r"),
        ("d1:rd2:id20:abcdefghij0123456789e1:t2:aa1:y1:xe", "y"),
        ("d1:rd2:id20:abcdefghij0123456789e1:t2:aae", "y"),
    ] {
        assert_eq!(Message::decode(bytes.as_bytes()).err(), Some(KrpcError::Key(key)), "{bytes}");
    }
}

/// An error ends its query, whatever it says.
#[test]
fn an_error_of_any_form_is_an_error() {
    for (error, code, text) in [
        ("1:eli203ee", 203, ""),
        ("1:eli203e3:bade", 203, "bad"),
        ("1:el3:badi203ee", 203, "bad"),
        ("1:el3:bade", 201, "bad"),
        ("1:e3:bad", 201, "bad"),
        ("1:ele", 201, ""),
        ("1:ei202e", 201, ""),
        ("1:ed4:codei203ee", 201, ""),
        ("", 201, ""),
    ] {
        let bytes = format!("d{error}1:t2:aa1:y1:ee");
        let message = Message::decode(bytes.as_bytes()).expect(error);
        assert_eq!(message.body, Body::Error { code, text: text.as_bytes() }, "{error}");
    }
}

/// Returns a response with these results.
fn response(results: &str) -> Vec<u8> {
    format!("d1:rd{results}e1:t2:aa1:y1:re").into_bytes()
}

fn read(message: &[u8]) -> Response<'_> {
    let Body::Response(response) = Message::decode(message).unwrap().body else { panic!() };
    response
}

/// Optional parts that are malformed are left out; the rest of the message counts.
#[test]
fn a_malformed_optional_part_is_left_out() {
    let id = "2:id20:abcdefghij0123456789";
    let of = |letter: &str, count: usize| format!("{count}:{}", letter.repeat(count));
    let one = response(&format!("4:BFpe{}{id}", of("p", 256)));
    assert!(read(&one).leechers.is_some() && read(&one).filters().is_none());
    let short = response(&format!("4:BFpe{}4:BFsd{}{id}", of("p", 255), of("s", 256)));
    assert_eq!((read(&short).leechers, read(&short).seeds.is_some()), (None, true));
    let wrong = response(&format!("{id}1:k3:KKK3:sig3:SSS6:values3:abc"));
    assert_eq!(read(&wrong), Response::new(ID));
    let hashes = [[b'h'; 20]];
    let without_numbers = Some(Samples::new(&hashes, 0, Duration::ZERO));
    for (keys, samples) in [
        ("7:samples20:hhhhhhhhhhhhhhhhhhhh", without_numbers),
        ("8:intervali-1e3:numi-1e7:samples20:hhhhhhhhhhhhhhhhhhhh", without_numbers),
        ("7:samples19:hhhhhhhhhhhhhhhhhhh", None),
        ("8:intervali60e3:numi9e", None),
    ] {
        assert_eq!(read(&response(&format!("{id}{keys}"))).samples, samples, "{keys}");
    }
    let values = "6:valuesl5:aaaaa6:axje.u7:aaaaaaa18:abcdefghijklmnopqr6:idhtnmi1ee";
    let values = response(&format!("{id}{values}"));
    let values = read(&values).values.unwrap();
    let peers: Vec<String> = values.iter().map(|peer| peer.to_string()).collect();
    let v6 = "[6162:6364:6566:6768:696a:6b6c:6d6e:6f70]:29042";
    assert_eq!(peers, ["97.120.106.101:11893", v6, "105.100.104.116:28269"]);
    let bytes = b"d2:ip5:abcde1:rd2:id20:abcdefghij0123456789e2:roi0e1:t2:aa1:y1:re";
    let message = Message::decode(bytes).unwrap();
    assert_eq!((message.ip, message.read_only), (None, false));
    let bytes = b"d1:ad2:id20:abcdefghij01234567894:wantl2:n52:n6i4eee1:q4:ping1:t2:aa1:y1:qe";
    let Body::Query(query) = Message::decode(bytes).unwrap().body else { panic!() };
    assert_eq!(query.want, Want { v4: false, v6: true });
}

/// A node is 26 bytes, or 38 over IPv6: id, address, port.
#[test]
fn compact_nodes_have_26_or_38_bytes() {
    for (family, addr, len) in
        [(Family::V4, "192.0.2.1:258", 26), (Family::V6, "[2001:db8::1]:258", 38)]
    {
        let addr: SocketAddr = addr.parse().unwrap();
        let mut out = vec![0; 2 * len];
        assert_eq!(CompactNodes::encode(ID, addr, &mut out), Ok(len));
        assert_eq!((&out[..20], &out[len - 2..len]), (&ID.0[..], &[1, 2][..]));
        let short = CompactNodes::encode(ID, addr, &mut out[..len - 1]);
        assert_eq!(short, Err(BufferTooSmall { needed: len }));
        CompactNodes::encode(TARGET, addr, &mut out[len..]).unwrap();
        let nodes = CompactNodes::new(family, &out).unwrap();
        assert!(nodes.iter().eq([(ID, addr), (TARGET, addr)]));
        assert!((&nodes).into_iter().eq(nodes.iter()));
        assert_eq!(nodes.as_bytes(), out);
        assert_eq!(CompactNodes::new(family, &out[1..]), None);
        // What is left over is left out, and the rest of the response is read.
        let key = if len == 26 { "5:nodes" } else { "6:nodes6" };
        let nodes = [&out[..], &[7; 25]].concat();
        let head = format!("{key}{}:", nodes.len());
        let bytes = [
            b"d1:rd2:id20:abcdefghij0123456789",
            head.as_bytes(),
            &nodes,
            b"5:token1:xe1:t2:aa1:y1:re",
        ];
        let bytes = bytes.concat();
        let response = read(&bytes);
        let nodes = response.nodes.or(response.nodes6).unwrap();
        assert_eq!((nodes.as_bytes(), response.token), (&out[..], Some(&b"x"[..])));
    }
}
