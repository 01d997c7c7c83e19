//! Records of persistent opens in a file of this machine.
//!
//! The file is a `redb` data base: a change is there as a whole or not at all, whenever the program or the
//! machine ends, and checksums tell what was spoilt. One thread writes; all that waits for it goes into one
//! transaction, so that many clients cost few waits for the disk.

use std::{
    fs::{self, File, OpenOptions},
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
    sync::mpsc::{Receiver, Sender, channel},
    thread::{self, JoinHandle},
};

use bytes::Bytes;
use redb::{Database, ReadableDatabase, ReadableTable, TableDefinition};
use sansmb::wire::NtStatus;
use sansmb_fileserver::store::{OpenStore, RecordId, StoreCompletion, StoreDone, StoreJob};

/// The records by their numbers.
const OPENS: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("opens");
/// What belongs to the file as a whole.
const ABOUT: TableDefinition<'_, &str, u64> = TableDefinition::new("about");
/// In [`ABOUT`]: what the tables mean.
const VERSION: (&str, u64) = ("version", 1);
/// In [`ABOUT`]: how many runs of the server there were.
const GENERATION: &str = "generation";
/// The name of the file.
const FILE: &str = "opens.redb";
/// Jobs in one transaction.
const BATCH: usize = 1024;
/// Bytes of the data base that are kept in memory.
const CACHE: usize = 4 << 20;

/// Why an [`OpenDb`] could not be opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenDbError {
    /// Another program has it open.
    #[error("another server uses it")]
    InUse,
    /// What is there is none, or was spoilt.
    #[error("it is damaged ({0}); move it away to start without the opens of the last run")]
    Damaged(String),
    /// It was written by a newer program.
    #[error("it is of a newer version ({0})")]
    Newer(u64),
    /// The file cannot be read or written.
    #[error("{0}")]
    Io(#[from] io::Error),
}

/// Keeps records of persistent opens in a folder of this machine.
#[derive(Debug)]
pub struct OpenDb {
    jobs: Option<Sender<(StoreJob, StoreCompletion)>>,
    writer: Option<JoinHandle<()>>,
}

impl OpenDb {
    /// Opens `opens.redb` in `folder`; both are made where they are missing, for this user only.
    ///
    /// # Errors
    ///
    /// Nothing is changed where there is something that is not understood.
    pub fn open(folder: impl AsRef<Path>) -> Result<Self, OpenDbError> {
        let path = folder.as_ref().join(FILE);
        make_folder(folder.as_ref())?;
        let db = guarded(|| {
            let mut db = connect(&path)?;
            // What cannot be read is to be known now, not when a client comes.
            db.check_integrity().map_err(failure)?;
            read_all(&db)?;
            Ok(db)
        })?;
        let (jobs, queue) = channel();
        let writer = Writer { path, db: Some(db) };
        let writer = thread::Builder::new().name("open records".into()).spawn(move || writer.run(&queue))?;
        Ok(Self { jobs: Some(jobs), writer: Some(writer) })
    }

    /// The file in `folder`.
    pub fn path(folder: impl AsRef<Path>) -> PathBuf {
        folder.as_ref().join(FILE)
    }
}

impl OpenStore for OpenDb {
    fn submit(&self, job: StoreJob, done: StoreCompletion) {
        let Some(jobs) = &self.jobs else { return done(Err(NtStatus::UNEXPECTED_IO_ERROR)) };
        if let Err(unsent) = jobs.send((job, done)) {
            let (_, done) = unsent.0;
            done(Err(NtStatus::UNEXPECTED_IO_ERROR));
        }
    }
}

impl Drop for OpenDb {
    /// What was submitted is written before.
    fn drop(&mut self) {
        self.jobs = None;
        if let Some(writer) =
            self.writer.take().filter(|writer| writer.thread().id() != thread::current().id())
        {
            // It does not panic; if it does, nothing is left to be done about it here.
            let _ = writer.join();
        }
    }
}

/// The thread that writes.
struct Writer {
    path: PathBuf,
    /// Nothing after a failure, which leaves the data base unusable until it is opened again.
    db: Option<Database>,
}

impl Writer {
    fn run(mut self, queue: &Receiver<(StoreJob, StoreCompletion)>) {
        while let Ok(first) = queue.recv() {
            let mut batch = vec![first];
            batch.extend(queue.try_iter().take(BATCH - 1));
            let (jobs, completions): (Vec<_>, Vec<_>) = batch.into_iter().unzip();
            let outcome = guarded(|| self.carry_out(jobs));
            match outcome {
                Ok(outcomes) => completions.into_iter().zip(outcomes).for_each(|(done, it)| done(Ok(it))),
                Err(error) => {
                    self.db = None;
                    let status = status(&error);
                    completions.into_iter().for_each(|done| done(Err(status)));
                }
            }
        }
    }

    /// All of them or none.
    fn carry_out(&mut self, jobs: Vec<StoreJob>) -> Result<Vec<StoreDone>, OpenDbError> {
        let db = match self.db.take() {
            Some(db) => self.db.insert(db),
            None => self.db.insert(connect(&self.path)?),
        };
        let mut outcomes = Vec::with_capacity(jobs.len());
        let transaction = db.begin_write().map_err(failure)?;
        {
            let mut opens = transaction.open_table(OPENS).map_err(failure)?;
            for job in jobs {
                outcomes.push(match job {
                    StoreJob::Load => {
                        let mut about = transaction.open_table(ABOUT).map_err(failure)?;
                        let before =
                            about.get(GENERATION).map_err(failure)?.map_or(0, |number| number.value());
                        let generation = before.wrapping_add(1).max(1);
                        about.insert(GENERATION, generation).map_err(failure)?;
                        StoreDone::Loaded { generation, records: records(&opens)? }
                    }
                    StoreJob::Put { id, record } => {
                        opens.insert(id.0, &record[..]).map_err(failure)?;
                        StoreDone::Nothing
                    }
                    StoreJob::Remove { id } => {
                        opens.remove(id.0).map_err(failure)?;
                        StoreDone::Nothing
                    }
                    _ => return Err(io::Error::from(io::ErrorKind::Unsupported).into()),
                });
            }
        }
        transaction.commit().map_err(failure)?;
        Ok(outcomes)
    }
}

/// The data base panics upon some of what can be wrong with a file.
fn guarded<T>(work: impl FnOnce() -> Result<T, OpenDbError>) -> Result<T, OpenDbError> {
    let unwound = catch_unwind(AssertUnwindSafe(work));
    unwound.unwrap_or_else(|_| Err(OpenDbError::Damaged("it contradicts itself".into())))
}

fn make_folder(folder: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

/// Opens the data base, makes it where there is none, and checks its version.
fn connect(path: &Path) -> Result<Database, OpenDbError> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true);
    // The records say who has what open.
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let file = options.open(path)?;
    let new = file.metadata()?.len() == 0;
    let db = Database::builder().set_cache_size(CACHE).create_file(file).map_err(failure)?;
    let transaction = db.begin_write().map_err(failure)?;
    {
        let mut about = transaction.open_table(ABOUT).map_err(failure)?;
        transaction.open_table(OPENS).map_err(failure)?;
        let (name, ours) = VERSION;
        let theirs = about.get(name).map_err(failure)?.map(|version| version.value());
        match theirs {
            None => drop(about.insert(name, ours).map_err(failure)?),
            Some(theirs) if theirs > ours => return Err(OpenDbError::Newer(theirs)),
            Some(_) => {}
        }
    }
    transaction.commit().map_err(failure)?;
    if new && let Some(folder) = path.parent() {
        // So that the name of the file outlives the machine, too. Not every system can.
        let _ = File::open(folder).and_then(|folder| folder.sync_all());
    }
    Ok(db)
}

fn read_all(db: &Database) -> Result<(), OpenDbError> {
    let transaction = db.begin_read().map_err(failure)?;
    let opens = transaction.open_table(OPENS).map_err(failure)?;
    records(&opens).map(drop)
}

fn records(opens: &impl ReadableTable<u64, &'static [u8]>) -> Result<Vec<(RecordId, Bytes)>, OpenDbError> {
    let all = opens.iter().map_err(failure)?;
    all.map(|entry| {
        let (id, record) = entry.map_err(failure)?;
        Ok((RecordId(id.value()), Bytes::copy_from_slice(record.value())))
    })
    .collect()
}

fn failure(error: impl Into<redb::Error>) -> OpenDbError {
    match error.into() {
        redb::Error::DatabaseAlreadyOpen => OpenDbError::InUse,
        // That is how a file is called that was something else before.
        redb::Error::Io(error) if error.kind() == io::ErrorKind::InvalidData => {
            OpenDbError::Damaged(error.to_string())
        }
        redb::Error::Io(error) => OpenDbError::Io(error),
        other => OpenDbError::Damaged(other.to_string()),
    }
}

fn status(error: &OpenDbError) -> NtStatus {
    match error {
        OpenDbError::Io(error) if error.kind() == io::ErrorKind::StorageFull => NtStatus::DISK_FULL,
        _ => NtStatus::UNEXPECTED_IO_ERROR,
    }
}
