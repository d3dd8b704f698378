//! A directory that is there whole, or not at all.

use std::path::{Path, PathBuf};

use crate::Error;

/// Files on their way to `target`, in a sibling directory; removed again unless [`NewDirectory::keep`].
#[derive(Debug)]
pub(crate) struct NewDirectory {
    unfinished: tempfile::TempDir,
    target: PathBuf,
}

impl NewDirectory {
    /// A place beside `target`. One that exists is replaced in the end if `overwrite`, and if it is an
    /// earlier export (it holds our record) or empty.
    pub(crate) fn new(target: &Path, what: &'static str, overwrite: bool) -> Result<NewDirectory, Error> {
        if target.exists() {
            let is_ours = target.join(super::RECORD_FILE_NAME).is_file() || is_empty(target);
            if !overwrite || !is_ours {
                let name = target.display().to_string();
                return Err(Error::Exists { what, name });
            }
        }
        let parent = target.parent().unwrap_or(Path::new("."));
        let fail = |source| Error::io("make a directory in", parent, source);
        std::fs::create_dir_all(parent).map_err(fail)?;
        let unfinished = tempfile::Builder::new().prefix(".writing-").tempdir_in(parent).map_err(fail)?;
        Ok(NewDirectory { unfinished, target: target.to_path_buf() })
    }

    /// Where to write.
    pub(crate) fn path(&self) -> &Path {
        self.unfinished.path()
    }

    /// Put it in its place.
    pub(crate) fn keep(self) -> Result<PathBuf, Error> {
        let fail = |source| Error::io("make", &self.target, source);
        let parent = self.target.parent().unwrap_or(Path::new("."));
        readable_by_others(self.unfinished.path()).map_err(fail)?;
        let old = match self.target.exists() {
            true => {
                let old = tempfile::Builder::new().prefix(".replaced-").tempdir_in(parent).map_err(fail)?;
                std::fs::rename(&self.target, old.path().join("old")).map_err(fail)?;
                Some(old)
            }
            false => None,
        };
        let finished = self.unfinished.keep();
        std::fs::rename(&finished, &self.target).map_err(fail)?;
        luthier_data::atomic::sync_dir(parent).map_err(fail)?;
        drop(old);
        Ok(self.target)
    }
}

fn is_empty(dir: &Path) -> bool {
    std::fs::read_dir(dir).is_ok_and(|mut entries| entries.next().is_none())
}

/// Temporary directories are their owner's alone.
fn readable_by_others(dir: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(dir, std::fs::Permissions::from_mode(0o755))
}
