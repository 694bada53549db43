//! Tables whose keys are raw bytes: one look-up, however many there are.

use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasherDefault, Hasher};

use fnv::FnvHasher;

/// What belongs to texts.
pub type BytesMap<T> = HashMap<Box<[u8]>, T, BuildHasherDefault<BytesHasher>>;

/// A set of texts.
pub type BytesSet = HashSet<Box<[u8]>, BuildHasherDefault<BytesHasher>>;

/// FNV-1a over the bytes alone. A slice hashes its length first, so that two fields cannot be
/// mistaken for each other; a key here is one field, and look-ups are paid by requests.
#[derive(Default)]
pub struct BytesHasher(FnvHasher);

impl Hasher for BytesHasher {
    fn write(&mut self, bytes: &[u8]) {
        self.0.write(bytes);
    }

    fn write_usize(&mut self, _length: usize) {}

    fn finish(&self) -> u64 {
        self.0.finish()
    }
}
