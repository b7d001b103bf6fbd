//! One scan from raw echoes to aligned images on disk.

use std::path::{Path, PathBuf};
use std::time::Duration;

use deepmir_cases::outputs::{check_no_raw_data, check_not_written_over};
use deepmir_cases::{Modality, read_mask};
use deepmir_recon::input::{PhaseScaling, ReadOptions, ScanFiles};
use deepmir_recon::output::{
    INTERMEDIATE, OutputContext, OutputNames, write_aligned, write_reconstruction_apart, writes,
};
use deepmir_recon::register::{
    BiasConfig, Registration, RegistrationConfig, correct_bias, register_rigid, resample_registered,
};
use deepmir_recon::{MeasuredR2, ReconConfig, Reference, Stage};
use deepmir_volume::nifti::{self, HeaderNotes};
use deepmir_volume::{Mask, Volume, Warning};
use serde::{Deserialize, Serialize};

use crate::PipelineError;
use crate::error::tolerate;
use crate::maps::reconstruct_head;
use crate::run::memory;

/// All settings of a reconstruction and the alignment after it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ReconSettings {
    /// From echoes to maps.
    pub chain: ReconConfig,
    /// Whose susceptibility is zero.
    pub reference: Reference,
    /// T2w to the echoes' grid.
    pub registration: RegistrationConfig,
    /// Evening out T2w.
    pub bias: BiasConfig,
}

/// What is reconstructed.
#[derive(Clone, Debug, Default)]
pub struct ReconInput {
    /// The echoes.
    pub files: ScanFiles,
    /// How they are to be understood.
    pub read: ReadOptions,
    /// A brain mask on the echoes' grid, in place of a computed one.
    pub mask: Option<PathBuf>,
    /// A T2w image of the same head, on any grid.
    pub t2w: Option<PathBuf>,
    /// R2 per second on the echoes' grid: susceptibility is separated by it.
    pub r2: Option<PathBuf>,
    /// Whether any warning is an error and nothing is written.
    pub strict: bool,
}

impl ReconInput {
    /// Checks that no result would be written over a file that is given, or among raw data.
    ///
    /// # Errors
    /// Naming the file or folder.
    pub fn check_places<'a>(
        &self,
        folders: impl Into<ReconFolders<'a>>,
        stem: &str,
    ) -> Result<(), PipelineError> {
        let folders = folders.into();
        let is_written = |name: &str| writes(stem, self.t2w.is_some(), name);
        for folder in [folders.results, folders.intermediate] {
            check_not_written_over(self.given(), folder, &is_written)?;
            check_no_raw_data(folder, &is_written)?;
        }
        Ok(())
    }

    /// Every file that was given.
    pub fn given(&self) -> impl Iterator<Item = &Path> {
        let parts = self.files.echoes.iter().flat_map(|echo| <[&Path; 2]>::from(echo.paths()));
        let others = [&self.mask, &self.t2w, &self.r2].into_iter().flatten();
        parts.chain(others.map(PathBuf::as_path))
    }
}

/// Where the files of a reconstruction go.
#[derive(Clone, Copy, Debug)]
pub struct ReconFolders<'a> {
    /// Results.
    pub results: &'a Path,
    /// Maps on the way to them ([`INTERMEDIATE`]), which nothing reads again.
    pub intermediate: &'a Path,
}

/// Everything into one folder.
impl<'a> From<&'a Path> for ReconFolders<'a> {
    fn from(folder: &'a Path) -> Self {
        Self { results: folder, intermediate: folder }
    }
}

impl<'a> From<&'a PathBuf> for ReconFolders<'a> {
    fn from(folder: &'a PathBuf) -> Self {
        folder.as_path().into()
    }
}

impl ReconFolders<'_> {
    fn create(&self) -> Result<(), PipelineError> {
        for folder in [self.results, self.intermediate] {
            std::fs::create_dir_all(folder)
                .map_err(|source| PipelineError::Write { path: folder.to_owned(), source })?;
        }
        Ok(())
    }

    /// An earlier run may have left intermediate maps, of other settings perhaps, among the results.
    fn remove_outdated(&self, stem: &str) -> Result<(), PipelineError> {
        if self.results == self.intermediate {
            return Ok(());
        }
        for (ending, kind) in
            INTERMEDIATE.iter().flat_map(|name| [(name, "nii.gz"), (name, "json")])
        {
            let path = self.results.join(format!("{stem}_{ending}.{kind}"));
            match std::fs::remove_file(&path) {
                Err(source) if source.kind() != std::io::ErrorKind::NotFound => {
                    return Err(PipelineError::Write { path, source });
                }
                _ => {}
            }
        }
        Ok(())
    }
}

/// What came out.
#[derive(Clone, Debug, PartialEq)]
pub struct Reconstructed {
    /// Susceptibility-weighted image of the whole head.
    pub swi: PathBuf,
    /// Susceptibility in ppm.
    pub chi_map: PathBuf,
    /// The brain.
    pub mask: PathBuf,
    /// T2w on the same grid, where one was given.
    pub t2w: Option<PathBuf>,
    /// How the phase was understood; `None` for real and imaginary images.
    pub phase_scaling: Option<PhaseScaling>,
    /// How T2w was aligned.
    pub registration: Option<Registration>,
    /// How long each stage took.
    pub timings: Vec<(Stage, Duration)>,
    /// What was noticed in the echoes and in what was made of them.
    pub warnings: Vec<Warning>,
}

impl Reconstructed {
    /// The images as prediction takes them.
    pub fn images(&self) -> impl Iterator<Item = (Modality, PathBuf)> {
        [
            (Modality::Swi, Some(self.swi.clone())),
            (Modality::Qsm, Some(self.chi_map.clone())),
            (Modality::T2w, self.t2w.clone()),
        ]
        .into_iter()
        .filter_map(|(modality, path)| Some((modality, path?)))
    }
}

/// Reconstructs a scan and writes everything into `folders` under names that begin with `stem`.
/// `progress` is called with the name of each step.
///
/// # Errors
/// Whatever is wrong with the input, naming the file; any warning, if `input.strict`; a registration that failed, after everything but
/// T2w was written; a full disk.
pub fn reconstruct_to<'a>(
    input: &ReconInput,
    settings: &ReconSettings,
    folders: impl Into<ReconFolders<'a>>,
    stem: &str,
    progress: &mut dyn FnMut(&str),
) -> Result<Reconstructed, PipelineError> {
    let folders = folders.into();
    let folder = folders.results;
    input.check_places(folders, stem)?;
    progress("reading");
    let mut scan = input.files.read(&input.read)?;
    let mut settings = *settings;
    if let Some(path) = &input.r2 {
        let name = path.display().to_string();
        let per_s = read_image(path, &input.read)?;
        scan.scan = scan.scan.with_r2(MeasuredR2 { name, per_s })?;
        settings.chain.separation.get_or_insert_default();
    }
    let settings = &settings;
    let mut warnings = scan.warnings;
    let mask = match &input.mask {
        Some(path) => {
            let options = nifti::ReadOptions { nan_to_zero: input.read.non_finite_as_zero };
            let mask = read_mask(path, &options)?;
            warnings.extend(mask.warnings);
            Some(mask.brain)
        }
        None => None,
    };
    warnings.extend(input.noticed()?);
    let mut result = reconstruct_head(&scan.scan, mask.as_ref(), settings, progress)?;
    warnings.append(&mut result.warnings);
    tolerate(&warnings, input.strict)?;
    let of_parts =
        result.separated.as_ref().map(|parts| parts.warnings.clone()).unwrap_or_default();
    // Without a map of R2 they say that it was assumed, which was asked for.
    tolerate(&of_parts, input.strict && input.r2.is_some())?;
    // They stand beside the maps, too.
    result.warnings = warnings;
    folders.create()?;
    let names = OutputNames { folder, stem };
    let intermediate = OutputNames { folder: folders.intermediate, stem };
    let sources: Vec<String> = scan.scan.echoes().iter().map(|echo| echo.name.clone()).collect();
    let context = OutputContext {
        header: &scan.header,
        field_strength_t: scan.scan.field_strength_t(),
        sources: &sources,
    };
    progress("writing");
    write_reconstruction_apart(&result, &names, &intermediate, &context)?;
    crate::owner::sign_maps(&input.files, &scan.scan.echoes()[0].magnitude, stem, folder)?;
    folders.remove_outdated(stem)?;
    let mut registration = None;
    let mut t2w = None;
    if let Some(path) = &input.t2w {
        progress("aligning T2w");
        let moving = read_image(path, &input.read)?;
        let fixed = &scan.scan.echoes()[0].magnitude;
        let (even, found) = align(&moving, fixed, &result.brain, settings)?;
        let sources = [path.display().to_string()];
        let context = OutputContext { sources: &sources, ..context };
        t2w = Some(write_aligned(&even, "T2w", &names, &context)?);
        let transform = format!("{stem}_from-GRE_to-T2w");
        found.transform.write(folder, &transform, fixed.grid(), moving.grid())?;
        registration = Some(found);
    }
    let path = |ending: &str| folder.join(format!("{stem}_{ending}.nii.gz"));
    Ok(Reconstructed {
        swi: path("acq-swi_T2starw"),
        chi_map: path("Chimap"),
        mask: path("desc-brain_mask"),
        t2w,
        phase_scaling: scan.phase_scaling,
        registration,
        timings: result.timings,
        warnings: [result.warnings, of_parts].concat(),
    })
}

/// Registers an image to another, resamples it there and evens it out.
///
/// # Errors
/// A registration that failed.
pub fn align(
    moving: &Volume<f32>,
    fixed: &Volume<f32>,
    brain: &Mask,
    settings: &ReconSettings,
) -> Result<(Volume<f32>, Registration), PipelineError> {
    let found = register_rigid(fixed, brain, moving, &settings.registration)?;
    let aligned = resample_registered(moving, fixed.grid(), &found.transform);
    Ok((correct_bias(&aligned, brain, &settings.bias), found))
}

impl ReconInput {
    /// What is noticed in the headers of the images.
    fn noticed(&self) -> Result<Vec<Warning>, PipelineError> {
        let mut notes = HeaderNotes::default();
        for path in self.given() {
            notes.add(path, &nifti::read_header(path)?);
        }
        Ok(notes.warnings())
    }

    /// That the work fits in the memory that is free, by the images' headers.
    ///
    /// # Errors
    /// [`PipelineError::Memory`]; a header that cannot be read.
    pub fn check_memory(&self, id: &str) -> Result<(), PipelineError> {
        let Some(first) = self.given().next() else { return Ok(()) };
        let header = nifti::read_header(first)?;
        let echoes = self.files.echoes.len().max(header.volume_count());
        let t2w = self.t2w.as_deref().map(nifti::read_header).transpose()?;
        let moving = t2w.as_ref().map(nifti::Header::grid);
        // R2 is held as long as the echoes, and is smaller than one.
        let images = echoes + usize::from(self.r2.is_some());
        memory::check(id, memory::need_gb(header.grid(), images, moving, None), None)
    }
}

/// An image beside the echoes, its missing values treated as theirs.
fn read_image(path: &Path, options: &ReadOptions) -> Result<Volume<f32>, PipelineError> {
    let options = nifti::ReadOptions { nan_to_zero: options.non_finite_as_zero };
    Ok(nifti::read_with(path, &options)?.volume)
}

#[cfg(test)]
mod tests {
    use super::*;
    use deepmir_recon::input::EchoParts;
    use deepmir_volume::{Affine, Grid};

    #[test]
    fn missing_values_of_mask_and_t2w_are_zero_where_those_of_echoes_are() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, value: &dyn Fn([usize; 3]) -> f32| {
            let grid = Grid::new([26; 3], Affine::from_spacing([2.0; 3], [-25.0; 3])).unwrap();
            let path = folder.path().join(name);
            nifti::write(&path, &Volume::from_fn(grid, value), None).unwrap();
            path
        };
        let inside =
            |voxel: [usize; 3]| voxel.iter().map(|&i| i.abs_diff(13).pow(2)).sum::<usize>() < 100;
        let with_a_hole =
            |voxel| if voxel == [0; 3] { f32::NAN } else { f32::from(u8::from(inside(voxel))) };
        let mut input = ReconInput {
            files: ScanFiles {
                echoes: vec![EchoParts::Polar {
                    magnitude: write("mag.nii", &|voxel| if inside(voxel) { 100.0 } else { 1.0 }),
                    phase: write("phase.nii", &|[i, j, k]| (i * j + k) as f32 * 0.005 - 1.5),
                }],
                echo_times_s: vec![0.02],
                field_strength_t: Some(3.0),
                b0_direction: None,
            },
            mask: Some(write("mask.nii", &with_a_hole)),
            ..ReconInput::default()
        };
        input.read.phase_units = deepmir_recon::input::PhaseUnits::Radians;
        let out = folder.path().join("out");
        let settings = ReconSettings::default();
        let run =
            |input: &ReconInput| reconstruct_to(input, &settings, &out, "sub-01", &mut |_| ());
        let refused = run(&input).unwrap_err().to_string();
        assert!(refused.contains("mask.nii"), "{refused}");
        input.read.non_finite_as_zero = true;
        // What is noticed stands beside the maps, where those who use them read it.
        std::fs::write(folder.path().join("phase.json"), r#"{"EchoTime": 0.03}"#).unwrap();
        let made = run(&input).unwrap();
        let codes: Vec<&str> = made.warnings.iter().map(|warning| warning.code.as_str()).collect();
        assert!(codes.contains(&"echo_times_differ"), "{codes:?}");
        for name in ["Chimap", "acq-swi_T2starw"] {
            let text = std::fs::read_to_string(out.join(format!("sub-01_{name}.json"))).unwrap();
            let sidecar: serde_json::Value = serde_json::from_str(&text).unwrap();
            assert_eq!(sidecar["Warnings"], serde_json::json!(made.warnings));
        }
        let mask: Volume<f32> = nifti::read(&made.mask).unwrap().volume;
        assert_eq!(mask[[13; 3]], 1.0);
        let field = "sub-01_desc-local_fieldmap.nii.gz";
        assert!(out.join(field).exists());

        let work = folder.path().join("work/sub-01");
        let apart = ReconFolders { results: &out, intermediate: &work };
        reconstruct_to(&input, &settings, apart, "sub-01", &mut |_| ()).unwrap();
        assert!(work.join(field).exists() && !out.join(field).exists());
        assert!(!work.join("sub-01_Chimap.nii.gz").exists());

        let t2w = write("T2w.nii", &with_a_hole);
        assert!(read_image(&t2w, &ReadOptions::default()).is_err());
        assert_eq!(read_image(&t2w, &input.read).unwrap()[[0; 3]], 0.0);
    }
}
