//! Object IDs, [MS-FSA] 2.1.5.10.1, 2.1.5.10.2, 2.1.5.10.13, 2.1.5.10.35 and 2.1.5.10.36.

use sansmb::{
    server::{Token, op},
    wire::{
        AccessMask, CtlCode, Guid, NtStatus, Structure,
        dtyp::Privileges,
        fsctl::{ObjectIdBirth, ObjectIdBuffer},
    },
};

use super::Echo;
use crate::{
    opens::{FileOpen, OpenId},
    server::FileServer,
    storage::{Done, Job, ObjectIdJob, Outcome},
    task::Step,
};

/// A request about an object ID that is under way.
#[derive(Debug)]
pub(crate) struct Identifying {
    token: Token<op::Ioctl>,
    echo: Echo,
}

impl FileServer {
    pub(super) fn object_id(&mut self, id: OpenId, token: Token<op::Ioctl>, input: &[u8], echo: Echo) {
        match self.check_object_id(id, input, &echo) {
            Ok(job) => {
                let step = Step::ObjectId(Box::new(Identifying { token, echo }));
                self.job_on(id, |file| Job::ObjectId { handle: file.handle, job }, step);
            }
            Err(status) => self.fail(token, status),
        }
    }

    fn check_object_id(&self, id: OpenId, input: &[u8], echo: &Echo) -> Result<ObjectIdJob, NtStatus> {
        let open = self.opens.get(&id).ok_or(NtStatus::FILE_CLOSED)?;
        let file = open.file().ok_or(NtStatus::FILE_CLOSED)?;
        let writable = file.share.maximal_access().contains(AccessMask::FILE_WRITE_DATA);
        let code = echo.ctl_code;
        if matches!(code, CtlCode::CREATE_OR_GET_OBJECT_ID | CtlCode::GET_OBJECT_ID) {
            if echo.limit < ObjectIdBuffer::FIXED_LEN {
                return Err(NtStatus::INVALID_PARAMETER);
            }
            let makes = code == CtlCode::CREATE_OR_GET_OBJECT_ID && writable;
            return Ok(if makes { ObjectIdJob::CreateOrGet } else { ObjectIdJob::Get });
        }
        let length = match code {
            CtlCode::SET_OBJECT_ID => ObjectIdBuffer::FIXED_LEN,
            CtlCode::SET_OBJECT_ID_EXTENDED => ObjectIdBirth::FIXED_LEN,
            _ => input.len(),
        };
        if input.len() != length {
            return Err(NtStatus::INVALID_PARAMETER);
        }
        if !writable {
            return Err(NtStatus::MEDIA_WRITE_PROTECTED);
        }
        if code == CtlCode::SET_OBJECT_ID {
            let who = self.token_of(open.session).ok_or(NtStatus::USER_SESSION_DELETED)?;
            if !who.privileges().contains(Privileges::RESTORE) {
                return Err(NtStatus::ACCESS_DENIED);
            }
            let given = ObjectIdBuffer::decode(input).map_err(|_| NtStatus::INVALID_PARAMETER)?;
            return Ok(ObjectIdJob::Set(given));
        }
        self.demand(id, AccessMask::FILE_WRITE_DATA | AccessMask::FILE_WRITE_ATTRIBUTES)?;
        if code == CtlCode::DELETE_OBJECT_ID {
            return Ok(ObjectIdJob::Delete);
        }
        ObjectIdBirth::decode(input).map(ObjectIdJob::SetBirth).map_err(|_| NtStatus::INVALID_PARAMETER)
    }

    pub(crate) fn object_id_step(&mut self, id: OpenId, identifying: Identifying, outcome: Outcome) {
        let Identifying { token, echo } = identifying;
        let asks = matches!(echo.ctl_code, CtlCode::CREATE_OR_GET_OBJECT_ID | CtlCode::GET_OBJECT_ID);
        match outcome {
            Ok(Done::ObjectId(told)) => self.respond(token, echo.reply(&told.to_vec())),
            Ok(_) => self.answer_changed(id, token, echo.reply(&[])),
            // A storage that keeps none: then it is made of what names the file anyway, and stays.
            Err(NtStatus::NOT_SUPPORTED) if asks => {
                let Some(file) = self.file(id) else { return self.fail(token, NtStatus::FILE_CLOSED) };
                let derived = derived(file).to_vec();
                self.respond(token, echo.reply(&derived));
            }
            Err(NtStatus::NOT_SUPPORTED) => self.fail(token, NtStatus::INVALID_DEVICE_REQUEST),
            // It would have been made.
            Err(NtStatus::OBJECTID_NOT_FOUND) if echo.ctl_code == CtlCode::CREATE_OR_GET_OBJECT_ID => {
                self.fail(token, NtStatus::MEDIA_WRITE_PROTECTED);
            }
            Err(status) => self.fail(token, status),
        }
    }
}

fn derived(file: &FileOpen) -> ObjectIdBuffer {
    let object_id = Guid::of(file.node.volume, file.node.file);
    ObjectIdBuffer {
        object_id,
        birth_volume_id: Guid::of(file.share.traits.serial.into(), 0),
        birth_object_id: object_id,
        domain_id: Guid::default(),
    }
}
