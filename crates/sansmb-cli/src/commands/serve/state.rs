//! Where the server keeps what it needs after a restart.

use std::{env, path::PathBuf, sync::Arc};

use sansmb_fileserver::store::OpenStore;
use sansmb_storage::{OpenDb, OpenDbError};

use super::config::Plan;
use crate::failure::{Failure, Result, io_words};

/// The store of persistent opens, where a share needs one.
pub(super) fn store(plan: &Plan) -> Result<Option<Arc<dyn OpenStore>>> {
    if !plan.shares.iter().any(|share| share.continuously_available) {
        return Ok(None);
    }
    let folder = match &plan.state {
        Some(folder) => folder.clone(),
        None => default_folder()
            .ok_or_else(|| Failure::usage("a share is continuously available: --state DIR is needed"))?,
    };
    match OpenDb::open(&folder) {
        Ok(db) => Ok(Some(Arc::new(db))),
        Err(OpenDbError::Io(error)) => Err(Failure::refused(folder.display(), io_words(&error))),
        Err(error) => Err(Failure::refused(OpenDb::path(&folder).display(), error)),
    }
}

/// As the XDG Base Directory Specification has it, and on Windows beside what other programs keep.
fn default_folder() -> Option<PathBuf> {
    let folder = |name: &str| env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let home = folder("XDG_STATE_HOME").or_else(|| Some(folder("HOME")?.join(".local/state")));
    Some(home.or_else(|| folder("LOCALAPPDATA"))?.join("sansmb"))
}
