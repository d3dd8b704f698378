//! The `luthier` program: Jupyter kernel, command line, and (re-executed by evcxr) the process that
//! Rust cells run in.

use std::process::ExitCode;

fn main() -> ExitCode {
    // First, always: evcxr starts this binary again as the cell process and as a compiler wrapper.
    luthier_kernel::rust_cell::runtime_hook();
    luthier_kernel::cli::main()
}
