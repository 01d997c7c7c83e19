//! Data types of [MS-DTYP]: security identifiers, access lists and security descriptors.

mod ace;
mod acl;
mod security_descriptor;
mod sid;
#[cfg(test)]
mod tests;

pub use ace::{Ace, AceBody, AceFlags, AceType, ObjectAceFlags};
pub use acl::{Aces, Acl, CheckedAces};
pub use security_descriptor::{SecurityDescriptor, SecurityDescriptorControl};
pub use sid::{ParseSidError, Sid};
