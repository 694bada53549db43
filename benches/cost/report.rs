//! What came out: medians and quartiles over blocks of rounds, ratios block by
//! block, and the verdicts. A block's cost is the median of its slices: a slice
//! that another process disturbed does not count, and what changes slowly (the
//! clock, a neighbour) hits all contenders of a block alike.

use crate::contender::{ALL, Call, Contender};
use crate::measure::Lane;

/// At most so many times what another adds.
const LIMITS: [(Contender, Contender, f64); 4] = [
    (Contender::Bare, Contender::Floor, 1.25),
    (Contender::Bare, Contender::Empty, 2.5),
    (Contender::Basic, Contender::Bare, 1.33),
    (Contender::Figures, Contender::Bare, 1.33),
];

/// Rounds to a block: a few seconds.
const BLOCK: usize = 10;

/// Median and quartiles.
#[derive(Debug, Clone, Copy)]
struct Spread {
    low: f64,
    median: f64,
    high: f64,
}

/// Prints the tables and the verdicts.
pub(crate) fn print(lanes: &[Lane]) {
    let slices = lanes.first().map_or(0, |lane| lane.slices.len());
    println!("\nCPU µs of the Envoy process per request, {slices} slices each: median (quartiles)\n");
    println!(
        "{:<30} {:>12} {:>22} {:>24}  each VM",
        "", "in all", "added over no filter", "ratio to empty filter"
    );
    for contender in ALL {
        let total = Spread::of(of(lanes, contender));
        let each = each_vm(lanes, contender);
        if contender.zero() == contender {
            println!("{:<30} {:>12.1} {:>48}  {each}", contender.name(), total.median, "");
            continue;
        }
        let (added, ratio) = (added(lanes, contender), ratio(lanes, contender, Contender::Empty));
        println!(
            "{:<30} {:>12.1} {:>22} {:>24}  {each}",
            contender.name(),
            total.median,
            Spread::of(added).text(1),
            Spread::of(ratio).text(2),
        );
    }
    println!();
    for (one, other, limit) in LIMITS {
        let spread = Spread::of(ratio(lanes, one, other));
        let verdict = if spread.median <= limit { "holds" } else { "EXCEEDED" };
        println!("{verdict}: {} costs {} x {}, at most {limit}", one.name(), spread.text(2), other.name());
    }
}

/// Prints what each host call costs: the floor less the floor without it.
pub(crate) fn print_calls(lanes: &[Lane]) {
    println!("\nCPU µs per request of each host call: the floor less the floor without it\n");
    let floor = added(lanes, Contender::Floor);
    for call in Call::ALL {
        let without = added(lanes, Contender::FloorWithout(call));
        let cost = floor.iter().zip(without).map(|(floor, without)| floor - without).collect();
        let times = if call == Call::Stamps { " (three)" } else { "" };
        println!("{:<30} {:>22}", format!("{}{times}", call.name()), Spread::of(cost).text(1));
    }
    let empty = added(lanes, Contender::Empty);
    let all = floor.iter().zip(empty).map(|(floor, empty)| floor - empty).collect();
    println!("{:<30} {:>22}", "all of them, and the counting", Spread::of(all).text(1));
}

/// Cost per block, the mean of a contender's copies.
fn of(lanes: &[Lane], contender: Contender) -> Vec<f64> {
    let copies = lanes.iter().filter(|lane| lane.contender == contender);
    let copies: Vec<_> = copies.map(blocks).collect();
    let count = copies.iter().map(Vec::len).min().unwrap_or(0);
    let mean = |block: usize| {
        let costs = copies.iter().filter_map(|blocks| blocks.get(block));
        let (sum, count) = costs.fold((0.0, 0.0), |(sum, count), cost| (sum + cost, count + 1.0));
        sum / count
    };
    (0..count).map(mean).collect()
}

/// A listener's cost per block.
fn blocks(lane: &Lane) -> Vec<f64> {
    let blocks = lane.slices.chunks(BLOCK);
    blocks.map(|slices| Spread::of(slices.to_vec()).median).collect()
}

/// What a contender adds to its zero line, block by block.
fn added(lanes: &[Lane], contender: Contender) -> Vec<f64> {
    let zero = of(lanes, contender.zero());
    of(lanes, contender).iter().zip(zero).map(|(cost, zero)| cost - zero).collect()
}

/// How much more a contender adds than another, block by block.
fn ratio(lanes: &[Lane], contender: Contender, other: Contender) -> Vec<f64> {
    let other = added(lanes, other);
    added(lanes, contender).iter().zip(other).map(|(one, other)| one / other).collect()
}

fn each_vm(lanes: &[Lane], contender: Contender) -> String {
    let zero = of(lanes, contender.zero());
    let copies = lanes.iter().filter(|lane| lane.contender == contender);
    let medians = copies.map(|lane| {
        let added = blocks(lane).into_iter().zip(&zero).map(|(cost, zero)| cost - zero);
        format!("{:+.1}", Spread::of(added.collect()).median)
    });
    medians.collect::<Vec<_>>().join(" ")
}

// === impl Spread ===

impl Spread {
    fn of(mut values: Vec<f64>) -> Self {
        values.sort_by(f64::total_cmp);
        let at = |quarter: usize| {
            let last = values.len().saturating_sub(1);
            values.get(last * quarter / 4).copied().unwrap_or(f64::NAN)
        };
        Self { low: at(1), median: at(2), high: at(3) }
    }

    fn text(self, digits: usize) -> String {
        let Self { low, median, high } = self;
        format!("{median:.digits$} ({low:.digits$} – {high:.digits$})")
    }
}
