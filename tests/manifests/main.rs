//! What is shipped for platforms that cannot be run here, against their own schemas.
//!
//! The schemas lie beside the repository in `../shared/schemas`, or where `CANARY_SCHEMAS` says.
//! Where they do not, the tests that need them are listed as ignored and a line says why: they
//! are no tool that can be installed, so that is no failure even in CI.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod compose;
mod istio;
mod schemas;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use libtest_mimic::{Arguments, Trial};
use serde_json::Value;

use schemas::Schemas;

/// A path in the repository.
fn repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// A text file of the repository.
fn text(path: &str) -> String {
    std::fs::read_to_string(repository(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// A file of YAML as JSON.
fn yaml(path: &str) -> Value {
    serde_saphyr::from_str(&text(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// A test by its function's name.
fn trial(name: &'static str, test: fn()) -> Trial {
    Trial::test(name, move || {
        test();
        Ok(())
    })
}

/// A test that needs the schemas; ignored where there are none.
fn against(schemas: Option<&Schemas>, name: &'static str, test: fn(&Schemas)) -> Trial {
    let here = schemas.cloned();
    Trial::test(name, move || {
        test(&here.expect("ignored where there are none"));
        Ok(())
    })
    .with_ignored_flag(schemas.is_none())
}

fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    arguments.ignored = false;
    arguments.include_ignored = false;
    let schemas = Schemas::find();
    if schemas.is_none() {
        eprintln!(
            "skipped: manifests: no schemas in ../shared/schemas (CANARY_SCHEMAS names another folder)"
        );
    }
    let schemas = schemas.as_ref();
    let trials = vec![
        against(schemas, "istio::every_resource_fits_its_schema", istio::every_resource_fits_its_schema),
        against(schemas, "istio::a_misspelt_field_does_not_fit", istio::a_misspelt_field_does_not_fit),
        trial("istio::the_policy_is_valid", istio::the_policy_is_valid),
        trial("istio::the_routes_are_for_the_policys_stamps", istio::the_routes_are_for_the_policys_stamps),
        trial(
            "istio::stamps_are_removed_early_as_in_envoy_yaml",
            istio::stamps_are_removed_early_as_in_envoy_yaml,
        ),
        against(
            schemas,
            "compose::the_file_fits_the_specification",
            compose::the_file_fits_the_specification,
        ),
        against(schemas, "compose::a_misspelt_field_does_not_fit", compose::a_misspelt_field_does_not_fit),
        trial(
            "compose::directories_are_mounted_and_not_files",
            compose::directories_are_mounted_and_not_files,
        ),
    ];
    libtest_mimic::run(&arguments, trials).exit_code()
}
