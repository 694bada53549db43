//! `canaryctl`: see `canaryctl --help`.

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    canaryctl::run(&canaryctl::cli::Cli::parse())
}
