//! Every generated name that users see, and the names that are refused. Names that nobody sees, such as `__H`, are made
//! where they are used.
//!
//! | source | name | for example |
//! | --- | --- | --- |
//! | an enum | a stem, without a trailing `Message` or `Msg` | `WorkerMessage`, `WorkerMsg` and `Worker`: `Worker` |
//! | the stem | the handler trait | `WorkerHandler` |
//! | | the client | `WorkerClient` |
//! | the enum | the ports of its replies, hidden | `__WorkerMessagePort` |
//! | a variant | its methods and its request, in snake case | `AddMany`: `add_many` |
//! | a variant that is a keyword | a raw identifier | `Type`: `r#type` |
//! | a variant that cannot be raw | a trailing underscore | `Super`: `super_` |
//! | a named field | the parameter | `by`: `by` |
//! | the only tuple field | the parameter | `value` |
//! | several tuple fields | the parameters | `arg0`, `arg1` |
//! | a deferred reply | the last parameter of the handler | `reply` |

use proc_macro2::{Ident, Span};
use quote::format_ident;
use syn::ext::IdentExt;

use crate::position;

/// Client methods whose names no variant may have. (`until`, `pin`, `keyed` and `least_loaded` give way to a variant.)
pub(crate) const CLIENT: [&str; 3] = ["clone", "non_blocking", "within"];
/// Methods that every type has by value from a trait of the prelude: a call goes to them before one that takes `&self`.
pub(crate) const OF_EVERY_TYPE: [(&str, &str); 2] = [("into", "Into::into"), ("try_into", "TryInto::try_into")];
/// Handler methods that are generated for every actor.
pub(crate) const HOOKS: [&str; 3] = ["on_start", "on_stop", "on_panic"];
/// Functions of the enum that are generated for every actor, or that every enum may have.
pub(crate) const REQUESTS: [&str; 4] = ["actor", "try_actor", "actor_once", "default"];

/// The parameter of a handler that answers later.
pub(crate) const REPLY: &str = "reply";

/// Keywords that can be written raw. `gen` is one since edition 2024 only. In earlier editions `r#gen` and `gen` are
/// one name.
const KEYWORDS: [&str; 48] = [
    "abstract", "as", "async", "await", "become", "box", "break", "const", "continue", "do", "dyn", "else", "enum",
    "extern", "false", "final", "fn", "for", "gen", "if", "impl", "in", "let", "loop", "macro", "match", "mod", "move",
    "mut", "override", "priv", "pub", "ref", "return", "static", "struct", "trait", "true", "try", "type", "typeof",
    "unsafe", "unsized", "use", "virtual", "where", "while", "yield",
];
/// Keywords that cannot be written raw.
const PATH_KEYWORDS: [&str; 5] = ["self", "super", "crate", "Self", "_"];

/// `WorkerMessage` and `WorkerMsg`: `Worker`. A name that consists of the ending stays.
fn stem(ident: &Ident) -> String {
    let name = ident.unraw().to_string();
    let stem = name.strip_suffix("Message").or_else(|| name.strip_suffix("Msg"));
    stem.filter(|stem| !stem.is_empty()).map_or_else(|| name.clone(), str::to_owned)
}

// The names of types have no position of their own. Only the definition of a type stands at the word that names it.

/// `WorkerMessage`: `WorkerHandler`.
pub(crate) fn handler(ident: &Ident) -> Ident {
    format_ident!("{}Handler", stem(ident), span = Span::call_site())
}

/// `WorkerMessage`: `WorkerClient`.
pub(crate) fn client(ident: &Ident) -> Ident {
    format_ident!("{}Client", stem(ident), span = Span::call_site())
}

/// `WorkerMessage`: `__WorkerMessagePort`. The whole name is in it, so that `WorkerMessage` and `WorkerMsg` can live
/// side by side once one of them has the options `handler` and `client`.
pub(crate) fn port(ident: &Ident) -> Ident {
    format_ident!("__{}Port", ident.unraw(), span = Span::call_site())
}

/// `AddMany`: `add_many`; `Match`: `r#match`; `Super`: `super_`.
pub(crate) fn method(variant: &Ident) -> Ident {
    identifier(&snake_case(&variant.unraw().to_string()), position::of(variant))
}

/// The parameter of the `index`th of `count` fields of a tuple variant.
pub(crate) fn parameter(index: usize, count: usize, span: Span) -> Ident {
    if count == 1 { Ident::new("value", span) } else { Ident::new(&format!("arg{index}"), span) }
}

/// `wanted`, with leading underscores if the definition uses that name itself.
pub(crate) fn fresh(wanted: &str, taken: &[String]) -> Ident {
    let mut name = wanted.to_owned();
    while taken.contains(&name) {
        name = if name.starts_with("__") { format!("{name}_") } else { format!("__{name}") };
    }
    Ident::new(&name, Span::call_site())
}

/// Whether `text` needs `r#` in some edition.
pub(crate) fn is_keyword(text: &str) -> bool {
    KEYWORDS.contains(&text)
}

/// Whether `text` cannot be a name, not even a raw one.
pub(crate) fn is_path_keyword(text: &str) -> bool {
    PATH_KEYWORDS.contains(&text)
}

/// An identifier of this text. A keyword becomes raw, or gets an underscore at its end.
fn identifier(text: &str, span: Span) -> Ident {
    if is_path_keyword(text) {
        Ident::new(&format!("{text}_"), span)
    } else if is_keyword(text) {
        Ident::new_raw(text, span)
    } else {
        Ident::new(text, span)
    }
}

/// A word begins at an upper case letter after a lower case one or a digit. It also begins at the last of several upper
/// case letters, if a lower case one follows: `HTTPServer2Go` is `http_server2_go`.
fn snake_case(name: &str) -> String {
    let mut out = String::with_capacity(name.len() + 4);
    let mut before: Option<char> = None;
    let mut chars = name.chars().peekable();
    while let Some(char) = chars.next() {
        if char.is_uppercase() {
            let starts = match before {
                None | Some('_') => false,
                Some(before) => !before.is_uppercase() || chars.peek().is_some_and(|next| next.is_lowercase()),
            };
            if starts {
                out.push('_');
            }
            out.extend(char.to_lowercase());
        } else {
            out.push(char);
        }
        before = Some(char);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ident(name: &str) -> Ident {
        syn::parse_str(name).expect("an identifier")
    }

    #[test]
    fn stems_lose_one_ending() {
        for (name, handler) in [
            ("WorkerMessage", "WorkerHandler"),
            ("WorkerMsg", "WorkerHandler"),
            ("Calculator", "CalculatorHandler"),
            ("Message", "MessageHandler"),
            ("Msg", "MsgHandler"),
            ("MessageMsg", "MessageHandler"),
            ("r#match", "matchHandler"),
        ] {
            assert_eq!(super::handler(&ident(name)), handler);
        }
        assert_eq!(client(&ident("WorkerMessage")), "WorkerClient");
        assert_eq!(port(&ident("WorkerMessage")), "__WorkerMessagePort");
    }

    #[test]
    fn methods_are_snake_case_and_raw_where_needed() {
        for (variant, method) in [
            ("Add", "add"),
            ("AddMany", "add_many"),
            ("GetURL", "get_url"),
            ("GetUrl", "get_url"),
            ("HTTPServer2Go", "http_server2_go"),
            ("V2Ray", "v2_ray"),
            ("Snake_Case", "snake_case"),
            ("already_snake", "already_snake"),
            ("Ärger", "ärger"),
            ("Type", "r#type"),
            ("Gen", "r#gen"),
            ("r#Match", "r#match"),
            ("Super", "super_"),
            ("Crate", "crate_"),
            ("Self_", "self_"),
        ] {
            assert_eq!(super::method(&ident(variant)).to_string(), method, "{variant}");
        }
    }

    #[test]
    fn parameters_of_tuples_are_numbered() {
        let span = Span::call_site();
        assert_eq!(parameter(0, 1, span), "value");
        assert_eq!([parameter(0, 2, span), parameter(1, 2, span)], ["arg0", "arg1"]);
    }

    #[test]
    fn fresh_names_avoid_taken_ones() {
        assert_eq!(fresh("V", &["K".to_owned()]), "V");
        assert_eq!(fresh("V", &["V".to_owned()]), "__V");
        assert_eq!(fresh("V", &["V".to_owned(), "__V".to_owned()]), "__V_");
    }
}
