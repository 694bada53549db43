//! The evidence that a variant is worse than the baseline: the share likelihood-ratio e-process
//! with a mixture over the time of the change.
//!
//! Given that somebody newly fails, the chance that it is the variant's user is known: her share
//! of the two. A variant that fails ψ times as often has a larger one. The likelihood ratio of the
//! two, mixed over six ψ and over the times at which the change may have come, is `E`; while the
//! variant is no worse than what is tolerated, `P(E ever reaches 1/α) ≤ α`, however often one looks,
//! whatever the baseline does and however weights change.

use super::codec::{Reader, Writer};

/// The risk ratios that are mixed.
pub const RATIOS: [f64; 6] = [1.5, 2.25, 4.0, 10.0, 40.0, 400.0];

/// So many looks are between two times at which a change may have come.
pub const EPOCH: u32 = 60;

/// Up to this tolerated ratio the grid is as it stands; above, it is stretched, so that every ψ
/// is worse than what is tolerated.
const FINE: f64 = 1.25;

/// Evidence against one variant by one metric.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Process {
    /// The logarithms, one for each ratio.
    logs: [f64; RATIOS.len()],
    looks: u32,
    /// How many times of change are in the mixture.
    starts: u32,
}

/// Those who are new since the last look, and were drawn by one split.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Outcomes {
    /// The chance that one of them is the variant's; outside of (0, 1) they say nothing.
    pub share: f64,
    /// The variant's.
    pub variant: u32,
    /// The baseline's.
    pub baseline: u32,
}

// impl Process

impl Process {
    /// One look. Without anybody new the evidence stays, and a change may have come meanwhile.
    pub fn look(&mut self, tolerated: f64, outcomes: impl IntoIterator<Item = Outcomes>) {
        if self.looks.is_multiple_of(EPOCH) {
            self.starts = self.starts.saturating_add(1);
            let start = f64::from(self.starts);
            let spent = -(start * (start + 1.0)).ln();
            for log in &mut self.logs {
                *log = log_add(*log, spent);
            }
        }
        self.looks = self.looks.wrapping_add(1);
        for Outcomes { share, variant, baseline } in outcomes {
            let says_something = share > 0.0 && share < 1.0 && (variant > 0 || baseline > 0);
            if !says_something {
                continue;
            }
            let stretch = (tolerated / FINE).max(1.0);
            let scale = |ratio: f64| 1.0 + share * (ratio - 1.0);
            let (variant, baseline) = (f64::from(variant), f64::from(baseline));
            for (log, ratio) in self.logs.iter_mut().zip(RATIOS) {
                let ratio = ratio * stretch;
                // ln(ρ_k/ρ_0) and ln((1-ρ_k)/(1-ρ_0)), in which the share itself cancels.
                let less = (scale(tolerated) / scale(ratio)).ln();
                *log += variant * ((ratio / tolerated).ln() + less) + baseline * less;
            }
        }
    }

    /// The natural logarithm of `E`.
    pub fn log_e(&self) -> f64 {
        // What is kept for changes to come.
        let rest = -(f64::from(self.starts) + 1.0).ln();
        let each = -(f64::from(u8::try_from(RATIOS.len()).unwrap_or(u8::MAX))).ln();
        let top = self.logs.iter().fold(rest, |top, log| top.max(log + each));
        let sum: f64 = self.logs.iter().map(|log| (log + each - top).exp()).sum();
        top + (sum + (rest - top).exp()).ln()
    }

    pub(super) fn write(&self, to: &mut Writer) {
        self.logs.iter().for_each(|log| to.f64(*log));
        to.u32(self.looks);
        to.u32(self.starts);
    }

    pub(super) fn read(from: &mut Reader<'_>) -> Option<Self> {
        let mut process = Self::default();
        for log in &mut process.logs {
            *log = from.f64().filter(|log| !log.is_nan() && *log < f64::INFINITY)?;
        }
        process.looks = from.u32()?;
        process.starts = from.u32()?;
        Some(process)
    }
}

/// Nothing is known: `E` is 1.
impl Default for Process {
    fn default() -> Self {
        Self { logs: [f64::NEG_INFINITY; RATIOS.len()], looks: 0, starts: 0 }
    }
}

/// `ln(e^a + e^b)`.
pub(super) fn log_add(a: f64, b: f64) -> f64 {
    let top = a.max(b);
    if top == f64::NEG_INFINITY { top } else { top + ((a - top).exp() + (b - top).exp()).ln() }
}
