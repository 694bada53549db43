//! Which requests are looked at more closely.

use std::cell::Cell;

/// Takes the first requests, each of them, and then one of many.
#[derive(Debug, Default)]
pub struct Sampler(Cell<u32>);

/// What a new policy breaks shows at once.
const FIRST: u32 = 1_000;

/// What breaks later shows soon enough, and costs a sixty-fourth.
const ONE_IN: u32 = 64;

impl Sampler {
    /// Whether this one is taken.
    pub fn takes(&self) -> bool {
        let passed = self.0.get();
        let next = passed + 1;
        self.0.set(if next >= FIRST + ONE_IN { FIRST } else { next });
        passed <= FIRST
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_thousand_are_taken_then_one_in_64() {
        let sampler = Sampler::default();
        let taken: Vec<_> = (0..1_000 + 64 * 10).filter(|_| sampler.takes()).collect();
        let expected = (0..1_000).chain((0..10).map(|round| 1_000 + 64 * round));
        assert_eq!(taken, expected.collect::<Vec<_>>());
    }
}
