//! What is known of a file, [MS-FSA] 2.1.5.12.

use sansmb::{
    server::{Failure, Reply, Token, op},
    wire::{
        AccessMask, CreateOptions, NtStatus, QueryInfoResponse, Structure, Utf16Buf,
        fscc::{
            EntryWriter, FileAccessInfo, FileAlignmentInfo, FileAllInfo, FileAttributeTagInfo, FileBasicInfo,
            FileCompressionInfo, FileEaInfo, FileIdInfo, FileInfoClass, FileInternalInfo, FileModeInfo,
            FileNameInfo, FileNetworkOpenInfo, FilePositionInfo, FileStandardInfo, StreamEntry,
        },
    },
};

use super::fit;
use crate::{
    create::shown_attributes,
    ioctl::compression,
    opens::{FileOpen, OpenId},
    path_key::PathKey,
    server::FileServer,
    storage::{Done, Job, Metadata, Outcome, StreamInfo},
    task::Step,
};

/// The least room for a stream: the size of its structure in C.
const STREAM_LEN: usize = 32;

/// A query that needs the file's metadata.
#[derive(Debug)]
pub(crate) struct QueryFile {
    token: Token<op::QueryInfo>,
    class: FileInfoClass,
    limit: usize,
}

/// A class, encoded, and the length of its fixed part.
type Encoded = (Vec<u8>, usize);

fn encode<'m, S: Structure<'m>>(info: &S) -> Encoded {
    (info.to_vec(), S::FIXED_LEN)
}

/// A class that ends in a name. The least room for it is the size of the structure in C, which is
/// padded, as Windows asks for, not the offset of the name.
fn encode_named<'m, S: Structure<'m>>(info: &S) -> Encoded {
    (info.to_vec(), (S::FIXED_LEN + 2).next_multiple_of(4))
}

impl FileServer {
    pub(crate) fn query_file(
        &mut self,
        id: OpenId,
        token: Token<op::QueryInfo>,
        class: FileInfoClass,
        limit: usize,
    ) {
        let Some(open) = self.opens.get(&id) else { return self.fail(token, NtStatus::FILE_CLOSED) };
        let Some(file) = open.file() else { return self.fail(token, NtStatus::INVALID_DEVICE_REQUEST) };
        let needs_attributes = matches!(
            class,
            FileInfoClass::BASIC
                | FileInfoClass::ALL
                | FileInfoClass::NETWORK_OPEN
                | FileInfoClass::ATTRIBUTE_TAG
        );
        if needs_attributes && !open.may(AccessMask::FILE_READ_ATTRIBUTES) {
            return self.fail(token, NtStatus::ACCESS_DENIED);
        }
        let immediate = match class {
            FileInfoClass::ACCESS => encode(&FileAccessInfo { access_flags: open.granted }),
            FileInfoClass::POSITION => encode(&FilePositionInfo { current_byte_offset: file.position }),
            FileInfoClass::MODE => encode(&FileModeInfo { mode: file.mode.bits() }),
            FileInfoClass::ALIGNMENT => encode(&FileAlignmentInfo { alignment_requirement: 0 }),
            FileInfoClass::NORMALIZED_NAME => {
                encode_named(&FileNameInfo { name: Utf16Buf::new(&relative(file)).as_utf16() })
            }
            FileInfoClass::ALTERNATE_NAME => return self.fail(token, NtStatus::OBJECT_NAME_NOT_FOUND),
            FileInfoClass::STREAM if limit < STREAM_LEN => {
                return self.fail(token, NtStatus::INFO_LENGTH_MISMATCH);
            }
            FileInfoClass::STREAM => {
                let query = QueryFile { token, class, limit };
                return self.job_on(
                    id,
                    |file| Job::Streams { handle: file.handle },
                    Step::QueryFile(Box::new(query)),
                );
            }
            FileInfoClass::BASIC
            | FileInfoClass::STANDARD
            | FileInfoClass::INTERNAL
            | FileInfoClass::ALL
            | FileInfoClass::EA
            | FileInfoClass::NETWORK_OPEN
            | FileInfoClass::ATTRIBUTE_TAG
            | FileInfoClass::COMPRESSION
            | FileInfoClass::ID => {
                let query = QueryFile { token, class, limit };
                return self.job_on(
                    id,
                    |file| Job::Stat { handle: file.handle },
                    Step::QueryFile(Box::new(query)),
                );
            }
            FileInfoClass::PIPE
            | FileInfoClass::PIPE_LOCAL
            | FileInfoClass::PIPE_REMOTE
            | FileInfoClass::QUOTA => {
                return self.fail(token, NtStatus::INVALID_PARAMETER);
            }
            // Not for clients, [MS-FSA] 2.1.5.12.
            FileInfoClass::NAME
            | FileInfoClass::OBJECT_ID
            | FileInfoClass::REPARSE_POINT
            | FileInfoClass::SFIO_RESERVE
            | FileInfoClass::HARD_LINK
            | FileInfoClass::STANDARD_LINK => return self.fail(token, NtStatus::NOT_SUPPORTED),
            _ => return self.fail(token, NtStatus::INVALID_INFO_CLASS),
        };
        self.respond(token, fit(immediate.0, immediate.1, limit));
    }

    pub(crate) fn query_file_done(&mut self, id: OpenId, query: QueryFile, outcome: Outcome) {
        let QueryFile { token, class, limit } = query;
        let metadata = match outcome {
            Ok(Done::Metadata(metadata)) => self.shown(metadata),
            Ok(Done::Streams(streams)) => {
                let shown = self.file(id).is_some_and(|file| file.share.named_streams());
                return self.respond(token, list_streams(&streams, shown, limit));
            }
            outcome => return self.fail(token, outcome.err().unwrap_or(NtStatus::INTERNAL_ERROR)),
        };
        let (buffer, fixed) = match class {
            FileInfoClass::BASIC => encode(&basic(&metadata)),
            FileInfoClass::STANDARD => encode(&self.standard(id, &metadata)),
            FileInfoClass::INTERNAL => encode(&FileInternalInfo { index_number: metadata.node.file }),
            FileInfoClass::ALL => self.all(id, &metadata),
            FileInfoClass::EA => encode(&FileEaInfo { ea_size: metadata.ea_size }),
            FileInfoClass::NETWORK_OPEN => encode(&FileNetworkOpenInfo {
                creation_time: metadata.created,
                last_access_time: metadata.accessed,
                last_write_time: metadata.written,
                change_time: metadata.changed,
                allocation_size: metadata.allocated,
                end_of_file: metadata.length,
                attributes: shown_attributes(metadata.attributes),
            }),
            FileInfoClass::ATTRIBUTE_TAG => encode(&FileAttributeTagInfo {
                attributes: shown_attributes(metadata.attributes),
                reparse_tag: metadata.reparse_tag,
            }),
            FileInfoClass::COMPRESSION => encode(&compression_of(&metadata)),
            _ => encode(&FileIdInfo {
                volume_serial_number: self.file(id).map_or(0, |file| file.share.traits.serial.into()),
                file_id: metadata.node.file.into(),
            }),
        };
        self.respond(token, fit(buffer, fixed, limit));
    }

    fn standard(&self, id: OpenId, metadata: &Metadata) -> FileStandardInfo {
        let doomed = |key: &PathKey| self.nodes.is_doomed(key);
        let delete_pending = self.path_key(id).is_some_and(|key| doomed(&key));
        let file_goes = self.file(id).is_some_and(|file| doomed(&file.file_key()));
        FileStandardInfo {
            allocation_size: metadata.allocated,
            end_of_file: metadata.length,
            number_of_links: metadata.links.saturating_sub(file_goes.into()),
            delete_pending,
            directory: metadata.is_directory(),
        }
    }

    fn all(&self, id: OpenId, metadata: &Metadata) -> Encoded {
        let (granted, position, mode, path) = match self.opens.get(&id).map(|open| (open, open.file())) {
            Some((open, Some(file))) => (open.granted, file.position, file.mode, absolute(file)),
            _ => (AccessMask::empty(), 0, CreateOptions::empty(), String::new()),
        };
        encode_named(&FileAllInfo {
            basic: basic(metadata),
            standard: self.standard(id, metadata),
            internal: FileInternalInfo { index_number: metadata.node.file },
            ea: FileEaInfo { ea_size: metadata.ea_size },
            access: FileAccessInfo { access_flags: granted },
            position: FilePositionInfo { current_byte_offset: position },
            mode: FileModeInfo { mode: mode.bits() },
            alignment: FileAlignmentInfo { alignment_requirement: 0 },
            name: Utf16Buf::new(&path).as_utf16(),
        })
    }
}

/// [MS-FSA] 2.1.5.12.8.
fn compression_of(metadata: &Metadata) -> FileCompressionInfo {
    let format = compression::format_of(metadata.attributes);
    let shifts = if format == compression::NONE { (0, 0, 0) } else { (16, 12, 12) };
    FileCompressionInfo {
        compressed_file_size: if metadata.is_directory() { 0 } else { metadata.allocated },
        compression_format: format,
        compression_unit_shift: shifts.0,
        chunk_shift: shifts.1,
        cluster_shift: shifts.2,
    }
}

fn basic(metadata: &Metadata) -> FileBasicInfo {
    FileBasicInfo {
        creation_time: metadata.created,
        last_access_time: metadata.accessed,
        last_write_time: metadata.written,
        change_time: metadata.changed,
        attributes: shown_attributes(metadata.attributes),
    }
}

/// As many streams as fit. A directory without named streams has none.
fn list_streams(streams: &[StreamInfo], named: bool, limit: usize) -> Result<Reply<op::QueryInfo>, Failure> {
    let mut writer = EntryWriter::new(limit);
    let mut more = false;
    for stream in streams.iter().filter(|stream| named || stream.name.is_empty()) {
        let name = Utf16Buf::new(&format!(":{}:$DATA", stream.name));
        let (size, allocation_size) = (stream.length, stream.allocated);
        more = !writer.push(&StreamEntry { size, allocation_size, name: name.as_utf16() });
        if more {
            break;
        }
    }
    let reply = Reply::new(&QueryInfoResponse { buffer: &writer.finish() });
    Ok(if more { reply.with_status(NtStatus::BUFFER_OVERFLOW) } else { reply })
}

/// The name of a file and its stream from the root of the share on.
fn relative(file: &FileOpen) -> String {
    file.stream_path().as_ref().unwrap_or(&file.path).0.join("\\")
}

/// The same with a separator before it.
fn absolute(file: &FileOpen) -> String {
    format!("\\{}", relative(file))
}
