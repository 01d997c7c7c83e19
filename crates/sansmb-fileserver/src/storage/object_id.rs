//! Object IDs, [MS-FSA] 2.1.1.3: names that a file keeps wherever it goes.

use sansmb::wire::fsctl::{ObjectIdBirth, ObjectIdBuffer};

/// What is asked of the object ID of a file: see [`Job::ObjectId`](super::Job::ObjectId).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ObjectIdJob {
    /// Which it is. Ends with [`Done::ObjectId`](super::Done::ObjectId), or with `OBJECTID_NOT_FOUND` where
    /// the file has none.
    Get,
    /// The same, and where there is none it gets one that no other file of the volume has.
    CreateOrGet,
    /// Gives it one. Ends with [`Done::Nothing`](super::Done::Nothing); with `OBJECT_NAME_COLLISION` where
    /// it has one, and with `DUPLICATE_NAME` where another file has that one.
    Set(ObjectIdBuffer),
    /// Says otherwise where the file comes from. Ends with [`Done::Nothing`](super::Done::Nothing), or with
    /// `OBJECTID_NOT_FOUND`.
    SetBirth(ObjectIdBirth),
    /// Takes it away, if it has one. Ends with [`Done::Nothing`](super::Done::Nothing).
    Delete,
}
