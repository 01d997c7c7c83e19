//! Quotas, [MS-FSCC] 2.4.41 and [MS-SMB2] 2.2.37.1.

use zerocopy::little_endian::{U16, U32, U64};

use super::super::{DecodeError, FileTime, Structure, Writer, fixed_at, span};
use super::{Entries, Entry};

layout! {
    struct QuotaFixed [40] {
        next_entry_offset: U32,
        sid_length: U32,
        change_time: U64,
        quota_used: U64,
        quota_threshold: U64,
        quota_limit: U64,
    }
}

/// FILE_QUOTA_INFORMATION: the quota of one user.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct QuotaEntry<'m> {
    /// When the quota last changed.
    pub change_time: FileTime,
    /// Bytes used.
    pub used: u64,
    /// Bytes at which to warn.
    pub threshold: u64,
    /// Most bytes.
    pub limit: u64,
    /// The user's security identifier, as bytes.
    pub sid: &'m [u8],
}

impl<'m> Structure<'m> for QuotaEntry<'m> {
    const NAME: &'static str = "FILE_QUOTA_INFORMATION";
    const FIXED_LEN: usize = size_of::<QuotaFixed>();

    fn decode(bytes: &'m [u8]) -> Result<Self, DecodeError> {
        let f: &QuotaFixed = fixed_at(bytes, 0, Self::NAME)?;
        Ok(Self {
            change_time: FileTime(f.change_time.get()),
            used: f.quota_used.get(),
            threshold: f.quota_threshold.get(),
            limit: f.quota_limit.get(),
            sid: span(bytes, Self::NAME, Self::FIXED_LEN, f.sid_length.get() as usize)?,
        })
    }

    fn encode(&self, w: &mut Writer<'_>) {
        w.put(&QuotaFixed {
            next_entry_offset: U32::ZERO,
            sid_length: U32::new(self.sid.len() as u32),
            change_time: U64::new(self.change_time.0),
            quota_used: U64::new(self.used),
            quota_threshold: U64::new(self.threshold),
            quota_limit: U64::new(self.limit),
        });
        w.bytes(self.sid);
    }
}

impl<'m> Entry<'m> for QuotaEntry<'m> {
    const ALIGNMENT: usize = 8;
}

layout! {
    struct GetQuotaFixed [8] { next_entry_offset: U32, sid_length: U32 }
}

/// FILE_GET_QUOTA_INFORMATION, [MS-FSCC] 2.4.41.1: a user whose quota is asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct GetQuotaEntry<'m> {
    /// The user's security identifier, as bytes.
    pub sid: &'m [u8],
}

impl<'m> Structure<'m> for GetQuotaEntry<'m> {
    const NAME: &'static str = "FILE_GET_QUOTA_INFORMATION";
    const FIXED_LEN: usize = size_of::<GetQuotaFixed>();

    fn decode(bytes: &'m [u8]) -> Result<Self, DecodeError> {
        let f: &GetQuotaFixed = fixed_at(bytes, 0, Self::NAME)?;
        Ok(Self { sid: span(bytes, Self::NAME, Self::FIXED_LEN, f.sid_length.get() as usize)? })
    }

    fn encode(&self, w: &mut Writer<'_>) {
        let sid_length = U32::new(self.sid.len() as u32);
        w.put(&GetQuotaFixed { next_entry_offset: U32::ZERO, sid_length });
        w.bytes(self.sid);
    }
}

impl<'m> Entry<'m> for GetQuotaEntry<'m> {
    const ALIGNMENT: usize = 4;
}

/// The quotas of a volume.
pub type QuotaEntries<'m> = Entries<'m, QuotaEntry<'m>>;

/// The users whose quotas are asked for.
pub type GetQuotaEntries<'m> = Entries<'m, GetQuotaEntry<'m>>;

layout! {
    struct QueryQuotaFixed [16] {
        return_single: u8,
        restart_scan: u8,
        reserved: U16,
        sid_list_length: U32,
        start_sid_length: U32,
        start_sid_offset: U32,
    }
}

/// SMB2_QUERY_QUOTA_INFO, [MS-SMB2] 2.2.37.1: the input of a QUERY_INFO for quotas.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct QueryQuotaInfo<'m> {
    /// Whether one entry is enough.
    pub return_single: bool,
    /// Whether to start again from the first.
    pub restart_scan: bool,
    /// Format 1: the users that are asked for, see [`GetQuotaEntries`].
    pub sid_list: &'m [u8],
    /// Format 2: the user to start at, as bytes.
    pub start_sid: &'m [u8],
}

impl<'m> Structure<'m> for QueryQuotaInfo<'m> {
    const NAME: &'static str = "SMB2_QUERY_QUOTA_INFO";
    const FIXED_LEN: usize = size_of::<QueryQuotaFixed>();

    fn decode(bytes: &'m [u8]) -> Result<Self, DecodeError> {
        let f: &QueryQuotaFixed = fixed_at(bytes, 0, Self::NAME)?;
        let buffer = bytes.get(Self::FIXED_LEN..).unwrap_or_default();
        let start = f.start_sid_offset.get() as usize;
        Ok(Self {
            return_single: f.return_single != 0,
            restart_scan: f.restart_scan != 0,
            sid_list: span(buffer, Self::NAME, 0, f.sid_list_length.get() as usize)?,
            start_sid: span(buffer, Self::NAME, start, f.start_sid_length.get() as usize)?,
        })
    }

    fn encode(&self, w: &mut Writer<'_>) {
        w.put(&QueryQuotaFixed {
            return_single: self.return_single.into(),
            restart_scan: self.restart_scan.into(),
            reserved: U16::ZERO,
            sid_list_length: U32::new(self.sid_list.len() as u32),
            start_sid_length: U32::new(self.start_sid.len() as u32),
            start_sid_offset: U32::new(if self.start_sid.is_empty() {
                0
            } else {
                self.sid_list.len() as u32
            }),
        });
        w.bytes(self.sid_list);
        w.bytes(self.start_sid);
    }
}
