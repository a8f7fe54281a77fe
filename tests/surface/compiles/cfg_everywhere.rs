//! Variants, fields, attributes and parameters that a `cfg` takes out or leaves in.
#![deny(warnings)]

use zctor::actor;

#[actor(ctx, name = "files", handles(Reader = [Open, Close, Gone], None = [Gone]))]
#[derive(Debug, Clone, PartialEq)]
enum FileMessage<#[cfg(any())] X, T: Clone> {
    /// Both forms of one variant.
    #[cfg(any())]
    Open(Nowhere),
    #[cfg(not(any()))]
    #[reply(u8)]
    Open(String),
    Write {
        #[key]
        file: u8,
        #[cfg(any())]
        nothing: Nowhere,
        #[cfg(not(any()))]
        text: T,
    },
    #[cfg_attr(not(any()), reply(bool))]
    #[cfg_attr(any(), reply(Nowhere))]
    Close(#[cfg_attr(not(any()), msg(name = file), key)] u8),
    #[cfg_attr(not(any()), deprecated)]
    #[cfg_attr(not(any()), msg(internal))]
    Tick,
    #[cfg(any())]
    Gone,
}

struct Files;

impl FileHandler<String> for Files {
    fn open(&mut self, _: &mut zctor::Context<FileMessage<String>>, value: String) -> u8 {
        value.len() as u8
    }
    fn write(&mut self, _: &mut zctor::Context<FileMessage<String>>, file: u8, text: String) {
        let _ = (file, text);
    }
    fn close(&mut self, _: &mut zctor::Context<FileMessage<String>>, file: u8) -> bool {
        file == 0
    }
    fn tick(&mut self, _: &mut zctor::Context<FileMessage<String>>) {}
}

/// Nothing is left of it.
#[actor]
enum EmptyMessage {
    #[cfg(any())]
    Never,
}

#[test]
fn compiles() {
    let _ = FileMessage::actor(|| Files);
    let _ = FileMessage::<String>::close(3);
    let _: Option<EmptyClient> = None;
    let _ = |files: &FileClient<String>| (Reader::from(files).close(3), None::from(files));
    assert_eq!(FileMessage::Write { file: 1, text: 2 }.clone(), FileMessage::Write { file: 1, text: 2 });
}
