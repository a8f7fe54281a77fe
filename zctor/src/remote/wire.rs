//! From values to bytes and back; and, for bytes that do not decode, the name of their variant.

use std::fmt;
use std::sync::Arc;

use serde::de::{DeserializeOwned, Error, IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

use crate::sys::unwind::catch;

/// How values are written as bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// MessagePack with the names of variants and fields: what links speak.
    MessagePack,
    /// JSON, for programs that have no link.
    Json,
}

/// How deep a value may be nested. Deeper bytes are refused before they can overflow the stack. JSON has the same limit.
const DEEPEST: usize = 128;

/// Most messages are no longer, and are written without a second allocation.
const SMALL: usize = 128;

pub(super) fn encode<T: Serialize + ?Sized>(value: &T, format: Format) -> Result<Vec<u8>, Arc<str>> {
    match format {
        Format::MessagePack => refused(|| {
            let mut bytes = Vec::with_capacity(SMALL);
            rmp_serde::encode::write_named(&mut bytes, value).map(|()| bytes)
        }),
        Format::Json => refused(|| serde_json::to_vec(value)),
    }
}

pub(super) fn decode<T: DeserializeOwned>(bytes: &[u8], format: Format) -> Result<T, Arc<str>> {
    match format {
        Format::MessagePack => refused(|| {
            let mut decoder = rmp_serde::Deserializer::from_read_ref(bytes);
            decoder.set_max_depth(DEEPEST);
            T::deserialize(&mut decoder)
        }),
        Format::Json => refused(|| serde_json::from_slice(bytes)),
    }
}

/// A panic of the user's `Serialize` or `Deserialize` refuses the value like an error.
fn refused<R, E: ToString>(code: impl FnOnce() -> Result<R, E>) -> Result<R, Arc<str>> {
    catch(code)?.map_err(|error| error.to_string().into())
}

/// Says of which variant the bytes are, in front of what is wrong with them: serde knows the field at best.
pub(super) fn of_variant(bytes: &[u8], format: Format, text: Arc<str>) -> Arc<str> {
    match decode::<VariantName>(bytes, format) {
        Ok(VariantName(name)) if !text.contains(&format!("`{name}`")) => format!("`{name}`: {text}").into(),
        _ => text,
    }
}

/// The name of the variant that the bytes of an enum begin with.
struct VariantName(String);

impl<'de> Deserialize<'de> for VariantName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Names;
        impl<'de> Visitor<'de> for Names {
            type Value = VariantName;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a variant")
            }

            fn visit_str<E: Error>(self, name: &str) -> Result<VariantName, E> {
                Ok(VariantName(name.to_owned()))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<VariantName, A::Error> {
                let (name, _) = map.next_entry::<_, IgnoredAny>()?.ok_or_else(|| A::Error::custom("no variant"))?;
                Ok(VariantName(name))
            }
        }
        deserializer.deserialize_any(Names)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOTH: [Format; 2] = [Format::MessagePack, Format::Json];

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    enum Sample {
        Unit,
        Run { size: u64, name: Option<String> },
    }

    #[test]
    fn values_come_back_as_they_went() {
        for format in BOTH {
            for value in [Sample::Unit, Sample::Run { size: 5, name: None }] {
                let bytes = encode(&value, format).expect("it can be written");
                assert_eq!(decode::<Sample>(&bytes, format), Ok(value), "{format:?}");
            }
        }
    }

    #[test]
    fn a_text_says_of_which_variant_the_bytes_were() {
        #[derive(Serialize)]
        enum Other {
            Run { size: &'static str },
            Unknown,
        }
        for format in BOTH {
            let text = |value: &Other| {
                let bytes = encode(value, format).expect("it can be written");
                of_variant(&bytes, format, decode::<Sample>(&bytes, format).expect_err("it is of another type"))
            };
            let (retyped, unknown) = (text(&Other::Run { size: "large" }), text(&Other::Unknown));
            assert!(retyped.starts_with("`Run`: "), "{retyped}");
            assert!(unknown.starts_with("unknown variant `Unknown`"), "{unknown}");
            let garbage = of_variant(&[0xc1], format, "garbage".into());
            assert_eq!(&*garbage, "garbage");
        }
    }

    #[test]
    fn what_is_nested_too_deeply_is_refused() {
        type Nested = Vec<IgnoredAny>;
        let (packed, text) = (vec![0x91; 100_000], vec![b'['; 100_000]);
        assert!(decode::<Nested>(&packed, Format::MessagePack).is_err());
        assert!(decode::<Nested>(&text, Format::Json).is_err());
    }
}
