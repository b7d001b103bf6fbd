//! A scan that is implanted into: its images, its anatomy, and where there is room.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use deepmir_anatomy::{Tissue, Verdict};
use deepmir_cases::bids::{BidsName, Scan, label_maps, of_scan, sidecar_fields};
use deepmir_cases::{CaseFiles, Modality, read_mask};
use deepmir_lesion::{LabelMap, Side};
use deepmir_phantom::Structure;
use deepmir_phantom::implant::{MapProtocol, Sites, dark_structures};
use deepmir_pipeline::anatomy::Anatomy;
use deepmir_pipeline::recon::ReconInput;
use deepmir_pipeline::scan::reconstruct;
use deepmir_recon::brain::combined_magnitude;
use deepmir_recon::input::{ScanFiles, ScanInput, Sidecar};
use deepmir_recon::register::register_rigid;
use deepmir_recon::swi::susceptibility_weighted;
use deepmir_volume::morphology::dilate_mm;
use deepmir_volume::nifti::{self, Header};
use deepmir_volume::{Affine, Interpolation, Mask, Volume, resample_moved};

use super::{ImplantPlan, NativeCalls};
use crate::StudyError;

/// What a model calls is unknown, and so is this much around it, in millimetres.
const AROUND_CALLS_MM: f32 = 2.0;

/// Echo time of T2w images, in seconds, where nothing tells it.
const USUAL_T2W_ECHO_S: f64 = 0.095;

/// Susceptibility in ppm at which a map alone is taken for dark.
const STRONG_PPM: f32 = 0.15;

/// The images that are changed.
pub(super) enum Images {
    /// Raw echoes.
    Echoes(Box<ScanInput>),
    /// Maps on one grid, and where each comes from.
    Maps(BTreeMap<Modality, (PathBuf, Volume<f32>)>),
}

/// A T2w image on a grid of its own.
pub(super) struct T2w {
    pub(super) path: PathBuf,
    pub(super) image: Volume<f32>,
    pub(super) header: Header,
    pub(super) brain: Mask,
    /// From the scan's millimetres to the image's.
    pub(super) from_scan: Affine,
}

/// A scan, read.
pub(super) struct SourceScan {
    pub(super) images: Images,
    pub(super) header: Header,
    pub(super) brain: Mask,
    /// Whether that mask was given.
    pub(super) brain_given: bool,
    pub(super) sites: Sites,
    pub(super) t2w: Option<T2w>,
    /// Where nobody knows what is there.
    pub(super) unknown: Mask,
    pub(super) protocol: MapProtocol,
    pub(super) notes: Vec<String>,
}

/// Images and what is read off them.
struct Read {
    images: Images,
    header: Header,
    brain: Option<Mask>,
    /// What shows the anatomy.
    contrast: Volume<f32>,
    /// What shows vessels and lesions dark.
    dark: Volume<f32>,
    /// A T2w image that may be on another grid.
    t2w: Option<PathBuf>,
    notes: Vec<String>,
}

impl SourceScan {
    /// Reads a scan and finds its parts.
    ///
    /// # Errors
    /// Files that cannot be read or do not fit together, a brain that is not found, a head whose parts are not recognised.
    pub(super) fn read(
        scan: &Scan,
        plan: &ImplantPlan,
        native: Option<&dyn NativeCalls>,
    ) -> Result<Self, StudyError> {
        scan.check_single(&Modality::ALL)?;
        let anatomy = Anatomy::default();
        let echoes = scan.echoes.as_deref().unwrap_or_default();
        let read = match echoes {
            [] => maps(scan, plan, &anatomy)?,
            _ => raw(scan, plan)?,
        };
        // Before minutes of asking a model.
        let protocol = protocol(&read.images, read.t2w.as_deref(), plan)?;
        let first = read.images.first();
        let refused = |reason: &str| StudyError::Subjects {
            reason: format!(
                "the parts of this head are not recognised ({reason}), so there is no telling where lesions could be; give \
                 a brain mask (desc-brain_mask beside the images), or scans of whole brains, with headers that say how the \
                 head lies: {}",
                first.display()
            ),
        };
        let found = anatomy.parcellation(&read.contrast).map_err(|reason| refused(&reason))?;
        let mut notes = read.notes;
        let brain_given = scan.mask.is_some();
        let (brain, structures) = match (&found.quality.verdict, read.brain) {
            (Verdict::Refused(reasons), None) => return Err(refused(&reasons.join("; "))),
            (Verdict::Refused(reasons), Some(brain)) => {
                notes.push(format!(
                    "the parts of this head are not recognised ({}): implants lie anywhere in its brain mask, and there are \
                     no iron deposits",
                    reasons.join("; ")
                ));
                (brain, None)
            }
            (_, brain) => {
                let structures = structures(&found.tissue, &found.side)?;
                (brain.unwrap_or_else(|| found.brain.clone()), Some(structures))
            }
        };
        let (unknown, native_lesions) = known_and_called(scan, plan, native, &brain)?;
        let white_matter = Volume::filled(*brain.grid(), Structure::WhiteMatter);
        let parts = structures.as_ref().unwrap_or(&white_matter);
        let mut occupied = dark_structures(&read.dark, parts, &brain)?;
        for (value, lesion) in occupied.data_mut().iter_mut().zip(native_lesions.data()) {
            *value |= *lesion;
        }
        let sites = match &structures {
            Some(structures) => Sites::new(structures, &brain, &occupied)?,
            None => Sites::without_parts(&brain, &occupied)?,
        };
        let t2w = match &read.t2w {
            Some(path) => Some(T2w::read(path, &read.contrast, &brain, plan)?),
            None => None,
        };
        let Read { images, header, .. } = read;
        Ok(Self { images, header, brain, brain_given, sites, t2w, unknown, protocol, notes })
    }
}

impl Images {
    /// What messages call the scan.
    fn first(&self) -> PathBuf {
        match self {
            Self::Echoes(input) => PathBuf::from(&input.scan.echoes()[0].name),
            Self::Maps(maps) => {
                maps.values().map(|(path, _)| path.clone()).next().unwrap_or_default()
            }
        }
    }
}

fn raw(scan: &Scan, plan: &ImplantPlan) -> Result<Read, StudyError> {
    let echoes = scan.echoes.clone().unwrap_or_default();
    let input = ScanFiles { echoes, ..ScanFiles::default() }.read(&plan.read)?;
    let brain = match &scan.mask {
        Some(path) => {
            let options = nifti::ReadOptions { nan_to_zero: plan.read.non_finite_as_zero };
            Some(read_mask(path, &options)?.brain.with_grid(*input.scan.grid())?)
        }
        None => None,
    };
    Ok(Read {
        header: input.header.clone(),
        brain,
        contrast: combined_magnitude(&input.scan),
        dark: susceptibility_weighted(&input.scan, &plan.recon.chain.swi),
        t2w: scan.images.get(&Modality::T2w).cloned(),
        notes: input.warnings.iter().map(ToString::to_string).collect(),
        images: Images::Echoes(Box::new(input)),
    })
}

fn maps(scan: &Scan, plan: &ImplantPlan, anatomy: &Anatomy) -> Result<Read, StudyError> {
    let mut notes = Vec::new();
    if let Err(reason) = &scan.echoes {
        notes.push(format!("its raw echoes cannot be used, so its maps are: {reason}"));
    }
    let (images, t2w) = on_one_grid(scan)?;
    let inputs: Vec<Modality> = images.keys().copied().collect();
    let files = CaseFiles {
        id: scan.id.clone(),
        images: images.clone(),
        mask: scan.mask.clone(),
        truth: None,
        unknown: None,
        contrast: None,
    };
    let options = nifti::ReadOptions { nan_to_zero: plan.read.non_finite_as_zero };
    let case = files.read_finding(&inputs, &options, Some(anatomy))?;
    notes.extend(case.warnings.iter().map(ToString::to_string));
    let contrast = case.images[&inputs[0]].clone();
    let dark = match inputs[0] {
        Modality::Qsm => contrast.map(|chi| (-chi.abs() / STRONG_PPM).exp()),
        Modality::Swi | Modality::T2w => contrast.clone(),
    };
    let with_paths = case.images.into_iter();
    let images =
        with_paths.map(|(modality, volume)| (modality, (images[&modality].clone(), volume)));
    Ok(Read {
        images: Images::Maps(images.collect()),
        header: case.header,
        brain: Some(case.brain),
        contrast,
        dark,
        t2w,
        notes,
    })
}

/// A scan's maps on one grid, and a T2w image that is on another.
fn on_one_grid(scan: &Scan) -> Result<(BTreeMap<Modality, PathBuf>, Option<PathBuf>), StudyError> {
    let mut images = scan.images.clone();
    let mut apart = None;
    if let Some(first) = images.values().next()
        && let Some(t2w) = images.get(&Modality::T2w)
    {
        let grid = *nifti::read_header(first)?.grid();
        if !grid.same_as(nifti::read_header(t2w)?.grid()) {
            apart = images.remove(&Modality::T2w);
        }
    }
    Ok((images, apart))
}

/// What nobody knows, and the lesions that are known or called.
fn known_and_called(
    scan: &Scan,
    plan: &ImplantPlan,
    native: Option<&dyn NativeCalls>,
    brain: &Mask,
) -> Result<(Mask, Mask), StudyError> {
    let mut lesions = Volume::filled(*brain.grid(), false);
    let mut add = |labels: &Volume<u8>| {
        let values = lesions.data_mut().iter_mut().zip(labels.data());
        values.for_each(|(value, label)| *value |= *label > 0);
    };
    if let Some(native) = native {
        add(&called(scan, plan, native, brain)?);
    }
    if let Some(folder) = &plan.labels
        && let Some(path) = of_scan(&label_maps(folder)?, &scan.id)
    {
        add(&LabelMap::read(path)?.0.volume().clone().with_grid(*brain.grid())?);
    }
    Ok((dilate_mm(&lesions, AROUND_CALLS_MM), lesions))
}

/// What a model calls in a scan; raw echoes are reconstructed for it.
fn called(
    scan: &Scan,
    plan: &ImplantPlan,
    native: &dyn NativeCalls,
    brain: &Mask,
) -> Result<Volume<u8>, StudyError> {
    let echoes = scan.echoes.clone().unwrap_or_default();
    let labels = if echoes.is_empty() {
        native.calls(&CaseFiles {
            id: scan.id.clone(),
            images: on_one_grid(scan)?.0,
            mask: scan.mask.clone(),
            truth: None,
            unknown: None,
            contrast: None,
        })?
    } else {
        let work = tempfile::tempdir()
            .map_err(|source| StudyError::Write { path: std::env::temp_dir(), source })?;
        let input = ReconInput {
            files: ScanFiles { echoes, ..ScanFiles::default() },
            read: plan.read,
            mask: scan.mask.clone(),
            t2w: scan.images.get(&Modality::T2w).cloned(),
            ..ReconInput::default()
        };
        let (files, _) = reconstruct(&input, &plan.recon, work.path(), &scan.id, &mut |_| ())?;
        native.calls(&files)?
    };
    Ok(labels.with_grid(*brain.grid())?)
}

/// The parts of the head that sites are chosen by.
fn structures(tissue: &Volume<u8>, side: &Volume<u8>) -> Result<Volume<Structure>, StudyError> {
    let parts = tissue.data().iter().zip(side.data()).map(|(&tissue, &side)| {
        let side = if side == 2 { Side::Right } else { Side::Left };
        let number = Tissue::ALL.get(usize::from(tissue)).map_or(0, |part| part.freesurfer(side));
        Structure::from_freesurfer(number).unwrap_or(Structure::Air)
    });
    Ok(Volume::new(*tissue.grid(), parts.collect())?)
}

/// How the images were made, by their sidecars, else by what the plan takes for granted.
fn protocol(
    images: &Images,
    t2w: Option<&Path>,
    plan: &ImplantPlan,
) -> Result<MapProtocol, StudyError> {
    let chain = &plan.recon.chain;
    let defaults = plan.protocol;
    let missing = |what: &str, field: &str, path: &Path| StudyError::Subjects {
        reason: format!(
            "the {what} is unknown: add {field} to the image's JSON file, or set it in [implant.protocol] of the \
             configuration: {}",
            path.display()
        ),
    };
    let t2w_echo = |path: Option<&Path>| {
        let told = path.and_then(|path| sidecar_fields(path).get("EchoTime")?.as_f64());
        told.or(defaults.t2w_echo_time_s).unwrap_or(USUAL_T2W_ECHO_S)
    };
    match images {
        Images::Echoes(input) => Ok(MapProtocol {
            field_strength_t: input.scan.field_strength_t(),
            // Only T2w is changed as a map.
            echo_time_s: input.scan.echoes()[0].echo_time_s,
            t2w_echo_time_s: t2w_echo(t2w),
            b0_direction: None,
            slice_axis: None,
            swi: chain.swi,
            inversion: chain.inversion,
        }),
        Images::Maps(maps) => {
            let path = |modality: &Modality| maps.get(modality).map(|(path, _)| path.as_path());
            let t2w = t2w.or(path(&Modality::T2w));
            let susceptibility = path(&Modality::Swi).or(path(&Modality::Qsm));
            let (mut echo_time_s, mut field_strength_t) =
                (defaults.echo_time_s, defaults.field_strength_t);
            let mut sidecar = Sidecar::default();
            if let Some(path) = susceptibility.or(t2w) {
                sidecar = Sidecar::of(path)?;
                field_strength_t = sidecar.field_strength_t.or(field_strength_t);
                if susceptibility.is_some() {
                    echo_time_s = sidecar.echo_time_s.or(echo_time_s);
                }
                if field_strength_t.is_none() {
                    return Err(missing("field strength", "MagneticFieldStrength", path));
                }
                if susceptibility.is_some() && echo_time_s.is_none() {
                    return Err(missing("echo time", "EchoTime", path));
                }
            }
            Ok(MapProtocol {
                field_strength_t: field_strength_t.unwrap_or(3.0),
                echo_time_s: echo_time_s.unwrap_or(0.02),
                t2w_echo_time_s: t2w_echo(t2w),
                b0_direction: sidecar.b0_direction,
                slice_axis: sidecar.slice_axis,
                swi: chain.swi,
                inversion: chain.inversion,
            })
        }
    }
}

/// Whether an image that stands in an SWI's place is a T2*-weighted magnitude, by its name.
pub(super) fn is_magnitude(path: &Path) -> bool {
    BidsName::parse(path).is_some_and(|name| {
        name.suffix() == "T2starw"
            && name.entity("acq").is_none_or(|acq| !acq.to_ascii_lowercase().contains("swi"))
    })
}

impl T2w {
    fn read(
        path: &Path,
        contrast: &Volume<f32>,
        brain: &Mask,
        plan: &ImplantPlan,
    ) -> Result<Self, StudyError> {
        let options = nifti::ReadOptions { nan_to_zero: plan.read.non_finite_as_zero };
        let nifti::Image { volume: image, header } = nifti::read_with(path, &options)?;
        let found = register_rigid(contrast, brain, &image, &plan.recon.registration)?;
        let from_scan = found.transform.affine();
        let inside = brain.map(|&inside| if inside { 1.0 } else { 0.0 });
        let inside =
            resample_moved(&inside, image.grid(), &from_scan.inverse(), Interpolation::Linear, 0.0);
        let brain = inside.map(|&part| part > 0.5);
        Ok(Self { path: path.to_owned(), image, header, brain, from_scan })
    }
}
