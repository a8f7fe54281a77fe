//! The expansion as a plain function. Its output is recorded in `src/snapshots`.
//!
//! `SNAPSHOTS=overwrite cargo test -p zctor-macros` records anew; read the difference.

use std::fs;
use std::path::Path;

use proc_macro2::{Group, TokenStream, TokenTree};
use quote::{ToTokens, quote};

use crate::attribute;
use crate::parse::ast::Source;
use crate::parse::attr;

/// Compares with the record called `name`, or writes it.
fn assert_recorded(name: &str, args: TokenStream, item: TokenStream) {
    let expansion = pretty(attribute(args, item));
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/snapshots").join(format!("{name}.txt"));
    if std::env::var_os("SNAPSHOTS").is_some_and(|mode| mode == "overwrite") {
        fs::write(&path, &expansion).expect("the record can be written");
    }
    let recorded = fs::read_to_string(&path).expect("there is a record of this name");
    let mut lines = (1..).zip(expansion.lines().zip(recorded.lines()));
    let difference = lines.find(|(_, (ours, theirs))| ours != theirs);
    assert!(expansion == recorded, "the expansion differs from {}, first in {difference:?}", path.display());
}

fn pretty(expansion: TokenStream) -> String {
    let file: syn::File = syn::parse2(expansion).expect("an expansion is a list of items");
    let one = |item| {
        let items = vec![item];
        prettyplease::unparse(&syn::File { shebang: None, frontmatter: None, attrs: Vec::new(), items })
    };
    file.items.into_iter().map(one).collect::<Vec<_>>().join("\n")
}

/// The texts of the errors in an expansion, in order.
fn errors(args: TokenStream, item: TokenStream) -> Vec<String> {
    let expansion = attribute(args, item).to_string();
    let after = expansion.split("compile_error ! {").skip(1);
    after
        .map(|text| text.split('}').next().unwrap_or_default().trim().trim_matches('"').replace("\\\"", "\""))
        .collect()
}

#[test]
fn calculator_expands_as_recorded() {
    let item = quote! {
        #[derive(Clone)]
        pub enum CalculatorMessage {
            /// Adds two numbers.
            #[reply(i64)]
            Add { a: i64, b: i64 },
            #[reply(Result<i64, DivideByZero>)]
            Divide(i64, i64),
            /// Forgets the history.
            Clear,
        }
    };
    assert_recorded("calculator", quote!(), item);
}

/// The guide shows what the README's example becomes, between lines that only make it a program.
#[test]
fn guide_shows_what_the_readme_s_example_becomes() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let readme = fs::read_to_string(root.join("README.md")).expect("the README is beside the crate");
    let program =
        readme.split("```rust\n").nth(1).and_then(|rest| rest.split("```").next()).expect("it begins with a program");
    let program: syn::File = syn::parse_str(program).expect("the program is Rust");
    let mut item = program.items.into_iter().find_map(|item| match item {
        syn::Item::Enum(item) => Some(item),
        _ => None,
    });
    let item = item.as_mut().expect("it defines messages");
    item.attrs.retain(|attribute| !attr::is(attribute, attr::ACTOR));
    let expansion = pretty(attribute(quote!(), item.to_token_stream()));

    let path = root.join("zctor/src/guide/what_you_get.md");
    let page = fs::read_to_string(&path).expect("the page is in the guide");
    let (before, rest) = page.split_once("```\n# // The program around it.\n").expect("a block begins");
    let (shown, after) = rest.split_once("# // The end of what is shown.\n").expect("the block ends");
    let (hidden, shown) = shown.split_at(shown.find("\n#[").map_or(0, |end| end + 1));
    if std::env::var_os("SNAPSHOTS").is_some_and(|mode| mode == "overwrite") {
        let (start, end) = ("```\n# // The program around it.\n", "# // The end of what is shown.\n");
        fs::write(&path, [before, start, hidden, &expansion, end, after].concat()).expect("it can be written");
        return;
    }
    assert!(shown == expansion, "{} shows another expansion", path.display());
}

#[test]
fn every_option_expands_as_recorded() {
    let args = quote!(
        name = "web",
        handler = Serves,
        client = Web,
        calls(auth::AuthMessage, DatabaseMessage),
        handles(Reads = [Get, Has], Ticks = [Tick]),
        crate = crate::threads
    );
    let item = quote! {
        enum WebMessage {
            #[reply(String)]
            #[msg(name = fetch)]
            Get { #[key] user: u64 },
            Put(#[key] u64, #[msg(name = r#type, into)] String),
            #[reply(bool)]
            Has { #[msg(into)] path: PathBuf, depth: u8 },
            #[reply(Vec<u8>, deferred)]
            Watch { path: String },
            #[msg(internal)]
            #[deprecated = "ticks no more"]
            Tick,
        }
    };
    assert_recorded("options", args, item);
}

#[test]
fn generic_enum_expands_as_recorded() {
    let item = quote! {
        pub(crate) enum CacheMessage<K: Hash + Eq, V = String, const N: usize = 4> where V: Clone {
            #[reply(Option<V>)]
            Get(K),
            Put(K, V),
            Many(Vec<Self>, [K; N]),
        }
    };
    assert_recorded("generic", quote!(calls(StoreMessage<V>)), item);
}

#[test]
fn enum_with_cfg_takes_the_long_way() {
    let item = quote! {
        enum FileMessage {
            #[cfg(windows)]
            Open(Handle),
            Close,
        }
    };
    assert_recorded("cfg", quote!(ctx), item);
}

#[test]
fn definition_with_faults_keeps_what_it_can() {
    let item = quote! {
        enum CalculatorMessage {
            #[reply(i64)]
            Add { a: i64, b: i64 },
            #[reply]
            Sum,
            Clone,
            Line(&str),
        }
    };
    assert_recorded("faults", quote!(nmae = "calculator"), item);
}

/// Editors and rustdoc lead to where a definition begins and ends.
#[test]
fn definitions_begin_and_end_at_their_variant_or_the_enum_s_name() {
    let item: TokenStream = "pub enum CalculatorMessage {
        #[reply(i64)]
        Add {
            a: i64,
            #[msg(into)] b: i64
        },
        /// Documented.
        Clear,
        #[reply(u8, deferred)] Later(u8),
    }"
    .parse()
    .expect("the enum is made of tokens");
    let line_of = |method: &str| match method {
        "add" => Some(3),
        "clear" => Some(8),
        "later" => Some(9),
        "actor" | "try_actor" | "actor_once" | "on_start" | "on_stop" => Some(1),
        "within" | "non_blocking" | "pin" | "keyed" | "least_loaded" => Some(1),
        _ => None,
    };
    let lines_of = |tokens: TokenStream| {
        let spans: Vec<_> = tokens.into_iter().map(|tree| tree.span()).collect();
        let ends = [spans.first().expect("a definition has tokens"), spans.last().expect("a definition has tokens")];
        ends.map(|span| span.start().line)
    };
    let expansion: syn::File = syn::parse2(attribute(quote!(), item)).expect("an expansion is a list of items");
    let mut seen = 0;
    for item in expansion.items {
        match item.clone() {
            syn::Item::Trait(item) => {
                assert_eq!(lines_of(syn::ItemTrait { attrs: vec![], ..item }.into_token_stream()), [1; 2]);
                seen += 1;
            }
            syn::Item::Struct(item) => {
                assert_eq!(lines_of(syn::ItemStruct { attrs: vec![], ..item }.into_token_stream()), [1; 2]);
                seen += 1;
            }
            _ => {}
        }
        let methods: Vec<(String, TokenStream)> = match item {
            syn::Item::Trait(item) => item.items.into_iter().filter_map(trait_method).collect(),
            syn::Item::Impl(item) if item.trait_.is_none() => item.items.into_iter().filter_map(method).collect(),
            _ => Vec::new(),
        };
        for (name, tokens) in methods {
            let Some(line) = line_of(&name) else { continue };
            assert_eq!(lines_of(tokens), [line; 2], "{name}");
            seen += 1;
        }
    }
    // The methods of the trait, of two views of the client and of two requests; the trait and the client; the functions
    // that every actor has.
    assert_eq!(seen, (3 + 2 * 3 + 2) + 2 + 10);
}

fn trait_method(item: syn::TraitItem) -> Option<(String, TokenStream)> {
    match item {
        syn::TraitItem::Fn(item) => {
            Some((item.sig.ident.to_string(), syn::TraitItemFn { attrs: vec![], ..item }.into_token_stream()))
        }
        _ => None,
    }
}

fn method(item: syn::ImplItem) -> Option<(String, TokenStream)> {
    match item {
        syn::ImplItem::Fn(item) => {
            Some((item.sig.ident.to_string(), syn::ImplItemFn { attrs: vec![], ..item }.into_token_stream()))
        }
        _ => None,
    }
}

#[test]
fn handler_shows_an_implementation_to_paste() {
    let item = quote! {
        enum CacheMessage<K: Hash + Eq, V> where V: Clone {
            #[reply(Result<Vec<V>, String>)]
            Find { key: K, r#type: u8 },
            #[reply(())]
            Wait(u8),
            Put(K, Box<dyn Fn(&str) -> V + Send>),
            #[reply([u8; 4], deferred)]
            Later,
        }
    };
    let expansion: syn::File = syn::parse2(attribute(quote!(ctx), item)).expect("an expansion is a list of items");
    let handler = expansion.items.iter().find_map(|item| match item {
        syn::Item::Trait(item) => Some(item),
        _ => None,
    });
    let handler = handler.expect("a handler trait");
    let text = handler.attrs.iter().map(|attribute| attribute.to_token_stream().to_string()).collect::<String>();
    let text = text.split("```rust,ignore\\n").nth(1).and_then(|rest| rest.split("\\n```").next()).expect("a block");
    let pasted: syn::ItemImpl = syn::parse_str(&text.replace("\\n", "\n")).expect("an impl");

    let required = handler.items.iter().filter_map(|item| match item {
        syn::TraitItem::Fn(method) if method.default.is_none() => Some(method.sig.clone()),
        _ => None,
    });
    let given = pasted.items.into_iter().filter_map(|item| match item {
        syn::ImplItem::Fn(method) => Some(method.sig),
        _ => None,
    });
    // The trait names zctor and the unit by their full forms.
    let plain = |method: syn::Signature| {
        let text = method.to_token_stream().to_string().replace(' ', "");
        text.replace("::zctor::", "").replace("->()", "").replace(",)", ")")
    };
    assert_eq!(given.map(plain).collect::<Vec<_>>(), required.map(plain).collect::<Vec<_>>());
}

#[test]
fn examples_in_documentation_run_once() {
    let item = quote! {
        enum ClockMessage {
            /// The time.
            ///
            /// ```
            /// assert!(true);
            /// ```
            #[reply(u64)]
            Now,
        }
    };
    let expansion = pretty(attribute(quote!(), item));
    let lines = |text: &str| expansion.lines().filter(|line| line.trim() == text).count();
    assert_eq!(lines("/// ```"), 2, "on the variant, at both ends");
    assert_eq!(lines("#[cfg_attr(not(doctest), doc = \" ```\")]"), 2 * 4, "to read on each method and on the request");
}

/// The list has one item a field, whatever paragraphs and lists the field's own documentation has.
#[test]
fn documentation_of_a_field_stays_in_its_item() {
    let item = quote! {
        enum ImportMessage {
            /// Imports.
            Import {
                /// The session; one of
                ///  - the current one,
                ///  - the one before,
                ///
                /// and nothing else.
                session: u32,
                #[doc = "The number.\n\n    one more"]
                number: u8,
                #[doc = include_str!("limit.md")]
                limit: u8,
            },
        }
    };
    let expansion: syn::File = syn::parse2(attribute(quote!(), item)).expect("an expansion is a list of items");
    let handler = expansion.items.iter().find_map(|item| match item {
        syn::Item::Trait(item) => item.items.first(),
        _ => None,
    });
    let Some(syn::TraitItem::Fn(method)) = handler else { panic!("a handler trait with a method") };
    let lines: Vec<String> = method.attrs.iter().map(|doc| doc.to_token_stream().to_string()).collect();
    let expected = [
        r#"" Imports.""#,
        r#""""#,
        r#"" # Arguments""#,
        r#""""#,
        r#"" - `session`:""#,
        r#""   The session; one of""#,
        r#""    - the current one,""#,
        r#""    - the one before,""#,
        r#""""#,
        r#""   and nothing else.""#,
        r#"" - `number`:""#,
        r#""   The number.""#,
        r#""""#,
        r#""       one more""#,
        r#"" - `limit`:""#,
        r#"include_str ! ("limit.md")"#,
    ];
    let expected = expected.map(|line| format!("# [cfg_attr (not (doctest) , doc = {line})]"));
    assert_eq!(lines, expected);
}

#[test]
fn same_input_gives_same_output() {
    let item = quote! {
        enum ManyMessage<A, B, C> { #[reply(A)] First(A), Second(B, #[key] u8), #[reply(C)] Third { c: C }, Fourth }
    };
    let twice = [(); 2].map(|()| attribute(quote!(ctx), item.clone()).to_string());
    assert_eq!(twice[0], twice[1]);
}

#[test]
fn faults_come_out_together_and_in_order() {
    let item = quote! {
        enum BadMessage<'a> {
            #[reply(u8, u8)]
            First(#[reply(u8)] &'a str),
            #[msg(nam = x)]
            OnStart,
        }
    };
    let errors = errors(quote!(name = bad, ctx, ctx), item);
    let starts: Vec<&str> = errors.iter().map(|text| text.split([',', ';']).next().unwrap_or_default()).collect();
    assert_eq!(
        starts,
        [
            "`name` takes a string: `name = \"bad\"`",
            "`ctx` is given twice",
            "a message has one reply type",
            "unknown option `nam`",
            "`#[reply]` goes on a variant",
            "messages outlive their sender",
            "`OnStart` gives the method `on_start`",
        ]
    );
}

#[test]
fn long_enums_are_not_listed_whole() {
    let variants: TokenStream = (0..20).map(|i| format!("Variant{i},")).collect::<String>().parse().expect("variants");
    let errors = errors(quote!(handles(Part = [Variant19, Other])), quote!(enum LongMessage { #variants }));
    let [error] = errors.as_slice() else { panic!("{errors:?}") };
    assert!(error.starts_with("`LongMessage` has no variant `Other`. Variants: Variant0, "), "{error}");
    assert!(error.ends_with(", Variant11, .."), "{error}");
}

/// Rustc refuses or allows them, and generated functions take every field.
#[test]
fn default_field_values_stay_on_the_enum() {
    let item = quote!(
        enum CalculatorMessage {
            Add { a: u8 = 3 } }
    );
    let expansion = attribute(quote!(), item.clone()).to_string();
    assert!(expansion.starts_with(&item.to_string()) && !expansion.contains("compile_error"), "{expansion}");
}

/// The enum of each case of the ui tests keeps its handler trait and its client.
#[test]
fn no_mistake_takes_the_enum_its_handler_or_its_client_away() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/surface/ui/fail");
    let (mut seen, mut faulty) = (0, 0);
    for rule in fs::read_dir(folder).expect("the cases are beside the crate").flatten() {
        for case in fs::read_dir(rule.path()).expect("a rule is a folder").flatten() {
            let path = case.path();
            if path.extension().is_none_or(|extension| extension != "rs") {
                continue;
            }
            let text = fs::read_to_string(&path).expect("a case can be read");
            let program: syn::File =
                syn::parse_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            for item in program.items {
                let syn::Item::Enum(mut item) = item else { continue };
                let Some(at) = item.attrs.iter().position(|found| attr::is(found, attr::ACTOR)) else {
                    continue;
                };
                let args = match item.attrs.remove(at).meta {
                    syn::Meta::List(meta) => meta.tokens,
                    _ => TokenStream::new(),
                };
                seen += 1;
                faulty += usize::from(assert_whole(&args, &item, &path));
            }
        }
    }
    assert!(seen > 100 && faulty > 60, "{seen} enums, {faulty} with faults");
}

/// Whether the macro finds a fault in the enum.
fn assert_whole(args: &TokenStream, item: &syn::ItemEnum, path: &Path) -> bool {
    let checked = crate::read::checked(args.clone(), item.to_token_stream(), Source::Written);
    let expansion = match &checked {
        Ok(_) => attribute(args.clone(), item.to_token_stream()),
        // A plain function cannot make the hops of a `cfg`.
        Err(error) => crate::fallback::definition(args.clone(), item.to_token_stream(), error),
    };
    if checked.is_ok() && crate::cfg::matters(&item.to_token_stream()) {
        return false;
    }
    let mut errors = crate::errors::Errors::default();
    let definition = crate::parse::ast::Definition::read(args.clone(), item.clone(), Source::Written, &mut errors);
    errors.discard();
    let file: syn::File = syn::parse2(expansion).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let has = |wanted: fn(&syn::Item) -> Option<&syn::Ident>, name: &syn::Ident| {
        assert!(file.items.iter().filter_map(wanted).any(|ident| ident == name), "{}: no {name}", path.display());
    };
    has(|item| if let syn::Item::Enum(item) = item { Some(&item.ident) } else { None }, &item.ident);
    has(|item| if let syn::Item::Trait(item) = item { Some(&item.ident) } else { None }, &definition.handler());
    has(|item| if let syn::Item::Struct(item) = item { Some(&item.ident) } else { None }, &definition.client());
    checked.is_err()
}

#[test]
fn panic_of_the_macro_leaves_the_enum() {
    let item = quote!(
        enum LogMessage {
            Line(String),
        }
    );
    let expansion = crate::guarded(&item, || panic!("a fault of the macro"));
    let file: syn::File = syn::parse2(expansion).expect("an expansion is a list of items");
    assert!(matches!(file.items.as_slice(), [syn::Item::Enum(kept), syn::Item::Macro(error)]
        if kept.ident == "LogMessage" && error.to_token_stream().to_string().contains("please report")));
}

#[test]
fn item_that_is_no_enum_is_given_back() {
    let expansion = attribute(
        quote!(),
        quote!(
            struct State {
                field: u8,
            }
        ),
    )
    .to_string();
    assert!(expansion.starts_with("struct State { field : u8"), "{expansion}");
    assert!(expansion.contains("the state struct implements the generated handler trait"), "{expansion}");
}

#[test]
fn long_enums_expand_in_one_flat_match() {
    let variants: TokenStream =
        (0..1000).map(|i| format!("#[reply(u8)] Variant{i}(u8),")).collect::<String>().parse().expect("variants");
    let expansion = pretty(attribute(quote!(), quote!(enum LongMessage { #variants })));
    let depth = expansion.lines().map(|line| line.len() - line.trim_start().len()).max();
    assert!(depth.is_some_and(|depth| depth <= 24), "nested {depth:?} deep");
}

/// The seeds of the random enums.
const SEEDS: [&str; 3] = [
    "#[derive(Clone)] pub enum CalculatorMessage { /** Adds. */ #[reply(i64)] Add { a: i64, #[key] b: Vec<Self> },
     #[msg(name = apart, internal)] Divide(#[msg(name = x)] i64, &'static str), Clear }",
    "enum CacheMessage<'a, K: Hash, V = String, const N: usize = 4> where V: Clone { #[reply([K; N])] Get(&'a K),
     #[reply(Option<V>, deferred)] #[cfg(x)] r#Match(Cow<'_, str>), Gen = 3 }",
    "#[actor] #[reply(u8)] enum Msg { #[reply] A, #[reply(impl Fn(&str) -> u8)] B(dyn T), #[key] C(m!(Self)), a, OnStart }",
];
const ARGUMENTS: &str = "name = \"x\", handler = H, client = r#type, ctx, calls(A, b::B<K>, Msg), sends(Self, A), handles(R = [Get, A], S = []), crate = ::z";

/// Every seed with each of its tokens dropped, doubled, or replaced by another of the seed's, at every depth.
#[test]
fn no_input_makes_the_macro_panic_or_write_nonsense() {
    for seed in SEEDS {
        let seed: TokenStream = seed.parse().expect("the seed is made of tokens");
        for item in changed(&seed) {
            assert_is_code(ARGUMENTS.parse().expect("the arguments are made of tokens"), item);
        }
        for args in changed(&ARGUMENTS.parse().expect("the arguments are made of tokens")) {
            assert_is_code(args, seed.clone());
        }
    }
}

/// Seeds with several of their tokens dropped, moved, or replaced by any of a vocabulary, at any depth.
#[test]
fn no_random_input_makes_the_macro_panic_or_differ() {
    const CASES: u64 = 2_000;
    let vocabulary: Vec<TokenTree> = VOCABULARY.parse::<TokenStream>().expect("words are tokens").into_iter().collect();
    let parse = |text: &str| text.parse::<TokenStream>().expect("the seeds are made of tokens");
    let (seeds, arguments) = (SEEDS.map(parse), parse(ARGUMENTS));
    let mut enums = 0;
    for case in 0..CASES {
        let mut random = Random(case);
        let mut item = seeds[random.below(seeds.len())].clone();
        let mut args = if random.below(2) == 0 { TokenStream::new() } else { arguments.clone() };
        for _ in 0..=random.below(6) {
            item = random.change(item, &vocabulary);
            args = if random.below(3) == 0 { random.change(args, &vocabulary) } else { args };
        }
        let (once, again) = (attribute(args.clone(), item.clone()), attribute(args.clone(), item.clone()));
        assert_eq!(once.to_string(), again.to_string(), "case {case}");
        enums += usize::from(syn::parse2::<syn::ItemEnum>(item.clone()).is_ok());
        assert_is_code(args, item);
    }
    assert!(enums > 200, "only {enums} of {CASES} cases got as far as the rules");
}

/// Words that the rules are about, and words that the macro cannot expect.
const VOCABULARY: &str = "enum struct fn pub crate Self self super 'a 'static 'x' r#gen gen _ , ; : :: = -> & # ! ? \"text\" 3 4.5 \
    () [] {} (u8) [u8; 4] {A} <T> name handler client handles ctx calls sends reply msg key into internal durable remote deferred dyn impl where \
    Message Clone On_Start OnStart Self_ #[reply(u8)] #[reply] #[msg(name = a, into)] #[msg(internal)] #[key] #[cfg(x)] \
    #[cfg_attr(x, reply(u8))] #[actor] #[deprecated] #[doc = include_str!(\"x\")] A(u8) B{b: Vec<Self>} C = 3 T: Clone";

/// Splitmix64: the same case is the same input on every machine.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((mixed ^ (mixed >> 31)) % bound as u64).expect("it is below a usize")
    }

    /// Makes one change, here or in one of the groups.
    fn change(&mut self, tokens: TokenStream, vocabulary: &[TokenTree]) -> TokenStream {
        let mut trees: Vec<TokenTree> = tokens.into_iter().collect();
        let at = self.below(trees.len() + 1);
        if let Some(TokenTree::Group(group)) = trees.get(at) {
            if self.below(8) != 0 {
                let inner = self.change(group.stream(), vocabulary);
                trees[at] = TokenTree::Group(Group::new(group.delimiter(), inner));
                return trees.into_iter().collect();
            }
        }
        // Most tokens of an enum are in groups, so most changes go on into one.
        let groups: Vec<usize> = (0..trees.len()).filter(|i| matches!(trees[*i], TokenTree::Group(_))).collect();
        if !groups.is_empty() && self.below(4) != 0 {
            let at = groups[self.below(groups.len())];
            if let TokenTree::Group(group) = &trees[at] {
                let inner = self.change(group.stream(), vocabulary);
                trees[at] = TokenTree::Group(Group::new(group.delimiter(), inner));
            }
            return trees.into_iter().collect();
        }
        let word = vocabulary[self.below(vocabulary.len())].clone();
        match self.below(4) {
            0 if at < trees.len() => drop(trees.remove(at)),
            1 if at < trees.len() => trees[at] = word,
            2 if at + 1 < trees.len() => trees.swap(at, at + 1),
            _ => trees.insert(at, word),
        }
        trees.into_iter().collect()
    }
}

/// The expansion of an enum can be parsed, whether the enum has faults or not.
fn assert_is_code(args: TokenStream, item: TokenStream) {
    let expansion = attribute(args, item.clone());
    if syn::parse2::<syn::ItemEnum>(item.clone()).is_ok() {
        let parsed = syn::parse2::<syn::File>(expansion.clone());
        assert!(parsed.is_ok(), "{item}\n{expansion}\n{:?}", parsed.err());
    }
}

fn changed(tokens: &TokenStream) -> Vec<TokenStream> {
    let trees: Vec<TokenTree> = tokens.clone().into_iter().collect();
    let mut all = Vec::new();
    for (index, tree) in trees.iter().enumerate() {
        let with = |middle: Vec<TokenTree>| -> TokenStream {
            let (before, after) = (trees.iter().take(index), trees.iter().skip(index + 1));
            before.cloned().chain(middle).chain(after.cloned()).collect()
        };
        let other = trees[(index * 7 + 3) % trees.len()].clone();
        all.extend([with(vec![]), with(vec![tree.clone(), tree.clone()]), with(vec![other])]);
        if let TokenTree::Group(group) = tree {
            for inner in changed(&group.stream()) {
                all.push(with(vec![TokenTree::Group(Group::new(group.delimiter(), inner))]));
            }
        }
    }
    all
}
