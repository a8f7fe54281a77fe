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

/// `None` if there is no such header. A text that is no key gives an empty one, which the pool refuses.
pub(super) fn read(headers: Option<&HeaderMap>) -> Option<Arc<[u8]>> {
    let text = headers?.get(NAME)?.as_str();
    Some(bytes(text).unwrap_or_default().into())
}

fn bytes(text: &str) -> Option<Vec<u8>> {
    let (pairs, []) = text.as_bytes().as_chunks::<2>() else { return None };
    let digit = |byte: u8| char::from(byte).to_digit(16);
    pairs.iter().map(|&[high, low]| u8::try_from(16 * digit(high)? + digit(low)?).ok()).collect()
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
        for text in ["no key", "7", "0a7", "+7"] {
            headers.insert(NAME, text);
            assert_eq!(read(Some(&headers)).as_deref(), Some(&[][..]), "{text}");
        }
    }
}
