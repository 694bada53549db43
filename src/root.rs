//! One plugin configuration: a policy is loaded, or the last good one goes on.

use std::cell::{Cell, RefCell};
use std::io::Write;
use std::rc::Rc;
use std::time::Duration;

use canary_core::decide::{Ambient, Decision};
use canary_core::exchange::{Moment, Outcome, RequestPlan};
use canary_core::forced::{KeyRing, Override};
use canary_core::policy::{Policy, Problems};
use canary_core::rollback::Rollbacks;
use canary_core::rollout::Rollout;
use canary_core::sampler::Sampler;
use canary_core::timeline::Instant;
use canary_core::token::NoKeys;
use proxy_wasm::traits::{Context, HttpContext, RootContext};
use proxy_wasm::types::ContextType;

use crate::draws::Draws;
use crate::guard::{Guards, Round};
use crate::host;
use crate::http::Http;
use crate::logger;
use crate::plugin::{Plugin, Told};
use crate::random::Random;
use crate::stats::{Name, Stats};
use crate::table::Table;

/// Counters lag by this much at most.
const TICK: Duration = Duration::from_millis(200);

/// The longest time in seconds that is believed to have passed between two ticks.
const MAX_PASSED: Instant = 60;

/// A policy with more problems than this is told about in part; `canaryctl validate` tells all.
const MAX_PROBLEMS_LOGGED: usize = 1_000;

/// The root context.
pub(crate) struct Root {
    plugin: Plugin,
    stats: Rc<Stats>,
    active: Rc<Active>,
}

/// What streams need of the configuration with which they began.
pub(crate) struct Active {
    pub(crate) policy: Policy,
    pub(crate) table: Table,
    pub(crate) stats: Rc<Stats>,
    /// When the weights change by themselves.
    next_change: Cell<Option<Instant>>,
    keys: KeyRing,
    random: Random,
    draws: Draws,
    guards: Guards,
    pub(crate) rollbacks: RefCell<Rollbacks>,
    pub(crate) sampler: Sampler,
    /// As of the last tick, where the host tells it: decisions of one policy agree, and a clock costs a call.
    now: Cell<Option<Instant>>,
    line: RefCell<Vec<u8>>,
    ended: Cell<bool>,
}

impl Root {
    /// A root context without a policy.
    pub(crate) fn new(stats: Rc<Stats>) -> Self {
        let active = Active::new(Policy::default(), KeyRing::default(), stats.clone());
        Self { plugin: Plugin::default(), stats, active: Rc::new(active) }
    }

    /// Shows that this VM lives: Envoy's own stats tell nothing of one that has died.
    fn count_seconds(&self, before: Option<Instant>, now: Option<Instant>) {
        let passed = before.zip(now).map_or(0, |(before, now)| now.saturating_sub(before));
        // More is a clock that was set.
        if (1..=MAX_PASSED).contains(&passed) {
            let labels = [("plugin", &*self.plugin.label())];
            let name = Name { labels: &labels, metric: "canary_vm_seconds_total" };
            self.stats.count(&name.to_string(), passed.unsigned_abs());
        }
    }
}

impl Context for Root {
    fn on_done(&mut self) -> bool {
        // A VM outlives its root contexts: without this the old one would tick for ever.
        host::set_tick_period(Duration::ZERO);
        self.active.ended.set(true);
        self.active.merge_draws(&self.plugin);
        self.stats.flush();
        true
    }
}

impl RootContext for Root {
    fn on_configure(&mut self, len: usize) -> bool {
        self.plugin = Plugin::current();
        let plugin = &self.plugin;
        self.stats.adopt();
        let text = host::plugin_configuration(len);
        let loaded = match &text {
            Ok(text) => Policy::parse(text),
            Err(host::Refused) => Err(Problems::unreadable()),
        };
        let text = text.unwrap_or_default();
        let policy = match loaded {
            Ok(policy) => {
                self.stats.count("canary_policy_loads_total", 1);
                plugin.keep(&text);
                match text.trim_ascii() {
                    [] => plugin.once(Told::Empty, &[], log_empty),
                    text => plugin.once(Told::Loaded, text, || log_loaded(&policy)),
                }
                policy
            }
            Err(problems) => {
                self.stats.count("canary_policy_errors_total", 1);
                let strict = host::environment("CANARY_STRICT").as_deref() == Some(b"1");
                let last_good = if strict { None } else { plugin.last_good() };
                let goes_on = match &last_good {
                    _ if strict => "what Envoy served before (CANARY_STRICT=1)",
                    Some(policy) if policy.rollouts.is_empty() => {
                        "no rollouts, the last good policy has none"
                    }
                    Some(_) => "the last good policy",
                    None => "no rollouts, there is no good policy yet",
                };
                plugin.once(Told::Refused, &text, || log_problems(&problems, goes_on));
                if strict {
                    self.stats.flush();
                    return false;
                }
                last_good.unwrap_or_default()
            }
        };
        // A VM on trial never ticks, so what it counted is added now.
        self.stats.flush();
        let mut without_keys = Vec::new();
        let keys = KeyRing::new(&policy, host::environment, |rollout, overrides, why| {
            without_keys.push(no_keys(rollout, overrides, why));
        });
        if !without_keys.is_empty() {
            plugin.once(Told::NoKeys, &text, || without_keys.iter().for_each(|line| log::error!("{line}")));
        }
        self.active = Rc::new(Active::new(policy, keys, self.stats.clone()));
        self.active.roll_back(plugin);
        self.active.queue_gauges(plugin);
        host::set_tick_period(TICK);
        true
    }

    fn on_tick(&mut self) {
        logger::tick();
        let active = &self.active;
        let before = active.now.get();
        let now = now().or(before);
        active.now.set(now);
        self.count_seconds(before, now);
        active.merge_draws(&self.plugin);
        let is_rolled_back = active.guard(&self.plugin);
        self.stats.flush();
        // A clock that was set back takes weights back too.
        let is_step = now < before || active.next_change.get().is_some_and(|change| Some(change) <= now);
        if is_step || is_rolled_back {
            active.queue_gauges(&self.plugin);
        }
        self.stats.gauges().tick(&self.plugin);
    }

    fn create_http_context(&self, _: u32) -> Option<Box<dyn HttpContext>> {
        Some(Box::new(Http::new(self.active.clone())))
    }

    fn get_type(&self) -> Option<ContextType> {
        Some(ContextType::HttpContext)
    }
}

impl Active {
    fn new(policy: Policy, keys: KeyRing, stats: Rc<Stats>) -> Self {
        Self {
            next_change: Cell::default(),
            keys,
            random: Random::default(),
            draws: Draws::new(&policy),
            guards: Guards::new(&policy),
            rollbacks: RefCell::default(),
            sampler: Sampler::default(),
            now: Cell::new(now()),
            table: Table::new(&policy),
            policy,
            stats,
            line: RefCell::default(),
            ended: Cell::new(false),
        }
    }

    /// What decisions depend on beside the policy and the request. `random` and `rollbacks` are for
    /// the caller to keep.
    pub(crate) fn ambient<'a>(
        &'a self,
        random: &'a dyn Fn() -> Option<u128>,
        rollbacks: &'a Rollbacks,
    ) -> Ambient<'a> {
        // Without a clock nobody knows which tokens have expired.
        let keys = self.now.get().map(|_| &self.keys);
        Ambient { now: self.instant(), random, keys, rollbacks }
    }

    /// 128 random bits.
    pub(crate) fn random(&self) -> Option<u128> {
        self.random.bits()
    }

    /// The time; long ago where nobody knows it, so that no step is in force.
    fn instant(&self) -> Instant {
        self.now.get().unwrap_or_default()
    }

    fn queue_gauges(&self, plugin: &Plugin) {
        self.next_change.set(self.policy.next_change(self.instant()));
        self.stats.gauges().queue(&self.policy, self.instant(), &self.rollbacks.borrow(), plugin);
    }

    /// Writes a decision to the filter state, for access logs.
    pub(crate) fn log_decision(&self, decision: &Decision<'_>) {
        let mut line = self.line.borrow_mut();
        line.clear();
        if write!(line, "{decision}").is_ok() {
            host::set_filter_state("canary.decision", &line);
        }
    }

    /// An exchange is over.
    pub(crate) fn count_end(&self, outcome: Outcome) {
        self.table.end(outcome, &self.policy, &self.stats);
        self.guards.saw(&outcome, &self.policy, &self.rollbacks.borrow());
    }

    /// What the guardrail rolled back under earlier policies is so from the first request on.
    fn roll_back(&self, plugin: &Plugin) {
        self.rollbacks.replace(self.round(plugin).rollbacks());
    }

    /// A round of the guardrail; whether something else is rolled back now.
    fn guard(&self, plugin: &Plugin) -> bool {
        let now = self.guards.round(self.round(plugin));
        *self.rollbacks.borrow() != now && {
            self.rollbacks.replace(now);
            true
        }
    }

    fn round<'a>(&'a self, plugin: &'a Plugin) -> Round<'a> {
        let now = host::moment().map_or(0, Moment::seconds);
        Round { plugin, policy: &self.policy, stats: &self.stats, time: self.instant(), now }
    }

    /// Counts a request with its decision.
    pub(crate) fn count_request(&self, plan: &RequestPlan<'_>) {
        self.table.request(plan, &self.policy, &self.stats);
        if let Some(draw) = &plan.draw {
            self.draws.drawn(draw, &self.rollbacks.borrow(), &self.table, &self.policy, &self.stats);
        }
    }

    fn merge_draws(&self, plugin: &Plugin) {
        self.draws.merge(self.instant(), plugin, &self.table, &self.policy, &self.stats);
    }

    /// A stream is over. After the plugin's end no tick comes to add what it counted.
    pub(crate) fn stream_ended(&self) {
        if self.ended.get() {
            self.stats.flush();
        }
    }
}

/// The time; `None` where the host does not tell it.
fn now() -> Option<Instant> {
    Instant::try_from(host::now()?).ok()
}

fn log_empty() {
    log::warn!(
        "policy empty: no rollouts, everything is stable; if you gave one, give it as a JSON text \
         in a google.protobuf.StringValue or as a google.protobuf.Struct"
    );
}

fn log_loaded(policy: &Policy) {
    let revision = policy.revision.as_deref().unwrap_or("-");
    let (rollouts, digest) = (policy.rollouts.len(), policy.digest);
    log::info!("policy loaded revision={revision} rollouts={rollouts} digest={digest}");
}

fn no_keys(rollout: &Rollout, overrides: &Override, why: NoKeys) -> String {
    let (name, key_env) = (&rollout.name, &overrides.key_env);
    format!("override off, every token is refused rollout={name} key_env={key_env} why={why:?}")
}

fn log_problems(problems: &Problems, goes_on: &str) {
    for problem in problems.iter().take(MAX_PROBLEMS_LOGGED) {
        log::error!("policy problem: {problem}");
    }
    log::error!("policy refused problems={} serving={goes_on:?}", problems.len());
}
