//! Commands, options and their help: everything that a user types stands in this file.

use std::ffi::OsString;
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::builder::{NonEmptyStringValueParser, OsStringValueParser, TypedValueParser};
use clap::{Args, Parser, Subcommand, ValueEnum};

use canary_core::timeline::Instant;

use crate::clock;
use crate::drill::Fault;
use crate::explain::Header;
use crate::status::{self, Endpoint};

const EXAMPLES: &str = "\
Examples:
  canaryctl validate envoy/policies/basic.json
  canaryctl explain envoy/policies/geo.json --header 'x-user-id: alice'
  canaryctl render envoy/policies/basic.json --to ecds > canary.json
  canaryctl demo
  canaryctl drill

Exit codes:
  0  done: the policy is valid, the demo held, the drill's canary was caught
  1  the policy has problems, each on a line of stderr; the demo or the drill
     did not hold
  2  wrong usage, an unreadable file, an Envoy that cannot be started";

const VALIDATE_EXAMPLES: &str = "\
A valid policy prints its size, its digest (what Envoy's gauge
canary_policy_info shows) and everything in a request that it believes.
A bad one prints EVERY problem on stderr, one line each, in the words of
Envoy's log:
  rollouts[0].variants[1].weight: must be between 0 and 100, got 120

Examples:
  canaryctl validate policy.json
  git show HEAD:policy.json | canaryctl validate -

Exit codes:
  0  valid
  1  it has problems
  2  wrong usage, or the file cannot be read";

const EXPLAIN_EXAMPLES: &str = "\
It runs the filter's own code, so Envoy decides the same. Say the request
as it reaches the filter: the path as Envoy has normalised it, the source
address after Envoy's trusted hops.

Examples:
  canaryctl explain policy.json --header 'x-user-id: alice' \\
      --header 'x-geo-country: DE' --host shop.example.com --path /checkout
  canaryctl explain policy.json --header 'cookie: uid=alice'
  canaryctl explain policy.json --header 'x-user-id: alice' --format json
  canaryctl explain policy.json --header 'x-user-id: alice' \\
      --at 2026-12-24T12:00:00+01:00

The JSON keys are rollout, variant, cluster, reason, rule, bucket (per
million) and hash (16 hex digits); null where there is none, as the variant
of a request without identity that is drawn at random. Where the rollout has
flags, `flags` lists those that are on.
Reasons: SPLIT, TARGETING_MATCH, OVERRIDE, INBOUND, ANONYMOUS, DISABLED,
ROLLED_BACK, EXCLUDED, DEFAULT.

A token is checked with the key in this process's environment, under the
name that the policy gives (`key_env`).

Exit codes:
  0  explained
  1  the policy has problems
  2  wrong usage, or the file cannot be read";

const RENDER_EXAMPLES: &str = "\
The policy is validated first; a bad one is not rendered. Envoy sees a
RENAME into the directory that it watches, never a write to the file.

Example:
  canaryctl render policy.json --to ecds > dist/ecds/next &&
      mv dist/ecds/next dist/ecds/canary.json

Exit codes:
  0  rendered
  1  the policy has problems
  2  wrong usage, or the file cannot be read";

const TIMELINE_EXAMPLES: &str = "\
Steps are shown when they come into force: where one falls due outside the
windows, or in a freeze, that is when the schedule next runs.

Examples:
  canaryctl timeline envoy/policies/phased.json
  canaryctl timeline policy.json --from 2026-12-01T00:00:00Z --days 30
  canaryctl timeline policy.json --format json

Exit codes:
  0  shown
  1  the policy has problems
  2  wrong usage, or the file cannot be read";

const TOKEN_EXAMPLES: &str = "\
The key is the value of an environment variable, at least 32 bytes, the same
in Envoy's environment and here. Two keys with a comma between them: the
first mints, both check.

Examples:
  export CANARY_OVERRIDE_KEY=$(openssl rand -hex 32)
  token=$(canaryctl token mint --rollout checkout --variant canary --expires-in 1h)
  curl -H \"x-deployment-override: $token\" https://shop.example.com/checkout
  canaryctl token check \"$token\" --rollout checkout --variant canary

Exit codes:
  0  minted; the token is good
  1  the token is not good
  2  wrong usage, or there is no key";

const HASH_IDS_EXAMPLES: &str = "\
Reads one identity per line and prints one hash per line, for
`identity_hashes` of the segment with this name.

Examples:
  canaryctl hash-ids --segment beta < ids.txt
  canaryctl hash-ids --segment beta --format json < ids.txt

Exit codes:
  0  hashed
  2  wrong usage, or the input cannot be read";

const STATUS_EXAMPLES: &str = "\
Reads what the filter counted from Envoy and compares each variant with the
baseline. Without --watch the figures are totals since Envoy started; with
it they are of a window that slides. Several proxies are summed.

An --admin without a path is an Envoy's admin interface; with a path it is a
page in Prometheus' text format, as the one of Istio's sidecars.

Verdicts, by exact tests against the baseline: worse or better (one-sided
p < 0.05), higher but not proven, too few to tell, no difference seen. Where
the rollout has a guardrail, what that says of each variant, too.

Examples:
  canaryctl status
  canaryctl status --policy policy.json
  canaryctl status --admin http://10.0.0.5:9901 --admin http://10.0.0.6:9901
  canaryctl status --admin http://localhost:15090/stats/prometheus
  canaryctl status --watch --interval 5s --window 15m
  canaryctl status --format json | jq '.rollouts[].findings[].text'

Exit codes:
  0  shown, whatever it says; a watch was ended
  2  wrong usage, no such rollout, or no Envoy could be read";

const DEMO_EXAMPLES: &str = "\
Run it in the root of the repository, after `make build`; `make demo` and
`make run` do both.

Without --serve it starts a real Envoy, sends users of several countries
through it, compares each country's share, from Envoy's own stats, with the
policy's weight, changes a weight under load, and ends by itself.
With --serve it goes on until Ctrl-C and loads the policy when it is saved.

Examples:
  canaryctl demo
  canaryctl demo --serve --port 8000 --policy envoy/policies/geo.json

Exit codes:
  0  all held; with --serve, ended by Ctrl-C
  1  the policy has problems, or something did not hold
  2  wrong usage, or it could not start";

const DRILL_EXAMPLES: &str = "\
It starts a real Envoy with the policy and two or more small upstreams of its
own, sends users, lets the variant be healthy for some time and then fail, and
says when the guardrail caught it, how many users were hit, that they are back
on the baseline, and that nobody else noticed. All of it on 127.0.0.1.

Run it in the root of the repository, after `make build`; `make drill` does
both.

Examples:
  canaryctl drill
  canaryctl drill policy.json --rollout checkout --fail errors=5
  canaryctl drill policy.json --fail latency=200 --rps 1000
  canaryctl drill policy.json --rollout search --variant blue --weight 10
  canaryctl drill policy.json --format json | jq .caught

Exit codes:
  0  caught; stable was untouched, and there was no false alarm
  1  not caught in time, or a false alarm, or others were hit too
  2  wrong usage, the policy has problems or no guardrail, or it could not run";

/// Sticky canary releases inside Envoy: check policies, explain decisions, render configuration.
#[derive(Debug, Parser)]
#[command(name = "canaryctl", version, after_help = EXAMPLES, max_term_width = 100)]
pub struct Cli {
    /// What is to be done.
    #[command(subcommand)]
    pub command: Command,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Check a policy: every problem at once, and what it believes of a request
    #[command(after_help = VALIDATE_EXAMPLES)]
    Validate(ValidateArgs),
    /// Say which variant a request gets, and why
    #[command(after_help = EXPLAIN_EXAMPLES)]
    Explain(ExplainArgs),
    /// Print the JSON Schema of the policy language, for editors and CI
    #[command(after_help = "Example:\n  canaryctl schema > canary-policy.schema.json")]
    Schema,
    /// Turn a policy into configuration that can be deployed
    #[command(after_help = RENDER_EXAMPLES)]
    Render(RenderArgs),
    /// Show the weights to come: a table and a chart for each rollout with a schedule
    #[command(after_help = TIMELINE_EXAMPLES)]
    Timeline(TimelineArgs),
    /// Mint and check signed tokens that ask for a side of a rollout
    #[command(subcommand, after_help = TOKEN_EXAMPLES)]
    Token(TokenCommand),
    /// Hash identities for a segment, so that none stands in a policy
    #[command(after_help = HASH_IDS_EXAMPLES)]
    HashIds(HashIdsArgs),
    /// Say how each side of each rollout fares, from a running Envoy's stats
    #[command(after_help = STATUS_EXAMPLES)]
    Status(StatusArgs),
    /// Show it at work in a real Envoy on this machine
    #[command(after_help = DEMO_EXAMPLES)]
    Demo(DemoArgs),
    /// Let a canary fail in a real Envoy on this machine, and see the guardrail roll it back
    #[command(after_help = DRILL_EXAMPLES)]
    Drill(DrillArgs),
}

/// Options of `validate`.
#[derive(Debug, Args)]
pub struct ValidateArgs {
    /// The policy, a JSON file; `-` is stdin
    pub policy: PathBuf,
}

/// Options of `explain`.
#[derive(Debug, Args)]
pub struct ExplainArgs {
    /// The policy, a JSON file; `-` is stdin
    pub policy: PathBuf,
    /// A request header; may be repeated, and of one name the first counts
    #[arg(long, value_name = "NAME: VALUE", value_parser = OsStringValueParser::new().try_map(Header::parse))]
    pub header: Vec<Header>,
    /// The request's method
    #[arg(long, default_value = "GET")]
    pub method: String,
    /// The request's host, with port or without; none by default
    #[arg(long)]
    pub host: Option<OsString>,
    /// The request's path; may have a query
    #[arg(long, default_value = "/")]
    pub path: OsString,
    /// The address that Envoy takes for the client's
    #[arg(long, value_name = "IP")]
    pub source: Option<IpAddr>,
    /// When it comes, as in RFC 3339; now by default
    #[arg(long, value_name = "TIME", value_parser = clock::parse)]
    pub at: Option<Instant>,
    /// For people or for programs
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub format: Format,
}

/// For whom output is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// Sentences, for people
    Text,
    /// One JSON object, for programs
    Json,
}

/// Options of `render`.
#[derive(Debug, Args)]
pub struct RenderArgs {
    /// The policy, a JSON file; `-` is stdin
    pub policy: PathBuf,
    /// What to render
    #[arg(long, value_enum)]
    pub to: Target,
    /// The filter's name in Envoy's list of HTTP filters
    #[arg(long, default_value = "canary", value_parser = NonEmptyStringValueParser::new())]
    pub name: String,
    /// Where Envoy finds the filter, as a path on Envoy's machine
    #[arg(long, value_name = "PATH", default_value = crate::render::WASM)]
    pub wasm: String,
    /// The VM's id: filters of one id share their last good policy
    #[arg(long, default_value = "canary")]
    pub vm_id: String,
    /// Let Envoy refuse (NACK) a bad policy instead of going on with the last good one
    #[arg(long)]
    pub strict: bool,
}

/// Options of `timeline`.
#[derive(Debug, Args)]
pub struct TimelineArgs {
    /// The policy, a JSON file; `-` is stdin
    pub policy: PathBuf,
    /// Only this rollout
    #[arg(long, value_name = "NAME")]
    pub rollout: Option<String>,
    /// Where the chart begins, as in RFC 3339; now by default
    #[arg(long, value_name = "TIME", value_parser = clock::parse)]
    pub from: Option<Instant>,
    /// How far the chart goes; to the last step by default
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=3650))]
    pub days: Option<u32>,
    /// For people or for programs
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub format: Format,
}

/// What is done with tokens.
#[derive(Debug, Subcommand)]
pub enum TokenCommand {
    /// Print a token, alone, on stdout
    #[command(after_help = TOKEN_EXAMPLES)]
    Mint(MintArgs),
    /// Say whether a token is good, and why not
    #[command(after_help = TOKEN_EXAMPLES)]
    Check(CheckArgs),
}

/// Options of `token mint`.
#[derive(Debug, Args)]
pub struct MintArgs {
    /// The rollout's name
    #[arg(long, value_parser = crate::token::parse_name)]
    pub rollout: String,
    /// The variant's name; the baseline's too
    #[arg(long, value_parser = crate::token::parse_name)]
    pub variant: String,
    /// How long it is good for: 90s, 30m, 1h, 7d
    #[arg(long, value_name = "TIME", value_parser = crate::token::parse_duration)]
    pub expires_in: u64,
    /// The environment variable with the key
    #[arg(long, value_name = "NAME", default_value = "CANARY_OVERRIDE_KEY")]
    pub key_env: String,
}

/// Options of `token check`.
#[derive(Debug, Args)]
pub struct CheckArgs {
    /// The token
    pub token: String,
    /// The rollout that it must be for; what it names by default
    #[arg(long, requires = "variant", value_parser = crate::token::parse_name)]
    pub rollout: Option<String>,
    /// The variant that it must be for
    #[arg(long, requires = "rollout", value_parser = crate::token::parse_name)]
    pub variant: Option<String>,
    /// When it is checked, as in RFC 3339; now by default
    #[arg(long, value_name = "TIME", value_parser = clock::parse)]
    pub at: Option<Instant>,
    /// The environment variable with the key
    #[arg(long, value_name = "NAME", default_value = "CANARY_OVERRIDE_KEY")]
    pub key_env: String,
}

/// Options of `hash-ids`.
#[derive(Debug, Args)]
pub struct HashIdsArgs {
    /// The segment's name: the salt of the hashes
    #[arg(long, value_parser = crate::token::parse_name)]
    pub segment: String,
    /// The identities, one per line; `-` is stdin
    #[arg(value_name = "FILE", default_value = "-")]
    pub ids: PathBuf,
    /// One hash per line, or a JSON list
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub format: Format,
}

/// What a policy can be rendered to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Target {
    /// A `DiscoveryResponse` for Envoy's extension config discovery, as a file or from a server
    Ecds,
}

/// Options of `status`.
#[derive(Debug, Args)]
pub struct StatusArgs {
    /// Where to read: an Envoy's admin, or a page for Prometheus; may be repeated
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:9901", value_parser = Endpoint::parse)]
    pub admin: Vec<Endpoint>,
    /// Only this rollout
    #[arg(long, value_name = "NAME")]
    pub rollout: Option<String>,
    /// The policy that Envoy has: what its guardrails need, and what they can find how soon
    #[arg(long, value_name = "FILE")]
    pub policy: Option<PathBuf>,
    /// Go on until Ctrl-C or q; on a terminal in place, else one after the other
    #[arg(long)]
    pub watch: bool,
    /// How often a watch reads, 500ms or more
    #[arg(long, value_name = "TIME", default_value = "2s", requires = "watch", value_parser = status::parse_interval)]
    pub interval: Duration,
    /// How far a watch looks back
    #[arg(long, value_name = "TIME", default_value = "5m", requires = "watch", value_parser = status::parse_window)]
    pub window: Duration,
    /// For people or for programs; with --watch one object in each line
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub format: Format,
}

/// Options of `demo`.
#[derive(Debug, Args)]
pub struct DemoArgs {
    /// Go on until Ctrl-C, and load the policy whenever it is saved
    #[arg(long)]
    pub serve: bool,
    /// The policy
    #[arg(long, value_name = "FILE", default_value = "envoy/policies/demo.json")]
    pub policy: PathBuf,
    /// The port of Envoy's listener on 127.0.0.1
    #[arg(long, default_value_t = 10_000)]
    pub port: u16,
    /// The port of Envoy's admin interface on 127.0.0.1
    #[arg(long, value_name = "PORT", default_value_t = 9901)]
    pub admin_port: u16,
    /// What it starts
    #[command(flatten)]
    pub envoy: EnvoyArgs,
    /// How many users to send from each country
    #[arg(long, default_value_t = 3000, value_parser = clap::value_parser!(u32).range(100..=1_000_000))]
    pub users: u32,
}

/// An Envoy on this machine.
#[derive(Debug, Args)]
pub struct EnvoyArgs {
    /// The Envoy to start, 1.36 or later [default: $ENVOY, else envoy on PATH]
    #[arg(long, value_name = "PATH")]
    pub envoy: Option<PathBuf>,
    /// Envoy's bootstrap
    #[arg(long, value_name = "FILE", default_value = "envoy/envoy.yaml")]
    pub envoy_config: PathBuf,
    /// The filter
    #[arg(long, value_name = "FILE", default_value = crate::render::WASM)]
    pub wasm: PathBuf,
}

/// Options of `drill`.
#[derive(Debug, Args)]
pub struct DrillArgs {
    /// The policy, a JSON file; `-` is stdin
    #[arg(default_value = "envoy/policies/guardrail.json")]
    pub policy: PathBuf,
    /// The rollout [default: the only one with a guardrail]
    #[arg(long, value_name = "NAME")]
    pub rollout: Option<String>,
    /// The variant that fails [default: the first with a weight]
    #[arg(long, value_name = "NAME")]
    pub variant: Option<String>,
    /// Give the variant this weight in percent, whatever the policy says
    #[arg(long, value_name = "PERCENT")]
    pub weight: Option<f64>,
    /// How it fails: errors=50 (percent), latency=200 (ms more) or hang [default: what is watched]
    #[arg(long, value_name = "FAULT", value_parser = Fault::parse)]
    pub fail: Option<Fault>,
    /// Where all users come from, as in the policy's first geo source
    #[arg(long, value_name = "GEO")]
    pub geo: Option<String>,
    /// Requests per second
    #[arg(long, value_name = "N", default_value_t = 500, value_parser = clap::value_parser!(u32).range(10..=20_000))]
    pub rps: u32,
    /// How many users there are
    #[arg(long, value_name = "N", default_value_t = 5000, value_parser = clap::value_parser!(u32).range(100..=1_000_000))]
    pub users: u32,
    /// For how long the variant is healthy at first
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=3600))]
    pub seconds: u32,
    /// For how many seconds it then fails at most, before the guardrail must have acted
    #[arg(long, value_name = "N", default_value_t = 60, value_parser = clap::value_parser!(u32).range(1..=3600))]
    pub deadline: u32,
    /// How many workers Envoy has
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u32).range(1..=64))]
    pub workers: u32,
    /// What it starts
    #[command(flatten)]
    pub envoy: EnvoyArgs,
    /// For people or for programs
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub format: Format,
}
