//! Is a variant worse than its baseline? Counts in, verdicts out; time is ticks, and whose counts
//! they are is the caller's business.
//!
//! # The idea
//!
//! Users are drawn: of two sides a user is the variant's with probability `ρ = w / (w + w₀)`. So of
//! those to whom the upstream *newly* fails, a share of `ρ` are the variant's if both sides are
//! equally good, whatever the traffic, the hour or an incident of both does. If the variant fails `ψ`
//! times as often, the share is `ρ_ψ = ρψ / (1 + ρ(ψ-1))`. The likelihood ratio of the two,
//!
//! ```text
//! l_k = e_c ln(ρ_k / ρ_0) + e_s ln((1-ρ_k) / (1-ρ_0))          e_c, e_s: new failing users of a second
//! L_k = ln(Σ over starts j of e^(l_k since then) / (j (j+1)))     a change may have come at any minute
//! E   = Σ_k e^(L_k) / 6 + 1 / (j+1)                              ψ = 1.5, 2.25, 4, 10, 40, 400
//! ```
//!
//! is an e-process: as long as the variant fails at most `r₀` times as often as the baseline,
//! `P(E ever reaches 1/α) ≤ α`, looked at every second for as long as one likes (Ville's inequality;
//! Turner, Ly and Grünwald, arXiv 2106.02693; Shin, Ramdas and Rinaldo, arXiv 2203.03532). Nothing is
//! estimated, nothing is waited for. Every proxy of a fleet judges for itself, at `α / fleet_size`.
//!
//! The evidence of several metrics is one weighted mean (errors two parts, the others one each): a
//! mean of e-processes is one, so there is one threshold. A metric takes part in a rollback only when
//! it shows in plain figures, too: enough requests, enough distinct users, and a difference that
//! matters. That can only lower the mean.
//!
//! # Users, not requests
//!
//! One user's requests fail together. Counted as requests they look like evidence: 30 to 80 % false
//! rollbacks in simulations at α = 1 %. So **a user counts once in each lane**, as a bit that all
//! workers share; a request without identity, whose side is drawn for itself, is a unit itself.
//!
//! When half of the bits are taken, and after a day, everybody is forgotten. Who fails all the time
//! then counts again *on the same side*: two fills are no independent evidence. So evidence begins
//! anew with each fill, and the fills share α: the first has four fifths, number `m` after it
//! `1 / (5 m (m+1))`. Users who share a bit are left out whatever their side, which delays (by half
//! at worst) and never misleads.
//!
//! **Slowness is counted by users, too**: those who wait longer than the baseline's 90th (99th)
//! percentile, which is frozen for a minute. Counted as requests, users who are slow by themselves give
//! 8 % false alarms at a weight of 1 %, which a guard on the percentile lowers to 0.25 % in one
//! simulation but does not exclude; counted by users the bound holds by construction, for any
//! correlation within a user, and the guard comes on top. The price is a fill every few minutes under
//! load, each of which has to be a little surer than the one before.
//!
//! A request given up by its client later than the baseline's 90th percentile is slow, so that a canary
//! that hangs is seen. Those given up earlier say nothing: **a canary that hangs is not found while
//! every client gives up within the baseline's 90th percentile.**
//!
//! # The other lanes
//!
//! | lane | on | finds |
//! |---|---|---|
//! | evidence | always | anything, with false alarms bounded by α |
//! | breaker | with errors | more than half fail within a minute and five times the baseline's, by few users |
//! | rate | `max_rate` | above a rate for the whole window, and the baseline is not |
//! | slowdown | `max_increase` | a 90th percentile that is higher by so much for the whole window |
//!
//! The last two are rules that people know; they bound no false alarms. In each lane one client is one
//! user: rates are of distinct users in the window ([`window::Counts::rate`]), and no lane speaks of
//! fewer than `min_failures`. All compare with the baseline: what hurts both is no breach, nor is
//! anything while the baseline serves fewer than `min_requests`.
//!
//! # Who does what
//!
//! | module | what it holds |
//! |---|---|
//! | [`settings`] | what the policy says, checked, with the defaults |
//! | [`observations`] | one worker: what it sees of a rollout; on the path of each request |
//! | [`pool`] | all workers: their observations in shared data, each user once |
//! | [`state`] | what is remembered from look to look, in shared data as well |
//! | [`judge`] | one look: [`state::State::tick`] |
//! | [`report`] | what a look says, and a breach in one line |
//! | [`e_process`] | the evidence |
//! | [`window`], [`latency`] | counts of the last minutes; histograms and percentiles |
//! | [`plan`] | how long it takes to find what is to be found |
//!
//! Every 200 ms a worker reads the [`pool::Pool`], merges, writes it by compare-and-swap and tells its
//! [`observations::Observations`]. Once a second one of them takes the totals out of the pool in the
//! same way and looks:
//!
//! ```
//! use canary_core::guardrail::{observations::{Drawn, Observations}, pool::Pool, settings::Settings, state::State};
//! use canary_core::split::VariantId;
//!
//! let settings = Settings::default();
//! let (mut seen, mut pool, mut state) = (Observations::new(2, 0), Pool::new(2, 0), State::new(2, 0));
//! let shares = [900_000, 100_000];
//! // A request that failed.
//! let side = VariantId::variant(0);
//! seen.served(side, 1);
//! seen.failed(Drawn { side, user: None, shares: shares.into_iter() });
//! // The worker's tick.
//! pool.merge(&seen);
//! let written = pool.to_bytes();
//! seen.merged(&pool);
//! // The judge's.
//! let mut pool = Pool::from_bytes(&written, 2, 0);
//! let totals = pool.take(&settings, state.thresholds(), 1);
//! let report = state.tick(&settings, &totals, &shares, 1);
//! assert_eq!(report.variants[0].breach, None);
//! ```
//!
//! A pause is one look for the evidence, since nothing was seen; windows and percentiles learn its
//! length. Which requests are told is the caller's: those that a split has drawn, and of failures an
//! upstream's 5xx, resets and timeouts, never a 4xx, which clients can make. A client that sends many
//! good requests to one side makes rates look lower than they are; it cannot make a breach, but a guard
//! may hide one.

mod codec;
pub mod e_process;
pub mod judge;
pub mod latency;
pub mod observations;
pub mod plan;
pub mod pool;
pub mod report;
pub mod settings;
pub mod state;
mod users;
pub mod window;
