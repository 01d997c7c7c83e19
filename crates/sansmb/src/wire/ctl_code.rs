//! Control codes of IOCTL, [MS-SMB2] 2.2.31 and [MS-FSCC] 2.3.

open_enum! {
    /// Names what an IOCTL asks for. The names leave out the prefix `FSCTL_`.
    pub struct CtlCode: u32 {
        /// Ask where a DFS path leads, [MS-DFSC] 2.2.2.
        DFS_GET_REFERRALS = 0x0006_0194,
        /// The same with a site name, [MS-DFSC] 2.2.3.
        DFS_GET_REFERRALS_EX = 0x0006_01B0,
        /// Local only: servers refuse it.
        REQUEST_OPLOCK_LEVEL_1 = 0x0009_0000,
        /// Local only: servers refuse it.
        REQUEST_OPLOCK_LEVEL_2 = 0x0009_0004,
        /// Local only: servers refuse it.
        REQUEST_BATCH_OPLOCK = 0x0009_0008,
        /// Check a path name; always succeeds.
        IS_PATHNAME_VALID = 0x0009_002C,
        /// Read the compression state of a file.
        GET_COMPRESSION = 0x0009_003C,
        /// Boot sector of a FAT volume.
        QUERY_FAT_BPB = 0x0009_0058,
        /// Local only: servers refuse it.
        REQUEST_FILTER_OPLOCK = 0x0009_005C,
        /// Counters of the file system.
        FILESYSTEM_GET_STATISTICS = 0x0009_0060,
        /// Geometry of an NTFS volume.
        GET_NTFS_VOLUME_DATA = 0x0009_0064,
        /// Map of free clusters; servers refuse it.
        GET_VOLUME_BITMAP = 0x0009_006F,
        /// List the extents of a file.
        GET_RETRIEVAL_POINTERS = 0x0009_0073,
        /// Move clusters; servers refuse it.
        MOVE_FILE = 0x0009_0074,
        /// Find the files of one owner.
        FIND_FILES_BY_SID = 0x0009_008F,
        /// Set the object ID of a file.
        SET_OBJECT_ID = 0x0009_0098,
        /// Read the object ID of a file.
        GET_OBJECT_ID = 0x0009_009C,
        /// Remove the object ID of a file.
        DELETE_OBJECT_ID = 0x0009_00A0,
        /// Make a file or directory a reparse point.
        SET_REPARSE_POINT = 0x0009_00A4,
        /// Read the reparse data of a file.
        GET_REPARSE_POINT = 0x0009_00A8,
        /// Make a reparse point an ordinary file or directory again.
        DELETE_REPARSE_POINT = 0x0009_00AC,
        /// Read the change journal; servers refuse it.
        READ_USN_JOURNAL = 0x0009_00BB,
        /// Set the extended part of an object ID.
        SET_OBJECT_ID_EXTENDED = 0x0009_00BC,
        /// Get the object ID of a file, or give it one.
        CREATE_OR_GET_OBJECT_ID = 0x0009_00C0,
        /// Make a file sparse or not.
        SET_SPARSE = 0x0009_00C4,
        /// Encrypt or decrypt a file on its volume.
        SET_ENCRYPTION = 0x0009_00D7,
        /// Read the change journal record of a file.
        READ_FILE_USN_DATA = 0x0009_00EB,
        /// Write a close record to the change journal.
        WRITE_USN_CLOSE_RECORD = 0x0009_00EF,
        /// State of the change journal; servers refuse it.
        QUERY_USN_JOURNAL = 0x0009_00F4,
        /// Mark a handle for backup or defragmentation.
        MARK_HANDLE = 0x0009_00FC,
        /// Copy a file by single-instance storage.
        SIS_COPYFILE = 0x0009_0100,
        /// Bring a file back from remote storage.
        RECALL_FILE = 0x0009_0117,
        /// Sparing facts of a UDF disk.
        QUERY_SPARING_INFO = 0x0009_0138,
        /// Volume facts of a UDF disk.
        QUERY_ON_DISK_VOLUME_INFO = 0x0009_013C,
        /// Overwrite the clusters of a file when they are freed.
        SET_ZERO_ON_DEALLOCATION = 0x0009_0194,
        /// Local only: servers refuse it.
        REQUEST_OPLOCK = 0x0009_0240,
        /// Read the checksum state of a file (ReFS).
        GET_INTEGRITY_INFORMATION = 0x0009_027C,
        /// List the ranges of a file with valid data.
        QUERY_FILE_REGIONS = 0x0009_0284,
        /// Geometry of a ReFS volume.
        GET_REFS_VOLUME_DATA = 0x0009_02D8,
        /// The same with flags.
        SET_INTEGRITY_INFORMATION_EX = 0x0009_0380,
        /// FSCTL_SVHDX_SYNC_TUNNEL_REQUEST, [MS-RSVD]
        SVHDX_SYNC_TUNNEL_REQUEST = 0x0009_0304,
        /// FSCTL_QUERY_SHARED_VIRTUAL_DISK_SUPPORT, [MS-RSVD]
        QUERY_SHARED_VIRTUAL_DISK_SUPPORT = 0x0009_0300,
        /// FSCTL_SVHDX_ASYNC_TUNNEL_REQUEST, [MS-RSVD]
        SVHDX_ASYNC_TUNNEL_REQUEST = 0x0009_0364,
        /// FSCTL_STORAGE_QOS_CONTROL, [MS-SQOS]
        STORAGE_QOS_CONTROL = 0x0009_0350,
        /// List the extents of a file with their reference counts.
        GET_RETRIEVAL_POINTERS_AND_REFCOUNT = 0x0009_03D3,
        /// Count the extents of a file.
        GET_RETRIEVAL_POINTER_COUNT = 0x0009_042B,
        /// Manage snapshots of a stream (ReFS).
        REFS_STREAM_SNAPSHOT_MANAGEMENT = 0x0009_0440,
        /// List the ranges of a sparse file that hold data.
        QUERY_ALLOCATED_RANGES = 0x0009_40CF,
        /// Get a token for a range, for a copy that the storage does.
        OFFLOAD_READ = 0x0009_4264,
        /// Fill a range with zeros, freeing the space if the file is sparse.
        SET_ZERO_DATA = 0x0009_80C8,
        /// Switch defect management of a UDF disk.
        SET_DEFECT_MANAGEMENT = 0x0009_8134,
        /// Tell the storage that ranges of a file are no longer needed.
        FILE_LEVEL_TRIM = 0x0009_8208,
        /// Write the range that a token stands for.
        OFFLOAD_WRITE = 0x0009_8268,
        /// Let a range of one file share its clusters with another (block clone).
        DUPLICATE_EXTENTS_TO_FILE = 0x0009_8344,
        /// The same with flags, among them "all or nothing".
        DUPLICATE_EXTENTS_TO_FILE_EX = 0x0009_83E8,
        /// Set the compression state of a file.
        SET_COMPRESSION = 0x0009_C040,
        /// Set the checksum state of a file (ReFS).
        SET_INTEGRITY_INFORMATION = 0x0009_C280,
        /// Wait until a pipe has a free instance.
        PIPE_WAIT = 0x0011_0018,
        /// Look at what a pipe holds without taking it.
        PIPE_PEEK = 0x0011_400C,
        /// Write a message to a pipe and read the answer.
        PIPE_TRANSCEIVE = 0x0011_C017,
        /// Get the key that names the source of a copy.
        SRV_REQUEST_RESUME_KEY = 0x0014_0078,
        /// Tell the link tracking where a file moved.
        LMR_SET_LINK_TRACKING_INFORMATION = 0x0014_00EC,
        /// Make a handle survive a lost connection.
        LMR_REQUEST_RESILIENCY = 0x0014_01D4,
        /// List the network interfaces of the server.
        QUERY_NETWORK_INTERFACE_INFO = 0x0014_01FC,
        /// Check that nobody changed the negotiation (3.0, 3.0.2).
        VALIDATE_NEGOTIATE_INFO = 0x0014_0204,
        /// List the previous versions of the volume.
        SRV_ENUMERATE_SNAPSHOTS = 0x0014_4064,
        /// Copy ranges on the server; the target is open for reading too.
        SRV_COPYCHUNK = 0x0014_40F2,
        /// Read the content information for branch caching.
        SRV_READ_HASH = 0x0014_41BB,
        /// Copy ranges on the server; the target is open for writing.
        SRV_COPYCHUNK_WRITE = 0x0014_80F2,
    }
}
