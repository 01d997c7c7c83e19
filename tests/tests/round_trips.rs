//! How often the client waits for the server, and what a server that refuses something is left with.

use sansmb::wire::{Command, FileTime, Header, NtStatus, ShareAccess};
use sansmb_async::{
    Bytes, Error,
    auth::Credentials,
    client::{Connection, OpenOptions, Share},
};
use sansmb_blocking::{ThreadRuntime, block_on};
use sansmb_tests::{peers::Smbd, scratch::TempDir, still::Still};

const WRITTEN: FileTime = FileTime(130_000_000_000_000_000);

/// Bytes in which no piece looks like its neighbours.
fn data(len: usize) -> Bytes {
    (0..len).map(|n| (n / 7 + n / 65_537) as u8).collect()
}

async fn read(share: &Share, path: &str) -> Vec<u8> {
    let (file, head) = share.open_and_read(path, OpenOptions::read(), 60 << 10).await.unwrap();
    let mut stream = file.read_stream_after(head);
    let mut all = Vec::new();
    while let Some(bytes) = stream.next().await.unwrap() {
        all.extend_from_slice(&bytes);
    }
    all
}

async fn write(share: &Share, path: &str, data: &Bytes) {
    share.write_file(path, OpenOptions::write(), data.clone()).await.unwrap();
}

async fn names(share: &Share) -> Vec<String> {
    let entries = share.read_dir("").await.unwrap().collect().await.unwrap();
    entries.into_iter().map(|entry| entry.name).collect()
}

#[test]
fn a_small_file_is_opened_and_read_in_one_round_trip() {
    for len in [1, 60 << 10] {
        let (got, flights) = Still::default().with_share(async |share| {
            write(&share, "file", &data(len)).await;
            read(&share, "file").await
        });
        assert!(got == data(len));
        assert_eq!(flights, ["CREATE+WRITE+CLOSE", "CREATE+READ"], "{len}");
    }
}

#[test]
fn an_empty_file_is_not_read_twice() {
    let (got, flights) = Still::default().with_share(async |share| {
        write(&share, "file", &Bytes::new()).await;
        read(&share, "file").await
    });
    assert!(got.is_empty());
    assert_eq!(flights, ["CREATE+CLOSE", "CREATE+READ"]);
}

#[test]
fn all_the_rest_of_a_file_is_asked_for_at_once() {
    let len = 5 << 20;
    let (got, flights) = Still::default().with_share(async |share| {
        write(&share, "file", &data(len)).await;
        read(&share, "file").await
    });
    assert!(got == data(len));
    assert_eq!(flights, ["CREATE+WRITE+CLOSE", "CREATE+READ", "READ, READ, READ, READ, READ"]);
}

#[test]
fn a_file_that_is_not_there_is_refused_and_nothing_stays_open() {
    let (refused, flights) = Still::default().with_share(async |share| {
        let refused = share.open_and_read("file", OpenOptions::read(), 100).await.map(drop);
        share.create_dir("file").await.unwrap();
        // An open that was left would forbid it.
        share.remove_dir("file").await.unwrap();
        refused.unwrap_err().status()
    });
    assert_eq!(refused, Some(NtStatus::OBJECT_NAME_NOT_FOUND));
    assert_eq!(flights, ["CREATE+READ", "CREATE+CLOSE", "CREATE+SET_INFO+CLOSE"]);
}

#[test]
fn time_name_and_close_go_in_one_message() {
    let (whole, rest) = (data(3 << 20), 60 << 10);
    let ((), flights) = Still::default().with_share(async |share| {
        let draft = share.draft("draft", whole.slice(..rest)).await.unwrap();
        let mut stream = draft.write_stream();
        let mut at = rest;
        while at < whole.len() {
            let end = whole.len().min(at + stream.next_chunk());
            stream.write(whole.slice(at..end)).await.unwrap();
            at = end;
        }
        let kept = draft.keep();
        assert_eq!(stream.finish().await.unwrap() as usize, whole.len());
        kept.await.unwrap();
        draft.publish("file", true, Some(WRITTEN)).await.unwrap();
        assert_eq!(share.metadata("file").await.unwrap().written, WRITTEN);
        assert_eq!(names(&share).await, ["file"]);
        assert!(read(&share, "file").await == whole);
    });
    // What is written behind the head ends at whole MiB.
    let writes = "WRITE, WRITE, WRITE, SET_INFO";
    assert_eq!(flights[..3], ["CREATE+SET_INFO+WRITE", writes, "SET_INFO+SET_INFO+CLOSE"]);
}

#[test]
fn a_draft_that_is_not_published_is_removed() {
    let ((), _) = Still::default().with_share(async |share| {
        drop(share.draft("one", data(10)).await.unwrap());
        let draft = share.draft("two", data(10)).await.unwrap();
        draft.keep().await.unwrap();
        drop(draft);
        share.draft("three", Bytes::new()).await.unwrap().discard().await;
        assert!(names(&share).await.is_empty());
    });
}

/// Publishes a draft as `file`, and what that said.
async fn publish(share: &Share) -> Result<(), Error> {
    let draft = share.draft("draft", data(100)).await.unwrap();
    draft.keep().await.unwrap();
    draft.publish("file", true, Some(WRITTEN)).await
}

#[test]
fn a_refused_name_leaves_no_draft() {
    let ((), flights) = Still::default().with_share(async |share| {
        share.create_dir("file").await.unwrap();
        assert_eq!(publish(&share).await.unwrap_err().status(), Some(NtStatus::ACCESS_DENIED));
        assert_eq!(names(&share).await, ["file"]);
    });
    // It was closed behind the refusal, so that it goes by its name.
    assert_eq!(flights[3..5], ["SET_INFO+SET_INFO+CLOSE", "CREATE+CLOSE"]);
}

/// Makes the CLOSE of a compound one that fails, as a server does that goes by the letter of
/// [MS-SMB2] 3.3.5.2.7.2.
fn spoil_a_related_close(message: &mut [u8]) {
    let mut at = 0;
    while let Ok(header) = Header::decode(&message[at..]) {
        if at > 0 && header.command == Command::CLOSE {
            message[at + 64] = 1;
        }
        if header.next_command == 0 {
            break;
        }
        at += header.next_command as usize;
    }
}

#[test]
fn a_refused_name_leaves_no_draft_where_the_close_fails_with_it() {
    let still = Still::default();
    let ((), flights) = still.with_share(async |share| {
        share.create_dir("file").await.unwrap();
        still.tamper(spoil_a_related_close);
        assert_eq!(publish(&share).await.unwrap_err().status(), Some(NtStatus::ACCESS_DENIED));
        still.tamper(|_| {});
        assert_eq!(names(&share).await, ["file"]);
    });
    assert_eq!(flights[3..6], ["SET_INFO+SET_INFO+CLOSE", "SET_INFO", "CLOSE"]);
}

#[test]
fn a_head_that_is_refused_in_a_compound_is_written_by_itself() {
    let still = Still::default();
    let ((), flights) = still.with_share(async |share| {
        still.tamper(|message| {
            let first = Header::decode(message).unwrap();
            if first.command == Command::CREATE && first.next_command > 0 {
                // A WRITE that no server understands: its StructureSize.
                let second = Header::decode(&message[first.next_command as usize..]).unwrap();
                let third = (first.next_command + second.next_command) as usize;
                message[third + 64] = 1;
            }
        });
        let draft = share.draft("draft", data(100)).await.unwrap();
        still.tamper(|_| {});
        draft.keep().await.unwrap();
        draft.publish("file", false, None).await.unwrap();
        assert!(read(&share, "file").await == data(100));
    });
    let expected = ["CREATE+SET_INFO+WRITE", "WRITE", "SET_INFO", "SET_INFO+CLOSE", "CREATE+READ"];
    assert_eq!(flights, expected);
}

#[test]
fn on_smbd_a_draft_gets_its_name_and_a_refused_name_leaves_none() {
    let dir = TempDir::new("drafts");
    let Some(smbd) = Smbd::start(&["--share", dir.path().to_str().unwrap()]) else { return };
    block_on(async {
        let (config, port) = (Connection::default_config(), smbd.addr().port());
        let connection = Connection::connect(&ThreadRuntime, "127.0.0.1", port, config).await.unwrap();
        let session = connection.log_on(Credentials::password("tester", "", "Passw0rd!")).await.unwrap();
        let share = session.share("share").await.unwrap();
        write(&share, "file", &data(10)).await;
        let held = OpenOptions { share: ShareAccess::empty(), ..OpenOptions::read() };
        let held = share.open("file", held).await.unwrap();
        let refused = publish(&share).await.unwrap_err().status();
        assert!(
            matches!(refused, Some(NtStatus::ACCESS_DENIED | NtStatus::SHARING_VIOLATION)),
            "{refused:?}"
        );
        assert_eq!(names(&share).await, ["file"]);
        held.close().await.unwrap();
        publish(&share).await.unwrap();
        assert_eq!(names(&share).await, ["file"]);
        assert_eq!(share.metadata("file").await.unwrap().written, WRITTEN);
        assert!(read(&share, "file").await == data(100));
        drop(share.draft("draft", data(10)).await.unwrap());
        assert_eq!(names(&share).await, ["file"]);
    });
}
