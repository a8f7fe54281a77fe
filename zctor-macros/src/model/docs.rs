//! The documentation of generated items: a copy of the variants', or a sentence of its own.

use proc_macro2::{Ident, TokenStream};
use quote::{ToTokens, quote};
use syn::ext::IdentExt;
use syn::{Attribute, Expr, ExprLit, Lit, LitStr, Meta, Path};

use crate::parse::ast;
use crate::types::print;

/// The documentation of a variant, fit for other places.
pub(crate) struct Copied<'a> {
    /// The first paragraph, which says what the message is for.
    summary: Vec<TokenStream>,
    rest: Vec<TokenStream>,
    /// The attributes without text: `#[doc(hidden)]`, `#[doc(alias = "..")]`.
    lists: Vec<&'a Attribute>,
    /// A link to the variant.
    link: String,
}

/// The text that a method adds to the documentation of its variant.
pub(crate) struct Added {
    /// The sentence after the summary, or instead of one.
    pub(crate) does: String,
    /// The sentence about errors, at the end.
    pub(crate) errors: Option<String>,
}

impl<'a> Copied<'a> {
    pub(crate) fn of(variant: &'a ast::Variant, enum_ident: &Ident) -> Self {
        let docs = variant.attrs.iter().filter(|attribute| attribute.path().is_ident("doc"));
        let (lines, lists): (Vec<_>, Vec<_>) = docs.partition(|attribute| matches!(attribute.meta, Meta::NameValue(_)));
        let lines: Vec<TokenStream> = lines.into_iter().filter_map(|line| copy(line, enum_ident)).collect();
        let summary: Vec<TokenStream> = lines.iter().take_while(|line| !is(line, str::is_empty)).cloned().collect();
        let rest = lines.into_iter().skip(summary.len()).chain(arguments(variant, enum_ident)).collect();
        // Rustdoc takes the `#` of a raw identifier for a fragment.
        let link = format!("[`{}::{}`]", enum_ident.unraw(), variant.ident.unraw());
        Self { summary, rest, lists, link }
    }

    /// The documentation of a handler method: the variant's, or a sentence where it has none.
    pub(crate) fn or_handles(&self) -> TokenStream {
        let sentence = self.summary.is_empty().then(|| format!(" Handles {}.", self.link).to_token_stream());
        self.attributes(sentence.iter().chain(&self.summary).chain(&self.rest))
    }

    /// The documentation of a client method or of a request: the variant's, and the sentences added.
    pub(crate) fn with(&self, added: impl FnOnce(&str) -> Added) -> TokenStream {
        let Added { does, errors } = added(&self.link);
        let mut lines = self.summary.clone();
        if !lines.is_empty() {
            lines.push("".to_token_stream());
        }
        lines.push(format!(" {does}").to_token_stream());
        lines.extend(self.rest.iter().cloned());
        if let Some(errors) = errors {
            lines.push("".to_token_stream());
            let is_heading = |line| is(line, |text| text.starts_with("# Errors"));
            if !self.rest.iter().any(is_heading) {
                lines.push(" # Errors".to_token_stream());
            }
            lines.push(format!(" {errors}").to_token_stream());
        }
        self.attributes(lines.iter())
    }

    fn attributes<'b>(&self, lines: impl Iterator<Item = &'b TokenStream>) -> TokenStream {
        let lines: Vec<_> = lines.collect();
        let lists = &self.lists;
        if !lines.iter().any(|line| may_be_example(line)) {
            return quote!(#(#[doc = #lines])* #(#lists)*);
        }
        // An example runs once, where it was written. In a copy it is for reading.
        quote!(#(#[cfg_attr(not(doctest), doc = #lines)])* #(#lists)*)
    }
}

/// A link to an item of zctor, or the item's name where rustdoc cannot follow the path, as with `$crate`.
pub(crate) fn link(krate: &Path, name: &str) -> String {
    let krate = print(krate);
    if krate.contains('$') { format!("`{name}`") } else { format!("[`{name}`]({krate}::{name})") }
}

/// Whether the text of a line passes a test. A line from a file or from another macro has no text yet, and fails.
fn is(line: &TokenStream, test: impl FnOnce(&str) -> bool) -> bool {
    syn::parse2::<LitStr>(line.clone()).is_ok_and(|line| test(line.value().trim()))
}

/// Whether a line may start an example: with a fence, with an indent, or as a line without a text yet.
fn may_be_example(line: &TokenStream) -> bool {
    syn::parse2::<LitStr>(line.clone()).map_or(true, |line| {
        let text = line.value();
        ["```", "~~~", "     ", "\t", "\n    "].iter().any(|mark| text.contains(mark))
    })
}

fn copy(line: &Attribute, enum_ident: &Ident) -> Option<TokenStream> {
    let Meta::NameValue(meta) = &line.meta else { return None };
    match &meta.value {
        Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) => {
            Some(without_self(&text.value(), &enum_ident.unraw().to_string()).to_token_stream())
        }
        other => Some(other.to_token_stream()),
    }
}

/// The documentation of the fields as a list, since a parameter cannot carry its own.
fn arguments(variant: &ast::Variant, enum_ident: &Ident) -> Vec<TokenStream> {
    let mut lines = Vec::new();
    for (index, field) in variant.fields.iter().enumerate() {
        let docs: Vec<TokenStream> = field.attrs.iter().filter_map(|line| copy_of_doc(line, enum_ident)).collect();
        if docs.is_empty() {
            continue;
        }
        if lines.is_empty() {
            lines.extend(["", " # Arguments", ""].map(|line| line.to_token_stream()));
        }
        let param = field.parameter(index, variant.fields.len());
        lines.push(format!(" - `{param}`:").to_token_stream());
        lines.extend(within_item(docs));
    }
    lines
}

/// The lines at the indent of an item's text, or a second paragraph would end the list and a list would add to it. The
/// text of a file or of another macro keeps its own indent, since it has no text yet.
fn within_item(lines: Vec<TokenStream>) -> Vec<TokenStream> {
    let text = |line: &TokenStream| syn::parse2::<LitStr>(line.clone()).ok().map(|line| line.value());
    let indent = |line: &str| Some(line.len() - line.trim_start_matches(' ').len()).filter(|_| !line.trim().is_empty());
    let texts: Vec<String> = lines.iter().filter_map(text).collect();
    let least = texts.iter().flat_map(|text| text.split('\n')).filter_map(indent).min().unwrap_or(0);
    let moved = |line: &str| match line.get(least..).filter(|line| !line.trim().is_empty()) {
        Some(line) => format!("   {line}").to_token_stream(),
        None => "".to_token_stream(),
    };
    let one = |line: TokenStream| match text(&line) {
        Some(text) => text.split('\n').map(moved).collect(),
        None => vec![line],
    };
    lines.into_iter().flat_map(one).collect()
}

fn copy_of_doc(line: &Attribute, enum_ident: &Ident) -> Option<TokenStream> {
    if line.path().is_ident("doc") { copy(line, enum_ident) } else { None }
}

/// The text with the enum in place of `Self` in each link: on a handler or a client, `Self` is another type.
fn without_self(text: &str, enum_name: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    let mut in_link = 0usize;
    while let Some(char) = rest.chars().next() {
        let opens = char == '[' || (char == '(' && out.ends_with(']')) || (char == ':' && out.ends_with(']'));
        if opens {
            in_link += 1;
        } else if in_link > 0 && matches!(char, ']' | ')') {
            in_link -= 1;
        }
        let free = !out.ends_with(|before: char| before.is_alphanumeric() || before == '_');
        let after = rest
            .strip_prefix("Self")
            .filter(|after| !after.starts_with(|next: char| next.is_alphanumeric() || next == '_'));
        match after {
            Some(after) if free && in_link > 0 => {
                out.push_str(enum_name);
                rest = after;
            }
            _ => {
                out.push(char);
                rest = rest.strip_prefix(char).unwrap_or_default();
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::without_self;

    #[test]
    fn links_to_self_name_the_enum_and_words_stay() {
        for (text, copied) in [
            ("See [`Self::Reset`].", "See [`Job::Reset`]."),
            ("See [resetting](Self::Reset) and [Self].", "See [resetting](Job::Reset) and [Job]."),
            ("See [that][Self::Reset].", "See [that][Job::Reset]."),
            ("[that]: Self::Reset", "[that]: Job::Reset"),
            ("`Self` and Self, [`Selfish`](MySelf).", "`Self` and Self, [`Selfish`](MySelf)."),
        ] {
            assert_eq!(without_self(text, "Job"), copied);
        }
    }
}
