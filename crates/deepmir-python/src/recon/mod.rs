//! Reconstruction for Python.

mod settings;

use std::path::PathBuf;
use std::sync::Arc;

use deepmir_cases::BrainMask;
use deepmir_pipeline::maps::reconstruct_head;
use deepmir_pipeline::owner::{refuse_other_maps_of, sign_maps};
use deepmir_pipeline::recon::align;
use deepmir_recon::input::{ScanFiles, ScanInput};
use deepmir_recon::output::{OutputContext, OutputNames, write_aligned, write_reconstruction};
use deepmir_recon::register::Registration;
use deepmir_recon::{MeasuredR2, Reference, Stage};
use deepmir_volume::Volume;
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::failure::Failure;
use crate::images::{Rows, Source, bytes_of};
use crate::warnings::pairs;
use crate::work::{self, Reporter};
use settings::{Echoes, Settings};

/// Reading and the stages of the chain.
const STEPS: usize = Stage::ALL.len() + 1;

/// What was reconstructed.
#[pyclass(frozen, module = "deepmir._deepmir")]
pub struct Reconstruction(Arc<Made>);

struct Made {
    input: ScanInput,
    files: ScanFiles,
    maps: deepmir_recon::Reconstruction,
    t2w: Option<Aligned>,
}

/// A T2w image on the grid of the echoes.
struct Aligned {
    image: Volume<f32>,
    source: PathBuf,
    own_grid: deepmir_volume::Grid,
    registration: Registration,
}

/// Reconstructs one scan. Beside the echoes there may be a brain mask, T2w and R2.
#[pyfunction]
pub fn recon(
    py: Python<'_>,
    echoes: Echoes,
    settings: Settings,
    beside: [Option<Source>; 3],
    threads: Option<usize>,
    progress: Option<Py<PyAny>>,
) -> PyResult<Reconstruction> {
    work::run(py, threads, progress.as_ref(), move |reporter| {
        let made = make(echoes, &settings, beside.each_ref().map(Option::as_ref), reporter)?;
        Ok(Reconstruction(Arc::new(made)))
    })
}

fn make(
    echoes: Echoes,
    given: &Settings,
    [mask, t2w, r2]: [Option<&Source>; 3],
    reporter: &Reporter,
) -> Result<Made, Failure> {
    let mut settings = given.chain()?;
    let read = given.read();
    let outlined = mask.is_none() || settings.reference == Reference::Fluid;
    let steps = STEPS + usize::from(outlined) + usize::from(t2w.is_some());
    let mut step = 0;
    let mut next = |what: &str| {
        // A brain that is not found at once takes a step more.
        reporter.tell(what, step.min(steps - 1), steps);
        step += 1;
    };
    next("reading");
    let (mut input, files) = given.scan(echoes)?;
    if let Some(r2) = r2 {
        let (name, per_s) = (r2.name().display().to_string(), r2.image(&read)?.volume);
        input.scan = input.scan.with_r2(MeasuredR2 { name, per_s })?;
        settings.chain.separation.get_or_insert_default();
    }
    let mut warnings = input.warnings.clone();
    let mask = match mask {
        Some(mask) => {
            let BrainMask { brain, warnings: noticed } =
                BrainMask::of(&mask.image(&read)?.volume, mask.name())?;
            warnings.extend(noticed);
            Some(brain)
        }
        None => None,
    };
    let mut maps = reconstruct_head(&input.scan, mask.as_ref(), &settings, &mut |what| next(what))?;
    maps.warnings.splice(0..0, warnings);
    let t2w = match t2w {
        Some(source) => {
            next("aligning T2w");
            let moving = source.image(&read)?.volume;
            let fixed = &input.scan.echoes()[0].magnitude;
            let (image, registration) = align(&moving, fixed, &maps.brain, &settings)?;
            let source = source.name().to_owned();
            Some(Aligned { image, source, own_grid: *moving.grid(), registration })
        }
        None => None,
    };
    Ok(Made { input, files, maps, t2w })
}

#[pymethods]
impl Reconstruction {
    /// Voxels along each axis.
    #[getter]
    fn shape(&self) -> [usize; 3] {
        self.0.input.header.grid().shape()
    }

    /// Rows of the affine.
    #[getter]
    fn affine(&self) -> Rows {
        self.0.input.header.grid().affine().rows()
    }

    /// How the phase was understood.
    #[getter]
    fn phase(&self) -> Option<String> {
        self.0.input.phase_scaling.map(|scaling| scaling.to_string())
    }

    /// Code and sentence of each warning.
    #[getter]
    fn warnings(&self) -> Vec<(String, String)> {
        let of_parts = self.0.maps.separated.iter().flat_map(|parts| &parts.warnings);
        pairs(self.0.maps.warnings.iter().chain(of_parts))
    }

    /// The maps by name, single precision.
    fn maps<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let Made { maps, t2w, .. } = &*self.0;
        let parts = maps.separated.as_ref();
        let named = [
            ("swi", Some(&maps.swi)),
            ("minimum_intensity_projection", Some(&maps.minimum_intensity_projection)),
            ("qsm", Some(&maps.chi_ppm)),
            ("r2star", maps.r2_star_per_s.as_ref()),
            ("paramagnetic", parts.map(|parts| &parts.positive_ppm)),
            ("diamagnetic", parts.map(|parts| &parts.negative_ppm)),
            ("total_field", Some(&maps.total_field_ppm)),
            ("local_field", Some(&maps.local_field_ppm)),
            ("quality", Some(&maps.quality)),
            ("t2w", t2w.as_ref().map(|aligned| &aligned.image)),
        ];
        let all = PyDict::new(py);
        for (name, map) in named {
            let bytes = map.map(|map| bytes_of(py, map.data(), f32::to_ne_bytes)).transpose()?;
            all.set_item(name, bytes)?;
        }
        Ok(all)
    }

    /// The masks by name, a byte a voxel.
    fn masks<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let all = PyDict::new(py);
        for (name, mask) in [("mask", &self.0.maps.brain), ("reliable", &self.0.maps.reliable)] {
            all.set_item(name, bytes_of(py, mask.data(), |inside| [u8::from(inside)])?)?;
        }
        Ok(all)
    }

    /// Writes what `deepmir recon` writes, under names that begin with `stem`; the images.
    fn write(
        &self,
        py: Python<'_>,
        folder: PathBuf,
        stem: String,
        overwrite: bool,
    ) -> PyResult<Vec<PathBuf>> {
        let made = Arc::clone(&self.0);
        work::run(py, None, None, move |_| {
            let magnitude = &made.input.scan.echoes()[0].magnitude;
            if !overwrite {
                refuse_other_maps_of(magnitude, &stem, &folder)?;
            }
            std::fs::create_dir_all(&folder).map_err(|error| {
                Failure::input(format!("cannot write ({error}): {}", folder.display()))
            })?;
            let written = made.write(&OutputNames { folder: &folder, stem: &stem })?;
            sign_maps(&made.files, magnitude, &stem, &folder)?;
            Ok(written)
        })
    }
}

impl Made {
    fn write(&self, names: &OutputNames<'_>) -> Result<Vec<PathBuf>, Failure> {
        let Self { input, maps, t2w, .. } = self;
        let sources: Vec<String> =
            input.scan.echoes().iter().map(|echo| echo.name.clone()).collect();
        let context = OutputContext {
            header: &input.header,
            field_strength_t: input.scan.field_strength_t(),
            sources: &sources,
        };
        let mut written = write_reconstruction(maps, names, &context)?;
        if let Some(Aligned { image, source, own_grid, registration }) = t2w {
            let sources = [source.display().to_string()];
            let context = OutputContext { sources: &sources, ..context };
            written.push(write_aligned(image, "T2w", names, &context)?);
            let name = format!("{}_from-GRE_to-T2w", names.stem);
            registration.transform.write(names.folder, &name, input.header.grid(), own_grid)?;
        }
        Ok(written)
    }
}
