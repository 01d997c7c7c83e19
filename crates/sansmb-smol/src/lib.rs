//! sansmb on smol
