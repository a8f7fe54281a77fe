//! Holds the map beside a program to the definitions in it.

use std::path::Path;
use std::{env, fs};

use zctor::Definition;
use zctor::map::Map;

/// Compares the picture with a map of these definitions, or draws it anew.
///
/// After a change: `MAP=overwrite cargo test -p zctor-examples -p web_service --examples --tests picture`.
pub(crate) fn shows(name: &str, definitions: impl IntoIterator<Item = &'static Definition>) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(name);
    let drawn = Map::of(definitions).svg();
    if env::var_os("MAP").is_some_and(|mode| mode == "overwrite") {
        fs::write(&path, &drawn).expect("the picture can be written");
    }
    let committed = fs::read_to_string(&path).expect("the picture is beside the program");
    assert!(
        drawn == committed,
        "{name} shows other definitions; read the command above `shows` in examples/picture.rs"
    );
}
