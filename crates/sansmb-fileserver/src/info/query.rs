//! What is known of a file, [MS-FSA] 2.1.5.12.

use sansmb::{
    server::{Token, op},
    wire::{
        AccessMask, CreateOptions, FileAttributes, NtStatus, Structure, Utf16Buf,
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
    opens::OpenId,
    server::FileServer,
    storage::{Done, Job, Metadata, Outcome, SharePath},
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
            FileInfoClass::EA => encode(&FileEaInfo { ea_size: 0 }),
            FileInfoClass::NAME => {
                encode_named(&FileNameInfo { name: Utf16Buf::new(&absolute(&file.path)).as_utf16() })
            }
            FileInfoClass::NORMALIZED_NAME => {
                encode_named(&FileNameInfo { name: Utf16Buf::new(&file.path.0.join("\\")).as_utf16() })
            }
            FileInfoClass::ALTERNATE_NAME => return self.fail(token, NtStatus::OBJECT_NAME_NOT_FOUND),
            FileInfoClass::FULL_EA if !open.may(AccessMask::FILE_READ_EA) => {
                return self.fail(token, NtStatus::ACCESS_DENIED);
            }
            FileInfoClass::FULL_EA => return self.fail(token, NtStatus::NO_EAS_ON_FILE),
            FileInfoClass::BASIC
            | FileInfoClass::STANDARD
            | FileInfoClass::INTERNAL
            | FileInfoClass::ALL
            | FileInfoClass::STREAM
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
            FileInfoClass::PIPE | FileInfoClass::PIPE_LOCAL | FileInfoClass::PIPE_REMOTE => {
                return self.fail(token, NtStatus::INVALID_PARAMETER);
            }
            _ => return self.fail(token, NtStatus::INVALID_INFO_CLASS),
        };
        self.respond(token, fit(immediate.0, immediate.1, limit));
    }

    pub(crate) fn query_file_done(&mut self, id: OpenId, query: QueryFile, outcome: Outcome) {
        let QueryFile { token, class, limit } = query;
        let metadata = match outcome {
            Ok(Done::Metadata(metadata)) => metadata,
            outcome => return self.fail(token, outcome.err().unwrap_or(NtStatus::INTERNAL_ERROR)),
        };
        let (buffer, fixed) = match class {
            FileInfoClass::BASIC => encode(&basic(&metadata)),
            FileInfoClass::STANDARD => encode(&self.standard(id, &metadata)),
            FileInfoClass::INTERNAL => encode(&FileInternalInfo { index_number: metadata.node.file }),
            FileInfoClass::ALL => self.all(id, &metadata),
            FileInfoClass::STREAM => streams(&metadata),
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
            FileInfoClass::COMPRESSION => {
                encode(&FileCompressionInfo { compressed_file_size: metadata.length, ..Default::default() })
            }
            _ => encode(&FileIdInfo {
                volume_serial_number: metadata.node.volume,
                file_id: metadata.node.file.into(),
            }),
        };
        self.respond(token, fit(buffer, fixed, limit));
    }

    fn standard(&self, id: OpenId, metadata: &Metadata) -> FileStandardInfo {
        let delete_pending = self.path_key(id).is_some_and(|key| self.nodes.is_doomed(&key));
        FileStandardInfo {
            allocation_size: metadata.allocated,
            end_of_file: metadata.length,
            number_of_links: metadata.links.saturating_sub(delete_pending.into()),
            delete_pending,
            directory: metadata.is_directory(),
        }
    }

    fn all(&self, id: OpenId, metadata: &Metadata) -> Encoded {
        let (granted, position, mode, path) = match self.opens.get(&id).map(|open| (open, open.file())) {
            Some((open, Some(file))) => (open.granted, file.position, file.mode, absolute(&file.path)),
            _ => (AccessMask::empty(), 0, CreateOptions::empty(), String::new()),
        };
        encode_named(&FileAllInfo {
            basic: basic(metadata),
            standard: self.standard(id, metadata),
            internal: FileInternalInfo { index_number: metadata.node.file },
            ea: FileEaInfo { ea_size: 0 },
            access: FileAccessInfo { access_flags: granted },
            position: FilePositionInfo { current_byte_offset: position },
            mode: FileModeInfo { mode: mode.bits() },
            alignment: FileAlignmentInfo { alignment_requirement: 0 },
            name: Utf16Buf::new(&path).as_utf16(),
        })
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

/// The data, which is the only stream that a file has so far. A directory has none.
fn streams(metadata: &Metadata) -> Encoded {
    let mut writer = EntryWriter::new(usize::MAX);
    if !metadata.attributes.contains(FileAttributes::DIRECTORY) {
        let name = Utf16Buf::new("::$DATA");
        let entry =
            StreamEntry { size: metadata.length, allocation_size: metadata.allocated, name: name.as_utf16() };
        let _ = writer.push(&entry);
    }
    let buffer = writer.finish();
    let least = if buffer.is_empty() { 0 } else { STREAM_LEN };
    (buffer, least)
}

/// A path from the root of its share on.
fn absolute(path: &SharePath) -> String {
    format!("\\{}", path.0.join("\\"))
}
