//! Body of the extension protocol.

use bittorrent_pieces::wire::extended::{
    DontHave, Extended, ExtendedHandshake, HandshakeDraft, Metadata, Pex,
};

/// Any bytes are an extended message or not; what was read is written and read again as the same.
pub fn extended(bytes: &[u8]) {
    let Ok(extended) = Extended::decode(bytes) else { return };
    let body = extended.body;
    let mut out = vec![0; bytes.len() + 200];
    assert_eq!(extended.encode(&mut out), Ok(extended.encoded_len()));
    assert_eq!(out[5..extended.encoded_len()], *bytes);
    if let Ok(hello) = ExtendedHandshake::decode(body) {
        let mut ids: Vec<_> = hello.ids().collect();
        ids.sort_unstable();
        let draft = HandshakeDraft {
            ids: &ids,
            metadata_size: hello.metadata_size,
            port: hello.port,
            request_queue: hello.request_queue,
            upload_only: hello.upload_only,
            version: hello.version,
            your_ip: hello.your_ip,
        };
        let len = draft.encode(&mut out).expect("each name once");
        let again = ExtendedHandshake::decode(&out[..len]).expect("what we write is right");
        assert!(again.ids().eq(ids) && again.port == hello.port && again.your_ip == hello.your_ip);
    }
    if let Ok(metadata) = Metadata::decode(body) {
        let len = metadata.encode(&mut out).expect("it says no more");
        assert_eq!(Metadata::decode(&out[..len]), Ok(metadata));
    }
    if let Ok(pex) = Pex::decode(body, true) {
        let len = pex.encode(&mut out).expect("it says no more");
        assert_eq!(Pex::decode(&out[..len], true), Ok(pex));
        assert!(pex.added().count() <= 200 && pex.dropped().count() <= 200);
        let later = Pex::decode(body, false).expect("the same dictionary");
        assert!(later.added().count() <= 100 && later.dropped().count() <= 100);
    }
    if let Ok(lost) = DontHave::decode(body) {
        assert_eq!(lost.to_bytes(), *body);
    }
}
