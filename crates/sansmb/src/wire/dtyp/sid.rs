//! Security identifiers, [MS-DTYP] 2.4.2.

use core::fmt;
use core::str::FromStr;

use zerocopy::little_endian::U32;

use super::super::{DecodeError, Structure, Writer, fixed_at};

layout! {
    struct SidFixed [8] { revision: u8, sub_authority_count: u8, identifier_authority: [u8; 6] }
}

/// A security identifier: names a user, a group or another principal.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Sid {
    authority: u64,
    count: u8,
    /// Zero behind the first `count`, so that comparing compares what counts.
    sub_authorities: [u32; Self::MAX_SUB_AUTHORITIES],
}

impl Sid {
    /// Most sub-authorities of an identifier.
    pub const MAX_SUB_AUTHORITIES: usize = 15;
    const REVISION: u8 = 1;
    const MAX_AUTHORITY: u64 = (1 << 48) - 1;

    /// Nobody.
    pub const NULL: Self = Self::known(0, &[0]);
    /// Everyone, also who is anonymous.
    pub const EVERYONE: Self = Self::known(1, &[0]);
    /// Stands for the owner in access lists that are inherited.
    pub const CREATOR_OWNER: Self = Self::known(3, &[0]);
    /// Stands for the primary group in access lists that are inherited.
    pub const CREATOR_GROUP: Self = Self::known(3, &[1]);
    /// Replaces the rights that an owner has without being named.
    pub const OWNER_RIGHTS: Self = Self::known(3, &[4]);
    /// Who logged on over the network.
    pub const NETWORK: Self = Self::known(5, &[2]);
    /// Who logged on without a name.
    pub const ANONYMOUS: Self = Self::known(5, &[7]);
    /// Who logged on with a name.
    pub const AUTHENTICATED_USERS: Self = Self::known(5, &[11]);
    /// The operating system.
    pub const LOCAL_SYSTEM: Self = Self::known(5, &[18]);
    /// Services that are local.
    pub const LOCAL_SERVICE: Self = Self::known(5, &[19]);
    /// Services that use the network as the machine.
    pub const NETWORK_SERVICE: Self = Self::known(5, &[20]);
    /// Administrators of the machine.
    pub const BUILTIN_ADMINISTRATORS: Self = Self::known(5, &[32, 544]);
    /// Users of the machine.
    pub const BUILTIN_USERS: Self = Self::known(5, &[32, 545]);
    /// Guests of the machine.
    pub const BUILTIN_GUESTS: Self = Self::known(5, &[32, 546]);
    /// Mandatory label: low integrity.
    pub const LOW_INTEGRITY: Self = Self::known(16, &[0x1000]);
    /// Mandatory label: medium integrity.
    pub const MEDIUM_INTEGRITY: Self = Self::known(16, &[0x2000]);
    /// Mandatory label: high integrity.
    pub const HIGH_INTEGRITY: Self = Self::known(16, &[0x3000]);
    /// Mandatory label: system integrity.
    pub const SYSTEM_INTEGRITY: Self = Self::known(16, &[0x4000]);

    const fn known(authority: u64, sub_authorities: &[u32]) -> Self {
        match Self::new(authority, sub_authorities) {
            Some(sid) => sid,
            None => panic!("too many sub-authorities"),
        }
    }

    /// An identifier, or `None` if the authority has more than 48 bits or there are more than 15
    /// sub-authorities.
    pub const fn new(authority: u64, sub_authorities: &[u32]) -> Option<Self> {
        let count = sub_authorities.len();
        if authority > Self::MAX_AUTHORITY || count > Self::MAX_SUB_AUTHORITIES {
            return None;
        }
        let mut all = [0; Self::MAX_SUB_AUTHORITIES];
        let mut i = 0;
        while i < count {
            all[i] = sub_authorities[i];
            i += 1;
        }
        Some(Self { authority, count: count as u8, sub_authorities: all })
    }

    /// The user `uid` of a Unix system, `S-1-22-1-uid`.
    pub const fn unix_user(uid: u32) -> Self {
        Self::known(22, &[1, uid])
    }

    /// The group `gid` of a Unix system, `S-1-22-2-gid`.
    pub const fn unix_group(gid: u32) -> Self {
        Self::known(22, &[2, gid])
    }

    /// The identifier authority.
    pub const fn authority(&self) -> u64 {
        self.authority
    }

    /// The sub-authorities.
    pub fn sub_authorities(&self) -> &[u32] {
        self.sub_authorities.get(..self.count.into()).unwrap_or_default()
    }

    /// The last sub-authority: the relative identifier within the domain.
    pub fn rid(&self) -> Option<u32> {
        self.sub_authorities().last().copied()
    }

    /// This identifier with one more sub-authority, or `None` if there is no room.
    #[must_use]
    pub fn with_rid(mut self, rid: u32) -> Option<Self> {
        *self.sub_authorities.get_mut(usize::from(self.count))? = rid;
        self.count += 1;
        Some(self)
    }

    /// Length of the encoded identifier in bytes, at most 68.
    pub const fn encoded_len(&self) -> usize {
        size_of::<SidFixed>() + 4 * self.count as usize
    }
}

impl<'m> Structure<'m> for Sid {
    const NAME: &'static str = "SID";
    const FIXED_LEN: usize = size_of::<SidFixed>();

    fn decode(bytes: &'m [u8]) -> Result<Self, DecodeError> {
        let f: &SidFixed = fixed_at(bytes, 0, Self::NAME)?;
        if f.revision != Self::REVISION {
            return Err(DecodeError::value(Self::NAME, 0, f.revision.into()));
        }
        let [a, b, c, d, e, g] = f.identifier_authority;
        let mut sid = Self {
            authority: u64::from_be_bytes([0, 0, a, b, c, d, e, g]),
            count: 0,
            sub_authorities: [0; Self::MAX_SUB_AUTHORITIES],
        };
        let count = f.sub_authority_count;
        for i in 0..usize::from(count) {
            let rid: &U32 = fixed_at(bytes, Self::FIXED_LEN + 4 * i, Self::NAME)?;
            sid = sid.with_rid(rid.get()).ok_or(DecodeError::value(Self::NAME, 1, count.into()))?;
        }
        Ok(sid)
    }

    fn encode(&self, w: &mut Writer<'_>) {
        let [_, _, identifier_authority @ ..] = self.authority.to_be_bytes();
        w.put(&SidFixed { revision: Self::REVISION, sub_authority_count: self.count, identifier_authority });
        self.sub_authorities().iter().for_each(|&rid| w.put(&U32::new(rid)));
    }
}

impl fmt::Display for Sid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if u32::try_from(self.authority).is_ok() {
            write!(f, "S-1-{}", self.authority)?;
        } else {
            write!(f, "S-1-{:#014x}", self.authority)?;
        }
        self.sub_authorities().iter().try_for_each(|rid| write!(f, "-{rid}"))
    }
}

impl fmt::Debug for Sid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The text is not a security identifier.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a security identifier of the form S-1-5-...")]
pub struct ParseSidError;

impl FromStr for Sid {
    type Err = ParseSidError;

    /// Parses `S-1-5-21-...`; the authority may be hexadecimal.
    fn from_str(text: &str) -> Result<Self, ParseSidError> {
        let mut parts = text.split('-');
        if !parts.next().is_some_and(|s| s.eq_ignore_ascii_case("S")) || parts.next() != Some("1") {
            return Err(ParseSidError);
        }
        let authority = parts.next().and_then(parse_authority).ok_or(ParseSidError)?;
        let (mut all, mut count) = ([0; Self::MAX_SUB_AUTHORITIES], 0);
        for part in parts {
            let rid = digits(part).and_then(|part| part.parse().ok()).ok_or(ParseSidError)?;
            *all.get_mut(count).ok_or(ParseSidError)? = rid;
            count += 1;
        }
        all.get(..count).and_then(|all| Self::new(authority, all)).ok_or(ParseSidError)
    }
}

fn parse_authority(text: &str) -> Option<u64> {
    match text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        Some(hex) => hex.bytes().all(|b| b.is_ascii_hexdigit()).then(|| u64::from_str_radix(hex, 16).ok())?,
        None => digits(text)?.parse().ok(),
    }
}

/// `text` without a sign, which `parse` would take.
fn digits(text: &str) -> Option<&str> {
    (!text.starts_with('+')).then_some(text)
}
