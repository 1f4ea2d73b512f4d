#!/usr/bin/env bash
# gnutella-wire for devices: its features without an allocator, and the text of a leaf with a query-routing table for
# Cortex-M4F, linked with nothing but what a leaf calls. Its slots are a static that takes no bytes of the image.
set -euo pipefail
target=thumbv7em-none-eabihf
rustup target add "$target"
for features in deflate opennap deflate,opennap; do
    cargo build --quiet -p gnutella-wire --no-default-features --features "$features" --target "$target"
done
leaf=target/leaf-size
mkdir -p "$leaf/src"
cat >"$leaf/Cargo.toml" <<EOF
[package]
name = "leaf-size"
version = "0.0.0"
edition = "2024"
[workspace]
[dependencies]
gnutella-wire = { path = "$PWD/gnutella-wire" }
[profile.release]
opt-level = "s"
lto = "fat"
codegen-units = 1
panic = "abort"
EOF
cat >"$leaf/src/main.rs" <<'EOF'
#![no_std]
#![no_main]
use core::hint::black_box;
use core::ptr::addr_of_mut;
use core::net::{Ipv4Addr, SocketAddrV4};
use core::time::Duration;
use gnutella_wire::wire::{HitData, Payload, Query, Record, Records};
use gnutella_wire::head::{Head, HeadLimits};
use gnutella_wire::hosts::HostSlot;
use gnutella_wire::routes::RouteSlot;
use gnutella_wire::servent::QuerySlot;
use gnutella_wire::{Config, ConnId, ConnSlot, Guid, Neighbour, Servent, ServentId, ServentSlots, Text};

type Slots = ServentSlots<[ConnSlot; 3], [RouteSlot; 64], [HostSlot; 16], [QuerySlot; 2], [u8; 2048]>;

static mut SLOTS: Slots = ServentSlots {
    conns: [ConnSlot::EMPTY; 3],
    routes: [RouteSlot::EMPTY; 64],
    hosts: [HostSlot::EMPTY; 16],
    queries: [QuerySlot::EMPTY; 2],
    tables: [0; 2048],
};

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}

/// A leaf that shares, searches and answers: each call as a driver makes it.
#[unsafe(no_mangle)]
extern "C" fn _start() -> ! {
    let address = SocketAddrV4::new(Ipv4Addr::new(10, 0, 0, 7), 6346);
    let config = Config::embedded_leaf(ServentId([7; 16]), address);
    let slots = unsafe { &mut *addr_of_mut!(SLOTS) };
    let Ok(mut node) = Servent::new(config, slots) else { loop {} };
    let mut buf = [0; 1024];
    node.share(Duration::ZERO, black_box("Hey Jude.mp3"));
    loop {
        let now = black_box(Duration::ZERO);
        let received: &[u8] = black_box(&[]);
        if let Ok((head, _)) = Head::decode(received, HeadLimits::GTKG) {
            let neighbour = Neighbour::of_head(&head);
            black_box(node.handle_connected(now, ConnId(0), neighbour).is_ok());
        }
        if let Ok(received) = node.handle_bytes(now, ConnId(0), received)
            && let Some(message) = received.outcome.and_then(|handled| handled.message)
            && let Payload::Query(query) = message.payload
        {
            let found = [Record { index: 1, size: 1, name: query.text, extensions: Text::EMPTY }];
            if let Some(records) = Records::from_slice(&found) {
                black_box(node.answer(now, message.guid, records, HitData::EMPTY, &mut buf).is_ok());
            }
        }
        let text = Text::new(black_box(b"words")).unwrap_or_default();
        black_box(node.search(now, Guid([1; 16]), &Query::new(text), &mut buf).is_ok());
        node.handle_timeout(now);
        while let Ok(Some(own)) = node.poll_transmit(&mut buf) {
            black_box(own);
        }
        black_box((node.poll_event(), node.poll_timeout()));
    }
}
EOF
cargo build --quiet --release --target "$target" --target-dir "$leaf/target" --manifest-path "$leaf/Cargo.toml"
elf="$leaf/target/$target/release/leaf-size"
size() { readelf -SW "$elf" | awk -v name=".$1" '{ sub(/^ *\[ *[0-9]+\] */, "") } $1 == name { print $5 }'; }
text=$((16#$(size text)))
data=$(size data); data=$((16#${data:-0}))
bss=$((16#$(size bss)))
rodata=$((16#$(size rodata)))
echo "a leaf with a table for $target: text $text bytes, rodata $rodata, data $data, bss $bss"
[ "$text" -gt 4000 ]
[ "$text" -le 38912 ]
[ "$rodata" -le 3584 ]
[ "$data" -eq 0 ]
[ "$bss" -gt 4000 ]
