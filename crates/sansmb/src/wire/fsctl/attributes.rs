//! Object IDs and compression, [MS-FSCC] 2.1.3 and 2.3.18.

use super::super::Guid;

record! {
    /// FILE_OBJECTID_BUFFER, the output of GET_OBJECT_ID and CREATE_OR_GET_OBJECT_ID and the input of
    /// SET_OBJECT_ID.
    pub struct ObjectIdBuffer = ObjectIdFixed [64] {
        /// Names the file on its volume.
        object_id: Guid,
        /// The volume on which the file was made.
        birth_volume_id: Guid,
        /// Its object ID when it was made.
        birth_object_id: Guid,
        /// Zero.
        domain_id: Guid,
    }
}

record! {
    /// The input of SET_OBJECT_ID_EXTENDED, [MS-FSCC] 2.1.3.1: where a file comes from.
    pub struct ObjectIdBirth = ObjectIdBirthFixed [48] {
        /// The volume on which the file was made.
        birth_volume_id: Guid,
        /// Its object ID when it was made.
        birth_object_id: Guid,
        /// Zero.
        domain_id: Guid,
    }
}

record! {
    /// The output of GET_COMPRESSION and the input of SET_COMPRESSION.
    pub struct CompressionState = CompressionStateFixed [2] {
        /// 0 none, 1 the default (to set only), 2 LZNT1.
        format: u16,
    }
}
