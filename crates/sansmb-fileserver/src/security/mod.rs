//! Who may do what: users as tokens, descriptors of files, and checks of one against the other.

mod accounts;
mod creator;
mod names;
mod stored;

pub(crate) use accounts::Accounts;
pub use creator::{Creator, SecurityChange};
pub(crate) use names::{Account, Domain};
pub use stored::{Assigned, MAX_DESCRIPTOR, Security, Unix};
