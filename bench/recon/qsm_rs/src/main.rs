//! One scan through QSM.rs, the library under QSMxT 9, stage by stage with its own defaults.
//!
//! ```text
//! recon-qsm-rs OUT BACKGROUND INVERSION MASK|own B0_T BX,BY,BZ|affine TE_S MAG PHASE...
//! ```
//!
//! BACKGROUND is `vsharp` or `pdf`, INVERSION is `rts`, `tv`, `medi` or `tkd`. TE_S, MAG and PHASE
//! are given for each echo, the shortest first. Phase that is not in radians is scaled to one turn.
//! Writes `chi.nii.gz` (ppm) and `given.nii.gz` into OUT.

use std::path::{Path, PathBuf};

use qsm_core::io::{NiftiData, load_nifti, save_nifti_gz};
use qsm_core::pipeline::{
    BgRemovalAlgorithm, BgRemovalConfig, FieldMappingConfig, InversionAlgorithm, InversionConfig,
    MaskingConfig, QsmReference, ScanMetadata, apply_reference, run_bg_removal,
    run_dipole_inversion, run_field_mapping, run_masking,
};

type Failure = Box<dyn std::error::Error>;

/// What the command line asks for.
struct Request {
    output: PathBuf,
    background: BgRemovalAlgorithm,
    inversion: InversionAlgorithm,
    mask: Option<PathBuf>,
    field_strength: f64,
    direction: Option<(f64, f64, f64)>,
    echoes: Vec<Echo>,
}

/// One echo's time in seconds and files.
struct Echo {
    time: f64,
    magnitude: PathBuf,
    phase: PathBuf,
}

fn request(arguments: &[String]) -> Result<Request, Failure> {
    let [output, background, inversion, mask, field_strength, direction, echoes @ ..] = arguments
    else {
        return Err("too few arguments: see the head of main.rs".into());
    };
    let direction = match direction.as_str() {
        "affine" => None,
        told => match told.split(',').map(str::parse).collect::<Result<Vec<f64>, _>>()?[..] {
            [x, y, z] => Some((x, y, z)),
            _ => return Err("the direction of the field wants three numbers".into()),
        },
    };
    let (threes, rest) = echoes.as_chunks::<3>();
    if threes.is_empty() || !rest.is_empty() {
        return Err("each echo wants a time, a magnitude and a phase".into());
    }
    let echo = |[time, magnitude, phase]: &[String; 3]| -> Result<Echo, Failure> {
        Ok(Echo { time: time.parse()?, magnitude: magnitude.into(), phase: phase.into() })
    };
    Ok(Request {
        output: output.into(),
        background: match background.as_str() {
            "vsharp" => BgRemovalAlgorithm::Vsharp,
            "pdf" => BgRemovalAlgorithm::Pdf,
            other => return Err(format!("no background removal {other}").into()),
        },
        inversion: match inversion.as_str() {
            "rts" => InversionAlgorithm::Rts,
            "tv" => InversionAlgorithm::Tv,
            "medi" => InversionAlgorithm::Medi,
            "tkd" => InversionAlgorithm::Tkd,
            other => return Err(format!("no inversion {other}").into()),
        },
        mask: (mask != "own").then(|| mask.into()),
        field_strength: field_strength.parse()?,
        direction,
        echoes: threes.iter().map(echo).collect::<Result<_, _>>()?,
    })
}

fn load(file: &Path) -> Result<NiftiData, Failure> {
    let bytes = std::fs::read(file).map_err(|error| format!("{}: {error}", file.display()))?;
    Ok(load_nifti(&bytes)?)
}

/// Direction of the field of a head-first scan along the voxel axes.
fn direction_of(affine: &[f64; 16]) -> (f64, f64, f64) {
    let upwards = |column: usize| {
        let length = (0..3).map(|row| affine[4 * row + column].powi(2)).sum::<f64>().sqrt();
        affine[8 + column] / length
    };
    (upwards(0), upwards(1), upwards(2))
}

/// Scales phase whose range is not a turn of radians to −π to π.
fn to_radians(phases: &mut [Vec<f64>]) {
    let values = || phases.iter().flatten().copied();
    let (low, high) = (values().fold(f64::MAX, f64::min), values().fold(f64::MIN, f64::max));
    if high > low && (low < -3.2 || high > 3.2) {
        let turn = std::f64::consts::TAU / (high - low);
        let scale = |value: &mut f64| *value = (*value - low) * turn - std::f64::consts::PI;
        phases.iter_mut().flatten().for_each(scale);
    }
}

fn main() -> Result<(), Failure> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let asked = request(&arguments)?;
    let first = load(&asked.echoes[0].magnitude)?;
    let images = |file: fn(&Echo) -> &Path| -> Result<Vec<Vec<f64>>, Failure> {
        asked.echoes.iter().map(|echo| Ok(load(file(echo))?.data)).collect()
    };
    let magnitudes = images(|echo| &echo.magnitude)?;
    let mut phases = images(|echo| &echo.phase)?;
    to_radians(&mut phases);
    let magnitudes: Vec<&[f64]> = magnitudes.iter().map(Vec::as_slice).collect();
    let phases: Vec<&[f64]> = phases.iter().map(Vec::as_slice).collect();
    let scan = ScanMetadata {
        dims: first.dims,
        voxel_size: first.voxel_size,
        echo_times: asked.echoes.iter().map(|echo| echo.time).collect(),
        field_strength: asked.field_strength,
        b0_direction: asked.direction.unwrap_or_else(|| direction_of(&first.affine)),
        slice_geometry: None,
    };

    let mask: Vec<u8> = match &asked.mask {
        Some(file) => load(file)?.data.iter().map(|&value| u8::from(value > 0.0)).collect(),
        None => {
            run_masking(&MaskingConfig::default().sections, &phases, Some(magnitudes[0]), &scan)
                .map_err(|error| format!("mask: {error:?}"))?
        }
    };
    let total = run_field_mapping(
        &phases,
        Some(&magnitudes),
        &mask,
        &scan,
        &FieldMappingConfig::default(),
        &mut |_, _| {},
    )
    .map_err(|error| format!("field: {error:?}"))?;
    let background = BgRemovalConfig { algorithm: asked.background, ..Default::default() };
    let local = run_bg_removal(&total.b0_field_ppm, &mask, &scan, &background, &mut |_, _| {})
        .map_err(|error| format!("background: {error:?}"))?;
    let inversion = InversionConfig { algorithm: asked.inversion, ..Default::default() };
    let chi = run_dipole_inversion(
        &local.local_field_ppm,
        &local.eroded_mask,
        &scan,
        &inversion,
        Some(magnitudes[0]),
        &mut |_, _| {},
    )
    .map_err(|error| format!("inversion: {error:?}"))?;
    let chi = apply_reference(&chi, &local.eroded_mask, QsmReference::Mean);

    std::fs::create_dir_all(&asked.output)?;
    let save = |name: &str, values: &[f64]| -> Result<(), Failure> {
        let bytes = save_nifti_gz(values, first.dims, first.voxel_size, &first.affine)?;
        Ok(std::fs::write(asked.output.join(name), bytes)?)
    };
    save("chi.nii.gz", &chi)?;
    let given: Vec<f64> = local.eroded_mask.iter().map(|&inside| f64::from(inside)).collect();
    save("given.nii.gz", &given)
}
