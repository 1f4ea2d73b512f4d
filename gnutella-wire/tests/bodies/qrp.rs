//! Bodies of query routing.

use gnutella_wire::DecodeError;
use gnutella_wire::qrp::{
    KeywordHash, KeywordRules, MatchRule, PatchEncoder, Progress, QrpError, QueryTable,
    TableReceiver,
};
use gnutella_wire::wire::{Compressor, Function, Patch, Qrp, Reset};
use sim::laws::Input;

/// A payload of function 30 encodes back to its bytes, but for what follows a RESET.
pub fn payload(bytes: &[u8]) {
    match Qrp::decode(bytes) {
        Ok(qrp) => {
            let mut out = vec![0; qrp.encoded_len()];
            assert_eq!(qrp.encode(&mut out), Ok(out.len()));
            assert!(bytes.starts_with(&out) && (out.len() == bytes.len() || bytes[0] == 0));
            assert_eq!(Qrp::decode(&out), Ok(qrp));
            assert!(qrp.encode(&mut out[1..]).is_err_and(|e| e.needed == qrp.encoded_len()));
            assert!(!qrp.to_string().is_empty());
        }
        Err(error) => {
            let function = Function::QRP;
            let len = bytes.len();
            assert_eq!(error, DecodeError::Malformed { function, len });
        }
    }
}

/// A receiver of any memory holds what a model of whole bytes holds, whatever comes.
pub fn receiver(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let memory = 1 + input.below(40);
    let mut table = TableReceiver::new(vec![0xFF; memory]).unwrap();
    let mut model = Model::default();
    while !input.is_empty() {
        let before = format!("{table:?}");
        let done = match input.below(4) {
            0 => reset(&mut table, &mut model, &mut input),
            1 => in_pieces(&mut table, &mut model, &mut input),
            _ => {
                patch(&mut table, &mut model, &mut input);
                Ok(())
            }
        };
        if let Err(error) = done {
            let partly = matches!(error, QrpError::Overflow { .. } | QrpError::Short { .. });
            assert!(partly || format!("{table:?}") == before, "{error}: changed");
            assert!(error.bye_code().is_some() && !error.to_string().is_empty());
        }
        model.compare(&table, memory);
    }
}

/// What the neighbour's slots would be, or of a folded table all that they ever were.
#[derive(Default)]
struct Model {
    slots: Option<Vec<bool>>,
    bytes: usize, // of entries, of the present sequence
    seq: u8,      // messages of the present sequence
    folded: bool,
    whole: bool,
}

impl Model {
    fn apply(&mut self, entry_bits: u8, data: &[u8]) {
        let per_byte = usize::from(8 / entry_bits);
        let slots = self.slots.as_mut().expect("a reset");
        for (at, byte) in data.iter().enumerate() {
            for part in 0..per_byte {
                let shifted = (i32::from(*byte) << 24) << (part * usize::from(entry_bits));
                let delta = shifted >> (32 - u32::from(entry_bits)); // with its sign
                let Some(slot) = slots.get_mut((self.bytes + at) * per_byte + part) else { break };
                match (entry_bits, delta) {
                    (_, 0) => {}
                    (1, _) => *slot = self.folded || !*slot,
                    (_, ..0) => *slot = true,
                    _ => *slot = self.folded && *slot,
                }
            }
        }
        self.bytes += data.len();
    }

    fn end(&mut self, progress: Progress) {
        self.seq += 1;
        if progress == Progress::Complete {
            self.bytes = 0;
            self.seq = 0;
            self.whole = true;
        }
    }

    fn compare(&self, table: &TableReceiver<Vec<u8>>, memory: usize) {
        let Some(table) = table.table() else { return assert!(!self.whole) };
        let slots = self.slots.as_ref().expect("a reset");
        assert!(self.whole && table.as_bytes().len() <= memory);
        let share = slots.len() / table.slots() as usize;
        let folded = slots.chunks(share).map(|group| group.contains(&true));
        assert!((0..table.slots()).map(|slot| table.holds(slot)).eq(folded));
    }
}

fn reset(
    table: &mut TableReceiver<Vec<u8>>,
    model: &mut Model,
    input: &mut Input<'_>,
) -> Result<(), QrpError> {
    let slots = match input.below(8) {
        0 => u32::from(input.u16()),
        _ => 1 << input.below(11),
    };
    let infinity = input.byte() % 8;
    table.handle_reset(Reset { slots, infinity })?;
    let folded = slots > 8 << table.clone().into_storage().len().ilog2();
    *model = Model { slots: Some(vec![false; slots as usize]), folded, ..Model::default() };
    Ok(())
}

fn some_patch<'d>(model: &Model, input: &mut Input<'_>, data: &'d [u8]) -> Patch<'d> {
    let compressor = Compressor(input.byte() / 100);
    let seq_no = if input.below(8) == 0 { input.byte() } else { model.seq + 1 };
    let entry_bits = [1, 2, 4, 8, 3][input.below(33) / 8];
    let seq_size = 1 + input.byte() % 3;
    Patch { seq_no, seq_size, compressor, entry_bits, data }
}

/// Reads entries: any, or as many zeros as the table has slots.
fn some_entries(model: &Model, input: &mut Input<'_>) -> Vec<u8> {
    let mut data = vec![0; model.slots.as_ref().map_or(9, Vec::len) >> input.below(4)];
    let len = input.below(data.len().min(200) + 1);
    let some = input.bytes(len);
    data[..some.len()].copy_from_slice(some);
    data
}

fn patch(table: &mut TableReceiver<Vec<u8>>, model: &mut Model, input: &mut Input<'_>) {
    let data = some_entries(model, input);
    let patch = some_patch(model, input, &data);
    let before = format!("{table:?}");
    match table.handle_patch(&patch) {
        Ok(progress) => {
            assert_eq!(patch.compressor, Compressor::NONE);
            model.apply(patch.entry_bits, &data);
            model.end(progress);
        }
        Err(error) => {
            assert_eq!(format!("{table:?}"), before, "{error}: changed");
            assert!(error != QrpError::Compressed || patch.compressor == Compressor::ZLIB);
        }
    }
}

fn in_pieces(
    table: &mut TableReceiver<Vec<u8>>,
    model: &mut Model,
    input: &mut Input<'_>,
) -> Result<(), QrpError> {
    let data = some_entries(model, input);
    let patch = some_patch(model, input, &[]);
    table.begin_patch(&patch)?;
    for piece in data.chunks(1 + input.below(7)) {
        if let Err(error) = table.handle_patch_entries(piece) {
            return start_again(table, model, error);
        }
        model.apply(patch.entry_bits, piece);
    }
    match table.end_patch() {
        Ok(progress) => model.end(progress),
        Err(error) => return start_again(table, model, error),
    }
    Ok(())
}

/// After such an error the link is closed; here a RESET begins anew.
fn start_again(
    table: &mut TableReceiver<Vec<u8>>,
    model: &mut Model,
    error: QrpError,
) -> Result<(), QrpError> {
    let slots = model.slots.as_ref().expect("a reset").len();
    table.handle_reset(Reset { slots: slots as u32, infinity: 7 })?;
    let slots = Some(vec![false; slots]);
    *model = Model { slots, folded: model.folded, ..Model::default() };
    Err(error)
}

/// Tables sent from one servent to another arrive, and no word of theirs is denied.
pub fn tables(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let bits = 1 + input.below(12) as u8;
    let memory = 1 + input.below(300);
    let chunk = 1 + input.below(300);
    let infinity = 2 + input.below(7) as u8;
    let rules = [KeywordRules::LimeWire, KeywordRules::Gtkg][input.below(2)];
    let mut receiver = TableReceiver::new(vec![0; memory]).unwrap();
    let mut table = QueryTable::new(bits, vec![0; QueryTable::memory_len(bits)]).unwrap();
    let mut sent = None;
    while !input.is_empty() {
        let len = input.below(40);
        let name = String::from_utf8_lossy(input.bytes(len)).into_owned();
        if input.below(8) == 0 {
            table.clear();
        }
        rules.table_words(&name).for_each(|word| table.insert(KeywordHash::of(word)));
        let Ok(patch) = PatchEncoder::new(&table, sent.as_ref(), infinity, chunk) else { return };
        if sent.is_none() {
            assert_eq!(receiver.handle(&patch.reset()), Ok(Progress::Partial));
        }
        send(&patch, &mut receiver);
        let arrived = receiver.table().unwrap();
        assert!(arrived == table || arrived.bits() < bits);
        let words = || rules.query_words(&name).map(KeywordHash::of);
        let units = rules.query_words(&name).map(|w| KeywordHash::of_units(w.encode_utf16()));
        assert!(words().eq(units), "hashed otherwise, another hash");
        assert!(words().all(|word| arrived.contains(word)), "a word was denied");
        let any = words().next().is_some();
        assert_eq!(arrived.can_route(words(), [], MatchRule::AllWords), any);
        assert_eq!(arrived.can_route(words(), [], MatchRule::TwoThirds), any);
        sent = Some(table.clone());
    }
}

fn send(patch: &PatchEncoder<'_>, receiver: &mut TableReceiver<Vec<u8>>) {
    let mut entries = Vec::new();
    let last = patch.message_count();
    for seq_no in 1..=last {
        let mut out = vec![0; Patch::MIN_LEN + patch.entries_len()];
        let len = patch.encode(seq_no, &mut out).unwrap();
        let qrp = Qrp::decode(&out[..len]).unwrap();
        let Qrp::Patch(piece) = qrp else { panic!("{qrp}") };
        assert!(!piece.data.is_empty());
        entries.extend(piece.data);
        let expected = if seq_no == last { Progress::Complete } else { Progress::Partial };
        assert_eq!(receiver.handle(&qrp), Ok(expected));
    }
    assert!(patch.entries().eq(entries));
}
