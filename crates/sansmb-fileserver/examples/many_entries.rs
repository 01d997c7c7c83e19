//! Lists a folder of a million files, in memory and on disk, and says how much memory that took: not more
//! than a few batches of entries, however many there are.
//!
//!     cargo run --release -p sansmb-fileserver --example many_entries [COUNT [FOLDER]]
//!
//! The files are made in a new folder inside of FOLDER, `/dev/shm` unless it is said.

mod driver;

use std::{
    fs,
    path::Path,
    sync::{Arc, mpsc},
};

use driver::{World, clock, each, file_id, open_if};
use sansmb::wire::{fscc::*, *};
use sansmb_fileserver::storage::{Done, Existence, Job, Outcome, Rights, SharePath, Storage, Want};
use sansmb_storage::{LocalDir, LocalOptions, Memory, MemoryOptions};

/// KiB that the kernel says this process has, or had at most.
fn memory_use(which: &str) -> u64 {
    let text = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix(which)?.strip_prefix(':'));
    line.and_then(|rest| rest.split_whitespace().next()?.parse().ok()).unwrap_or_default()
}

/// Forgets how much memory this process had before.
fn reset_peak() {
    let _ = fs::write("/proc/self/clear_refs", "5");
}

fn job(storage: &dyn Storage, job: Job) -> Outcome {
    let (done, outcome) = mpsc::channel();
    storage.submit(job, Box::new(move |outcome| drop(done.send(outcome))));
    outcome.recv().unwrap_or(Err(NtStatus::INTERNAL_ERROR))
}

fn in_memory(count: usize) -> Arc<dyn Storage> {
    let mut options = MemoryOptions::default();
    options.capacity = 1 << 40;
    let storage = Memory::new(options);
    for at in 0..count {
        let open = Job::Open {
            path: SharePath(vec![format!("file{at}").into()]),
            want: Want::File,
            existence: Existence::MustNotExist,
            rights: Rights::default(),
            attributes: FileAttributes::ARCHIVE,
            no_follow: false,
            creator: None,
        };
        let Ok(Done::Opened { handle, .. }) = job(&storage, open) else { panic!("no file {at}") };
        assert!(job(&storage, Job::Close { handle }).is_ok());
    }
    Arc::new(storage)
}

fn on_disk(folder: &Path, count: usize) -> Arc<dyn Storage> {
    fs::create_dir(folder).expect("a new folder");
    for at in 0..count {
        fs::File::create(folder.join(format!("file{at}"))).expect("a new file");
    }
    Arc::new(LocalDir::open(folder, LocalOptions::default()).expect("a storage"))
}

/// Lists the share's root; gives how many entries there were.
fn list(world: &mut World) -> usize {
    let mut client = world.client(1);
    let name = Utf16Buf::new("");
    let how = CreateRequest {
        desired_access: AccessMask::FILE_GENERIC_READ,
        create_disposition: CreateDisposition::OPEN,
        create_options: CreateOptions::DIRECTORY_FILE,
        ..open_if(&name)
    };
    let folder = file_id(&client.call(world, Command::CREATE, &how));
    let class = FileInfoClass::ID_BOTH_DIRECTORY;
    let pattern = Utf16Buf::new("*");
    let mut count = 0;
    loop {
        let request = QueryDirectoryRequest {
            information_class: class,
            file_id: folder,
            pattern: pattern.as_utf16(),
            output_buffer_length: 65536,
            ..Default::default()
        };
        let (header, message) = client.call(world, Command::QUERY_DIRECTORY, &request);
        if header.status == NtStatus::NO_MORE_FILES {
            return count;
        }
        assert_eq!(header.status, NtStatus::SUCCESS);
        let body = QueryDirectoryResponse::decode(&message).expect("a listing");
        count += DirEntries::new(class, body.buffer).expect("entries").count();
    }
}

fn measure(what: &str, storage: Arc<dyn Storage>, expected: usize) {
    let mut world = World::new(storage);
    reset_peak();
    let before = memory_use("VmRSS");
    let start = clock();
    let count = list(&mut world);
    let took = start.elapsed();
    // `.` and `..` are listed as well.
    assert_eq!(count, expected + 2);
    let more = memory_use("VmHWM").saturating_sub(before);
    println!("{what:>8} {expected:>10} {more:>12} {:>14.2}", each(took, count));
}

fn main() {
    let mut arguments = std::env::args().skip(1);
    let count: usize = arguments.next().and_then(|n| n.parse().ok()).unwrap_or(1_000_000);
    let parent = arguments.next().unwrap_or_else(|| "/dev/shm".into());
    let folder = Path::new(&parent).join(format!("many_entries.{}", std::process::id()));
    println!("{:>8} {:>10} {:>12} {:>14}", "storage", "entries", "KiB at most", "us an entry");
    for entries in [count / 100, count] {
        measure("local", on_disk(&folder, entries), entries);
        fs::remove_dir_all(&folder).expect("it was made here");
    }
    for entries in [count / 100, count] {
        measure("memory", in_memory(entries), entries);
    }
}
