//! How long requests take: a histogram that forgets, and the baseline's percentiles, which are
//! frozen for a minute so that both sides are measured by what was known before.

use super::codec::{Reader, Writer};

/// How many buckets: each a quarter of an octave, from 0.25 ms to 262 s.
pub const BUCKETS: usize = 80;

/// Where the first bucket begins, in microseconds.
const FIRST: u64 = 250;

/// The quarters of an octave, times 2^16.
const QUARTERS: [u64; 3] = [77_936, 92_682, 110_218];

/// A request is so many, so that what is forgotten by tenths does not vanish at once.
const ONE: u32 = 16;

/// A percentile of fewer requests is not known.
const ENOUGH: [u32; 2] = [100, 200];

/// Durations above which a request is slow, in microseconds; none where too little is known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Thresholds {
    /// The baseline's 90th percentile.
    pub p90: Option<u64>,
    /// The baseline's 99th percentile.
    pub p99: Option<u64>,
}

/// The durations of one side's requests, those of the last minutes more than older ones.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Histogram(Vec<u32>);

/// The bucket of a duration in microseconds. Without floats: every request pays for it.
pub fn bucket(micros: u64) -> usize {
    let micros = micros.min(1 << 40);
    let octave = (micros / FIRST).checked_ilog2().unwrap_or(0).min(20);
    let quarters = QUARTERS.iter().filter(|quarter| micros << 16 >= (FIRST * **quarter) << octave).count();
    let index = usize::try_from(octave).unwrap_or_default() * 4 + quarters;
    index.min(BUCKETS - 1)
}

/// Where a bucket begins, in microseconds.
fn start(bucket: f64) -> f64 {
    250.0 * (bucket / 4.0).exp2()
}

// impl Thresholds

impl Thresholds {
    pub(super) fn write(self, to: &mut Writer) {
        to.u64(self.p90.unwrap_or(0));
        to.u64(self.p99.unwrap_or(0));
    }

    pub(super) fn read(from: &mut Reader<'_>) -> Option<Self> {
        let known = |micros: u64| (micros > 0).then_some(micros);
        Some(Self { p90: known(from.u64()?), p99: known(from.u64()?) })
    }
}

// impl Histogram

impl Histogram {
    pub(super) fn new() -> Self {
        Self(vec![0; BUCKETS])
    }

    pub(super) fn add(&mut self, durations: &[u32]) {
        for (sum, count) in self.0.iter_mut().zip(durations) {
            if *count > 0 {
                *sum = sum.saturating_add(count.saturating_mul(ONE));
            }
        }
    }

    /// So many minutes pass.
    pub(super) fn decay(&mut self, minutes: u32) {
        // After an hour less than a five-hundredth is left.
        for _ in 0..minutes.min(200) {
            for count in &mut self.0 {
                *count -= count.div_ceil(10);
            }
        }
    }

    /// The quantile, in microseconds, where at least so many requests are known.
    pub(super) fn quantile(&self, quantile: f64, enough: u32) -> Option<f64> {
        let total: f64 = self.0.iter().map(|count| f64::from(*count)).sum();
        if total < f64::from(enough.max(1)) * f64::from(ONE) {
            return None;
        }
        let mut left = total * quantile;
        for (bucket, count) in (0_u8..).zip(&self.0) {
            let count = f64::from(*count);
            if count > 0.0 && left <= count {
                return Some(start(f64::from(bucket) + left / count));
            }
            left -= count;
        }
        None
    }

    /// What is slow, as this baseline sees it.
    pub(super) fn thresholds(&self) -> Thresholds {
        let [p90, p99] = ENOUGH;
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "between 250 and 2.7e8: the ends of the buckets"
        )]
        let micros = |quantile, enough| self.quantile(quantile, enough).map(|micros| micros as u64);
        Thresholds { p90: micros(0.9, p90), p99: micros(0.99, p99) }
    }

    pub(super) fn write(&self, to: &mut Writer) {
        self.0.iter().for_each(|count| to.u32(*count));
    }

    pub(super) fn read(from: &mut Reader<'_>) -> Option<Self> {
        (0..BUCKETS).map(|_| from.u32()).collect::<Option<_>>().map(Self)
    }
}
