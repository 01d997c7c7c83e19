//! Extended attributes.

use sansmb::wire::NtStatus;
use sansmb_fileserver::storage::{ExtendedAttribute, Storage, packed_size};

use crate::helpers::*;

pub(crate) fn set_and_removed(s: &dyn Storage) {
    let file = create(s, "file");
    assert_eq!(eas(s, file), []);
    set_eas(s, file, &[ea("one", b"1"), ea("two", b"second"), ea("none", b"")]).unwrap();
    let mut list = eas(s, file);
    list.sort_by(|a, b| a.name.cmp(&b.name));
    assert_eq!(list, [ea("one", b"1"), ea("two", b"second")]);
    assert_eq!(stat(s, file).ea_size, packed_size(&list));
    assert_eq!(find(s, open(s, ""), "file").unwrap().metadata.ea_size, packed_size(&list));
    set_eas(s, file, &[ea("one", b""), ea("two", b"other"), ea("two", b"last")]).unwrap();
    assert_eq!(eas(s, file), [ea("two", b"last")]);
    // They stay with the file under another name.
    rename(s, file, "renamed", false).unwrap();
    close(s, file);
    let file = open(s, "renamed");
    assert_eq!(eas(s, file), [ea("two", b"last")]);
    set_eas(s, file, &[ea("two", b"")]).unwrap();
    assert_eq!(packed_size(&eas(s, file)), 0);
}

pub(crate) fn names_without_case(s: &dyn Storage) {
    let file = create(s, "file");
    set_eas(s, file, &[ea("Name", b"1")]).unwrap();
    set_eas(s, file, &[ea("NAME", b"2")]).unwrap();
    assert_eq!(eas(s, file), [ea("Name", b"2")]);
    set_eas(s, file, &[ea("name", b"")]).unwrap();
    assert_eq!(eas(s, file), []);
}

pub(crate) fn need(s: &dyn Storage) {
    let file = create(s, "file");
    let must = ExtendedAttribute { need: true, ..ea("must", b"x") };
    set_eas(s, file, &[must.clone(), ea("may", b"y")]).unwrap();
    let list = eas(s, file);
    assert_eq!(list.len(), 2);
    assert!(list.contains(&must) && list.contains(&ea("may", b"y")));
    set_eas(s, file, &[ea("must", b"x")]).unwrap();
    assert!(eas(s, file).iter().all(|ea| !ea.need));
}

pub(crate) fn of_streams_and_directories(s: &dyn Storage) {
    let file = create(s, "file");
    let on = stream(s, file, "stream");
    set_eas(s, on, &[ea("name", b"value")]).unwrap();
    assert_eq!(eas(s, file), [ea("name", b"value")]);
    assert_eq!(eas(s, on), eas(s, file));
    mkdir(s, "dir");
    for name in ["dir", ""] {
        let dir = open(s, name);
        set_eas(s, dir, &[ea("of", name.as_bytes()), ea("is", b"directory")]).unwrap();
        assert!(eas(s, dir).contains(&ea("is", b"directory")));
    }
}

pub(crate) fn too_large(s: &dyn Storage) {
    let file = create(s, "file");
    set_eas(s, file, &[ea("kept", b"value")]).unwrap();
    let large = [ea("kept", b"lost"), ea("a", &[1; 40_000]), ea("b", &[2; 40_000])];
    assert_eq!(set_eas(s, file, &large), Err(NtStatus::EA_TOO_LARGE));
    assert_eq!(eas(s, file), [ea("kept", b"value")], "all or nothing");
}
