//! sansmb on std::net and threads
