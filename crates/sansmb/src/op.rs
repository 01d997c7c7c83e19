//! The commands as types: what each asks and answers.

use crate::wire::{
    self, Body, ChangeNotifyRequest, ChangeNotifyResponse, CloseRequest, CloseResponse, Command,
    CreateRequest, CreateResponse, EmptyBody, FileId, FlushRequest, IoctlRequest, IoctlResponse, LockRequest,
    QueryDirectoryRequest, QueryDirectoryResponse, QueryInfoRequest, QueryInfoResponse, ReadRequest,
    ReadResponse, SetInfoRequest, SetInfoResponse, TreeConnectRequest, WriteRequest, WriteResponse,
};

/// A command that reaches the application.
pub trait Op: core::fmt::Debug + Sized + 'static {
    /// Its number.
    const COMMAND: Command;
    /// What the client sent, borrowed from the message.
    type Request<'m>: Body<'m>;
    /// What a success answers.
    type Response<'m>: Body<'m>;

    /// The file that the request names.
    fn file_id(_request: &Self::Request<'_>) -> Option<FileId> {
        None
    }

    /// The larger of the request's payload and the response's greatest one, in bytes: what its
    /// CreditCharge has to cover, [MS-SMB2] 3.3.5.2.5.
    fn payload(_request: &Self::Request<'_>) -> u32 {
        0
    }

    /// Whether the client asks for a compressed response.
    fn wants_compression(_request: &Self::Request<'_>) -> bool {
        false
    }

    /// How many bytes the response may carry at most.
    fn asked(request: &Self::Request<'_>) -> u32 {
        Self::payload(request)
    }

    /// The file that later members of a compound mean, where the response names one.
    fn opened(_response: &Self::Response<'_>) -> Option<FileId> {
        None
    }
}

macro_rules! op {
    ($(#[$meta:meta])* $name:ident = $command:ident, $request:ty => $response:ty $(, $($body:tt)*)?) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy)]
        pub enum $name {}
        impl Op for $name {
            const COMMAND: Command = Command::$command;
            type Request<'m> = $request;
            type Response<'m> = $response;
            $($($body)*)?
        }
    };
}

macro_rules! on_file {
    () => {
        fn file_id(request: &Self::Request<'_>) -> Option<FileId> {
            Some(request.file_id)
        }
    };
}

op! {
    /// TREE_CONNECT, [MS-SMB2] 3.3.5.7. Answered with `TreeConnectReply`.
    TreeConnect = TREE_CONNECT, TreeConnectRequest<'m> => wire::TreeConnectResponse
}
op! {
    /// TREE_DISCONNECT, [MS-SMB2] 3.3.5.8.
    TreeDisconnect = TREE_DISCONNECT, EmptyBody => EmptyBody
}
op! {
    /// LOGOFF, [MS-SMB2] 3.3.5.6.
    Logoff = LOGOFF, EmptyBody => EmptyBody
}
op! {
    /// ECHO, [MS-SMB2] 3.3.5.17; the core answers it.
    Echo = ECHO, EmptyBody => EmptyBody
}
op! {
    /// SESSION_SETUP, [MS-SMB2] 3.3.5.5. Answered with `AuthReply`.
    SessionSetup = SESSION_SETUP, wire::SessionSetupRequest<'m> => wire::SessionSetupResponse<'m>
}
op! {
    /// CREATE, [MS-SMB2] 3.3.5.9.
    Create = CREATE, CreateRequest<'m> => CreateResponse<'m>,
    fn opened(response: &Self::Response<'_>) -> Option<FileId> {
        Some(response.file_id)
    }
}
op! {
    /// CLOSE, [MS-SMB2] 3.3.5.10.
    Close = CLOSE, CloseRequest => CloseResponse, on_file!{}
}
op! {
    /// FLUSH, [MS-SMB2] 3.3.5.11.
    Flush = FLUSH, FlushRequest => EmptyBody, on_file!{}
}
op! {
    /// READ, [MS-SMB2] 3.3.5.12.
    Read = READ, ReadRequest<'m> => ReadResponse<&'m [u8]>,
    on_file!{}
    fn payload(request: &Self::Request<'_>) -> u32 {
        request.length
    }
    fn wants_compression(request: &Self::Request<'_>) -> bool {
        request.flags.contains(wire::ReadFlags::REQUEST_COMPRESSED)
    }
}
op! {
    /// WRITE, [MS-SMB2] 3.3.5.13.
    Write = WRITE, WriteRequest<'m, &'m [u8]> => WriteResponse,
    on_file!{}
    fn payload(request: &Self::Request<'_>) -> u32 {
        request.data.len() as u32
    }
}
op! {
    /// LOCK, [MS-SMB2] 3.3.5.14.
    Lock = LOCK, LockRequest<'m> => EmptyBody, on_file!{}
}
op! {
    /// IOCTL, [MS-SMB2] 3.3.5.15.
    Ioctl = IOCTL, IoctlRequest<'m> => IoctlResponse<'m>,
    on_file!{}
    fn payload(request: &Self::Request<'_>) -> u32 {
        let sent = request.input.len() as u32;
        sent.max(Self::asked(request))
    }
    fn asked(request: &Self::Request<'_>) -> u32 {
        request.max_input_response.saturating_add(request.max_output_response)
    }
}
op! {
    /// QUERY_DIRECTORY, [MS-SMB2] 3.3.5.18.
    QueryDirectory = QUERY_DIRECTORY, QueryDirectoryRequest<'m> => QueryDirectoryResponse<'m>,
    on_file!{}
    fn payload(request: &Self::Request<'_>) -> u32 {
        request.output_buffer_length
    }
}
op! {
    /// CHANGE_NOTIFY, [MS-SMB2] 3.3.5.19.
    ChangeNotify = CHANGE_NOTIFY, ChangeNotifyRequest => ChangeNotifyResponse<'m>,
    on_file!{}
    fn payload(request: &Self::Request<'_>) -> u32 {
        request.output_buffer_length
    }
}
op! {
    /// QUERY_INFO, [MS-SMB2] 3.3.5.20.
    QueryInfo = QUERY_INFO, QueryInfoRequest<'m> => QueryInfoResponse<'m>,
    on_file!{}
    fn payload(request: &Self::Request<'_>) -> u32 {
        request.output_buffer_length.max(request.input.len() as u32)
    }
    fn asked(request: &Self::Request<'_>) -> u32 {
        request.output_buffer_length
    }
}
op! {
    /// SET_INFO, [MS-SMB2] 3.3.5.21.
    SetInfo = SET_INFO, SetInfoRequest<'m> => SetInfoResponse,
    on_file!{}
    fn payload(request: &Self::Request<'_>) -> u32 {
        request.buffer.len() as u32
    }
}
op! {
    /// OPLOCK_BREAK acknowledgement, [MS-SMB2] 3.3.5.22.1.
    OplockBreak = OPLOCK_BREAK, wire::OplockBreak => wire::OplockBreak, on_file!{}
}
op! {
    /// Lease break acknowledgement, [MS-SMB2] 3.3.5.22.2.
    LeaseBreak = OPLOCK_BREAK, wire::LeaseBreakAcknowledgment => wire::LeaseBreakResponse
}
