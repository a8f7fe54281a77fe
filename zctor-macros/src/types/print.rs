//! Types and bounds as text.

use proc_macro2::{Spacing, TokenStream, TokenTree};
use quote::ToTokens;

/// Tokens as a person would type them: `Result<i64, X>`, not `Result < i64 , X >`.
pub(crate) fn print(tokens: impl ToTokens) -> String {
    let mut text = String::new();
    write(&mut text, tokens.into_token_stream());
    text
}

fn write(text: &mut String, tokens: TokenStream) {
    use proc_macro2::Delimiter::{Brace, Bracket, None, Parenthesis};
    for tree in tokens {
        match tree {
            TokenTree::Group(group) => {
                let (open, close) = match group.delimiter() {
                    Parenthesis => ("(", ")"),
                    Brace => (" { ", " }"),
                    Bracket => ("[", "]"),
                    None => ("", ""),
                };
                text.push_str(open);
                write(text, group.stream());
                text.push_str(close);
            }
            TokenTree::Punct(punct) => match punct.as_char() {
                ',' => text.push_str(", "),
                ';' => text.push_str("; "),
                '+' => text.push_str(" + "),
                '=' => text.push_str(" = "),
                '-' => text.push_str(" -"),
                '>' if text.ends_with(" -") => text.push_str("> "),
                char => {
                    // A bound's colon takes a space, and a path's colons take none.
                    text.push(char);
                    if char == ':' && punct.spacing() == Spacing::Alone && !text.ends_with("::") {
                        text.push(' ');
                    }
                }
            },
            other => {
                let word = other.to_string();
                let is_word = |char: char| char.is_alphanumeric() || char == '_';
                if text.ends_with(|char| is_word(char) || char == '>')
                    && word.starts_with(|char| is_word(char) || char == '"')
                {
                    text.push(' ');
                }
                text.push_str(&word);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ty(text: &str) -> syn::Type {
        syn::parse_str(text).expect("a type")
    }

    #[test]
    fn types_print_as_typed() {
        for text in [
            "Result<i64, DivideByZero>",
            "Box<dyn Fn(u8) -> Vec<u8> + Send + 'static>",
            "[u8; 32]",
            "&'static str",
            "(u8, std::sync::Arc<str>)",
            "fn(&mut State) -> ()",
            "<Vec<u8> as IntoIterator>::Item",
            "*const u8",
            "!",
        ] {
            assert_eq!(print(ty(text)), text);
        }
    }
}
