//! The whole chain.

use std::path::Path;
use std::time::{Duration, Instant};

use deepmir_volume::{BoundingBox, Mask, Volume, Warning, check_same_grid};

use crate::ReconError;
use crate::background::{BackgroundInput, LocalField, remove_background};
use crate::brain::{combined_magnitude, find_brain};
use crate::config::{FieldFitMethod, ReconConfig, Unwrapping};
use crate::inversion::{InversionInput, invert, reference_to_median};
use crate::phase::{
    EdgeWeights, FieldFit, Readout, fit_field, leave_out_late_echoes, refine_field,
    remove_phase_offset, unwrap_in_time, unwrap_laplacian, unwrap_romeo,
};
use crate::r2star::fit_r2_star;
use crate::reference::{Reference, ZeroReference};
use crate::reliability::{field_quality, field_region, fill_voids, reliable_mask};
use crate::scan::{Echo, GradientEchoScan};
use crate::separation::{self, SeparatedSusceptibility, separated};
use crate::sign;
use crate::swi::{
    SwiFromSusceptibility, minimum_intensity_projection, slice_axis, susceptibility_weighted,
    weighted_by_susceptibility,
};

/// A step of the chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Stage {
    /// Brain mask.
    Brain,
    /// Phase offset removal.
    Offset,
    /// Unwrapping.
    Unwrapping,
    /// Field fit and its quality.
    Fit,
    /// Background removal.
    Background,
    /// Dipole inversion and referencing.
    Inversion,
    /// SWI and its minimum-intensity projection; the one from susceptibility.
    Swi,
    /// R2*.
    R2Star,
}

impl Stage {
    /// All, in order.
    pub const ALL: [Self; 8] = [
        Self::Brain,
        Self::Offset,
        Self::Unwrapping,
        Self::Fit,
        Self::Background,
        Self::Inversion,
        Self::Swi,
        Self::R2Star,
    ];

    /// What a progress line says.
    pub fn name(self) -> &'static str {
        match self {
            Self::Brain => "brain mask",
            Self::Swi => "susceptibility-weighted image",
            Self::R2Star => "R2*",
            Self::Offset => "phase offset",
            Self::Unwrapping => "unwrapping",
            Self::Fit => "field fit",
            Self::Background => "background removal",
            Self::Inversion => "dipole inversion",
        }
    }
}

/// What comes out, all on the scan's own grid.
#[derive(Clone, Debug)]
pub struct Reconstruction {
    /// The brain.
    pub brain: Mask,
    /// Where field and susceptibility are reliable: a part of the brain.
    pub reliable: Mask,
    /// Total field in ppm, zero outside the brain.
    pub total_field_ppm: Volume<f32>,
    /// Local field in ppm, zero outside the reliable part.
    pub local_field_ppm: Volume<f32>,
    /// Susceptibility in ppm; zero outside the reliable part.
    pub chi_ppm: Volume<f32>,
    /// Where it is zero inside: the median over the reliable part, unless it was set otherwise (see
    /// [`Self::refer_to_fluid`]).
    pub zero: ZeroReference,
    /// Quality of the field, 0 to 1.
    pub quality: Volume<f32>,
    /// Susceptibility-weighted image of the whole head, in the magnitude's unit.
    pub swi: Volume<f32>,
    /// Its minimum-intensity projection.
    pub minimum_intensity_projection: Volume<f32>,
    /// Magnitude of the whole head, darkened by susceptibility where this is reliable; `None` unless
    /// the settings ask for it.
    pub swi_from_susceptibility: Option<SwiFromSusceptibility>,
    /// R2* per second inside the brain; `None` for a single echo.
    pub r2_star_per_s: Option<Volume<f32>>,
    /// Paramagnetic and diamagnetic susceptibility, zero outside the reliable part; `None` unless the settings ask for
    /// it.
    pub separated: Option<SeparatedSusceptibility>,
    /// How long each stage took.
    pub timings: Vec<(Stage, Duration)>,
    /// What was noticed: `brain_mask_fallback`, `bipolar_two_echoes`, `phase_sign`.
    pub warnings: Vec<Warning>,
}

/// Runs all stages on a scan. `brain` replaces the computed mask; `progress` is called as each stage
/// begins.
///
/// # Errors
/// If no brain is found or the mask is empty or on another grid, or a setting cannot be, on its own or for this scan.
pub fn reconstruct(
    scan: &GradientEchoScan,
    brain: Option<&Mask>,
    config: &ReconConfig,
    progress: impl FnMut(Stage),
) -> Result<Reconstruction, ReconError> {
    config.validate()?;
    config.separation.as_ref().map_or(Ok(()), |separation| separation::check(scan, separation))?;
    let mut clock = Clock { progress, begun: None, timings: Vec::new() };
    clock.begin(Stage::Brain);
    let mut warnings: Vec<Warning> = two_bipolar_echoes(scan, config).into_iter().collect();
    let brain = match brain {
        Some(mask) => check_mask(mask, scan)?,
        None => {
            let (mask, warning) = find_brain(scan, &config.brain)?;
            warnings.extend(warning);
            mask
        }
    };
    separation::check_r2(scan, &brain)?;
    // All that follows happens in the box around the brain and its rim.
    let Some(place) = BoundingBox::around(&brain) else {
        return Err(ReconError::EmptyMask { reason: "the brain mask is empty".to_owned() });
    };
    let rim_mm = f64::from(config.reliability.rim_mm);
    let margin = scan.grid().voxel_sizes_mm().map(|size| 2 + (rim_mm / size) as usize);
    let place = place.grown(margin, scan.grid());
    let mask = brain.crop(&place);
    let cropped = crop_scan(scan, &place)?;
    let magnitude = combined_magnitude(&cropped);
    let region = field_region(&mask, cropped.echoes(), &config.reliability);
    let mut fit = field_in(cropped, &region, config, &mut clock);
    let mut quality = field_quality(&fit, &mask, &region, &config.reliability);
    let wide = reliable_mask(&mask, &quality, &config.reliability);
    fill_voids(&mut fit.field_ppm, &wide, &quality, &config.reliability);
    clock.begin(Stage::Background);
    let b0_direction = scan.b0_direction();
    let input = BackgroundInput {
        total_field_ppm: &fit.field_ppm,
        mask: &wide,
        weights: &quality,
        magnitude: &magnitude,
        b0_direction,
    };
    let LocalField { mut field_ppm, mask: wide } = remove_background(&input, &config.background)?;
    clock.begin(Stage::Inversion);
    let input = InversionInput {
        local_field_ppm: &field_ppm,
        mask: &wide,
        weights: &quality,
        magnitude: &magnitude,
        b0_direction,
    };
    let mut chi_ppm = invert(&input, &config.inversion)?;
    // The rim has served; maps are the brain's.
    let mut reliable = wide;
    reliable.data_mut().iter_mut().zip(mask.data()).for_each(|(value, &inside)| *value &= inside);
    if reliable.count() == 0 {
        let reason = "the field is reliable nowhere in the brain mask".to_owned();
        return Err(ReconError::EmptyMask { reason });
    }
    for (map, part) in [
        (&mut fit.field_ppm, &mask),
        (&mut quality, &mask),
        (&mut field_ppm, &reliable),
        (&mut chi_ppm, &reliable),
    ] {
        clear_outside(map, part);
    }
    reference_to_median(&mut chi_ppm, &reliable);
    let echo = config.swi.echo_of(&scan.echo_times_s(), scan.field_strength_t());
    let dark = scan.echoes()[echo].magnitude.crop(&place);
    if let Some(agreement) = sign::agreement(&dark, &chi_ppm, &mask)
        && agreement < sign::LEAST_AGREEMENT
    {
        let message = format!(
            "what is dark in the magnitude is diamagnetic in the susceptibility map (correlation {agreement:.2}): the phase has \
             probably the other sign, and the SWI darkens what is diamagnetic; reconstruct with --invert-phase: {}",
            scan.echoes()[echo].name
        );
        warnings.push(Warning::new("phase_sign", message));
    }
    let whole = |part: &Volume<f32>| {
        let mut volume = Volume::filled(*scan.grid(), 0.0);
        volume.paste(part, &place);
        volume
    };
    let mut reliable_whole = Volume::filled(*scan.grid(), false);
    reliable_whole.paste(&reliable, &place);
    let zero = ZeroReference {
        region: Reference::Brain,
        volume_mm3: reliable.count() as f64 * scan.grid().voxel_volume_mm3(),
        brain_median_ppm: 0.0,
    };
    // Maps of the whole grid come last: inversion needs the memory.
    let chi_ppm = whole(&chi_ppm);
    let total_field_ppm = whole(&fit.field_ppm);
    let local_field_ppm = whole(&field_ppm);
    let quality = whole(&quality);
    clock.begin(Stage::Swi);
    let swi = susceptibility_weighted(scan, &config.swi);
    let slices = slice_axis(scan.grid(), scan.slice_axis());
    let projection = minimum_intensity_projection(&swi, slices, config.swi.slab_mm);
    let swi_from_susceptibility =
        weighted_by_susceptibility(scan, &chi_ppm, &reliable_whole, &config.swi);
    clock.begin(Stage::R2Star);
    let r2_star_per_s = fit_r2_star(scan.echoes(), &brain, config.r2_star);
    let rate = r2_star_per_s.as_ref();
    let separated = separated(scan, &chi_ppm, rate, &reliable_whole, config.separation);
    let timings = clock.finish();
    Ok(Reconstruction {
        reliable: reliable_whole,
        total_field_ppm,
        local_field_ppm,
        chi_ppm,
        zero,
        quality,
        swi,
        minimum_intensity_projection: projection,
        swi_from_susceptibility,
        r2_star_per_s,
        separated,
        brain,
        timings,
        warnings,
    })
}

/// A warning of two echoes that were read to and fro: the step between odd and even echoes shows from the third echo on.
fn two_bipolar_echoes(scan: &GradientEchoScan, config: &ReconConfig) -> Option<Warning> {
    let bipolar = config.offset.readout == Readout::Bipolar && scan.echoes().len() == 2;
    bipolar.then(|| {
        let message = format!(
            "two echoes do not tell the phase that a bipolar read-out adds to the second of them from the field: it stays \
             in the field maps, and susceptibility that varies slowly may be wrong; reconstruct three echoes or more: {}",
            scan.echoes()[1].name
        );
        Warning::new("bipolar_two_echoes", message)
    })
}

/// Offset removal, unwrapping and fit.
fn field_in<F: FnMut(Stage)>(
    mut scan: GradientEchoScan,
    mask: &Mask,
    config: &ReconConfig,
    clock: &mut Clock<F>,
) -> FieldFit {
    clock.begin(Stage::Offset);
    remove_phase_offset(&mut scan, mask, &config.offset);
    clock.begin(Stage::Unwrapping);
    let echoes = scan.echoes();
    let unwrapped = match config.unwrapping {
        Unwrapping::Romeo => {
            let edges = EdgeWeights::of_echoes(echoes);
            let mut first = echoes[0].phase_rad.clone();
            unwrap_romeo(&mut first, &edges, mask);
            unwrap_in_time(echoes, first, mask)
        }
        Unwrapping::Laplacian => {
            echoes.iter().map(|echo| unwrap_laplacian(&echo.phase_rad, mask)).collect()
        }
    };
    clock.begin(Stage::Fit);
    let per_ppm = scan.radians_per_ppm_second();
    let mut fit = fit_field(echoes, &unwrapped, mask, per_ppm);
    match config.field_fit {
        FieldFitMethod::Line => {}
        FieldFitMethod::Complex => refine_field(&mut fit, echoes, mask, per_ppm),
        FieldFitMethod::Early => {
            let residual_rad = 0.5 * config.reliability.residual_rad;
            leave_out_late_echoes(&mut fit, echoes, &unwrapped, mask, per_ppm, residual_rad);
        }
    }
    fit
}

fn clear_outside(map: &mut Volume<f32>, mask: &Mask) {
    map.data_mut().iter_mut().zip(mask.data()).for_each(|(value, &inside)| {
        if !inside {
            *value = 0.0;
        }
    });
}

fn check_mask(mask: &Mask, scan: &GradientEchoScan) -> Result<Mask, ReconError> {
    check_same_grid(
        (Path::new(&scan.echoes()[0].name), scan.grid()),
        (Path::new("the brain mask"), mask.grid()),
        "draw or resample the mask on the scan's grid",
    )?;
    if mask.count() == 0 {
        return Err(ReconError::EmptyMask { reason: "the brain mask is empty".to_owned() });
    }
    Ok(mask.clone().with_grid(*scan.grid())?)
}

/// The part of all echoes inside a box.
fn crop_scan(scan: &GradientEchoScan, place: &BoundingBox) -> Result<GradientEchoScan, ReconError> {
    let crop = |echo: &Echo| Echo {
        name: echo.name.clone(),
        magnitude: echo.magnitude.crop(place),
        phase_rad: echo.phase_rad.crop(place),
        echo_time_s: echo.echo_time_s,
    };
    let echoes = scan.echoes().iter().map(crop).collect();
    GradientEchoScan::new(echoes, scan.field_strength_t(), scan.b0_direction())
}

struct Clock<F> {
    progress: F,
    begun: Option<(Stage, Instant)>,
    timings: Vec<(Stage, Duration)>,
}

impl<F: FnMut(Stage)> Clock<F> {
    fn begin(&mut self, stage: Stage) {
        self.end();
        (self.progress)(stage);
        self.begun = Some((stage, Instant::now()));
    }

    fn end(&mut self) {
        if let Some((stage, begun)) = self.begun.take() {
            self.timings.push((stage, begun.elapsed()));
        }
    }

    fn finish(mut self) -> Vec<(Stage, Duration)> {
        self.end();
        self.timings
    }
}
