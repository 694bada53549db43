//! Signed tokens by which one side of a rollout can be asked for:
//! `v1.<rollout>.<variant>.<expiry>.<MAC>`.
//!
//! The MAC is HMAC-SHA-256 over `v1 | u32le(len) rollout | u32le(len) variant | u64le expiry`,
//! in base64url without padding; the expiry is in seconds since 1970.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, Mac};
use sha2::Sha256;

use crate::timeline::Instant;

/// The shortest key, in bytes: as long as the MAC.
pub const MIN_KEY: usize = 32;

const VERSION: &str = "v1";

/// The length of a MAC in bytes.
const MAC: usize = 32;

/// Longer than any token: two names of 64, a number of 20 and a MAC of 43 characters.
const LONGEST: usize = 256;

/// The keys of one variable of the environment: the first mints, all of them check.
#[derive(Clone, Default)]
pub struct Keys(Box<[Hmac<Sha256>]>);

/// Why there are no keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoKeys {
    /// The variable is not set, or empty.
    Missing,
    /// A key in it is shorter than [`MIN_KEY`].
    Short,
    /// There are more than two.
    TooMany,
}

/// What a token says, which need not be true.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Claim<'a> {
    /// The rollout and the variant with the dot between them: names may have dots too.
    names: &'a [u8],
    /// From when on it is worth nothing, in seconds since 1970.
    pub expiry: u64,
    mac: [u8; MAC],
}

impl Keys {
    /// Reads the value of a variable: one key, or two with a comma between them.
    ///
    /// # Errors
    /// See [`NoKeys`]; a half of a value is never used.
    pub fn parse(value: &[u8]) -> Result<Self, NoKeys> {
        let keys: Vec<&[u8]> = value.split(|byte| *byte == b',').collect();
        match keys.as_slice() {
            [[]] => return Err(NoKeys::Missing),
            keys if keys.len() > 2 => return Err(NoKeys::TooMany),
            keys if keys.iter().any(|key| key.len() < MIN_KEY) => return Err(NoKeys::Short),
            _ => {}
        }
        let macs = keys.into_iter().map(|key| Hmac::new_from_slice(key).map_err(|_| NoKeys::Short));
        macs.collect::<Result<_, _>>().map(Self)
    }

    /// A token for a side of a rollout; `None` without keys.
    pub fn mint(&self, rollout: &str, variant: &str, expiry: u64) -> Option<String> {
        let mac = signed(self.0.first()?.clone(), rollout.as_bytes(), variant.as_bytes(), expiry);
        let mac = URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes());
        Some(format!("{VERSION}.{rollout}.{variant}.{expiry}.{mac}"))
    }

    /// Whether a token is for this side of this rollout, genuine, and not expired.
    pub fn accepts(&self, token: &[u8], rollout: &str, variant: &str, now: Instant) -> bool {
        Claim::parse(token).is_some_and(|claim| self.confirms(&claim, rollout, variant, now))
    }

    /// As [`Keys::accepts`], of a token that was taken apart.
    ///
    /// The names are compared before the MAC: they are no secret. The MAC is compared in
    /// constant time.
    pub fn confirms(&self, claim: &Claim<'_>, rollout: &str, variant: &str, now: Instant) -> bool {
        let alive = u64::try_from(now).is_ok_and(|now| now < claim.expiry);
        let (rollout, variant) = (rollout.as_bytes(), variant.as_bytes());
        let genuine = |key: &Hmac<Sha256>| {
            signed(key.clone(), rollout, variant, claim.expiry).verify_slice(&claim.mac).is_ok()
        };
        alive && claim.is_for(rollout, variant) && self.0.iter().any(genuine)
    }
}

impl<'a> Claim<'a> {
    /// Takes a token apart, from the right.
    pub fn parse(token: &'a [u8]) -> Option<Self> {
        if token.len() > LONGEST {
            return None;
        }
        let dot = |byte: &u8| *byte == b'.';
        let mut parts = token.rsplitn(3, dot);
        let (mac, expiry, rest) = (parts.next()?, parts.next()?, parts.next()?);
        let names = rest.strip_prefix(VERSION.as_bytes())?.strip_prefix(b".")?;
        // The engine wants room for whole groups of three bytes. It refuses padding, and bits
        // behind the last byte: one MAC has one text.
        let mut bytes = [0; MAC + 4];
        let len = URL_SAFE_NO_PAD.decode_slice(mac, &mut bytes).ok()?;
        let mac = bytes.get(..len)?.try_into().ok()?;
        Some(Self { names, expiry: number(expiry)?, mac })
    }

    /// Every rollout and variant that it may be for: with dots in names there are several.
    pub fn readings(&self) -> impl Iterator<Item = (&'a str, &'a str)> {
        let names = std::str::from_utf8(self.names).unwrap_or_default();
        names.match_indices('.').filter_map(|(at, _)| Some((names.get(..at)?, names.get(at + 1..)?)))
    }

    /// Whether it names this side of this rollout.
    pub fn is_for(&self, rollout: &[u8], variant: &[u8]) -> bool {
        let rest = self.names.strip_prefix(rollout).and_then(|rest| rest.strip_prefix(b"."));
        rest == Some(variant)
    }
}

/// A number in the one way in which it is written in decimal.
fn number(text: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(text).ok()?;
    let canonical = text.bytes().all(|byte| byte.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    if canonical { text.parse().ok() } else { None }
}

fn signed(mut mac: Hmac<Sha256>, rollout: &[u8], variant: &[u8], expiry: u64) -> Hmac<Sha256> {
    mac.update(VERSION.as_bytes());
    for name in [rollout, variant] {
        mac.update(&u32::try_from(name.len()).unwrap_or(u32::MAX).to_le_bytes());
        mac.update(name);
    }
    mac.update(&expiry.to_le_bytes());
    mac
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &[u8] = b"0123456789abcdef0123456789abcdef";

    #[test]
    fn a_token_is_good_for_its_side_until_it_expires() {
        let keys = Keys::parse(KEY).unwrap();
        let token = keys.mint("checkout", "canary", 1_000).unwrap();
        assert!(keys.accepts(token.as_bytes(), "checkout", "canary", 999));
        assert!(!keys.accepts(token.as_bytes(), "checkout", "canary", 1_000));
        assert!(!keys.accepts(token.as_bytes(), "checkout", "canary", -1));
        assert!(!keys.accepts(token.as_bytes(), "checkout", "stable", 999));
        assert!(!keys.accepts(token.as_bytes(), "search", "canary", 999));
    }

    #[test]
    fn dots_in_names_move_no_border() {
        let keys = Keys::parse(KEY).unwrap();
        let token = keys.mint("a.b", "c", 1_000).unwrap();
        assert!(keys.accepts(token.as_bytes(), "a.b", "c", 0));
        assert!(!keys.accepts(token.as_bytes(), "a", "b.c", 0));
    }

    #[test]
    fn of_two_keys_the_first_mints_and_both_check() {
        let both = Keys::parse(b"new-new-new-new-new-new-new-new-,0123456789abcdef0123456789abcdef").unwrap();
        let old = Keys::parse(KEY).unwrap();
        assert!(both.accepts(old.mint("r", "v", 9).unwrap().as_bytes(), "r", "v", 0));
        assert!(!old.accepts(both.mint("r", "v", 9).unwrap().as_bytes(), "r", "v", 0));
    }

    #[test]
    fn keys_that_are_missing_short_or_too_many_are_none() {
        assert_eq!(Keys::parse(b"").err(), Some(NoKeys::Missing));
        assert_eq!(Keys::parse(&KEY[1..]).err(), Some(NoKeys::Short));
        assert_eq!(Keys::parse(&[KEY, b",short"].concat()).err(), Some(NoKeys::Short));
        assert_eq!(Keys::parse(&[KEY, KEY, KEY].join(&b',')).err(), Some(NoKeys::TooMany));
        assert_eq!(Keys::default().mint("r", "v", 1), None);
    }

    #[test]
    fn the_mac_is_the_one_of_the_format() {
        // Checked against Python's hmac.
        let token = Keys::parse(KEY).unwrap().mint("checkout", "canary", 1_764_547_200).unwrap();
        assert_eq!(token, "v1.checkout.canary.1764547200.AJ6FskIQtE5vqTvj1i6G5Sq0sa0JmWIqv3xCHI1EYkU");
    }

    #[test]
    fn another_writing_of_a_good_token_is_none() {
        let keys = Keys::parse(KEY).unwrap();
        let good = keys.mint("r", "v", 1_000).unwrap();
        let (head, mac) = good.rsplit_once('.').unwrap();
        // The last of 43 characters carries four bits and two that must be zero.
        let last = mac.chars().last().unwrap();
        let alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
        let next = alphabet.chars().nth(alphabet.find(last).unwrap() + 1).unwrap();
        for bad in [
            format!("{good}="),
            format!("{good} "),
            format!("{head}.{}{next}", mac.strip_suffix(last).unwrap()),
            good.replace(".1000.", ".01000."),
            good.replace(".1000.", ".+1000."),
            good.replacen("v1.", "v2.", 1),
            good.replacen("v1.", "", 1),
            good.strip_suffix(last).unwrap().to_owned(),
        ] {
            assert!(!keys.accepts(bad.as_bytes(), "r", "v", 0), "{bad}");
        }
        assert!(keys.accepts(good.as_bytes(), "r", "v", 0));
    }
}
