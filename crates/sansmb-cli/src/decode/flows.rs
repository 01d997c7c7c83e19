//! The TCP connections of a capture that speak SMB.

use std::{collections::HashMap, net::SocketAddr};

use super::{
    frames::{Frame, Framer},
    link::Segment,
    tcp::{Piece, Reassembly},
};

const SMB_PORTS: [u16; 2] = [445, 139];

/// A frame, and who sent it on which connection.
#[derive(Debug)]
pub(super) struct Sent {
    /// Number of the TCP connection in the capture, from 0.
    pub(super) connection: usize,
    /// `None` where neither the port nor the handshake tells.
    pub(super) from_server: Option<bool>,
    pub(super) frame: Frame,
}

/// All connections.
#[derive(Debug, Default)]
pub(super) struct Flows {
    /// By both ends, the lower address first.
    connections: HashMap<(SocketAddr, SocketAddr), Connection>,
    count: usize,
}

#[derive(Debug)]
struct Connection {
    number: usize,
    server: Option<SocketAddr>,
    low: Direction,
    high: Direction,
}

#[derive(Debug, Default)]
struct Direction {
    reassembly: Reassembly,
    framer: Framer,
}

impl Flows {
    /// Takes in a segment; hands out the frames that are complete now.
    pub(super) fn push(&mut self, segment: &Segment<'_>, mut each: impl FnMut(Sent)) {
        let ends = (segment.from.min(segment.to), segment.from.max(segment.to));
        if segment.syn
            && !segment.ack
            && let Some(old) = self.connections.remove(&ends)
        {
            // The same ports are used for a new connection.
            old.finish(ends, &mut each);
        }
        let count = &mut self.count;
        let connection = self.connections.entry(ends).or_insert_with(|| {
            let number = *count;
            *count += 1;
            Connection::new(number, segment)
        });
        connection.push(ends, segment, &mut each);
    }

    /// The capture is over. Says which connections end within a message, and how much of it is there.
    pub(super) fn finish(self, mut each: impl FnMut(Sent)) -> Vec<(usize, usize)> {
        let mut connections: Vec<_> = self.connections.into_iter().collect();
        connections.sort_by_key(|(_, connection)| connection.number);
        let mut within = Vec::new();
        for (ends, connection) in connections {
            let number = connection.number;
            let left = connection.finish(ends, &mut each);
            if left > 0 {
                within.push((number, left));
            }
        }
        within
    }
}

impl Connection {
    fn new(number: usize, first: &Segment<'_>) -> Self {
        let by_port = [first.to, first.from].into_iter().find(|end| SMB_PORTS.contains(&end.port()));
        let by_handshake = match (first.syn, first.ack) {
            (true, false) => Some(first.to),
            (true, true) => Some(first.from),
            _ => None,
        };
        let (low, high) = Default::default();
        Self { number, server: by_port.or(by_handshake), low, high }
    }

    fn push(&mut self, ends: (SocketAddr, SocketAddr), segment: &Segment<'_>, each: &mut impl FnMut(Sent)) {
        let direction = if segment.from == ends.0 { &mut self.low } else { &mut self.high };
        let pieces = direction.reassembly.push(segment.sequence, segment.syn, segment.payload);
        self.cut(segment.from, ends, pieces, each);
    }

    fn cut(
        &mut self,
        from: SocketAddr,
        ends: (SocketAddr, SocketAddr),
        pieces: Vec<Piece>,
        each: &mut impl FnMut(Sent),
    ) {
        let known_port = SMB_PORTS.contains(&ends.0.port()) || SMB_PORTS.contains(&ends.1.port());
        let from_server = self.server.map(|server| server == from);
        let framer = if from == ends.0 { &mut self.low.framer } else { &mut self.high.framer };
        for piece in pieces {
            match piece {
                Piece::Data(bytes) => framer.push(&bytes),
                Piece::Lost(lost) => framer.lose(lost),
            }
            while let Some(frame) = framer.poll() {
                if frame == Frame::Foreign && !known_port {
                    break;
                }
                each(Sent { connection: self.number, from_server, frame });
            }
        }
    }

    /// Hands out what is left; says how many bytes of frames are not complete.
    fn finish(mut self, ends: (SocketAddr, SocketAddr), each: &mut impl FnMut(Sent)) -> usize {
        for from in [ends.0, ends.1] {
            let direction = if from == ends.0 { &mut self.low } else { &mut self.high };
            let pieces = direction.reassembly.finish();
            self.cut(from, ends, pieces, each);
        }
        self.low.framer.left() + self.high.framer.left()
    }
}
