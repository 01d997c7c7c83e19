//! sansmb on tokio
