//! The rules, and the search for what breaks them.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::Layered;
use super::source::{Files, Place, Source};

/// Violations: a key, as an exception names it, and a text that says what is to be done.
pub(super) type Broken = BTreeMap<String, String>;

const LINES: usize = 400;

/// Names of the standard library that only `sys/` may use: a simulation replaces them.
const MACHINE: [&str; 4] = ["Condvar", "Barrier", "mpsc", "SystemTime"];
/// Names of `std::thread` that neither read the clock nor block nor start a thread.
const HARMLESS: [&str; 4] = ["panicking", "current", "ThreadId", "LocalKey"];

/// Files that know the type of a message.
const TYPED: [&str; 2] = ["client/message.rs", "route/payload.rs"];

/// The arrows from file to file.
type Arrows = BTreeMap<(String, String), Arrow>;

#[derive(Default)]
struct Arrow {
    /// The paths that draw it.
    written: BTreeSet<String>,
    /// More than a re-export.
    is_used: bool,
}

/// A path as it stands in a file.
struct Written<'s> {
    file: &'s str,
    path: String,
    is_import: bool,
    passed_on: bool,
}

pub(super) fn check(layered: &Layered, files: &Files) -> Broken {
    let source = Source::read(files);
    let mut check = Check { layered, broken: Broken::new() };
    for (file, lines) in &source.lines {
        if *lines > LINES {
            let text = format!("{} has {lines} lines of code; split it, {LINES} is the most", layered.path(file));
            check.add(format!("{file}: length"), text);
        }
        if !layered.layers.is_empty() && layered.layer(file).is_none() {
            let text =
                format!("{} stands in no layer: move it to a folder of LAYERS, or add it there", layered.path(file));
            check.add(format!("{file}: no layer"), text);
        }
    }
    let arrows = check.paths(&source);
    check.circles(&arrows);
    if !layered.layers.is_empty() {
        check.arrows(&arrows);
        check.inherent(&source);
    }
    check.broken
}

struct Check<'l> {
    layered: &'l Layered,
    broken: Broken,
}

impl Check<'_> {
    fn add(&mut self, key: String, text: String) {
        if !self.layered.allowed.contains(&key.as_str()) {
            self.broken.insert(key, text);
        }
    }

    /// Gives the arrows that imports and paths draw. Checks the names from outside the crate on the way.
    fn paths(&mut self, source: &Source) -> Arrows {
        let mut arrows = Arrows::new();
        for import in &source.imports {
            let is_glob = import.name == "*";
            let path = import.path.join("::") + if is_glob { "::*" } else { "" };
            let written = Written { file: &import.file, path, is_import: true, passed_on: import.passed_on };
            let mut places = source.places(&import.module, &import.file, &import.path);
            if is_glob {
                // A glob imports each name of its module, and so each file behind an import there.
                let modules =
                    places.iter().filter_map(|place| if let Place::Module(name) = place { Some(name) } else { None });
                let there =
                    modules.flat_map(|module| source.imports_of(module)).filter(|there| there.file != import.file);
                let more = there.flat_map(|there| source.places(&there.module, &there.file, &there.path));
                places.extend(more.collect::<Vec<_>>());
            }
            places.iter().for_each(|place| self.place(source, &written, place, &mut arrows));
        }
        for (module, file, path) in &source.paths {
            let written = Written { file, path: path.join("::"), is_import: false, passed_on: false };
            let mut places = source.places(module, file, path);
            // In code a path ends in no module, though a module may have the name of a function.
            places.retain(|place| !matches!(place, Place::Module(_)));
            places.iter().for_each(|place| self.place(source, &written, place, &mut arrows));
        }
        for (file, method) in &source.methods {
            if method == "join" || method == "elapsed" {
                self.machine(file, &format!(".{method}()"));
            }
        }
        arrows
    }

    fn place(&mut self, source: &Source, written: &Written<'_>, place: &Place, arrows: &mut Arrows) {
        let layered = self.layered;
        let targets: Vec<String> = match place {
            Place::Module(module) => source.files(module).collect(),
            Place::Item(target) => vec![target.clone()],
            Place::External(target, path) => {
                if let Some(name) = machine(path) {
                    self.machine(written.file, &name);
                }
                let home = layered.smallbox.filter(|home| path[0] == "smallbox" && written.file != *home);
                if let Some(home) = home {
                    let text = format!("{} names smallbox, which {home} alone may do", layered.path(written.file));
                    self.add(format!("{}: smallbox", written.file), text);
                }
                vec![target.clone()]
            }
        };
        for target in targets {
            let (from, to) = (written.file.to_owned(), target);
            if from != to {
                let arrow = arrows.entry((from, to)).or_default();
                arrow.is_used |= !written.passed_on;
                // A path in code is shown only where no import draws the arrow.
                if arrow.written.is_empty() || written.is_import {
                    arrow.written.insert(format!("`{}`", written.path));
                }
            }
        }
    }

    fn machine(&mut self, file: &str, name: &str) {
        if self.layered.machine.is_some_and(|machine| self.layered.layer(file).is_some_and(|at| at.0 != machine)) {
            let text = format!(
                "{} names `{name}`: time, blocking and the start of threads belong in sys/; call what sys/ gives, or add to it",
                self.layered.path(file)
            );
            self.add(format!("{file}: {name}"), text);
        }
    }

    fn arrows(&mut self, arrows: &Arrows) {
        for ((from, to), arrow) in arrows {
            let (Some(mine), Some(its)) = (self.layered.layer(from), self.layered.layer(to)) else { continue };
            let written = arrow.written.iter().take(3).cloned().collect::<Vec<_>>().join(", ");
            let head = format!("{} imports {written} of {}", self.layered.path(from), self.layered.path(to));
            let text = if from.starts_with(&format!("{}/", to.trim_end_matches(".rs"))) {
                format!("{head}, which stands above its folder: move what both need to a file of the folder")
            } else if mine.1 >= its.1 {
                continue;
            } else if self.layered.layer("route/payload.rs").is_some_and(|route| mine.1 < route.1)
                && TYPED.contains(&to.as_str())
            {
                format!(
                    "{head}: nothing below route/ knows a message's type; take it as an envelope, or move the code up"
                )
            } else {
                let below: Vec<&str> =
                    self.layered.layers.iter().rev().take(mine.1).rev().map(|layer| layer.0).collect();
                let may = if below.is_empty() { "its own files alone".to_owned() } else { below.join(", ") };
                format!(
                    "{head}: {} may import {may}; give it what it needs from {} by an argument or a trait of its own",
                    mine.0, its.0
                )
            };
            self.add(format!("{from} -> {to}"), text);
        }
    }

    fn inherent(&mut self, source: &Source) {
        for it in &source.inherent {
            for place in source.places(&it.module, &it.file, &it.ty) {
                let Place::Item(home) = place else { continue };
                if self.layered.layer(&it.file) != self.layered.layer(&home) {
                    let name = format!("{}::{}", it.ty.last().map_or("", String::as_str), it.name);
                    let text = format!(
                        "{} has `{name}` of a type of {home}; make it a function, or move it there",
                        self.layered.path(&it.file)
                    );
                    self.add(format!("{}: impl {name}", it.file), text);
                }
            }
        }
    }

    /// Files that reach each other. A re-export alone draws no circle; and the top layer is left out, since nothing may
    /// import it anyway.
    fn circles(&mut self, arrows: &Arrows) {
        let top = self.layered.layers.len();
        let below = |file: &str| top == 0 || self.layered.layer(file).is_none_or(|layer| layer.1 + 1 < top);
        let mut next: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for ((from, to), _) in arrows.iter().filter(|((from, to), arrow)| arrow.is_used && below(from) && below(to)) {
            next.entry(from).or_default().push(to);
        }
        let ways: BTreeMap<&str, BTreeMap<&str, &str>> = next.keys().map(|&from| (from, ways(&next, from))).collect();
        let mut found = Vec::new();
        for (&file, reached) in ways.iter().filter(|(file, reached)| reached.contains_key(*file)) {
            let members = reached.keys().filter(|other| ways.get(*other).is_some_and(|back| back.contains_key(file)));
            let members: Vec<&str> = members.copied().collect();
            if members == self.layered.circle {
                continue;
            }
            let mut circle = vec![file, reached[file]];
            while circle.last() != Some(&file) {
                circle.push(reached[circle[circle.len() - 1]]);
            }
            circle.reverse();
            let text = format!("{file} is one of a circle of {} files, by {}", members.len(), circle.join(" -> "));
            found.push((format!("{file}: circle"), text));
        }
        for (key, text) in found {
            self.add(key, text);
        }
    }
}

/// The files that a file reaches, each with the file before it on the shortest way.
fn ways<'a>(next: &BTreeMap<&'a str, Vec<&'a str>>, from: &'a str) -> BTreeMap<&'a str, &'a str> {
    let (mut before, mut line) = (BTreeMap::new(), VecDeque::from([from]));
    while let Some(file) = line.pop_front() {
        for &to in next.get(file).into_iter().flatten() {
            before.entry(to).or_insert_with(|| {
                line.push_back(to);
                file
            });
        }
    }
    before
}

/// The name at the end of a path outside the crate, if only `sys/` may use it.
fn machine(path: &[String]) -> Option<String> {
    let path: Vec<&str> = path.iter().map(String::as_str).collect();
    match path.as_slice() {
        ["std" | "loom", "thread"] => Some("std::thread".to_owned()),
        ["std" | "loom", "thread", name, ..] => (!HARMLESS.contains(name)).then(|| format!("thread::{name}")),
        [.., "Instant", "now"] => Some("Instant::now".to_owned()),
        path => path.iter().find(|name| MACHINE.contains(name)).map(|name| (*name).to_owned()),
    }
}
