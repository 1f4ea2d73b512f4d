//! A sensor that gets its firmware from neighbours by radio, with its own messages, and only needs to know which block to ask
//! of which one. Built for a device this is a program without `std`; built for a desk it prints.
#![cfg_attr(target_os = "none", no_std, no_main)]

use bittorrent_pieces::picker::{
    BlockSlot, PartialSlot, PeerPieces, PickerSlots, PieceSlot, RarestSlot, Selection,
    block_slots_of, piece_slots,
};
use bittorrent_pieces::{Bitfield, Block, ConnId, Geometry, Picker};

const PIECES: u32 = 16;
const PIECE_LEN: u32 = 32 << 10;
const OPEN: usize = 2; // pieces at a time

type Storage = PickerSlots<
    'static,
    [PieceSlot; piece_slots(PIECES)],
    [RarestSlot; 0],
    [PartialSlot; OPEN],
    [BlockSlot; block_slots_of(PIECE_LEN, OPEN)],
>;

/// Returns the memory, for a `static`.
const fn storage() -> Storage {
    let Ok(geometry) = Geometry::new((PIECES * PIECE_LEN) as u64, PIECE_LEN) else {
        panic!("the image has pieces");
    };
    PickerSlots {
        geometry,
        pieces: [PieceSlot::EMPTY; piece_slots(PIECES)],
        rarest: [],
        partials: [PartialSlot::EMPTY; OPEN],
        blocks: [BlockSlot::EMPTY; block_slots_of(PIECE_LEN, OPEN)],
    }
}

/// Gets all pieces from one neighbour that has them. Returns the number of blocks.
fn load(storage: &mut Storage) -> Option<u32> {
    let mut picker = Picker::new(7, Bitfield::new(PIECES, &[0, 0][..]).ok()?, storage).ok()?;
    let neighbour = ConnId(1);
    picker.join(&PeerPieces::All);
    let mut blocks = [Block::default(); 2];
    let mut received = 0_u32;
    loop {
        let picked = picker.pick(neighbour, &PeerPieces::All, &Selection::new(), &mut blocks);
        if picked == 0 {
            return Some(received);
        }
        for block in blocks.get(..picked)? {
            picker.receive(neighbour, *block, 0); // once the radio has it, with its checksum
            received = received.saturating_add(1);
        }
        while let Some(piece) = picker.next_full() {
            picker.passed(piece, |_| {}); // its hash is right; else `failed`
        }
    }
}

#[cfg(not(target_os = "none"))]
fn main() {
    static STORED: std::sync::Mutex<Storage> = std::sync::Mutex::new(storage());
    let blocks = load(&mut STORED.lock().expect("not poisoned"));
    println!("{blocks:?} blocks with {} bytes of storage", size_of::<Storage>());
}

#[cfg(target_os = "none")]
mod device {
    use core::hint::black_box;

    #[panic_handler]
    fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
        loop {}
    }

    #[unsafe(no_mangle)]
    extern "C" fn _start() -> ! {
        let mut storage = super::storage();
        black_box(super::load(black_box(&mut storage)));
        loop {}
    }
}
