//! Random bits, fetched from the host for many streams at once.

use std::cell::RefCell;

/// What was fetched and is not used yet.
#[derive(Default)]
pub(crate) struct Random(RefCell<Vec<u128>>);

/// So many numbers for one host call.
const AT_ONCE: usize = 16;

impl Random {
    /// 128 random bits; nothing where the host has none.
    pub(crate) fn bits(&self) -> Option<u128> {
        let mut kept = self.0.borrow_mut();
        if kept.is_empty() {
            let mut bytes = [0; AT_ONCE * size_of::<u128>()];
            if getrandom::fill(&mut bytes).is_ok() {
                let (numbers, _) = bytes.as_chunks();
                kept.extend(numbers.iter().map(|number| u128::from_le_bytes(*number)));
            }
        }
        kept.pop()
    }
}
