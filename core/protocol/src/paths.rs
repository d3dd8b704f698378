//! Where a project lives. The one rule that client and engine must agree on.

use std::path::{Path, PathBuf};

/// The name of a project's directory.
pub const PROJECT_DIR_NAME: &str = ".luthier";

/// The project of `from`: the nearest ancestor that has a `.luthier/`, else `from` itself.
pub fn project_root(from: &Path) -> PathBuf {
    from.ancestors()
        .find(|dir| dir.join(PROJECT_DIR_NAME).is_dir())
        .unwrap_or(from)
        .to_path_buf()
}
