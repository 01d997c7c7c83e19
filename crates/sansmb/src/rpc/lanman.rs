//! What the services of LAN Manager have in common: what methods return, and how lists are asked for.

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
        /// There is no such share.
        NET_NAME_NOT_FOUND = 2310,
    }
}

/// "As many as there are", for methods that list something.
pub const MAX_PREFERRED_LENGTH: u32 = u32::MAX;

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
}
