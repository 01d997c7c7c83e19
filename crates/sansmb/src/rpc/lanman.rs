//! What the services of LAN Manager have in common: what methods return, and how lists are asked for.

use alloc::vec::Vec;

use super::{NdrReader, NdrWriter};
use crate::wire::{DecodeError, open_enum};

open_enum! {
    /// NET_API_STATUS, [MS-SRVS] 2.2.2.10 and [MS-ERREF] 2.2: what a method returns.
    pub struct NetStatus: u32 {
        /// It worked.
        SUCCESS = 0,
        /// Access is denied.
        ACCESS_DENIED = 5,
        /// Not supported.
        NOT_SUPPORTED = 50,
        /// A parameter is invalid.
        INVALID_PARAMETER = 87,
        /// The level is not known.
        INVALID_LEVEL = 124,
        /// There is more: call again with the resume handle.
        MORE_DATA = 234,
        /// There is no such user.
        USER_NOT_FOUND = 2221,
        /// There is no such share.
        NET_NAME_NOT_FOUND = 2310,
        /// Nobody is logged on from that machine.
        CLIENT_NAME_NOT_FOUND = 2312,
        /// Nothing of that number is open.
        FILE_ID_NOT_FOUND = 2314,
        /// That is no name of a machine.
        INVALID_COMPUTER = 2351,
    }
}

/// "As many as there are", for methods that list something.
pub const MAX_PREFERRED_LENGTH: u32 = u32::MAX;

/// What stands at the end of a list.
#[derive(Clone, Copy, Debug)]
pub(super) struct ListEnd {
    /// How many entries there are, from here on.
    pub(super) total_entries: u32,
    /// Where to go on, with [`NetStatus::MORE_DATA`].
    pub(super) resume_handle: Option<u32>,
    /// Whether it worked.
    pub(super) status: NetStatus,
}

impl NdrWriter {
    /// What a list is asked for with: a level, an empty container for the answer, how much is wanted,
    /// and where an earlier answer ended.
    pub(super) fn list_request(&mut self, level: u32, preferred_length: u32, resume_handle: Option<u32>) {
        self.u32(level);
        self.u32(level);
        self.pointer(true);
        self.counted::<()>(None);
        self.u32(preferred_length);
        self.unique_u32(resume_handle);
    }

    /// A list: its level, where there `is_level` its rows, each in two parts, and its end.
    pub(super) fn list_response<T>(
        &mut self,
        level: u32,
        is_level: bool,
        rows: Option<&[T]>,
        fixed: impl FnMut(&mut Self, &T),
        deferred: impl FnMut(&mut Self, &T),
        end: ListEnd,
    ) {
        self.u32(level);
        self.u32(level);
        if is_level {
            self.pointer(true);
            self.counted(rows);
            if let Some(rows) = rows {
                self.array(rows, fixed, deferred);
            }
        }
        self.u32(end.total_entries);
        self.unique_u32(end.resume_handle);
        self.u32(end.status.0);
    }

    /// A description: its level, where the interface `has_form` for that what `put` writes of it, and whether
    /// it worked.
    pub(super) fn info_response<T>(
        &mut self,
        level: u32,
        has_form: bool,
        info: Option<T>,
        put: impl FnOnce(&mut Self, T),
        status: NetStatus,
    ) {
        self.u32(level);
        if has_form {
            self.pointer(info.is_some());
        }
        if let Some(info) = info {
            put(self, info);
        }
        self.u32(status.0);
    }
}

impl NdrReader<'_> {
    /// What a list is asked for with.
    pub(super) fn list_request(&mut self) -> Result<(u32, u32, Option<u32>), DecodeError> {
        let level = self.u32()?;
        self.expect(level)?;
        if self.pointer()? {
            // Clients send the container empty, some of them with an empty array.
            self.expect(0)?;
            if self.pointer()? {
                self.expect(0)?;
            }
        }
        Ok((level, self.u32()?, self.unique_u32()?))
    }

    /// A list: its level, its rows, read by `rows` once their level and number are known, and its end.
    pub(super) fn list_response<T>(
        &mut self,
        is_level: impl FnOnce(u32) -> bool,
        rows: impl FnOnce(&mut Self, u32, u32) -> Result<Vec<T>, DecodeError>,
    ) -> Result<(u32, Vec<T>, ListEnd), DecodeError> {
        let level = self.u32()?;
        self.expect(level)?;
        let mut listed = Vec::new();
        if is_level(level)
            && self.pointer()?
            && let Some(count) = self.counted()?
        {
            listed = rows(self, level, count)?;
        }
        let (total_entries, resume_handle) = (self.u32()?, self.unique_u32()?);
        Ok((level, listed, ListEnd { total_entries, resume_handle, status: NetStatus(self.u32()?) }))
    }

    /// A description of a level that there `is_level`; a level that only `has_form` can but be absent.
    pub(super) fn info_response<T>(
        &mut self,
        what: &'static str,
        has_form: impl FnOnce(u32) -> bool,
        is_level: impl FnOnce(u32) -> bool,
        get: impl FnOnce(&mut Self, u32) -> Result<T, DecodeError>,
    ) -> Result<(u32, Option<T>, NetStatus), DecodeError> {
        let level = self.u32()?;
        let info = match has_form(level) && self.pointer()? {
            true if is_level(level) => Some(get(self, level)?),
            true => return Err(DecodeError::value(what, 0, level.into())),
            false => None,
        };
        Ok((level, info, NetStatus(self.u32()?)))
    }
}
