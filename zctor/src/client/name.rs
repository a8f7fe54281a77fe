//! The names of generic enums, which show their parameters.

use std::any::{TypeId, type_name};
use std::fmt::{Debug, Write};
use std::sync::Mutex;

use crate::sys::lock::lock;
use crate::type_map::TypeMap;

/// The names that were made, each once. A program has as many as it has types, so they are never freed.
static NAMES: Mutex<Option<TypeMap<&'static str>>> = Mutex::new(None);

/// The name of the generic enum `M`, whose own name is `base`: that with its parameters, which `list` lists.
pub fn name<M: 'static>(base: &'static str, list: fn(&mut Parameters)) -> &'static str {
    let id = TypeId::of::<M>();
    let known = lock(&NAMES).as_ref().and_then(|names| names.get(&id).copied());
    known.unwrap_or_else(|| {
        let mut parameters = Parameters(String::new());
        // A parameter of the user's, as `Debug` of a constant, is printed outside of the lock.
        list(&mut parameters);
        let made = format!("{base}<{}>", parameters.0);
        *lock(&NAMES).get_or_insert_default().entry(id).or_insert_with(|| made.leak())
    })
}

/// The parameters of a generic enum, printed one behind the other.
#[derive(Debug)]
pub struct Parameters(String);

impl Parameters {
    /// Adds a type.
    pub fn ty<T: ?Sized>(&mut self) {
        let name = without_paths(type_name::<T>());
        self.add(&name);
    }

    /// Adds a constant.
    pub fn constant(&mut self, value: impl Debug) {
        let mut text = String::new();
        // To a string it fails only if the value's own `Debug` does; constants are numbers, characters and truth
        // values.
        let _ = write!(text, "{value:?}");
        self.add(&text);
    }

    fn add(&mut self, parameter: &str) {
        if !self.0.is_empty() {
            self.0.push_str(", ");
        }
        self.0.push_str(parameter);
    }
}

/// The name of a type without the paths in it: `alloc::vec::Vec<core::time::Duration>` is `Vec<Duration>`.
fn without_paths(name: &str) -> String {
    let mut out = String::with_capacity(name.len());
    // Where the path begins that is being read, and those around it.
    let (mut path, mut outer) = (0, Vec::new());
    let mut rest = name;
    while let Some(char) = rest.chars().next() {
        rest = &rest[char.len_utf8()..];
        match char {
            ':' if rest.starts_with(':') => {
                // The path read so far only leads to the next segment.
                rest = &rest[1..];
                out.truncate(path);
            }
            '<' | '(' | '[' => {
                outer.push(path);
                out.push(char);
                path = out.len();
            }
            ')' | ']' => {
                path = outer.pop().unwrap_or(0);
                out.push(char);
            }
            // The `>` of `->` closes no list.
            '>' if !out.ends_with('-') => {
                path = outer.pop().unwrap_or(0);
                out.push(char);
            }
            _ => {
                out.push(char);
                if !char.is_alphanumeric() && !matches!(char, '_' | '{' | '}' | '#') {
                    path = out.len();
                }
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_paths_in_a_name_are_left_out() {
        for (name, short) in [
            ("u32", "u32"),
            ("alloc::string::String", "String"),
            ("alloc::vec::Vec<core::time::Duration>", "Vec<Duration>"),
            ("std::collections::hash::map::HashMap<a::K, b::V<c::W>>", "HashMap<K, V<W>>"),
            ("(u8, alloc::string::String)", "(u8, String)"),
            ("[a::B; 4]", "[B; 4]"),
            ("&'static [a::B]", "&'static [B]"),
            ("dyn a::Shape + core::marker::Send", "dyn Shape + Send"),
            ("fn(a::B, &c::D) -> e::F<g::H>", "fn(B, &D) -> F<H>"),
            ("<a::B as c::D>::method::Local", "Local"),
            ("a::B<c::D>::method::Local<e::F>", "Local<F>"),
            ("a::main::{{closure}}::Local", "Local"),
            ("a::main::{{closure}}", "{{closure}}"),
            ("*const core::ffi::c_void", "*const c_void"),
        ] {
            assert_eq!(without_paths(name), short);
        }
    }

    #[test]
    fn a_name_is_made_once() {
        struct Enum<T>(std::marker::PhantomData<T>);
        let list = |parameters: &mut Parameters| {
            parameters.ty::<String>();
            parameters.constant(4_u8);
            parameters.constant('x');
        };
        let first = name::<Enum<String>>("Enum", list);
        assert_eq!(first, "Enum<String, 4, 'x'>");
        assert!(std::ptr::eq(first, name::<Enum<String>>("Enum", list)));
        let _ = Enum(std::marker::PhantomData::<u8>).0;
    }
}
