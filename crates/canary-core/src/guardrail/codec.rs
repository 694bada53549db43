//! Little-endian bytes for shared data: a version first, a checksum last.
//!
//! What cannot be read, whatever the reason, is as if it were not there.

use crate::bucket::fmix64;

/// Another layout gets another number.
const VERSION: u8 = 1;

/// Bytes in the making.
pub(super) struct Writer(Vec<u8>);

/// Bytes that are being read.
pub(super) struct Reader<'b>(&'b [u8]);

// impl Writer

impl Writer {
    pub(super) fn new() -> Self {
        Self(vec![VERSION])
    }

    pub(super) fn u8(&mut self, value: u8) {
        self.0.push(value);
    }

    pub(super) fn u16(&mut self, value: u16) {
        self.0.extend_from_slice(&value.to_le_bytes());
    }

    pub(super) fn u32(&mut self, value: u32) {
        self.0.extend_from_slice(&value.to_le_bytes());
    }

    pub(super) fn u64(&mut self, value: u64) {
        self.0.extend_from_slice(&value.to_le_bytes());
    }

    pub(super) fn f64(&mut self, value: f64) {
        self.u64(value.to_bits());
    }

    /// A length; no list here is longer than 2^16.
    pub(super) fn len(&mut self, len: usize) {
        self.u16(u16::try_from(len).unwrap_or(u16::MAX));
    }

    pub(super) fn finish(mut self) -> Vec<u8> {
        self.u64(checksum(&self.0));
        self.0
    }
}

// impl Reader

impl<'b> Reader<'b> {
    /// Only of bytes that are whole and of this version.
    pub(super) fn new(bytes: &'b [u8]) -> Option<Self> {
        let (body, sum) = bytes.split_last_chunk()?;
        let (version, rest) = body.split_first()?;
        (*version == VERSION && u64::from_le_bytes(*sum) == checksum(body)).then_some(Self(rest))
    }

    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (first, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*first)
    }

    pub(super) fn u8(&mut self) -> Option<u8> {
        self.take().map(u8::from_le_bytes)
    }

    pub(super) fn u16(&mut self) -> Option<u16> {
        self.take().map(u16::from_le_bytes)
    }

    pub(super) fn u32(&mut self) -> Option<u32> {
        self.take().map(u32::from_le_bytes)
    }

    pub(super) fn u64(&mut self) -> Option<u64> {
        self.take().map(u64::from_le_bytes)
    }

    pub(super) fn f64(&mut self) -> Option<f64> {
        self.u64().map(f64::from_bits)
    }

    pub(super) fn len(&mut self) -> Option<usize> {
        self.u16().map(usize::from)
    }

    /// Whether nothing is left.
    pub(super) fn is_done(&self) -> bool {
        self.0.is_empty()
    }
}

/// Word by word, since it is made and compared on every tick: each step can be undone, so that no
/// single change is missed.
fn checksum(bytes: &[u8]) -> u64 {
    let (words, rest) = bytes.as_chunks::<8>();
    let mut last = [0; 8];
    last.iter_mut().zip(rest).for_each(|(to, from)| *to = *from);
    let len = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
    let words = words.iter().chain([&last]);
    words.fold(fmix64(len), |sum, word| {
        let sum = (sum ^ u64::from_le_bytes(*word)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        sum ^ sum >> 32
    })
}
