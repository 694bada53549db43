//! Who runs against whom. Each VM is a listener of its own in one Envoy.

use crate::fixture::BASIC;

/// The basic policy without the figures that can be switched off.
pub(crate) const BARE: &str = include_str!("../policies/bare.json");

/// The basic policy with every figure: geos, events, load reports.
const FIGURES: &str = include_str!("../policies/figures.json");

/// Every feature.
pub(crate) const ALL_FEATURES: &str = include_str!("../policies/all.json");

/// Identity, geo and five rules.
pub(crate) const RULES: &str = include_str!("../policies/rules.json");

/// What stands between a request and its response.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Contender {
    NoFilter,
    Empty,
    Floor,
    /// The floor, with one call left out.
    FloorWithout(Call),
    Bare,
    Basic,
    Figures,
    Rules,
    Features,
    Lua,
    /// A plain route to an upstream: the zero line of [`Contender::Native`], which
    /// cannot answer by itself as all the others do.
    PlainUpstream,
    /// `weighted_clusters` with `use_hash_policy`.
    Native,
}

/// A host call of the filter's request path, as `benches/floor` is told of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Call {
    Map,
    Stamps,
    FilterState,
    Status,
    ResponseStamp,
}

impl Call {
    pub(crate) const ALL: [Self; 5] =
        [Self::Map, Self::Stamps, Self::FilterState, Self::Status, Self::ResponseStamp];

    /// Its name in the floor's configuration.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Map => "map",
            Self::Stamps => "stamps",
            Self::FilterState => "filter state",
            Self::Status => "status",
            Self::ResponseStamp => "response stamp",
        }
    }
}

/// The yardsticks and the rivals, in the order of the report.
pub(crate) const ALL: [Contender; 11] = [
    Contender::NoFilter,
    Contender::Empty,
    Contender::Floor,
    Contender::Bare,
    Contender::Basic,
    Contender::Figures,
    Contender::Rules,
    Contender::Features,
    Contender::Lua,
    Contender::PlainUpstream,
    Contender::Native,
];

/// The floor, and the floor without each call.
pub(crate) fn call_by_call() -> Vec<Contender> {
    let floors = [Contender::NoFilter, Contender::Empty, Contender::Floor];
    floors.into_iter().chain(Call::ALL.map(Contender::FloorWithout)).collect()
}

// === impl Contender ===

impl Contender {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::NoFilter => "no filter",
            Self::Empty => "empty SDK filter",
            Self::Floor => "floor (host calls alone)",
            Self::FloorWithout(_) => "floor without a call",
            Self::Bare => "canary, basic, no figures",
            Self::Basic => "canary, basic policy",
            Self::Figures => "canary, basic, every figure",
            Self::Rules => "canary, identity+geo+5 rules",
            Self::Features => "canary, every feature",
            Self::Lua => "Lua, the bare policy's work",
            Self::PlainUpstream => "plain route to an upstream",
            Self::Native => "native weighted_clusters",
        }
    }

    /// How many listeners it gets. Identical VMs differ by up to a third, and the
    /// zero lines must be the best known of all.
    pub(crate) fn copies(self) -> usize {
        if matches!(self, Self::Lua) { 1 } else { 2 }
    }

    /// What its cost is counted from.
    pub(crate) fn zero(self) -> Self {
        match self {
            Self::PlainUpstream | Self::Native => Self::PlainUpstream,
            _ => Self::NoFilter,
        }
    }

    /// The module and its configuration, for those that are one.
    pub(crate) fn module(self) -> Option<(&'static str, &'static str)> {
        match self {
            Self::Empty => Some(("empty.wasm", "")),
            Self::Floor => Some(("floor.wasm", "")),
            Self::FloorWithout(call) => Some(("floor.wasm", call.name())),
            Self::Bare => Some(("filter.wasm", BARE)),
            Self::Basic => Some(("filter.wasm", BASIC)),
            Self::Figures => Some(("filter.wasm", FIGURES)),
            Self::Rules => Some(("filter.wasm", RULES)),
            Self::Features => Some(("filter.wasm", ALL_FEATURES)),
            Self::NoFilter | Self::Lua | Self::PlainUpstream | Self::Native => None,
        }
    }

    /// Whether its responses carry the variant, so that one which is out of order shows.
    pub(crate) fn stamps(self) -> bool {
        match self {
            Self::FloorWithout(call) => call != Call::ResponseStamp,
            Self::NoFilter | Self::Empty | Self::PlainUpstream | Self::Native => false,
            _ => true,
        }
    }
}
