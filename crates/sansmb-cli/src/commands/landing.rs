//! A local file that appears under its name when it is complete, and not before.

use std::{
    fs::{self, File},
    io::{self, ErrorKind, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, SystemTime},
};

use sansmb::wire::FileTime;

use crate::{
    failure::{About, Failure, Result, io_words},
    names::partial_name,
};

/// A file that is being written. Unless it is completed, nothing of it is left.
#[derive(Debug)]
pub(super) struct Landing {
    file: Arc<File>,
    /// Bytes that are in it.
    len: u64,
    /// Where the next one goes that is written here.
    position: u64,
    /// Its name until it is complete; `None` for what is no regular file, such as a pipe.
    partial: Option<PathBuf>,
    target: PathBuf,
}

impl Drop for Landing {
    fn drop(&mut self) {
        if let Some(partial) = self.partial.take() {
            let _ = fs::remove_file(partial);
        }
    }
}

impl Landing {
    pub(super) fn new(target: &Path) -> Result<Self> {
        let shown = target.display();
        let (target, permissions) = match fs::metadata(target) {
            Ok(there) if there.is_dir() => return Err(Failure::refused(shown, "it is a directory")),
            // Behind a link is the file that is meant.
            Ok(there) if there.is_file() => {
                (fs::canonicalize(target).about(shown)?, Some(there.permissions()))
            }
            Ok(_) => {
                let file = File::options().write(true).open(target).about(shown)?;
                return Ok(Self::of(file, None, target.to_owned()));
            }
            Err(error) if error.kind() == ErrorKind::NotFound => (target.to_owned(), None),
            Err(error) => return Err(Failure::refused(shown, io_words(&error))),
        };
        let name = target.file_name().unwrap_or_default().to_string_lossy();
        let partial = target.with_file_name(partial_name(&name));
        let file = File::options().write(true).create_new(true).open(&partial).about(target.display())?;
        let landing = Self::of(file, Some(partial), target);
        if let Some(permissions) = permissions {
            landing.file.set_permissions(permissions).about(landing.target.display())?;
        }
        Ok(landing)
    }

    fn of(file: File, partial: Option<PathBuf>, target: PathBuf) -> Self {
        Self { file: Arc::new(file), len: 0, position: 0, partial, target }
    }

    /// The file, for who writes to it directly: only a regular one, that can be written to anywhere.
    pub(super) fn file(&self) -> Option<Arc<File>> {
        self.partial.as_ref().map(|_| self.file.clone())
    }

    /// Adds `bytes` at the end.
    pub(super) fn write(&mut self, bytes: &[u8]) -> Result<()> {
        let mut file = &*self.file;
        if self.position != self.len {
            file.seek(SeekFrom::Start(self.len)).about(self.target.display())?;
        }
        file.write_all(bytes).about(self.target.display())?;
        self.len += bytes.len() as u64;
        self.position = self.len;
        Ok(())
    }

    /// Why it is not complete.
    pub(super) fn refused(&self, error: &io::Error) -> Failure {
        Failure::refused(self.target.display(), io_words(error))
    }

    /// Takes notice of `len` bytes that somebody else added.
    pub(super) fn landed(&mut self, len: u64) {
        self.len += len;
    }

    /// Gives the file its time and its name.
    pub(super) fn complete(mut self, written: FileTime) -> Result<()> {
        let Some(partial) = &self.partial else { return Ok(()) };
        if let Some(time) = system_time(written) {
            self.file.set_modified(time).about(self.target.display())?;
        }
        fs::rename(partial, &self.target).about(self.target.display())?;
        self.partial = None;
        Ok(())
    }
}

fn system_time(time: FileTime) -> Option<SystemTime> {
    if time == FileTime(0) || time == FileTime(u64::MAX) {
        return None;
    }
    let (seconds, nanos) = time.to_unix();
    let whole = Duration::from_secs(seconds.unsigned_abs());
    let base = if seconds < 0 {
        SystemTime::UNIX_EPOCH.checked_sub(whole)
    } else {
        SystemTime::UNIX_EPOCH.checked_add(whole)
    };
    base?.checked_add(Duration::from_nanos(nanos.into()))
}

/// The other way round.
pub(super) fn file_time(time: SystemTime) -> FileTime {
    match time.duration_since(SystemTime::UNIX_EPOCH) {
        Ok(after) => FileTime::from_unix(after.as_secs() as i64, after.subsec_nanos()),
        Err(before) => {
            let before = before.duration();
            let (seconds, nanos) = (before.as_secs() as i64, before.subsec_nanos());
            match nanos {
                0 => FileTime::from_unix(-seconds, 0),
                _ => FileTime::from_unix(-seconds - 1, 1_000_000_000 - nanos),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_come_back() {
        for (seconds, nanos) in [(0, 0), (1_700_000_000, 123_456_700), (-1, 999_999_900), (-5, 0)] {
            let time = FileTime::from_unix(seconds, nanos);
            assert_eq!(file_time(system_time(time).unwrap()), time);
        }
        assert_eq!(system_time(FileTime(0)), None);
    }
}
