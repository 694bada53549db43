//! The operator's tool for canary policies, as a library: the binary `canaryctl` is a
//! shell around [`run`].
//!
//! Every command stands on the core that the filter runs, so what it says about a
//! policy is what Envoy does; there is no second evaluator here.
//!
//! | module | what it holds |
//! |---|---|
//! | [`cli`] | commands, options and their help |
//! | [`explain`] | one request → what it gets and why |
//! | [`render`] | a policy → what Envoy loads |
//! | `validate`, `schema` | the commands of these names |
//! | `timeline` | schedules → the weights to come, as a table and a chart |
//! | `token`, `hash_ids` | signed tokens; identities that need not stand in a policy |
//! | [`status`] | running Envoys → how each side fares, once or watched |
//! | [`clock`] | the time, where it is not told |
//! | `demo` | a real Envoy, real traffic, and its own stats against the policy's weights |
//! | [`drill`] | a real Envoy and a canary that fails: is it rolled back? |

pub mod cli;
pub mod clock;
pub mod drill;
pub mod explain;
pub mod render;
pub mod status;

mod demo;
mod hash_ids;
mod interrupt;
mod policy_file;
mod schema;
mod streams;
mod timeline;
mod token;
mod validate;

use std::process::ExitCode;

use anyhow::Result;

use crate::cli::{Cli, Command};
use crate::streams::Streams;

/// How a command ended that could do its work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    /// All is well: exit code 0.
    Good,
    /// The policy has problems, or the demo or the drill did not hold: exit code 1.
    Bad,
}

/// Runs a command; what stopped it from doing its work goes to stderr, with exit code 2.
pub fn run(cli: &Cli) -> ExitCode {
    let mut streams = Streams::new();
    let outcome = dispatch(cli, &mut streams);
    if streams.reader_left() {
        return ExitCode::SUCCESS;
    }
    match outcome {
        Ok(Outcome::Good) => ExitCode::SUCCESS,
        Ok(Outcome::Bad) => ExitCode::from(1),
        Err(error) => {
            streams.warn(format_args!("canaryctl: {error:#}"));
            ExitCode::from(2)
        }
    }
}

fn dispatch(cli: &Cli, streams: &mut Streams) -> Result<Outcome> {
    match &cli.command {
        Command::Validate(args) => validate::run(args, streams),
        Command::Explain(args) => explain::run(args, streams),
        Command::Schema => schema::run(streams),
        Command::Render(args) => render::run(args, streams),
        Command::Timeline(args) => timeline::run(args, streams),
        Command::Token(command) => token::run(command, streams),
        Command::HashIds(args) => hash_ids::run(args, streams),
        Command::Status(args) => status::run(args, streams),
        Command::Demo(args) => demo::run(args, streams),
        Command::Drill(args) => drill::run(args, streams),
    }
}
