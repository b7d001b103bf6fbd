//! The cases of a dataset: which files there are, and their images brought to one grid.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use deepmir_cases::read_mask;
use deepmir_lesion::{BrainExtent, LabelMap};
use deepmir_volume::nifti::{self, ReadOptions};
use deepmir_volume::{
    Grid, Interpolation, Mask, Orientation, Volume, resample, resample_labels, statistics,
};

use crate::AnnotateError;
use crate::candidates::{self, Candidate};
use crate::image_kind::ImageKind;
use crate::results::{LoadedResult, ResultFiles};
use crate::visits::{LoadedVisits, VisitFiles};

/// A minimum-intensity projection that is made here looks this far to either side.
const SLAB_MM: f64 = 4.0;

/// The files of one case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CaseFiles {
    /// `sub-01_ses-2`.
    pub id: String,
    /// Where its derivatives go below the output folder: `sub-01/ses-2/anat`.
    pub folder: PathBuf,
    /// The name of its label maps without the ending, `{desc}` standing for whose it is:
    /// `sub-01_acq-swi_seg-lesions_desc-{desc}`.
    pub name: String,
    /// Its images; the SWI, or else the first, gives the grid.
    pub images: Vec<(ImageKind, PathBuf)>,
    /// A brain mask.
    pub brain: Option<PathBuf>,
    /// A model's label map, to be reviewed.
    pub candidates: Option<PathBuf>,
    /// The table of all that the model scored, with a map of their numbers beside it.
    pub candidate_table: Option<PathBuf>,
    /// The visit before, if the case is read for what has changed since.
    pub visits: Option<VisitFiles>,
    /// What a program found, if the case is only shown.
    pub result: Option<ResultFiles>,
}

impl CaseFiles {
    fn paths(&self) -> impl Iterator<Item = &PathBuf> {
        let before = self.visits.iter().flat_map(VisitFiles::paths);
        let images = self.images.iter().map(|(_, path)| path);
        let model = self.candidates.iter().chain(&self.candidate_table);
        let found = self.result.iter().flat_map(ResultFiles::paths);
        images.chain(&self.brain).chain(model).chain(before).chain(found)
    }

    /// The image whose grid is marked.
    pub fn reference(&self) -> Option<&PathBuf> {
        let swi = self.images.iter().find(|(kind, _)| *kind == ImageKind::Swi);
        swi.or(self.images.first()).map(|(_, path)| path)
    }
}

/// The cases that are marked, and where the marks go.
#[derive(Clone, Debug)]
pub struct Dataset {
    /// In the order of the list.
    pub cases: Vec<CaseFiles>,
    /// The derivatives folder.
    pub out: PathBuf,
    /// Where files may lie, links followed; of results each image by itself.
    roots: BTreeSet<PathBuf>,
}

impl Dataset {
    /// Opens cases whose files all lie below `roots`, links followed.
    ///
    /// # Errors
    /// A file that is not there or lies elsewhere.
    pub fn new(
        cases: Vec<CaseFiles>,
        out: PathBuf,
        roots: &[PathBuf],
    ) -> Result<Self, AnnotateError> {
        let roots = roots.iter().map(|root| real(root)).collect::<Result<_, _>>()?;
        let dataset = Self { cases, out, roots };
        dataset.cases.iter().try_for_each(|case| dataset.validate(case))?;
        Ok(dataset)
    }

    /// Checks again that a case's files lie below the roots: a link may have changed since.
    ///
    /// # Errors
    /// A file that is not there or lies elsewhere.
    pub fn validate(&self, case: &CaseFiles) -> Result<(), AnnotateError> {
        for path in case.paths() {
            let place = real(path)?;
            if !place.ancestors().any(|folder| self.roots.contains(folder)) {
                return Err(AnnotateError::Outside {
                    path: path.clone(),
                    roots: self.roots.iter().filter(|root| root.is_dir()).cloned().collect(),
                });
            }
        }
        Ok(())
    }

    /// Whether its cases are results, which are shown and not marked.
    pub fn is_of_results(&self) -> bool {
        self.cases.iter().any(|case| case.result.is_some())
    }

    /// A case by its name.
    pub fn case(&self, id: &str) -> Option<&CaseFiles> {
        self.cases.iter().find(|case| case.id == id)
    }
}

fn real(path: &Path) -> Result<PathBuf, AnnotateError> {
    path.canonicalize().map_err(|source| AnnotateError::Io { path: path.to_owned(), source })
}

/// An image as it is shown.
#[derive(Clone, Debug)]
pub struct ShownImage {
    /// What it is.
    pub kind: ImageKind,
    /// On the case's grid, in RAS order.
    pub volume: Volume<f32>,
    /// Darkest and brightest value of the window to begin with.
    pub window: [f32; 2],
    /// Whether it had to be resampled.
    pub resampled: bool,
}

/// Finds the regions of a head in one of its images: on its grid, 0 or one more than the position in
/// [`deepmir_lesion::MarsRegion::ALL`]. An error says why they are not known.
pub type FindRegions = dyn Fn(&Volume<f32>) -> Result<Volume<u8>, String> + Send + Sync;

/// A case with its images read, everything in RAS order.
#[derive(Debug)]
pub struct LoadedCase {
    /// The files.
    pub files: CaseFiles,
    /// The header that label maps carry on.
    pub header: nifti::Header,
    /// How the file's axes run.
    pub orientation: Orientation,
    /// The grid that is marked.
    pub grid: Grid,
    /// The images.
    pub images: Vec<ShownImage>,
    /// The brain, given or what is not zero.
    pub brain: Mask,
    /// Its extent.
    pub place: Option<BrainExtent>,
    /// What a model proposes, in the order of review.
    pub candidates: Option<Vec<Candidate>>,
    /// The visit before.
    pub visits: Option<LoadedVisits>,
    /// What a program found.
    pub result: Option<LoadedResult>,
    /// Found when they are first asked for.
    regions: OnceLock<Result<Volume<u8>, String>>,
}

impl LoadedCase {
    /// Reads the images. Those on another grid are resampled to the reference's.
    ///
    /// # Errors
    /// Files that cannot be read; candidates on another grid.
    pub fn read(files: &CaseFiles) -> Result<Self, AnnotateError> {
        let path = files.reference().ok_or_else(|| {
            AnnotateError::refused(format!("{} has no image to mark on", files.id))
        })?;
        let options = ReadOptions { nan_to_zero: true };
        let read = |path: &Path| nifti::read_with(path, &options);
        let header = nifti::read_header(path)?;
        let orientation = Orientation::of(header.grid().affine());
        let grid = orientation.grid_to_ras(header.grid());

        // Decompressing takes longest, and each file has its own.
        let volumes = std::thread::scope(|scope| {
            let readers: Vec<_> =
                files.images.iter().map(|(_, path)| scope.spawn(move || read(path))).collect();
            readers
                .into_iter()
                .map(|reader| {
                    reader.join().unwrap_or_else(|fault| std::panic::resume_unwind(fault))
                })
                .collect::<Vec<_>>()
        });
        let mut images = Vec::with_capacity(volumes.len() + 1);
        for ((kind, _), image) in files.images.iter().zip(volumes) {
            let volume = image?.volume;
            let (volume, resampled) = if volume.grid().same_as(header.grid()) {
                (orientation.to_ras(&volume), false)
            } else {
                (resample(&volume, &grid, Interpolation::Linear, 0.0), true)
            };
            images.push(ShownImage { kind: *kind, volume, window: [0.0, 1.0], resampled });
        }
        let visits = match &files.visits {
            Some(visits) => {
                let (loaded, before) = LoadedVisits::read(visits, &grid)?;
                images.extend(before);
                Some(loaded)
            }
            None => None,
        };
        let brain = match &files.brain {
            Some(path) => resample_labels(&read_mask(path, &options)?.brain, &grid, false),
            None => images.first().map_or_else(
                || Volume::filled(grid, true),
                |image| image.volume.map(|&value| value != 0.0),
            ),
        };
        let projections = [
            (ImageKind::Swi, ImageKind::MinIp),
            (ImageKind::BaselineSwi, ImageKind::BaselineMinIp),
        ];
        for (of, kind) in projections {
            let image = |kind| images.iter().find(move |image: &&ShownImage| image.kind == kind);
            if let (None, Some(swi)) = (image(kind), image(of)) {
                let (volume, resampled) = (minimum_intensity(&swi.volume, &brain), swi.resampled);
                images.push(ShownImage { kind, volume, window: [0.0, 1.0], resampled });
            }
        }
        for image in &mut images {
            image.window = window(image.kind, &image.volume, &brain);
        }
        let candidates = match &files.candidates {
            Some(path) => {
                let labels = read_labels(path, &header, &orientation)?;
                let table = files.candidate_table.as_deref();
                Some(candidates::read(&labels, table, &orientation)?)
            }
            None => None,
        };
        let result = files.result.as_ref();
        let result = result.map(|result| LoadedResult::read(result, &grid, &orientation));
        let place = BrainExtent::of(&brain);
        Ok(Self {
            files: files.clone(),
            header,
            orientation,
            grid,
            images,
            brain,
            place,
            candidates,
            visits,
            result: result.transpose()?,
            regions: OnceLock::new(),
        })
    }

    /// The regions of MARS, one number a voxel, as `find` sees them in the SWI or else in the first image.
    ///
    /// # Errors
    /// Why they are not known.
    pub fn regions(&self, find: &FindRegions) -> Result<&Volume<u8>, &str> {
        let found = self.regions.get_or_init(|| {
            let image = self.image(ImageKind::Swi).or(self.images.first().map(|one| &one.volume));
            find(image.ok_or("there is no image")?)
        });
        found.as_ref().map_err(String::as_str)
    }

    /// An image.
    pub fn image(&self, kind: ImageKind) -> Option<&Volume<f32>> {
        self.images.iter().find(|image| image.kind == kind).map(|image| &image.volume)
    }
}

/// Reads a label map of a case and brings it to RAS order.
///
/// # Errors
/// A map on another grid, with both grids in words.
pub fn read_labels(
    path: &Path,
    reference: &nifti::Header,
    orientation: &Orientation,
) -> Result<LabelMap, AnnotateError> {
    let (labels, header) = LabelMap::read(path)?;
    if !header.grid().same_as(reference.grid()) {
        return Err(AnnotateError::refused(format!(
            "this label map is on another grid ({}) than the image it is for ({}); resample it to that image \
             with nearest neighbours first: {}",
            describe(header.grid()),
            describe(reference.grid()),
            path.display()
        )));
    }
    let volume = orientation.to_ras(labels.volume()).map(|&value| i32::from(value));
    Ok(LabelMap::from_integers(&volume, path)?)
}

/// A grid in words.
pub fn describe(grid: &Grid) -> String {
    let [nx, ny, nz] = grid.shape();
    let rows = grid.affine().rows();
    let rows: Vec<String> =
        rows[..3].iter().map(|row| row.map(|value| format!("{value:.4}")).join(" ")).collect();
    format!("{nx} × {ny} × {nz}, affine [{}]", rows.join("; "))
}

/// Grey values to begin with: of the protocol for susceptibility, else of the brain.
fn window(kind: ImageKind, image: &Volume<f32>, brain: &Mask) -> [f32; 2] {
    if kind.is_qsm() {
        return [-0.15, 0.25];
    }
    let voxels = image.data().iter().zip(brain.data());
    let mut inside: Vec<f32> =
        voxels.filter(|&(_, &inside)| inside).map(|(&value, _)| value).collect();
    let low = statistics::quantile(&mut inside, 0.005).unwrap_or(0.0);
    let high = statistics::quantile(&mut inside, 0.995).unwrap_or(1.0);
    if high > low { [low, high] } else { [low, low + 1.0] }
}

/// The lowest value over a slab of axial slices around each; outside of the brain does not count.
fn minimum_intensity(image: &Volume<f32>, brain: &Mask) -> Volume<f32> {
    let [nx, ny, nz] = image.shape();
    let reach = (SLAB_MM / image.grid().voxel_sizes_mm()[2]).round().max(1.0) as usize;
    let area = nx * ny;
    let mut data = Vec::with_capacity(image.data().len());
    for k in 0..nz {
        let mut lowest = vec![f32::INFINITY; area];
        for z in k.saturating_sub(reach)..(k + reach + 1).min(nz) {
            let slab = image.slice(z).iter().zip(brain.slice(z));
            for (lowest, (&value, &inside)) in lowest.iter_mut().zip(slab) {
                if inside && value < *lowest {
                    *lowest = value;
                }
            }
        }
        let own = image.slice(k).iter().zip(brain.slice(k));
        data.extend(lowest.into_iter().zip(own).map(
            |(lowest, (&value, &inside))| {
                if inside { lowest } else { value }
            },
        ));
    }
    let mut result = image.clone();
    result.data_mut().copy_from_slice(&data);
    result
}
