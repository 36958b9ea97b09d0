//! JSON text to Python objects.

use std::fmt;

use foldhash::HashMap;
use pyo3::{
    prelude::*,
    types::{PyBool, PyDict, PyFloat, PyInt, PyList, PyString},
};
use serde::{
    Deserializer,
    de::{DeserializeSeed, Error as _, MapAccess, SeqAccess, Visitor},
};

/// Why a text is not JSON, and where.
#[derive(Debug, thiserror::Error)]
#[error("not JSON: {0}")]
pub struct DecodeError(#[from] serde_json::Error);

/// Keys of objects that have been seen before. Clients send the same few keys
/// over and over; making them anew costs more than finding them.
#[derive(Debug, Default)]
pub struct KeyCache(HashMap<Box<str>, Py<PyString>>);

impl KeyCache {
    /// Keys beyond this are forgotten all at once: clients choose them, and
    /// nobody may fill the memory with them.
    const ENTRIES: usize = 1_024;
    /// Longer keys are not worth it.
    const LONGEST: usize = 48;

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    fn get<'py>(&mut self, py: Python<'py>, key: &str) -> Bound<'py, PyString> {
        if key.len() > Self::LONGEST {
            return PyString::new(py, key);
        }
        if let Some(known) = self.0.get(key) {
            return known.bind(py).clone();
        }
        if self.0.len() >= Self::ENTRIES {
            self.0.clear();
        }
        let made = PyString::new(py, key);
        self.0.insert(key.into(), made.clone().unbind());
        made
    }
}

/// The value of a JSON text: dict, list, str, int, float, bool or None. Whole
/// numbers that do not fit 64 bits become floats.
///
/// # Errors
/// Anything that is not exactly one JSON value, or is nested too deeply.
pub fn decode<'py>(
    py: Python<'py>,
    text: &[u8],
    keys: &mut KeyCache,
) -> Result<Bound<'py, PyAny>, DecodeError> {
    let mut deserializer = serde_json::Deserializer::from_slice(text);
    let value = Value { py, keys }.deserialize(&mut deserializer)?;
    deserializer.end()?;
    Ok(value)
}

/// Makes the value that comes next, and those inside it.
struct Value<'py, 'k> {
    py: Python<'py>,
    keys: &'k mut KeyCache,
}

impl<'de, 'py> DeserializeSeed<'de> for Value<'py, '_> {
    type Value = Bound<'py, PyAny>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de, 'py> Visitor<'de> for Value<'py, '_> {
    type Value = Bound<'py, PyAny>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(self.py.None().into_bound(self.py))
    }

    fn visit_bool<E>(self, value: bool) -> Result<Self::Value, E> {
        Ok(PyBool::new(self.py, value).to_owned().into_any())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Self::Value, E> {
        Ok(PyInt::new(self.py, value).into_any())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Self::Value, E> {
        Ok(PyInt::new(self.py, value).into_any())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Self::Value, E> {
        Ok(PyFloat::new(self.py, value).into_any())
    }

    fn visit_str<E>(self, value: &str) -> Result<Self::Value, E> {
        Ok(PyString::new(self.py, value).into_any())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
        let list = PyList::empty(self.py);
        while let Some(item) = items.next_element_seed(Value {
            py: self.py,
            keys: self.keys,
        })? {
            list.append(item).map_err(A::Error::custom)?;
        }
        Ok(list.into_any())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Self::Value, A::Error> {
        let dict = PyDict::new(self.py);
        while let Some(key) = entries.next_key_seed(Key {
            py: self.py,
            keys: self.keys,
        })? {
            let value = entries.next_value_seed(Value {
                py: self.py,
                keys: self.keys,
            })?;
            dict.set_item(key, value).map_err(A::Error::custom)?;
        }
        Ok(dict.into_any())
    }
}

/// Makes the key that comes next.
struct Key<'py, 'k> {
    py: Python<'py>,
    keys: &'k mut KeyCache,
}

impl<'de, 'py> DeserializeSeed<'de> for Key<'py, '_> {
    type Value = Bound<'py, PyString>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'de, 'py> Visitor<'de> for Key<'py, '_> {
    type Value = Bound<'py, PyString>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_str<E>(self, value: &str) -> Result<Self::Value, E> {
        Ok(self.keys.get(self.py, value))
    }
}
