//! A field of a wire struct, which may be missing or bad.

use serde::de::{Deserialize, Deserializer};

use super::problem::{Path, Problems};

/// A field of a wire struct: left out, given as something that it cannot be (and this
/// has been reported), or given.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) enum Field<T> {
    /// Not in the document.
    #[default]
    Missing,
    /// In the document, but not of this type; reported.
    Bad,
    /// In the document.
    Given(T),
}

/// A list whose entries are read one by one, good ones beside bad ones.
pub(super) type List<T> = Field<Vec<Field<T>>>;

impl<T> Field<T> {
    /// The value, where there is a good one.
    pub(super) fn given(&self) -> Option<&T> {
        match self {
            Self::Given(value) => Some(value),
            Self::Missing | Self::Bad => None,
        }
    }

    /// The value; one that is left out is reported at the parent's path.
    pub(super) fn required(&self, parent: &Path<'_>, key: &str, problems: &mut Problems) -> Option<&T> {
        if matches!(self, Self::Missing) {
            problems.add(&parent.key(key), "is required");
        }
        self.given()
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Field<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(T::deserialize(deserializer).map_or(Self::Bad, Self::Given))
    }
}

#[cfg(feature = "schema")]
impl<T: schemars::JsonSchema> schemars::JsonSchema for Field<T> {
    fn inline_schema() -> bool {
        T::inline_schema()
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        T::schema_name()
    }

    fn schema_id() -> std::borrow::Cow<'static, str> {
        T::schema_id()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        T::json_schema(generator)
    }
}
