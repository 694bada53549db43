//! What is drilled: a policy, one of its rollouts, the variant that is to fail, and how.

use anyhow::{Context, Result, bail};
use canary_core::guardrail::settings::OnBreach;
use canary_core::policy::Policy;
use canary_core::rollback::NOTHING;
use canary_core::rollout::{Guardrail, Rollout, Variant};
use canary_core::split::VariantId;
use serde_json::{Value, json};

use super::fault::Fault;
use super::people::People;
use crate::cli::DrillArgs;
use crate::clock;
use crate::policy_file::PolicyFile;

/// Everything that is known before anything is started.
#[derive(Debug)]
pub(super) struct Plan {
    /// What people call the policy.
    pub(super) name: String,
    /// The policy as Envoy gets it.
    pub(super) text: String,
    pub(super) policy: Policy,
    pub(super) rollout: Rollout,
    pub(super) guardrail: Guardrail,
    pub(super) baseline: Variant,
    pub(super) variant: Variant,
    /// The variant's, in parts per million.
    pub(super) weight: u32,
    /// Whether the weight is the drill's and not the policy's.
    pub(super) is_overridden: bool,
    pub(super) fault: Fault,
    pub(super) people: People,
}

impl Plan {
    /// Chooses what was not said.
    ///
    /// # Errors
    /// Says why this policy cannot be drilled.
    pub(super) fn of(args: &DrillArgs, file: &PolicyFile) -> Result<Self> {
        let now = clock::now();
        let mut text: Value = serde_json::from_slice(file.bytes()).context("the policy is no JSON")?;
        let mut policy = parse(file.bytes())?;
        let rollout = choose(&policy, args.rollout.as_deref())?;
        let variant = variant(rollout, args)?.id;
        let is_overridden = args.weight.is_some();
        let mut rendered = file.text();
        if let Some(weight) = args.weight {
            let name = rollout.name.clone();
            set_weight(&mut text, rollout, variant, weight)?;
            rendered = text.to_string();
            policy = parse(rendered.as_bytes()).with_context(|| format!("--weight {weight} for {name}"))?;
        }
        let rollout = choose(&policy, args.rollout.as_deref())?.clone();
        let variant = rollout.variant(variant).context("the variant is gone")?.clone();
        let baseline = rollout.variant(VariantId::BASELINE).context("there is no baseline")?.clone();
        let weight = weight(&rollout, variant.id);
        if variant.rolled_back {
            bail!("the policy's state has {} rolled back: there is nobody to save", variant.name);
        }
        if weight == 0 {
            bail!("{} has no weight now: --weight 10 tries it with 10 %", variant.name);
        }
        if weight == canary_core::bucket::MILLION {
            bail!(
                "{} has all users, so there is nobody to compare: --weight 10 tries it with 10 %",
                variant.name
            );
        }
        if rollout.observe {
            bail!("{} only observes: nobody is sent to {}, so it cannot fail", rollout.name, variant.name);
        }
        let guardrail = rollout.guardrail.clone().context("the guardrail is gone")?;
        let fault = args.fail.or_else(|| Fault::against(&guardrail.settings));
        let fault = fault.context("the guardrail watches events only: the drill can make none")?;
        if !fault.is_watched(&guardrail.settings) {
            bail!("the guardrail does not watch what --fail {fault} does: it lacks {}", lacks(fault));
        }
        let longest = i64::from(args.seconds) + i64::from(args.deadline) + 60;
        if let Some(change) = rollout.timeline.next_change(now).filter(|change| change - now < longest) {
            bail!(
                "its schedule changes in {} s, in the middle of the drill: --weight 10 holds it",
                change - now
            );
        }
        let people = People::of(&policy, &text, &rollout.name, args.geo.as_deref(), args.users, now)?;
        let count = people.count(variant.id);
        let least = guardrail.settings.min_failures;
        if u32::try_from(count).unwrap_or(u32::MAX) < least {
            bail!(
                "{} of the drill's {} users get {}, and the guardrail acts when {least} are hit: more --users, or \
                 --weight",
                count,
                args.users,
                variant.name
            );
        }
        let name = file.name().to_owned();
        Ok(Self {
            name,
            text: rendered,
            policy,
            rollout,
            guardrail,
            baseline,
            variant,
            weight,
            is_overridden,
            fault,
            people,
        })
    }

    /// Whether a breach is told and nothing else.
    pub(super) fn only_alerts(&self) -> bool {
        self.guardrail.settings.on_breach == OnBreach::Alert
    }
}

fn parse(text: &[u8]) -> Result<Policy> {
    Policy::parse(text).map_err(|problems| {
        let all = problems.iter().map(ToString::to_string);
        anyhow::anyhow!("{}", all.collect::<Vec<_>>().join("; "))
    })
}

/// The rollout that was asked for, else the only one that can be drilled.
fn choose<'p>(policy: &'p Policy, asked_for: Option<&str>) -> Result<&'p Rollout> {
    let names = |all: &[&Rollout]| all.iter().map(|own| &*own.name).collect::<Vec<_>>().join(", ");
    let all: Vec<_> = policy.rollouts.iter().collect();
    let guarded: Vec<_> = all.iter().copied().filter(|own| own.guardrail.is_some()).collect();
    match (asked_for, guarded.as_slice()) {
        (Some(name), _) => {
            let own = all.iter().find(|own| &*own.name == name);
            let own = own.with_context(|| format!("no rollout {name:?}: the policy has {}", names(&all)))?;
            if own.guardrail.is_none() {
                bail!(
                    "{name} has no `guardrail` in the policy: nothing would act; {{\"errors\": {{}}}} is one"
                );
            }
            Ok(own)
        }
        (None, [one]) => Ok(one),
        (None, []) => bail!("no rollout of the policy has a `guardrail`: nothing would act"),
        (None, _) => bail!("which one? --rollout with one of {}", names(&guarded)),
    }
}

/// The variant that was asked for, else the first with users.
fn variant<'p>(rollout: &'p Rollout, args: &DrillArgs) -> Result<&'p Variant> {
    let variants = || rollout.variants.iter().skip(1);
    let Some(name) = &args.variant else {
        let with_users = variants().find(|variant| weight(rollout, variant.id) > 0);
        return with_users.or_else(|| variants().next()).context("the rollout has no variants");
    };
    variants().find(|variant| *variant.name == **name).with_context(|| {
        let names: Vec<_> = variants().map(|variant| &*variant.name).collect();
        format!("{} has no variant {name:?}: it has {}", rollout.name, names.join(", "))
    })
}

/// What a side has now, in parts per million.
fn weight(rollout: &Rollout, side: VariantId) -> u32 {
    let mut weights = rollout.effective_weights(clock::now(), &NOTHING);
    weights.find(|(variant, _)| variant.id == side).map_or(0, |(_, ppm)| ppm)
}

/// Writes a weight into the policy's state, where an operator would.
fn set_weight(policy: &mut Value, rollout: &Rollout, variant: VariantId, percent: f64) -> Result<()> {
    let variant = rollout.variant(variant).context("the variant is gone")?;
    let root = policy.as_object_mut().context("the policy is no object")?;
    let states = root.entry("state").or_insert_with(|| json!({}));
    let states = states.as_object_mut().context("`state` is no object")?;
    let state = states.entry(rollout.name.to_string()).or_insert_with(|| json!({}));
    let is_in_force = match (state.get("release").and_then(Value::as_str), &rollout.release) {
        (None, _) => true,
        (Some(written), own) => own.as_deref() == Some(written),
    };
    if !is_in_force {
        *state = json!({});
    }
    let state = state.as_object_mut().context("a rollout's state is no object")?;
    let weights = state.entry("weights").or_insert_with(|| json!({}));
    weights
        .as_object_mut()
        .context("`weights` is no object")?
        .insert(variant.name.to_string(), json!(percent));
    Ok(())
}

fn lacks(fault: Fault) -> &'static str {
    match fault {
        Fault::Errors(_) => "`errors`",
        Fault::Latency(_) | Fault::Hang => "`latency`",
    }
}
