//! Other names for files, [MS-FSA] 2.1.5.15.7 and 2.1.5.15.12.

use std::sync::Arc;

use sansmb::{
    server::{Reply, Token, op},
    wire::{
        AccessMask, CompletionFilter, FileAttributes, NtStatus, SetInfoResponse, ShareAccess, Utf16,
        fscc::NotifyAction,
    },
};

use crate::{
    create::path::{Name, Stream},
    notify::Change,
    opens::OpenId,
    path_key::PathKey,
    server::FileServer,
    share_modes::Claim,
    storage::{Creator, Done, Existence, Job, Metadata, NodeId, Outcome, Rights, SharePath, Want},
    task::{Step, Task},
};

/// A name that a file is to have.
#[derive(Debug, Clone)]
pub(crate) struct Naming {
    to: SharePath,
    /// The name is one of a stream, which no file can have.
    of_stream: bool,
    /// One more name, instead of another.
    link: bool,
    replace: bool,
    ignore_readonly: bool,
    /// What is replaced lets itself not be deleted by this user: the directory has to.
    by_directory: bool,
}

/// A rename or link that is under way.
#[derive(Debug)]
pub(crate) struct Renaming {
    token: Token<op::SetInfo>,
    naming: Naming,
    target: PathKey,
    stage: Stage,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// What is to be replaced is looked at.
    Look,
    /// The storage does it; this is what it replaces.
    Do(Option<NodeId>),
}

impl Naming {
    pub(crate) fn new(
        name: Utf16<'_>,
        link: bool,
        replace: bool,
        ignore_readonly: bool,
    ) -> Result<Self, NtStatus> {
        // [MS-FSA] 2.1.5.15.7: a backslash in front of a link's name is the root, where it begins anyway.
        let name = match name.as_bytes() {
            [b'\\', 0, rest @ ..] if link => {
                Utf16::new(rest, "name", 0).map_err(|_| NtStatus::OBJECT_NAME_INVALID)?
            }
            _ => name,
        };
        let name = Name::parse(name)?;
        if name.path.0.is_empty() {
            return Err(NtStatus::INVALID_PARAMETER);
        }
        let of_stream = name.stream != Stream::Unsaid;
        if of_stream && link || name.trailing_separator {
            return Err(NtStatus::OBJECT_NAME_INVALID);
        }
        Ok(Self { to: name.path, of_stream, link, replace, ignore_readonly, by_directory: false })
    }
}

impl FileServer {
    pub(crate) fn rename(&mut self, id: OpenId, token: Token<op::SetInfo>, mut naming: Naming) {
        let target = match self.check_rename(id, &mut naming) {
            Ok(Some(target)) => target,
            Ok(None) => return self.succeed(token, &SetInfoResponse),
            Err(status) => return self.fail(token, status),
        };
        let same_name = !naming.link && self.path_key(id).as_ref() == Some(&target);
        let stage = if naming.replace && !same_name { Stage::Look } else { Stage::Do(None) };
        // A name that only changes its case is in its own way.
        naming.replace |= same_name;
        self.rename_next(id, Box::new(Renaming { token, naming, target, stage }));
    }

    /// What can be said before the storage is asked. `None` says that there is nothing to do.
    fn check_rename(&self, id: OpenId, naming: &mut Naming) -> Result<Option<PathKey>, NtStatus> {
        let open = self.opens.get(&id).ok_or(NtStatus::FILE_CLOSED)?;
        let file = open.file().ok_or(NtStatus::INVALID_DEVICE_REQUEST)?;
        let source = PathKey::new(file.share.volume, &file.path);
        let target = PathKey::new(file.share.volume, &naming.to);
        if !naming.link {
            self.demand(id, AccessMask::DELETE)?;
        }
        if naming.of_stream || file.stream.is_some() {
            return Err(match naming.of_stream {
                _ if !self.may_enter(&target) => NtStatus::SHARING_VIOLATION,
                true => NtStatus::OBJECT_NAME_INVALID,
                false => NtStatus::INVALID_PARAMETER,
            });
        }
        if naming.link && !file.share.maximal_access().contains(AccessMask::FILE_WRITE_DATA) {
            return Err(NtStatus::ACCESS_DENIED);
        }
        if naming.link && file.directory {
            return Err(NtStatus::FILE_IS_A_DIRECTORY);
        }
        if file.path.0.is_empty() {
            return Err(NtStatus::ACCESS_DENIED);
        }
        if self.nodes.is_doomed(&source) || self.nodes.is_beneath_doomed(&target) {
            return Err(NtStatus::DELETE_PENDING);
        }
        if file.directory && !naming.link && (self.nodes.any_beneath(&source) || source.contains(&target)) {
            return Err(NtStatus::ACCESS_DENIED);
        }
        let parent = target.parent();
        if parent == source.parent() {
            // The directory keeps the spelling that the storage has.
            if let (Some(last), Some((_, directory))) = (naming.to.0.last(), file.path.0.split_last()) {
                let last = last.clone();
                naming.to = SharePath(directory.to_vec());
                naming.to.0.push(last);
            }
            if naming.to == file.path {
                return Ok(None);
            }
        }
        if !self.may_enter(&target) && !file.directory {
            return Err(NtStatus::SHARING_VIOLATION);
        }
        Ok(Some(target))
    }

    /// The directory is opened for a new name, so to speak. Whoever has it open for deletion is in
    /// the way, as with Windows up to Server 2022, which clients and tests know; of a directory that
    /// is renamed they expect nothing of the kind.
    fn may_enter(&self, target: &PathKey) -> bool {
        let claim = Claim::new(AccessMask::FILE_ADD_FILE, ShareAccess::READ | ShareAccess::WRITE);
        let parent = target.parent();
        parent.and_then(|key| self.nodes.at(&key)).is_none_or(|(_, node)| node.share_modes.allow(claim))
    }

    fn rename_next(&mut self, id: OpenId, renaming: Box<Renaming>) {
        let Naming { to, link, replace, by_directory, .. } = renaming.naming.clone();
        let stage = renaming.stage;
        let token = self.opens.get(&id).and_then(|open| self.token_of(open.session));
        let Some(token) = token else {
            return self.fail(renaming.token, NtStatus::USER_SESSION_DELETED);
        };
        let by = Some(Arc::new(Creator { token, wanted: None, replaces: by_directory }));
        self.job_on(
            id,
            |file| {
                let handle = file.handle;
                match stage {
                    Stage::Look => Job::Open {
                        path: to,
                        want: Want::Any,
                        existence: Existence::MustExist,
                        rights: Rights::default(),
                        attributes: FileAttributes::empty(),
                        no_follow: true,
                        creator: None,
                    },
                    Stage::Do(_) if link => Job::Link { handle, to, replace, by },
                    Stage::Do(_) => Job::Rename { handle, to, replace, by },
                }
            },
            Step::Rename(renaming),
        );
    }

    pub(crate) fn rename_step(&mut self, id: OpenId, mut renaming: Box<Renaming>, outcome: Outcome) {
        let replaced = match (renaming.stage, outcome) {
            (Stage::Look, Ok(Done::Opened { handle, metadata, security, .. })) => {
                if let Some(share) = self.file(id).map(|file| file.share.clone()) {
                    self.job(&share, Job::Close { handle }, Task::Discard);
                }
                if let Err(status) = self.may_replace(id, &renaming, &metadata) {
                    return self.fail(renaming.token, status);
                }
                let who = self.opens.get(&id).and_then(|open| self.token_of(open.session));
                renaming.naming.by_directory = who.is_some_and(|who| {
                    !security.granted(&who, AccessMask::DELETE).contains(AccessMask::DELETE)
                });
                Some(metadata.node)
            }
            (Stage::Look, Err(NtStatus::OBJECT_NAME_NOT_FOUND)) => None,
            (Stage::Do(replaced), Ok(_)) => {
                self.renamed(id, &renaming, replaced);
                return self.respond_kept(id, renaming.token, Ok(Reply::new(&SetInfoResponse)));
            }
            (Stage::Look, Ok(Done::Stopped { .. })) => {
                return self.fail(renaming.token, NtStatus::OBJECT_PATH_NOT_FOUND);
            }
            (_, outcome) => {
                return self.fail(renaming.token, outcome.err().unwrap_or(NtStatus::INTERNAL_ERROR));
            }
        };
        // What was asked before may not hold any more.
        if let Err(status) = self.check_rename(id, &mut renaming.naming) {
            return self.fail(renaming.token, status);
        }
        renaming.stage = Stage::Do(replaced);
        self.rename_next(id, renaming);
    }

    fn may_replace(&self, id: OpenId, renaming: &Renaming, metadata: &Metadata) -> Result<(), NtStatus> {
        let own = self.file(id).map(|file| file.node);
        if own == Some(metadata.node) {
            return Ok(());
        }
        let readonly =
            metadata.attributes.contains(FileAttributes::READONLY) && !renaming.naming.ignore_readonly;
        if metadata.is_directory() || readonly {
            return Err(NtStatus::ACCESS_DENIED);
        }
        let link = self.nodes.get(metadata.node).and_then(|node| node.links.get(&renaming.target));
        match link {
            Some(link) if link.delete_pending => Err(NtStatus::DELETE_PENDING),
            Some(_) => Err(NtStatus::ACCESS_DENIED),
            None => Ok(()),
        }
    }

    /// The storage has done it: brings the tables after it and tells the watchers.
    fn renamed(&mut self, id: OpenId, renaming: &Renaming, replaced: Option<NodeId>) {
        let Some(file) = self.file_mut(id) else { return };
        let (node, volume, directory) = (file.node, file.share.volume, file.directory);
        let (old, from) = (file.path.clone(), file.file_key());
        let new = renaming.naming.to.clone();
        if let Some(replaced) = replaced.filter(|replaced| *replaced != node) {
            self.note_deleted(replaced);
        }
        let kind = if directory { CompletionFilter::DIR_NAME } else { CompletionFilter::FILE_NAME };
        let knows = self.file(id).and_then(|file| file.caching.parent);
        self.break_parent(knows, &renaming.target);
        if renaming.naming.link {
            return self.report_path(volume, &new, NotifyAction::ADDED, kind);
        }
        let opens = self.nodes.rename(node, &from, renaming.target.clone());
        for open in opens {
            if let Some(file) = self.file_mut(open) {
                let before = file.stream.is_some().then(|| (file.node, file.key()));
                file.moved(new.clone(), renaming.target.clone());
                if let Some((node, before)) = before {
                    let after = file.key();
                    self.nodes.rename(node, &before, after);
                } else if open == id {
                    file.handle_path = new.clone();
                }
            }
            self.persistence.touch(open);
            self.move_watch(open, renaming.target.clone());
        }
        self.break_parent(knows, &from);
        let stays = from.parent() == renaming.target.parent();
        let (gone, come) = if stays {
            (NotifyAction::RENAMED_OLD_NAME, NotifyAction::RENAMED_NEW_NAME)
        } else {
            (NotifyAction::REMOVED, NotifyAction::ADDED)
        };
        let changes = [Change { path: &old, action: gone }, Change { path: &new, action: come }];
        self.report_all(volume, &changes, kind);
        // The archive attribute of a file is set by it, and Windows tells of that too, when it is closed.
        if let Some(file) = self.file_mut(id).filter(|_| !directory) {
            file.renamed = true;
        }
    }
}
