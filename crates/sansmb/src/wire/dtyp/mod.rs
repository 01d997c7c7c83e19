//! Data types of [MS-DTYP] 2.4 and 2.5: security identifiers, access lists, security descriptors and
//! what is computed from them.

mod access_check;
mod ace;
mod acl;
mod assign;
mod security_descriptor;
mod sid;
#[cfg(test)]
mod tests;
mod token;

pub use access_check::granted_access;
pub use ace::{Ace, AceBody, AceFlags, AceType, ObjectAceFlags};
pub use acl::{Aces, Acl, CheckedAces};
pub use assign::new_descriptor;
pub use security_descriptor::{SecurityDescriptor, SecurityDescriptorControl};
pub use sid::{ParseSidError, Sid};
pub use token::{Privileges, Token};
