//! The compiled part of the Python package `deepmir`: what needs the program's own code, on plain bytes.
//!
//! The package's Python part (`python/deepmir`) turns arrays, images and paths into [`images::Source`]s and results back
//! into arrays. Work runs on threads of its own ([`work`]), so that other Python threads go on, progress can be told and
//! Ctrl-C is heard. Nothing panics into Python ([`failure`]).

mod evaluate;
mod failure;
mod images;
mod model;
mod predict;
mod recon;
mod warnings;
mod work;

use std::ffi::OsString;

use pyo3::prelude::*;

/// The command line: runs it and returns its exit code. The first argument is the program's name.
#[pyfunction]
fn run(py: Python<'_>, arguments: Vec<OsString>) -> u8 {
    py.detach(|| deepmir::run(arguments.into_iter()))
}

/// Panics, for the test that a panic becomes an exception; a release is without it.
#[cfg(debug_assertions)]
#[pyfunction]
#[expect(clippy::panic, reason = "its purpose")]
fn panic(py: Python<'_>) -> PyResult<()> {
    work::run(py, Some(1), None, |_| panic!("on purpose"))
}

#[pymodule]
fn _deepmir(module: &Bound<'_, PyModule>) -> PyResult<()> {
    work::keep_places_of_panics();
    module.add("__version__", env!("CARGO_PKG_VERSION"))?;
    module.add_class::<model::Model>()?;
    module.add_class::<predict::Prediction>()?;
    module.add_class::<recon::Reconstruction>()?;
    module.add_class::<evaluate::Evaluation>()?;
    module.add_function(wrap_pyfunction!(run, module)?)?;
    module.add_function(wrap_pyfunction!(model::load_model, module)?)?;
    module.add_function(wrap_pyfunction!(predict::predict, module)?)?;
    module.add_function(wrap_pyfunction!(recon::recon, module)?)?;
    module.add_function(wrap_pyfunction!(evaluate::evaluate_files, module)?)?;
    module.add_function(wrap_pyfunction!(evaluate::evaluate_maps, module)?)?;
    #[cfg(debug_assertions)]
    module.add_function(wrap_pyfunction!(panic, module)?)?;
    Ok(())
}
