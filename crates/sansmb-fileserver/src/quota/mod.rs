//! Quotas, [MS-SMB2] 3.3.5.20.4 and 3.3.5.21.4, [MS-FSA] 2.1.5.21 and 2.1.5.22.
//!
//! A storage counts and limits; here it is decided who may ask for what. Everybody may ask how much they
//! take themselves and administrators whom they like, through any open of the volume: clients use the
//! quota file as well as any other.

pub(crate) mod file;
mod query;
mod set;

pub(crate) use query::QueryQuota;
pub(crate) use set::SetQuota;

use sansmb::wire::{
    NtStatus,
    dtyp::{Privileges, Token},
};

use crate::{opens::OpenId, server::FileServer};

/// Whether somebody may see and change what others take.
fn manages(who: &Token) -> bool {
    who.privileges().contains(Privileges::MANAGE_VOLUME)
}

impl FileServer {
    /// The volume of an open has quotas.
    fn check_has_quotas(&self, id: OpenId) -> Result<(), NtStatus> {
        let file = self.file(id).ok_or(NtStatus::NOT_SUPPORTED)?;
        if file.share.traits.features.quotas { Ok(()) } else { Err(NtStatus::NOT_SUPPORTED) }
    }
}
