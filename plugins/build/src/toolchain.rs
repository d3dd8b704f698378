//! A Rust toolchain that builds guests on this machine.
//!
//! | found | standard library |
//! |---|---|
//! | the target `wasm32-unknown-unknown` is installed | as installed |
//! | the component `rust-src` is installed | built from it |
//! | neither, on Debian and x86-64 | Debian's `rustc-web`, unpacked into a cache (no root needed), builds it from its own vendored sources |
//!
//! Components are linked with the `wasm-component-ld` that every toolchain from rustup brings.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::Error;

/// Debian's packages: a compiler newer than the workspace's minimum, its library sources with all
/// their dependencies, and what the compiler's binary needs.
const PACKAGES: [&str; 8] = [
    "rustc-web",
    "libstd-rust-web-1.96",
    "libstd-rust-web-dev",
    "rust-web-src",
    "libllvm22",
    "libedit2",
    "libxml2",
    "libz3-4",
];
const TARGET: &str = "wasm32-unknown-unknown";

/// A compiler for guests and the linker that makes components.
#[derive(Debug, Clone)]
pub struct Toolchain {
    std: Std,
    linkers: PathBuf,
    name: String,
}

/// Where the guest's standard library comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Std {
    Installed,
    FromSource,
    Debian(PathBuf),
}

/// What is built, and where it goes.
#[derive(Debug, Clone, Copy)]
pub struct Build<'a> {
    /// The directory of the workspace or crate.
    pub root: &'a Path,
    /// Cargo's target directory.
    pub target_dir: &'a Path,
    /// Packages to build; none: the one in `root`.
    pub packages: &'a [String],
    /// Refuse to change the lock file.
    pub locked: bool,
}

impl Toolchain {
    /// Whatever this machine has: the installed target, `rust-src`, or Debian's compiler, which is unpacked into
    /// `cache` with `say` telling so.
    pub fn find(cache: &Path, say: &mut dyn FnMut(&str)) -> Result<Self, Error> {
        let sysroot = PathBuf::from(output(Command::new(rustc()).args(["--print", "sysroot"]))?.trim());
        let mut tried = Vec::new();
        if sysroot.join("lib/rustlib").join(TARGET).join("lib").is_dir() {
            return Self::new(Std::Installed);
        }
        tried.push(format!("{TARGET} is not installed in {}", sysroot.display()));
        if sysroot.join("lib/rustlib/src/rust/library/std").is_dir() {
            return Self::new(Std::FromSource);
        }
        tried.push("rust-src is not installed".to_owned());
        match Self::debian(cache, say) {
            Ok(toolchain) => Ok(toolchain),
            Err(error) => {
                tried.push(format!("Debian's rustc-web: {error}"));
                Err(Error::NoTarget { tried })
            }
        }
    }

    /// Debian's compiler, as it is unpacked in `directory` or is unpacked there now. Its bytes are reproducible: it is
    /// what builds the committed components.
    pub fn debian(directory: &Path, say: &mut dyn FnMut(&str)) -> Result<Self, Error> {
        let root = directory.join("root");
        if !root.join("usr/bin/rustc").exists() || !root.join("usr/lib/rustlib/src/rust/library").exists() {
            unpack(directory, say)?;
        }
        let root = root.canonicalize().map_err(|source| Error::Io { path: root, source })?;
        Self::new(Std::Debian(root))
    }

    fn new(std: Std) -> Result<Self, Error> {
        let linkers = host_linkers()?;
        let linker = output(Command::new(linkers.join("wasm-component-ld")).arg("--version"))?;
        let name = match &std {
            Std::Debian(root) => {
                let mut rustc = Command::new(root.join("usr/bin/rustc"));
                let rustc = output(rustc.env("LD_LIBRARY_PATH", libraries(root)).arg("-V"))?;
                format!("Debian {}, {}", rustc.trim(), linker.trim())
            }
            Std::Installed | Std::FromSource => {
                format!("{}, {}", output(Command::new(rustc()).arg("-V"))?.trim(), linker.trim())
            }
        };
        Ok(Self { std, linkers, name })
    }

    /// Versions that decide the bytes.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The component linker, for modules of other languages.
    pub fn component_linker() -> Result<PathBuf, Error> {
        Ok(host_linkers()?.join("wasm-component-ld"))
    }

    /// Cargo, set up. Everything that could change the bytes is set here and not inherited: flags that a
    /// packager exports have broken guests before.
    pub fn cargo_build(&self, build: Build<'_>) -> Command {
        let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        command.current_dir(build.root);
        for (name, _) in std::env::vars_os() {
            let name = name.to_string_lossy();
            let inherited = name.contains("RUSTFLAGS") || name.starts_with("CARGO_") || name.starts_with("RUSTC");
            if inherited && !matches!(&*name, "CARGO_HOME" | "CARGO_HTTP_PROXY" | "CARGO_NET_OFFLINE") {
                command.env_remove(&*name);
            }
        }
        let path = std::env::var_os("PATH").unwrap_or_default();
        let path = std::env::join_paths([self.linkers.join("gcc-ld")].into_iter().chain(std::env::split_paths(&path)));
        command
            .env("PATH", path.unwrap_or_default())
            .env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER", self.linkers.join("wasm-component-ld"))
            .env("CARGO_ENCODED_RUSTFLAGS", self.flags(build))
            .args(["build", "--release", "--target", TARGET, "--target-dir"])
            .arg(build.target_dir);
        if build.locked {
            command.arg("--locked");
        }
        if let Std::Debian(root) = &self.std {
            command.env("LD_LIBRARY_PATH", libraries(root)).env("RUSTC", root.join("usr/bin/rustc"));
        }
        if self.std != Std::Installed {
            // Building the standard library is unstable.
            command
                .env("RUSTC_BOOTSTRAP", "1")
                .args(["-Zbuild-std=std,panic_abort", "-Zbuild-std-features=optimize_for_size"]);
        }
        // An author wants to read the names of functions in a trap.
        let strip = if build.locked { "true" } else { "\"debuginfo\"" };
        for (key, value) in
            [("opt-level", "\"s\""), ("lto", "true"), ("codegen-units", "1"), ("panic", "\"abort\""), ("strip", strip)]
        {
            command.arg("--config").arg(format!("profile.release.{key}={value}"));
        }
        for package in build.packages {
            command.arg("-p").arg(package);
        }
        command
    }

    /// Where cargo leaves the component of a package.
    pub fn artifact(target_dir: &Path, package: &str) -> PathBuf {
        target_dir.join(TARGET).join("release").join(format!("{}.wasm", package.replace('-', "_")))
    }

    /// Paths go into panic messages; where bytes must be the same everywhere, the same ones on every machine.
    fn flags(&self, build: Build<'_>) -> String {
        let cargo_home = std::env::var_os("CARGO_HOME")
            .map(PathBuf::from)
            .unwrap_or_else(|| PathBuf::from(std::env::var_os("HOME").unwrap_or_default()).join(".cargo"));
        let remap = |from: &Path, to: &str| format!("--remap-path-prefix={}={to}", from.display());
        let mut flags = vec![
            "-Clinker-flavor=wasm-ld".to_owned(),
            "-Clink-arg=--wasi-adapter=none".to_owned(),
            remap(&cargo_home.join("registry/src"), "/registry"),
            remap(build.target_dir, "/target"),
        ];
        if build.locked {
            // Only where bytes must be the same everywhere: flags that differ from folder to folder would build the
            // standard library anew for each.
            flags.push(remap(build.root, "/luthier"));
        }
        if let Std::Debian(root) = &self.std {
            flags.push(remap(root, "/toolchain"));
            // Within the workspace, cargo gives the compiler relative paths.
            if let Ok(relative) = root.strip_prefix(build.root) {
                flags.push(remap(relative, "/toolchain"));
            }
        }
        flags.join("\u{1f}")
    }
}

/// A clang that builds for `wasm32`, the newest first.
pub fn find_clang() -> Result<PathBuf, Error> {
    let mut names = vec!["clang".to_owned()];
    names.extend((13..=23).rev().map(|version| format!("clang-{version}")));
    let works = |name: &String| {
        let probe = Command::new(name).arg("--print-targets").output();
        probe.is_ok_and(|probe| probe.status.success() && String::from_utf8_lossy(&probe.stdout).contains("wasm32"))
    };
    names.iter().find(|name| works(name)).map(PathBuf::from).ok_or(Error::NoClang { tried: names })
}

fn rustc() -> std::ffi::OsString {
    std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into())
}

fn libraries(root: &Path) -> PathBuf {
    root.join("usr/lib/x86_64-linux-gnu")
}

/// `wasm-component-ld` and `rust-lld` of the toolchain that runs us.
fn host_linkers() -> Result<PathBuf, Error> {
    let version = output(Command::new(rustc()).arg("-vV"))?;
    let host = version.lines().find_map(|line| line.strip_prefix("host: ")).unwrap_or_default();
    let sysroot = output(Command::new(rustc()).args(["--print", "sysroot"]))?;
    let directory = Path::new(sysroot.trim()).join("lib/rustlib").join(host).join("bin");
    if directory.join("wasm-component-ld").exists() { Ok(directory) } else { Err(Error::NoLinker { directory }) }
}

fn unpack(directory: &Path, say: &mut dyn FnMut(&str)) -> Result<(), Error> {
    let program = |finding: &str| Error::Program { program: "apt-get".to_owned(), finding: finding.to_owned() };
    if !cfg!(all(target_os = "linux", target_arch = "x86_64")) {
        return Err(program("has rustc-web for x86-64 only"));
    }
    let packages = directory.join("packages");
    let io = |path: &Path| {
        let path = path.to_path_buf();
        move |source| Error::Io { path, source }
    };
    std::fs::create_dir_all(&packages).map_err(io(&packages))?;
    say(&format!("downloading {} with apt-get (about 160 MB, no root needed)", PACKAGES.join(", ")));
    let download = Command::new("apt-get").current_dir(&packages).arg("download").args(PACKAGES).output();
    let download = download.map_err(|_| program("is needed to download Debian's rustc-web"))?;
    if !download.status.success() {
        return Err(program("could not download Debian's rustc-web; run `apt-get update` first"));
    }
    let root = directory.join("root");
    for entry in std::fs::read_dir(&packages).map_err(io(&packages))? {
        let path = entry.map_err(io(&packages))?.path();
        if path.extension() == Some(OsStr::new("deb")) {
            output(Command::new("dpkg-deb").arg("-x").arg(&path).arg(&root))?;
        }
    }
    Ok(())
}

/// Standard output of a command that ended well.
fn output(command: &mut Command) -> Result<String, Error> {
    let program = command.get_program().to_string_lossy().into_owned();
    let failed = |finding: String| Error::Program { program: program.clone(), finding };
    let output = command.output().map_err(|error| failed(format!("cannot be started: {error}")))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr).lines().next().unwrap_or_default().to_owned();
        return Err(failed(format!("ended with {}: {said}", output.status)));
    }
    String::from_utf8(output.stdout).map_err(|error| failed(format!("said what is not UTF-8: {error}")))
}
