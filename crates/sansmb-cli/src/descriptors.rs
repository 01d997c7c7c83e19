//! How many files and connections the system lets the program have.

/// Takes as many descriptors as it may have: by default it gets 1024, and a server needs one for every
/// connection and every open file.
#[cfg(unix)]
pub(crate) fn allow_all() {
    use rustix::process::{Resource, getrlimit, setrlimit};
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    if let Err(error) = setrlimit(Resource::Nofile, limit) {
        tracing::debug!("the limit of open files stays as it is: {error}");
    }
}

/// Other systems have no such limit.
#[cfg(not(unix))]
pub(crate) fn allow_all() {}
