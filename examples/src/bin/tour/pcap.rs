//! A capture file that other people's dissectors read: every message as an IPv4 packet, node n at 10.0.0.n+1,
//! on the ports that dissectors know. Written by hand from the pcap file format, RFC 791, RFC 768 and RFC 9293.

use core::net::SocketAddrV4;
use core::time::Duration;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;

const MAGIC: u32 = 0xA1B2_C3D4; // microseconds
const LINK_RAW_IPV4: u32 = 228;
const TCP: u8 = 6;
const UDP: u8 = 17;
/// What one stream may fill, so that a large file does not make a large capture.
const STREAM_LIMIT: u32 = 256 << 10;

pub struct Pcap {
    out: BufWriter<File>,
    streams: BTreeMap<(SocketAddrV4, SocketAddrV4), u32>, // the next sequence number of each direction
    packets: u16,
}

impl Pcap {
    pub fn create(path: &Path) -> io::Result<Self> {
        let mut out = BufWriter::new(File::create(path)?);
        out.write_all(&MAGIC.to_le_bytes())?;
        out.write_all(&[2, 0, 4, 0])?; // version 2.4
        out.write_all(&[0; 8])?; // time zone, accuracy
        out.write_all(&65_535_u32.to_le_bytes())?; // longest packet
        out.write_all(&LINK_RAW_IPV4.to_le_bytes())?;
        Ok(Self { out, streams: BTreeMap::new(), packets: 0 })
    }

    /// Writes a message of a stream; from the limit on the stream is left out.
    pub fn stream(
        &mut self,
        at: Duration,
        from: SocketAddrV4,
        to: SocketAddrV4,
        bytes: &[u8],
    ) -> io::Result<()> {
        let sequence = *self.streams.entry((from, to)).or_insert(1);
        let acknowledged = *self.streams.entry((to, from)).or_insert(1);
        if sequence > STREAM_LIMIT {
            return Ok(());
        }
        for part in bytes.chunks(32 << 10) {
            let sequence = *self.streams.get(&(from, to)).unwrap_or(&1);
            let mut segment = Vec::with_capacity(20 + part.len());
            segment.extend(from.port().to_be_bytes());
            segment.extend(to.port().to_be_bytes());
            segment.extend(sequence.to_be_bytes());
            segment.extend(acknowledged.to_be_bytes());
            segment.extend([0x50, 0x18, 0xFF, 0xFF, 0, 0, 0, 0]); // 20 bytes, PSH ACK, window, sums below
            segment.extend(part);
            self.packet(at, from, to, TCP, &mut segment)?;
            self.streams.insert((from, to), sequence.wrapping_add(part.len() as u32));
        }
        Ok(())
    }

    pub fn datagram(
        &mut self,
        at: Duration,
        from: SocketAddrV4,
        to: SocketAddrV4,
        bytes: &[u8],
    ) -> io::Result<()> {
        let mut segment = Vec::with_capacity(8 + bytes.len());
        segment.extend(from.port().to_be_bytes());
        segment.extend(to.port().to_be_bytes());
        segment.extend((8 + bytes.len() as u16).to_be_bytes());
        segment.extend([0, 0]);
        segment.extend(bytes);
        self.packet(at, from, to, UDP, &mut segment)
    }

    pub fn finish(&mut self) -> io::Result<()> {
        self.out.flush()
    }

    fn packet(
        &mut self,
        at: Duration,
        from: SocketAddrV4,
        to: SocketAddrV4,
        protocol: u8,
        segment: &mut [u8],
    ) -> io::Result<()> {
        let mut pseudo = Vec::with_capacity(12 + segment.len());
        pseudo.extend(from.ip().octets());
        pseudo.extend(to.ip().octets());
        pseudo.extend([0, protocol]);
        pseudo.extend((segment.len() as u16).to_be_bytes());
        pseudo.extend(&*segment);
        let place = if protocol == TCP { 16 } else { 6 };
        segment[place..place + 2].copy_from_slice(&checksum(&pseudo).to_be_bytes());

        let len = 20 + segment.len();
        self.packets = self.packets.wrapping_add(1);
        let mut header = vec![0x45, 0];
        header.extend((len as u16).to_be_bytes());
        header.extend(self.packets.to_be_bytes());
        header.extend([0x40, 0, 64, protocol, 0, 0]); // do not fragment, 64 hops, sum below
        header.extend(from.ip().octets());
        header.extend(to.ip().octets());
        let sum = checksum(&header);
        header[10..12].copy_from_slice(&sum.to_be_bytes());

        self.out.write_all(&(at.as_secs() as u32).to_le_bytes())?;
        self.out.write_all(&at.subsec_micros().to_le_bytes())?;
        self.out.write_all(&(len as u32).to_le_bytes())?;
        self.out.write_all(&(len as u32).to_le_bytes())?;
        self.out.write_all(&header)?;
        self.out.write_all(segment)
    }
}

/// The Internet checksum (RFC 1071).
fn checksum(bytes: &[u8]) -> u16 {
    let words =
        bytes.chunks(2).map(|pair| u32::from(pair[0]) << 8 | u32::from(*pair.get(1).unwrap_or(&0)));
    let mut sum: u32 = words.sum();
    while sum > 0xFFFF {
        sum = (sum & 0xFFFF) + (sum >> 16);
    }
    !(sum as u16)
}
