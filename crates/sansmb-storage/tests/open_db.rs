//! Records of persistent opens in a file.

#![cfg(feature = "open-db")]

use std::{
    fs,
    path::Path,
    sync::{Arc, mpsc},
    thread,
};

use bytes::Bytes;
use sansmb_fileserver::store::{OpenStore, RecordId, StoreDone, StoreJob, StoreOutcome};
use sansmb_storage::{OpenDb, OpenDbError};

fn submit(db: &OpenDb, job: StoreJob) -> mpsc::Receiver<StoreOutcome> {
    let (done, outcome) = mpsc::channel();
    db.submit(job, Box::new(move |outcome| done.send(outcome).unwrap()));
    outcome
}

#[track_caller]
fn put(db: &OpenDb, id: u64, record: &'static [u8]) {
    let job = StoreJob::Put { id: RecordId(id), record: Bytes::from_static(record) };
    assert!(matches!(submit(db, job).recv().unwrap(), Ok(StoreDone::Nothing)));
}

#[track_caller]
fn remove(db: &OpenDb, id: u64) {
    let job = StoreJob::Remove { id: RecordId(id) };
    assert!(matches!(submit(db, job).recv().unwrap(), Ok(StoreDone::Nothing)));
}

#[track_caller]
fn load(db: &OpenDb) -> (u64, Vec<(u64, Bytes)>) {
    match submit(db, StoreJob::Load).recv().unwrap() {
        Ok(StoreDone::Loaded { generation, records }) => {
            (generation, records.into_iter().map(|(id, record)| (id.0, record)).collect())
        }
        other => panic!("{other:?}"),
    }
}

fn records(of: &[(u64, &'static [u8])]) -> Vec<(u64, Bytes)> {
    of.iter().map(|(id, record)| (*id, Bytes::from_static(record))).collect()
}

#[test]
fn records_are_there_when_it_is_opened_again() {
    let folder = tempfile::tempdir().unwrap();
    let inner = folder.path().join("made/for/it");
    let db = OpenDb::open(&inner).unwrap();
    assert_eq!(load(&db), (1, Vec::new()));
    put(&db, 7, b"seven");
    put(&db, u64::MAX, b"last");
    put(&db, 7, b"seven again");
    put(&db, 8, b"eight");
    remove(&db, 8);
    remove(&db, 9);
    drop(db);
    let db = OpenDb::open(&inner).unwrap();
    let expected = records(&[(7, b"seven again"), (u64::MAX, b"last")]);
    assert_eq!(load(&db), (2, expected.clone()));
    assert_eq!(load(&db), (3, expected), "every run has a number of its own");
}

#[test]
fn what_was_answered_outlives_a_program_that_is_killed() {
    let (folder, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let db = OpenDb::open(folder.path()).unwrap();
    let copy = OpenDb::path(elsewhere.path());
    for id in 0..20 {
        put(&db, id, b"record");
        // The file as it is right now, without having been closed.
        fs::copy(OpenDb::path(folder.path()), &copy).unwrap();
        let after = OpenDb::open(elsewhere.path()).unwrap();
        let (_, records) = load(&after);
        assert!(records.len() as u64 == id + 1 && records.iter().all(|(_, record)| record == "record"));
    }
}

#[test]
fn two_servers_do_not_share_it() {
    let folder = tempfile::tempdir().unwrap();
    let first = OpenDb::open(folder.path()).unwrap();
    assert!(matches!(OpenDb::open(folder.path()), Err(OpenDbError::InUse)));
    drop(first);
    assert!(OpenDb::open(folder.path()).is_ok());
}

#[track_caller]
fn refused(folder: &Path, content: &[u8]) -> OpenDbError {
    fs::write(OpenDb::path(folder), content).unwrap();
    let error = OpenDb::open(folder).unwrap_err();
    assert!(fs::read(OpenDb::path(folder)).unwrap() == content, "it is as it was");
    error
}

#[test]
fn what_is_no_store_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let error =
        refused(folder.path(), b"something else, longer than any header of a data base is".as_slice());
    assert!(matches!(error, OpenDbError::Damaged(_)), "{error:?}");
    let error = refused(folder.path(), &[0xA5; 1 << 16]);
    assert!(matches!(error, OpenDbError::Damaged(_)), "{error:?}");
}

#[test]
fn what_was_spoilt_is_found_at_the_start() {
    let (folder, spoilt) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let db = OpenDb::open(folder.path()).unwrap();
    (0..50).for_each(|id| put(&db, id, &[0x5A; 300]));
    drop(db);
    let content = fs::read(OpenDb::path(folder.path())).unwrap();
    // Every page of it in turn. One that is not in use may be anything.
    for page in content.chunks(4096).enumerate().map(|(at, _)| at * 4096) {
        let mut changed = content.clone();
        changed[page..].iter_mut().take(4096).step_by(7).for_each(|byte| *byte ^= 0xFF);
        fs::write(OpenDb::path(spoilt.path()), &changed).unwrap();
        match OpenDb::open(spoilt.path()) {
            Ok(db) => {
                let records = load(&db).1;
                assert!(records.iter().all(|(_, record)| record[..] == [0x5A; 300]), "{page}");
            }
            Err(OpenDbError::Damaged(_)) => {}
            Err(other) => panic!("{other:?}"),
        }
    }
}

#[test]
fn what_a_newer_program_wrote_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    drop(OpenDb::open(folder.path()).unwrap());
    let db = redb::Database::open(OpenDb::path(folder.path())).unwrap();
    let change = db.begin_write().unwrap();
    let about = redb::TableDefinition::<'_, &str, u64>::new("about");
    change.open_table(about).unwrap().insert("version", 2).unwrap();
    change.commit().unwrap();
    drop(db);
    assert!(matches!(OpenDb::open(folder.path()), Err(OpenDbError::Newer(2))));
}

#[test]
#[cfg(unix)]
fn nobody_else_reads_it() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let inner = folder.path().join("state");
    let _db = OpenDb::open(&inner).unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&inner), mode(&OpenDb::path(&inner))), (0o700, 0o600));
}

#[test]
fn many_write_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let db = Arc::new(OpenDb::open(folder.path()).unwrap());
    let threads: Vec<_> = (0..8)
        .map(|thread| {
            let db = Arc::clone(&db);
            thread::spawn(move || {
                for n in 0..20 {
                    put(&db, thread * 100 + n, b"record");
                    if n % 2 == 1 {
                        remove(&db, thread * 100 + n);
                    }
                }
            })
        })
        .collect();
    threads.into_iter().for_each(|thread| thread.join().unwrap());
    assert_eq!(load(&db).1.len(), 80);
}
