//! Models for Python.

use std::path::Path;
use std::sync::Arc;

use deepmir_model::{Bundle, shipped};
use pyo3::prelude::*;

use crate::failure::Failure;
use crate::work;

/// A model: networks, thresholds and classifiers. Made by ``load_model``.
#[pyclass(frozen, module = "deepmir")]
pub struct Model {
    /// What it holds.
    pub bundle: Arc<Bundle>,
}

#[pymethods]
impl Model {
    /// Name of the model.
    #[getter]
    fn name(&self) -> &str {
        &self.bundle.settings.name
    }

    /// A short checksum of the whole model, as in the sidecars of results.
    #[getter]
    fn id(&self) -> String {
        self.bundle.id()
    }

    /// The images that it takes, such as ``("SWI", "QSM", "T2w")``.
    #[getter]
    fn inputs(&self) -> Vec<&'static str> {
        self.bundle.settings.plan.inputs.iter().map(|input| input.name()).collect()
    }

    /// Those of them that may be missing.
    #[getter]
    fn optional(&self) -> Vec<&'static str> {
        self.bundle.settings.plan.optional.iter().map(|input| input.name()).collect()
    }

    /// The classes of lesions that it finds.
    #[getter]
    fn classes(&self) -> Vec<&'static str> {
        self.bundle.settings.plan.classes.iter().map(|class| class.name()).collect()
    }

    fn __repr__(&self) -> String {
        format!("<deepmir.Model {} ({})>", self.name(), self.id())
    }
}

/// Opens a shipped model by its name, or one from a folder or file.
#[pyfunction]
pub fn load_model(py: Python<'_>, name: String) -> PyResult<Model> {
    let bundle = work::run(py, Some(1), None, move |_| open(&name))?;
    Ok(Model { bundle: Arc::new(bundle) })
}

fn open(name: &str) -> Result<Bundle, Failure> {
    if let Some(model) = shipped::by_name(name) {
        return Ok(model?);
    }
    let path = Path::new(name);
    if !path.exists() {
        let names: Vec<&str> = shipped::MODELS.iter().map(|model| model.name).collect();
        return Err(Failure::not_found(format!(
            "there is no model {name}: give default, {}, or a model's folder or .deepmir file",
            names.join(", ")
        )));
    }
    Ok(Bundle::read(path)?)
}
