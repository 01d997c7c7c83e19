//! Other names for streams, [MS-FSA] 2.1.5.15.12.1.

use std::sync::Arc;

use sansmb::{
    server::{Reply, Token, op},
    wire::{AccessMask, CompletionFilter, NtStatus, SetInfoResponse, fscc::NotifyAction},
};

use crate::{
    notify::Change,
    opens::OpenId,
    server::FileServer,
    storage::{Done, Job, Outcome},
    task::Step,
    text::same_name,
};

/// A rename of a stream that is under way.
#[derive(Debug)]
pub(crate) struct StreamRenaming {
    token: Token<op::SetInfo>,
    to: Arc<str>,
    replace: bool,
    stage: Stage,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// What is to be replaced is looked at.
    Look,
    Do,
}

impl FileServer {
    pub(crate) fn rename_stream(
        &mut self,
        id: OpenId,
        token: Token<op::SetInfo>,
        to: Arc<str>,
        replace: bool,
    ) {
        let stage = if replace { Stage::Look } else { Stage::Do };
        match self.check_stream_rename(id, &to) {
            Ok(true) => {
                self.stream_rename_next(id, Box::new(StreamRenaming { token, to, replace, stage }));
            }
            Ok(false) => self.succeed(token, &SetInfoResponse),
            Err(status) => self.fail(token, status),
        }
    }

    /// Whether there is something to do.
    fn check_stream_rename(&self, id: OpenId, to: &str) -> Result<bool, NtStatus> {
        self.demand(id, AccessMask::DELETE)?;
        let file = self.file(id).ok_or(NtStatus::FILE_CLOSED)?;
        let own = file.stream.as_deref().unwrap_or_default();
        if file.directory || to.is_empty() && own.is_empty() {
            return Err(NtStatus::INVALID_PARAMETER);
        }
        if same_name(own, to) {
            return Ok(own != to);
        }
        // The data of the file itself stay where they are.
        if own.is_empty() || to.is_empty() {
            return Err(NtStatus::NOT_SUPPORTED);
        }
        if self.nodes.is_doomed(&file.key()) {
            return Err(NtStatus::DELETE_PENDING);
        }
        if self.nodes.at(&file.file_key().of_stream(to)).is_some() {
            return Err(NtStatus::INVALID_PARAMETER);
        }
        Ok(true)
    }

    fn stream_rename_next(&mut self, id: OpenId, renaming: Box<StreamRenaming>) {
        let (to, replace, stage) = (Arc::clone(&renaming.to), renaming.replace, renaming.stage);
        self.job_on(
            id,
            |file| {
                let handle = file.handle;
                match stage {
                    Stage::Look => Job::Streams { handle },
                    Stage::Do => Job::RenameStream { handle, to, replace },
                }
            },
            Step::RenameStream(renaming),
        );
    }

    pub(crate) fn stream_rename_step(
        &mut self,
        id: OpenId,
        mut renaming: Box<StreamRenaming>,
        outcome: Outcome,
    ) {
        match (renaming.stage, outcome) {
            (Stage::Look, Ok(Done::Streams(streams))) => {
                let own = self.file(id).and_then(|file| file.stream.clone()).unwrap_or_default();
                let others = streams.iter().filter(|stream| !same_name(&stream.name, &own));
                let taken = others.into_iter().find(|stream| same_name(&stream.name, &renaming.to));
                let result = match taken {
                    Some(taken) if taken.length > 0 => Err(NtStatus::INVALID_PARAMETER),
                    _ => self.check_stream_rename(id, &renaming.to),
                };
                match result {
                    Ok(true) => {
                        renaming.stage = Stage::Do;
                        self.stream_rename_next(id, renaming);
                    }
                    Ok(false) => self.succeed(renaming.token, &SetInfoResponse),
                    Err(status) => self.fail(renaming.token, status),
                }
            }
            (Stage::Do, Ok(_)) => {
                self.stream_renamed(id, &renaming.to);
                self.respond_kept(id, renaming.token, Ok(Reply::new(&SetInfoResponse)));
            }
            (_, outcome) => {
                self.fail(renaming.token, outcome.err().unwrap_or(NtStatus::INTERNAL_ERROR));
            }
        }
    }

    /// The storage has done it: brings the tables after it and tells the watchers.
    fn stream_renamed(&mut self, id: OpenId, to: &Arc<str>) {
        let Some(file) = self.file(id) else { return };
        let (node, volume) = (file.node, file.share.volume);
        let (from, into) = (file.key(), file.file_key().of_stream(to));
        let old = file.stream_path();
        for open in self.nodes.rename(node, &from, into) {
            if let Some(file) = self.file_mut(open) {
                file.stream = Some(Arc::clone(to));
            }
            self.persistence.touch(open);
        }
        let new = self.file(id).and_then(|file| file.stream_path());
        if let (Some(old), Some(new)) = (old, new) {
            let changes = [
                Change { path: &old, action: NotifyAction::REMOVED_STREAM },
                Change { path: &new, action: NotifyAction::ADDED_STREAM },
            ];
            self.report_all(volume, &changes, CompletionFilter::STREAM_NAME);
        }
    }
}
