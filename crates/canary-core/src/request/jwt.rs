//! A claim of the bearer token, decoded but not verified.
//!
//! Safe only behind something that verifies the token and lets nothing else through,
//! such as Envoy's `jwt_authn` with `forward: true`.

use std::borrow::Cow;

use base64::Engine;
use base64::alphabet::URL_SAFE;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use serde_json::{Map, Value};

const SCHEME: &[u8] = b"Bearer ";

/// Base64url as tokens in the wild use it: padded or not.
const BASE64URL: GeneralPurpose = GeneralPurpose::new(
    &URL_SAFE,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// As many entries of a list are compared: a client may hold a token with any number.
const MAX_TEXTS: usize = 256;

/// The claims of a bearer token.
pub(crate) type Claims = Map<String, Value>;

/// The claim's text, a number as it is written in decimal; `None` where there is none.
pub(crate) fn claim(authorization: &[u8], name: &str) -> Option<Vec<u8>> {
    text(claims(authorization)?.get(name)?)
}

/// A text, or a number as it is written in decimal.
pub(crate) fn text(claim: &Value) -> Option<Vec<u8>> {
    match claim {
        Value::String(text) => Some(text.as_bytes().to_vec()),
        Value::Number(number) => Some(number.to_string().into_bytes()),
        _ => None,
    }
}

/// What conditions compare a claim by: its text, or the text of each entry of a list.
pub(crate) fn texts(claim: &Value) -> impl Iterator<Item = Cow<'_, [u8]>> {
    let entries = match claim {
        Value::Array(entries) => entries.as_slice(),
        _ => std::slice::from_ref(claim),
    };
    entries.iter().take(MAX_TEXTS).filter_map(|entry| match entry {
        Value::String(text) => Some(Cow::Borrowed(text.as_bytes())),
        Value::Number(number) => Some(Cow::Owned(number.to_string().into_bytes())),
        Value::Bool(value) => Some(Cow::Borrowed(if *value { &b"true"[..] } else { b"false" })),
        _ => None,
    })
}

/// All claims; `None` where there is no token that can be read.
pub(crate) fn claims(authorization: &[u8]) -> Option<Claims> {
    let (scheme, token) = authorization.split_at_checked(SCHEME.len())?;
    if !scheme.eq_ignore_ascii_case(SCHEME) {
        return None;
    }
    let payload = token.trim_ascii().split(|byte| *byte == b'.').nth(1)?;
    let payload = BASE64URL.decode(payload).ok()?;
    serde_json::from_slice(&payload).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    // {"alg":"none"} . {"sub":"alice","n":42,"roles":["a"]} . signature
    const TOKEN: &[u8] = b"Bearer eyJhbGciOiJub25lIn0.eyJzdWIiOiJhbGljZSIsIm4iOjQyLCJyb2xlcyI6WyJhIl19.c2ln";

    #[test]
    fn a_text_or_a_number_is_an_identity_and_a_list_is_none() {
        assert_eq!(claim(TOKEN, "sub").as_deref(), Some(&b"alice"[..]));
        assert_eq!(claim(TOKEN, "n").as_deref(), Some(&b"42"[..]));
        assert_eq!(claim(TOKEN, "roles"), None);
        assert_eq!(claim(TOKEN, "aud"), None);
    }

    #[test]
    fn a_condition_sees_each_entry_of_a_list() {
        let claims = claims(TOKEN).unwrap();
        let texts = |name: &str| texts(&claims[name]).map(Cow::into_owned).collect::<Vec<_>>();
        assert_eq!(texts("roles"), [b"a"]);
        assert_eq!(texts("n"), [b"42"]);
    }

    #[test]
    fn what_is_no_bearer_token_has_no_claims() {
        for header in [
            "",
            "Bearer ",
            "Basic abc",
            "Bearer a",
            "Bearer a.b",
            "Bearer a.!!.c",
            "Bearer ..",
            "Béarer a.b.c",
        ] {
            assert_eq!(claim(header.as_bytes(), "sub"), None, "{header}");
        }
    }

    #[test]
    fn the_scheme_is_compared_without_case_and_padding_is_allowed() {
        assert_eq!(claim(b"bearer x.eyJzdWIiOiJhIn0=.y", "sub").as_deref(), Some(&b"a"[..]));
    }
}
