//! A Rust toolchain that builds the standard library for guests.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};

use crate::shell;

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

/// A compiler for guests and the linker that makes components.
pub(super) struct Toolchain {
    root: PathBuf,
    linkers: PathBuf,
    name: String,
}

impl Toolchain {
    /// What is unpacked in `directory`, or is unpacked there now.
    pub(super) fn find_or_unpack(directory: &Path) -> Result<Self> {
        let root = directory.join("root");
        if !root.join("usr/bin/rustc").exists() || !root.join("usr/lib/rustlib/src/rust/library").exists() {
            unpack(directory)?;
        }
        let root = root.canonicalize()?;
        let linkers = host_linkers()?;
        let rustc =
            shell::output(Command::new(root.join("usr/bin/rustc")).env("LD_LIBRARY_PATH", libraries(&root)).arg("-V"))
                .context("the unpacked rustc does not run")?;
        let linker = shell::output(Command::new(linkers.join("wasm-component-ld")).arg("--version"))?;
        let name = format!("Debian {}, {}", rustc.trim(), linker.trim());
        Ok(Self { root, linkers, name })
    }

    /// Versions that decide the bytes.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// The build of these guests. Everything that could change the bytes is set here and not inherited.
    pub(super) fn cargo_build(&self, root: &Path, target: &Path, guests: &[&str]) -> Command {
        let mut command = shell::cargo();
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
            .env("LD_LIBRARY_PATH", libraries(&self.root))
            .env("RUSTC", self.root.join("usr/bin/rustc"))
            // Building the standard library is unstable.
            .env("RUSTC_BOOTSTRAP", "1")
            .env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER", self.linkers.join("wasm-component-ld"))
            .env("CARGO_ENCODED_RUSTFLAGS", self.flags(root, target))
            .args(["build", "--release", "--locked", "--target", "wasm32-unknown-unknown", "--target-dir"])
            .arg(target)
            .args(["-Zbuild-std=std,panic_abort", "-Zbuild-std-features=optimize_for_size"]);
        for (key, value) in
            [("opt-level", "\"s\""), ("lto", "true"), ("codegen-units", "1"), ("panic", "\"abort\""), ("strip", "true")]
        {
            command.arg("--config").arg(format!("profile.release.{key}={value}"));
        }
        for guest in guests {
            command.arg("-p").arg(format!("luthier-{guest}"));
        }
        command
    }

    /// Paths go into panic messages; the same ones on every machine.
    fn flags(&self, root: &Path, target: &Path) -> String {
        let cargo_home = std::env::var_os("CARGO_HOME")
            .map(PathBuf::from)
            .unwrap_or_else(|| PathBuf::from(std::env::var_os("HOME").unwrap_or_default()).join(".cargo"));
        let remap = |from: &Path, to: &str| format!("--remap-path-prefix={}={to}", from.display());
        [
            "-Clinker-flavor=wasm-ld".to_owned(),
            "-Clink-arg=--wasi-adapter=none".to_owned(),
            remap(root, "/luthier"),
            remap(&cargo_home.join("registry/src"), "/registry"),
            remap(target, "/target"),
            remap(&self.root, "/toolchain"),
        ]
        .join("\u{1f}")
    }
}

fn libraries(root: &Path) -> PathBuf {
    root.join("usr/lib/x86_64-linux-gnu")
}

/// `wasm-component-ld` and `rust-lld` of the toolchain that runs us.
fn host_linkers() -> Result<PathBuf> {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let version = shell::output(Command::new(&rustc).arg("-vV"))?;
    let host = version.lines().find_map(|line| line.strip_prefix("host: ")).context("rustc -vV names no host")?;
    let sysroot = shell::output(Command::new(&rustc).args(["--print", "sysroot"]))?;
    let linkers = Path::new(sysroot.trim()).join("lib/rustlib").join(host).join("bin");
    ensure!(
        linkers.join("wasm-component-ld").exists(),
        "{} has no wasm-component-ld; a toolchain from rustup has one",
        linkers.display()
    );
    Ok(linkers)
}

fn unpack(directory: &Path) -> Result<()> {
    ensure!(
        cfg!(all(target_os = "linux", target_arch = "x86_64")),
        "guests are built with Debian's packages for x86-64; the committed components run everywhere"
    );
    let packages = directory.join("packages");
    std::fs::create_dir_all(&packages).with_context(|| format!("cannot create {}", packages.display()))?;
    shell::say(&format!("downloading {} with apt-get (about 160 MB, no root needed)", PACKAGES.join(", ")));
    let download = Command::new("apt-get").current_dir(&packages).arg("download").args(PACKAGES).status();
    if !download.context("apt-get is needed to download Debian's rustc-web")?.success() {
        bail!("apt-get could not download {}; run `apt-get update` first", PACKAGES.join(" "));
    }
    let root = directory.join("root");
    for entry in std::fs::read_dir(&packages)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "deb") {
            shell::run(Command::new("dpkg-deb").arg("-x").arg(&path).arg(&root))?;
        }
    }
    Ok(())
}
