//! From a salt and a key to a point on the 64-bit circle.
//!
//! The construct is frozen: a changed hash moves every user. It is checked to the
//! last bit by `tests/vectors/bucketing.json`. Why FNV-1a needs the finaliser, and
//! the salt its length prefix, stands in `docs/decisions/0002-hash.md`.

use std::hash::Hasher;

use fnv::FnvHasher;

/// Shares are integers in parts per million of the whole.
pub const MILLION: u32 = 1_000_000;

/// The offset basis of FNV-1a with 64 bits.
const FNV_OFFSET: u64 = 0xcbf2_9ce4_8422_2325;

/// The first byte of every salted state: the version of the construct.
const CONSTRUCT: u8 = 0x01;

/// A user's place on the circle `0 .. 2^64`, evenly distributed and independent between salts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Point(u64);

/// The hash state after the salt, computed once when a policy is loaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Salt(u64);

/// A key in the making: the fields of `bucket_by`, in order.
pub struct Key(FnvHasher);

// impl Point

impl Point {
    /// The point with this raw value; for random draws and tests.
    pub const fn new(z: u64) -> Self {
        Self(z)
    }

    /// The raw value, as `explain` prints it in hexadecimal.
    pub const fn get(self) -> u64 {
        self.0
    }

    /// The bucket in parts per million: `floor(z * 10^6 / 2^64)`, so `0 ..= 999_999`.
    pub fn bucket(self) -> u32 {
        let scaled = (u128::from(self.0) * u128::from(MILLION)) >> 64;
        u32::try_from(scaled).unwrap_or(MILLION - 1)
    }

    /// The first point of the share that begins at `ppm`: `ceil(ppm * 2^64 / 10^6)`.
    ///
    /// `None` at a whole million and above, where no point is left.
    pub fn start_of(ppm: u32) -> Option<Self> {
        let start = (u128::from(ppm) << 64).div_ceil(u128::from(MILLION));
        u64::try_from(start).ok().map(Self)
    }
}

// impl Salt

impl Salt {
    /// Hashes `0x01 | u32le(len) | salt`.
    pub fn new(salt: &str) -> Self {
        let mut state = FnvHasher::with_key(FNV_OFFSET);
        state.write(&[CONSTRUCT]);
        write_prefixed(&mut state, salt.as_bytes());
        Self(state.finish())
    }

    /// The hash state after the salt: two salts that are the same draw the same users.
    pub(crate) const fn state(self) -> u64 {
        self.0
    }

    /// Starts a key under this salt.
    pub fn key(self) -> Key {
        Key(FnvHasher::with_key(self.0))
    }
}

// impl Key

impl Key {
    /// Adds a field that others follow: its length stands before it, so that no two
    /// different lists of fields give the same bytes.
    #[must_use]
    pub fn field(mut self, bytes: &[u8]) -> Self {
        write_prefixed(&mut self.0, bytes);
        self
    }

    /// Adds the last field and finishes.
    pub fn last(mut self, bytes: &[u8]) -> Point {
        self.0.write(bytes);
        Point(fmix64(self.0.finish()))
    }
}

/// Writes `u32le(len) | bytes`. Longer than 4 GiB cannot be: hosts cap header maps far below.
pub(crate) fn write_prefixed(state: &mut FnvHasher, bytes: &[u8]) {
    let len = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
    state.write(&len.to_le_bytes());
    state.write(bytes);
}

/// The finaliser of `MurmurHash3` with 64 bits: every input bit reaches every output bit.
pub(crate) const fn fmix64(mut h: u64) -> u64 {
    h ^= h >> 33;
    h = h.wrapping_mul(0xff51_afd7_ed55_8ccd);
    h ^= h >> 33;
    h = h.wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    h ^ (h >> 33)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bucket_and_the_starts_agree_at_every_edge() {
        for ppm in [1, 2, 3, 7, 50_000, 333_333, 500_000, 999_999] {
            let start = Point::start_of(ppm).unwrap();
            assert_eq!(start.bucket(), ppm);
            assert_eq!(Point::new(start.get() - 1).bucket(), ppm - 1);
        }
        assert_eq!(Point::start_of(0), Some(Point::new(0)));
        assert_eq!(Point::start_of(MILLION), None);
        assert_eq!(Point::new(u64::MAX).bucket(), MILLION - 1);
    }

    #[test]
    fn moving_the_border_between_fields_changes_the_key() {
        let salt = Salt::new("s");
        assert_ne!(salt.key().field(b"ab").last(b"c"), salt.key().field(b"a").last(b"bc"));
    }

    #[test]
    fn moving_the_border_between_salt_and_key_changes_the_key() {
        assert_ne!(Salt::new("exp-1").key().last(b"23"), Salt::new("exp-12").key().last(b"3"));
    }
}
