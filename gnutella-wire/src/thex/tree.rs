//! A tree to send: its last row, and the DIME body that most servents ask for.

use super::dime::{BREADTH_FIRST, Record};
use super::hash::{Fold, Node, parent};
use super::shape::Shape;
use crate::error::BufferTooSmall;
use crate::hex::Hex;
use crate::huge::TigerRoot;
use crate::writer::Writer;

/// The last row of the tree of a file.
///
/// Each node is the root of a [`TreeHasher`](super::TreeHasher) over [`Shape::span`] bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tree<'a> {
    /// The size of the file, in bytes.
    pub size: u64,
    /// The nodes, one for each span of [`Shape::customary`].
    pub nodes: &'a [Node],
}

/// The rows above the nodes: 2^32 bytes hold fewer than 2^28 of them.
const ROWS: usize = if cfg!(target_pointer_width = "64") { 56 } else { 28 };

/// A UUID from the first half of the root: the same tree has the same name.
struct Uuid(TigerRoot);

impl Tree<'_> {
    /// Returns the root; `None` without nodes.
    #[must_use]
    pub fn root(&self) -> Option<TigerRoot> {
        let mut fold = Fold::<ROWS>::new();
        self.nodes.iter().for_each(|node| fold.push(*node));
        fold.root().map(TigerRoot)
    }

    fn shape(&self) -> Shape {
        Shape { nodes: u64::try_from(self.nodes.len()).unwrap_or(u64::MAX), span: 0 }
    }

    /// Returns the length of the DIME body, in bytes.
    #[must_use]
    pub fn encoded_len(&self) -> usize {
        self.rows_len().saturating_add(Writer::measure(|w| self.write_head(w)))
    }

    /// Writes the DIME body: a record of XML, and one with the nodes of all rows, the root first. Its
    /// media type is `application/dime`.
    ///
    /// # Errors
    ///
    /// [`BufferTooSmall`] below [`encoded_len`](Self::encoded_len) bytes.
    pub fn encode(&self, out: &mut [u8]) -> Result<usize, BufferTooSmall> {
        let needed = self.encoded_len();
        let out = out.get_mut(..needed).ok_or(BufferTooSmall { needed })?;
        let head = Writer::fill(out, |w| self.write_head(w))?;
        let rows = out.get_mut(head..).unwrap_or_default();
        self.write_rows(rows);
        Ok(needed)
    }

    fn rows_len(&self) -> usize {
        let nodes = usize::try_from(self.shape().total()).unwrap_or(usize::MAX);
        nodes.saturating_mul(24)
    }

    fn write_head(&self, w: &mut Writer<'_>) {
        let xml = Writer::measure(|w| self.write_xml(w));
        let len = |len: usize| u32::try_from(len).unwrap_or(u32::MAX);
        let media: &[u8] = b"text/xml";
        let first = Record { is_last: false, kind: 1, id: &[], data_type: media, len: len(xml) };
        first.write(true, w);
        self.write_xml(w);
        (xml..xml.next_multiple_of(4)).for_each(|_| w.u8(0));
        let mut id = [0; 41];
        let _ = Writer::fill(&mut id, |w| self.write_uuid(w));
        let data_type = BREADTH_FIRST.as_bytes();
        let rows = len(self.rows_len());
        Record { is_last: true, kind: 2, id: &id, data_type, len: rows }.write(false, w);
    }

    /// The text that gtk-gnutella requires to the letter; depth counts edges, as there.
    fn write_xml(&self, w: &mut Writer<'_>) {
        let depth = self.shape().rows().saturating_sub(1);
        w.text(format_args!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\r\n\
             <!DOCTYPE hashtree SYSTEM \"http://open-content.net/spec/thex/thex.dtd\">\r\n\
             <hashtree>\r\n\t<file size=\"{}\" segmentsize=\"1024\"/>\r\n\
             \t<digest algorithm=\"http://open-content.net/spec/digest/tiger\" outputsize=\"24\"/>\r\n\
             \t<serializedtree depth=\"{depth}\" type=\"{BREADTH_FIRST}\" uri=\"",
            self.size
        ));
        self.write_uuid(w);
        w.text(format_args!("\"/>\r\n</hashtree>"));
    }

    fn write_uuid(&self, w: &mut Writer<'_>) {
        let root = self.root().unwrap_or(TigerRoot([0; 24]));
        w.text(format_args!("{}", Uuid(root)));
    }

    /// Fills the rows from the last to the first, each from the one after it.
    fn write_rows(&self, out: &mut [u8]) {
        let (out, _) = out.as_chunks_mut::<24>();
        let mut row_len = self.nodes.len();
        let mut begin = out.len().saturating_sub(row_len);
        for (place, node) in out.iter_mut().skip(begin).zip(self.nodes) {
            *place = *node;
        }
        while row_len > 1 {
            let above = row_len.div_ceil(2);
            let Some((upper, lower)) = out.split_at_mut_checked(begin) else { return };
            let above_begin = begin.saturating_sub(above);
            let upper = upper.get_mut(above_begin..).unwrap_or_default();
            let row = lower.get(..row_len).unwrap_or_default();
            for (node, children) in upper.iter_mut().zip(row.chunks(2)) {
                *node = match children {
                    [left, right] => parent(left, right),
                    [alone] => *alone,
                    _ => continue,
                };
            }
            row_len = above;
            begin = above_begin;
        }
    }
}

impl core::fmt::Display for Uuid {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("uuid:")?;
        let mut rest = &self.0.0[..];
        for (place, len) in [4, 2, 2, 2, 6].into_iter().enumerate() {
            let (part, after) = rest.split_at_checked(len).unwrap_or((rest, &[]));
            f.write_str(if place > 0 { "-" } else { "" })?;
            write!(f, "{}", Hex(part))?;
            rest = after;
        }
        Ok(())
    }
}
