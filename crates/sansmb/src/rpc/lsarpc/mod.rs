//! The local security authority, [MS-LSAT] and [MS-LSAD]: names of security identifiers and back, and
//! where a machine's accounts are.

mod lookup;
mod policy;
mod request;

use super::SyntaxId;
use crate::wire::{Guid, open_enum, wire_flags};

pub use lookup::{
    AccountKind, LookupNamesResponse, LookupSidsResponse, ReferencedDomain, TranslatedName, TranslatedSid,
};
pub use policy::{
    CloseResponse, EnumerateTrustedDomainsResponse, GetUserNameResponse, OpenPolicyResponse,
    PolicyInformation, QueryPolicyResponse,
};
pub use request::{LsaRequest, ObjectAttributes};

/// The interface, `12345778-1234-abcd-ef00-0123456789ab` version 0.0.
pub const INTERFACE: SyntaxId = SyntaxId {
    uuid: Guid([
        0x78, 0x57, 0x34, 0x12, 0x34, 0x12, 0xCD, 0xAB, 0xEF, 0x00, 0x01, 0x23, 0x45, 0x67, 0x89, 0xAB,
    ]),
    major: 0,
    minor: 0,
};

/// Name of the pipe, as CREATE has it.
pub const PIPE: &str = "lsarpc";

/// Most names or identifiers of one call, [MS-LSAT] 2.2.15.
pub const MAX_LOOKUPS: u32 = 1000;

/// LsarClose, [MS-LSAD] 3.1.4.9.4.
pub const CLOSE: u16 = 0;
/// LsarOpenPolicy, [MS-LSAD] 3.1.4.4.2.
pub const OPEN_POLICY: u16 = 6;
/// LsarQueryInformationPolicy, [MS-LSAD] 3.1.4.4.4.
pub const QUERY_POLICY: u16 = 7;
/// LsarEnumerateTrustedDomains, [MS-LSAD] 3.1.4.7.8.
pub const ENUMERATE_TRUSTED_DOMAINS: u16 = 13;
/// LsarLookupNames, [MS-LSAT] 3.1.4.8.
pub const LOOKUP_NAMES: u16 = 14;
/// LsarLookupSids, [MS-LSAT] 3.1.4.11.
pub const LOOKUP_SIDS: u16 = 15;
/// LsarOpenPolicy2, [MS-LSAD] 3.1.4.4.1.
pub const OPEN_POLICY2: u16 = 44;
/// LsarGetUserName, [MS-LSAT] 3.1.4.4.
pub const GET_USER_NAME: u16 = 45;
/// LsarQueryInformationPolicy2, [MS-LSAD] 3.1.4.4.3.
pub const QUERY_POLICY2: u16 = 46;
/// LsarEnumerateTrustedDomainsEx, [MS-LSAD] 3.1.4.7.7.
pub const ENUMERATE_TRUSTED_DOMAINS_EX: u16 = 50;
/// LsarLookupSids2, [MS-LSAT] 3.1.4.10.
pub const LOOKUP_SIDS2: u16 = 57;
/// LsarLookupNames2, [MS-LSAT] 3.1.4.7.
pub const LOOKUP_NAMES2: u16 = 58;
/// LsarLookupNames3, [MS-LSAT] 3.1.4.6.
pub const LOOKUP_NAMES3: u16 = 68;
/// LsarLookupSids3, [MS-LSAT] 3.1.4.9.
pub const LOOKUP_SIDS3: u16 = 76;
/// LsarLookupNames4, [MS-LSAT] 3.1.4.5.
pub const LOOKUP_NAMES4: u16 = 77;
/// LsarOpenPolicy3, [MS-LSAD] 3.1.4.4.9.
pub const OPEN_POLICY3: u16 = 130;

wire_flags! {
    /// What may be done with a policy, [MS-LSAD] 2.2.1.1.2.
    pub struct PolicyAccess: u32 {
        /// See where accounts are.
        const VIEW_LOCAL_INFORMATION = 0x0000_0001;
        /// See what is audited.
        const VIEW_AUDIT_INFORMATION = 0x0000_0002;
        /// See what is private.
        const GET_PRIVATE_INFORMATION = 0x0000_0004;
        /// Translate names and identifiers.
        const LOOKUP_NAMES = 0x0000_0800;
        /// Read its descriptor.
        const READ_CONTROL = 0x0002_0000;
        /// As much as one may.
        const MAXIMUM_ALLOWED = 0x0200_0000;
        /// Everything.
        const GENERIC_ALL = 0x1000_0000;
        /// What everybody may.
        const GENERIC_EXECUTE = 0x2000_0000;
        /// Change it.
        const GENERIC_WRITE = 0x4000_0000;
        /// Read it.
        const GENERIC_READ = 0x8000_0000;
    }
}

impl PolicyAccess {
    /// POLICY_ALL_ACCESS with what Windows added since.
    pub const ALL: Self = Self::from_bits_retain(0x000F_1FFF);
    /// POLICY_EXECUTE: what generic execution is short for.
    pub const EXECUTE: Self =
        Self::READ_CONTROL.union(Self::VIEW_LOCAL_INFORMATION).union(Self::LOOKUP_NAMES);

    /// With what the generic bits are short for, [MS-LSAD] 2.2.1.1.2.
    #[must_use]
    pub fn expand_generic(self) -> Self {
        let mut access = self;
        for (generic, means) in [
            (Self::GENERIC_ALL, Self::ALL),
            (Self::GENERIC_EXECUTE, Self::EXECUTE),
            (Self::GENERIC_WRITE, Self::from_bits_retain(0x0002_07F8)),
            (Self::GENERIC_READ, Self::from_bits_retain(0x0002_0006)),
        ] {
            if access.contains(generic) {
                access.remove(generic);
                access |= means;
            }
        }
        access
    }
}

open_enum! {
    /// POLICY_INFORMATION_CLASS, [MS-LSAD] 2.2.4.1: what is asked about a policy.
    pub struct PolicyClass: u16 {
        /// The audit log
        AUDIT_LOG = 1,
        /// What is audited
        AUDIT_EVENTS = 2,
        /// Domain or workgroup that the machine belongs to
        PRIMARY_DOMAIN = 3,
        /// A former account of it
        PD_ACCOUNT = 4,
        /// Where the machine's accounts are
        ACCOUNT_DOMAIN = 5,
        /// Primary or backup
        SERVER_ROLE = 6,
        /// Where policies are replicated from
        REPLICA_SOURCE = 7,
        /// Changes, which cannot be asked for
        MODIFICATION = 9,
        /// Whether the log may be full, which cannot be asked for
        AUDIT_FULL_SET = 10,
        /// Whether the log is full
        AUDIT_FULL_QUERY = 11,
        /// The domain that the machine belongs to, with its DNS names
        DNS_DOMAIN = 12,
        /// The same
        DNS_DOMAIN_INT = 13,
        /// Where the machine's accounts are, of domain controllers too
        LOCAL_ACCOUNT_DOMAIN = 14,
        /// The machine's own account
        MACHINE_ACCOUNT = 15,
    }
}

open_enum! {
    /// LSAP_LOOKUP_LEVEL, [MS-LSAT] 2.2.16: where to look.
    pub struct LookupLevel: u16 {
        /// Wherever a workstation would look
        WORKSTATION = 1,
        /// What a primary domain controller knows
        PDC = 2,
        /// Trusted domains
        TDL = 3,
        /// The global catalogue
        GC = 4,
        /// Trusted forests, referred by name
        X_FOREST_REFERRAL = 5,
        /// Trusted forests, resolved
        X_FOREST_RESOLVE = 6,
        /// What a read-only domain controller is referred to
        RODC_REFERRAL_TO_FULL_DC = 7,
    }
}

/// LSAPR_HANDLE: names a policy that was opened, on the pipe that it was opened on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct PolicyHandle {
    /// Zero.
    pub attributes: u32,
    /// Names it; zeros name nothing.
    pub uuid: Guid,
}
