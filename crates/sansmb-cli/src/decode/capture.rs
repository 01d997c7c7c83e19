//! Packets out of capture files, pcap and pcapng.

use std::io::{self, Cursor, Read};

use pcap_parser::{
    Block, PcapBlockOwned, PcapError, create_reader,
    traits::{PcapNGPacketBlock, PcapReaderIterator},
};

/// Buffer at first; it grows with the largest packet.
const BUFFER: usize = 256 << 10;
/// No packet is as large: a file that says so is damaged.
const MAX_BUFFER: usize = 32 << 20;

/// A packet as it was captured.
#[derive(Debug)]
pub(super) struct Packet<'a> {
    /// Nanoseconds since 1970.
    pub(super) time: u64,
    /// LINKTYPE value.
    pub(super) link: i32,
    pub(super) data: &'a [u8],
}

/// How reading a file ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum End {
    Complete,
    /// It breaks off in the middle of a packet, or something else follows that is no packet.
    Broken(String),
}

/// Link type and clock of an interface.
#[derive(Debug, Clone, Copy)]
struct Interface {
    link: i32,
    /// Steps of the clock in a second.
    resolution: u64,
    /// Seconds to add.
    offset: i64,
}

/// Reads `file` to its end. An error is one of `each`; what is wrong with the file is in [`End`].
pub(super) fn read<E>(
    file: impl Read + Send,
    mut each: impl FnMut(Packet<'_>) -> Result<(), E>,
) -> Result<End, E> {
    let broken = |why: &str| Ok(End::Broken(why.to_owned()));
    let file = match with_whole_start(file) {
        Ok(file) => file,
        Err(error) => return broken(&error.to_string()),
    };
    let mut reader = match create_reader(BUFFER, file) {
        Ok(reader) => reader,
        Err(PcapError::Eof) => return broken("the file is empty"),
        Err(PcapError::ReadError) => return broken("the file cannot be read"),
        Err(_) => return broken("this is no capture file: neither pcap nor pcapng"),
    };
    let mut interfaces: Vec<Interface> = Vec::new();
    let mut packets = 0_u64;
    let mut size = BUFFER;
    loop {
        let consumed = match reader.next() {
            Ok((consumed, block)) => {
                if let Some(packet) = packet(&block, &mut interfaces) {
                    packets += 1;
                    each(packet)?;
                }
                consumed
            }
            Err(PcapError::Eof) => return Ok(End::Complete),
            Err(PcapError::Incomplete(_)) => match more(&mut *reader) {
                true => continue,
                false => return broken(&cut_off(packets)),
            },
            Err(PcapError::BufferTooSmall) if size < MAX_BUFFER => {
                size *= 2;
                if !reader.grow(size) || !more(&mut *reader) {
                    return broken(&cut_off(packets));
                }
                continue;
            }
            Err(PcapError::UnexpectedEof) => return broken(&cut_off(packets)),
            Err(PcapError::ReadError) => {
                return broken(&format!("the file cannot be read after {packets} packets"));
            }
            Err(_) => return broken(&format!("the file is damaged after {packets} packets")),
        };
        reader.consume(consumed);
    }
}

fn cut_off(packets: u64) -> String {
    format!("the file is cut off after {packets} packets")
}

fn more(reader: &mut dyn PcapReaderIterator) -> bool {
    !reader.reader_exhausted() && reader.refill().is_ok()
}

/// The library wants the whole first block with the first read; a pipe gives less.
fn with_whole_start<R: Read>(mut file: R) -> io::Result<io::Chain<Cursor<Vec<u8>>, R>> {
    const SECTION: [u8; 4] = [0x0A, 0x0D, 0x0D, 0x0A];
    const LEGACY_HEADER: u64 = 24;
    let mut start = Vec::new();
    file.by_ref().take(LEGACY_HEADER).read_to_end(&mut start)?;
    if start.starts_with(&SECTION)
        && let (Some(len), Some(order)) = (start.get(4..8), start.get(8..12))
        && let Ok(len) = <[u8; 4]>::try_from(len)
    {
        let big_endian = order == [0x1A, 0x2B, 0x3C, 0x4D];
        let len = if big_endian { u32::from_be_bytes(len) } else { u32::from_le_bytes(len) };
        let rest = u64::from(len).min(BUFFER as u64 / 2).saturating_sub(LEGACY_HEADER);
        file.by_ref().take(rest).read_to_end(&mut start)?;
    }
    Ok(Cursor::new(start).chain(file))
}

/// The packet in a block, where there is one.
fn packet<'a>(block: &'a PcapBlockOwned<'_>, interfaces: &mut Vec<Interface>) -> Option<Packet<'a>> {
    match block {
        PcapBlockOwned::LegacyHeader(header) => {
            let resolution = if header.is_nanosecond_precision() { 1_000_000_000 } else { 1_000_000 };
            *interfaces = vec![Interface { link: header.network.0, resolution, offset: 0 }];
            None
        }
        PcapBlockOwned::Legacy(packet) => {
            let interface = interfaces.first()?;
            let ticks = u64::from(packet.ts_sec) * interface.resolution + u64::from(packet.ts_usec);
            Some(Packet { time: interface.nanos(ticks), link: interface.link, data: packet.data })
        }
        PcapBlockOwned::NG(Block::SectionHeader(_)) => {
            interfaces.clear();
            None
        }
        PcapBlockOwned::NG(Block::InterfaceDescription(it)) => {
            let resolution = it.ts_resolution().filter(|steps| *steps > 0).unwrap_or(1_000_000);
            interfaces.push(Interface { link: it.linktype.0, resolution, offset: it.ts_offset() });
            None
        }
        PcapBlockOwned::NG(Block::EnhancedPacket(packet)) => {
            let interface = interfaces.get(usize::try_from(packet.if_id).ok()?)?;
            let ticks = u64::from(packet.ts_high) << 32 | u64::from(packet.ts_low);
            let data = packet.packet_data();
            Some(Packet { time: interface.nanos(ticks), link: interface.link, data })
        }
        PcapBlockOwned::NG(Block::SimplePacket(packet)) => {
            let interface = interfaces.first()?;
            Some(Packet { time: 0, link: interface.link, data: packet.packet_data() })
        }
        PcapBlockOwned::NG(_) => None,
    }
}

impl Interface {
    fn nanos(&self, ticks: u64) -> u64 {
        let nanos = u128::from(ticks) * 1_000_000_000 / u128::from(self.resolution.max(1));
        let nanos = i128::try_from(nanos).unwrap_or(i128::MAX);
        u64::try_from(nanos.saturating_add(i128::from(self.offset) * 1_000_000_000)).unwrap_or(0)
    }
}
