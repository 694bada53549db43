//! The guardrail's rounds: what was seen is merged with what other workers have seen, one of them
//! judges, and all learn what is rolled back.
//!
//! No request touches shared data: it is read and written on ticks. The judge of a second is who
//! is the first to write that second; any worker can be, and the main thread too.

use std::cell::{Cell, RefCell};
use std::hash::Hasher;

use canary_core::exchange::Outcome;
use canary_core::guardrail::observations::Observations;
use canary_core::guardrail::pool::Pool;
use canary_core::guardrail::report::{Judgement, Report, Verdict};
use canary_core::guardrail::settings::{Metric, OnBreach, Settings};
use canary_core::guardrail::state::State;
use canary_core::latch::Latches;
use canary_core::policy::Policy;
use canary_core::rollback::Rollbacks;
use canary_core::rollout::{Guardrail, Rollout};
use canary_core::timeline::Instant;
use fnv::FnvHasher;

use crate::host;
use crate::plugin::Plugin;
use crate::stats::{Kind, Name, Stats};

/// The guardrails of one policy on one worker.
pub(crate) struct Guards {
    /// For each rollout that has one.
    watched: Box<[Option<RefCell<Observations>>]>,
    /// Whether there is any.
    any: bool,
    /// Whether operators have written that something begins anew.
    resumes: bool,
    /// The second of the last round in which a judge was looked for.
    second: Cell<u64>,
}

/// What the rounds of one plugin work with.
#[derive(Clone, Copy)]
pub(crate) struct Round<'a> {
    pub(crate) plugin: &'a Plugin,
    pub(crate) policy: &'a Policy,
    pub(crate) stats: &'a Stats,
    /// What time the policy's schedules have.
    pub(crate) time: Instant,
    /// In seconds of the clock that only goes forward.
    pub(crate) now: u64,
}

/// A pause is believed to be no longer, in seconds.
const MOST_TICKS: u64 = 3_600;

impl Guards {
    /// Nothing seen yet.
    pub(crate) fn new(policy: &Policy) -> Self {
        let watched = policy.rollouts.iter().map(|rollout| {
            let guardrail = rollout.guardrail.as_ref()?;
            Some(RefCell::new(Observations::new(rollout.variants.len(), guardrail.settings.events.len())))
        });
        let watched: Box<[_]> = watched.collect();
        let resumes = policy.rollouts.iter().any(|rollout| rollout.resume.is_some());
        Self { any: watched.iter().any(Option::is_some), resumes, watched, second: Cell::default() }
    }

    /// An exchange is over.
    pub(crate) fn saw(&self, outcome: &Outcome, policy: &Policy, rollbacks: &Rollbacks) {
        let Some(rollout) = policy.rollout(outcome.rollout) else { return };
        if let Some(observations) = self.of(rollout) {
            outcome.tell(rollout, rollbacks, &mut observations.borrow_mut());
        }
    }

    /// One round; what is rolled back after it.
    pub(crate) fn round(&self, round: Round<'_>) -> Rollbacks {
        self.merge(round);
        if self.second.replace(round.now) != round.now {
            if self.resumes {
                round.resume();
            }
            if let Some(ticks) = self.any.then(|| round.is_mine()).flatten() {
                let guarded = round.policy.rollouts.iter();
                let guarded = guarded.filter_map(|rollout| Some((rollout, rollout.guardrail.as_ref()?)));
                guarded.for_each(|(rollout, guardrail)| round.judge(rollout, guardrail, ticks));
            }
        }
        round.rollbacks()
    }

    fn merge(&self, round: Round<'_>) {
        for rollout in &round.policy.rollouts {
            let Some(observations) = self.of(rollout) else { continue };
            let mut observations = observations.borrow_mut();
            if observations.is_empty() {
                continue;
            }
            let events = rollout.guardrail.as_ref().map_or(0, |guardrail| guardrail.settings.events.len());
            let pool = host::update_shared_data(&round.pool(rollout), |shared| {
                let mut pool = Pool::from_bytes(of_release(rollout, shared), rollout.variants.len(), events);
                pool.merge(&observations);
                Some((with_release(rollout, &pool.to_bytes()), pool))
            });
            // Where other workers were always faster, the next round tries again.
            if let Some((_, pool)) = pool {
                observations.merged(&pool);
            }
        }
    }

    fn of(&self, rollout: &Rollout) -> Option<&RefCell<Observations>> {
        self.watched.get(usize::try_from(rollout.id.0).ok()?)?.as_ref()
    }
}

impl Round<'_> {
    /// What is rolled back.
    pub(crate) fn rollbacks(self) -> Rollbacks {
        self.latches().rollbacks(self.policy, self.now)
    }

    /// Whether this worker is the judge of this second: then how many have passed since the last.
    fn is_mine(self) -> Option<u32> {
        let judged = host::update_shared_data(&self.plugin.key("judged"), |shared| {
            let last = shared.first_chunk().map_or(0, |bytes| u64::from_le_bytes(*bytes));
            (last < self.now).then(|| (self.now.to_le_bytes().to_vec(), last))
        });
        let (_, last) = judged?;
        let passed = if last == 0 { 1 } else { self.now.saturating_sub(last).min(MOST_TICKS) };
        u32::try_from(passed).ok()
    }

    /// Operators have taken rollbacks back: everything begins anew there.
    fn resume(self) {
        let resumed = host::update_shared_data(&self.latches_key(), |shared| {
            let mut latches = Latches::read(shared);
            let before = latches.clone();
            let anew = latches.resume(self.policy);
            (latches != before).then(|| (latches.write(), anew))
        });
        for rollout in resumed.iter().flat_map(|(_, anew)| anew).filter_map(|id| self.policy.rollout(*id)) {
            if host::shared_data(&self.state(rollout)).is_some() {
                log::info!("guardrail begins anew rollout={}", rollout.name);
            }
            host::set_shared_data(&self.pool(rollout), &[]);
            host::set_shared_data(&self.state(rollout), &[]);
        }
    }

    fn judge(self, rollout: &Rollout, guardrail: &Guardrail, ticks: u32) {
        let settings = &guardrail.settings;
        let (sides, events) = (rollout.variants.len(), settings.events.len());
        let shared = host::shared_data(&self.state(rollout)).unwrap_or_default();
        let mut state = State::from_bytes(of_release(rollout, &shared), sides, events);
        let totals = host::update_shared_data(&self.pool(rollout), |shared| {
            let mut pool = Pool::from_bytes(of_release(rollout, shared), sides, events);
            let totals = pool.take(settings, state.thresholds(), ticks);
            Some((with_release(rollout, &pool.to_bytes()), totals))
        });
        // Where workers were always faster, the next second has both.
        let Some((_, totals)) = totals else { return };
        let latched = self.rollbacks();
        let weights: Vec<u32> =
            rollout.shares(rollout.timeline.at(self.time), &latched).map(|(_, ppm)| ppm).collect();
        let report = state.tick(settings, &totals, &weights, ticks);
        host::set_shared_data(&self.state(rollout), &with_release(rollout, &state.to_bytes()));
        self.act(rollout, settings, &report, &latched);
    }

    fn act(self, rollout: &Rollout, settings: &Settings, report: &Report, rolled_back: &Rollbacks) {
        for judgement in &report.variants {
            let Some(variant) = rollout.variant(judgement.variant) else { continue };
            let labels = [("rollout", &*rollout.name), ("variant", &*variant.name)];
            // It shows before there is any: what watches it sees the first one.
            let breaches = Name { labels: &labels, metric: "canary_guardrail_breaches_total" };
            let breaches = self.stats.slot(Kind::Count, breaches.to_string());
            self.stats.show(breaches);
            let is_rollback = settings.on_breach == OnBreach::Rollback;
            if let Some(breach) = &judgement.breach {
                let action = if is_rollback { "rolled back" } else { "on_breach=alert, nothing done" };
                log::warn!(
                    "guardrail breach rollout={} variant={} release={} action={action:?} why={:?}",
                    rollout.name,
                    variant.name,
                    rollout.release.as_deref().unwrap_or("-"),
                    breach.line(settings)
                );
                self.stats.add(breaches, 1);
            }
            let is_latched = rollout.is_rolled_back(variant, rolled_back);
            // Also one that was found while the policy only wanted to be told.
            if is_rollback && !is_latched && judgement.verdict == Verdict::Breached {
                host::update_shared_data(&self.latches_key(), |shared| {
                    let mut latches = Latches::read(shared);
                    latches.latch(rollout, variant, self.now);
                    Some((latches.write(), ()))
                });
            }
            self.show(&labels, judgement, settings, is_latched);
        }
    }

    /// How a variant stands, in gauges.
    fn show(self, labels: &[(&str, &str)], judgement: &Judgement, settings: &Settings, is_latched: bool) {
        let state = match judgement.verdict {
            _ if is_latched => 4,
            Verdict::Off => 0,
            Verdict::TooLittleData => 1,
            Verdict::Healthy => 2,
            Verdict::Suspicious => 3,
            Verdict::Breached => 4,
        };
        let gauges = self.stats.gauges();
        gauges.set(Name { labels, metric: "canary_guardrail_state" }.to_string(), state);
        let all = std::iter::once(("all".to_owned(), judgement.log10_e));
        let each = judgement.metrics.iter().map(|said| (metric_name(said.metric, settings), said.log10_e));
        for (metric, log10_e) in all.chain(each) {
            let labels: Vec<_> = labels.iter().copied().chain([("metric", &*metric)]).collect();
            let name = Name { labels: &labels, metric: "canary_guardrail_log10_e_milli" };
            gauges.set(name.to_string(), milli(log10_e));
        }
    }

    fn latches(self) -> Latches {
        Latches::read(&host::shared_data(&self.latches_key()).unwrap_or_default())
    }

    fn latches_key(self) -> String {
        self.plugin.key("latches")
    }

    fn pool(self, rollout: &Rollout) -> String {
        self.plugin.key(format_args!("seen.{}", rollout.name))
    }

    fn state(self, rollout: &Rollout) -> String {
        self.plugin.key(format_args!("judged.{}", rollout.name))
    }
}

/// What is shared of a rollout is of one release alone, and of its sides and events in their
/// order: that stands before it.
fn with_release(rollout: &Rollout, bytes: &[u8]) -> Vec<u8> {
    [mark(rollout).as_slice(), bytes].concat()
}

/// What is shared of this release; nothing where it is of another.
fn of_release<'s>(rollout: &Rollout, shared: &'s [u8]) -> &'s [u8] {
    shared.strip_prefix(mark(rollout).as_slice()).unwrap_or_default()
}

fn mark(rollout: &Rollout) -> [u8; 8] {
    let sides = rollout.variants.iter().map(|side| &*side.name);
    let guardrail = rollout.guardrail.iter();
    let events = guardrail.flat_map(|guardrail| guardrail.settings.events.iter().map(|event| &*event.name));
    let mut hash = FnvHasher::default();
    for name in rollout.release.as_deref().into_iter().chain(["/"]).chain(sides).chain(["/"]).chain(events) {
        hash.write(name.as_bytes());
        hash.write(b"\0");
    }
    hash.finish().to_le_bytes()
}

/// A metric's name, as a label.
fn metric_name(metric: Metric, settings: &Settings) -> String {
    match metric {
        Metric::Errors => "errors".to_owned(),
        Metric::P90 => "p90".to_owned(),
        Metric::P99 => "p99".to_owned(),
        Metric::Event(place) => {
            let event = settings.events.get(usize::from(place));
            format!("event.{}", event.map_or("-", |event| &event.name))
        }
    }
}

/// Thousandths, for a gauge, which has no sign; less than no evidence is none.
fn milli(log10_e: f64) -> u64 {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "not negative, and what is beyond any number is the largest"
    )]
    let milli = (log10_e * 1e3).round().max(0.0) as u64;
    milli
}
