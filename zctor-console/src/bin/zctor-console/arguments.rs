//! The arguments of the command line.

pub(crate) const USAGE: &str = "\
zctor-console                             lists the sockets of this user's programs
zctor-console PLACE                       shows a running engine; PLACE is an address or the path of a socket
zctor-console PLACE --once                prints it as text; the last line is the culprit
zctor-console PLACE --record FILE [SECONDS]   records it, until it ends or for so long
zctor-console --replay FILE               shows a recording";

#[derive(Debug, PartialEq)]
pub(crate) enum Arguments {
    Help,
    List,
    Show(String),
    Once(String),
    Record(String, String, Option<u64>),
    Replay(String),
}

impl Arguments {
    pub(crate) fn read(arguments: impl Iterator<Item = String>) -> Result<Self, String> {
        let arguments: Vec<String> = arguments.collect();
        let known = |word: &str| !word.starts_with('-');
        match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
            [] => Ok(Self::List),
            ["-h" | "--help"] => Ok(Self::Help),
            ["--replay", file] if known(file) => Ok(Self::Replay(file.to_owned())),
            [place] if known(place) => Ok(Self::Show(place.to_owned())),
            [place, "--once"] | ["--once", place] if known(place) => Ok(Self::Once(place.to_owned())),
            [place, "--record", file] if known(place) && known(file) => {
                Ok(Self::Record(place.to_owned(), file.to_owned(), None))
            }
            [place, "--record", file, seconds] if known(place) && known(file) => match seconds.parse() {
                Ok(seconds) => Ok(Self::Record(place.to_owned(), file.to_owned(), Some(seconds))),
                Err(_) => Err(format!("`{seconds}` is no number of seconds")),
            },
            _ => Err(format!("`{}` is not understood", arguments.join(" "))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> Result<Arguments, String> {
        Arguments::read(line.split_whitespace().map(str::to_owned))
    }

    #[test]
    fn each_form_of_the_usage_is_understood_and_others_are_refused() {
        assert_eq!(read(""), Ok(Arguments::List));
        assert_eq!(read("http://127.0.0.1:1/x/"), Ok(Arguments::Show("http://127.0.0.1:1/x/".into())));
        assert_eq!(read("a.sock --once"), Ok(Arguments::Once("a.sock".into())));
        assert_eq!(read("a.sock --record f 30"), Ok(Arguments::Record("a.sock".into(), "f".into(), Some(30))));
        assert_eq!(read("a.sock --record f"), Ok(Arguments::Record("a.sock".into(), "f".into(), None)));
        assert_eq!(read("--replay f"), Ok(Arguments::Replay("f".into())));
        assert_eq!(read("a.sock --record f soon"), Err("`soon` is no number of seconds".into()));
        assert_eq!(read("--replay"), Err("`--replay` is not understood".into()));
        assert_eq!(read("a.sock --twice"), Err("`a.sock --twice` is not understood".into()));
    }
}
