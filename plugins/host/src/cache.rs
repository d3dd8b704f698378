//! Compiled code on disk, so that a plugin is compiled once per machine.
//!
//! Loading compiled code means trusting it like the program itself. So it lies in a directory that
//! only this account can enter, is read through one open file that this account owns, carries a
//! checksum against disk errors, and is otherwise compiled anew. It is never part of a plugin.

#![allow(unsafe_code, reason = "wasmtime cannot check compiled code; `load` says why it may be trusted")]

use std::fs::{File, Permissions};
use std::io::{Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};
use wasmtime::Engine;
use wasmtime::component::Component;

const CHECKSUM_BYTES: usize = 32;

/// A directory of compiled components.
pub(crate) struct Cache {
    directory: PathBuf,
    code_key: u64,
}

impl Cache {
    pub(crate) fn new(directory: PathBuf, code_key: u64) -> Self {
        Self { directory, code_key }
    }

    /// The component of these bytes, from the cache or compiled. A cache that cannot be used or
    /// written costs time and nothing else.
    pub(crate) fn component(&self, engine: &Engine, bytes: &[u8], digest: &str) -> wasmtime::Result<Component> {
        let path = self.path(digest);
        if let Some(component) = self.load(engine, &path) {
            return Ok(component);
        }
        let component = Component::new(engine, bytes)?;
        if let Ok(code) = component.serialize() {
            // Only speed is lost when the disk is full or the directory is not private.
            let _ = self.store(&path, &code);
        }
        Ok(component)
    }

    fn path(&self, digest: &str) -> PathBuf {
        let digest = digest.strip_prefix("sha256:").unwrap_or(digest);
        self.directory.join(format!("{digest}-{:016x}.cwasm", self.code_key))
    }

    fn load(&self, engine: &Engine, path: &Path) -> Option<Component> {
        if !is_private_directory(&self.directory) {
            return None;
        }
        let file = read_own_file(path)?;
        let (checksum, code) = file.split_at_checked(CHECKSUM_BYTES)?;
        if Sha256::digest(code).as_slice() != checksum {
            return None;
        }
        // SAFETY: `deserialize` demands bytes that `Component::serialize` wrote. These were read
        // from a file of this account's, writable by no other account, in a directory that no other
        // account can enter (both checked just now, the file through its open descriptor), and
        // `store` below is the only writer of files with such names; the checksum rules out a torn
        // or decayed file. An attacker who can write here already runs code as this account.
        // wasmtime itself refuses code of another version or configuration.
        unsafe { Component::deserialize(engine, code) }.ok()
    }

    fn store(&self, path: &Path, code: &[u8]) -> std::io::Result<()> {
        create_private_directory(&self.directory)?;
        if !is_private_directory(&self.directory) {
            return Err(std::io::ErrorKind::PermissionDenied.into());
        }
        let mut file =
            tempfile::Builder::new().permissions(Permissions::from_mode(0o600)).tempfile_in(&self.directory)?;
        file.write_all(&Sha256::digest(code))?;
        file.write_all(code)?;
        file.as_file().sync_all()?;
        file.persist(path)?;
        Ok(())
    }
}

fn create_private_directory(directory: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(directory)
}

fn is_private_directory(directory: &Path) -> bool {
    std::fs::symlink_metadata(directory)
        .is_ok_and(|metadata| metadata.is_dir() && metadata.uid() == own_uid() && metadata.mode() & 0o077 == 0)
}

fn read_own_file(path: &Path) -> Option<Vec<u8>> {
    let no_follow = rustix::fs::OFlags::NOFOLLOW.bits() as i32;
    let mut file = File::options().read(true).custom_flags(no_follow).open(path).ok()?;
    let metadata = file.metadata().ok()?;
    let own = metadata.is_file() && metadata.uid() == own_uid() && metadata.mode() & 0o022 == 0;
    if !own {
        return None;
    }
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes).ok()?;
    Some(bytes)
}

fn own_uid() -> u32 {
    rustix::process::geteuid().as_raw()
}

#[cfg(test)]
mod tests;
