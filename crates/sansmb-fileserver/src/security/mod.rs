//! Who may do what: users as tokens, descriptors of files, and checks of one against the other.

mod creator;
mod stored;

pub use creator::{Creator, SecurityChange};
pub use stored::{MAX_DESCRIPTOR, Security, Unix};
