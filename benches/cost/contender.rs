//! Who runs against whom. Each VM is a listener of its own in one Envoy.

use crate::fixture::BASIC;

/// Identity, geo and five rules.
pub(crate) const RULES: &str = include_str!("../policies/rules.json");

/// What stands between a request and its response.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Contender {
    NoFilter,
    Empty,
    Floor,
    Basic,
    Rules,
    Lua,
    /// A plain route to an upstream: the zero line of [`Contender::Native`], which
    /// cannot answer by itself as all the others do.
    PlainUpstream,
    /// `weighted_clusters` with `use_hash_policy`.
    Native,
}

/// The yardsticks and the rivals, in the order of the report.
pub(crate) const ALL: [Contender; 8] = [
    Contender::NoFilter,
    Contender::Empty,
    Contender::Floor,
    Contender::Basic,
    Contender::Rules,
    Contender::Lua,
    Contender::PlainUpstream,
    Contender::Native,
];

// === impl Contender ===

impl Contender {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::NoFilter => "no filter",
            Self::Empty => "empty SDK filter",
            Self::Floor => "floor (host calls alone)",
            Self::Basic => "canary, basic policy",
            Self::Rules => "canary, identity+geo+5 rules",
            Self::Lua => "Lua, basic policy's work",
            Self::PlainUpstream => "plain route to an upstream",
            Self::Native => "native weighted_clusters",
        }
    }

    /// How many listeners it gets. Identical VMs differ by up to a third, and the
    /// zero lines must be the best known of all.
    pub(crate) fn copies(self) -> usize {
        if self == Self::Lua { 1 } else { 2 }
    }

    /// What its cost is counted from.
    pub(crate) fn zero(self) -> Self {
        match self {
            Self::PlainUpstream | Self::Native => Self::PlainUpstream,
            _ => Self::NoFilter,
        }
    }

    /// The policy, for those that run the filter.
    pub(crate) fn policy(self) -> Option<&'static str> {
        match self {
            Self::Basic => Some(BASIC),
            Self::Rules => Some(RULES),
            _ => None,
        }
    }

    /// Whether its responses carry the variant, so that one which is out of order shows.
    pub(crate) fn stamps(self) -> bool {
        matches!(self, Self::Floor | Self::Basic | Self::Rules | Self::Lua)
    }
}
