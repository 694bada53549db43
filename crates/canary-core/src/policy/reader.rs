//! Serde over a [`Node`] that does not stop at the first error.
//!
//! A derived `Deserialize` gives up at once. So each field of a wire struct is a
//! [`Field`](super::field::Field), which swallows an error; the error itself is noted, with its path, by the
//! deserializer in whose hands it arose. Unknown members are noted by name, since the
//! derived code says which fields it knows.

use std::cell::RefCell;
use std::fmt;

use serde::de::value::{StrDeserializer, StringDeserializer};
use serde::de::{
    self, Deserialize, DeserializeSeed, Deserializer, IntoDeserializer, MapAccess, SeqAccess, Visitor,
};
use serde::forward_to_deserialize_any;

use super::problem::{Path, Problems};
use super::tree::Node;

/// Reads a wire struct that stands at a path, noting every problem.
pub(super) fn read<'n, T: Deserialize<'n>>(
    node: &'n Node,
    path: &Path<'_>,
    problems: &mut Problems,
) -> Option<T> {
    let collected = RefCell::new(std::mem::take(problems));
    let reader = Reader { node, path, problems: &collected };
    let value = T::deserialize(reader).ok();
    *problems = collected.into_inner();
    value
}

/// An error on its way up to the next [`Field`].
#[derive(Debug)]
enum Complaint {
    /// It has been noted, with the path at which it arose.
    Noted,
    /// It has just arisen.
    New(String),
    /// It has just arisen: something else was expected.
    Expected(String),
}

impl fmt::Display for Complaint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Noted => f.write_str("reported"),
            Self::New(message) | Self::Expected(message) => f.write_str(message),
        }
    }
}

impl std::error::Error for Complaint {}

impl de::Error for Complaint {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self::New(message.to_string())
    }

    fn invalid_type(_: de::Unexpected<'_>, expected: &dyn de::Expected) -> Self {
        Self::Expected(expected.to_string())
    }

    fn invalid_value(_: de::Unexpected<'_>, expected: &dyn de::Expected) -> Self {
        Self::Expected(expected.to_string())
    }
}

#[derive(Clone, Copy)]
struct Reader<'n, 'p> {
    node: &'n Node,
    path: &'p Path<'p>,
    problems: &'p RefCell<Problems>,
}

impl Reader<'_, '_> {
    fn note(&self, message: impl fmt::Display) -> Complaint {
        self.problems.borrow_mut().add(self.path, message);
        Complaint::Noted
    }

    fn expected(&self, what: &str) -> Complaint {
        self.note(format_args!("must be {what}, got {}", self.node))
    }

    /// Notes an error that arose in a visitor.
    fn done<T>(&self, result: Result<T, Complaint>) -> Result<T, Complaint> {
        result.map_err(|complaint| match complaint {
            Complaint::Noted => complaint,
            Complaint::New(message) => self.note(message),
            Complaint::Expected(what) => self.expected(&what),
        })
    }
}

impl<'de> Deserializer<'de> for Reader<'de, '_> {
    type Error = Complaint;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Complaint> {
        match self.node {
            Node::Null => self.done(visitor.visit_unit()),
            Node::Bool(value) => self.done(visitor.visit_bool(*value)),
            Node::Number(value) => self.done(visitor.visit_f64(*value)),
            Node::String(text) => self.done(visitor.visit_str(text)),
            Node::List(_) => self.deserialize_seq(visitor),
            Node::Object(_) => self.deserialize_map(visitor),
        }
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Complaint> {
        match self.node {
            Node::Bool(value) => self.done(visitor.visit_bool(*value)),
            _ => Err(self.expected("true or false")),
        }
    }

    fn deserialize_f64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Complaint> {
        match self.node {
            Node::Number(value) => self.done(visitor.visit_f64(*value)),
            _ => Err(self.expected("a number")),
        }
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Complaint> {
        match self.node {
            Node::String(text) => self.done(visitor.visit_str(text)),
            _ => Err(self.expected("a string")),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Complaint> {
        match self.node {
            Node::Null => self.done(visitor.visit_none()),
            _ => self.done(visitor.visit_some(self)),
        }
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Complaint> {
        match self.node {
            Node::List(list) => {
                let entries = Entries { list: list.iter().enumerate(), parent: self };
                self.done(visitor.visit_seq(entries))
            }
            _ => Err(self.expected("a list")),
        }
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Complaint> {
        self.members(None, visitor)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Complaint> {
        self.members(Some(fields), visitor)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Complaint> {
        match self.node {
            Node::String(text) if variants.contains(&text.as_str()) => {
                let variant: StrDeserializer<'_, Complaint> = text.as_str().into_deserializer();
                self.done(visitor.visit_enum(variant))
            }
            _ => Err(self.expected(&either(variants))),
        }
    }

    forward_to_deserialize_any! {
        i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 char str bytes byte_buf unit
        unit_struct newtype_struct tuple tuple_struct identifier ignored_any
    }
}

impl<'de> Reader<'de, '_> {
    fn members<V: Visitor<'de>>(
        self,
        fields: Option<&'static [&'static str]>,
        visitor: V,
    ) -> Result<V::Value, Complaint> {
        match self.node {
            Node::Object(members) => {
                let members = Members { rest: members.iter(), value: None, fields, parent: self };
                self.done(visitor.visit_map(members))
            }
            _ => Err(self.expected("an object")),
        }
    }
}

/// `"a", "b" or "c"`
fn either(values: &[&str]) -> String {
    match values {
        [] => String::new(),
        [only] => format!("{only:?}"),
        [first, last] => format!("{first:?} or {last:?}"),
        [first, rest @ ..] => format!("{first:?}, {}", either(rest)),
    }
}

struct Entries<'n, 'p> {
    list: std::iter::Enumerate<std::slice::Iter<'n, Node>>,
    parent: Reader<'n, 'p>,
}

impl<'de> SeqAccess<'de> for Entries<'de, '_> {
    type Error = Complaint;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Complaint> {
        let Some((index, node)) = self.list.next() else {
            return Ok(None);
        };
        let path = self.parent.path.index(index);
        seed.deserialize(Reader { node, path: &path, problems: self.parent.problems }).map(Some)
    }
}

struct Members<'n, 'p> {
    rest: std::slice::Iter<'n, (String, Node)>,
    value: Option<&'n (String, Node)>,
    /// The names that the struct knows; a map takes any.
    fields: Option<&'static [&'static str]>,
    parent: Reader<'n, 'p>,
}

impl<'de> MapAccess<'de> for Members<'de, '_> {
    type Error = Complaint;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Complaint> {
        for member in self.rest.by_ref() {
            let (key, _) = member;
            if let Some(fields) = self.fields
                && !fields.contains(&key.as_str())
            {
                let message = format!("unknown field, must be one of {}", fields.join(", "));
                self.parent.problems.borrow_mut().add(&self.parent.path.key(key), message);
                continue;
            }
            self.value = Some(member);
            let key: StringDeserializer<Complaint> = key.clone().into_deserializer();
            return seed.deserialize(key).map(Some);
        }
        Ok(None)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Complaint> {
        let Some((key, node)) = self.value.take() else {
            return Err(Complaint::New("a value without a key".to_owned()));
        };
        let path = self.parent.path.key(key);
        seed.deserialize(Reader { node, path: &path, problems: self.parent.problems })
    }
}
