//! Properties of all that the crate does, for any bytes.

mod bodies;

use proptest::collection::vec;
use proptest::prelude::*;

fn body(name: &str) -> fn(&[u8]) {
    bodies::BODIES.iter().find(|(known, _)| *known == name).expect("the body exists").1
}

/// A failing case belongs into the corpus, not into a file of its own.
fn config() -> ProptestConfig {
    ProptestConfig { failure_persistence: None, ..ProptestConfig::default() }
}

macro_rules! laws {
    ($($test:ident, $name:literal, $len:literal;)*) => {
        proptest! {
            #![proptest_config(config())]
            $(
            #[test]
            fn $test(bytes in vec(any::<u8>(), 0..$len)) {
                body($name)(&bytes);
            }
            )*
        }
    };
}

laws! {
    any_bytes_are_bencode_or_not, "bittorrent_bencode", 200;
    any_bytes_are_a_torrent_file_or_not, "bittorrent_metainfo", 200;
    any_bytes_are_messages_or_not, "bittorrent_wire", 200;
    any_bits_count_right, "bittorrent_bitfield", 200;
    any_events_leave_the_picker_sound, "bittorrent_picker", 800;
    any_events_leave_slots_in_bounds, "bittorrent_choker", 400;
    any_order_of_calls_keeps_the_laws, "bittorrent_torrent", 1200;
    any_bytes_are_an_answer_over_http_or_not, "bittorrent_http", 200;
    any_bytes_are_packets_of_a_udp_tracker_or_not, "bittorrent_udp", 200;
    any_bytes_are_a_link_or_not, "bittorrent_magnet", 100;
    any_bytes_keep_the_rules_of_the_fast_extension, "bittorrent_fast", 200;
    any_bytes_are_an_extended_message_or_not, "bittorrent_extended", 200;
    any_bytes_are_a_request_over_http_or_not, "bittorrent_http_request", 200;
    any_bytes_are_a_message_of_the_dht_or_not, "bittorrent_krpc", 200;
    any_order_of_calls_keeps_the_laws_of_a_dht_node, "bittorrent_dht", 600;
    any_order_of_calls_keeps_the_laws_of_a_fetch, "bittorrent_fetch", 600;
    any_order_of_calls_keeps_the_laws_of_a_udp_tracker, "bittorrent_udp_tracker", 600;
    any_order_of_calls_keeps_the_laws_of_a_peer_book, "bittorrent_peer_book", 600;
    any_bytes_are_a_packet_of_utp_or_not, "bittorrent_utp_packet", 60;
    any_order_of_calls_keeps_the_laws_of_a_utp_endpoint, "bittorrent_utp", 800;
    any_order_of_calls_keeps_the_laws_of_a_web_seed, "bittorrent_web_seed", 800;
}

proptest! {
    #![proptest_config(config())]

    /// Text over the alphabet of bencode gets deeper than random bytes.
    #[test]
    fn bencode_like_text_decodes_or_fails(text in "[ilde0-9:a-c]{0,40}") {
        body("bittorrent_bencode")(text.as_bytes());
    }

    #[test]
    fn text_behind_announce_decodes_or_fails(text in "(&(ip|port|left|event|key|numwant)=[a-d0-9:.%]{0,9}){0,5}") {
        let ids = "info_hash=aaaaaaaaaaaaaaaaaaaa&peer_id=%00%01bbbbbbbbbbbbbbbbbb&port=1";
        body("bittorrent_http_request")(format!("/announce?{ids}{text}").as_bytes());
    }

    #[test]
    fn text_behind_a_hash_decodes_or_fails(text in "(&(dn|tr|x.pe|so|xt)=[a0-9:,%.\\[\\]-]{0,12}){0,4}") {
        let hash = "magnet:?xt=urn:btih:e4c9cc93f9679a5a513ea8d646821bb5eba48527";
        body("bittorrent_magnet")(format!("{hash}{text}").as_bytes());
    }

    #[test]
    fn metainfo_with_a_changed_byte_decodes_or_fails(at in 0..130_usize, byte: u8) {
        let mut file = b"d8:announce3:url4:infod5:filesld6:lengthi3e4:pathl1:a1:beed6:lengthi0e\
            4:pathl1:ceee4:name1:n12:piece lengthi16384e6:pieces20:01234567890123456789ee".to_vec();
        body("bittorrent_metainfo")(&file);
        if let Some(place) = file.get_mut(at) {
            *place = byte;
        }
        body("bittorrent_metainfo")(&file);
    }
}

/// Every seed of the corpus holds, and every body has one.
#[test]
fn every_seed_of_the_fuzz_corpus_keeps_the_laws() {
    for (name, body) in bodies::BODIES {
        let folder = format!("{}/../fuzz/corpus/{name}", env!("CARGO_MANIFEST_DIR"));
        let files: Vec<_> = std::fs::read_dir(&folder).expect(&folder).collect();
        assert!(!files.is_empty(), "{folder} is empty");
        for file in files {
            body(&std::fs::read(file.expect("a file").path()).expect("it can be read"));
        }
    }
}
