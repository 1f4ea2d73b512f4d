//! The bodies of CHORD-RELOAD: byte by byte, and read by tshark, which has a dissector of its own for them.

use core::fmt::Write as _;
use std::process::Command;

use chord_core::reload::{ChordUpdate, LeaveData, NodeIds, RouteQueryAnswer, Update};
use chord_core::{BufferTooSmall, DecodeError};

const NEAR: [[u8; 16]; 3] = [[0x11; 16], [0x22; 16], [0x33; 16]];

#[test]
fn bodies_are_as_the_rfc_lays_them_out() {
    let ready = Update::<16> { uptime: 0x0102_0304, chord: ChordUpdate::PeerReady };
    assert_eq!(update(&ready), [1, 2, 3, 4, 1]);
    let neighbours = ChordUpdate::Neighbours {
        predecessors: NodeIds::of(&NEAR[..1]),
        successors: NodeIds::of(&NEAR[1..]),
    };
    let bytes = update(&Update { uptime: 9, chord: neighbours });
    assert_eq!(bytes[..7], [0, 0, 0, 9, 2, 0, 16]);
    assert_eq!((bytes[23], bytes[24], bytes.len()), (0, 32, 5 + 18 + 34));
    let full = ChordUpdate::Full {
        predecessors: NodeIds::of(&NEAR[..1]),
        successors: NodeIds::of(&NEAR[1..]),
        fingers: NodeIds::of(&NEAR[2..]),
    };
    let bytes = update(&Update { uptime: 9, chord: full });
    assert_eq!((bytes[4], bytes.len()), (3, 5 + 18 + 34 + 18));
    assert_eq!(bytes[57..], [&[0, 16][..], &[0x33; 16]].concat());
    let leaves = [LeaveData::FromSuccessor, LeaveData::FromPredecessor];
    for (kind, leave) in (1..).zip(leaves.map(|leave| leave(NodeIds::of(&NEAR[..2])))) {
        let mut bytes = [0; 35];
        assert_eq!((leave.encoded_len(), leave.encode(&mut bytes)), (35, Ok(35)));
        assert_eq!(bytes[..4], [kind, 0, 32, 0x11]);
        assert_eq!(LeaveData::decode(&bytes), Ok((leave, &[][..])));
        assert_eq!(leave.ids().as_slice(), &NEAR[..2]);
    }
    let answer = RouteQueryAnswer { next_peer: NEAR[2] };
    let mut buf = [0; 16];
    assert_eq!((answer.encode(&mut buf), buf), (Ok(16), NEAR[2]));
    assert_eq!(RouteQueryAnswer::decode(&buf), Ok((answer, &[][..])));
}

#[test]
fn malformed_bodies_are_refused() {
    type Ours = Update<'static, 16>;
    let incomplete = |needed| Err(DecodeError::Incomplete { needed });
    for (bytes, error) in [
        (&[][..], incomplete(4)),
        (&[0, 0, 0, 9], incomplete(1)),
        (&[0, 0, 0, 9, 0], Err(DecodeError::Kind(0))),
        (&[0, 0, 0, 9, 4], Err(DecodeError::Kind(4))),
        (&[0, 0, 0, 9, 2, 0], incomplete(1)),
        (
            &[0, 0, 0, 9, 2, 0, 15, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1],
            Err(DecodeError::Malformed(2)),
        ),
        (&[0, 0, 0, 9, 2, 0, 16, 7], incomplete(15)),
    ] {
        assert_eq!(Ours::decode(bytes), error);
    }
    assert_eq!(LeaveData::<16>::decode(&[3, 0, 0]), Err(DecodeError::Kind(3)));
    let none = LeaveData::FromSuccessor(NodeIds::<16>::default());
    assert_eq!(LeaveData::decode(&[1, 0, 0, 42]), Ok((none, &[42][..])));
    assert_eq!(none.encode(&mut [0; 2]), Err(BufferTooSmall { needed: 3 }));
}

#[test]
fn tshark_reads_what_is_written() {
    if Command::new("tshark").arg("-v").output().is_err() {
        eprintln!("no tshark, nothing judged");
        return;
    }
    let [predecessors, successors, fingers] = [&NEAR[..1], &NEAR[..2], &NEAR[..]].map(NodeIds::of);
    let full = ChordUpdate::Full { predecessors, successors, fingers };
    let neighbours = ChordUpdate::Neighbours { predecessors, successors };
    let leaves = [LeaveData::FromSuccessor(successors), LeaveData::FromPredecessor(predecessors)];
    let mut messages: Vec<(u16, Vec<u8>)> = [ChordUpdate::PeerReady, neighbours, full]
        .map(|chord| (19, update(&Update { uptime: 60, chord })))
        .into();
    messages.push((22, NEAR[1].to_vec()));
    for leave in leaves {
        let mut data = vec![0; leave.encoded_len()];
        leave.encode(&mut data).expect("room");
        assert_eq!(LeaveData::decode(&data), Ok((leave, &[][..])));
        // A Leave names who leaves, and has the overlay's data behind a length.
        let mut body = [NEAR[0].to_vec(), (data.len() as u16).to_be_bytes().to_vec()].concat();
        body.extend(data);
        messages.push((17, body));
    }
    let read = dissect(&messages);
    for (field, value) in [
        ("reload.chordupdate.type", "1,2,3"),
        ("reload.uptime", "60,60,60"),
        ("reload.chordroutequeryans.nodeid", "22222222222222222222222222222222"),
        ("reload.chordleavedata.type", "1,2"),
        ("_ws.malformed", ""),
    ] {
        assert_eq!(
            read.get(field).map(String::as_str).unwrap_or_default(),
            value,
            "{field}\n{read:?}"
        );
    }
}

fn update(update: &Update<'_, 16>) -> Vec<u8> {
    let mut bytes = vec![0; update.encoded_len()];
    assert_eq!(update.encode(&mut bytes), Ok(bytes.len()));
    assert_eq!(Update::decode(&bytes), Ok((*update, &[][..])));
    bytes
}

/// Returns the values of the fields that tshark finds, those of one field with commas between.
fn dissect(messages: &[(u16, Vec<u8>)]) -> std::collections::BTreeMap<String, String> {
    let dir = std::env::temp_dir().join(format!("chord-reload-{}", std::process::id()));
    std::fs::create_dir_all(&dir).expect("a folder");
    let text = dir.join("dump.txt");
    let capture = dir.join("dump.pcap");
    let mut dump = String::new();
    for (code, body) in messages {
        for (at, line) in framed(*code, body).chunks(16).enumerate() {
            let _ = write!(dump, "{:06x}", at * 16);
            for byte in line {
                let _ = write!(dump, " {byte:02x}");
            }
            dump.push('\n');
        }
    }
    std::fs::write(&text, dump).expect("written");
    let made =
        Command::new("text2pcap").args(["-q", "-u", "6084,6084"]).args([&text, &capture]).output();
    assert!(made.expect("it comes with tshark").status.success());
    let fields = [
        "reload.chordupdate.type",
        "reload.uptime",
        "reload.chordroutequeryans.nodeid",
        "reload.chordleavedata.type",
        "_ws.malformed",
    ];
    let mut tshark = Command::new("tshark");
    tshark.arg("-r").arg(&capture).args([
        "-T",
        "fields",
        "-E",
        "separator=;",
        "-o",
        "reload.nodeid_length:16",
    ]);
    for field in fields {
        tshark.args(["-e", field]);
    }
    let out = tshark.output().expect("it ran");
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    std::fs::remove_dir_all(dir).expect("it is ours");
    let mut read = std::collections::BTreeMap::<String, String>::new();
    for line in String::from_utf8_lossy(&out.stdout).lines() {
        for (field, value) in
            fields.iter().zip(line.split(';')).filter(|(_, value)| !value.is_empty())
        {
            let all = read.entry((*field).to_owned()).or_default();
            if !all.is_empty() {
                all.push(',');
            }
            all.push_str(value);
        }
    }
    read
}

/// A message around a body (sections 6.3.2 to 6.3.4, 6.6.2): from and to node 0, unsigned.
fn framed(code: u16, body: &[u8]) -> Vec<u8> {
    let contents = [
        code.to_be_bytes().to_vec(),
        (body.len() as u32).to_be_bytes().to_vec(),
        body.to_vec(),
        vec![0; 4], // no extensions
    ]
    .concat();
    // No certificate; an anonymous signature of nothing, with the identity "none".
    let security = [0, 0, 0, 0, 3, 0, 0, 0, 0];
    let destination = [[1, 16].to_vec(), vec![0; 16]].concat(); // a node identifier and its length
    let length = 38 + destination.len() + contents.len() + security.len();
    let mut message = Vec::new();
    message.extend(0xd245_4c4f_u32.to_be_bytes());
    message.extend([0, 0, 0, 1, 0, 1, 0x0a, 10]); // overlay, configuration, version 1.0, TTL
    message.extend(0xc000_0000_u32.to_be_bytes()); // the only fragment
    message.extend((length as u32).to_be_bytes());
    message.extend([0, 0, 0, 0, 0, 0, code as u8, body.len() as u8]); // transaction
    message.extend([0; 4]); // any length of the answer
    message.extend([0, 0]); // no via list
    message.extend((destination.len() as u16).to_be_bytes());
    message.extend([0, 0]); // no options
    message.extend(destination);
    message.extend(contents);
    message.extend(security);
    let mut frame = vec![128, 0, 0, 0, code as u8]; // data, and its sequence number
    frame.extend(&(message.len() as u32).to_be_bytes()[1..]);
    frame.extend(message);
    frame
}
