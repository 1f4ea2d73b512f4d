//! Message stream encryption against complete handshakes with fixed keys, and of both roles with each other.

mod common;

use bittorrent_pieces::InfoHash;
use bittorrent_pieces::encryption::{
    Attempt, EncryptedStream, EncryptionError, EncryptionPolicy, Method, NotReady, ObfuscatedHash,
};
use common::{rows, unhex};
use proptest::collection::vec;
use proptest::prelude::*;

const TABLE: &str = include_str!("data/mse.txt");

fn value(section: &str, name: &str) -> Vec<u8> {
    let found = rows(TABLE, section).find(|row| row[1] == name);
    unhex(found.expect(name).get(2).copied().unwrap_or_default())
}

fn key(name: &str) -> [u8; 20] {
    value("common", name).try_into().unwrap()
}

fn torrent() -> InfoHash {
    InfoHash(key("skey"))
}

fn find(hash: ObfuscatedHash) -> Option<InfoHash> {
    (hash == ObfuscatedHash::of(torrent())).then(torrent)
}

fn dialler(policy: EncryptionPolicy) -> EncryptedStream {
    EncryptedStream::dial(policy, torrent(), key("xa"), 1)
}

fn acceptor(policy: EncryptionPolicy) -> EncryptedStream {
    EncryptedStream::accept(policy, key("xb"), 2)
}

/// Returns all handshake bytes that are due.
fn transmit(stream: &mut EncryptedStream) -> Vec<u8> {
    let mut buf = [0; EncryptedStream::TRANSMIT_LEN];
    let mut out = Vec::new();
    while let Some(len) = stream.poll_transmit(&mut buf).unwrap() {
        out.extend_from_slice(&buf[..len]);
    }
    out
}

/// Hands over bytes in slices of `step`, as a socket may; returns the payload.
fn receive(
    stream: &mut EncryptedStream,
    bytes: &[u8],
    step: usize,
) -> Result<Vec<u8>, EncryptionError> {
    let mut waiting = Vec::new();
    let payload = receive_more(stream, &mut waiting, bytes, step)?;
    assert!(waiting.is_empty(), "all bytes are processed");
    Ok(payload)
}

/// Hands over bytes behind those that wait.
fn receive_more(
    stream: &mut EncryptedStream,
    waiting: &mut Vec<u8>,
    bytes: &[u8],
    step: usize,
) -> Result<Vec<u8>, EncryptionError> {
    let mut payload = Vec::new();
    for slice in bytes.chunks(step) {
        waiting.extend_from_slice(slice);
        let received = stream.handle_bytes(waiting, &find)?;
        payload.extend_from_slice(received.outcome.unwrap_or_default());
        let consumed = received.consumed;
        assert!(waiting.len() - consumed <= 95, "at most 95 bytes wait");
        waiting.drain(..consumed);
    }
    Ok(payload)
}

/// An RC4 of the test's own, so that what we send is not judged by the code that made it.
fn rc4(key: &[u8], skip: usize, bytes: &[u8]) -> Vec<u8> {
    let mut state: Vec<u8> = (0..=255).collect();
    let mut j = 0_usize;
    for i in 0..256 {
        j = (j + usize::from(state[i]) + usize::from(key[i % key.len()])) % 256;
        state.swap(i, j);
    }
    let mut i = 0;
    j = 0;
    let mut stream = core::iter::repeat_with(|| {
        i = (i + 1) % 256;
        j = (j + usize::from(state[i])) % 256;
        state.swap(i, j);
        state[(usize::from(state[i]) + usize::from(state[j])) % 256]
    });
    let stream = stream.by_ref().skip(1_024 + skip);
    bytes.iter().zip(stream).map(|(byte, key)| byte ^ key).collect()
}

#[test]
fn the_test_cipher_is_that_of_rfc_6229() {
    let stream = rc4(&[1, 2, 3, 4, 5], 0, &[0; 4]);
    assert_eq!(stream, [0x30, 0xAB, 0xBC, 0xC7]);
}

/// The dialling side against the bytes of the other side, with both methods and any segmentation.
#[test]
fn a_dialler_speaks_the_handshakes_of_the_vectors() {
    for (section, method) in [("rc4", Method::Rc4), ("plaintext", Method::Plaintext)] {
        for step in [1, 7, 96, 4_096] {
            let mut stream = dialler(EncryptionPolicy::Allow);
            assert_eq!(stream.send_early(&value("common", "ia_plain")), 68);
            let first = transmit(&mut stream);
            assert_eq!(first[..96], value("common", "ya"));
            assert!(first.len() <= 96 + 512);
            let second = value("common", "message_2_b_to_a");
            let mut waiting = second.clone();
            let consumed = stream.handle_bytes(&mut waiting, &find).unwrap().consumed;
            assert!(consumed >= 96);
            assert_eq!(transmit(&mut stream), value(section, "message_3_a_to_b"), "{section}");
            assert_eq!(stream.send_early(b"late"), 0);
            let mut rest = second[consumed..].to_vec();
            rest.extend(value(section, "message_4_head"));
            rest.extend(value(section, "message_4_handshake"));
            assert_eq!(stream.method(), None);
            let payload = receive(&mut stream, &rest, step).unwrap();
            assert_eq!(payload, value("common", "b_handshake_plain"), "{section} {step}");
            assert_eq!(stream.method(), Some(method));
            let mut interested = unhex("0000000102");
            stream.encrypt(&mut interested).unwrap();
            assert_eq!(interested, value(section, "next_a_to_b_interested"), "{section}");
        }
    }
}

/// The accepting side; what it sends is read with an RC4 of the test's own, since its padding is empty.
#[test]
fn an_acceptor_speaks_the_handshakes_of_the_vectors() {
    for (section, policy) in
        [("rc4", EncryptionPolicy::Prefer), ("plaintext", EncryptionPolicy::Allow)]
    {
        for step in [1, 7, 96, 4_096] {
            let mut stream = acceptor(policy);
            assert_eq!(transmit(&mut stream), [], "it waits for the key of the other side");
            let mut bytes = value("common", "message_1_a_to_b");
            bytes.extend(value(section, "message_3_a_to_b"));
            let early = receive(&mut stream, &bytes, step).unwrap();
            assert_eq!(early, value("common", "ia_plain"), "{section} {step}");
            assert_eq!(stream.torrent(), Some(torrent()));
            assert_eq!(stream.encrypt(&mut [0]), Err(NotReady), "the answer comes first");
            let sent = transmit(&mut stream);
            assert_eq!(sent[..96], value("common", "yb"));
            let head = &sent[sent.len() - 14..];
            let expected = &value(section, "message_4_plain_head")[..12];
            let plain = rc4(&key("key_b"), 0, head);
            assert_eq!(&plain[..12], expected, "{section}");
            assert_eq!(head[..12], value(section, "message_4_head")[..12], "{section}");
            assert_eq!(plain[12..], [0, 0]);
            let mut handshake = value("common", "b_handshake_plain");
            stream.encrypt(&mut handshake).unwrap();
            let readable =
                if section == "rc4" { rc4(&key("key_b"), 14, &handshake) } else { handshake };
            assert_eq!(readable, value("common", "b_handshake_plain"), "{section}");
            let next = value(section, "next_a_to_b_interested");
            assert_eq!(receive(&mut stream, &next, step).unwrap(), unhex("0000000102"));
        }
    }
}

/// Lets both sides talk until both are ready, or one refuses.
fn meet(
    one: &mut EncryptedStream,
    two: &mut EncryptedStream,
) -> Result<[Option<Method>; 2], EncryptionError> {
    let mut inboxes = [Vec::new(), Vec::new()];
    for _ in 0..4 {
        inboxes[1].extend(transmit(one));
        let consumed = two.handle_bytes(&mut inboxes[1], &find)?.consumed;
        inboxes[1].drain(..consumed);
        inboxes[0].extend(transmit(two));
        let consumed = one.handle_bytes(&mut inboxes[0], &find)?.consumed;
        inboxes[0].drain(..consumed);
    }
    assert!(one.is_ready() && two.is_ready());
    assert!(inboxes.iter().all(Vec::is_empty));
    Ok([one.method(), two.method()])
}

#[test]
fn the_acceptor_selects_what_its_policy_prefers() {
    use EncryptionPolicy::{Allow, Prefer, Require};
    for (dials, accepts, method) in [
        (Allow, Allow, Method::Plaintext),
        (Allow, Prefer, Method::Rc4),
        (Allow, Require, Method::Rc4),
        (Prefer, Allow, Method::Plaintext),
        (Prefer, Prefer, Method::Rc4),
        (Prefer, Require, Method::Rc4),
        (Require, Allow, Method::Rc4),
        (Require, Prefer, Method::Rc4),
        (Require, Require, Method::Rc4),
    ] {
        let met = meet(&mut dialler(dials), &mut acceptor(accepts));
        assert_eq!(met, Ok([Some(method); 2]), "{dials:?} {accepts:?}");
    }
}

#[test]
fn plain_peers_are_accepted_unless_encryption_is_required() {
    let handshake = value("common", "ia_plain");
    for policy in [EncryptionPolicy::Off, EncryptionPolicy::Allow, EncryptionPolicy::Prefer] {
        for step in [1, 19, 68] {
            let mut stream = acceptor(policy);
            assert_eq!(receive(&mut stream, &handshake, step), Ok(handshake.clone()), "{policy:?}");
            assert_eq!(stream.method(), Some(Method::Plaintext));
            assert_eq!(transmit(&mut stream), []);
            assert!(stream.is_ready());
        }
    }
    let refused = receive(&mut acceptor(EncryptionPolicy::Require), &handshake, 68);
    assert_eq!(refused, Err(EncryptionError::PlainRefused));
}

#[test]
fn a_plain_answer_asks_for_a_plain_attempt() {
    let mut stream = dialler(EncryptionPolicy::Prefer);
    transmit(&mut stream);
    let error = receive(&mut stream, &value("common", "b_handshake_plain"), 68).unwrap_err();
    assert_eq!(error, EncryptionError::PlainAnswer);
    assert_eq!(error.retry(), Some(Attempt::Plain));
    assert!(EncryptionPolicy::Prefer.attempts().contains(&Attempt::Plain));
    assert!(!EncryptionPolicy::Require.attempts().contains(&Attempt::Plain));
}

/// A plain handshake is known by its first 20 bytes, `\x13BitTorrent protocol` (BEP 3), and by no fewer.
#[test]
fn a_plain_handshake_is_known_by_twenty_bytes() {
    let plain = value("common", "b_handshake_plain");
    let mut stream = acceptor(EncryptionPolicy::Prefer);
    assert_eq!(stream.handle_bytes(&mut plain[..19].to_vec(), &find).unwrap().consumed, 0);
    assert_eq!(stream.method(), None);
    assert_eq!(receive(&mut stream, &plain[..20], 20).unwrap(), plain[..20]);
    assert_eq!(stream.method(), Some(Method::Plaintext));
}

/// Payload is sent early until the message that carries it is written.
#[test]
fn early_payload_is_taken_until_it_is_sent() {
    let mut stream = dialler(EncryptionPolicy::Allow);
    transmit(&mut stream);
    assert_eq!(stream.send_early(b"some"), 4);
    stream.handle_bytes(&mut value("common", "message_2_b_to_a"), &find).unwrap();
    assert_eq!(stream.send_early(b"more"), 4);
    transmit(&mut stream);
    assert_eq!(stream.send_early(b"late"), 0);
}

#[test]
fn without_encryption_bytes_pass_unchanged_in_both_directions() {
    for mut stream in
        [EncryptedStream::plain(), dialler(EncryptionPolicy::Off), acceptor(EncryptionPolicy::Off)]
    {
        assert!(stream.is_ready());
        let mut bytes = *b"anything";
        stream.encrypt(&mut bytes).unwrap();
        assert_eq!(&bytes, b"anything");
        assert_eq!(receive(&mut stream, &bytes, 3).unwrap(), b"anything");
        assert_eq!(stream.send_early(b"x"), 0);
    }
}

/// Returns message 3 with a change in its encrypted head, which begins at byte 40.
fn changed_head(at: usize, mask: u8) -> Vec<u8> {
    let mut message = value("rc4", "message_3_a_to_b");
    message[40 + at] ^= mask;
    message
}

#[test]
fn a_wrong_handshake_names_its_fault_and_ends_the_stream() {
    let first = || value("common", "message_1_a_to_b");
    let behind = |message: Vec<u8>| [first(), message].concat();
    let mut unknown = value("rc4", "message_3_a_to_b");
    unknown[20] ^= 1;
    let endless = [value("common", "ya"), vec![0; 533]].concat();
    for (what, bytes, error) in [
        ("no pattern", endless, EncryptionError::Synchronization),
        ("another torrent", behind(unknown), EncryptionError::UnknownTorrent),
        ("another constant", behind(changed_head(0, 1)), EncryptionError::Verification),
        ("unknown methods", behind(changed_head(11, 3 ^ 4)), EncryptionError::Method(4)),
        ("long padding", behind(changed_head(12, 4)), EncryptionError::Padding(1_024)),
    ] {
        let mut stream = acceptor(EncryptionPolicy::Prefer);
        let result = receive(&mut stream, &bytes, 4_096);
        assert_eq!(result, Err(error), "{what}");
        assert_eq!(receive(&mut stream, b"more", 4), Err(error), "{what}");
        assert!(!stream.is_ready());
        assert_eq!(transmit(&mut stream), [], "{what}: nothing more is sent");
    }
}

#[test]
fn padding_of_512_bytes_is_accepted_and_of_513_is_not() {
    for (len, accepted) in [(0, true), (512, true), (513, false)] {
        for step in [1, 600, 4_096] {
            let bytes = [value("common", "ya"), vec![0xAA; len], value("rc4", "message_3_a_to_b")];
            let result = receive(&mut acceptor(EncryptionPolicy::Prefer), &bytes.concat(), step);
            assert_eq!(result.is_ok(), accepted, "{len} {step}");
        }
    }
}

#[test]
fn only_a_method_that_was_offered_may_be_selected() {
    let mut stream = dialler(EncryptionPolicy::Require);
    transmit(&mut stream);
    let mut bytes = value("common", "message_2_b_to_a");
    bytes.extend(value("plaintext", "message_4_head"));
    assert_eq!(receive(&mut stream, &bytes, 4_096), Err(EncryptionError::Method(1)));
    let mut both = value("rc4", "message_4_head");
    both[11] ^= 2 ^ 3;
    let mut stream = dialler(EncryptionPolicy::Prefer);
    let bytes = [value("common", "message_2_b_to_a"), both].concat();
    assert_eq!(receive(&mut stream, &bytes, 4_096), Err(EncryptionError::Method(3)));
}

#[test]
fn weak_public_keys_are_refused() {
    for section in ["zero", "one", "prime_minus_1", "above_prime"] {
        let mut stream = acceptor(EncryptionPolicy::Prefer);
        let result = receive(&mut stream, &value(section, "y"), 96);
        assert_eq!(result, Err(EncryptionError::PublicKey), "{section}");
    }
}

#[test]
fn a_short_buffer_changes_nothing() {
    let mut stream = dialler(EncryptionPolicy::Prefer);
    let needed = stream.poll_transmit(&mut []).unwrap_err().needed;
    assert!((96..=EncryptedStream::TRANSMIT_LEN).contains(&needed));
    assert_eq!(stream.poll_transmit(&mut vec![0; needed - 1]).unwrap_err().needed, needed);
    assert_eq!(stream.poll_transmit(&mut vec![0; needed]), Ok(Some(needed)));
    receive(&mut stream, &value("common", "yb"), 96).unwrap();
    let needed = stream.poll_transmit(&mut [0; 3]).unwrap_err().needed;
    let mut message = vec![0; needed];
    assert_eq!(stream.poll_transmit(&mut message), Ok(Some(needed)));
    assert_eq!(message[..40], value("rc4", "message_3_a_to_b")[..40]);
}

#[test]
fn the_length_of_the_padding_depends_on_the_seed() {
    let lengths = (0..64).map(|seed| {
        let mut stream = EncryptedStream::accept(EncryptionPolicy::Prefer, key("xb"), seed);
        receive(&mut stream, &value("common", "ya"), 96).unwrap();
        transmit(&mut stream).len() - 96
    });
    let lengths: std::collections::BTreeSet<_> = lengths.collect();
    assert!(lengths.len() > 50 && lengths.last() <= Some(&512), "{lengths:?}");
}

#[test]
fn a_stream_takes_at_most_760_bytes() {
    assert!(size_of::<EncryptedStream>() <= 760, "{}", size_of::<EncryptedStream>());
}

fn policy() -> impl Strategy<Value = EncryptionPolicy> {
    use EncryptionPolicy::{Allow, Off, Prefer, Require};
    prop::sample::select(vec![Off, Allow, Prefer, Require])
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Any keys, padding and segmentation: the payload of both sides arrives.
    #[test]
    fn payload_arrives_in_any_segments(
        private_keys in any::<[[u8; 20]; 2]>(),
        seeds in any::<[u64; 2]>(),
        step in 1_usize..700,
        early in vec(any::<u8>(), 0..100),
        payload in vec(any::<u8>(), 1..2_000),
        forced in any::<bool>(),
    ) {
        prop_assume!(private_keys.iter().all(|key| key[..19] != [0; 19]));
        let dials = if forced { EncryptionPolicy::Require } else { EncryptionPolicy::Prefer };
        let mut one = EncryptedStream::dial(dials, torrent(), private_keys[0], seeds[0]);
        let mut two = EncryptedStream::accept(EncryptionPolicy::Allow, private_keys[1], seeds[1]);
        let taken = one.send_early(&early);
        prop_assert_eq!(taken, early.len().min(68));
        let mut inboxes = [Vec::new(), Vec::new()];
        let mut arrived = Vec::new();
        for _ in 0..2 {
            let sent = transmit(&mut one);
            arrived.extend(receive_more(&mut two, &mut inboxes[1], &sent, step).unwrap());
            let sent = transmit(&mut two);
            prop_assert_eq!(receive_more(&mut one, &mut inboxes[0], &sent, step).unwrap(), []);
        }
        let mut answer = payload.clone();
        two.encrypt(&mut answer).unwrap();
        let read = receive_more(&mut one, &mut inboxes[0], &answer, step).unwrap();
        prop_assert_eq!(read, payload.clone());
        let mut sent = payload.clone();
        one.encrypt(&mut sent).unwrap();
        arrived.extend(receive_more(&mut two, &mut inboxes[1], &sent, step).unwrap());
        prop_assert_eq!(arrived, [&early[..taken], &payload].concat());
    }

    /// Any bytes in any order of calls: no panic, and nothing is made of what is not a handshake.
    #[test]
    fn any_bytes_and_calls_are_legal(
        dials in any::<bool>(),
        policy in policy(),
        calls in vec((0_u8..4, vec(any::<u8>(), 0..200)), 0..30),
    ) {
        let mut stream = if dials { dialler(policy) } else { acceptor(policy) };
        let mut waiting = Vec::new();
        for (call, bytes) in calls {
            match call {
                0 => {
                    let mut buf = vec![0; bytes.len() * 4];
                    let _ = stream.poll_transmit(&mut buf);
                }
                1 => {
                    let before = bytes.clone();
                    let mut bytes = bytes;
                    let ready = stream.is_ready();
                    prop_assert_eq!(stream.encrypt(&mut bytes).is_ok(), ready);
                    prop_assert!(ready || bytes == before);
                }
                2 => {
                    prop_assert!(stream.send_early(&bytes) <= bytes.len().min(68));
                }
                _ => {
                    waiting.extend(bytes);
                    if let Ok(received) = stream.handle_bytes(&mut waiting, &find) {
                        let consumed = received.consumed;
                        prop_assert!(received.outcome.is_none_or(|payload| payload.len() <= consumed));
                        waiting.drain(..consumed);
                    }
                }
            }
        }
    }
}
