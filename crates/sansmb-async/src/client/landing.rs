//! Payloads that the system moves from the socket to a file.

use std::{
    fs::File,
    io,
    sync::{Arc, Mutex},
};

use crate::lock::lock;

/// The file that the payload of one READ goes to.
#[derive(Debug)]
pub(super) struct Landing {
    pub(super) to: Arc<Target>,
    /// Where in the file the next byte goes.
    pub(super) at: u64,
}

/// A file that payloads go to.
#[derive(Debug)]
pub(super) struct Target {
    pub(super) file: Arc<File>,
    /// Why it did not take one.
    failed: Mutex<Option<io::Error>>,
}

impl Landing {
    /// Writes what is here already.
    pub(super) fn take(&mut self, bytes: &[u8]) -> io::Result<()> {
        #[cfg(unix)]
        std::os::unix::fs::FileExt::write_all_at(&*self.to.file, bytes, self.at)?;
        self.at += bytes.len() as u64;
        Ok(())
    }
}

impl Target {
    pub(super) fn new(file: Arc<File>) -> Self {
        Self { file, failed: Mutex::default() }
    }

    pub(super) fn fail(&self, error: io::Error) {
        lock(&self.failed).get_or_insert(error);
    }

    /// Why a payload is not in the file.
    pub(super) fn failure(&self) -> io::Error {
        let failed = lock(&self.failed).take();
        failed.unwrap_or_else(|| io::Error::other("what was read was thrown away"))
    }
}
