//! The Unix sockets of this user's programs: one folder, which nobody else may enter.

use std::fs::{self, DirBuilder};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::{env, process};

/// The folder of the sockets: `zctor` in `$XDG_RUNTIME_DIR`, or else one for this user among the temporary files.
fn folder() -> PathBuf {
    match env::var_os("XDG_RUNTIME_DIR").filter(|dir| !dir.is_empty()) {
        Some(dir) => Path::new(&dir).join("zctor"),
        None => env::temp_dir().join(format!("zctor-{}", rustix::process::geteuid().as_raw())),
    }
}

/// Makes a folder that nobody else may enter, or checks that the one that is there is such.
fn make_private(folder: &Path) -> io::Result<()> {
    match DirBuilder::new().mode(0o700).create(folder) {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => return Err(about(folder, &error)),
        _ => {}
    }
    // Not through a link, which may be another user's.
    let found = fs::symlink_metadata(folder).map_err(|error| about(folder, &error))?;
    if !found.is_dir() || found.uid() != rustix::process::geteuid().as_raw() || found.mode() & 0o077 != 0 {
        let why = "it must be a folder of this user's with mode 0700; remove it, or set XDG_RUNTIME_DIR";
        return Err(io::Error::new(ErrorKind::PermissionDenied, format!("{}: {why}", folder.display())));
    }
    Ok(())
}

fn about(path: &Path, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{}: {error}", path.display()))
}

/// Listens at a new socket in the folder, named for the process and the engine.
pub(crate) fn listen(engine: &str) -> io::Result<(UnixListener, PathBuf)> {
    let folder = folder();
    make_private(&folder)?;
    // A path of a socket is short: some systems take 104 bytes.
    let name: String = engine.chars().filter(|c| c.is_ascii_alphanumeric() || "-_".contains(*c)).take(24).collect();
    for number in 1..=1_000 {
        let more = if number == 1 { String::new() } else { format!("-{number}") };
        let path = folder.join(format!("{}-{name}{more}.sock", process::id()));
        if is_stale(&path) {
            let _ = fs::remove_file(&path);
        }
        match UnixListener::bind(&path) {
            Ok(listener) => return Ok((listener, path)),
            Err(error) if error.kind() == ErrorKind::AddrInUse => {}
            Err(error) => return Err(about(&path, &error)),
        }
    }
    Err(io::Error::new(ErrorKind::AddrInUse, format!("{}: it is full of sockets of this process", folder.display())))
}

/// Whether a socket is left from a process that has ended.
fn is_stale(path: &Path) -> bool {
    UnixStream::connect(path).is_err_and(|error| error.kind() == ErrorKind::ConnectionRefused)
}

/// The sockets of this user's programs that run, in the order of their names. What ended programs left is removed.
///
/// ```
/// use zctor::ActorEngine;
/// use zctor_console::{Console, sockets};
///
/// # fn main() -> std::io::Result<()> {
/// let engine = ActorEngine::new();
/// let served = Console::new(&engine).serve()?;
/// assert!(sockets()?.iter().any(|path| Some(&**path) == served.path()));
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// The folder is there and cannot be read, or others may enter it.
///
/// # Blocking
/// Until each program has accepted a connection.
pub fn sockets() -> io::Result<Vec<PathBuf>> {
    let folder = folder();
    if !folder.exists() {
        return Ok(Vec::new());
    }
    make_private(&folder)?;
    let mut paths = Vec::new();
    for entry in fs::read_dir(&folder)? {
        let path = entry?.path();
        if path.extension().is_none_or(|extension| extension != "sock") {
            continue;
        }
        if is_stale(&path) {
            let _ = fs::remove_file(&path);
        } else {
            paths.push(path);
        }
    }
    paths.sort();
    Ok(paths)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    #[test]
    fn the_folder_is_this_users_alone_or_it_is_refused() {
        let base = env::temp_dir().join(format!("zctor-folder-{}", process::id()));
        fs::create_dir(&base).unwrap();
        let folder = base.join("zctor");
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        make_private(&folder).unwrap();
        assert_eq!(mode(&folder), 0o700);
        make_private(&folder).unwrap(); // it is there already, and as it should be

        for open in [0o701, 0o750, 0o777] {
            fs::set_permissions(&folder, fs::Permissions::from_mode(open)).unwrap();
            let error = make_private(&folder).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::PermissionDenied);
            assert!(error.to_string().contains("mode 0700; remove it, or set XDG_RUNTIME_DIR"), "{error}");
        }
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o700)).unwrap();
        let link = base.join("link");
        symlink(&folder, &link).unwrap();
        assert_eq!(make_private(&link).unwrap_err().kind(), ErrorKind::PermissionDenied);
        let file = base.join("file");
        fs::write(&file, "").unwrap();
        assert_eq!(make_private(&file).unwrap_err().kind(), ErrorKind::PermissionDenied);
        assert_eq!(make_private(&base.join("no/zctor")).unwrap_err().kind(), ErrorKind::NotFound);
        fs::remove_dir_all(&base).unwrap();
    }
}
