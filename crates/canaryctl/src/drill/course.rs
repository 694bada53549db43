//! The course of a drill: healthy for a time, then failing until the guardrail acts, then a look
//! at everyone.

use std::sync::Mutex;
use std::thread;
use std::time::Duration;

use anyhow::{Result, bail};
use canary_core::split::VariantId;
use canary_lab::{Lab, Load};

use super::plan::Plan;
use super::traffic::{Answer, Sent, Traffic};
use super::upstream::Upstream;
use crate::cli::DrillArgs;
use crate::interrupt::Interrupt;
use crate::status;

/// How often the filter's log is looked at.
const LOOK: Duration = Duration::from_millis(25);

/// How often it is said how things are.
const SAY: Duration = Duration::from_secs(5);

/// For how long at least is watched what comes of a rollback, and for how long no request may
/// reach the variant before it is believed that none will.
const SETTLE: Duration = Duration::from_secs(2);
const QUIET: Duration = Duration::from_secs(1);

/// A rollback may be spread over an hour: nobody waits that long.
const LONGEST_SETTLE: Duration = Duration::from_secs(45);

/// Connections at one time, for the look at everyone.
const CONNECTIONS: usize = 16;

/// A breach that the filter has logged.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Trip {
    /// When it was seen, since traffic began.
    pub(super) at: Duration,
    pub(super) rollout: String,
    pub(super) variant: String,
    /// What was done, in the filter's words.
    pub(super) action: String,
    /// Why, in the filter's words.
    pub(super) why: String,
    /// From `guardrail breach` on.
    pub(super) line: String,
}

/// What happened.
#[derive(Debug)]
pub(super) struct Course {
    /// When the variant began to fail; it never did after a false alarm.
    pub(super) failing_from: Option<Duration>,
    /// In their order.
    pub(super) trips: Vec<Trip>,
    /// When the last request was sent.
    pub(super) ended: Duration,
    pub(super) sent: Vec<Sent>,
    /// The side of each user at the end; none where another answer came than a side's.
    pub(super) census: Vec<Option<VariantId>>,
    /// How the guardrail stood at the end.
    pub(super) standing: Standing,
}

/// What the guardrail's gauges say of the variant.
#[derive(Clone, Copy, Debug)]
pub(super) struct Standing {
    pub(super) state: &'static str,
    /// The decimal logarithm of the evidence.
    pub(super) log10_e: f64,
}

/// Everything that a drill works with.
pub(super) struct Stage<'a> {
    pub(super) plan: &'a Plan,
    pub(super) args: &'a DrillArgs,
    pub(super) lab: &'a Lab,
    pub(super) failing: &'a Upstream,
    pub(super) interrupt: &'a Interrupt,
    pub(super) traffic: &'a Traffic<'a>,
}

/// Says something while the drill goes on.
pub(super) type Say<'a> = &'a mut dyn FnMut(Duration, &str) -> Result<()>;

impl Stage<'_> {
    /// Runs a drill from its first request to its last.
    pub(super) fn run(&self, say: Say<'_>) -> Result<Course> {
        let clients = self.lab.clients(Traffic::connections(self.plan, self.args.rps))?;
        let port = self.lab.ports().main();
        let phases = thread::scope(|scope| {
            scope.spawn(|| self.traffic.run(clients, port));
            let phases = self.phases(say);
            self.traffic.stop();
            phases
        });
        let (failing_from, trips) = phases?;
        let ended = self.traffic.now();
        let sent = self.traffic.look(<[Sent]>::to_vec);
        let standing = self.standing()?;
        // What would hang is to answer now: this is about where everyone is.
        self.failing.fail(false);
        Ok(Course { failing_from, trips, ended, sent, census: self.census()?, standing })
    }

    fn phases(&self, say: Say<'_>) -> Result<(Option<Duration>, Vec<Trip>)> {
        let (variant, fault) = (&self.plan.variant.name, self.plan.fault);
        let healthy = Duration::from_secs(self.args.seconds.into());
        say(self.traffic.now(), &format!("{variant} is healthy, for {} s", healthy.as_secs()))?;
        let trips = self.watch(healthy, say)?;
        if !trips.is_empty() {
            return Ok((None, trips));
        }
        let from = self.traffic.now();
        self.traffic.fail();
        self.failing.fail(true);
        say(from, &format!("{variant} {} from now on", fault.words()))?;
        let mut trips = self.watch(from + Duration::from_secs(self.args.deadline.into()), say)?;
        if let Some(trip) = trips.first() {
            say(trip.at, &format!("{}: {}", trip.variant, trip.action))?;
            self.settle(trip.at, say)?;
        }
        // Those that were seen before keep the time at which they were.
        let later = self.trips()?.into_iter().skip(trips.len());
        trips.extend(later);
        Ok((Some(from), trips))
    }

    /// Waits until the filter logs a breach, or this time has come.
    fn watch(&self, until: Duration, say: Say<'_>) -> Result<Vec<Trip>> {
        let mut said = self.traffic.now();
        loop {
            let trips = self.trips()?;
            let now = self.look()?;
            if !trips.is_empty() || now >= until {
                return Ok(trips);
            }
            if now >= said + SAY {
                said += SAY;
                say(now, &self.progress()?)?;
            }
            thread::sleep(LOOK);
        }
    }

    /// Waits until no request reaches the variant any more, or for a time where some will.
    fn settle(&self, since: Duration, say: Say<'_>) -> Result<()> {
        let over = Duration::from_secs(self.plan.guardrail.settings.rollback_over.into());
        let at_least = since + SETTLE + over.min(LONGEST_SETTLE);
        if !over.is_zero() && !self.plan.only_alerts() {
            say(self.traffic.now(), &format!("the rollback is spread over {} s", over.as_secs()))?;
        }
        let reaches =
            |sent: &Sent| matches!(sent.answer, Answer::Served { side, .. } if side == self.plan.variant.id);
        loop {
            let now = self.look()?;
            let last =
                self.traffic.look(|sent| sent.iter().filter(|sent| reaches(sent)).map(|sent| sent.at).max());
            let is_quiet = last.is_none_or(|last| now >= last + QUIET);
            if now >= at_least && (is_quiet || now >= at_least + SETTLE || self.plan.only_alerts()) {
                return Ok(());
            }
            thread::sleep(LOOK);
        }
    }

    /// The time, where the drill is to go on.
    fn look(&self) -> Result<Duration> {
        if self.interrupt.came() {
            bail!("interrupted");
        }
        if !self.lab.is_running() {
            let log = self.lab.envoy_log().unwrap_or_default();
            let last = log.lines().rev().take(5).collect::<Vec<_>>();
            bail!("Envoy has ended by itself: {}", last.into_iter().rev().collect::<Vec<_>>().join("\n"));
        }
        Ok(self.traffic.now())
    }

    fn trips(&self) -> Result<Vec<Trip>> {
        let at = self.traffic.now();
        Ok(self.lab.envoy_log()?.lines().filter_map(|line| Trip::read(line, at)).collect())
    }

    fn progress(&self) -> Result<String> {
        let variant = &self.plan.variant;
        let own = |sent: &&Sent| sent.person.side == variant.id;
        let (all, own) = self.traffic.look(|sent| (sent.len(), sent.iter().filter(own).count()));
        let [all, own] = [all, own].map(|count| status::count(u64::try_from(count).unwrap_or(u64::MAX)));
        let state = self.standing()?.state;
        Ok(format!("{all} requests, {own} of {}'s users; guardrail: {state}", variant.name))
    }

    fn standing(&self) -> Result<Standing> {
        let gauges = self.lab.admin().stats()?;
        let labels = [("rollout", &*self.plan.rollout.name), ("variant", &*self.plan.variant.name)];
        let state = match gauges.canary("canary_guardrail_state", &labels) {
            0 => "off",
            1 => "too little data",
            2 => "healthy",
            3 => "suspicious",
            _ if self.plan.only_alerts() => "breached",
            _ => "rolled back",
        };
        let [rollout, variant] = labels;
        let all = [rollout, variant, ("metric", "all")];
        let milli = gauges.canary("canary_guardrail_log10_e_milli", &all);
        Ok(Standing { state, log10_e: f64::from(u32::try_from(milli).unwrap_or(u32::MAX)) / 1e3 })
    }

    /// One request of everyone.
    fn census(&self) -> Result<Vec<Option<VariantId>>> {
        let people = self.plan.people.all();
        let sides = Mutex::new(vec![None; people.len()]);
        let person = |number: u64| usize::try_from(number).ok().and_then(|place| people.get(place));
        let load = Load::over(self.lab.clients(CONNECTIONS)?).requests(u64::try_from(people.len())?);
        load.until(self.interrupt.flag()).run(
            // No number is beyond the last person.
            |number| {
                person(number)
                    .map_or_else(|| canary_lab::Request::get("/"), |own| self.plan.people.request(*own))
            },
            |number, response| {
                let place = usize::try_from(number).unwrap_or(usize::MAX);
                if let Answer::Served { side, ok: true, .. } = self.traffic.answer(response)
                    && let Ok(mut sides) = sides.lock()
                    && let Some(own) = sides.get_mut(place)
                {
                    *own = Some(side);
                }
            },
        );
        self.look()?;
        Ok(sides.into_inner().unwrap_or_default())
    }
}

impl Trip {
    /// Reads a line of Envoy's log.
    fn read(line: &str, at: Duration) -> Option<Self> {
        let from = line.find("guardrail breach ")?;
        let line = line.get(from..)?.trim_end();
        let field = |name: &str| {
            let (_, rest) = line.split_once(&format!(" {name}="))?;
            Some(rest.split(' ').next().unwrap_or_default().to_owned())
        };
        let quoted = |name: &str| {
            let (_, rest) = line.split_once(&format!(" {name}=\""))?;
            Some(rest.split('"').next().unwrap_or_default().to_owned())
        };
        Some(Self {
            at,
            rollout: field("rollout")?,
            variant: field("variant")?,
            action: quoted("action")?,
            why: quoted("why")?,
            line: line.to_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_breach_is_read_out_of_envoy_s_log() {
        let line = "[2026-11-23 16:00:00.000][12][warning][wasm] [x.cc:1] wasm log canary canary: guardrail breach \
                    rollout=checkout variant=canary release=v1 action=\"rolled back\" why=\"fails more often: a; \
                    E = 10^45.8, 10^2 needed\"";
        let trip = Trip::read(line, Duration::ZERO).unwrap();
        assert_eq!((&*trip.rollout, &*trip.variant), ("checkout", "canary"));
        assert_eq!(trip.why, "fails more often: a; E = 10^45.8, 10^2 needed");
        assert!(trip.line.starts_with("guardrail breach rollout="));
        assert!(Trip::read("[info] guardrail begins anew rollout=checkout", Duration::ZERO).is_none());
    }
}
