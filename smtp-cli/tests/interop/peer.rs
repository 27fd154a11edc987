//! Where the peers are: those that `interop/install.sh` unpacked below `SMTP_INTEROP`, and those that it put in `PATH`.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

const HOW: &str = "run `interop/install.sh DEST` and set SMTP_INTEROP=DEST";

/// A file or a folder below `SMTP_INTEROP`.
pub(crate) fn installed(below: &str) -> PathBuf {
    let root = env::var_os("SMTP_INTEROP").unwrap_or_else(|| panic!("SMTP_INTEROP is not set: {HOW}"));
    let path = Path::new(&root).join(below);
    assert!(path.exists(), "{} is missing: {HOW}", path.display());
    path
}

/// A file or a folder of the repository's `interop/`.
pub(crate) fn interop(below: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../interop").join(below);
    assert!(path.exists(), "{} is missing", path.display());
    path.canonicalize().unwrap()
}

/// A program of Debian's, found in `PATH`.
pub(crate) fn tool(name: &str) -> Command {
    let path = env::var_os("PATH").unwrap_or_default();
    assert!(env::split_paths(&path).any(|folder| folder.join(name).is_file()), "{name} is missing: {HOW}");
    Command::new(name)
}

/// A script of `interop/`, under the Python that has the peers' packages.
pub(crate) fn python(script: &str) -> Command {
    let mut command = Command::new(installed("venv/bin/python"));
    command.arg(interop(script));
    command
}

/// A script of `interop/`, under Node with the peers' packages.
pub(crate) fn node(script: &str) -> Command {
    let mut command = tool("node");
    command.env("NODE_PATH", installed("npm/node_modules")).arg(interop(script));
    command
}

/// A program of Postfix's, with the libraries of its own that it was unpacked with.
pub(crate) fn postfix(program: &str) -> Command {
    let mut command = Command::new(installed(&format!("roots/postfix/usr/{program}")));
    command.env("LD_LIBRARY_PATH", installed("roots/postfix/usr/lib/postfix"));
    command
}

/// The tool under test.
pub(crate) fn ours() -> Command {
    Command::new(env!("CARGO_BIN_EXE_smtp"))
}
