//! A row as the script sees it.

use pyo3::{
    exceptions::PyKeyError,
    prelude::*,
    pyclass::CompareOp,
    types::{PyDict, PyIterator, PyList, PyString, PyTuple},
};

/// The names of the columns of a result, which its rows share.
#[derive(Debug)]
pub(crate) struct Shape {
    pub(crate) names: Py<PyTuple>,
    /// From a name to the first column that has it.
    places: Py<PyDict>,
}

/// One row of a result.
///
/// Like a tuple, its values are ``row[0]``, it has a length, can be looped over and
/// unpacked (``id, name = row``), and is equal to a tuple or a list of the same
/// values; besides, they are ``row['name']``, by the names of the columns. ``dict(row)``
/// is all of it by name; JSON has it as a list. Of columns with one name the first
/// counts.
#[pyclass(frozen, module = "ffext")]
#[derive(Debug)]
pub(crate) struct Row {
    values: Py<PyTuple>,
    shape: std::sync::Arc<Shape>,
}

impl Shape {
    pub(crate) fn new(py: Python<'_>, names: &[String]) -> PyResult<Self> {
        let places = PyDict::new(py);
        // From the last, so that the first stays.
        for (place, name) in names.iter().enumerate().rev() {
            places.set_item(name, place)?;
        }
        Ok(Shape {
            names: PyTuple::new(py, names)?.unbind(),
            places: places.unbind(),
        })
    }
}

impl Row {
    pub(crate) fn new(values: Py<PyTuple>, shape: std::sync::Arc<Shape>) -> Self {
        Row { values, shape }
    }

    fn place(&self, name: &Bound<'_, PyString>) -> PyResult<Option<usize>> {
        let place = self.shape.places.bind(name.py()).get_item(name)?;
        place.map(|place| place.extract()).transpose()
    }

    /// What a tuple of the same values does.
    fn like<'py>(&self, py: Python<'py>, other: &Bound<'py, PyAny>) -> Option<Bound<'py, PyAny>> {
        let _ = py;
        if let Ok(row) = other.cast::<Row>() {
            return Some(row.get().values.bind(py).clone().into_any());
        }
        if let Ok(list) = other.cast::<PyList>() {
            return Some(list.to_tuple().into_any());
        }
        other.is_instance_of::<PyTuple>().then(|| other.clone())
    }
}

#[pymethods]
impl Row {
    fn __getitem__<'py>(&self, key: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        let py = key.py();
        let values = self.values.bind(py);
        let Ok(name) = key.cast::<PyString>() else {
            return values.as_any().get_item(key);
        };
        match self.place(name)? {
            Some(place) => values.get_item(place),
            None => Err(PyKeyError::new_err(format!(
                "no column {name:?}; there are {}",
                self.shape.names.bind(py).repr()?
            ))),
        }
    }

    fn __len__(&self, py: Python<'_>) -> usize {
        self.values.bind(py).len()
    }

    fn __iter__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyIterator>> {
        self.values.bind(py).try_iter()
    }

    fn __contains__(&self, value: &Bound<'_, PyAny>) -> PyResult<bool> {
        self.values.bind(value.py()).contains(value)
    }

    fn __richcmp__<'py>(
        &self,
        py: Python<'py>,
        other: &Bound<'py, PyAny>,
        op: CompareOp,
    ) -> PyResult<Bound<'py, PyAny>> {
        match self.like(py, other) {
            Some(other) => self.values.bind(py).rich_compare(other, op),
            None => Ok(py.NotImplemented().into_bound(py)),
        }
    }

    fn __hash__(&self, py: Python<'_>) -> PyResult<isize> {
        self.values.bind(py).hash()
    }

    fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
        let names = self.shape.names.bind(py).iter();
        let parts: PyResult<Vec<String>> = names
            .zip(self.values.bind(py).iter())
            .map(|(name, value)| Ok(format!("{name}={}", value.repr()?)))
            .collect();
        Ok(format!("<Row {}>", parts?.join(" ")))
    }

    /// The names of the columns, as a tuple.
    fn keys(&self, py: Python<'_>) -> Py<PyTuple> {
        self.shape.names.clone_ref(py)
    }

    /// The values, as a tuple.
    fn values(&self, py: Python<'_>) -> Py<PyTuple> {
        self.values.clone_ref(py)
    }

    /// The value of a column, or ``default`` if there is no such column.
    #[pyo3(signature = (name, default = None))]
    fn get<'py>(
        &self,
        py: Python<'py>,
        name: &Bound<'py, PyString>,
        default: Option<Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        match self.place(name)? {
            Some(place) => self.values.bind(py).get_item(place),
            None => Ok(default.unwrap_or_else(|| py.None().into_bound(py))),
        }
    }
}
