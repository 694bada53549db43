//! `docker-compose.yml`; what its command makes of the bootstrap is booted in `tests/e2e`.

use crate::schemas::Schemas;
use crate::{repository, yaml};

const FILE: &str = "docker-compose.yml";
const NONE: [String; 0] = [];

pub(crate) fn the_file_fits_the_specification(schemas: &Schemas) {
    assert_eq!(schemas.compose_problems(&yaml(FILE)), NONE);
}

pub(crate) fn a_misspelt_field_does_not_fit(schemas: &Schemas) {
    let mut file = yaml(FILE);
    let service = file["services"]["envoy"].as_object_mut().unwrap();
    let volumes = service.remove("volumes").unwrap();
    service.insert("volume".to_owned(), volumes);
    assert_ne!(schemas.compose_problems(&file), NONE);
}

/// A mounted file keeps showing the old one after a rename, and a source that is not there would
/// be made a directory of.
pub(crate) fn directories_are_mounted_and_not_files() {
    let file = yaml(FILE);
    let volumes = file["services"]["envoy"]["volumes"].as_array().unwrap();
    assert!(!volumes.is_empty());
    for volume in volumes {
        let source = volume["source"].as_str().unwrap();
        // `make build` makes the one that is no part of the repository.
        assert!(source == "./dist" || repository(source).is_dir(), "{source}");
        assert_eq!(volume["bind"]["create_host_path"], false, "{source}");
        assert_eq!(volume["read_only"], true, "{source}");
    }
}
