//! Writes what was found: a line a message, and every field on request.

use sansmb::wire::{
    ChainedPayload, CompressedMessage, DecodeError, Header, Message, SessionId, Smb1Header,
    Smb1NegotiateRequest, Smb1NegotiateResponse, WriteRequest,
};

use super::{
    conversation::Asked,
    facts::facts,
    malformed,
    parts::{Content, Part},
    pretty::{hex, pretty},
    roundtrip::differences,
};
use crate::{
    failure::{Failure, Result, complain},
    output::Out,
};

/// Bytes of a buffer that are formatted at all.
const SHOWN: usize = 65;

/// When and where something was seen.
#[derive(Debug, Clone)]
pub(super) struct Place {
    /// Nanoseconds since the first packet.
    pub(super) time: u64,
    /// Number of the TCP connection in the capture.
    pub(super) connection: usize,
    /// Who sent it, where that is known.
    pub(super) from_server: Option<bool>,
}

/// The output.
#[derive(Debug)]
pub(super) struct Report {
    out: Out,
    verbose: bool,
    /// Compare with what encoding gives, instead of printing.
    roundtrip: bool,
    messages: u64,
    malformed: u64,
    unknown: u64,
    different: u64,
}

/// What was around a message.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Layers {
    pub(super) encrypted: bool,
    pub(super) compressed: bool,
}

impl Report {
    pub(super) fn new(verbose: bool, roundtrip: bool) -> Self {
        Self { out: Out::new(), verbose, roundtrip, messages: 0, malformed: 0, unknown: 0, different: 0 }
    }

    /// Everything was seen.
    pub(super) fn finish(mut self) -> Result<()> {
        if self.roundtrip {
            let Self { messages, malformed, unknown, different, .. } = self;
            self.out.line(format_args!(
                "{messages} messages, {malformed} malformed, {unknown} with something unknown, {different} different"
            ))?;
        }
        self.out.flush()?;
        if self.malformed > 0 {
            return Err(malformed(self.malformed));
        }
        if self.roundtrip && self.different + self.unknown > 0 {
            complain("not every message comes back as it was");
            return Err(Failure::Reported);
        }
        Ok(())
    }

    /// A line without a message.
    pub(super) fn note(&mut self, place: &Place, text: &str) -> Result<()> {
        if self.roundtrip {
            return Ok(());
        }
        self.line(place, text)
    }

    pub(super) fn malformed(
        &mut self,
        place: &Place,
        what: &str,
        error: &dyn std::fmt::Display,
        bytes: &[u8],
    ) -> Result<()> {
        self.malformed += 1;
        self.line(place, &format!("malformed {what}: {error}: {}", hex(bytes)))
    }

    pub(super) fn malformed_message(
        &mut self,
        place: &Place,
        header: &Header,
        error: &DecodeError,
        bytes: &[u8],
    ) -> Result<()> {
        self.messages += 1;
        let head = head(header);
        if header.command.name().is_none() {
            self.unknown += 1;
            return self.line(place, &format!("{head} unknown: command: {}", hex(bytes)));
        }
        self.malformed(place, &head, error, bytes)
    }

    /// A message that no key opens.
    pub(super) fn sealed(&mut self, place: &Place, session: SessionId, len: usize) -> Result<()> {
        self.note(place, &format!("encrypted session={:#x} length={len}: no key for it", session.0))
    }

    /// The headers of a compressed message; what is in it comes next.
    pub(super) fn compressed(&mut self, place: &Place, bytes: &[u8], len: usize) -> Result<()> {
        if !self.verbose || self.roundtrip {
            return Ok(());
        }
        let Ok(message) = CompressedMessage::decode(bytes) else { return Ok(()) };
        let how = match message {
            CompressedMessage::Unchained { algorithm, plain, .. } => {
                format!("{algorithm} behind {} bytes", plain.len())
            }
            CompressedMessage::Chained { payloads, .. } => {
                let payload = |payload: ChainedPayload<'_>| {
                    format!("{} {} to {}", payload.algorithm, payload.original_len(), payload.data.len())
                };
                payloads.iter().map(payload).collect::<Vec<_>>().join(", ")
            }
        };
        self.note(place, &format!("compressed from {len} to {} bytes: {how}", bytes.len()))
    }

    pub(super) fn smb1(&mut self, place: &Place, bytes: &[u8]) -> Result<()> {
        let header = match Smb1Header::decode(bytes) {
            Ok(header) => header,
            Err(error) => return self.malformed(place, "SMB1 message", &error, bytes),
        };
        self.messages += 1;
        let reply = header.flags & Smb1Header::FLAG_REPLY != 0;
        let place = Place { from_server: Some(reply), ..place.clone() };
        if header.command != Smb1Header::NEGOTIATE {
            return self.line(&place, &format!("SMB1 command {:#04x} mid={}", header.command, header.mid));
        }
        let (text, fields) = match reply {
            false => match Smb1NegotiateRequest::decode(bytes) {
                Ok(request) => {
                    let dialects = request.dialects.iter().map(|name| name.escape_ascii().to_string());
                    let dialects = dialects.collect::<Vec<_>>().join(",");
                    (format!("SMB1 NEGOTIATE mid={} dialects={dialects}", header.mid), format!("{request:?}"))
                }
                Err(error) => return self.malformed(&place, "SMB1 NEGOTIATE", &error, bytes),
            },
            true => match Smb1NegotiateResponse::decode(bytes) {
                Ok(response) => {
                    let index = response.dialect_index;
                    (format!("SMB1 NEGOTIATE mid={} dialect={index:#x}", header.mid), format!("{response:?}"))
                }
                Err(error) => return self.malformed(&place, "SMB1 NEGOTIATE", &error, bytes),
            },
        };
        self.note(&place, &text)?;
        self.fields(&fields)
    }

    /// A message that was understood.
    #[expect(clippy::too_many_arguments, reason = "all that is known of a message comes together here")]
    pub(super) fn message(
        &mut self,
        place: &Place,
        header: &Header,
        message: &Message<'_>,
        bytes: &[u8],
        asked: Option<&Asked>,
        parts: &[Part],
        layers: Layers,
    ) -> Result<()> {
        self.messages += 1;
        let mut text = head(header);
        if layers.encrypted {
            text += " [encrypted]";
        }
        if layers.compressed {
            text += " [compressed]";
        }
        text += &facts(header, message, asked);
        let header_fields = format!("{header:?}");
        let body_fields = format!("{:?}", trimmed(message));
        // The variant only repeats the name of the type.
        let inner = body_fields.split_once('(').and_then(|(_, rest)| rest.strip_suffix(')'));
        let body_fields = inner.unwrap_or(&body_fields);
        let unknown = unknown(header, &header_fields, body_fields, parts);
        for what in &unknown {
            text += &format!(" unknown: {what}");
        }
        self.unknown += u64::from(!unknown.is_empty());
        self.malformed +=
            parts.iter().filter(|part| matches!(part.content, Content::Malformed(_))).count() as u64;
        for part in parts {
            if let Content::Malformed(error) = &part.content {
                text += &format!(" malformed: {error}");
            }
        }
        if self.roundtrip {
            let differences = differences(header, message, bytes, parts);
            self.different += u64::from(!differences.is_empty());
            if !differences.is_empty() || !unknown.is_empty() {
                self.line(place, &text)?;
            }
            return differences.iter().try_for_each(|it| self.out.line(format_args!("    {it}")));
        }
        self.line(place, &text)?;
        self.fields(&header_fields)?;
        self.fields(body_fields)?;
        parts.iter().try_for_each(|part| self.part(part))
    }

    fn part(&mut self, part: &Part) -> Result<()> {
        if !self.verbose {
            return Ok(());
        }
        let name = &part.name;
        match &part.content {
            Content::Known { debug, .. } => {
                self.out.line(format_args!("    {name}:"))?;
                self.out.bytes(pretty(debug, 6).as_bytes())
            }
            Content::Bytes(bytes) => self.out.line(format_args!("    {name}: {}", hex(bytes))),
            Content::Unknown(bytes) => self.out.line(format_args!("    unknown {name}: {}", hex(bytes))),
            Content::Malformed(error) => self.out.line(format_args!("    malformed {name}: {error}")),
        }
    }

    fn fields(&mut self, debug: &str) -> Result<()> {
        if !self.verbose || self.roundtrip {
            return Ok(());
        }
        self.out.bytes(pretty(debug, 4).as_bytes())
    }

    fn line(&mut self, place: &Place, text: &str) -> Result<()> {
        let arrow = match place.from_server {
            Some(false) => '>',
            Some(true) => '<',
            None => ' ',
        };
        let (seconds, micros) = (place.time / 1_000_000_000, place.time % 1_000_000_000 / 1000);
        let connection = place.connection;
        self.out.line(format_args!("{seconds}.{micros:06} {connection}{arrow} {text}"))
    }
}

/// Command, number and status.
fn head(header: &Header) -> String {
    let mut text = format!("{} mid={}", header.command, header.message_id);
    if header.message_id == u64::MAX {
        text = format!("{}", header.command);
    }
    if header.is_response() {
        text += &format!(" {}", header.status);
    }
    text
}

/// The message with the beginning of its bulk only.
fn trimmed<'m>(message: &Message<'m>) -> Message<'m> {
    let cut = |bytes: &'m [u8]| bytes.get(..SHOWN).unwrap_or(bytes);
    let mut message = *message;
    match &mut message {
        Message::ReadResponse(m) => m.data = cut(m.data),
        Message::WriteRequest(m) => {
            let data = cut(m.data);
            *m = WriteRequest { data, ..*m };
        }
        Message::QueryDirectoryResponse(m) => m.buffer = cut(m.buffer),
        Message::QueryInfoResponse(m) => m.buffer = cut(m.buffer),
        Message::SetInfoRequest(m) => m.buffer = cut(m.buffer),
        Message::ChangeNotifyResponse(m) => m.buffer = cut(m.buffer),
        Message::IoctlRequest(m) => m.input = cut(m.input),
        Message::IoctlResponse(m) => m.output = cut(m.output),
        _ => {}
    }
    message
}

/// Everything in a message that has no name: numbers, flags, contexts, buffers.
fn unknown(header: &Header, header_fields: &str, body_fields: &str, parts: &[Part]) -> Vec<String> {
    let mut unknown = Vec::new();
    // In a request this field is something else.
    let status_line = format!("status: {:?}", header.status);
    let header_fields = match header.is_response() {
        true => header_fields.to_owned(),
        false => header_fields.replacen(&status_line, "", 1),
    };
    for fields in [header_fields.as_str(), body_fields] {
        unnamed(fields, &mut unknown);
    }
    for part in parts {
        match &part.content {
            Content::Unknown(_) => unknown.push(part.name.clone()),
            Content::Known { debug, .. } => unnamed(debug, &mut unknown),
            Content::Bytes(_) | Content::Malformed(_) => {}
        }
    }
    unknown
}

/// The types of the codec show what has no name in hexadecimal, and nothing else.
fn unnamed(fields: &str, unknown: &mut Vec<String>) {
    let mut in_string = false;
    let mut escaped = false;
    for (at, c) in fields.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' if in_string => escaped = true,
            '"' => in_string = !in_string,
            '0' if !in_string && fields.get(at..).is_some_and(|rest| rest.starts_with("0x")) => {
                let rest = fields.get(at + 2..).unwrap_or_default();
                let digits = rest.split(|c: char| !c.is_ascii_hexdigit()).next().unwrap_or_default();
                if digits.bytes().any(|digit| digit != b'0') {
                    unknown.push(format!("0x{digits}"));
                }
            }
            'U' if !in_string && fields.get(at..).is_some_and(|rest| rest.starts_with("Unknown {")) => {
                unknown.push("context".to_owned());
            }
            _ => {}
        }
    }
}
