//! The header that says which key the client of a queued message is bound to: the bytes of the key in hexadecimal.

use std::fmt::Write;
use std::sync::Arc;

use async_nats::HeaderMap;

pub(super) const NAME: &str = "Zctor-Key";

pub(super) fn write(key: &[u8]) -> String {
    let mut text = String::with_capacity(2 * key.len());
    for byte in key {
        // A `String` takes all that is written.
        let _ = write!(text, "{byte:02x}");
    }
    text
}

/// `None` if there is no such header. What is no key is an empty one, which no key is: the pool refuses the message.
pub(super) fn read(headers: Option<&HeaderMap>) -> Option<Arc<[u8]>> {
    let text = headers?.get(NAME)?.as_str();
    let digits = text.as_bytes().chunks(2).map(|digits| u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok());
    let key: Option<Vec<u8>> = digits.collect();
    Some(key.unwrap_or_default().into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_comes_back_as_it_went() {
        let key = [0, 7, 0x80, 0xff];
        let mut headers = HeaderMap::new();
        assert_eq!(read(Some(&headers)), None);
        headers.insert(NAME, write(&key));
        assert_eq!(read(Some(&headers)).as_deref(), Some(&key[..]));
        headers.insert(NAME, "no key");
        assert_eq!(read(Some(&headers)).as_deref(), Some(&[][..]));
    }
}
