//! Reads the files of a crate: their definitions, imports and paths. Follows a path to the file that it leads to.

use std::collections::{BTreeMap, BTreeSet};
use std::str::FromStr;

use proc_macro2::{Delimiter, TokenStream, TokenTree};

/// The folder that is not read: the guide has no code.
pub(super) const LEFT_OUT: &str = "guide";

/// Files by their path below `src`.
pub(super) type Files = BTreeMap<String, String>;

enum Token {
    Word(String),
    Colons,
    Arrow,
    Mark(char),
    Literal(String),
    Group(Delimiter, Vec<Token>),
}
use Delimiter::{Brace, Bracket, Parenthesis};
use Token::{Arrow, Colons, Group, Literal, Mark, Word};

/// One import: the name it gives (`*`: all names), and the path as it is written.
pub(super) struct Import {
    pub(super) module: String,
    pub(super) file: String,
    pub(super) name: String,
    pub(super) path: Vec<String>,
    /// A re-export whose name the code of its file does not use.
    pub(super) passed_on: bool,
}

/// A function or constant in an inherent impl.
pub(super) struct Inherent {
    pub(super) module: String,
    pub(super) file: String,
    pub(super) ty: Vec<String>,
    pub(super) name: String,
}

/// The end of a path.
pub(super) enum Place {
    Module(String),
    /// A definition in this file.
    Item(String),
    /// A path out of the crate, and the file in which it begins: the last re-export on the way.
    External(String, Vec<String>),
}

#[derive(Default)]
struct Module {
    files: BTreeSet<String>,
    /// The names defined here, with the files that define them: two where `cfg` picks one.
    items: BTreeMap<String, BTreeSet<String>>,
    imports: Vec<usize>,
}

/// A crate as the rules see it. Modules under `cfg(test)` are left out, with their files.
#[derive(Default)]
pub(super) struct Source {
    modules: BTreeMap<String, Module>,
    pub(super) imports: Vec<Import>,
    /// Paths in code: module, file, path.
    pub(super) paths: Vec<(String, String, Vec<String>)>,
    pub(super) inherent: Vec<Inherent>,
    /// Calls of a method without arguments: file, method.
    pub(super) methods: BTreeSet<(String, String)>,
    /// The words in the code of each file, but for its imports.
    words: BTreeSet<(String, String)>,
    /// Lines of code by file.
    pub(super) lines: BTreeMap<String, usize>,
}

impl Source {
    /// Follows the `mod` lines from `lib.rs` on.
    pub(super) fn read(files: &Files) -> Self {
        let mut source = Self::default();
        source.file(files, "lib.rs", "crate");
        for import in &mut source.imports {
            import.passed_on &= !source.words.contains(&(import.file.clone(), import.name.clone()));
        }
        source
    }

    fn file(&mut self, files: &Files, file: &str, module: &str) {
        let text = files.get(file).unwrap_or_else(|| panic!("`{module}` is declared, and {file} was not found"));
        let tokens = TokenStream::from_str(text).unwrap_or_else(|error| panic!("{file}: {error}"));
        self.lines.insert(file.to_owned(), lines_of_code(text));
        self.scan(files, file, module, &lex(tokens), true);
    }

    /// Reads the tokens of a module, or with `items` false those inside one of its items.
    fn scan(&mut self, files: &Files, file: &str, module: &str, tokens: &[Token], items: bool) {
        if items {
            self.modules.entry(module.to_owned()).or_default().files.insert(file.to_owned());
        }
        let (mut at, mut path) = (0, None);
        while at < tokens.len() {
            let before = at.checked_sub(1).map(|before| &tokens[before]);
            at += match &tokens[at..] {
                [Mark('#'), Group(Bracket, attribute), ..] if is_test(attribute) => {
                    let is_last = |token: &Token| match token {
                        Mark(mark) => *mark == ';' || (*mark == ',' && !items),
                        token => matches!(token, Group(Brace, _)),
                    };
                    3 + tokens[at + 2..].iter().take_while(|token| !is_last(token)).count()
                }
                [Mark('#'), Group(Bracket, attribute), ..] => {
                    if let [Word(name), Mark('='), Literal(value)] = attribute.as_slice()
                        && name == "path"
                    {
                        path = Some(value.trim_matches('"').to_owned());
                    }
                    2
                }
                [Mark('#'), Mark('!'), Group(Bracket, _), ..] => 3,
                [Word(word), Group(Parenthesis, place), ..] if word == "pub" && is_visibility(place) => 2,
                [Word(word), Word(name), Group(Brace, body), ..] if word == "mod" => {
                    self.scan(files, file, &format!("{module}::{name}"), body, true);
                    3
                }
                [Word(word), Word(name), Mark(';'), ..] if word == "mod" => {
                    if name != LEFT_OUT {
                        self.child(files, file, &format!("{module}::{name}"), path.take());
                    }
                    3
                }
                [Word(word), next, ..] if word == "use" && !matches!(next, Mark('<')) => {
                    let tree = tokens[at + 1..].split(|token| matches!(token, Mark(';'))).next().unwrap_or_default();
                    let first = self.imports.len();
                    self.import(file, module, &[], tree);
                    let is_public = matches!(before, Some(Word(_) | Group(Parenthesis, _)));
                    self.imports[first..].iter_mut().for_each(|import| import.passed_on = is_public);
                    1 + tree.len()
                }
                [Word(word), Mark('!'), Word(name), ..] if word == "macro_rules" => {
                    self.define("crate", name, file);
                    self.define(module, name, file);
                    3
                }
                [Word(word), rest @ ..] if items && word == "impl" && begins_item(before) => {
                    self.inherent(file, module, rest);
                    1
                }
                [Word(word), Word(name), ..] if items && DEFINES.contains(&word.as_str()) => {
                    self.define(module, name, file);
                    1
                }
                [Word(first), Colons, ..] if !matches!(before, Some(Colons)) || OUTSIDE.contains(&first.as_str()) => {
                    let path = path_of(&tokens[at..]);
                    let length = 2 * path.len() - 1;
                    self.words.insert((file.to_owned(), first.clone()));
                    self.paths.push((module.to_owned(), file.to_owned(), path));
                    length
                }
                [Mark('.'), Word(method), Group(Parenthesis, arguments), ..] if arguments.is_empty() => {
                    self.methods.insert((file.to_owned(), method.clone()));
                    3
                }
                [Word(word), ..] => {
                    if !matches!(before, Some(Mark('.'))) {
                        self.words.insert((file.to_owned(), word.clone()));
                    }
                    1
                }
                [Group(_, inner), ..] => {
                    self.scan(files, file, module, inner, false);
                    1
                }
                _ => 1,
            };
        }
    }

    fn child(&mut self, files: &Files, file: &str, module: &str, path: Option<String>) {
        let folder = file.rsplit_once('/').map_or(String::new(), |(folder, _)| format!("{folder}/"));
        let beside = module.trim_start_matches("crate::").replace("::", "/") + ".rs";
        self.file(files, &path.map_or(beside, |path| folder + &path), module);
    }

    fn define(&mut self, module: &str, name: &str, file: &str) {
        let module = self.modules.entry(module.to_owned()).or_default();
        module.items.entry(name.to_owned()).or_default().insert(file.to_owned());
    }

    /// Notes the imports of a use tree. `prefix` is the path before its braces.
    fn import(&mut self, file: &str, module: &str, prefix: &[String], tree: &[Token]) {
        for part in tree.split(|token| matches!(token, Mark(','))) {
            let (mut path, mut name) = (prefix.to_vec(), None);
            for (at, token) in part.iter().enumerate() {
                match token {
                    Word(word) if word == "as" => {
                        name = part
                            .get(at + 1)
                            .map(|token| if let Word(name) = token { name.clone() } else { "_".into() });
                        break;
                    }
                    Word(word) => path.push(word.clone()),
                    Mark('*') => name = Some("*".to_owned()),
                    Group(_, inner) => {
                        self.import(file, module, &path, inner);
                        path.clear();
                    }
                    _ => {}
                }
            }
            if path.len() > 1 && path.last().is_some_and(|last| last == "self") {
                path.pop();
            }
            let Some(name) = name.or_else(|| path.last().cloned()) else { continue };
            self.modules.entry(module.to_owned()).or_default().imports.push(self.imports.len());
            let (module, file) = (module.to_owned(), file.to_owned());
            self.imports.push(Import { module, file, name, path, passed_on: false });
        }
    }

    /// Notes the functions and constants of an inherent impl. `rest` begins after the word `impl`.
    fn inherent(&mut self, file: &str, module: &str, rest: &[Token]) {
        let (mut ty, mut depth, mut header) = (Vec::new(), 0, true);
        for (at, token) in rest.iter().enumerate() {
            match token {
                Group(Brace, body) => {
                    for pair in body.windows(2) {
                        if let [Word(word), Word(name)] = pair
                            && (word == "fn" || (word == "const" && name != "fn"))
                        {
                            let (module, file, name) = (module.to_owned(), file.to_owned(), name.clone());
                            self.inherent.push(Inherent { module, file, ty: ty.clone(), name });
                        }
                    }
                    return;
                }
                Mark(';') => return,
                Mark('<') => depth += 1,
                Mark('>') => depth -= 1,
                Word(word) if depth == 0 && word == "where" => header = false,
                Word(word) if depth == 0 && header && word == "for" => return,
                Word(word) if depth == 0 && header && word != "dyn" => {
                    if at > 0 && !matches!(rest[at - 1], Colons) {
                        ty.clear();
                    }
                    ty.push(word.clone());
                }
                Mark('+') if depth == 0 => header = false,
                _ => {}
            }
        }
    }

    /// The ends of a path that stands in this module of this file. Re-exports are followed.
    pub(super) fn places(&self, module: &str, file: &str, path: &[String]) -> Vec<Place> {
        self.follow(module, file, path, &mut Vec::new())
    }

    fn follow(&self, module: &str, file: &str, path: &[String], open: &mut Vec<usize>) -> Vec<Place> {
        let Some((first, mut rest)) = path.split_first() else { return Vec::new() };
        let mut places = match first.as_str() {
            "crate" => vec![Place::Module("crate".to_owned())],
            "self" => vec![Place::Module(module.to_owned())],
            "super" => {
                rest = path;
                vec![Place::Module(module.to_owned())]
            }
            _ => self.look(module, first, open),
        };
        if places.is_empty() {
            places.push(Place::External(file.to_owned(), vec![first.clone()]));
        }
        for name in rest {
            // What a path goes on from is a module, where a macro of another crate has its name too.
            if places.iter().any(|place| matches!(place, Place::Module(_))) {
                places.retain(|place| !matches!(place, Place::External(..)));
            }
            let step = |place: Place| match place {
                Place::Module(module) if name == "super" => {
                    vec![Place::Module(module.rsplit_once("::").map_or("crate", |(parent, _)| parent).to_owned())]
                }
                Place::Module(module) => {
                    let found = self.look(&module, name, open);
                    // A name that a macro defines: it counts for its module.
                    if found.is_empty() { self.files(&module).map(Place::Item).collect() } else { found }
                }
                Place::Item(file) => vec![Place::Item(file)],
                Place::External(file, mut path) => {
                    path.push(name.clone());
                    vec![Place::External(file, path)]
                }
            };
            places = places.into_iter().flat_map(step).collect();
        }
        places
    }

    /// The meanings of a name in a module. `open`: the imports that are being followed.
    fn look(&self, module: &str, name: &str, open: &mut Vec<usize>) -> Vec<Place> {
        let Some(scope) = self.modules.get(module) else { return Vec::new() };
        let mut found: Vec<Place> = scope.items.get(name).into_iter().flatten().cloned().map(Place::Item).collect();
        let child = format!("{module}::{name}");
        if self.modules.contains_key(&child) {
            found.push(Place::Module(child));
        }
        for glob in [false, true] {
            for &at in &scope.imports {
                let import = &self.imports[at];
                if open.contains(&at) || import.name != if glob { "*" } else { name } {
                    continue;
                }
                open.push(at);
                for place in self.follow(module, &import.file, &import.path, open) {
                    match place {
                        Place::Module(all) if glob => found.extend(self.look(&all, name, open)),
                        place if !glob => found.push(place),
                        _ => {}
                    }
                }
                open.pop();
            }
            if !found.is_empty() {
                break;
            }
        }
        found
    }

    /// The files of a module: two where `cfg` picks one.
    pub(super) fn files(&self, module: &str) -> impl Iterator<Item = String> {
        self.modules.get(module).into_iter().flat_map(|module| module.files.iter().cloned())
    }

    /// The imports that stand in a module.
    pub(super) fn imports_of(&self, module: &str) -> impl Iterator<Item = &Import> {
        self.modules.get(module).into_iter().flat_map(|module| module.imports.iter().map(|&at| &self.imports[at]))
    }
}

const DEFINES: [&str; 8] = ["struct", "enum", "union", "trait", "fn", "const", "static", "type"];

/// Paths into these crates may begin with `::`.
const OUTSIDE: [&str; 4] = ["std", "core", "loom", "smallbox"];

fn lex(stream: TokenStream) -> Vec<Token> {
    let mut tokens = Vec::new();
    for tree in stream {
        let token = match tree {
            TokenTree::Group(group) => Group(group.delimiter(), lex(group.stream())),
            TokenTree::Ident(ident) => Word(ident.to_string().trim_start_matches("r#").to_owned()),
            TokenTree::Literal(literal) => Literal(literal.to_string()),
            TokenTree::Punct(mark) => match (tokens.last(), mark.as_char()) {
                (Some(Mark(':')), ':') => Colons,
                (Some(Mark('-' | '=')), '>') => Arrow,
                (_, mark) => Mark(mark),
            },
        };
        if matches!(token, Colons | Arrow) {
            tokens.pop();
        }
        tokens.push(token);
    }
    tokens
}

/// `cfg(test)` or `cfg(all(test, ..))`.
fn is_test(attribute: &[Token]) -> bool {
    let [Word(cfg), Group(_, inner)] = attribute else { return false };
    let inner = match inner.as_slice() {
        [Word(all), Group(_, inner)] if all == "all" => inner,
        inner => inner,
    };
    cfg == "cfg" && matches!(inner, [Word(test), ..] if test == "test")
}

/// `(crate)`, `(super)` or `(in ..)`, in contrast to the type of a field.
fn is_visibility(place: &[Token]) -> bool {
    matches!(place, [Word(word)] if ["crate", "super", "self"].contains(&word.as_str()))
        || matches!(place, [Word(word), ..] if word == "in")
}

fn begins_item(before: Option<&Token>) -> bool {
    matches!(before, None | Some(Mark(';') | Group(Brace | Bracket, _)))
}

fn path_of(tokens: &[Token]) -> Vec<String> {
    let mut path = Vec::new();
    for step in tokens.chunks(2) {
        match step {
            [Word(word), Colons] => path.push(word.clone()),
            [Word(word), ..] => {
                path.push(word.clone());
                break;
            }
            _ => break,
        }
    }
    path
}

/// All lines but the blank ones, comments, docs, and the bodies of `#[cfg(test)]` modules. It relies on the layout that
/// rustfmt gives: such a module ends at the brace that stands as far in as its attribute.
fn lines_of_code(text: &str) -> usize {
    let (mut lines, mut end) = (0, None);
    let mut rest = text.lines().peekable();
    while let Some(line) = rest.next() {
        let code = line.trim_start();
        if end.is_some() {
            end = end.filter(|end| line != end);
        } else if code.starts_with("#[cfg(test)]") || code.starts_with("#[cfg(all(test") {
            let is_body = |next: &&str| next.trim_start().starts_with("mod ") && next.ends_with('{');
            end = rest.peek().filter(|next| is_body(next)).map(|_| format!("{}}}", &line[..line.len() - code.len()]));
        } else if !code.is_empty() && !code.starts_with("//") {
            lines += 1;
        }
    }
    lines
}
