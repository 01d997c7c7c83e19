//! `sansmb decode`: what is in a capture, message by message.

mod capture;
mod conversation;
mod facts;
mod flows;
mod frames;
mod keys;
mod link;
mod ntlm;
mod parts;
mod pretty;
mod report;
mod roundtrip;
mod tcp;

use std::{
    collections::HashMap,
    fs::File,
    io::{self, Read},
    path::Path,
};

use sansmb::{
    conn::Compression,
    wire::{
        COMPRESSION_PROTOCOL_ID, CompressionAlgorithm, FramePrefix, HEADER_LEN, Header, Message, NtStatus,
        PROTOCOL_ID, SMB1_PROTOCOL_ID, SessionId, TRANSFORM_PROTOCOL_ID, TransformHeader,
    },
};

use self::{
    capture::{End, Packet},
    conversation::Conversation,
    flows::{Flows, Sent},
    frames::{Frame, Framer},
    keys::Keys,
    report::{Layers, Place, Report},
};
use crate::{
    args::Decode,
    failure::{About, Failure, Result, complain},
};

pub(crate) fn run(args: &Decode, verbose: bool) -> Result<()> {
    let keys = match &args.keys {
        Some(path) => Keys::read(path)?,
        None => Keys::default(),
    };
    let report = Report::new(verbose, args.roundtrip);
    let mut decoder = Decoder { keys, conversations: HashMap::new(), report, start: None };
    let shown = args.file.display();
    let input: Box<dyn Read + Send> = match args.file.as_path() {
        path if path == Path::new("-") => Box::new(io::stdin()),
        path => Box::new(File::open(path).about(&shown)?),
    };
    let end = match args.hex {
        true => decoder.hex(input),
        false => decoder.capture(input),
    };
    // What could be read is shown, whatever comes after it.
    let report = decoder.report.finish();
    match end? {
        End::Complete => report,
        End::Broken(why) => {
            report?;
            Err(Failure::refused(shown, why))
        }
    }
}

struct Decoder {
    keys: Keys,
    conversations: HashMap<usize, Conversation>,
    report: Report,
    /// Time of the first packet, in nanoseconds.
    start: Option<u64>,
}

impl Decoder {
    fn capture(&mut self, input: impl Read + Send) -> Result<End> {
        let mut flows = Flows::default();
        let mut last = 0;
        let end = capture::read(input, |packet: Packet<'_>| {
            last = packet.time.saturating_sub(*self.start.get_or_insert(packet.time));
            match link::segment(packet.link, packet.data) {
                Some(segment) => {
                    let mut result = Ok(());
                    flows.push(&segment, |sent| {
                        if result.is_ok() {
                            result = self.sent(last, sent);
                        }
                    });
                    result
                }
                None => Ok(()),
            }
        })?;
        let mut result = Ok(());
        let within = flows.finish(|sent| {
            if result.is_ok() {
                result = self.sent(last, sent);
            }
        });
        result?;
        for (connection, left) in within {
            self.report.note(
                &Place { time: last, connection, from_server: None },
                &format!("the capture ends within a message: {left} bytes of it are there"),
            )?;
        }
        Ok(end)
    }

    /// Messages or frames as hexadecimal digits; an empty line stands between those that do not
    /// follow each other.
    fn hex(&mut self, mut input: impl Read) -> Result<End> {
        let mut text = String::new();
        if let Err(error) = input.read_to_string(&mut text) {
            return Ok(End::Broken(crate::failure::io_words(&error)));
        }
        for block in text.replace('\r', "").split("\n\n").filter(|block| !block.trim().is_empty()) {
            let Some(bytes) = keys::unhex(block) else {
                return Ok(End::Broken("these are not pairs of hexadecimal digits".to_owned()));
            };
            let ids = [PROTOCOL_ID, SMB1_PROTOCOL_ID, TRANSFORM_PROTOCOL_ID, COMPRESSION_PROTOCOL_ID];
            let sent = |frame| Sent { connection: 0, from_server: None, frame };
            if ids.iter().any(|id| bytes.starts_with(id)) {
                self.sent(0, sent(Frame::Message(bytes)))?;
                continue;
            }
            let mut framer = Framer::default();
            framer.push(&bytes);
            while let Some(frame) = framer.poll() {
                self.sent(0, sent(frame))?;
            }
            if framer.left() > 0 {
                return Ok(End::Broken("the last message is cut off".to_owned()));
            }
        }
        Ok(End::Complete)
    }

    fn sent(&mut self, time: u64, sent: Sent) -> Result<()> {
        let place = Place { time, connection: sent.connection, from_server: sent.from_server };
        match sent.frame {
            Frame::Message(bytes) => self.frame(&place, bytes),
            Frame::Netbios(kind, _) => self.report.note(&place, &format!("NetBIOS {kind}")),
            Frame::Skipped(bytes) => self.report.note(&place, &format!("{bytes} bytes were not captured")),
            Frame::Foreign => self.report.note(&place, "this is not SMB"),
        }
    }

    /// A frame: one message, a compound, or something around them.
    fn frame(&mut self, place: &Place, mut bytes: Vec<u8>) -> Result<()> {
        self.conversations.entry(place.connection).or_default().frame();
        match bytes.first_chunk::<4>() {
            Some(&PROTOCOL_ID) => self.messages(place, &bytes, Layers::default()),
            Some(&SMB1_PROTOCOL_ID) => self.report.smb1(place, &bytes),
            Some(&COMPRESSION_PROTOCOL_ID) => self.compressed(place, &bytes, Layers::default()),
            Some(&TRANSFORM_PROTOCOL_ID) => {
                let session = match TransformHeader::decode(&bytes) {
                    Ok(header) => SessionId(header.session_id.get()),
                    Err(error) => return self.report.malformed(place, "TRANSFORM_HEADER", &error, &bytes),
                };
                let sides = match place.from_server {
                    Some(from_server) => [Some(from_server), None],
                    None => [Some(false), Some(true)],
                };
                let opened = sides.into_iter().flatten().find_map(|side| {
                    let range = self.keys.open(session, side, &mut bytes)?;
                    Some((side, range))
                });
                match opened {
                    Some((from_server, range)) => {
                        let place = Place { from_server: Some(from_server), ..place.clone() };
                        let message = bytes.get(range).unwrap_or_default().to_vec();
                        let layers = Layers { encrypted: true, ..Layers::default() };
                        match message.starts_with(&COMPRESSION_PROTOCOL_ID) {
                            true => self.compressed(&place, &message, layers),
                            false => self.messages(&place, &message, layers),
                        }
                    }
                    None => self.report.sealed(place, session, bytes.len()),
                }
            }
            _ => self.report.note(place, &format!("unknown: {} bytes that are no message", bytes.len())),
        }
    }

    /// What is in a compressed message, whatever the two agreed on.
    fn compressed(&mut self, place: &Place, bytes: &[u8], layers: Layers) -> Result<()> {
        let all = CompressionAlgorithm::ALL;
        let agreed = Compression::agree(all.into_iter(), &all, true);
        match agreed.decompress(bytes, FramePrefix::MAX_LENGTH as usize) {
            Ok(message) => {
                self.report.compressed(place, bytes, message.len())?;
                self.messages(place, &message, Layers { compressed: true, ..layers })
            }
            Err(error) => self.report.malformed(place, "compression", &error, bytes),
        }
    }

    /// The messages of a compound, each with its own bytes only.
    fn messages(&mut self, place: &Place, frame: &[u8], layers: Layers) -> Result<()> {
        let mut rest = frame;
        loop {
            let header = match Header::decode(rest) {
                Ok(header) => header,
                Err(error) => return self.report.malformed(place, "message", &error, rest),
            };
            let next = header.next_command as usize;
            if next == 0 {
                return self.message(place, &header, rest, layers);
            }
            let Some((message, later)) = rest.split_at_checked(next).filter(|_| next >= HEADER_LEN) else {
                return self.report.note(place, &format!("malformed: NextCommand {next:#x} leads nowhere"));
            };
            self.message(place, &header, message, layers)?;
            rest = later;
        }
    }

    fn message(&mut self, place: &Place, header: &Header, bytes: &[u8], layers: Layers) -> Result<()> {
        let place = Place { from_server: Some(header.is_response()), ..place.clone() };
        let conversation = self.conversations.entry(place.connection).or_default();
        let decoded = Message::decode(header, bytes);
        let asked = match &decoded {
            _ if header.is_response() => conversation.response(header, decoded.as_ref().ok()),
            Ok(message) => Some(conversation.request(header, message)),
            Err(_) => None,
        };
        let message = match decoded {
            Ok(message) => message,
            Err(error) => return self.report.malformed_message(&place, header, &error, bytes),
        };
        let pipe = conversation.is_pipe(header, asked.as_ref());
        let cut = header.is_response() && header.status == NtStatus::BUFFER_OVERFLOW;
        let parts = parts::parts(&message, asked.as_ref(), pipe, cut);
        self.report.message(&place, header, &message, bytes, asked.as_ref(), &parts, layers)
    }
}

/// Says how many messages could not be read.
fn malformed(count: u64) -> Failure {
    complain(&format!("{count} {} malformed", if count == 1 { "message is" } else { "messages are" }));
    Failure::Reported
}
